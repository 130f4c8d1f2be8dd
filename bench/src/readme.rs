//! The figures that the README shows: written from `results/`, never by hand.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use serde::Deserialize;

/// In front of the figures in the README.
const BEGIN: &str = "<!-- figures:begin -->\n";
/// Behind them.
const END: &str = "<!-- figures:end -->";

#[derive(Debug, Deserialize)]
struct Found {
    provenance: Origin,
    lines: Vec<Line>,
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
struct Line {
    workload: String,
    side: String,
    place: String,
    summary: Median,
}

#[derive(Debug, Deserialize)]
struct Median {
    rounds: usize,
    median: f64,
    least: f64,
}

/// The README of the project at `root` with the figures of `results/first.json` between its markers.
///
/// # Errors
/// A file is missing or not what it should be, or the README lacks a marker.
pub fn filled(root: &Path) -> io::Result<String> {
    let raw = fs::read_to_string(root.join("results/first.json"))?;
    let found: Found = serde_json::from_str(&raw)?;
    let readme = fs::read_to_string(root.join("README.md"))?;
    let lacks = |marker: &str| io::Error::other(format!("README.md lacks {}", marker.trim()));
    let begin = readme.find(BEGIN).ok_or_else(|| lacks(BEGIN))? + BEGIN.len();
    let end = begin + readme[begin..].find(END).ok_or_else(|| lacks(END))?;
    Ok(format!("{}{}{}", &readme[..begin], section(&found), &readme[end..]))
}

/// Writes the figures into the README.
///
/// # Errors
/// As for [`filled`], and those of writing.
pub fn fill(root: &Path) -> io::Result<()> {
    fs::write(root.join("README.md"), filled(root)?)
}

fn section(found: &Found) -> String {
    let from = &found.provenance;
    let virtual_machine = if from.virtual_machine { ", a virtual machine" } else { "" };
    let mut text =
        String::from("| what | side | where | median, ns a message | least | rounds |\n");
    text.push_str("|---|---|---|---|---|---|\n");
    for line in &found.lines {
        let Line { workload, side, place, summary: Median { rounds, median, least } } = line;
        let place = place.replace('-', " ");
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {workload} | {side} | {place} | {median:.1} | {least:.1} | {rounds} |"
        );
    }
    let _ = write!(
        text,
        "\nMeasured {} at commit {} on {} processors of {}{virtual_machine}, and written here by\n`{}`.\n",
        from.date, from.commit, from.processors, from.processor, from.command
    );
    text
}
