//! One section for each scenario, with a table for each class of distance.

use std::fmt::Write as _;

use crate::recorder::Class;
use crate::report::contenders::{Role, Work, alike};
use crate::report::numbers::{bytes, millions, part, plain, time};
use crate::report::rows::Row;
use crate::report::table::Table;
use crate::side::{Scenario, Unit};

/// What is done, for the head of a section.
pub fn title(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::T1 => "one sender, one receiver, two threads",
        Scenario::T2 => "one sender, one thread that polls all participants",
        Scenario::T2s => "one thread sends 32 and drains all participants",
        Scenario::T3 => "four senders",
        Scenario::T4 => "one way, both sides spinning",
        Scenario::T4r => "there and back, both sides spinning",
        Scenario::T5 => "receivers that sleep",
        Scenario::T6 => "what few or none want",
        Scenario::T7 => "payloads from 0 to 384 bytes",
        Scenario::T8 => "registering and leaving while messages flow",
        Scenario::T9 => "one stuck participant beside fast ones",
        Scenario::T10 => "memory",
        Scenario::T11 => "from the first bus to the first delivery",
        Scenario::Limit => "what the machine allows",
    }
}

/// What the figure of a scenario is.
fn figure(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::T1 | Scenario::T2 | Scenario::T3 | Scenario::T7 => {
            "Nanoseconds a message, from the first send to the last receipt."
        }
        Scenario::T2s => "Nanoseconds of the thread's processor time a message, receipts included.",
        Scenario::T4 => {
            "Messages are due at a fixed pace. Nanoseconds of all rounds together, from the stamp to the receipt; beside p50 the \
             medians of the best and the worst round. Corrected is from the moment when a message was due: a stop of the \
             sender is in it, for every message that was late. Quiet are those that met no stop of the host."
        }
        Scenario::T4r => {
            "Nanoseconds of all rounds together, from the send to the answer's receipt; beside p50 the medians of the \
             best and the worst round."
        }
        Scenario::T5 => {
            "The receiver sleeps before each message. Nanoseconds of all rounds together, from the send to the receipt; \
             the other columns are medians of the rounds."
        }
        Scenario::T6 => "Nanoseconds a send, or a message that a participant steps over.",
        Scenario::T8 => {
            "Nanoseconds of what the variant names, and of a message of those that flow, alone and beside it."
        }
        Scenario::T9 => "Nanoseconds a message of the fast participants.",
        Scenario::T10 => "Bytes.",
        Scenario::T11 => {
            "From the call that makes the bus to the receipt of its first message: *warm* in a process that has had one, *fresh \
             process* in one that has not, *clock* the part of that which the first clock of a process takes."
        }
        Scenario::Limit => "Nanoseconds of what the row names, without any bus.",
    }
}

/// The sections of all scenarios that have rows.
pub fn sections(rows: &[Row]) -> String {
    let mut text = String::new();
    for scenario in Scenario::ALL {
        let mine = || rows.iter().filter(|row| row.side.scenario == scenario && row.is_stamped());
        let mut classes: Vec<Class> = mine().map(|row| row.class).collect();
        classes.sort_unstable();
        classes.dedup();
        if classes.is_empty() {
            continue;
        }
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n### {}: {}\n\n{}\n",
            scenario.name(),
            title(scenario),
            figure(scenario)
        );
        for class in classes {
            if class != Class::Any {
                let _ = write!(text, "\n**{}**\n", class.name());
            }
            let _ = write!(text, "\n{}", table(rows, scenario, class).markdown());
        }
    }
    text
}

