//! The figures that the README shows: written from `results/`, never by hand.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use serde::Deserialize;

use crate::probe::Distance;
use crate::report::{OURS, PAGE, PEERS, PLOTS, RAW, Role};

/// In front of the figures in the README.
const BEGIN: &str = "<!-- figures:begin -->\n";
/// Behind them.
const END: &str = "<!-- figures:end -->";

/// What stands there while there is no report.
const NONE: &str =
    "No figures were taken yet: `cargo bench -p smd-bench` writes them into `results/`.\n";

#[derive(Debug, Deserialize)]
struct Found {
    provenance: Origin,
    targets: Vec<Judged>,
    rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Origin {
    date: String,
    commit: String,
    command: String,
    processor: String,
    processors: usize,
    virtual_machine: bool,
}

#[derive(Debug, Deserialize)]
struct Judged {
    verdict: String,
}

#[derive(Debug, Deserialize)]
struct Row {
    scenario: String,
    contender: String,
    mode: String,
    participants: u32,
    class: String,
    #[serde(default)]
    variant: String,
    ns_median: f64,
    ns_min: f64,
    deliveries_per_second: Option<f64>,
    p50: Option<u64>,
}

/// The README of the project at `root` with the figures of `results/report.json` between its markers, or with a sentence
/// that says that there are none.
///
/// # Errors
/// A file is missing or not what it should be, the page is of another run than the raw data, or the README lacks a marker.
pub fn filled(root: &Path) -> io::Result<String> {
    let results = root.join("results");
    let section = match fs::read_to_string(results.join(RAW)) {
        Ok(raw) => {
            let found: Found = serde_json::from_str(&raw)?;
            check(&results, &found.provenance)?;
            section(&results, &found)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => NONE.to_owned(),
        Err(error) => return Err(error),
    };
    let readme = fs::read_to_string(root.join("README.md"))?;
    let lacks = |marker: &str| io::Error::other(format!("README.md lacks {}", marker.trim()));
    let begin = readme.find(BEGIN).ok_or_else(|| lacks(BEGIN))? + BEGIN.len();
    let end = begin + readme[begin..].find(END).ok_or_else(|| lacks(END))?;
    Ok(format!("{}{section}{}", &readme[..begin], &readme[end..]))
}

/// Writes the figures into the README.
///
/// # Errors
/// As for [`filled`], and those of writing.
pub fn fill(root: &Path) -> io::Result<()> {
    fs::write(root.join("README.md"), filled(root)?)
}

/// The page for people lies beside the raw data and comes from the same run.
fn check(results: &Path, from: &Origin) -> io::Result<()> {
    let page = fs::read_to_string(results.join(PAGE))
        .map_err(|error| io::Error::other(format!("results/{PAGE}: {error}")))?;
    if page.contains(&from.commit) && page.contains(&from.date) {
        Ok(())
    } else {
        Err(io::Error::other(format!("results/{PAGE} is of another run than results/{RAW}")))
    }
}

fn section(results: &Path, found: &Found) -> String {
    let mut text = String::new();
    for name in PLOTS.iter().filter(|name| results.join(name).is_file()) {
        let alt = name.trim_end_matches(".svg").replace('-', " ");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "![{alt}](results/{name})\n");
    }
    let distances = distances(&found.rows);
    text.push_str(&contenders(&found.rows, &distances));
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "\nMedians of each contender's best mode, {}: nanoseconds a message but where it says otherwise. *one to one* is over two\n\
         threads, *CPU to 8* on one, *one way* the p50 of a paced latency; the last contenders are bounds written by hand.\n",
        distances.join(" / ")
    );
    let few: Vec<&Row> =
        found.rows.iter().filter(|row| row.scenario == "T6" && row.contender == OURS).collect();
    if !few.is_empty() {
        text.push_str("\n| what few or none want | median, ns | min |\n|---|---:|---:|\n");
        for Row { variant, ns_median, ns_min, .. } in few {
            let _ = writeln!(text, "| {variant} | {ns_median:.1} | {ns_min:.1} |");
        }
    }
    text.push_str(&origin(found));
    text
}

/// What the columns show: head, scenario, modes, participants, and what of a row.
type Column = (&'static str, &'static str, &'static [&'static str], u32, fn(&Row) -> Option<f64>);

