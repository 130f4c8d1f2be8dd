//! `REPORT.md`, and the short form for a terminal.

use std::fmt::{self, Write as _};

use crate::recorder::Class;
use crate::report::census::{self, Census};
use crate::report::contenders::{PEERS, Role, Work};
use crate::report::expected::{self, Comparison, NEAR_ENOUGH, REASONS};
use crate::report::judge::{ENOUGH, Verdict};
use crate::report::numbers::{bytes, part, plain, time};
use crate::report::plots::Plot;
use crate::report::rows::{Row, UNSTAMPED};
use crate::report::table::Table;
use crate::report::{Planned, Report, scenarios};
use crate::side::{Scenario, Unit};

/// The page as markdown. Its pictures lie beside it.
pub(super) fn page(report: &Report, plots: &[Plot]) -> String {
    let mut page =
        String::from("# The bus beside its peers\n\nWritten by the benchmark; do not edit.\n\n");
    page.push_str(&provenance(report));
    page.push_str("\n## How to read it\n\n");
    page.push_str(&list(&reading()));
    page.push_str("\n## Targets\n\n");
    // Writing to a string cannot fail.
    let _ = write!(page, "{}\n\n{}", tally(&report.verdicts), targets(&report.verdicts).markdown());
    page.push_str("\n## Pictures\n");
    for plot in plots {
        let _ = write!(page, "\n![{}]({})\n", plot.alt, plot.file);
    }
    if plots.is_empty() {
        page.push_str("\nNo scenario that has one was measured.\n");
    }
    page.push_str("\n## Scenarios\n");
    page.push_str(&scenarios::sections(&report.rows));
    page.push_str("\n## Peers without stamps\n\n");
    page.push_str(&peers(&report.rows));
    page.push_str("\n## Rounds and the host\n\n");
    let _ = write!(
        page,
        "{}\n\n{}",
        census::stalls(&Census::of(&report.rounds)),
        census::table(&report.rounds).markdown()
    );
    page.push_str("\n## Left out\n\n");
    page.push_str(&list(&left_out(report)));
    page
}

/// For a terminal: what was measured in a line each, then the targets, then what is missing.
pub(super) fn short(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "{}", summary(&report.rows))?;
    writeln!(f, "{}", targets(&report.verdicts))?;
    writeln!(f, "{}", tally(&report.verdicts))?;
    writeln!(f, "{}", census::stalls(&Census::of(&report.rounds)))?;
    left_out(report).iter().try_for_each(|what| writeln!(f, "{what}"))
}

fn list(items: &[String]) -> String {
    items.iter().map(|item| format!("* {item}\n")).collect()
}

fn provenance(report: &Report) -> String {
    let mut rows: Vec<String> =
        report.provenance.rows().iter().map(|(name, value)| format!("{name}: {value}")).collect();
    rows.extend(report.plans.iter().map(|Planned { of, plan }| {
        format!(
            "plan of {of}: {} turns of {} ms rounds after {} that do not count, seed {}",
            plan.turns, plan.millis, plan.warm_up, plan.seed
        )
    }));
    list(&rows)
}

