//! Rounds: who takes part, and what is kept of each.

mod turns;

pub use turns::{Outcome, Plan, panicked, run, run_while};

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::alloc;
use crate::machine;
use crate::probe::Distance;
use crate::side::Side;

/// Times in which the host stopped a thread, as far as the thread can tell from gaps in its own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Stalls {
    /// How many gaps of more than [`STALL`].
    pub count: u64,
    /// Nanoseconds in all of them.
    pub nanos: u64,
    /// Nanoseconds of the longest.
    pub longest: u64,
}

/// A gap of this length in a loop that does nothing long is the host's doing.
pub const STALL: Duration = Duration::from_micros(50);

impl Stalls {
    /// Counts a gap, if it is one.
    pub fn see(&mut self, gap: Duration) {
        if gap > STALL {
            let nanos = gap.as_nanos() as u64;
            self.count += 1;
            self.nanos += nanos;
            self.longest = self.longest.max(nanos);
        }
    }
}

/// The clock of a loop that works as fast as it can: what its messages take on average is known, and a look that comes
/// much later than that tells of a stop.
#[derive(Debug)]
pub struct Gaps {
    /// When the loop began.
    pub start: Instant,
    /// The stops that were seen.
    pub stalls: Stalls,
    last: Duration,
    messages: u64,
}

impl Gaps {
    /// The loop begins.
    pub fn start() -> Gaps {
        let (last, stalls) = (Duration::ZERO, Stalls::default());
        Gaps { start: Instant::now(), stalls, last, messages: 0 }
    }

    /// The time since the start, after so many messages in all.
    #[inline]
    pub fn look(&mut self, messages: u64) -> Duration {
        let now = self.start.elapsed();
        let gap = now - self.last;
        if gap > STALL {
            self.judge(gap, messages - self.messages);
        }
        (self.last, self.messages) = (now, messages);
        now
    }

    /// Three times the average is usual; what is beyond that, if it is long, is a stop.
    #[cold]
    fn judge(&mut self, gap: Duration, messages: u64) {
        // The first look knows no average.
        if self.messages > 0 {
            let usual = self.last.as_nanos() as f64 / self.messages as f64 * messages as f64;
            self.stalls.see(gap.saturating_sub(Duration::from_nanos((3.0 * usual) as u64)));
        }
    }
}

/// What one round of one contestant measured.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Messages sent.
    pub messages: u64,
    /// The time that the figure is of.
    pub time: Duration,
    /// A figure that is not time by messages: bytes, or nanoseconds that were taken otherwise.
    pub figure: Option<f64>,
    /// Processor time of the thread, where the round ran on one.
    pub cpu: Option<Duration>,
    /// Allocations of the thread meanwhile, where they were counted.
    pub allocations: Option<u64>,
    /// Nanoseconds of the two probes around a round over two threads.
    pub handoff: Option<(f64, f64)>,
    /// Nanoseconds of each message's way, where that was measured.
    pub latency: Option<Histogram<u64>>,
    /// The same from the moment when each message was due, for paced messages.
    pub corrected: Option<Histogram<u64>>,
    /// The host's stops, where they were looked for.
    pub stalls: Stalls,
    /// What else was measured, by name: `sender ns`, `idle cpu ppm`, `wakes per sleep`.
    pub also: Vec<(&'static str, f64)>,
}

/// One side of one scenario.
pub struct Contestant {
    /// Its row.
    pub side: Side,
    round: Box<dyn FnMut(Duration) -> Result<Measured, String>>,
}

impl Contestant {
    /// A side whose round takes about the given time and checks its own messages.
    pub fn new(
        side: Side,
        round: impl FnMut(Duration) -> Result<Measured, String> + 'static,
    ) -> Contestant {
        Contestant { side, round: Box::new(round) }
    }

    /// The same, with a check of what each round measured, or something to add to it.
    #[must_use]
    pub fn checked(
        self,
        mut check: impl FnMut(&mut Measured) -> Result<(), String> + 'static,
    ) -> Contestant {
        let Contestant { side, mut round } = self;
        Contestant::new(side, move |span| {
            let mut measured = round(span)?;
            check(&mut measured)?;
            Ok(measured)
        })
    }
}

impl std::fmt::Debug for Contestant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contestant").field("side", &self.side).finish_non_exhaustive()
    }
}

/// Where a round was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// On one thread, or where the distance of processors plays no part.
    Any,
    /// Over two threads at this distance, before and after.
    #[serde(untagged)]
    Pair(Distance),
}

impl Class {
    /// The name used in tables.
    pub fn name(self) -> &'static str {
        match self {
            Class::Any => "any",
            Class::Pair(distance) => distance.name(),
        }
    }
}