const COLUMNS: &[Column] = &[
    ("one to one", "T1", &["single", "block"], 1, |row| Some(row.ns_median)),
    ("one to one, batch", "T1", &["batch"], 1, |row| Some(row.ns_median)),
    ("to 8, M deliveries/s", "T2", &["single", "block", "batch"], 8, |row| {
        row.deliveries_per_second.map(|rate| rate / 1e6)
    }),
    ("CPU to 8", "T2S", &["single", "block", "batch"], 8, |row| Some(row.ns_median)),
    ("one way", "T4", &["single", "block", "batch"], 1, |row| row.p50.map(|p50| p50 as f64)),
];

fn contenders(rows: &[Row], distances: &[&str]) -> String {
    let mut names: Vec<&str> = rows.iter().map(|row| row.contender.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let bounds = names.iter().filter(|name| Role::of(name) == Role::Bound);
    let ordered = [OURS].iter().chain(PEERS).chain(bounds);
    let heads: Vec<&str> = COLUMNS.iter().map(|(head, ..)| *head).collect();
    let rule = "---:|".repeat(COLUMNS.len());
    let mut text = format!("| contender | {} |\n|---|{rule}\n", heads.join(" | "));
    for name in ordered {
        let cells: Vec<String> =
            COLUMNS.iter().map(|column| cell(rows, distances, name, column)).collect();
        if cells.iter().any(|cell| cell != "-") {
            let name = if *name == OURS { format!("**{name}**") } else { (*name).to_owned() };
            let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
        }
    }
    text
}

/// The distances at which the table was measured, for more than a handful of contenders.
fn distances(rows: &[Row]) -> Vec<&'static str> {
    let shown = |class: &str| {
        let of = |row: &&Row| {
            row.class == class
                && row.variant.is_empty()
                && COLUMNS.iter().any(|column| column.1 == row.scenario)
        };
        let mut contenders: Vec<_> = rows.iter().filter(of).map(|row| &row.contender).collect();
        contenders.sort_unstable();
        contenders.dedup();
        contenders.len()
    };
    let most = Distance::ALL.map(|distance| shown(distance.name())).into_iter().max().unwrap_or(0);
    let names = Distance::ALL.iter().map(|distance| distance.name());
    names.filter(|name| shown(name) > most / 2).collect()
}

/// A contender's best, at each distance, or on one thread.
fn cell(
    rows: &[Row],
    distances: &[&str],
    contender: &str,
    &(_, scenario, modes, participants, value): &Column,
) -> String {
    let best = |class: &str| {
        rows.iter()
            .filter(|row| {
                (row.scenario.as_str(), row.contender.as_str(), row.class.as_str())
                    == (scenario, contender, class)
                    && row.participants == participants
                    && row.variant.is_empty()
                    && modes.contains(&row.mode.as_str())
            })
            .filter_map(|row| Some((row.p50.map_or(row.ns_median, |p50| p50 as f64), value(row)?)))
            .min_by(|one, other| one.0.total_cmp(&other.0))
            .map(|(_, value)| value)
    };
    let digits = |value: Option<f64>| match value {
        None => "-".to_owned(),
        Some(value) if value < 99.95 => format!("{value:.1}"),
        Some(value) => format!("{value:.0}"),
    };
    if let any @ Some(_) = best("any") {
        return digits(any);
    }
    let values: Vec<_> = distances.iter().map(|distance| best(distance)).collect();
    if values.iter().all(Option::is_none) {
        return "-".to_owned();
    }
    values.into_iter().map(digits).collect::<Vec<_>>().join(" / ")
}

fn origin(found: &Found) -> String {
    let from = &found.provenance;
    let virtual_machine = if from.virtual_machine { ", a virtual machine" } else { "" };
    let count = |verdict| found.targets.iter().filter(|target| target.verdict == verdict).count();
    format!(
        "\nOf the targets {} were met, {} missed and {} left open: [results/{PAGE}](results/{PAGE}), where everything else is, too.\n\
         Measured {} at commit {} on {} processors of {}{virtual_machine}, and written here by\n`{}`.\n",
        count("met"),
        count("MISSED"),
        count("open"),
        from.date,
        from.commit,
        from.processors,
        from.processor,
        from.command
    )
}
