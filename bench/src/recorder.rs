//! Rounds: who takes part, in what order they take turns, and what is kept of each.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::alloc;
use crate::machine;
use crate::probe::Distance;

/// What one round of one contestant measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measured {
    /// Messages sent.
    pub messages: u64,
    /// The time that the figure is of.
    pub time: Duration,
    /// Processor time of the thread, where the round ran on one.
    pub cpu: Option<Duration>,
    /// Allocations of the process meanwhile, where they were counted.
    pub allocations: Option<u64>,
    /// Nanoseconds of the two probes around a round over two threads.
    pub handoff: Option<(f64, f64)>,
}

/// One side of one workload.
pub struct Contestant {
    /// The workload's name.
    pub workload: &'static str,
    /// The side's name.
    pub side: String,
    round: Box<dyn FnMut(Duration) -> Result<Measured, String>>,
}

impl Contestant {
    /// A side whose round takes about the given time and checks its own messages.
    pub fn new(
        workload: &'static str,
        side: impl Into<String>,
        round: impl FnMut(Duration) -> Result<Measured, String> + 'static,
    ) -> Contestant {
        Contestant { workload, side: side.into(), round: Box::new(round) }
    }
}

impl std::fmt::Debug for Contestant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contestant")
            .field("workload", &self.workload)
            .field("side", &self.side)
            .finish_non_exhaustive()
    }
}

/// Where a round was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// On one thread: the distance of processors plays no part.
    OneThread,
    /// Over two threads at this distance, before and after.
    #[serde(untagged)]
    TwoThreads(Distance),
}

impl Place {
    /// The name used in tables.
    pub fn name(self) -> &'static str {
        match self {
            Place::OneThread => "one thread",
            Place::TwoThreads(distance) => distance.name(),
        }
    }
}

/// One round, as it is written to the report.
#[derive(Clone, Debug, Serialize)]
pub struct Round {
    /// Number of the turn in which every contestant had one round.
    pub turn: usize,
    /// The workload's name.
    pub workload: &'static str,
    /// The side's name.
    pub side: String,
    /// Where; `None` if the probes disagreed, and the round counts for nothing.
    pub place: Option<Place>,
    /// Messages sent.
    pub messages: u64,
    /// Nanoseconds per message.
    pub nanos: f64,
    /// Nanoseconds of the thread's processor time per message.
    pub cpu_nanos: Option<f64>,
    /// Allocations in the whole round.
    pub allocations: Option<u64>,
    /// Nanoseconds of the probes before and after.
    pub handoff: Option<(f64, f64)>,
}

impl Round {
    fn new(turn: usize, contestant: &Contestant, measured: Measured) -> Round {
        let per_message = |time: Duration| time.as_nanos() as f64 / measured.messages.max(1) as f64;
        Round {
            turn,
            workload: contestant.workload,
            side: contestant.side.clone(),
            place: match measured.handoff {
                None => Some(Place::OneThread),
                Some((before, after)) => Distance::agreed(before, after).map(Place::TwoThreads),
            },
            messages: measured.messages,
            nanos: per_message(measured.time),
            cpu_nanos: measured.cpu.map(per_message),
            allocations: measured.allocations,
            handoff: measured.handoff,
        }
    }

    /// The figure of this round: processor time where it was taken, else time.
    pub fn figure(&self) -> f64 {
        self.cpu_nanos.unwrap_or(self.nanos)
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
            let measured =
                (contestant.round)(Duration::from_millis(plan.millis)).map_err(|error| {
                    format!("{}, {}: {error}", contestant.workload, contestant.side)
                })?;
            if let Some(turn) = turn.checked_sub(plan.warm_up) {
                rounds.push(Round::new(turn, contestant, measured));
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
        handoff: None,
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

    #[test]
    fn the_median_stands_in_the_middle() {
        assert_eq!(Summary::of([]), None);
        let odd = Summary::of([3.0, 1.0, 9.0]).map(|s| (s.rounds, s.median, s.least, s.greatest));
        assert_eq!(odd, Some((3, 3.0, 1.0, 9.0)));
        assert_eq!(Summary::of([4.0, 1.0, 2.0, 9.0]).map(|s| s.median), Some(3.0));
    }

    #[test]
    fn every_contestant_has_one_round_a_turn() {
        let side = |name: &'static str| {
            Contestant::new("test", name, |span| Ok(on_this_thread(span, || 1)))
        };
        let plan = Plan { turns: 3, warm_up: 2, millis: 0, seed: 7 };
        let rounds = run(plan, &mut [side("a"), side("b")], |_| ()).unwrap_or_default();
        for turn in 0..3 {
            for name in ["a", "b"] {
                let of = |round: &&Round| round.turn == turn && round.side == name;
                assert_eq!(rounds.iter().filter(of).count(), 1);
            }
        }
    }

    #[test]
    fn a_failing_round_ends_the_run() {
        let mut sides = [Contestant::new("test", "a", |_| Err("lost".to_owned()))];
        let plan = Plan { turns: 1, warm_up: 0, millis: 0, seed: 0 };
        assert_eq!(run(plan, &mut sides, |_| ()).map(|_| ()), Err("test, a: lost".to_owned()));
    }
}
