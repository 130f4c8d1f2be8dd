//! The counts that were agreed on, each with the reason for its last change, and what a new count says about them.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::callgrind::Count;

/// By how much a count may grow: rounding at one more or one less message in a segment is far below it, one more
/// instruction in an unwanted send is above.
pub const ALLOWED: f64 = 0.02;

/// Under what conditions counts compare.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// The compiler, as it says it.
    pub compiler: String,
    /// Processor, system and C library that it compiles for.
    pub target: String,
    /// Cargo's profile.
    pub profile: String,
}

/// The stored counts; by default none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The command that writes it.
    pub command: String,
    /// Where its counts are from.
    #[serde(flatten)]
    pub conditions: Conditions,
    /// What counted them.
    pub valgrind: String,
    /// One for each operation.
    pub counts: Vec<Stored>,
}

/// One stored count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// The operation.
    pub operation: String,
    /// What one of it is.
    pub what: String,
    /// Instructions of one, rounded: for the reader of the file.
    pub each: f64,
    /// Instructions of all.
    pub instructions: u64,
    /// How many that were.
    pub operations: u64,
    /// Why the count is what it is.
    pub reason: String,
}

/// What a new count says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same to the last instruction.
    Equal,
    /// A little more or less.
    Within,
    /// More than [`ALLOWED`] less.
    Shrunk,
    /// More than [`ALLOWED`] more.
    Grown,
    /// Counted now, and not in the baseline.
    New,
    /// In the baseline, and not counted any more.
    Gone,
}

impl Verdict {
    /// Whether the gate stays closed.
    pub fn fails(self) -> bool {
        matches!(self, Verdict::Grown | Verdict::New | Verdict::Gone)
    }

    /// For the table.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Equal => "equal",
            Verdict::Within => "within",
            Verdict::Shrunk => "less; store it, or it may come back unseen",
            Verdict::Grown => "GROWN",
            Verdict::New => "NOT IN THE BASELINE",
            Verdict::Gone => "NOT COUNTED ANY MORE",
        }
    }
}

/// A count beside the stored one.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// The operation.
    pub operation: String,
    /// Instructions of one, as stored.
    pub stored: Option<f64>,
    /// Instructions of one, as counted now.
    pub counted: Option<f64>,
    /// What that says.
    pub verdict: Verdict,
}

impl Count {
    /// Instructions of one operation.
    pub fn each(self) -> f64 {
        self.instructions as f64 / self.operations as f64
    }
}

impl Stored {
    fn count(&self) -> Count {
        Count { instructions: self.instructions, operations: self.operations }
    }
}

impl Baseline {
    /// The stored counts, or `None` if there are none yet.
    ///
    /// # Errors
    /// If the file cannot be read, or says something that no count can be compared with.
    pub fn load(path: &Path) -> Result<Option<Baseline>, String> {
        let named = |error: String| format!("{}: {error}", path.display());
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(named(error.to_string())),
        };
        let baseline: Baseline = serde_json::from_str(&text).map_err(|e| named(e.to_string()))?;
        for stored in &baseline.counts {
            if stored.operations == 0 || stored.instructions == 0 {
                return Err(named(format!("{} was not counted", stored.operation)));
            }
            if stored.reason.trim().is_empty() {
                return Err(named(format!("{} has no reason", stored.operation)));
            }
        }
        Ok(Some(baseline))
    }

    /// Writes it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), String> {
        let named = |error: String| format!("{}: {error}", path.display());
        let text = serde_json::to_string_pretty(self).map_err(|error| named(error.to_string()))?;
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(|error| named(error.to_string()))?;
        }
        fs::write(path, text + "\n").map_err(|error| named(error.to_string()))
    }

    /// Every operation that was counted now or is stored.
    pub fn compare(&self, counted: &[(&str, Count)]) -> Vec<Compared> {
        let stored = |name: &str| self.counts.iter().find(|stored| stored.operation == name);
        let now = counted.iter().map(|&(name, count)| {
            let before = stored(name).map(Stored::count);
            Compared {
                operation: name.to_owned(),
                stored: before.map(Count::each),
                counted: Some(count.each()),
                verdict: before.map_or(Verdict::New, |before| judge(before, count)),
            }
        });
        let gone = self.counts.iter().filter(|stored| {
            let name = stored.operation.as_str();
            !counted.iter().any(|&(counted, _)| counted == name)
        });
        let gone = gone.map(|stored| Compared {
            operation: stored.operation.clone(),
            stored: Some(stored.count().each()),
            counted: None,
            verdict: Verdict::Gone,
        });
        now.chain(gone).collect()
    }

    /// The counts of now: a count that changed gets the reason, one that did not keeps its own.
    pub fn renewed(
        old: Option<&Baseline>,
        conditions: Conditions,
        (command, valgrind): (&str, &str),
        counted: &[(&str, &str, Count)],
        reason: &str,
    ) -> Baseline {
        let counts = counted.iter().map(|&(operation, what, count)| {
            let before = old.and_then(|old| old.counts.iter().find(|s| s.operation == operation));
            let same = before.filter(|before| before.count() == count);
            Stored {
                operation: operation.to_owned(),
                what: what.to_owned(),
                each: (count.each() * 100.0).round() / 100.0,
                instructions: count.instructions,
                operations: count.operations,
                reason: same.map_or(reason, |before| &before.reason).to_owned(),
            }
        });
        Baseline {
            command: command.to_owned(),
            conditions,
            valgrind: valgrind.to_owned(),
            counts: counts.collect(),
        }
    }
}

