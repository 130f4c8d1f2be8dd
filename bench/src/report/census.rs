//! What became of the rounds: in which class they fell, and how much of their time the host took.

use std::time::Duration;

use crate::probe::Distance;
use crate::recorder::{Class, Round, STALL, Stalls};
use crate::report::numbers::{plain, time};
use crate::report::rows::added;
use crate::report::table::Table;
use crate::side::Scenario;

/// Counts of rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Census {
    /// All rounds.
    pub rounds: usize,
    /// On one thread, or where the distance plays no part.
    pub any: usize,
    /// Over two threads, by distance.
    pub smt: usize,
    /// See `smt`.
    pub near: usize,
    /// See `smt`.
    pub mid: usize,
    /// See `smt`.
    pub far: usize,
    /// Over two threads whose probes disagreed: in no table.
    pub without: usize,
    /// The host's stops.
    pub stalls: Stalls,
    /// Real time of all rounds.
    pub time: Duration,
}

impl Census {
    /// Of some rounds.
    pub fn of<'r>(rounds: impl IntoIterator<Item = &'r Round>) -> Census {
        let mut census = Census::default();
        for round in rounds {
            census.rounds += 1;
            *match round.class {
                Some(Class::Any) => &mut census.any,
                Some(Class::Pair(Distance::Smt)) => &mut census.smt,
                Some(Class::Pair(Distance::Near)) => &mut census.near,
                Some(Class::Pair(Distance::Mid)) => &mut census.mid,
                Some(Class::Pair(Distance::Far)) => &mut census.far,
                None => &mut census.without,
            } += 1;
            census.stalls = added(census.stalls, round.stalls);
            // Saturating: a figure that is no time may be anything.
            census.time += Duration::from_nanos((round.nanos * round.messages as f64) as u64);
        }
        census
    }

    /// The part of the time that the host took.
    pub fn share(&self) -> f64 {
        let time = self.time.as_nanos() as f64;
        if time > 0.0 { self.stalls.nanos as f64 / time } else { 0.0 }
    }
}

/// A line for each scenario that ran, and one for all.
pub fn table(rounds: &[Round]) -> Table {
    let mut table = Table::new([
        "scenario",
        "rounds",
        "any",
        "smt",
        "near",
        "mid",
        "far",
        "in no class",
        "stalls",
        "their time",
        "the longest",
        "% of the time",
    ]);
    let mut push = |name: &str, census: Census| {
        let Census { rounds, any, smt, near, mid, far, without, stalls, .. } = census;
        let counts = [rounds, any, smt, near, mid, far, without].map(|count| count.to_string());
        let count = stalls.count.to_string();
        let times = [stalls.nanos, stalls.longest].map(|nanos| time(nanos as f64));
        let share = plain(100.0 * census.share());
        let cells = [name.to_owned()].into_iter().chain(counts).chain([count]).chain(times);
        table.push(cells.chain([share]));
    };
    for scenario in Scenario::ALL {
        let census = Census::of(rounds.iter().filter(|round| round.side.scenario == scenario));
        if census.rounds > 0 {
            push(scenario.name(), census);
        }
    }
    push("all", Census::of(rounds));
    table
}

/// What the stalls of a run were, in a sentence.
pub fn stalls(census: &Census) -> String {
    let Stalls { count, nanos, longest } = census.stalls;
    format!(
        "The host stopped a measuring thread {count} times for more than {}: {} together, {} % of the time of the rounds, \
         {} the longest. Medians hardly see that; the latencies behind p99 are mostly the host's.",
        time(STALL.as_nanos() as f64),
        time(nanos as f64),
        plain(100.0 * census.share()),
        time(longest as f64),
    )
}
