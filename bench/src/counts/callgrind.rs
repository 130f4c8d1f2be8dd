//! Runs a program under valgrind's callgrind and reads how many instructions its counted section took.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::operations::{Operation, SECTION};

/// What the program is told so that it runs one operation and says how often.
pub const RUN: &str = "--run";

/// Which of its variants of `memset` and `memcpy` glibc takes depends on the processor, and so would the count: to
/// callgrind a string instruction is one instruction a byte. Every x86-64 has the plain ones.
const PLAIN_COPIES: &str =
    "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM";

/// Why there is no count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// What it takes is not here, or counts differently from what the stored ones are of: nothing can be said.
    Incomparable(String),
    /// Something went wrong.
    Failed(String),
}

impl From<String> for Failure {
    fn from(error: String) -> Failure {
        Failure::Failed(error)
    }
}

/// How many instructions so many operations took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Instructions in the counted section.
    pub instructions: u64,
    /// Operations in it.
    pub operations: u64,
}

/// The version of valgrind, as it says it.
///
/// # Errors
/// If it is not there, or does not work.
pub fn version() -> Result<String, Failure> {
    match Command::new("valgrind").arg("--version").output() {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        Ok(output) => Err(Failure::Failed(format!("valgrind --version: {}", output.status))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Failure::Incomparable(
            "valgrind is not there; on Debian: apt-get install -y valgrind".to_owned(),
        )),
        Err(error) => Err(Failure::Failed(format!("valgrind: {error}"))),
    }
}

/// Counts an operation in two processes at the same time; they must agree to the last instruction. `keep` is where
/// the first one's profile stays, for `callgrind_annotate`.
///
/// # Errors
/// If the operation failed, or the two disagree.
pub fn count(operation: &Operation, keep: Option<&Path>) -> Result<Count, Failure> {
    let scratch = Scratch::new()?;
    let mut runs = Vec::new();
    for number in 1..=2 {
        let path = scratch.0.join(number.to_string());
        runs.push((start(operation, &path)?, path));
    }
    // Both are waited for, whatever the first one says.
    let counts: Vec<_> = runs.into_iter().map(|(child, path)| finish(child, &path)).collect();
    let counts = counts
        .into_iter()
        .collect::<Result<Vec<Count>, String>>()
        .map_err(|error| format!("{}: {error}", operation.name))?;
    if let Some(directory) = keep {
        let kept = directory.join(format!("{}.callgrind", operation.name));
        fs::create_dir_all(directory)
            .and_then(|()| fs::copy(scratch.0.join("1"), &kept))
            .map_err(|error| format!("{}: {error}", kept.display()))?;
    }
    match counts[..] {
        [one, two] if one == two => Ok(one),
        _ => Err(Failure::Failed(format!(
            "{}: two runs of one program disagree: {counts:?}",
            operation.name
        ))),
    }
}

fn start(operation: &Operation, profile: &Path) -> Result<Child, String> {
    let program = env::current_exe().map_err(|error| format!("this program's path: {error}"))?;
    let mut command = Command::new("valgrind");
    command
        .arg("--tool=callgrind")
        .arg(format!("--toggle-collect={SECTION}"))
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .args([RUN, operation.name])
        // What is in the environment lies on the stack, and moves what is below it.
        .env_clear()
        .env("GLIBC_TUNABLES", PLAIN_COPIES)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(path) = env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.spawn().map_err(|error| format!("valgrind: {error}"))
}

fn finish(child: Child, profile: &Path) -> Result<Count, String> {
    let output = child.wait_with_output().map_err(|error| format!("valgrind: {error}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let said: Vec<&str> = errors.lines().filter(|line| !line.starts_with("==")).collect();
        return Err(format!("under valgrind: {}: {}", output.status, said.join("; ")));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let operations = operations(&said).ok_or_else(|| format!("it said '{}'", said.trim()))?;
    let text = fs::read_to_string(profile).map_err(|e| format!("{}: {e}", profile.display()))?;
    let instructions = total(&text).ok_or("callgrind wrote no total")?;
    if instructions == 0 || operations == 0 {
        // The name of the section was not found: the compiler has inlined or renamed it.
        return Err(format!(
            "{instructions} instructions were counted for {operations} operations"
        ));
    }
    Ok(Count { instructions, operations })
}

/// What a program that was run by [`RUN`] prints.
pub fn say(operations: u64) -> String {
    format!("operations: {operations}")
}

fn operations(said: &str) -> Option<u64> {
    said.trim().strip_prefix("operations: ")?.parse().ok()
}

/// The first event, which is instructions, of the line that sums up the whole run.
fn total(profile: &str) -> Option<u64> {
    let line = profile.lines().find_map(|line| line.strip_prefix("summary: "))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A directory that goes with its value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch, String> {
        let path = env::temp_dir().join(format!("smd-counts-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is a few kilobytes in the directory for such things.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        assert_eq!(operations(&say(16_384)), Some(16_384));
        assert_eq!(operations("operations: many"), None);
        assert_eq!(operations(""), None);
    }

    #[test]
    fn the_total_is_the_summary_of_the_profile() {
        let profile = "version: 1\nevents: Ir\nsummary: 4242\n\nfn=(1) main\n+3 12\ntotals: 4242\n";
        assert_eq!(total(profile), Some(4242));
        assert_eq!(total("events: Ir Dr\nsummary: 17 5\n"), Some(17));
        assert_eq!(total("events: Ir\n"), None);
    }
}
