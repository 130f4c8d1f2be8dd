//! The real clock: the processor's counter, scaled to nanoseconds and shifted onto the operating
//! system's monotonic clock.
//!
//! A calibration is never exact: against the system a scaled counter drifts, evenly within a
//! process and differently in another: up to 32 millionth parts were seen, 115 ms in an hour. So
//! the first reading in each [`INTERVAL`] moves the offset, also after a long time without any.
//! Where the counter is unusable `quanta` reads the system's clock instead, and the offset is nearly 0.
//!
//! Rules
//! 1. The scale is fixed when the process starts its first clock; only `offset` changes.
//! 2. `offset` and `anchored` are words of their own: nobody needs them to fit together.
//! 3. Whoever moves `anchored` by a compare-and-exchange corrects; the others go on meanwhile.
//! 4. After a correction `anchored` is on the corrected time, so that a step back is not taken for
//!    a counter that restarted.

use super::system_time::monotonic_nanos;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Longest time without a correction, in nanoseconds, while the clock is read: a counter that is off
/// by 100 millionth parts gains or loses 2 microseconds in it. A correction takes some 0.2
/// microseconds of one reader.
const INTERVAL: u64 = 20_000_000;

/// Attempts to read both clocks without being interrupted in between.
const READINGS: usize = 3;

/// The one real clock of the process.
#[derive(Debug)]
pub(super) struct System {
    counter: quanta::Clock,
    /// System time less scaled counter, in wrapping nanoseconds.
    offset: AtomicU64,
    /// When the last correction began, in nanoseconds.
    anchored: AtomicU64,
}

/// Both clocks at one moment, as well as software can tell.
struct Reading {
    offset: u64,
    /// How long the reading took, in nanoseconds: the most by which `offset` may be wrong.
    width: u64,
}

impl System {
    pub(super) fn shared() -> &'static System {
        static SHARED: OnceLock<System> = OnceLock::new();
        SHARED.get_or_init(System::calibrate)
    }

    fn calibrate() -> System {
        let counter = quanta::Clock::new();
        let offset = read_both(&counter).offset;
        let anchored = shift(scaled(&counter), offset);
        System { counter, offset: AtomicU64::new(offset), anchored: AtomicU64::new(anchored) }
    }

    #[inline]
    pub(super) fn now(&self) -> u64 {
        // RELAXED: the offset carries nothing but itself (rule 2).
        let now = shift(scaled(&self.counter), self.offset.load(Ordering::Relaxed));
        // RELAXED: an old value only costs a failed exchange (rule 3).
        let last = self.anchored.load(Ordering::Relaxed);
        // Further away than an interval, on either side: processors may differ by some nanoseconds.
        if now.wrapping_sub(last).wrapping_add(INTERVAL) < 2 * INTERVAL {
            return now;
        }
        self.correct(last, now)
    }

    /// Moves the offset, if nobody else does. Returns the time now.
    #[cold]
    fn correct(&self, last: u64, now: u64) -> u64 {
        let mine =
            // RELAXED: elects one thread; nothing else is handed over (rule 2).
            self.anchored.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed);
        if mine.is_err() {
            // RELAXED: as in `now`.
            return shift(scaled(&self.counter), self.offset.load(Ordering::Relaxed));
        }
        let reading = read_both(&self.counter);
        // RELAXED: as in `now`.
        let mut offset = self.offset.load(Ordering::Relaxed);
        let drift = reading.offset.wrapping_sub(offset) as i64;
        // A deviation below the error of the reading is no knowledge, and would only add jitter.
        if drift.unsigned_abs() > reading.width {
            offset = reading.offset;
            // RELAXED: as in `now`. A thread that was stopped for seconds before this store puts an
            // old offset back: wrong by the drift of those seconds, until the next correction.
            self.offset.store(offset, Ordering::Relaxed);
        }
        let corrected = shift(scaled(&self.counter), offset);
        // RELAXED: as in `now` (rule 4).
        self.anchored.store(corrected, Ordering::Relaxed);
        corrected
    }
}

/// Nanoseconds since the counter's own zero. Not since a reading of ours: the counter may restart
/// when the machine wakes up, and a difference would then stay at zero.
#[inline]
fn scaled(counter: &quanta::Clock) -> u64 {
    counter.delta_as_nanos(0, counter.raw())
}

/// Never 0, and never just below the end of time, which is what a counter that restarted gives with
/// an offset that is not corrected yet.
#[inline]
fn shift(scaled: u64, offset: u64) -> u64 {
    (scaled.wrapping_add(offset) as i64).max(1) as u64
}

fn read_both(counter: &quanta::Clock) -> Reading {
    let once = || {
        let before = scaled(counter);
        let system = monotonic_nanos();
        let width = scaled(counter).wrapping_sub(before);
        Reading { offset: system.wrapping_sub(before.wrapping_add(width / 2)), width }
    };
    let mut best = once();
    for _ in 1..READINGS {
        let next = once();
        if next.width < best.width {
            best = next;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead_by(error: u64, anchored_ago: u64) -> System {
        let system = System::calibrate();
        let offset = system.offset.load(Ordering::Relaxed).wrapping_add(error);
        system.offset.store(offset, Ordering::Relaxed);
        let anchored = system.now().wrapping_sub(anchored_ago);
        system.anchored.store(anchored, Ordering::Relaxed);
        system
    }

    fn deviation(system: &System) -> u64 {
        (system.now().wrapping_sub(monotonic_nanos()) as i64).unsigned_abs()
    }

    const HOUR: u64 = 3600 * 1_000_000_000;
    const TENTH: u64 = 100_000_000;

    #[test]
    fn a_due_correction_brings_the_clock_back_from_either_side() {
        for error in [HOUR, HOUR.wrapping_neg() / 2, HOUR.wrapping_neg()] {
            let system = ahead_by(error, INTERVAL);
            system.now();
            assert!(deviation(&system) < TENTH, "{}", deviation(&system));
        }
    }

    #[test]
    fn nothing_moves_within_an_interval() {
        // A busy machine may stop a test for longer than that.
        let stays = || ahead_by(HOUR, 0).now().wrapping_sub(monotonic_nanos()) > HOUR / 2;
        assert!((0..100).any(|_| stays()));
    }

    #[test]
    fn a_counter_that_restarted_is_corrected_at_once() {
        // The last correction seems to lie in the future.
        let system = ahead_by(HOUR.wrapping_neg(), INTERVAL.wrapping_mul(50).wrapping_neg());
        assert!(deviation(&system) < TENTH, "{}", deviation(&system));
    }

    #[test]
    fn a_correction_backwards_is_made_once() {
        let system = ahead_by(TENTH, INTERVAL);
        system.now();
        let anchored = system.anchored.load(Ordering::Relaxed);
        system.now();
        let again = system.anchored.load(Ordering::Relaxed);
        // A busy machine may take longer than an interval between the two.
        assert!(anchored == again || again - anchored >= INTERVAL);
    }

    #[test]
    fn never_zero_nor_wrapped() {
        assert_eq!(shift(5, 5u64.wrapping_neg()), 1);
        assert_eq!(shift(5, 6u64.wrapping_neg()), 1);
        assert_eq!(shift(5, HOUR.wrapping_neg()), 1);
        assert_eq!(shift(5, 2), 7);
    }
}
