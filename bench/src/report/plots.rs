//! The pictures: fan-out, latencies, cost by number of participants.

use crate::probe::Distance;
use crate::recorder::Class;
use crate::report::chart::{Axis, Chart, Line, Marker, Style};
use crate::report::contenders::{OURS, PEERS, Role, Work};
use crate::report::rows::Row;
use crate::side::Scenario;

const FAN_OUT: &str = "fan-out.svg";
const LATENCY: &str = "latency.svg";
const COST: &str = "cost.svg";

/// The names of all pictures there may be.
pub const FILES: [&str; 3] = [FAN_OUT, LATENCY, COST];

/// One picture.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    /// The name of its file.
    pub(super) file: &'static str,
    /// What it shows, for who cannot see it.
    pub(super) alt: String,
    /// Itself.
    pub(super) svg: String,
}

/// All for which there are rows.
pub(super) fn plots(rows: &[Row]) -> Vec<Plot> {
    let charts = [(FAN_OUT, fan_out(rows)), (LATENCY, latency(rows)), (COST, cost(rows))];
    charts
        .into_iter()
        .filter_map(|(file, chart)| {
            let chart = chart?;
            Some(Plot {
                file,
                alt: format!("{}. {}", chart.title, chart.subtitle),
                svg: chart.svg(),
            })
        })
        .collect()
}

/// Deliveries in a second by number of participants.
fn fan_out(rows: &[Row]) -> Option<Chart> {
    let class = class(rows, Scenario::T2)?;
    let rate = |row: &Row| row.deliveries_per_second.or(row.per_second).map(|rate| rate / 1e6);
    let lines = by_participants(rows, Scenario::T2, class, rate, |rate| -rate);
    chart(
        lines,
        "Fan-out: deliveries by number of participants",
        format!(
            "One sender, one thread that polls all participants, {}. Each in its best mode. More is better.",
            place(class)
        ),
        "million deliveries a second",
    )
}

/// Processor time by number of participants.
fn cost(rows: &[Row]) -> Option<Chart> {
    let lines = by_participants(rows, Scenario::T2s, Class::Any, Row::nanos, |nanos| nanos);
    chart(
        lines,
        "Cost of a message by number of participants",
        "Processor time to send one and to receive it everywhere, on one thread. Each in its best mode. Less is better.".to_owned(),
        "nanoseconds a message",
    )
}

/// Latencies by percentile.
fn latency(rows: &[Row]) -> Option<Chart> {
    let class = class(rows, Scenario::T4)?;
    let work = Work::new(rows, Scenario::T4, class).variant(Some(""));
    let lines: Vec<Line> = contenders(rows)
        .filter_map(|(place, name)| {
            let (row, _) = work.best(name, Row::p50)?;
            let points = percentiles(row);
            let marked = [0.5_f64, 0.9, 0.99, 0.999, 0.9999]
                .iter()
                .filter_map(|part| points.iter().position(|(x, _)| *x >= behind(*part) - 1e-9))
                .collect();
            let end = format!("{} ns", row.latency.as_ref()?.p50);
            (points.len() > 1).then(|| line(place, name, end, points, marked))
        })
        .collect();
    if lines.is_empty() {
        return None;
    }
    let nanos = lines.iter().flat_map(|line| line.points.iter().map(|(_, y)| 10_f64.powf(*y)));
    let y = Axis::logarithmic("from the send to the receipt", nanos, short);
    let high = lines
        .iter()
        .filter_map(|line| line.points.last())
        .fold(1.0, |high: f64, (x, _)| high.max(*x));
    let parts =
        [("50 %", 0.5), ("90 %", 0.9), ("99 %", 0.99), ("99.9 %", 0.999), ("99.99 %", 0.9999)];
    let ticks = parts
        .into_iter()
        .map(|(name, part)| (behind(part), name.to_owned()))
        .filter(|(place, _)| *place <= high + 1e-9)
        .collect();
    Some(Chart {
        title: "Latency by percentile".to_owned(),
        subtitle: format!(
            "One way between two threads that spin, paced, {}; a late send counts from when it was due. Less is better.",
            place(class)
        ),
        x: Axis {
            label: "part of the messages that were faster".to_owned(),
            low: 0.0,
            high,
            ticks,
        },
        y,
        ends: "p50".to_owned(),
        lines,
    })
}

/// How many tens of messages stand for one that is slower: 0 for none, 1 for 90 %, 2 for 99 %.
fn behind(part: f64) -> f64 {
    -(1.0 - part).log10()
}

/// Places by percentile, as far as there are ten slower messages to tell it by.
fn percentiles(row: &Row) -> Vec<(f64, f64)> {
    let Some(latency) = &row.latency else {
        return Vec::new();
    };
    let merged = &latency.merged;
    let furthest = ((merged.len() as f64).log10() - 1.0).clamp(0.0, 4.0);
    // Twenty points for each step, and one exactly at the median.
    let mut places: Vec<f64> =
        (0..=(furthest * 20.0).floor() as u32).map(|n| f64::from(n) / 20.0).collect();
    places.push(behind(0.5));
    places.sort_by(f64::total_cmp);
    places
        .into_iter()
        .filter(|&place| place <= furthest)
        .map(|place| (place, merged.value_at_quantile(1.0 - 10_f64.powf(-place)).max(1)))
        .map(|(place, nanos)| (place, (nanos as f64).log10()))
        .collect()
}

