//! The edges of retained state one by one, for who checks them (see the log's).

use crate::bus::Bus;
use crate::class::Class;
use crate::hooks::Part;
use crate::log::edges::bus;
use crate::log::tail::Held;
use crate::sync::Arc;
use crate::sync::slab::UNIT;

use super::table::Entry;

/// `retained.list`: who finds an entry in the list finds all of it.
pub fn list() -> Vec<Part> {
    let bus = bus();
    let (core, reading) = (bus.core().clone(), bus.core().clone());
    let marker = move || {
        core.retained.add(&core.log, 1, None).expect("there is room");
    };
    let reader = move || {
        for entry in reading.retained.list(reading.domain()).entries() {
            assert!(!entry.is_cleared());
        }
    };
    vec![Box::new(marker), Box::new(reader), Box::new(move || drop(bus))]
}

/// A bus with an entry, and the segment of its one message, which is about to leave the window.
struct State {
    bus: Bus,
    entry: Arc<Entry>,
    segment: Segment,
}

#[derive(Clone, Copy)]
struct Segment(Held);

// SAFETY: frames are shared memory by protocol.
unsafe impl Send for Segment {}

impl Segment {
    fn held(self) -> Held {
        self.0
    }
}

impl State {
    fn new() -> State {
        let bus = bus();
        let retained = bus.retain(Class::INTERACTION).expect("there is room");
        retained.send(&[7]).expect("open");
        let entry = retained.entry.clone();
        let segment = Segment(bus.core().log.acquire_low());
        State { bus, entry, segment }
    }

    /// What the retirer does with the segment.
    fn capture(&self) -> impl FnOnce() + Send + use<> {
        let (core, segment) = (self.bus.core().clone(), self.segment);
        move || core.retained.capture(&core.log, segment.held())
    }

    /// What is left to do.
    fn end(self) {
        self.bus.core().log.release(self.segment.0);
    }
}

/// `retained.kept`: who finds a copy finds the whole message.
pub fn kept() -> Vec<Part> {
    let state = State::new();
    let retirer = state.capture();
    let (core, entry) = (state.bus.core().clone(), state.entry.clone());
    let reader = move || {
        if let Some(copy) = entry.read(&core.log) {
            // SAFETY: just acquired; it has one published record, of a chunk's form.
            assert_eq!(unsafe { copy.as_ref().records().word(UNIT) }, 1, "the message's number");
            core.log.release(copy);
        }
    };
    vec![Box::new(retirer), Box::new(reader), Box::new(move || state.end())]
}

/// `retained.forget`: of an entry that is gone no copy stays.
pub fn forgotten() -> Vec<Part> {
    let state = State::new();
    let retirer = state.capture();
    let (core, entry) = (state.bus.core().clone(), state.entry.clone());
    let clearer = move || assert!(core.retained.remove(&core.log, &entry));
    let after = move || {
        let copy = state.entry.read(&state.bus.core().log);
        assert!(copy.is_none(), "a copy stays with an entry that is gone");
        state.end();
    };
    vec![Box::new(clearer), Box::new(retirer), Box::new(after)]
}
