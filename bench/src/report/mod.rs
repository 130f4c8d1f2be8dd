//! From rounds to files.
//!
//! ```text
//!   rounds --> rows      one for each side and class of distance: medians, spread, latencies
//!                |
//!                +--> judge     targets, from the table in `targets`
//!                +--> page      REPORT.md: targets, scenarios, peers, census
//!                +--> short     the same for a terminal
//!                +--> plots     SVG, drawn by `chart`
//!                +--> json      report.json, and the short form
//!          `--------> logs      latencies in the HDR format
//! ```
//!
//! Ratios are taken inside one class of distance only. A round whose probes disagree is in no row; it is kept in the
//! JSON, and counted.

pub mod census;
mod chart;
pub mod contenders;
pub mod expected;
mod json;
pub mod judge;
mod logs;
pub mod numbers;
mod page;
mod peers;
mod plots;
pub mod rows;
pub mod scenarios;
mod short;
pub mod table;
pub mod targets;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use serde::Serialize;

use crate::machine::Provenance;
use crate::recorder::{Plan, Round};

pub use contenders::{OURS, PACKAGES, PEERS, Role};
pub use judge::{ENOUGH, Verdict};
pub use plots::FILES as PLOTS;
pub use rows::{Latency, Row, UNSTAMPED, rows};

/// The file that holds everything.
pub const RAW: &str = "report.json";
/// The page for people.
pub const PAGE: &str = "REPORT.md";

/// All that a run found.
#[derive(Debug)]
pub struct Report {
    /// Where it comes from.
    pub provenance: Provenance,
    /// How it was run.
    pub plans: Vec<Planned>,
    /// What was not measured, and why.
    pub left_out: Vec<String>,
    /// What became of the targets.
    pub verdicts: Vec<Verdict>,
    /// Medians by side and class.
    pub rows: Vec<Row>,
    /// Every round.
    pub rounds: Vec<Round>,
}

/// A plan, and what ran by it.
#[derive(Clone, Debug, Serialize)]
pub struct Planned {
    /// The scenarios, for people.
    pub of: String,
    /// How.
    #[serde(flatten)]
    pub plan: Plan,
}

/// The plan of a run in which all scenarios have the same.
impl From<Plan> for Planned {
    fn from(plan: Plan) -> Planned {
        Planned { of: "all scenarios".to_owned(), plan }
    }
}

impl Report {
    /// Sums up the rounds. There may be several plans: `[plan.into()]` is one.
    pub fn new(
        provenance: Provenance,
        plans: impl IntoIterator<Item = Planned>,
        left_out: Vec<String>,
        rounds: Vec<Round>,
    ) -> Report {
        let rows = rows(&rounds);
        let verdicts = judge::verdicts(&rows);
        Report { provenance, plans: plans.into_iter().collect(), left_out, verdicts, rows, rounds }
    }

    /// The targets that were clearly missed.
    pub fn missed(&self) -> Vec<&Verdict> {
        self.verdicts.iter().filter(|verdict| verdict.met == Some(false)).collect()
    }

    /// Writes the page, the JSON, the plots and the logs into a directory, and returns their paths. Plots and logs of an
    /// earlier report that this one does not have are removed, so that all files there are of one run.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        fs::create_dir_all(directory)?;
        let logs = directory.join("hdr");
        remove_old(&logs, "hlog")?;
        for name in PLOTS {
            remove(&directory.join(name))?;
        }
        let plots = plots::plots(&self.rows);
        let mut files = vec![
            (PAGE, page::page(self, &plots)),
            (RAW, json::whole(self).map_err(io::Error::other)?),
        ];
        files.extend(plots.into_iter().map(|plot| (plot.file, plot.svg)));
        let mut paths = Vec::new();
        for (name, text) in files {
            let path = directory.join(name);
            fs::write(&path, text)?;
            paths.push(path);
        }
        paths.extend(logs::write(&logs, &self.rounds)?);
        Ok(paths)
    }
}

/// The short form of a run for programs; see [`rows()`].
///
/// # Errors
/// None that is known; those of the serializer.
pub fn quick_json(rows: &[Row], left_out: &[String]) -> io::Result<String> {
    json::quick(rows, left_out).map_err(io::Error::other)
}

/// The short form, for a terminal.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        short::write(self, f)
    }
}

fn remove_old(directory: &Path, extension: &str) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
