//! Who sleeps for which classes: one word that every sender reads (rules W1 to W3).

use crate::hooks::mark;
use crate::registry::Registry;
use crate::registry::record::Record;
use crate::sync::atomic::{AtomicU64, Ordering, fence};
use crate::sync::epoch::Domain;
use crate::sync::{Arc, CachePadded};

use super::waiter::Waiter;

/// So many sleepers are notified under one pin; more take another round.
const ROUND: usize = 16;

/// Version (high 32 bits) and the union of the announced masks.
#[derive(Debug)]
pub(crate) struct Waiters {
    word: CachePadded<AtomicU64>,
    wakes: AtomicU64,
}

impl Waiters {
    pub(crate) fn new() -> Waiters {
        Waiters { word: CachePadded::new(AtomicU64::new(0)), wakes: AtomicU64::new(0) }
    }

    /// How many sleepers were woken.
    pub(crate) fn wakes(&self) -> u64 {
        // RELAXED: statistics.
        self.wakes.load(Ordering::Relaxed)
    }

    /// Announces a sleeper for `mask`, or, behind a `hole`, for everything (rule W2). The caller
    /// looks again after this, before it sleeps.
    pub(crate) fn announce(&self, waiter: &Waiter, mask: u32, hole: bool) {
        let mask = if hole { u32::MAX } else { mask };
        waiter.announce(mask, hole);
        // RELAXED: the exchange decides.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let new = ((word >> 32).wrapping_add(1) << 32) | u64::from(word as u32 | mask);
            // EDGE wait.announce: Release here; Acquire in `wake`. Carries state and slot.
            match self.word.compare_exchange_weak(word, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => break,
                Err(actual) => word = actual,
            }
        }
        // FENCE wait.park: our store of `waiters` and look at the log against the sender's
        // publication and load of `waiters`.
        fence(Ordering::SeqCst);
    }

    /// After publication of `classes`: whether somebody sleeps for them (rule W1).
    #[inline(always)]
    pub(crate) fn sleep_for(&self, classes: u32) -> bool {
        // FENCE wait.park: our publication and load of `waiters` against the participant's store of
        // `waiters` and look at the log.
        fence(Ordering::SeqCst);
        // RELAXED: ordered by the fence; `wake` loads it again.
        self.word.load(Ordering::Relaxed) as u32 & classes != 0
    }

    /// Wakes those who sleep for `classes`, but for who excludes this `sender` and is not behind a
    /// hole that it may have closed (rule W3). Runs wakers: call it unpinned.
    #[cold]
    pub(crate) fn wake(&self, classes: u32, sender: u32, registry: &Registry, domain: &Domain) {
        loop {
            let mut notified: [Option<Arc<Waiter>>; ROUND] = Default::default();
            let mut count = 0;
            {
                // EDGE wait.announce: Acquire here, before the registry is loaded.
                let word = self.word.load(Ordering::Acquire);
                let guard = domain.pin();
                let snapshot = registry.snapshot(&guard);
                // A sleeper behind a hole announced everything, and may want none of `classes`.
                let everybody = word as u32 == u32::MAX;
                if everybody {
                    mark("hole closed late");
                }
                let mut still = 0;
                let mut visit = |record: &Record| {
                    let waiter = &record.waiter;
                    let spared = record.excludes(sender) && !waiter.is_behind_hole();
                    if !spared && count < ROUND && waiter.notify(classes) {
                        notified[count] = Some(waiter.clone());
                        count += 1;
                    } else {
                        still |= waiter.waiting_mask();
                    }
                };
                if everybody {
                    snapshot.entries().iter().for_each(|entry| visit(entry.record()));
                } else {
                    snapshot.each_of(classes, visit);
                }
                let kept = if everybody { still } else { word as u32 & !classes | still };
                let new = ((word >> 32).wrapping_add(1) << 32) | u64::from(kept);
                // RELAXED: an announcement since `word` makes this fail, and its bits stay; who
                // announced before is seen by the Acquire above.
                let _ = self.word.compare_exchange(word, new, Ordering::Relaxed, Ordering::Relaxed);
            }
            // RELAXED: statistics.
            self.wakes.fetch_add(count as u64, Ordering::Relaxed);
            notified.iter().flatten().for_each(|waiter| waiter.wake());
            if count < ROUND {
                return;
            }
        }
    }
}
