//! Who sleeps for which classes: one word that every sender reads (rules W1 to W3).

use crate::hooks::mark;
use crate::registry::Registry;
use crate::registry::record::Record;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::epoch::Domain;

use super::alert::Alert;
use super::room::Room;
use super::waiter::Waiter;

/// So many sleepers are notified under one pin; more take another round.
const ROUND: usize = 16;

/// The union of the announced masks.
#[derive(Debug)]
pub(crate) struct Waiters {
    masks: Alert,
    wakes: AtomicU64,
}

impl Waiters {
    pub(crate) fn new() -> Waiters {
        Waiters { masks: Alert::new(), wakes: AtomicU64::new(0) }
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
        // FENCE wait.park: our store of `waiters` and look at the log against the sender's
        // publication and load of `waiters`: in `Alert`.
        self.masks.announce(|masks| masks | mask);
    }

    /// Announces a sender that waits for room and was refused for records that were not published: it
    /// hears of whatever is (rule W5). The caller tries again after this, before it sleeps.
    pub(crate) fn announce_for_room(&self) {
        // FENCE wait.park: as in `announce`.
        self.masks.announce(|_| u32::MAX);
    }

    /// After publication of `classes`: whether somebody sleeps for them (rule W1).
    #[inline(always)]
    pub(crate) fn sleep_for(&self, classes: u32) -> bool {
        // FENCE wait.park: our publication and load of `waiters` against the participant's store of
        // `waiters` and look at the log: in `Alert`.
        self.masks.look() & classes != 0
    }

    /// Once a segment: if nobody sleeps, lookers may do without a fence. What sleepers have left behind
    /// that woke by themselves, or left, is taken out first.
    #[cold]
    pub(crate) fn calm(&self, registry: &Registry, room: &Room, domain: &Domain) {
        // EDGE wait.announce: Acquire in there, before the registry and the room are loaded (rule W3).
        let seen = self.masks.load();
        if seen.content() != 0 && room.is_empty() {
            let guard = domain.pin();
            let entries = registry.snapshot(&guard).entries();
            let asleep = entries.iter().map(|entry| entry.record().waiter.waiting_mask());
            self.masks.clear(seen, asleep.fold(0, |masks, mask| masks | mask));
        }
        self.masks.calm();
    }

    /// Wakes those who sleep for `classes`, but for who excludes this `sender` and is not behind a
    /// hole that it may have closed (rule W3). Runs wakers: call it unpinned.
    ///
    /// `true`: somebody announced everything, perhaps a sender that waits for room.
    #[must_use = "senders that wait for room may have announced themselves here"]
    pub(crate) fn wake(
        &self,
        classes: u32,
        sender: u32,
        registry: &Registry,
        domain: &Domain,
    ) -> bool {
        let mut room = false;
        loop {
            let mut notified: [Option<Arc<Waiter>>; ROUND] = Default::default();
            let mut count = 0;
            {
                // EDGE wait.announce: Acquire in there, before the registry is loaded.
                let seen = self.masks.load();
                let guard = domain.pin();
                let snapshot = registry.snapshot(&guard);
                // A sleeper behind a hole announced everything, and may want none of `classes`.
                let everybody = seen.content() == u32::MAX;
                if everybody {
                    mark("hole closed late");
                    room = true;
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
                let kept = if everybody { still } else { seen.content() & !classes | still };
                self.masks.clear(seen, kept);
            }
            // RELAXED: statistics.
            self.wakes.fetch_add(count as u64, Ordering::Relaxed);
            notified.iter().flatten().for_each(|waiter| waiter.wake());
            if count < ROUND {
                return room;
            }
        }
    }
}
