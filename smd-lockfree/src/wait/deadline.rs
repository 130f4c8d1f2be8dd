//! How long somebody is willing to sleep: real time, whatever clock stamps the messages.

#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use crate::sync::thread;

/// The end of a sleep; none: for ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// `timeout` from now. One beyond what the clock can count is none.
    pub(crate) fn after(timeout: Option<Duration>) -> Deadline {
        Deadline(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    /// What is left; `None`: it never ends.
    pub(crate) fn left(self) -> Option<Duration> {
        self.0.map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Whether nothing is left.
    pub(crate) fn is_over(self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// Parks this thread once, until then.
    pub(crate) fn park(self) {
        match self.left() {
            None => thread::park(),
            Some(left) => thread::park_timeout(left),
        }
    }
}
