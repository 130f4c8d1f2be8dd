//! Senders that wait for room (rule W5).

use std::mem::ManuallyDrop;

use crate::hooks::mark;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicPtr, Ordering, fence};
use crate::sync::epoch::Domain;

use super::alert::Alert;
use super::waiter::Waiter;

/// A waiting sender and the classes of its message.
type Waiting = (Arc<Waiter>, u32);

/// The senders that wait: how many, for a look that costs one load, and who.
#[derive(Debug)]
pub(crate) struct Room {
    count: Alert,
    /// One reference on the list as it is; see [`Room::list`].
    list: AtomicPtr<Vec<Waiting>>,
}

impl Room {
    pub(crate) fn new() -> Room {
        Room { count: Alert::new(), list: AtomicPtr::new(into_raw(Vec::new())) }
    }

    fn replace(&self, domain: &Domain, change: impl Fn(&mut Vec<Waiting>)) {
        let guard = domain.pin();
        loop {
            // EDGE wait.list: Acquire here; Release below.
            let old = self.list.load(Ordering::Acquire);
            // SAFETY: freed only through the epoch, and pinned.
            let mut list = unsafe { (*old).clone() };
            change(&mut list);
            let new = into_raw(list);
            // EDGE wait.list: Release here; Acquire above and in `freed`.
            match self.list.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => {
                    // SAFETY: replaced, so its one reference is ours; made by `into_raw`.
                    unsafe { guard.retire(old, |old| drop(Arc::from_raw(old.cast_const()))) };
                    return;
                }
                // SAFETY: never published.
                Err(_) => drop(unsafe { Arc::from_raw(new.cast_const()) }),
            }
        }
    }

    /// Enters a sender; it then announces itself with [`Room::announce`] before each try.
    pub(crate) fn enter(&self, waiter: &Arc<Waiter>, classes: u32, domain: &Domain) {
        self.replace(domain, |list| list.push((waiter.clone(), classes)));
        // While it is counted the word is not calm, so that a fence is enough in `announce`.
        self.count.announce(|count| count + 1);
    }

    /// The sender waits no more.
    pub(crate) fn leave(&self, waiter: &Arc<Waiter>, domain: &Domain) {
        self.count.withdraw(|count| count - 1);
        self.replace(domain, |list| list.retain(|(other, _)| !Arc::ptr_eq(other, waiter)));
    }

    /// Announces that the sender is about to sleep; it tries once more after this.
    pub(crate) fn announce(&self, waiter: &Waiter) {
        waiter.announce(u32::MAX, false);
        // FENCE wait.room: our announcement and count of the backlog against the participant's
        // store of its progress and look at `count`.
        fence(Ordering::SeqCst);
    }

    /// A participant with `mask` has made room: wakes who may go on. Call it unpinned.
    #[inline(always)]
    pub(crate) fn freed(&self, mask: u32, domain: &Domain) {
        // FENCE wait.room: our progress and look at `count` against the sender's announcement and
        // count of the backlog: in `Alert`.
        if self.count.look() != 0 {
            self.wake(mask, domain);
        }
    }

    /// No sender has waited for a while, perhaps: lookers may do without a fence.
    pub(crate) fn calm(&self) {
        self.count.calm();
    }

    /// Whether no sender waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load().content() == 0
    }

    /// The list as it is: a reference, and no copy, so that a receive allocates nothing.
    fn list(&self, domain: &Domain) -> Arc<Vec<Waiting>> {
        let _guard = domain.pin();
        // EDGE wait.list: Acquire here; Release in `replace`.
        let list = self.list.load(Ordering::Acquire);
        // SAFETY: made by `into_raw`; its reference goes only through the epoch, and is not given up here.
        let list = ManuallyDrop::new(unsafe { Arc::from_raw(list.cast_const()) });
        Arc::clone(&list)
    }

    /// Each once: who is refused again and sleeps again is not woken again for the same room.
    #[cold]
    fn wake(&self, mask: u32, domain: &Domain) {
        for (waiter, classes) in self.list(domain).iter() {
            if classes & mask != 0 {
                mark("room told");
                waiter.rouse();
            }
        }
    }
}

fn into_raw(list: Vec<Waiting>) -> *mut Vec<Waiting> {
    Arc::into_raw(Arc::new(list)).cast_mut()
}

impl Drop for Room {
    fn drop(&mut self) {
        // RELAXED: exclusive.
        // SAFETY: made by `into_raw`; nobody waits at a bus that is going.
        drop(unsafe { Arc::from_raw(self.list.load(Ordering::Relaxed).cast_const()) });
    }
}
