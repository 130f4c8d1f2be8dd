//! How far apart two processors are at this moment.
//!
//! On a virtual machine the host moves the processors about, several times a second, and what crosses between two
//! threads costs from three to fifteen times as much with it. So each round over two threads is framed by two probes:
//! one cache line goes to and fro between the two pinned threads, and the mean time of one way is the distance. A
//! round counts only if both probes name the same [`Distance`].

use std::hint;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;
use serde::Serialize;

/// How long one probe takes.
pub const SPAN: Duration = Duration::from_millis(3);

const STOP: u32 = u32::MAX;
const PATIENCE: Duration = Duration::from_secs(5);

/// What a probe says whose other side is not there.
pub const NO_ANSWER: &str = "the other thread of a probe does not answer";

/// What a probe's reading says of two processors. The names are a reading of the numbers; a guest cannot see the
/// host's topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Distance {
    /// Under 33 ns: most probably one core with two threads.
    Smt,
    /// 33 to 60 ns: most probably one last-level cache.
    Near,
    /// Up to 120 ns: most probably one last-level cache that is a mesh, or two that are near each other.
    Mid,
    /// Over 120 ns: most probably two last-level caches.
    Far,
}

impl Distance {
    /// All, from the nearest on.
    pub const ALL: [Distance; 4] = [Distance::Smt, Distance::Near, Distance::Mid, Distance::Far];

    /// The class of a reading in nanoseconds.
    pub fn of(nanos: f64) -> Distance {
        match nanos {
            smt if smt < 33.0 => Distance::Smt,
            near if near <= 60.0 => Distance::Near,
            mid if mid <= 120.0 => Distance::Mid,
            _ => Distance::Far,
        }
    }

    /// The class of a round whose two probes agree.
    pub fn agreed(before: f64, after: f64) -> Option<Distance> {
        let class = Distance::of(before);
        (class == Distance::of(after)).then_some(class)
    }

    /// The name used in tables.
    pub fn name(self) -> &'static str {
        match self {
            Distance::Smt => "smt",
            Distance::Near => "near",
            Distance::Mid => "mid",
            Distance::Far => "far",
        }
    }
}

/// One probe: a cache line that two threads hand to each other. Used once.
#[derive(Debug, Default)]
pub struct Line {
    ball: CachePadded<AtomicU32>,
    abandoned: AtomicBool,
}

impl Line {
    /// A line that nobody has touched yet.
    pub fn new() -> Line {
        Line::default()
    }

    /// Plays until `span` is over; returns the nanoseconds of one way. The first exchange, which waits until the
    /// other thread is there, is not timed.
    ///
    /// # Errors
    /// If the other thread does not answer for five seconds.
    pub fn ping(&self, span: Duration) -> Result<f64, String> {
        let mut ball = 1;
        self.exchange(ball)?;
        let start = Instant::now();
        let mut ways = 0_u32;
        loop {
            for _ in 0..128 {
                ball += 2;
                self.exchange(ball)?;
            }
            ways += 256;
            let elapsed = start.elapsed();
            if elapsed >= span {
                // EDGE probe.ball: Release here; Acquire in `pong`.
                self.ball.store(STOP, Ordering::Release);
                return Ok(elapsed.as_nanos() as f64 / f64::from(ways));
            }
        }
    }

    /// Answers until the other thread ends the game.
    ///
    /// # Errors
    /// If the other thread does not move for five seconds.
    pub fn pong(&self) -> Result<(), String> {
        let mut expected = 1;
        loop {
            let seen = self.wait(|ball| ball == expected || ball == STOP)?;
            if seen == STOP {
                return Ok(());
            }
            // EDGE probe.ball: Release here; Acquire in `wait`.
            self.ball.store(expected + 1, Ordering::Release);
            expected += 2;
        }
    }

    /// One side will not play: the other need not wait for it.
    pub fn abandon(&self) {
        // RELAXED: says all there is to say.
        self.abandoned.store(true, Ordering::Relaxed);
    }

    fn exchange(&self, ball: u32) -> Result<(), String> {
        // EDGE probe.ball: Release here; Acquire in `wait`.
        self.ball.store(ball, Ordering::Release);
        self.wait(|seen| seen == ball + 1).map(drop)
    }

    #[inline]
    fn wait(&self, done: impl Fn(u32) -> bool) -> Result<u32, String> {
        let mut since = None;
        loop {
            for _ in 0..1 << 16 {
                // EDGE probe.ball: Acquire here; Release in `exchange`, `ping` and `pong`.
                let ball = self.ball.load(Ordering::Acquire);
                if done(ball) {
                    return Ok(ball);
                }
                hint::spin_loop();
            }
            // RELAXED: see `abandon`.
            let abandoned = self.abandoned.load(Ordering::Relaxed);
            if abandoned || since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                return Err(NO_ANSWER.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reading_has_a_class_and_probes_must_agree() {
        let readings = [31.0, 40.0, 90.0, 160.0].map(Distance::of);
        assert_eq!(readings, Distance::ALL);
        assert_eq!(Distance::agreed(40.0, 59.0), Some(Distance::Near));
        assert_eq!(Distance::agreed(40.0, 160.0), None);
        assert_eq!(Distance::agreed(61.0, 90.0), Some(Distance::Mid));
    }

    #[test]
    fn nobody_waits_for_who_does_not_come() {
        let line = Line::new();
        line.abandon();
        assert_eq!(line.ping(SPAN), Err(NO_ANSWER.to_owned()));
        assert_eq!(line.pong(), Err(NO_ANSWER.to_owned()));
    }

    #[test]
    fn a_probe_ends_on_both_sides() {
        let line = Line::new();
        std::thread::scope(|scope| {
            let other = scope.spawn(|| line.pong());
            assert!(line.ping(Duration::from_millis(1)).is_ok_and(|nanos| nanos > 0.0));
            assert_eq!(other.join().ok(), Some(Ok(())));
        });
    }
}