fn reading() -> Vec<String> {
    [
        "**Equal work.** Every message carries a class, 64 bytes, and a stamp that its sender took from the same clock. \
         Every receiver filters by class and reads all bytes through one function that the compiler may not inline. Each round \
         checked that nothing was lost, that the order was right, and that the bytes were right.",
        "**Modes.** *single*: one call and one stamp for each message. *block*: the same with calls that wait. *batch*: one \
         call and one stamp for 32.",
        "**Distance.** The host moves the processors of a virtual machine about while it runs, and what crosses between two \
         threads then costs from three to fifteen times as much. So a cache line goes to and fro before and after each round over two \
         threads: *smt* is under 33 ns one way, *near* 33 to 60, *far* over 120. A round counts if both probes agree, and is compared inside its \
         class only. What ran on one thread has no class.",
        "**Rounds** are short and all contenders take turns in random order, so that what the host does falls on all alike. A figure is \
         the median of a row's rounds; beside it stand the best and the worst, and between which two the middle half lies.",
        "**A ratio** is time over time in one class, so under 1 means faster: *to the best peer* over the best peer's best mode, *to the \
         bound* over the best that a hand-written ring without filter, stamp order or sleepers reaches, or the bare system call. Targets \
         that ask for at least so many times compare rates.",
        "**p50, p99, p99.9** are of all rounds together. What lies beyond p99 on a virtual machine is mostly the host.",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn tally(verdicts: &[Verdict]) -> String {
    let count = |met| verdicts.iter().filter(|verdict| verdict.met == met).count();
    format!(
        "{} met, {} missed, {} open: a target is open if a side has under {ENOUGH} rounds in its class.",
        count(Some(true)),
        count(Some(false)),
        count(None)
    )
}

fn targets(verdicts: &[Verdict]) -> Table {
    let mut table = Table::new(["", "target", "class", "wanted", "measured", "rounds", "verdict"]);
    for verdict in verdicts {
        table.push([
            verdict.scenario.name(),
            &verdict.target,
            verdict.class.map_or("-", Class::name),
            &verdict.wanted,
            &verdict.measured,
            &verdict.rounds.to_string(),
            verdict.name(),
        ]);
    }
    table
}

/// A line for each work that was done: the bus in its best mode, the best peer, and the best of what was written by hand.
fn summary(rows: &[Row]) -> Table {
    let mut works: Vec<(Scenario, Class, u32, &str)> = rows
        .iter()
        .filter(|row| row.is_stamped())
        .map(|row| (row.side.scenario, row.class, row.side.participants, row.side.variant.as_str()))
        .collect();
    works.sort_unstable();
    works.dedup();
    let head =
        ["", "class", "to", "variant", "smd", "", "best peer", "", "ratio", "bound", "", "ratio"];
    let mut table = Table::new(head);
    for (scenario, class, participants, variant) in works {
        let work = Work::new(rows, scenario, class).to(Some(participants)).variant(Some(variant));
        let best = |role| work.best_of(role, |row| Some(row.rank()));
        let ours = best(Role::Ours);
        let cells = |found: Option<(&Row, f64)>| match found {
            Some((row, rank)) => {
                [format!("{} {}", row.side.contender, row.side.mode.name()), amount(row, rank)]
            }
            None => [String::new(), String::new()],
        };
        let ratio = |other: Option<(&Row, f64)>| match (ours, other) {
            (Some((_, ours)), Some((_, other))) if other > 0.0 => part(ours / other),
            _ => String::new(),
        };
        let place =
            [scenario.name(), class.name(), &participants.to_string(), variant].map(str::to_owned);
        let (peer, bound) = (best(Role::Peer), best(Role::Bound));
        let ours = ours.map_or([String::new(), String::new()], |(row, rank)| {
            [row.side.mode.name().to_owned(), amount(row, rank)]
        });
        table.push(
            place
                .into_iter()
                .chain(ours)
                .chain(cells(peer))
                .chain([ratio(peer)])
                .chain(cells(bound))
                .chain([ratio(bound)]),
        );
    }
    table.without_empty_columns()
}

fn amount(row: &Row, value: f64) -> String {
    if row.side.unit == Unit::Bytes { bytes(value) } else { time(value) }
}

fn peers(rows: &[Row]) -> String {
    let comparisons = expected::comparisons(rows);
    if comparisons.is_empty() {
        return "No round without stamps was measured.\n".to_owned();
    }
    let mut table = Table::new([
        "",
        "contender",
        "mode",
        "to",
        "class",
        "rounds",
        "here",
        "expected",
        "ratio",
        "",
    ]);
    for compared in &comparisons {
        let side = compared.side;
        table.push([
            side.scenario.name().to_owned(),
            side.contender.to_owned(),
            side.mode.name().to_owned(),
            side.participants.to_string(),
            compared.class.name().to_owned(),
            compared.runs.to_string(),
            plain(compared.here),
            compared.expected.map_or_else(|| "-".to_owned(), plain),
            compared.ratio().map_or_else(|| "-".to_owned(), part),
            mark(compared),
        ]);
    }
    let known = comparisons.iter().filter(|compared| compared.expected.is_some()).count();
    let off = comparisons.iter().filter(|compared| !compared.is_near()).count();
    format!(
        "Whether the peers are used as well as elsewhere: nanoseconds a message without stamps here, and what a program that measured \
         nothing but peers found on the same kind of machine. In {} the stamps stay on, as there, and the figure is p50. {off} of {known} \
         lie further than {} % apart. Rows without a figure from there are shown for completeness.\n\n{}",
        Scenario::T4.name(),
        plain(100.0 * NEAR_ENOUGH),
        table.markdown()
    )
}

fn mark(compared: &Comparison<'_>) -> String {
    if compared.is_near() {
        return String::new();
    }
    let side = compared.side;
    let reason = REASONS
        .iter()
        .find(|reason| (reason.scenario, reason.contender) == (side.scenario, side.contender));
    let word = if compared.ratio().is_some_and(|ratio| ratio < 1.0) { "faster" } else { "SLOWER" };
    reason.map_or_else(|| word.to_owned(), |reason| format!("{word}: {}", reason.why))
}

/// What the run lacks: what it was told to leave out, what nobody took part in, and rounds that count for nothing.
fn left_out(report: &Report) -> Vec<String> {
    let mut left_out = report.left_out.clone();
    let ran = |scenario| report.rounds.iter().any(|round| round.side.scenario == scenario);
    let missing: Vec<&str> =
        Scenario::ALL.into_iter().filter(|&scenario| !ran(scenario)).map(Scenario::name).collect();
    if !missing.is_empty() {
        left_out.push(format!("No rounds of {}.", missing.join(", ")));
    }
    let absent: Vec<&str> = PEERS
        .iter()
        .filter(|peer| !report.rounds.iter().any(|round| round.side.contender == **peer))
        .copied()
        .collect();
    if !absent.is_empty() {
        left_out.push(format!("No rounds of these peers: {}.", absent.join(", ")));
    }
    let census = Census::of(&report.rounds);
    let over_two = census.rounds - census.any;
    if census.without > 0 {
        left_out.push(format!(
            "{} of {over_two} rounds over two threads are in no table, because the distance changed in them or lay between the \
             classes. They are in the raw data.",
            census.without
        ));
    }
    if report.rows.iter().any(|row| row.side.variant == UNSTAMPED) {
        left_out.push("Rows without stamps are compared with what was expected of them, and with nothing else.".to_owned());
    }
    if left_out.is_empty() {
        left_out.push("Nothing.".to_owned());
    }
    left_out
}
