//! The edges of waiting one by one, for who checks them (see the log's).

pub mod alert;

use std::sync::Arc as StdArc;
use std::task::{Wake, Waker};

use crate::hooks::Part;
use crate::registry::Registry;
use crate::registry::edges::record;
use crate::sync::Arc;
use crate::sync::epoch::Domain;
use crate::sync::local::OwnerCell;

use super::waiter::Waiter;
use super::waiters::Waiters;

/// `wait.state`: who sees that it was notified sees what the waker did before.
pub fn notified() -> Vec<Part> {
    let waiter = Arc::new(Waiter::new());
    waiter.announce(1, false);
    let done = Arc::new(OwnerCell::new(false));
    let (waking, doing) = (waiter.clone(), done.clone());
    let waker = move || {
        // SAFETY: this thread's until the sleeper was notified.
        unsafe { doing.with(|done| *done = true) };
        assert!(waking.notify(1));
    };
    let sleeper = move || {
        if !waiter.is_waiting() {
            // SAFETY: notified, so the waker is done with it.
            assert!(unsafe { done.with(|done| *done) }, "notified before it was done");
        }
    };
    vec![Box::new(waker), Box::new(sleeper)]
}

/// Who waits has its classes in the word, or was notified: against a waker of the same class, and
/// of another.
fn sleepers(of_class: u32) -> Vec<Part> {
    let (registry, domain) = (Arc::new(Registry::new()), Domain::new());
    let waiters = Arc::new(Waiters::new());
    let waiter = Arc::new(Waiter::new());
    registry.add(&domain, &record(of_class, waiter.clone()), 8).expect("there is room");
    let other = Arc::new(Waiter::new());
    registry.add(&domain, &record(1, other.clone()), 8).expect("there is room");
    waiters.announce(&other, 1, false);
    let (announcing, announced) = (waiter.clone(), waiters.clone());
    let sleeper = move || announced.announce(&announcing, of_class, false);
    let woken = waiters.clone();
    let waker = move || _ = woken.wake(1, 0, &registry, &domain);
    let after = move || {
        let is_heard = waiters.sleep_for(of_class) || !waiter.is_waiting();
        assert!(is_heard, "asleep, and no sender looks for it");
        assert!(!other.is_waiting(), "it was announced before the waker looked");
    };
    vec![Box::new(sleeper), Box::new(waker), Box::new(after)]
}

/// `wait.announce`: who finds a class announced finds its sleeper waiting.
pub fn announced() -> Vec<Part> {
    sleepers(1)
}

/// Rule W3: what is announced while a waker is at work stays.
pub fn announced_meanwhile() -> Vec<Part> {
    sleepers(2)
}

struct Nobody;

impl Wake for Nobody {
    fn wake(self: StdArc<Self>) {}
}

/// `wait.end`: a sleeper that goes leaves no waker behind, also not one that is just being woken.
pub fn ended() -> Vec<Part> {
    let task = StdArc::new(Nobody);
    let waiter = Arc::new(Waiter::new());
    waiter.arm_waker(&Waker::from(task.clone()));
    waiter.announce(1, false);
    let (ending, waking) = (waiter.clone(), waiter.clone());
    let sleeper = move || ending.end();
    let waker = move || {
        if waking.notify(1) {
            waking.wake();
        }
    };
    let after = move || {
        assert_eq!(StdArc::strong_count(&task), 1, "a waker stays behind its sleeper");
        drop(waiter);
    };
    vec![Box::new(sleeper), Box::new(waker), Box::new(after)]
}
