//! The checkers that watch the bus while it runs: the stages of `scripts/verify-tools.sh`.

use std::time::Duration;

use super::{root, run};

/// The stages, in the order of the script's own `all`.
const STAGES: [&str; 6] = ["miri", "miri-32", "miri-be", "tsan", "valgrind", "stress"];

/// What the script ends with when a stage lacks its tool.
const SKIPPED: i32 = 77;

/// No stage takes longer.
const LIMIT: Duration = Duration::from_secs(4 * 3_600);

/// What became of a stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    Clean,
    Skipped,
    Failed,
}

impl Found {
    pub(super) fn name(self) -> &'static str {
        match self {
            Found::Clean => "clean",
            Found::Skipped => "skipped",
            Found::Failed => "FAILED",
        }
    }
}

/// One stage.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) stage: &'static str,
    pub(super) command: String,
    pub(super) found: Found,
    /// Its last line: how many tests, or why it was skipped.
    pub(super) said: String,
    pub(super) seconds: f64,
}

/// Runs every stage: those of one thread side by side, then those that use all processors.
pub(super) fn run(stress_seconds: u64, jobs: usize) -> Result<Vec<Watched>, String> {
    let (wide, narrow): (Vec<_>, Vec<_>) =
        STAGES.into_iter().partition(|stage| ["tsan", "stress"].contains(stage));
    let narrow = run::all(narrow, jobs, |stage| one(stage, stress_seconds));
    let wide = wide.into_iter().map(|stage| one(stage, stress_seconds));
    narrow.into_iter().chain(wide).collect()
}

fn one(stage: &'static str, stress_seconds: u64) -> Result<Watched, String> {
    let size = if stage == "stress" { stress_seconds.to_string() } else { "deep".to_owned() };
    let mut command = run::detached(root().join("scripts/verify-tools.sh"));
    command.current_dir(root()).args([stage, size.as_str()]);
    let ended = run::child(command, LIMIT, &root().join("target/verify"))?;
    let watched = Watched {
        stage,
        command: format!("scripts/verify-tools.sh {stage} {size}"),
        found: judge(ended.code, ended.timed_out),
        said: last_line(&ended.output).to_owned(),
        seconds: ended.seconds,
    };
    println!(
        "{stage:52} {:>9} in {:>7.2} s  {}: {}",
        "",
        watched.seconds,
        watched.found.name(),
        watched.said
    );
    if watched.found == Found::Failed {
        println!("{}", ended.output);
    }
    Ok(watched)
}

fn judge(code: Option<i32>, timed_out: bool) -> Found {
    match code {
        Some(0) if !timed_out => Found::Clean,
        Some(SKIPPED) => Found::Skipped,
        _ => Found::Failed,
    }
}

/// The last line with anything in it.
fn last_line(output: &str) -> &str {
    output.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_clean_only_if_it_ended_well_and_in_time() {
        assert_eq!(judge(Some(0), false), Found::Clean);
        assert_eq!(judge(Some(0), true), Found::Failed);
        assert_eq!(judge(Some(77), false), Found::Skipped);
        assert_eq!(judge(Some(1), false), Found::Failed);
        assert_eq!(judge(None, false), Found::Failed);
        assert_eq!(last_line("one\n two \n\n"), "two");
    }
}
