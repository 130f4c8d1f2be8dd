//! What stands in for a descriptor in a model, where a system call could be neither seen nor waited
//! for: a word that says whether it is readable, and the thread that polls, which parks while it
//! is not.
//!
//! Raising and clearing are read-modify-writes with both orderings, as the kernel's lock around an
//! event counter makes them, and no more. A poller that nobody wakes is a deadlock, which the
//! checkers report.

use std::io;

use super::atomic::{AtomicBool, Ordering};
use super::thread::{self, Thread};
use crate::hooks::mark;

/// As in `wait::descriptor`; the thread that makes it is the one that polls.
#[derive(Debug)]
pub(crate) struct Signal {
    readable: AtomicBool,
    poller: Thread,
    /// Whether that sleeps for this, and not for something else. Not a modelled word: it is changed
    /// in one step with `readable`.
    polls: std::sync::atomic::AtomicBool,
}

impl Signal {
    pub(crate) fn new() -> io::Result<Signal> {
        Ok(Signal {
            readable: AtomicBool::new(false),
            poller: thread::current(),
            polls: std::sync::atomic::AtomicBool::new(false),
        })
    }

    pub(crate) fn raise(&self) {
        // EDGE signal.readable: both ends, as a lock; the others are `clear` and `is_readable`.
        self.readable.swap(true, Ordering::AcqRel);
        if self.polls.swap(false, Ordering::Relaxed) {
            self.poller.unpark();
        }
    }

    pub(crate) fn clear(&self) {
        // EDGE signal.readable: as in `raise`.
        self.readable.swap(false, Ordering::AcqRel);
    }

    pub(crate) fn is_readable(&self) -> bool {
        // EDGE signal.readable: as in `raise`. A read-modify-write sees the newest value.
        self.readable.fetch_or(false, Ordering::AcqRel)
    }

    /// Sleeps until it is readable, as a poller does.
    pub(crate) fn poll(&self) {
        while !self.is_readable() {
            self.polls.store(true, Ordering::Relaxed);
            mark("parked");
            thread::park();
        }
    }
}
