//! Logs: each thread writes its own, and they are merged when all are done.

use super::event::{Event, History, Span, What};
use smd_lockfree::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the logs of one run share: the counter that stamps.
///
/// A stamp is taken with acquire and release, so that what returned before another call began also
/// *happened* before it, which is what the contract means by before.
#[derive(Debug, Default)]
pub struct Recorder {
    stamps: AtomicU64,
}

impl Recorder {
    fn stamp(&self) -> u64 {
        self.stamps.fetch_add(1, Ordering::AcqRel) + 1
    }
}

/// The log of one thread.
#[derive(Debug)]
pub struct Log {
    thread: u32,
    recorder: Arc<Recorder>,
    clock: Clock,
    events: Vec<Event>,
}

/// A call that was begun.
#[derive(Clone, Copy, Debug)]
#[must_use = "a call that is not noted is missing from the history"]
pub struct Begun {
    call: u64,
    clock: u64,
}

impl Log {
    /// An empty one.
    pub fn new(thread: u32, recorder: &Arc<Recorder>, clock: &Clock) -> Log {
        let (recorder, clock) = (Arc::clone(recorder), clock.clone());
        Log { thread, recorder, clock, events: Vec::new() }
    }

    /// Right before a call.
    pub fn begin(&self) -> Begun {
        let clock = self.clock.now().nanos();
        Begun { call: self.recorder.stamp(), clock }
    }

    /// A moment inside a call.
    pub fn moment(&self) -> u64 {
        self.recorder.stamp()
    }

    /// Right after a call.
    pub fn note(&mut self, begun: Begun, what: What) {
        self.note_all(begun, [what]);
    }

    /// Right after a call that came to several things.
    pub fn note_all(&mut self, begun: Begun, all: impl IntoIterator<Item = What>) {
        let span = Span { call: begun.call, ret: self.recorder.stamp() };
        let clock = Span { call: begun.clock, ret: self.clock.now().nanos() };
        let thread = self.thread;
        self.events.extend(all.into_iter().map(|what| Event { thread, span, clock, what }));
    }

    /// How many events it has.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

/// One history of all logs.
pub fn merge(logs: Vec<Log>, time_to_live: Option<u64>, manual_clock: bool) -> History {
    let mut events: Vec<Event> = logs.into_iter().flat_map(|log| log.events).collect();
    // Stable: what one call came to stays in its order.
    events.sort_by_key(|event| event.span.call);
    History { events, time_to_live, manual_clock }
}
