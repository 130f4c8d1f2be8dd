//! What came out: a table for the terminal, a page and the raw rounds for `results/`.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Serialize;

use crate::machine::Provenance;
use crate::peers::{PacedTokio, Peer, Smd, SmdBatch, Tokio};
use crate::probe::Distance;
use crate::recorder::{Place, Plan, Round, Summary};
use crate::workload::{one_thread, two_threads, uninterested, unwanted};

/// Rounds of a side at one distance without which a target is left open.
const ENOUGH: usize = 5;

/// All that a run of the figures found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Where it comes from.
    pub provenance: Provenance,
    /// How it was run.
    pub plan: Plan,
    /// What was not measured, and why.
    pub left_out: Vec<String>,
    /// Nanoseconds of one stamp, which every send on every side pays.
    pub stamp: Option<Summary>,
    /// The targets and what became of them.
    pub targets: Vec<Target>,
    /// Medians by workload, side and place.
    pub lines: Vec<Line>,
    /// Every round.
    pub rounds: Vec<Round>,
}

/// The rounds of one side in one place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The workload's name.
    pub workload: &'static str,
    /// The side's name.
    pub side: String,
    /// Where.
    pub place: Place,
    /// Nanoseconds per message.
    pub summary: Summary,
    /// Allocations in all rounds together, where they were counted.
    pub allocations: Option<u64>,
}

/// One target, in one place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Target {
    /// What is compared.
    pub what: String,
    /// What was wanted.
    pub wanted: String,
    /// What was measured.
    pub measured: String,
    /// Whether that is enough; `None` if there were too few rounds to say.
    pub met: Option<bool>,
}

impl Target {
    fn verdict(&self) -> &'static str {
        match self.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "open",
        }
    }
}

impl Report {
    /// Sums up the rounds.
    pub fn new(
        provenance: Provenance,
        plan: Plan,
        left_out: Vec<String>,
        stamp: Option<Summary>,
        rounds: Vec<Round>,
    ) -> Report {
        let lines = lines(&rounds);
        Report { targets: targets(&lines), provenance, plan, left_out, stamp, lines, rounds }
    }

    /// Whether a target was clearly missed.
    pub fn missed(&self) -> bool {
        self.targets.iter().any(|target| target.met == Some(false))
    }

    /// Rounds over two threads that counted for nothing because the probes disagreed.
    fn rounds_without_place(&self) -> usize {
        self.rounds.iter().filter(|round| round.place.is_none()).count()
    }

    /// Writes `name.md` and `name.json` into `directory`, and returns their paths.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, directory: &Path, name: &str) -> io::Result<[PathBuf; 2]> {
        fs::create_dir_all(directory)?;
        let page = directory.join(name).with_extension("md");
        let raw = directory.join(name).with_extension("json");
        fs::write(&page, self.page())?;
        fs::write(&raw, self.raw().map_err(io::Error::other)?)?;
        Ok([page, raw])
    }

    /// The page as markdown.
    pub fn page(&self) -> String {
        let mut page =
            String::from("# First figures\n\nWritten by the benchmark; do not edit.\n\n");
        let plan = format!(
            "{} turns of {} ms rounds after {} that do not count, seed {}",
            self.plan.turns, self.plan.millis, self.plan.warm_up, self.plan.seed
        );
        for (name, value) in self.provenance.rows().into_iter().chain([("plan", plan)]) {
            // Writing to a string cannot fail.
            let _ = writeln!(page, "* {name}: {value}");
        }
        let _ = write!(page, "\n## Targets\n\n{}", Table::of_targets(&self.targets).markdown());
        let _ = write!(page, "\n## Figures\n\n{}", Table::of_lines(&self.lines).markdown());
        page.push('\n');
        for note in self.notes() {
            let _ = writeln!(page, "* {note}");
        }
        page
    }

    fn raw(&self) -> serde_json::Result<String> {
        // One line for each round, so that the file can be compared and searched.
        let mut raw = serde_json::to_string(self)?
            .replace("\"rounds\":[{", "\"rounds\":[\n{")
            .replace("},{\"turn\"", "},\n{\"turn\"");
        raw.push('\n');
        Ok(raw)
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec![
            "Figures are nanoseconds per message. On one thread they are the thread's processor time, but for \
             the sends past the uninterested, where the sends alone are timed; over two threads they run from the \
             first send to the last receipt."
                .to_owned(),
            "Every message carries 64 bytes and a stamp that its sender took from the same clock; receivers filter \
             by class and read all bytes through one function. Each round checked that nothing was lost, the order \
             was right and the bytes were right."
                .to_owned(),
            "smt, near and far are distances between the two processors: under 33 ns, 33 to 60 and over 120 for \
             one way of a cache line, before and after the round alike."
                .to_owned(),
        ];
        if let Some(stamp) = self.stamp {
            notes.push(format!(
                "One stamp, which every send on every side pays: {:.1} ns (best {:.1}).",
                stamp.median, stamp.least
            ));
        }
        let without = self.rounds_without_place();
        if without > 0 {
            notes.push(format!(
                "{without} of {} rounds over two threads are left out of the table, because the distance changed \
                 or lay between the classes.",
                self.rounds.iter().filter(|round| round.handoff.is_some()).count()
            ));
        }
        notes.extend(self.left_out.iter().map(|what| format!("Left out: {what}.")));
        notes
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", Table::of_lines(&self.lines))?;
        writeln!(f, "{}", Table::of_targets(&self.targets))?;
        self.notes().iter().try_for_each(|note| writeln!(f, "* {note}"))
    }
}