/// A line for each contender, at each number of participants in its best mode.
fn by_participants(
    rows: &[Row],
    scenario: Scenario,
    class: Class,
    value: impl Fn(&Row) -> Option<f64>,
    cost: impl Fn(f64) -> f64,
) -> Vec<Line> {
    let work = Work::new(rows, scenario, class).variant(Some(""));
    let mut numbers: Vec<u32> = work.rows().map(|row| row.side.participants).collect();
    numbers.sort_unstable();
    numbers.dedup();
    // The axis is logarithmic.
    numbers.retain(|&number| number > 0);
    contenders(rows)
        .filter_map(|(place, name)| {
            let best = |&number: &u32| {
                let (row, _) = work.to(Some(number)).best(name, |row| value(row).map(&cost))?;
                value(row)
                    .filter(|value| *value > 0.0)
                    .map(|value| (f64::from(number).log2(), value.log10()))
            };
            let points: Vec<(f64, f64)> = numbers.iter().filter_map(best).collect();
            let (last, value) = points.last()?;
            let whole = numbers.last().is_some_and(|&number| f64::from(number).log2() <= *last);
            let end = if whole { three_digits(10_f64.powf(*value)) } else { String::new() };
            let marked = (0..points.len()).collect();
            (points.len() > 1).then(|| line(place, name, end, points, marked))
        })
        .collect()
}

fn chart(lines: Vec<Line>, title: &str, subtitle: String, label: &str) -> Option<Chart> {
    let xs = || lines.iter().flat_map(|line| line.points.iter().map(|(x, _)| *x));
    let high = xs().max_by(f64::total_cmp)?;
    let low = xs().min_by(f64::total_cmp)?;
    let mut places: Vec<f64> = xs().collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let ticks = places.into_iter().map(|place| (place, plain_number(place.exp2()))).collect();
    let values = lines.iter().flat_map(|line| line.points.iter().map(|(_, y)| 10_f64.powf(*y)));
    let y = Axis::logarithmic(label, values, plain_number);
    let x = Axis { label: "participants".to_owned(), low, high, ticks };
    let ends = format!("to {}", plain_number(high.exp2()));
    Some(Chart { title: title.to_owned(), subtitle, x, y, ends, lines })
}

/// Near if a fair part of the rounds is, since that is what a machine with one cache does; else where most are.
fn class(rows: &[Row], scenario: Scenario) -> Option<Class> {
    let near = Class::Pair(Distance::Near);
    let rounds = |class: Class| -> usize {
        rows.iter()
            .filter(|row| row.side.scenario == scenario && row.class == class)
            .map(|row| row.runs)
            .sum()
    };
    let classes = rows.iter().filter(|row| row.side.scenario == scenario).map(|row| row.class);
    let most = classes.max_by_key(|&class| rounds(class))?;
    Some(if rounds(near) > rounds(most) / 4 { near } else { most })
}

/// The bus, the peers, then what was written by hand, each with a number of its own that gives it its colour.
fn contenders(rows: &[Row]) -> impl Iterator<Item = (usize, &'static str)> {
    let mut bounds: Vec<&'static str> = rows
        .iter()
        .map(|row| row.side.contender)
        .filter(|contender| Role::of(contender) == Role::Bound)
        .collect();
    bounds.sort_unstable();
    bounds.dedup();
    [OURS].into_iter().chain(PEERS.iter().copied()).chain(bounds).enumerate()
}

fn line(
    place: usize,
    name: &'static str,
    end: String,
    points: Vec<(f64, f64)>,
    marked: Vec<usize>,
) -> Line {
    const MARKERS: [Marker; 4] =
        [Marker::Circle, Marker::Square, Marker::Diamond, Marker::Triangle];
    // One for the bus, then one for each peer in the order of `PEERS`; told apart by most who see colours otherwise, too.
    const COLORS: [&str; 13] = [
        "#0b57d0", "#e8710a", "#1e8e3e", "#8ab62f", "#c5221f", "#8430ce", "#0097a7", "#a0522d",
        "#d01884", "#f2a900", "#5f6b7a", "#2f2f2f", "#7a1f3d",
    ];
    const GREYS: [&str; 2] = ["#80868b", "#b0b6bc"];
    let (color, style) = match Role::of(name) {
        Role::Ours => (COLORS[0], Style::Strong),
        Role::Peer => (COLORS[place % COLORS.len()], Style::Plain),
        Role::Bound => (GREYS[place % GREYS.len()], Style::Dashed),
    };
    let marker = MARKERS[place % MARKERS.len()];
    Line { name: name.to_owned(), end, color, style, marker, points, marked }
}

/// Where the two threads ran, for a sentence.
fn place(class: Class) -> &'static str {
    match class {
        Class::Any => "on one thread",
        Class::Pair(Distance::Smt) => "on one core",
        Class::Pair(Distance::Near) => "on processors near each other",
        Class::Pair(Distance::Mid) => "on processors apart in one socket",
        Class::Pair(Distance::Far) => "on processors far apart",
    }
}

fn three_digits(value: f64) -> String {
    match value {
        small if small < 9.95 => format!("{small:.1}"),
        large => format!("{large:.0}"),
    }
}

fn plain_number(value: f64) -> String {
    if value >= 1.0 { format!("{value:.0}") } else { format!("{value}") }
}

/// A time on an axis, without digits behind a point.
fn short(nanos: f64) -> String {
    match nanos {
        few if few < 1e3 => format!("{few:.0} ns"),
        some if some < 1e6 => format!("{:.0} us", some / 1e3),
        many => format!("{:.0} ms", many / 1e6),
    }
}
