//! The edge of the list of observers, for who checks it (see the log's).

use crate::hooks::Part;
use crate::log::edges::bus;
use crate::registry::snapshot::Interests;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::local::OwnerCell;

use super::InterestObserver;

/// `interest.list`: who calls an observer finds done what was done before it was entered.
pub fn list() -> Vec<Part> {
    let bus = bus();
    let (core, calling) = (bus.core().clone(), bus.core().clone());
    let prepared = Arc::new(OwnerCell::new(false));
    let called = Arc::new(AtomicBool::new(false));
    let kept = Arc::new(OwnerCell::new(None));
    let (preparing, calls, keeping) = (prepared.clone(), called.clone(), kept.clone());
    let observing = move || {
        // SAFETY: this thread's, until the observer is called.
        unsafe { preparing.with(|prepared| *prepared = true) };
        // A panic in it would be contained, so it only notes that it was called.
        let note = move |_| calls.store(true, Ordering::Relaxed);
        let observer = InterestObserver::new(&core, false, note);
        // SAFETY: this thread's, until it has ended.
        unsafe { keeping.with(|kept| *kept = Some(observer)) };
    };
    let changing = move || {
        let of = |mask| Interests { all: mask, local: mask };
        calling.observers.changed(of(0), of(1), calling.domain());
        if called.load(Ordering::Relaxed) {
            crate::hooks::mark("observer called");
            // SAFETY: the observer was called.
            assert!(unsafe { prepared.with(|prepared| *prepared) }, "prepared before");
        }
    };
    let after = move || {
        // SAFETY: the threads have ended.
        drop(unsafe { kept.with(Option::take) });
        drop(bus);
    };
    vec![Box::new(observing), Box::new(changing), Box::new(after)]
}
