//! The one flag that ends the run, and the clock of everything periodic: a pause here ends at once
//! when the run does.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Asks every part of the demo to end. Clones are handles of the same flag.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    asked: Mutex<Asked>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Asked {
    to_stop: bool,
    by_hand: bool,
}

impl Stop {
    /// Ends the run.
    pub(crate) fn ask(&self) {
        self.lock().to_stop = true;
        self.0.changed.notify_all();
    }

    /// Ends the run on a person's (or the system's) request; true when there was one before.
    pub(crate) fn ask_by_hand(&self) -> bool {
        self.ask();
        std::mem::replace(&mut self.lock().by_hand, true)
    }

    /// Whether the run is to end.
    pub(crate) fn is_asked(&self) -> bool {
        self.lock().to_stop
    }

    /// Pauses for `length`, or until the run is to end; true when it is.
    pub(crate) fn wait(&self, length: Duration) -> bool {
        let started = Instant::now();
        let mut asked = self.lock();
        while !asked.to_stop {
            let left = length.saturating_sub(started.elapsed());
            if left.is_zero() {
                return false;
            }
            asked =
                self.0.changed.wait_timeout(asked, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Asked> {
        // Two booleans hold no invariant that a panic could have broken.
        self.0.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_lasts_its_length_or_until_asked() {
        let stop = Stop::default();
        assert!(!stop.wait(Duration::from_millis(1)));
        stop.ask();
        assert!(stop.is_asked());
        assert!(stop.wait(Duration::from_secs(3600)));
    }

    #[test]
    fn the_second_request_by_hand_is_told_apart() {
        let stop = Stop::default();
        stop.ask();
        assert!(!stop.ask_by_hand());
        assert!(stop.ask_by_hand());
    }
}
