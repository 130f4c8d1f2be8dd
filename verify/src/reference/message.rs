//! A message as the model knows it.

use smd_lockfree::Class;
use std::cell::Cell;
use std::rc::Rc;

/// By how many nanoseconds a timestamp may run ahead of a clock that stands still: a bus may order
/// a registration or a mask change among the sends by letting its time step on by one.
pub const CLOCK_SLACK: u64 = 1_000;

/// The timestamp of a message, or of all messages of a batch: known to lie in a narrow range when
/// it is given, and exactly once somebody has seen it.
#[derive(Debug)]
pub struct Stamp {
    low: u64,
    seen: Cell<Option<u64>>,
}

impl Stamp {
    /// A stamp given when the clock showed `now` after one that was at least `last`.
    pub fn new(now: u64, last: u64) -> Rc<Stamp> {
        Rc::new(Stamp { low: now.max(last), seen: Cell::new(None) })
    }

    /// The least that it can be.
    pub fn low(&self) -> u64 {
        self.seen.get().unwrap_or(self.low)
    }

    /// Takes note of what a receiver saw; `false` if that cannot be.
    #[must_use]
    pub fn see(&self, nanos: u64) -> bool {
        let possible = match self.seen.get() {
            Some(seen) => nanos == seen,
            None => (self.low..=self.low + CLOCK_SLACK).contains(&nanos),
        };
        self.seen.set(Some(nanos));
        possible
    }
}

/// An accepted message.
#[derive(Debug)]
pub struct Accepted {
    /// Its place in the order.
    pub number: u64,
    /// Its classes.
    pub class: Class,
    /// Its payload.
    pub bytes: Vec<u8>,
    /// When it was accepted.
    pub stamp: Rc<Stamp>,
}

impl Accepted {
    /// Whether its time is over, seen from `now`.
    pub fn expired(&self, now: u64, time_to_live: Option<u64>) -> bool {
        time_to_live.is_some_and(|ttl| now.saturating_sub(self.stamp.low()) > ttl)
    }
}
