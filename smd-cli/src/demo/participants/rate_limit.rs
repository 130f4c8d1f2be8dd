//! At most so many lines a second, for a log that a person reads.

use std::time::Duration;

/// Lets some lines pass in each second, and counts the others.
#[derive(Debug)]
pub(crate) struct RateLimit {
    per_second: u32,
    second: u64,
    passed: u32,
    held_back: u64,
}

impl RateLimit {
    /// A limit that nothing has met yet.
    pub(crate) fn new(per_second: u32) -> RateLimit {
        RateLimit { per_second, second: 0, passed: 0, held_back: 0 }
    }

    /// Asks for a line, `elapsed` after the start: none when it is held back, else how many were
    /// held back since the last one that passed.
    pub(crate) fn ask(&mut self, elapsed: Duration) -> Option<u64> {
        if elapsed.as_secs() != self.second {
            (self.second, self.passed) = (elapsed.as_secs(), 0);
        }
        if self.passed == self.per_second {
            self.held_back += 1;
            return None;
        }
        self.passed += 1;
        Some(self.take_held_back())
    }

    /// How many were held back since the last one that passed; told once.
    pub(crate) fn take_held_back(&mut self) -> u64 {
        std::mem::take(&mut self.held_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_pass_in_each_second_and_the_others_are_counted() {
        let mut limit = RateLimit::new(2);
        let mut ask = |milliseconds| limit.ask(Duration::from_millis(milliseconds));
        assert_eq!([ask(0), ask(100)], [Some(0), Some(0)]);
        assert_eq!([ask(200), ask(999)], [None, None]);
        assert_eq!([ask(1000), ask(1000), ask(1001)], [Some(2), Some(0), None]);
        assert_eq!(limit.take_held_back(), 1);
        assert_eq!(limit.take_held_back(), 0);
    }
}
