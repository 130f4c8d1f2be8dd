//! The edges of sender slots one by one, for who checks them (see the log's).

use crate::hooks::Part;
use crate::log::edges::bus;
use crate::sync::Arc;

use super::slots::ThreadFlag;

/// `send.thread`: who takes over the slot of a thread that has ended finds its last send done.
pub fn thread() -> Vec<Part> {
    let bus = bus();
    let core = bus.core().clone();
    let flag = Arc::new(ThreadFlag::new());
    let slot = core.slots.take(Some(&flag));
    let (own, of_first) = (slot.clone(), core.clone());
    let first = move || {
        // SAFETY: this thread's own.
        unsafe { own.with(&of_first, 0, |_| ()) };
        flag.end();
    };
    let second = move || {
        let flag = Arc::new(ThreadFlag::new());
        let taken = core.slots.take(Some(&flag));
        if Arc::ptr_eq(&taken, &slot) {
            crate::hooks::mark("slot taken over");
            // SAFETY: this thread's own.
            unsafe { taken.with(&core, 0, |_| ()) };
        }
    };
    vec![Box::new(first), Box::new(second), Box::new(move || drop(bus))]
}
