//! Rounds: who takes part, in what order they take turns, and what is kept of each.

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
    /// Allocations of the process meanwhile, where they were counted.
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

/// How many turns, how long each round takes, and the seed of the order.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Plan {
    /// Turns that count.
    pub turns: usize,
    /// Turns before them that do not.
    pub warm_up: usize,
    /// Milliseconds of one round.
    pub millis: u64,
    /// Seed of the random order.
    pub seed: u64,
}

/// Runs every contestant once per turn, in a new random order each turn.
///
/// # Errors
/// The first contestant whose messages were lost, out of order or damaged, or that did not answer.
pub fn run(
    plan: Plan,
    contestants: &mut [Contestant],
    mut progress: impl FnMut(usize),
) -> Result<Vec<Round>, String> {
    let mut order: Vec<usize> = (0..contestants.len()).collect();
    let mut random = Random::new(plan.seed);
    let mut rounds = Vec::new();
    for turn in 0..plan.warm_up + plan.turns {
        random.shuffle(&mut order);
        for &index in &order {
            let contestant = &mut contestants[index];
            let measured = (contestant.round)(Duration::from_millis(plan.millis))
                .map_err(|error| format!("{}: {error}", contestant.side.label()))?;
            if let Some(turn) = turn.checked_sub(plan.warm_up) {
                rounds.push(Round::new(turn, &contestant.side, measured));
            }
        }
        progress(turn);
    }
    Ok(rounds)
}

/// Measures work on this thread: repeats `step`, which says how many messages it sent, until `span` is over.
pub fn on_this_thread(span: Duration, mut step: impl FnMut() -> u64) -> Measured {
    let allocations = alloc::allocations();
    let cpu = machine::thread_time();
    let start = Instant::now();
    let mut messages = 0;
    let time = loop {
        messages += step();
        let elapsed = start.elapsed();
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

/// A small generator for the order of rounds; nothing else depends on its quality.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn shuffle(&mut self, order: &mut [usize]) {
        for last in (1..order.len()).rev() {
            order.swap(last, (self.next() % (last as u64 + 1)) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::side::{Mode, Scenario};

    #[test]
    fn the_median_stands_in_the_middle() {
        assert_eq!(Summary::of([]), None);
        let odd = Summary::of([3.0, 1.0, 9.0]).map(|s| (s.rounds, s.median, s.least, s.greatest));
        assert_eq!(odd, Some((3, 3.0, 1.0, 9.0)));
        assert_eq!(Summary::of([4.0, 1.0, 2.0, 9.0]).map(|s| s.median), Some(3.0));
    }

    #[test]
    fn every_contestant_has_one_round_a_turn() {
        let side = |name| {
            let side = Side::new(Scenario::T2s, name, Mode::Single, 1);
            Contestant::new(side, |span| Ok(on_this_thread(span, || 1)))
        };
        let plan = Plan { turns: 3, warm_up: 2, millis: 0, seed: 7 };
        let rounds = run(plan, &mut [side("a"), side("b")], |_| ()).unwrap_or_default();
        for turn in 0..3 {
            for name in ["a", "b"] {
                let of = |round: &&Round| round.turn == turn && round.side.contender == name;
                assert_eq!(rounds.iter().filter(of).count(), 1);
            }
        }
    }

    #[test]
    fn a_failing_round_ends_the_run() {
        let side = Side::new(Scenario::T2s, "a", Mode::Single, 8);
        let mut sides = [Contestant::new(side, |_| Err("lost".to_owned()))];
        let plan = Plan { turns: 1, warm_up: 0, millis: 0, seed: 0 };
        assert_eq!(
            run(plan, &mut sides, |_| ()).map(|_| ()),
            Err("T2S a single to 8: lost".to_owned())
        );
    }
}
