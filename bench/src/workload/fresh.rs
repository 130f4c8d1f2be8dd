//! What can only be measured in a process that has done nothing else: this program, started once more.
//!
//! The program's `main` begins with [`answer`]. A round that wants a fresh process starts the same executable with the
//! name of a job in the environment; the new process does the job, writes its figures in one line and ends.

use std::collections::BTreeMap;
use std::env;
use std::io::Read;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{memory, start};

/// Names the job for the new process, and tells it that it is one.
const JOB: &str = "SMD_BENCH_JOB";

/// Begins the line of the answer: a test's process writes other lines too.
const ANSWER: &str = "smd-bench answers: ";

/// A program that does not look for its job does not know this argument either, and stops.
const ARGUMENT: &str = "--in-a-fresh-process";

const PATIENCE: Duration = Duration::from_secs(60);

/// Figures by name.
pub type Figures = BTreeMap<String, f64>;

/// At the begin of `main`: if this process was started for a job, does it and says how to exit.
pub fn answer() -> Option<ExitCode> {
    let job = env::var(JOB).ok()?;
    let outcome = memory::job(&job).or_else(|| start::job(&job));
    let outcome = outcome.unwrap_or_else(|| Err(format!("there is no job '{job}'")));
    match outcome.and_then(|figures| serde_json::to_string(&figures).map_err(|e| e.to_string())) {
        Ok(figures) => {
            println!("{ANSWER}{figures}");
            Some(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("{error}");
            Some(ExitCode::FAILURE)
        }
    }
}

/// Has a fresh process do a job.
///
/// # Errors
/// What the process wrote to its standard error, or why there was none.
pub fn run(job: &str) -> Result<Figures, String> {
    if env::var_os(JOB).is_some() {
        return Err("this process was started for a job itself, and does not know it".to_owned());
    }
    let program = env::current_exe().map_err(|error| format!("which program is this? {error}"))?;
    let mut command = Command::new(program);
    command.args(arguments()).env(JOB, job);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| format!("no second process: {error}"))?;
    let (success, output, complaint) = finish(child)?;
    let answer = output.lines().find_map(|line| {
        // The harness of tests may have written something before, in the same line.
        line.split_once(ANSWER).map(|(_, answer)| answer)
    });
    match answer {
        Some(answer) if success => {
            serde_json::from_str(answer).map_err(|error| format!("'{answer}': {error}"))
        }
        _ if complaint.trim().is_empty() => Err("the second process gave no answer".to_owned()),
        _ => Err(format!("the second process failed: {}", complaint.trim())),
    }
}

/// Waits for the end, and not for ever: whether it was a success, and what was written.
fn finish(mut child: Child) -> Result<(bool, String, String), String> {
    let since = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if since.elapsed() > PATIENCE => {
                // It may have ended just now.
                let _ = child.kill();
                let _ = child.wait();
                return Err("the second process did not end in time".to_owned());
            }
            None => thread::sleep(Duration::from_millis(1)),
        }
    };
    // An answer is far shorter than a pipe holds, so nobody waits for a reader.
    let mut written = (String::new(), String::new());
    let read = |from: Option<&mut dyn Read>, into: &mut String| {
        from.map_or(Ok(0), |from| from.read_to_string(into)).map_err(|error| error.to_string())
    };
    read(child.stdout.as_mut().map(|out| out as &mut dyn Read), &mut written.0)?;
    read(child.stderr.as_mut().map(|out| out as &mut dyn Read), &mut written.1)?;
    Ok((status.success(), written.0, written.1))
}

#[cfg(not(test))]
fn arguments() -> [&'static str; 1] {
    [ARGUMENT]
}

/// A test's program has no `main` of ours: one of its tests answers.
#[cfg(test)]
fn arguments() -> [&'static str; 3] {
    ["workload::fresh::tests::answers", "--exact", "--nocapture"]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the process of a job: the stand-in for `main`. In the process of the tests: nothing to answer.
    #[test]
    fn answers() {
        match env::var(JOB) {
            Ok(_) => assert_eq!(answer(), Some(ExitCode::SUCCESS)),
            Err(_) => assert_eq!(answer(), None),
        }
    }

    #[test]
    fn an_unknown_job_is_told() {
        assert_ne!(ARGUMENT, "");
        let error = run("no such thing").expect_err("no such job");
        assert!(error.contains("there is no job 'no such thing'"), "{error}");
    }
}
