//! What the crate tells who checks it; nothing of it ships.
//!
//! * [`mark`]: under a model checker, the rare states that an execution came through, so that a
//!   model can be held to reach them.
//! * In unit tests, places where a test steps in: a thread is stopped, something is slipped in as
//!   another thread might, a participant is given no room for what is handed over to it.

#[cfg(not(any(smd_loom, smd_shuttle)))]
pub(crate) use nothing::mark;
#[cfg(test)]
pub(crate) use stop::{Place, at_next, give_no_room_to, has_room, reached, stop_next_send};
#[cfg(any(smd_loom, smd_shuttle))]
pub(crate) use watched::{mark, marked, take_marks};

#[cfg(not(any(smd_loom, smd_shuttle)))]
mod nothing {
    /// Nothing.
    #[inline(always)]
    pub(crate) fn mark(_state: &'static str) {}
}

/// What one thread of a model of a single edge does; the last of a list runs when the others, if
/// there are more than two, have ended.
#[cfg(any(smd_loom, smd_shuttle))]
pub(crate) type Part = Box<dyn FnOnce() + Send>;

#[cfg(any(smd_loom, smd_shuttle))]
mod watched {
    use std::cell::RefCell;

    thread_local! {
        /// Of the model that runs on this thread: both checkers run its threads on one.
        static MARKS: RefCell<Vec<(&'static str, u64)>> = const { RefCell::new(Vec::new()) };
    }

    /// Notes that this execution came to a state that is hard to reach.
    pub(crate) fn mark(state: &'static str) {
        MARKS.with(|marks| {
            let mut marks = marks.borrow_mut();
            match marks.iter_mut().find(|(known, _)| *known == state) {
                Some((_, count)) => *count += 1,
                None => marks.push((state, 1)),
            }
        });
    }

    /// How often that was noted, since the list was taken last.
    pub(crate) fn marked(state: &'static str) -> u64 {
        MARKS.with(|marks| {
            marks.borrow().iter().find(|(known, _)| *known == state).map_or(0, |(_, count)| *count)
        })
    }

    /// Takes what was noted: each state, and how often.
    pub(crate) fn take_marks() -> Vec<(&'static str, u64)> {
        MARKS.with(|marks| std::mem::take(&mut *marks.borrow_mut()))
    }
}

#[cfg(test)]
mod stop {
    #![allow(clippy::disallowed_types, clippy::disallowed_methods)]

    use std::cell::{Cell, RefCell};
    use std::sync::mpsc::Receiver;

    /// Where a thread can be stopped.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) enum Place {
        /// Between the claim and the publication of a record.
        Claimed,
        /// Before a sender slot is told whose it is now.
        SlotTaken,
        /// Between the count of what is over the depth and the look for the next message.
        Counted,
        /// In a registration: in the registry, and before its N is fixed.
        Registered,
        /// In a registration: its N is fixed, and it is not handed over to yet.
        Touched,
        /// In a registration: its place does not hold, and it is still handed over to.
        Retrying,
        /// In retiring: a segment was handed over, and `low` has not moved yet.
        HandedOver,
        /// In a hand-over: a copy stands behind the end of an open chunk, and is not shown yet.
        Appending,
        /// In a receive: a chunk was closed at its end, and nothing else was looked at yet.
        ChunkClosed,
        /// In a departure: it has left, and is in the registry still.
        Leaving,
        /// While a backlog is counted: behind the look at the cell.
        CellSeen,
        /// While a backlog is counted: behind the look at what is being read.
        CurrentSeen,
    }

    type Action = Box<dyn FnOnce()>;

    thread_local! {
        static NEXT: RefCell<Option<(Place, Action)>> = const { RefCell::new(None) };
        static NO_ROOM: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    /// Runs `action` when this thread comes to `place` next.
    pub(crate) fn at_next(place: Place, action: impl FnOnce() + 'static) {
        NEXT.with(|next| *next.borrow_mut() = Some((place, Box::new(action))));
    }

    /// The next send of this thread stops after its claim until `go` hears something.
    pub(crate) fn stop_next_send(go: Receiver<()>) {
        at_next(Place::Claimed, move || {
            let _ = go.recv();
        });
    }

    pub(crate) fn reached(place: Place) {
        let due = NEXT.with(|next| next.borrow_mut().take_if(|(at, _)| *at == place));
        if let Some((_, action)) = due {
            action();
        }
    }

    /// From now on this thread hands nothing over to the participant of that name, for want of room.
    pub(crate) fn give_no_room_to(name: Option<&'static str>) {
        NO_ROOM.set(name);
    }

    pub(crate) fn has_room(name: &str) -> bool {
        NO_ROOM.get() != Some(name)
    }
}
