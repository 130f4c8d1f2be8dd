//! One row for each side and each distance: what a quick run writes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::recorder::{Class, Round, Summary};
use crate::side::{Mode, Scenario, Side};

/// The figures of one side at one distance.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was done.
    pub scenario: Scenario,
    /// Who did it.
    pub contender: &'static str,
    /// How it was used.
    pub mode: Mode,
    /// Participants that receive every message.
    pub participants: u32,
    /// How far apart the processors were.
    pub class: &'static str,
    /// What tells apart sides that are equal in all else.
    pub variant: String,
    /// The median of the rounds' nanoseconds per message, of processor time where that was taken.
    pub ns_median: f64,
    /// The best round's.
    pub ns_min: f64,
    /// Messages a second, of the median.
    pub per_second: f64,
    /// Nanoseconds of half the messages' way at most, of all rounds together; where it was measured.
    pub p50: Option<u64>,
    /// The same of 99 in 100 messages.
    pub p99: Option<u64>,
    /// Rounds.
    pub runs: usize,
}

/// The rows of all rounds whose probes agreed, in order.
pub fn rows(rounds: &[Round]) -> Vec<Row> {
    let mut sides: BTreeMap<(&Side, Class), Vec<&Round>> = BTreeMap::new();
    for round in rounds {
        if let Some(class) = round.class {
            sides.entry((&round.side, class)).or_default().push(round);
        }
    }
    sides.into_iter().filter_map(|((side, class), rounds)| row(side, class, &rounds)).collect()
}

fn row(side: &Side, class: Class, rounds: &[&Round]) -> Option<Row> {
    let summary = Summary::of(rounds.iter().map(|round| round.figure))?;
    let ways = ways(rounds);
    let at = |quantile| ways.as_ref().map(|ways| ways.value_at_quantile(quantile));
    Some(Row {
        scenario: side.scenario,
        contender: side.contender,
        mode: side.mode,
        participants: side.participants,
        class: class.name(),
        variant: side.variant.clone(),
        ns_median: summary.median,
        ns_min: summary.least,
        per_second: 1e9 / summary.median,
        p50: at(0.5),
        p99: at(0.99),
        runs: summary.rounds,
    })
}

/// All messages' ways together: from when they were due, where they were paced, so that a late sender is not left out.
fn ways(rounds: &[&Round]) -> Option<Histogram<u64>> {
    let mut all: Option<Histogram<u64>> = None;
    for ways in
        rounds.iter().filter_map(|round| round.corrected.as_ref().or(round.latency.as_ref()))
    {
        match &mut all {
            None => all = Some(ways.clone()),
            // Only a value beyond a fixed range could fail, and then this round's are left out.
            Some(all) => drop(all.add(ways)),
        }
    }
    all.filter(|ways| !ways.is_empty())
}

/// The rows as a table for a terminal.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<9}{:<22}{:<8}{:>4}  {:<5}{:>11}{:>11}{:>14}{:>9}{:>10}{:>6}  {}\n",
        "scenario",
        "contender",
        "mode",
        "to",
        "class",
        "ns median",
        "ns min",
        "a second",
        "p50",
        "p99",
        "runs",
        "variant"
    );
    let or_dash =
        |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    for row in rows {
        let _ = writeln!(
            text,
            "{:<9}{:<22}{:<8}{:>4}  {:<5}{:>11.1}{:>11.1}{:>14.0}{:>9}{:>10}{:>6}  {}",
            row.scenario.name(),
            row.contender,
            row.mode.name(),
            row.participants,
            row.class,
            row.ns_median,
            row.ns_min,
            row.per_second,
            or_dash(row.p50),
            or_dash(row.p99),
            row.runs,
            row.variant
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::recorder::{Contestant, Measured, Plan, run};

    fn rounds_of(side: Side, measured: Vec<Measured>) -> Vec<Round> {
        let turns = measured.len();
        let mut measured = measured.into_iter();
        let next = move |_| measured.next().ok_or_else(|| "no more".to_owned());
        let plan = Plan { turns, warm_up: 0, millis: 1, seed: 1 };
        run(plan, &mut [Contestant::new(side, next)], |_| ()).unwrap_or_default()
    }

    fn took(nanos: u64, handoff: (f64, f64)) -> Measured {
        let time = Duration::from_nanos(100 * nanos);
        Measured { messages: 100, time, handoff: Some(handoff), ..Measured::default() }
    }

    #[test]
    fn a_row_for_each_distance_and_none_where_probes_disagree() {
        let (near, far) = ((40.0, 41.0), (160.0, 170.0));
        let measured = vec![
            took(10, near),
            took(30, near),
            took(20, near),
            took(90, far),
            took(5, (40.0, 160.0)),
        ];
        let rows = rows(&rounds_of(Side::new(Scenario::T1, "a", Mode::Batch, 1), measured));
        let brief: Vec<_> =
            rows.iter().map(|row| (row.class, row.ns_median, row.ns_min, row.runs)).collect();
        assert_eq!(brief, [("near", 20.0, 10.0, 3), ("far", 90.0, 90.0, 1)]);
        assert_eq!((rows[0].per_second, rows[0].p50), (5e7, None));
        assert_eq!(table(&rows).lines().count(), 3);
    }

    #[test]
    fn a_row_has_the_fields_that_it_is_known_by() {
        let side = Side::new(Scenario::T2s, "a", Mode::Single, 8).variant("v");
        let measured =
            Measured { messages: 1, time: Duration::from_nanos(7), ..Measured::default() };
        let rows = rows(&rounds_of(side, vec![measured]));
        let json = serde_json::to_value(&rows[0]).unwrap_or_default();
        let expected = serde_json::json!({
            "scenario": "T2S", "contender": "a", "mode": "single", "participants": 8, "class": "any",
            "variant": "v", "ns_median": 7.0, "ns_min": 7.0, "per_second": 1e9 / 7.0, "p50": null,
            "p99": null, "runs": 1,
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn ways_of_all_rounds_count_together_and_from_when_they_were_due() {
        let ways = |value: u64| {
            let mut ways = Histogram::new(3).ok()?;
            ways.record(value).ok()?;
            Some(ways)
        };
        let measured = |latency, corrected| Measured {
            messages: 1,
            latency: ways(latency),
            corrected: ways(corrected),
            ..Measured::default()
        };
        let side = Side::new(Scenario::T4, "a", Mode::Single, 1);
        let rows = rows(&rounds_of(side, vec![measured(10, 100), measured(11, 200)]));
        assert_eq!((rows[0].p50, rows[0].p99), (Some(100), Some(200)));
    }
}
