//! Retiring: the window stays short (rules R1 to R4).

use crate::hooks::mark;
use crate::registry::snapshot::Snapshot;
use crate::sync::atomic::Ordering;

use super::backlog::walk_to_end;
use super::frame::Frame;
use super::handover::Handover;
use super::spill::Spill;
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

    /// Whether everybody who may want something of a segment has come through it, one of them from
    /// end to end: then it serves better as the next one's frame.
    fn is_over(&self, frame: &Frame, snapshot: &impl Fn(&mut dyn FnMut(&Snapshot))) -> bool {
        let Some(union) = frame.complete_union() else { return false };
        let end = frame.base_sequence() + self.load_claim(frame).messages();
        let mut over = true;
        snapshot(&mut |snapshot| {
            snapshot.each_of(union, |record| over &= record.next_sequence() >= end);
        });
        over
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
        let behind = tail_number.saturating_sub(frame.number());
        let due = behind > KEEP || behind > 0 && self.is_over(frame, snapshot);
        if !due || !walk_to_end(frame) {
            self.release(low);
            return false;
        }
        let union = frame.complete_union().expect("walked to its end");
        // Rule R2: the registry is loaded when it is lent: after the segment was found complete.
        let each = |visit: &mut dyn FnMut(Handover<'_>)| {
            snapshot(&mut |snapshot| {
                let guard = self.pin();
                snapshot.each_of(union, |record| {
                    // SAFETY: the retirer alone touches these notes (rule R1).
                    unsafe {
                        record.open_chunk.with(|open| {
                            visit(Handover {
                                log: self,
                                segment: low,
                                record,
                                open,
                                guard: &guard,
                                cutoff,
                            });
                        });
                    }
                });
            });
        };
        let (mut room, mut in_ring) = (true, false);
        each(&mut |mut handover| {
            room &= handover.run();
            in_ring |= handover.is_in_ring();
        });
        if !room {
            self.release(low);
            return false;
        }
        #[cfg(test)]
        crate::hooks::reached(crate::hooks::Place::HandedOver);
        retained(low);
        // EDGE log.install: Acquire here; Release in `install`. Not null: the tail is further on.
        let next = frame.next().load(Ordering::Acquire);
        self.advance_low(low, next);
        mark("segment retired");
        if in_ring {
            // FENCE spill.stand: `low` against the load of `standing`.
            Spill::fence();
            each(&mut |handover| handover.look_again());
        }
        self.release(low);
        true
    }
}
