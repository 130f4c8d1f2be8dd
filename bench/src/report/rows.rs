//! Rounds become rows: one for each side and class of distance.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::recorder::{Class, Round, Stalls, Summary};
use crate::side::{Scenario, Side, Unit};

/// The variant of a side that takes no stamps: it is compared with what is known of a peer, and with nothing else.
pub const UNSTAMPED: &str = "unstamped";

/// All rounds of one side in one class of distance.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Who did what, and how.
    #[serde(flatten)]
    pub side: Side,
    /// Where.
    pub class: Class,
    /// How many rounds.
    pub runs: usize,
    /// The median figure of the rounds: nanoseconds per message, or bytes where the unit says so.
    pub ns_median: f64,
    /// The best.
    pub ns_min: f64,
    /// The worst.
    pub ns_max: f64,
    /// A quarter of the rounds were better.
    pub ns_q1: f64,
    /// A quarter of the rounds were worse.
    pub ns_q3: f64,
    /// Messages in a second, where that means anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// Receipts in a second by all participants together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliveries_per_second: Option<f64>,
    /// How long messages were on their way, over all rounds.
    #[serde(flatten)]
    pub latency: Option<Latency>,
    /// Allocations in all rounds together, where they were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocations: Option<u64>,
    /// Medians of what else was measured.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub also: BTreeMap<&'static str, f64>,
    /// The host's stops in all rounds together.
    pub stalls: Stalls,
}

/// Nanoseconds that messages were on their way.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// The median over all rounds.
    pub p50: u64,
    /// The median of the best round.
    pub p50_min: u64,
    /// The median of the worst round.
    pub p50_max: u64,
    /// One in a hundred took longer.
    pub p99: u64,
    /// One in a thousand took longer.
    #[serde(rename = "p99.9")]
    pub p999: u64,
    /// The longest.
    pub max: u64,
    /// All of them.
    #[serde(skip)]
    pub merged: Histogram<u64>,
}

impl Row {
    /// The median figure, as a time: `None` for bytes.
    pub fn nanos(&self) -> Option<f64> {
        (self.side.unit == Unit::Nanos).then_some(self.ns_median)
    }

    /// The median way of a message.
    pub fn p50(&self) -> Option<f64> {
        self.latency.as_ref().map(|latency| latency.p50 as f64)
    }

    /// What the row is ranked by, and less is better: the median way where a scenario is about that, else the figure.
    pub fn rank(&self) -> f64 {
        let by_way = matches!(self.side.scenario, Scenario::T4 | Scenario::T4r | Scenario::T5);
        self.p50().filter(|_| by_way).unwrap_or(self.ns_median)
    }

    /// Whether its messages carried stamps, as all work that is compared does.
    pub fn is_stamped(&self) -> bool {
        self.side.variant != UNSTAMPED
    }
}

/// One row for each side and class, in the order of the report. Rounds without a class are in none.
pub fn rows(rounds: &[Round]) -> Vec<Row> {
    let mut groups: BTreeMap<(&Side, Class), Vec<&Round>> = BTreeMap::new();
    for round in rounds {
        if let Some(class) = round.class {
            groups.entry((&round.side, class)).or_default().push(round);
        }
    }
    groups.into_iter().filter_map(|((side, class), rounds)| row(side, class, &rounds)).collect()
}

fn row(side: &Side, class: Class, rounds: &[&Round]) -> Option<Row> {
    let figures = || rounds.iter().map(|round| round.figure);
    let summary = Summary::of(figures())?;
    let per_second = per_second(side, rounds);
    let stalls = rounds.iter().fold(Stalls::default(), |sum, round| added(sum, round.stalls));
    Some(Row {
        side: side.clone(),
        class,
        runs: summary.rounds,
        ns_median: summary.median,
        ns_min: summary.least,
        ns_max: summary.greatest,
        ns_q1: quantile(figures(), 0.25)?,
        ns_q3: quantile(figures(), 0.75)?,
        per_second,
        deliveries_per_second: per_second
            .filter(|_| fans_out(side))
            .map(|messages| messages * f64::from(side.participants)),
        latency: latency(rounds),
        allocations: rounds.iter().map(|round| round.allocations).sum(),
        also: also(rounds),
        stalls,
    })
}

/// Messages in a second of the clock on the wall where messages are paced, else as the figure says.
fn per_second(side: &Side, rounds: &[&Round]) -> Option<f64> {
    let nanos = match side.scenario {
        _ if side.unit == Unit::Bytes => return None,
        Scenario::T10 | Scenario::T11 | Scenario::Limit => return None,
        Scenario::T4 | Scenario::T4r | Scenario::T5 => {
            Summary::of(rounds.iter().map(|round| round.nanos))?.median
        }
        _ => Summary::of(rounds.iter().map(|round| round.figure))?.median,
    };
    (nanos > 0.0).then(|| 1e9 / nanos)
}

/// Whether the receipts of several participants are worth a figure of their own.
fn fans_out(side: &Side) -> bool {
    side.participants > 1 && matches!(side.scenario, Scenario::T2 | Scenario::T2s | Scenario::T3)
}

/// All rounds' histograms in one; `None` if no round has one.
fn latency(rounds: &[&Round]) -> Option<Latency> {
    let ways = || rounds.iter().filter_map(|round| round.latency.as_ref());
    // Three digits; it grows with what is added, whatever bounds the rounds chose.
    let mut merged = Histogram::new(3).ok()?;
    for way in ways() {
        merged.add(way).ok()?;
    }
    let medians = || ways().filter(|way| !way.is_empty()).map(|way| way.value_at_quantile(0.5));
    Some(Latency {
        p50: merged.value_at_quantile(0.5),
        p50_min: medians().min()?,
        p50_max: medians().max()?,
        p99: merged.value_at_quantile(0.99),
        p999: merged.value_at_quantile(0.999),
        max: merged.max(),
        merged,
    })
}

fn also(rounds: &[&Round]) -> BTreeMap<&'static str, f64> {
    let mut values: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for &(name, value) in rounds.iter().flat_map(|round| &round.also) {
        values.entry(name).or_default().push(value);
    }
    let median = |(name, values)| Some((name, Summary::of(values)?.median));
    values.into_iter().filter_map(median).collect()
}

/// Both together.
pub(super) fn added(one: Stalls, other: Stalls) -> Stalls {
    Stalls {
        count: one.count + other.count,
        nanos: one.nanos + other.nanos,
        longest: one.longest.max(other.longest),
    }
}

/// The figure below which that part of all figures lies, between the two nearest.
fn quantile(figures: impl Iterator<Item = f64>, part: f64) -> Option<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let place = part * figures.len().checked_sub(1)? as f64;
    let (below, above) =
        (figures.get(place.floor() as usize)?, figures.get(place.ceil() as usize)?);
    Some(below + (above - below) * place.fract())
}
