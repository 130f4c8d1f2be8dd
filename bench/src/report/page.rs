//! `REPORT.md`.

use std::fmt::Write as _;

use crate::recorder::Class;
use crate::report::census::{self, Census};
use crate::report::contenders::PEERS;
use crate::report::judge::{ENOUGH, Verdict};
use crate::report::plots::Plot;
use crate::report::rows::UNSTAMPED;
use crate::report::table::Table;
use crate::report::{Planned, Report, peers, scenarios};
use crate::side::Scenario;

/// The page as markdown. Its pictures lie beside it.
pub(super) fn page(report: &Report, plots: &[Plot]) -> String {
    let mut page =
        String::from("# The bus beside its peers\n\nWritten by the benchmark; do not edit.\n\n");
    page.push_str(&provenance(report));
    page.push_str("\n## How to read it\n\n");
    page.push_str(&list(&reading()));
    page.push_str("\n## Targets\n\n");
    let targets = targets(&report.verdicts).markdown().replace("| MISSED |", "| **MISSED** |");
    // Writing to a string cannot fail.
    let _ = write!(page, "{}\n\n{}", tally(&report.verdicts), targets);
    let missed: Vec<_> = report.missed().into_iter().map(beside).collect();
    if !missed.is_empty() {
        page.push_str("\n### What was missed, and what stands beside it\n\n");
        page.push_str(&list(&missed));
    }
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
    page.push_str(&peers::section(&report.rows, &report.provenance.processor));
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
         threads: *smt* is under 33 ns one way, *near* 33 to 60, *mid* up to 120, *far* over that. What is wanted near is wanted in *mid*, too. A round counts if both probes agree, and is compared inside its \
         class only. What ran on one thread has no class.",
        "**Rounds** are short and all contenders take turns in random order, so that what the host does falls on all alike. A figure is \
         the median of a row's rounds; beside it stand the best and the worst, and between which two the middle half lies.",
        "**A ratio** is time over time in one class, so under 1 means faster: *to the best peer* over the best peer that sends one by one, or in \
         batches, as the row does; *to the bound* over the best of what was written by hand without what makes a bus, or over the bare system \
         call. Targets compare best modes, and those that ask for at least so many times compare rates.",
        "**p50, p99, p99.9** are of all rounds together. What lies beyond p99 on a virtual machine is mostly the host.",
    ]
    .map(str::to_owned)
    .to_vec()
}

pub(super) fn tally(verdicts: &[Verdict]) -> String {
    let count = |met| verdicts.iter().filter(|verdict| verdict.met == met).count();
    format!(
        "{} met, {} missed, {} open: a target is open if a side has under {ENOUGH} rounds in its class.",
        count(Some(true)),
        count(Some(false)),
        count(None)
    )
}

/// A target that was missed, and what stands beside it.
fn beside(verdict: &Verdict) -> String {
    let Verdict { scenario, target, class, measured, beside, .. } = verdict;
    let class = class.map_or("-", Class::name);
    format!("**{}, {class}: {target}**: {measured}; {beside}.", scenario.name())
}

pub(super) fn targets(verdicts: &[Verdict]) -> Table {
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

/// What the run lacks: what it was told to leave out, what nobody took part in, and rounds that count for nothing.
pub(super) fn left_out(report: &Report) -> Vec<String> {
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
            "{} of {over_two} rounds over two threads are in no table, because the distance changed in them. They are in the raw data.",
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
