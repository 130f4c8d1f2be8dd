//! Retiring: the window stays short (rules R1 to R4).

use crate::hooks::mark;
use crate::registry::snapshot::Snapshot;
use crate::sync::atomic::Ordering;

use super::backlog::walk_to_end;
use super::handover::Handover;
use super::tail::{Held, Log};

/// Segments that stay in the window behind the tail before the oldest is handed over.
pub(crate) const KEEP: u64 = if cfg!(any(smd_loom, smd_shuttle)) { 1 } else { 3 };

/// The retirer's flag, given back also by a panic.
struct Token<'l>(&'l Log);

impl Drop for Token<'_> {
    fn drop(&mut self) {
        // EDGE log.retire: Release here; Acquire in `retire`.
        self.0.retiring.store(false, Ordering::Release);
    }
}

impl Log {
    /// Hands over and drops what is too old in the window, unless another thread is at it.
    ///
    /// `snapshot` lends the registry as it is when it is called; `retained` is shown each segment
    /// before it leaves the window.
    pub(crate) fn retire(
        &self,
        snapshot: impl Fn(&mut dyn FnMut(&Snapshot)),
        mut retained: impl FnMut(Held),
        cutoff: u64,
    ) {
        // EDGE log.retire: Acquire here; Release below. Hands the retirer's private notes on.
        // (A plain exchange: tried once, never waited for.)
        if self
            .retiring
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            mark("another retires");
            return;
        }
        let _token = Token(self);
        while self.retire_one(&snapshot, &mut retained, cutoff) {}
    }

    /// Retires the segment `low` if it is due and complete.
    fn retire_one(
        &self,
        snapshot: &impl Fn(&mut dyn FnMut(&Snapshot)),
        retained: &mut impl FnMut(Held),
        cutoff: u64,
    ) -> bool {
        let tail = self.acquire_tail();
        // SAFETY: held.
        let tail_number = unsafe { tail.as_ref() }.number();
        self.release(tail);
        let low = self.acquire_low();
        // SAFETY: held.
        let frame = unsafe { low.as_ref() };
        let due = tail_number.saturating_sub(frame.number()) > KEEP;
        if !due || !walk_to_end(frame) {
            self.release(low);
            return false;
        }
        let union = frame.complete_union().expect("walked to its end");
        let mut room = true;
        // Rule R2: the registry is loaded now, after the segment was found complete.
        snapshot(&mut |snapshot| {
            let guard = self.pin();
            snapshot.each_of(union, |record| {
                // SAFETY: the retirer alone touches these notes (rule R1).
                room &= unsafe {
                    record.open_chunk.with(|open| {
                        Handover { log: self, segment: low, record, open, guard: &guard, cutoff }
                            .run()
                    })
                };
            });
        });
        if !room {
            self.release(low);
            return false;
        }
        retained(low);
        // EDGE log.install: Acquire here; Release in `install`. Not null: the tail is further on.
        let next = frame.next().load(Ordering::Acquire);
        self.advance_low(low, next);
        mark("segment retired");
        self.release(low);
        true
    }
}
