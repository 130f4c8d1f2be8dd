//! The edges of the observers, for who checks them (see the log's).

use crate::hooks::Part;
use crate::log::edges::bus;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::local::OwnerCell;

use super::InterestObserver;

/// `interest.list`: who finds an observer finds done what was done before it was entered.
pub fn list() -> Vec<Part> {
    let bus = bus();
    let (core, calling) = (bus.core().clone(), bus.core().clone());
    let prepared = Arc::new(OwnerCell::new(false));
    let kept = Arc::new(OwnerCell::new(None));
    let (preparing, keeping) = (prepared.clone(), kept.clone());
    let observing = move || {
        // SAFETY: this thread's, until the observer is entered.
        unsafe { preparing.with(|prepared| *prepared = true) };
        let observer = InterestObserver::new(&core, false, |_| {});
        // SAFETY: this thread's, until it has ended.
        unsafe { keeping.with(|kept| *kept = Some(observer)) };
    };
    let telling = move || {
        if !calling.observers.list(calling.domain()).is_empty() {
            crate::hooks::mark("observer found");
            // SAFETY: the observer is entered.
            assert!(unsafe { prepared.with(|prepared| *prepared) }, "prepared before");
        }
    };
    let after = move || {
        // SAFETY: the threads have ended.
        drop(unsafe { kept.with(Option::take) });
        drop(bus);
    };
    vec![Box::new(observing), Box::new(telling), Box::new(after)]
}

/// `interest.told`: two changes at once; what is told last is what they came to.
pub fn told() -> Vec<Part> {
    let bus = bus();
    let last = Arc::new(AtomicU32::new(0));
    let telling = last.clone();
    let tell = move |class: crate::Class| telling.store(class.bits(), Ordering::Relaxed);
    let observer = InterestObserver::new(bus.core(), false, tell);
    let change = |bit: u32| {
        let core = bus.core().clone();
        move || {
            core.registry.set_retained(core.domain(), |was| was | bit);
            core.observers.changed(&core.registry, core.domain());
        }
    };
    let (one, other) = (change(1), change(2));
    let after = move || {
        assert_eq!(last.load(Ordering::Relaxed), 3, "told last");
        drop((observer, bus));
    };
    vec![Box::new(one), Box::new(other), Box::new(after)]
}