fn judge(stored: Count, counted: Count) -> Verdict {
    if stored == counted {
        Verdict::Equal
    } else if counted.each() > stored.each() * (1.0 + ALLOWED) {
        Verdict::Grown
    } else if counted.each() < stored.each() * (1.0 - ALLOWED) {
        Verdict::Shrunk
    } else {
        Verdict::Within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions() -> Conditions {
        let [compiler, target, profile] = ["rustc 1", "a-b-c", "bench"].map(str::to_owned);
        Conditions { compiler, target, profile }
    }

    fn of(instructions: u64) -> Count {
        Count { instructions, operations: 100 }
    }

    fn baseline(old: Option<&Baseline>, counts: &[(&str, u64)], reason: &str) -> Baseline {
        let counted: Vec<_> = counts.iter().map(|&(name, n)| (name, "what", of(n))).collect();
        Baseline::renewed(old, conditions(), ("command", "valgrind"), &counted, reason)
    }

    #[test]
    fn two_percent_more_pass_and_an_instruction_more_than_that_does_not() {
        let stored = baseline(None, &[("send", 10_000)], "first");
        let verdict = |now| stored.compare(&[("send", of(now))])[0].verdict;
        assert_eq!(verdict(10_000), Verdict::Equal);
        assert_eq!(verdict(10_200), Verdict::Within);
        assert_eq!(verdict(10_201), Verdict::Grown);
        assert_eq!(verdict(9_800), Verdict::Within);
        assert_eq!(verdict(9_799), Verdict::Shrunk);
        assert!(!verdict(1).fails());
    }

    #[test]
    fn the_mean_counts_when_the_number_of_operations_changes() {
        let stored = baseline(None, &[("send", 10_000)], "first");
        let twice = Count { instructions: 20_000, operations: 200 };
        assert_eq!(stored.compare(&[("send", twice)])[0].verdict, Verdict::Within);
    }

    #[test]
    fn an_operation_that_comes_or_goes_fails() {
        let stored = baseline(None, &[("send", 10_000)], "first");
        let verdicts: Vec<_> =
            stored.compare(&[("drain", of(1))]).iter().map(|compared| compared.verdict).collect();
        assert_eq!(verdicts, [Verdict::New, Verdict::Gone]);
        assert!(verdicts.iter().all(|verdict| verdict.fails()));
    }

    #[test]
    fn a_reason_goes_to_what_changed_only() {
        let first = baseline(None, &[("send", 10_000), ("drain", 7)], "first");
        let second = baseline(Some(&first), &[("send", 10_000), ("drain", 8)], "second");
        let reasons: Vec<_> = second.counts.iter().map(|stored| stored.reason.as_str()).collect();
        assert_eq!(reasons, ["first", "second"]);
    }

    #[test]
    fn what_is_saved_is_loaded_and_a_figure_without_a_reason_is_not() {
        let directory = std::env::temp_dir().join(format!("smd-baseline-{}", std::process::id()));
        let path = directory.join("deeper/instructions.json");
        assert_eq!(Baseline::load(&path), Ok(None));
        let first = baseline(None, &[("send", 10_000)], "first");
        assert_eq!(first.save(&path), Ok(()));
        assert_eq!(Baseline::load(&path), Ok(Some(first)));
        assert_eq!(baseline(None, &[("send", 10_000)], " ").save(&path), Ok(()));
        assert!(Baseline::load(&path).is_err_and(|error| error.contains("send has no reason")));
        assert!(fs::write(&path, "{}").is_ok());
        assert!(Baseline::load(&path).is_err_and(|error| error.contains("instructions.json")));
        assert!(fs::remove_dir_all(directory).is_ok());
    }
}