/// The rows of a scenario in one class, the best first among those that do the same work.
pub fn table(rows: &[Row], scenario: Scenario, class: Class) -> Table {
    let mut mine: Vec<&Row> = Work::new(rows, scenario, class).rows().collect();
    mine.sort_by(|one, other| {
        order_of(one).cmp(&order_of(other)).then(one.rank().total_cmp(&other.rank()))
    });
    let several = mine.iter().any(|row| row.side.participants != mine[0].side.participants);
    let also: Vec<&str> = {
        let mut names: Vec<&str> = mine.iter().flat_map(|row| row.also.keys().copied()).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    // A paced round takes as long as its pace says: there the ways of messages are the figure.
    let paced = matches!(scenario, Scenario::T4 | Scenario::T4r | Scenario::T5)
        && mine.iter().all(|row| row.latency.is_some());
    let head = [
        "to",
        "variant",
        "contender",
        "mode",
        "rounds",
        "median",
        "min",
        "quartiles",
        "max",
        "M/s",
        "M deliveries/s",
        "p50",
        "p50 of rounds",
        "p99",
        "p99.9",
        "longest",
        "allocations",
    ];
    let mut table = Table::new(
        head.into_iter().chain(also.iter().copied()).chain(["to the best peer", "to the bound"]),
    );
    for row in mine {
        let mut cells = identity(row, several);
        cells.extend(if paced { [const { String::new() }; 6].to_vec() } else { figures(row) });
        cells.extend(ways(row));
        cells.push(row.allocations.map_or_else(String::new, |count| count.to_string()));
        cells.extend(
            also.iter()
                .map(|name| row.also.get(name).map_or_else(String::new, |&value| plain(value))),
        );
        cells.extend([Role::Peer, Role::Bound].map(|role| ratio(rows, row, role)));
        table.push(cells);
    }
    table.without_empty_columns()
}

fn identity(row: &Row, several: bool) -> Vec<String> {
    let side = &row.side;
    let ours = Role::of(side.contender) == Role::Ours;
    let contender =
        if ours { format!("**{}**", side.contender) } else { side.contender.to_owned() };
    vec![
        if several { side.participants.to_string() } else { String::new() },
        side.variant.clone(),
        contender,
        side.mode.name().to_owned(),
        row.runs.to_string(),
    ]
}

fn figures(row: &Row) -> Vec<String> {
    let figure = |value: f64| match row.side.unit {
        Unit::Bytes => bytes(value),
        // A column of nanoseconds needs no unit until they are many.
        Unit::Nanos if value >= 1e4 => time(value),
        Unit::Nanos => plain(value),
    };
    let rate = |rate: Option<f64>| rate.map_or_else(String::new, millions);
    vec![
        figure(row.ns_median),
        figure(row.ns_min),
        format!("{} to {}", figure(row.ns_q1), figure(row.ns_q3)),
        figure(row.ns_max),
        rate(row.per_second),
        rate(row.deliveries_per_second),
    ]
}

fn ways(row: &Row) -> Vec<String> {
    let Some(latency) = &row.latency else {
        return vec![String::new(); 5];
    };
    vec![
        latency.p50.to_string(),
        format!("{} to {}", latency.p50_min, latency.p50_max),
        latency.p99.to_string(),
        latency.p999.to_string(),
        time(latency.max as f64),
    ]
}

/// A row's cost over that of the best row in a role that did the same work one by one, or in batches as this one.
fn ratio(rows: &[Row], row: &Row, role: Role) -> String {
    if row.side.scenario == Scenario::Limit {
        return String::new();
    }
    let work = Work::new(rows, row.side.scenario, row.class)
        .to(Some(row.side.participants))
        .variant(work_of(row))
        .by(alike(row.side.mode));
    match work.best_of(role, |row| Some(row.rank())) {
        Some((_, best)) if best > 0.0 => part(row.rank() / best),
        _ => String::new(),
    }
}

/// The variant that tells one work from another. Sleepers differ in how they sleep, and all do the same work.
pub(super) fn work_of(row: &Row) -> Option<&str> {
    (row.side.scenario != Scenario::T5).then_some(row.side.variant.as_str())
}

/// Where a work stands in a table. A variant that begins with a number stands by that.
pub(super) fn order_of(row: &Row) -> (u32, u64, Option<&str>) {
    let variant = work_of(row);
    let digits = variant.and_then(|variant| variant.split(' ').next());
    let number = digits.and_then(|digits| digits.parse().ok());
    (row.side.participants, number.unwrap_or(u64::MAX), variant)
}