/// One round, as it is written to the report.
#[derive(Clone, Debug, Serialize)]
pub struct Round {
    /// Number of the turn in which every contestant of the scenario had one round.
    pub turn: usize,
    /// Its row.
    #[serde(flatten)]
    pub side: Side,
    /// Where; `None` if the probes disagreed, and the round counts for nothing.
    pub class: Option<Class>,
    /// Messages sent.
    pub messages: u64,
    /// The figure, in the side's unit: nanoseconds per message, of processor time where that was taken.
    pub figure: f64,
    /// Nanoseconds of real time per message.
    pub nanos: f64,
    /// Allocations in the whole round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocations: Option<u64>,
    /// Nanoseconds of the probes before and after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handoff: Option<(f64, f64)>,
    /// Nanoseconds of each message's way: in the report as a log of its own.
    #[serde(skip)]
    pub latency: Option<Histogram<u64>>,
    /// The same from the moment when each message was due, for paced messages.
    #[serde(skip)]
    pub corrected: Option<Histogram<u64>>,
    /// The host's stops.
    pub stalls: Stalls,
    /// What else was measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<(&'static str, f64)>,
}

impl Round {
    fn new(turn: usize, side: &Side, measured: Measured) -> Round {
        let per_message = |time: Duration| time.as_nanos() as f64 / measured.messages.max(1) as f64;
        let nanos = per_message(measured.time);
        Round {
            turn,
            side: side.clone(),
            class: match measured.handoff {
                None => Some(Class::Any),
                Some((before, after)) => Distance::agreed(before, after).map(Class::Pair),
            },
            messages: measured.messages,
            figure: measured.figure.or(measured.cpu.map(per_message)).unwrap_or(nanos),
            nanos,
            allocations: measured.allocations,
            handoff: measured.handoff,
            latency: measured.latency,
            corrected: measured.corrected,
            stalls: measured.stalls,
            also: measured.also,
        }
    }
}

/// Measures work on this thread: repeats `step`, which says how many messages it sent, until `span` is over.
pub fn on_this_thread(span: Duration, mut step: impl FnMut() -> u64) -> Measured {
    let allocations = alloc::allocations();
    let cpu = machine::thread_time();
    let mut messages = 0;
    let mut gaps = Gaps::start();
    let time = loop {
        messages += step();
        let elapsed = gaps.look(messages);
        if elapsed >= span {
            break elapsed;
        }
    };
    let since = |before, after: Option<Duration>| Some(after?.saturating_sub(before));
    Measured {
        messages,
        time,
        cpu: cpu.and_then(|before| since(before, machine::thread_time())),
        allocations: allocations.zip(alloc::allocations()).map(|(before, after)| after - before),
        stalls: gaps.stalls,
        ..Measured::default()
    }
}

/// The median, least and greatest of some rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How many rounds.
    pub rounds: usize,
    /// Nanoseconds per message.
    pub median: f64,
    /// Nanoseconds per message of the best round.
    pub least: f64,
    /// Nanoseconds per message of the worst round.
    pub greatest: f64,
}

impl Summary {
    /// Of any number of figures but none.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Summary> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        let upper = *figures.get(middle)?;
        let median = if figures.len().is_multiple_of(2) {
            f64::midpoint(figures[middle - 1], upper)
        } else {
            upper
        };
        Some(Summary {
            rounds: figures.len(),
            median,
            least: figures[0],
            greatest: figures[figures.len() - 1],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_beyond_what_messages_take_is_a_stop() {
        let look = |gaps: &mut Gaps, gap: Duration, messages: u64| {
            gaps.last = gaps.start.elapsed().saturating_sub(gap);
            gaps.look(messages);
        };
        let mut gaps = Gaps::start();
        gaps.start = Instant::now() - Duration::from_secs(1);
        // 1000 messages in a second: a gap of 2 ms for two of them is usual, one of 20 ms is not.
        gaps.messages = 1_000;
        look(&mut gaps, Duration::from_millis(2), 1_002);
        assert_eq!(gaps.stalls, Stalls::default());
        look(&mut gaps, Duration::from_millis(20), 1_004);
        assert_eq!(gaps.stalls.count, 1);
        assert!(gaps.stalls.longest > 10_000_000, "{:?}", gaps.stalls);
    }

    #[test]
    fn the_median_stands_in_the_middle() {
        assert_eq!(Summary::of([]), None);
        let odd = Summary::of([3.0, 1.0, 9.0]).map(|s| (s.rounds, s.median, s.least, s.greatest));
        assert_eq!(odd, Some((3, 3.0, 1.0, 9.0)));
        assert_eq!(Summary::of([4.0, 1.0, 2.0, 9.0]).map(|s| s.median), Some(3.0));
    }
}
