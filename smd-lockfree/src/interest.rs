//! Telling who asked that the union of all masks has changed.
//!
//! | edge | release end | acquire end | carries |
//! |---|---|---|---|
//! | `interest.list` | exchange of the list | its load | the observers |

#![allow(unsafe_code)]

#[cfg(any(smd_loom, smd_shuttle))]
pub mod edges;

use std::sync::{Arc as StdArc, Weak};

use crate::class::Class;
use crate::core::Core;
use crate::registry::snapshot::Interests;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicPtr, Ordering};
use crate::sync::epoch::Domain;

type Callback = dyn Fn(Class) + Send + Sync;

struct Observer {
    call: Box<Callback>,
    /// Whether it observes what is wanted here, bridges left out.
    local: bool,
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Observer")
    }
}

/// Weak, so that a replaced list that waits for its epoch keeps no closure, and so no bus, alive.
type List = Vec<Weak<Observer>>;

/// The observers of one bus: a list, replaced whole.
#[derive(Debug)]
pub(crate) struct Observers(AtomicPtr<List>);

impl Observers {
    pub(crate) fn new() -> Observers {
        Observers(AtomicPtr::new(Box::into_raw(Box::default())))
    }

    fn list(&self, domain: &Domain) -> List {
        let _guard = domain.pin();
        // EDGE interest.list: Acquire here; Release in `replace`.
        // SAFETY: freed only through the epoch, and pinned.
        unsafe { (*self.0.load(Ordering::Acquire)).clone() }
    }

    fn replace(&self, domain: &Domain, change: impl Fn(&mut List)) {
        let guard = domain.pin();
        loop {
            // EDGE interest.list: Acquire here; Release below.
            let old = self.0.load(Ordering::Acquire);
            // SAFETY: as in `list`.
            let mut list = unsafe { (*old).clone() };
            change(&mut list);
            let new = Box::into_raw(Box::new(list));
            // EDGE interest.list: Release here; Acquire above and in `list`.
            match self.0.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => {
                    // SAFETY: replaced, made by `Box::into_raw`.
                    unsafe { guard.retire(old, |old| drop(Box::from_raw(old))) };
                    return;
                }
                // SAFETY: never published.
                Err(_) => drop(unsafe { Box::from_raw(new) }),
            }
        }
    }

    /// Calls the observers of what changed. They are user code: nothing is held, and a panic of one
    /// does not keep the others from hearing.
    pub(crate) fn changed(&self, before: Interests, after: Interests, domain: &Domain) {
        if before == after {
            return;
        }
        for observer in self.list(domain).iter().filter_map(Weak::upgrade) {
            let of = |interests: Interests| match observer.local {
                true => interests.local,
                false => interests.all,
            };
            if of(before) != of(after) {
                // The panic hook has reported it; there is nobody else to tell.
                crate::contain::call(|| (observer.call)(Class::from_bits(of(after))));
            }
        }
    }
}

impl Drop for Observers {
    fn drop(&mut self) {
        // RELAXED: exclusive.
        // SAFETY: made by `Box::into_raw`; nobody observes a bus that is going.
        drop(unsafe { Box::from_raw(self.0.load(Ordering::Relaxed)) });
    }
}

/// An observer of a bus's interest, from [`Bus::observe_interest`](crate::Bus::observe_interest)
/// or [`Bus::observe_local_interest`](crate::Bus::observe_local_interest).
/// Dropped, it is not called any more (a call that has begun ends). It does not keep the bus open.
#[derive(Debug)]
#[must_use = "an observer that is dropped hears nothing"]
pub struct InterestObserver {
    core: Arc<Core>,
    observer: StdArc<Observer>,
}

impl InterestObserver {
    pub(crate) fn new(
        core: &Arc<Core>,
        local: bool,
        call: impl Fn(Class) + Send + Sync + 'static,
    ) -> InterestObserver {
        let observer = StdArc::new(Observer { call: Box::new(call), local });
        let weak = StdArc::downgrade(&observer);
        core.observers.replace(core.domain(), |list| list.push(weak.clone()));
        InterestObserver { core: core.clone(), observer }
    }
}

impl Drop for InterestObserver {
    fn drop(&mut self) {
        let own = StdArc::as_ptr(&self.observer);
        self.core.observers.replace(self.core.domain(), |list| {
            list.retain(|other| other.as_ptr() != own);
        });
    }
}