fn lines(rounds: &[Round]) -> Vec<Line> {
    let mut keys: Vec<(&'static str, &str, Place)> = rounds
        .iter()
        .filter_map(|round| Some((round.workload, round.side.as_str(), round.place?)))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter()
        .filter_map(|(workload, side, place)| {
            let of = |round: &&Round| {
                round.workload == workload && round.side == side && round.place == Some(place)
            };
            let mine = || rounds.iter().filter(of);
            Some(Line {
                workload,
                side: side.to_owned(),
                place,
                summary: Summary::of(mine().map(Round::figure))?,
                allocations: mine().map(|round| round.allocations).sum(),
            })
        })
        .collect()
}

fn targets(lines: &[Line]) -> Vec<Target> {
    let at = |workload: &str, side: &str, place: Place| {
        lines
            .iter()
            .find(|line| line.workload == workload && line.side == side && line.place == place)
    };
    let alone = |workload, side| at(workload, side, Place::OneThread);
    let mut targets = vec![
        ratio(
            format!("{}, over {}", one_thread::NAME, Tokio::NAME),
            "at most 0.60",
            alone(one_thread::NAME, Smd::NAME),
            alone(one_thread::NAME, Tokio::NAME),
            |ratio| ratio <= 0.6,
        ),
        unwanted_target(alone(unwanted::NAME, unwanted::SENDER)),
        ratio(
            format!("{}, 1000 over 1", uninterested::NAME),
            "at most 1.10",
            alone(uninterested::NAME, &uninterested::side(1000)),
            alone(uninterested::NAME, &uninterested::side(1)),
            |ratio| ratio <= 1.1,
        ),
    ];
    for distance in [Distance::Smt, Distance::Near, Distance::Far] {
        let place = Place::TwoThreads(distance);
        for side in [Smd::NAME, SmdBatch::NAME] {
            targets.push(ratio(
                format!(
                    "{}, {}: {side} over {}",
                    two_threads::NAME,
                    place.name(),
                    PacedTokio::NAME
                ),
                "under 1.00",
                at(two_threads::NAME, side, place),
                at(two_threads::NAME, PacedTokio::NAME, place),
                |ratio| ratio < 1.0,
            ));
        }
    }
    targets
}

/// A target for the ratio of two medians.
fn ratio(
    what: String,
    wanted: &str,
    ours: Option<&Line>,
    theirs: Option<&Line>,
    enough: impl Fn(f64) -> bool,
) -> Target {
    let (measured, met) = match (ours, theirs) {
        (Some(ours), Some(theirs)) => {
            let ratio = ours.summary.median / theirs.summary.median;
            let rounds = ours.summary.rounds.min(theirs.summary.rounds);
            (format!("{ratio:.2}"), (rounds >= ENOUGH).then(|| enough(ratio)))
        }
        _ => ("no rounds".to_owned(), None),
    };
    Target { what, wanted: wanted.to_owned(), measured, met }
}

fn unwanted_target(line: Option<&Line>) -> Target {
    let (measured, met) = match line {
        None => ("no rounds".to_owned(), None),
        Some(Line { allocations: None, .. }) => ("allocations not counted".to_owned(), None),
        Some(Line { summary, allocations: Some(allocations), .. }) => (
            format!("{:.2} ns, {allocations} allocations", summary.median),
            (summary.rounds >= ENOUGH).then_some(summary.median < 3.0 && *allocations == 0),
        ),
    };
    Target {
        what: unwanted::NAME.to_owned(),
        wanted: "under 3 ns, 0 allocations".to_owned(),
        measured,
        met,
    }
}

/// Rows of cells, the first of which is the head.
struct Table(Vec<Vec<String>>);

impl Table {
    fn of_lines(lines: &[Line]) -> Table {
        let head =
            ["workload", "side", "where", "rounds", "median", "least", "greatest", "allocations"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(lines.iter().map(|line| {
            let Summary { rounds, median, least, greatest } = line.summary;
            vec![
                line.workload.to_owned(),
                line.side.clone(),
                line.place.name().to_owned(),
                rounds.to_string(),
                format!("{median:.2}"),
                format!("{least:.2}"),
                format!("{greatest:.2}"),
                line.allocations.map_or_else(|| "-".to_owned(), |count| count.to_string()),
            ]
        }));
        Table(rows)
    }

    fn of_targets(targets: &[Target]) -> Table {
        let mut rows =
            vec![["target", "wanted", "measured", "verdict"].map(str::to_owned).to_vec()];
        rows.extend(targets.iter().map(|target| {
            let Target { what, wanted, measured, .. } = target;
            vec![what.clone(), wanted.clone(), measured.clone(), target.verdict().to_owned()]
        }));
        Table(rows)
    }

    fn markdown(&self) -> String {
        let mut text = String::new();
        for (index, row) in self.0.iter().enumerate() {
            let _ = writeln!(text, "| {} |", row.join(" | "));
            if index == 0 {
                let _ = writeln!(text, "|{}", "---|".repeat(row.len()));
            }
        }
        text
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.0.first().map_or(0, Vec::len);
        let width = |column: usize| self.0.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.0 {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(
        workload: &'static str,
        side: &str,
        place: Option<Place>,
        nanos: &[f64],
    ) -> Vec<Round> {
        let round = |(turn, &nanos)| Round {
            turn,
            workload,
            side: side.to_owned(),
            place,
            messages: 1,
            nanos,
            cpu_nanos: None,
            allocations: Some(0),
            handoff: None,
        };
        nanos.iter().enumerate().map(round).collect()
    }

    #[test]
    fn a_target_needs_enough_rounds_at_one_distance() {
        let near = Some(Place::TwoThreads(Distance::Near));
        let mut all = rounds(two_threads::NAME, Smd::NAME, near, &[10.0; 5]);
        all.extend(rounds(two_threads::NAME, PacedTokio::NAME, near, &[20.0; 4]));
        all.extend(rounds(two_threads::NAME, PacedTokio::NAME, None, &[1.0; 9]));
        let verdict = |all: &[Round]| {
            let targets = targets(&lines(all));
            let named =
                |target: &Target| target.what.contains("near") && !target.what.contains("batch");
            targets.into_iter().find(named).and_then(|target| target.met)
        };
        assert_eq!(verdict(&all), None);
        all.extend(rounds(two_threads::NAME, PacedTokio::NAME, near, &[20.0]));
        assert_eq!(verdict(&all), Some(true));
        all.extend(rounds(two_threads::NAME, Smd::NAME, near, &[90.0; 9]));
        assert_eq!(verdict(&all), Some(false));
    }

    #[test]
    fn one_allocation_misses_the_target_of_none() {
        let alone = Some(Place::OneThread);
        let mut all = rounds(unwanted::NAME, unwanted::SENDER, alone, &[1.0; 5]);
        assert_eq!(unwanted_target(lines(&all).first()).met, Some(true));
        all[3].allocations = Some(1);
        assert_eq!(unwanted_target(lines(&all).first()).met, Some(false));
        all[3].allocations = None;
        assert_eq!(unwanted_target(lines(&all).first()).met, None);
    }
}
