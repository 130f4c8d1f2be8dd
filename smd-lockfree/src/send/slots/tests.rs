//! Who gets a slot, among threads that ask at the same time.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::hooks::{Place, at_next};

fn flag() -> Arc<ThreadFlag> {
    Arc::new(ThreadFlag::new())
}

/// Slots without a bus; freed as those of a bus are.
struct Alone(SenderSlots);

impl Alone {
    fn new() -> Alone {
        Alone(SenderSlots::new())
    }
}

impl std::ops::Deref for Alone {
    type Target = SenderSlots;

    fn deref(&self) -> &SenderSlots {
        &self.0
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.0.clear(&crate::Bus::new().core().log);
    }
}

/// Slots of which one belongs to a thread that has ended.
fn with_an_ended_thread() -> Rc<Alone> {
    let slots = Alone::new();
    let ended = flag();
    drop(slots.take(Some(&ended)));
    ended.end();
    Rc::new(slots)
}

#[test]
fn g9_a_slot_of_an_ended_thread_goes_to_one_of_those_who_ask() {
    let slots = with_an_ended_thread();
    let (second, other) = (Rc::new(RefCell::new(None)), slots.clone());
    let into = second.clone();
    at_next(Place::SlotTaken, move || {
        *into.borrow_mut() = Some(other.take(Some(&flag())));
    });
    let first = slots.take(Some(&flag()));
    let second = second.borrow_mut().take().expect("asked in between");
    assert!(!Arc::ptr_eq(&first, &second), "two threads have one slot");
}

#[test]
fn g9_a_slot_of_a_handle_is_given_up_and_never_looked_at() {
    let slots = Alone::new();
    let slot = slots.take(None);
    assert!(!Arc::ptr_eq(&slot, &slots.take(Some(&flag()))), "taken from its handle");
    slot.abandon();
    assert!(Arc::ptr_eq(&slot, &slots.take(Some(&flag()))), "free, and not taken");
}

/// Threads, and handles, come and go; each finds its slot used by nobody else.
#[test]
fn a_slot_has_one_owner() {
    let slots = Alone::new();
    let rounds = if cfg!(miri) { 8 } else { 20_000 };
    let hold = |slot: &Slot| {
        // RELAXED (all): a mark that only a second owner could see.
        assert_eq!(slot.counters.sent.fetch_add(1, Ordering::Relaxed), 0, "two owners");
        std::thread::yield_now();
        assert_eq!(slot.counters.sent.fetch_sub(1, Ordering::Relaxed), 1, "two owners");
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let slots = &slots;
            scope.spawn(move || {
                for round in 0..rounds {
                    if (round + thread) % 3 == 0 {
                        let slot = slots.take(None);
                        hold(&slot);
                        slot.abandon();
                    } else {
                        let flag = Arc::new(ThreadFlag::new());
                        let slot = slots.take(Some(&flag));
                        hold(&slot);
                        flag.end();
                    }
                }
            });
        }
    });
    assert!(slots.nodes().count() <= 8, "{} slots", slots.nodes().count());
}
