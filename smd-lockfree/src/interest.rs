//! Telling who asked that the union of all masks has changed.
//!
//! # Rules
//!
//! - **I1** One thread at a time tells an observer. A change that finds one at it leaves itself to
//!   that one, who looks again until nothing is left. So the last thing told is how it is, whatever
//!   the order of the threads, and one that blocks in an observer does not keep the changes of
//!   others from the other observers.
//!
//! # Edges
//!
//! | edge | release end | acquire end | carries |
//! |---|---|---|---|
//! | `interest.list` | exchange of the list | its load | the observers |
//! | `interest.told` | exchange of `untold` for none | addition to `untold`, from none | what was told, to who tells next |

#![allow(unsafe_code)]

#[cfg(any(smd_loom, smd_shuttle))]
pub mod edges;

use std::sync::{Arc as StdArc, Weak};

use crate::class::Class;
use crate::core::Core;
use crate::hooks::mark;
use crate::registry::Registry;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use crate::sync::epoch::Domain;
use crate::sync::local::OwnerCell;

type Callback = dyn Fn(Class) + Send + Sync;

struct Observer {
    call: Box<Callback>,
    /// Whether it observes what is wanted here, bridges left out.
    local: bool,
    /// Changes that it was not told of; zero while nobody tells it.
    untold: AtomicU64,
    /// What it was told last: for who tells it.
    told: OwnerCell<u32>,
}

impl Observer {
    fn of(local: bool, registry: &Registry, domain: &Domain) -> u32 {
        let interests = registry.interests(domain);
        if local { interests.local } else { interests.all }
    }

    /// Tells it what changed (rule I1).
    fn tell(observer: &Weak<Observer>, registry: &Registry, domain: &Domain) {
        let Some(first) = observer.upgrade() else { return };
        // EDGE interest.told: Acquire here; Release below. The other way it carries the change to who
        // tells; so do the fences of the pins, which is why no model can show that it has to.
        if first.untold.fetch_add(1, Ordering::AcqRel) != 0 {
            mark("left to who tells");
            return;
        }
        drop(first);
        let mut seen = 1;
        // Taken anew for each call: dropped, it is not called any more.
        while let Some(observer) = observer.upgrade() {
            let now = Self::of(observer.local, registry, domain);
            // SAFETY: this thread made `untold` other than zero, and no other does until it is
            // zero again.
            let before = unsafe { observer.told.with(|told| std::mem::replace(told, now)) };
            if before != now {
                // The panic hook has reported it; there is nobody else to tell.
                crate::contain::call(|| (observer.call)(Class::from_bits(now)));
            }
            // EDGE interest.told: Release here; Acquire above.
            match observer.untold.compare_exchange(seen, 0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(more) => seen = more,
            }
        }
    }
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

    /// Tells the observers what changed. They are user code: nothing is held, and a panic of one
    /// does not keep the others from hearing.
    pub(crate) fn changed(&self, registry: &Registry, domain: &Domain) {
        for observer in &self.list(domain) {
            Observer::tell(observer, registry, domain);
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
        let observer = StdArc::new(Observer {
            call: Box::new(call),
            local,
            untold: AtomicU64::new(0),
            told: OwnerCell::new(Observer::of(local, &core.registry, core.domain())),
        });
        let weak = StdArc::downgrade(&observer);
        core.observers.replace(core.domain(), |list| list.push(weak.clone()));
        // Of what changed before it was listed.
        Observer::tell(&weak, &core.registry, core.domain());
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
