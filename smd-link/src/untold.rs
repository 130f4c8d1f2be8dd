//! What happened to messages and was not told yet: at most once a second.

use core::time::Duration;

use smd_lockfree::Timestamp;

use crate::lws::after;

/// Between two notices of one kind.
const QUIET: Duration = Duration::from_secs(1);

/// How many, and why the last of them.
type Counted<W> = Option<(u64, W)>;

/// Messages that were not taken, and such as were not sent: how many, and why the last of them.
#[derive(Debug)]
pub(crate) struct Untold<R, M> {
    rejected: Counted<R>,
    missed: Counted<M>,
    tell_at: Option<Timestamp>,
    quiet_until: Timestamp,
}

impl<R, M> Untold<R, M> {
    pub(crate) fn new(now: Timestamp) -> Untold<R, M> {
        Untold { rejected: None, missed: None, tell_at: None, quiet_until: now }
    }

    pub(crate) fn reject(&mut self, why: R) {
        add(&mut self.rejected, 1, why);
        self.tell_at.get_or_insert(self.quiet_until);
    }

    pub(crate) fn miss(&mut self, count: u64, why: M) {
        add(&mut self.missed, count, why);
        self.tell_at.get_or_insert(self.quiet_until);
    }

    /// When there is something to tell.
    pub(crate) fn tell_at(&self) -> Option<Timestamp> {
        self.tell_at
    }

    /// What is to be told now: what is due, or `at_once` all.
    pub(crate) fn take(&mut self, now: Timestamp, at_once: bool) -> (Counted<R>, Counted<M>) {
        if !at_once && self.tell_at.is_none_or(|at| now < at) {
            return (None, None);
        }
        (self.tell_at, self.quiet_until) = (None, after(now, QUIET));
        (self.rejected.take(), self.missed.take())
    }
}

fn add<W>(untold: &mut Counted<W>, count: u64, why: W) {
    let before = untold.as_ref().map_or(0, |(before, _)| *before);
    *untold = Some((before + count, why));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_next_are_counted_for_a_second() {
        let at = |millis: u64| Timestamp::from_nanos(millis * 1_000_000);
        let mut untold = Untold::new(at(5));
        assert_eq!((untold.tell_at(), untold.take(at(5), false)), (None, (None, None)));
        untold.reject("a");
        assert_eq!(untold.take(at(5), false), (Some((1, "a")), None));
        untold.reject("b");
        untold.reject("c");
        untold.miss(7, "d");
        assert_eq!(
            (untold.tell_at(), untold.take(at(1_004), false)),
            (Some(at(1_005)), (None, None))
        );
        assert_eq!(untold.take(at(1_005), false), (Some((2, "c")), Some((7, "d"))));
        untold.miss(1, "e");
        assert_eq!(untold.take(at(1_006), true), (None, Some((1, "e"))));
    }
}
