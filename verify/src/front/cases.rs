//! The cases: every test of the models and of the reference, each run in a process of its own.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{root, run};

/// What checks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Tool {
    #[default]
    Loom,
    Shuttle,
    /// The sequential reference model.
    Reference,
    /// The library's own tests: for teeth, as the two below.
    Test,
    /// The same under Miri.
    Miri,
    /// The same under the thread sanitizer, the standard library included.
    Tsan,
}

/// What Miri needs to be told: as in `scripts/verify-tools.sh`, which says why.
const MIRI_FLAGS: &str =
    "-Zmiri-tree-borrows -Zmiri-disable-isolation -Zmiri-permissive-provenance";

/// What the thread sanitizer is set up for.
const TSAN_TARGET: &str = "x86_64-unknown-linux-gnu";

impl Tool {
    /// Those whose tests are in this crate.
    pub(super) const ALL: [Tool; 3] = [Tool::Loom, Tool::Shuttle, Tool::Reference];

    pub(super) fn name(self) -> &'static str {
        match self {
            Tool::Loom => "loom",
            Tool::Shuttle => "shuttle",
            Tool::Reference => "reference",
            Tool::Test => "test",
            Tool::Miri => "miri",
            Tool::Tsan => "tsan",
        }
    }

    pub(super) fn by_name(name: &str) -> Option<Tool> {
        [Tool::Loom, Tool::Shuttle, Tool::Reference, Tool::Test, Tool::Miri, Tool::Tsan]
            .into_iter()
            .find(|tool| tool.name() == name)
    }

    /// Whether its tests are in this crate; else in the library.
    pub(super) fn is_own(self) -> bool {
        Tool::ALL.contains(&self)
    }

    /// Whether only a deep run uses it, or who names one of its teeth.
    pub(super) fn is_slow(self) -> bool {
        matches!(self, Tool::Miri | Tool::Tsan)
    }

    /// Why it cannot be used here.
    pub(super) fn missing(self) -> Option<String> {
        let works = |arguments: &[&str]| {
            let mut command = nightly();
            command.args(arguments);
            command.output().is_ok_and(|output| output.status.success())
        };
        match self {
            Tool::Miri if !works(&["miri", "--version"]) => {
                Some("no nightly toolchain with miri".to_owned())
            }
            Tool::Tsan if !cfg!(all(target_os = "linux", target_arch = "x86_64")) => {
                Some(format!("set up for {TSAN_TARGET} only"))
            }
            Tool::Tsan if !has_sources_of_std() => {
                Some("no nightly toolchain with rust-src".to_owned())
            }
            _ => None,
        }
    }

    /// Whether a scenario, `file::test`, is one of this tool's.
    pub(super) fn plays(self, scenario: &str) -> bool {
        let file = scenario.split("::").next().unwrap_or_default();
        match self {
            Tool::Loom => file.starts_with("loom_"),
            Tool::Shuttle => file.starts_with("shuttle_"),
            Tool::Reference => file == "reference",
            Tool::Test | Tool::Miri | Tool::Tsan => false,
        }
    }

    /// The target directory, below that of the workspace, for its own tests and for the copy that
    /// teeth are applied to: what the two depend on is built once.
    pub(super) fn directory(self) -> &'static str {
        match self {
            Tool::Loom => "loom",
            Tool::Shuttle => "shuttle",
            Tool::Reference | Tool::Test => "",
            Tool::Miri => "teeth/miri",
            Tool::Tsan => "teeth/tsan",
        }
    }

    /// `SMD_MODEL`, which the tests compare with the flags that they were built with.
    fn model(self) -> Option<&'static str> {
        match self {
            Tool::Loom => Some("loom"),
            Tool::Shuttle => Some("shuttle"),
            Tool::Reference | Tool::Test | Tool::Miri | Tool::Tsan => None,
        }
    }

    /// A build of tests in the workspace at `tree`.
    pub(super) fn build(self, tree: &Path, target: &Path) -> Command {
        let mut command = match self {
            Tool::Miri => {
                let mut command = self.interpreter(tree, target);
                command.arg("--no-run");
                return command;
            }
            Tool::Tsan => nightly(),
            _ => run::command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
        };
        command.current_dir(tree).args(["test", "--no-run", "--target-dir"]).arg(target);
        if self != Tool::Tsan {
            command.arg("--release");
        }
        if matches!(self, Tool::Loom | Tool::Shuttle) {
            // Cargo builds the programs of this crate beside each of its tests, if they are wanted.
            command.arg("--no-default-features");
        }
        match self {
            Tool::Loom => {
                let flags = r#"build.rustflags=["--cfg","smd_loom","--cfg","crossbeam_loom"]"#;
                command.args(["-p", "smd-verify", "--config", flags]);
            }
            Tool::Shuttle => {
                let flags = r#"build.rustflags=["--cfg","smd_shuttle"]"#;
                command.args(["-p", "smd-verify", "--config", flags]);
            }
            Tool::Reference => _ = command.args(["-p", "smd-verify"]),
            Tool::Test | Tool::Miri => _ = command.args(["-p", "smd-lockfree"]),
            Tool::Tsan => {
                // Without the accesses of the standard library reports are false.
                command.args(["-p", "smd-lockfree", "-Zbuild-std", "--target", TSAN_TARGET]);
                command.env("RUSTFLAGS", "-Zsanitizer=thread --cfg smd_tsan");
            }
        }
        command
    }

    /// `cargo miri test`: what it builds only it can run.
    fn interpreter(self, tree: &Path, target: &Path) -> Command {
        let mut command = nightly();
        command.current_dir(tree).env("MIRIFLAGS", MIRI_FLAGS);
        command.args(["miri", "test", "-p", "smd-lockfree", "--target-dir"]).arg(target);
        command
    }

    /// One test under Miri, from the sources and what [`Tool::build`] made of them.
    pub(super) fn interpret(self, tree: &Path, target: &Path, file: &str, test: &str) -> Command {
        let mut command = self.interpreter(tree, target);
        match file {
            "lib" => _ = command.arg("--lib"),
            file => _ = command.args(["--test", file]),
        }
        command.arg("--").args(one_test(test));
        command
    }

    /// The call of one test in a test binary.
    pub(super) fn call(self, binary: &Path, test: &str) -> Command {
        let mut command = run::command(binary);
        // Where `cargo test` would start it.
        let package = if self.is_own() { "verify" } else { "smd-lockfree" };
        command.current_dir(root().join(package)).args(one_test(test));
        if let Some(model) = self.model() {
            command.env("SMD_MODEL", model);
        }
        command
    }
}

/// What a test harness is told, to run one test.
fn one_test(test: &str) -> [&str; 5] {
    ["--exact", test, "--include-ignored", "--nocapture", "--test-threads=1"]
}

/// The nightly compiler's cargo.
fn nightly() -> Command {
    let mut command = run::detached("rustup");
    command.args(["run", "nightly", "cargo"]);
    command
}

/// Whether the nightly toolchain has the sources of the standard library.
fn has_sources_of_std() -> bool {
    let mut command = run::command("rustup");
    let said = command.args(["run", "nightly", "rustc", "--print", "sysroot"]).output();
    said.is_ok_and(|output| {
        let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success() && Path::new(&sysroot).join("lib/rustlib/src/rust/library").is_dir()
    })
}

/// The test binaries that a build names: file without extension, and path.
pub(super) fn binaries(output: &str, tree: &Path) -> Vec<(String, PathBuf)> {
    let lines = output.lines().filter_map(|line| line.trim_start().strip_prefix("Executable "));
    lines
        .filter_map(|line| {
            let (source, path) = line.strip_suffix(')')?.rsplit_once(" (")?;
            let source = source.split_whitespace().last()?;
            let name = Path::new(source).file_stem()?.to_str()?;
            Some((name.to_owned(), tree.join(path)))
        })
        .collect()
}

/// How hard to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    pub(super) preemptions: Option<u64>,
    /// Some models of loom at a lower bound.
    pub(super) is_quick: bool,
    pub(super) least_preemptions: u64,
    pub(super) schedules: u64,
    pub(super) seconds: u64,
    pub(super) scripts: u64,
    pub(super) seed: Option<u64>,
}

impl Effort {
    fn tell(&self, command: &mut Command) {
        if let Some(bound) = self.preemptions {
            command.env("SMD_PREEMPTIONS", bound.to_string());
        }
        if let Some(seed) = self.seed {
            command.env("SMD_SEED", seed.to_string());
        }
        command
            .env("SMD_QUICK", u64::from(self.is_quick).to_string())
            .env("SMD_LEAST_PREEMPTIONS", self.least_preemptions.to_string())
            .env("SMD_ITERATIONS", self.schedules.to_string())
            .env("SMD_SECONDS", self.seconds.to_string())
            .env("SMD_CASES", self.scripts.to_string());
    }
}

/// One test.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) tool: Tool,
    file: String,
    test: String,
    binary: PathBuf,
    /// Ignored for its length: only a deep run plays it.
    pub(super) is_long: bool,
}

/// A test that is ignored because what it asks does not hold yet.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) name: String,
    pub(super) why: String,
}

/// What became of a case.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) tool: Tool,
    pub(super) models: Vec<Told>,
    pub(super) seconds: f64,
    pub(super) fault: Option<String>,
    pub(super) output: String,
}

/// What a model told of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Told {
    pub(super) name: String,
    pub(super) executions: u64,
    pub(super) seconds: String,
    pub(super) bound: String,
    pub(super) threads: String,
    /// Marks that were reached, each with how often.
    pub(super) reached: Vec<(String, u64)>,
}

impl Told {
    /// Reads `model NAME: N executions in S s; BOUND; N threads; reached A n, B n`.
    fn read(line: &str) -> Option<Told> {
        let (_, line) = line.split_once("model ")?;
        let (before, line) = line.split_once(" executions in ")?;
        let (name, executions) = before.rsplit_once(": ")?;
        let mut parts = line.split("; ");
        let seconds = parts.next()?;
        let bound = parts.next()?.to_owned();
        let threads = parts.next()?.strip_suffix(" threads")?.to_owned();
        let reached = parts.next()?.strip_prefix("reached")?.trim();
        let reached = reached.split(", ").filter_map(|mark| {
            let (mark, count) = mark.rsplit_once(' ')?;
            Some((mark.to_owned(), count.parse().ok()?))
        });
        Some(Told {
            name: name.to_owned(),
            executions: executions.parse().ok()?,
            seconds: seconds.strip_suffix(" s")?.to_owned(),
            bound,
            threads,
            reached: reached.collect(),
        })
    }
}

impl Case {
    pub(super) fn name(&self) -> String {
        format!("{}::{}", self.file, self.test)
    }

    pub(super) fn run(&self, effort: &Effort) -> Outcome {
        let mut command = self.tool.call(&self.binary, &self.test);
        effort.tell(&mut command);
        // The model's own limit comes first and tells more.
        let limit = Duration::from_secs(effort.seconds + 60);
        let ended = run::child(command, limit, &root().join("target/verify"));
        let mut outcome = Outcome {
            name: self.name(),
            tool: self.tool,
            models: Vec::new(),
            seconds: 0.0,
            fault: None,
            output: String::new(),
        };
        match ended {
            Err(error) => outcome.fault = Some(error),
            Ok(ended) => {
                outcome.seconds = ended.seconds;
                outcome.models = told(self.tool, &ended.output, ended.seconds);
                outcome.fault = fault(self.tool, &ended, &outcome.models);
                outcome.output = ended.output;
            }
        }
        outcome
    }
}

fn told(tool: Tool, output: &str, seconds: f64) -> Vec<Told> {
    if tool != Tool::Reference {
        return output.lines().filter_map(Told::read).collect();
    }
    // The reference prints what its scripts covered; the guard prints nothing.
    let scripts = output.lines().find_map(|line| {
        let (_, rest) = line.split_once("scripts: ")?;
        rest.split_whitespace().next()?.parse().ok()
    });
    let told = scripts.map(|executions| Told {
        name: "bus beside the reference model".to_owned(),
        executions,
        seconds: format!("{seconds:.2}"),
        bound: "random scripts".to_owned(),
        threads: "1".to_owned(),
        reached: Vec::new(),
    });
    told.into_iter().collect()
}

fn fault(tool: Tool, ended: &run::Ended, models: &[Told]) -> Option<String> {
    if ended.timed_out {
        return Some(format!("stopped after {:.0} s", ended.seconds));
    }
    if !ended.success {
        let said = ended.output.lines().skip_while(|line| !line.contains("panicked at"));
        let said: Vec<_> = said.take(3).collect();
        return Some(if said.is_empty() { "it failed".to_owned() } else { said.join(" ") });
    }
    if !ended.output.contains("1 passed") {
        return Some("the test is not in the binary".to_owned());
    }
    if models.iter().any(|told| told.executions == 0) || models.is_empty() {
        return Some(format!("{} ran zero executions", tool.name()));
    }
    None
}

impl Outcome {
    pub(super) fn line(&self) -> String {
        let executions: u64 = self.models.iter().map(|told| told.executions).sum();
        let result = self.fault.as_ref().map_or("ok".to_owned(), |fault| format!("FAILED {fault}"));
        format!("{:52} {executions:>9} in {:>7.2} s  {result}", self.name, self.seconds)
    }
}

/// Builds the tests of these tools and lists them.
pub(super) fn collect(tools: &[Tool]) -> Result<(Vec<Case>, Vec<Open>), String> {
    let root = root();
    let ignored = ignored(&root)?;
    let mut cases = Vec::new();
    for &tool in tools {
        println!("building for {}", tool.name());
        let target = root.join("target").join(tool.directory());
        let mut build = tool.build(&root, &target);
        build.args(["--lib", "--tests"]);
        let built = run::child(build, Duration::from_secs(1_800), &root.join("target/verify"))?;
        if !built.success {
            return Err(format!("the build for {} failed:\n{}", tool.name(), built.output));
        }
        let before = cases.len();
        for (file, binary) in binaries(&built.output, &root) {
            if !tool.plays(&file) {
                continue;
            }
            let mut list = run::command(&binary);
            list.args(["--list", "--format", "terse"]);
            let listed = run::child(list, Duration::from_secs(60), &root.join("target/verify"))?;
            for test in listed.output.lines().filter_map(|line| line.strip_suffix(": test")) {
                let name = format!("{file}::{test}");
                let why = ignored.iter().find(|open| open.name == name);
                if why.is_some_and(|open| open.why.starts_with("open")) {
                    continue;
                }
                cases.push(Case {
                    tool,
                    file: file.clone(),
                    test: test.to_owned(),
                    binary: binary.clone(),
                    is_long: why.is_some(),
                });
            }
        }
        if cases.len() == before {
            return Err(format!(
                "the build for {0} has no test of {0}: its flags did not reach the compiler. They are in \
                 verify/src/front/cases.rs; RUSTFLAGS or target.*.rustflags in a configuration of cargo \
                 outside of this workspace replace them. By hand: cargo verify-{0}",
                tool.name()
            ));
        }
    }
    let open = ignored.into_iter().filter(|open| open.why.starts_with("open")).collect();
    Ok((cases, open))
}

/// Puts those that took longest in the run on record in front, so that none of them runs alone at
/// the end; those that are not in it come last, in their order.
pub(super) fn longest_first(cases: &mut [Case], record: &str) {
    let seconds: HashMap<_, _> = record.lines().filter_map(recorded_seconds).collect();
    let of = |case: &Case| seconds.get(case.name().as_str()).copied().unwrap_or(0.0);
    cases.sort_by(|a, b| of(b).total_cmp(&of(a)));
}

/// Name and time of a model in a line of `results/verify.json`.
fn recorded_seconds(line: &str) -> Option<(&str, f64)> {
    let (name, rest) = line.trim_start().strip_prefix("{\"scenario\": \"")?.split_once('"')?;
    let (_, rest) = rest.split_once("\"seconds\": ")?;
    Some((name, rest.split([',', '}']).next()?.parse().ok()?))
}

/// Tests and attributes of the test files.
fn tests(root: &Path) -> Result<Vec<(String, Option<String>)>, String> {
    let directory = root.join("verify/tests");
    let fail = |error: std::io::Error| format!("{}: {error}", directory.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(&directory).map_err(fail)? {
        paths.push(entry.map_err(fail)?.path());
    }
    paths.sort();
    let mut tests = Vec::new();
    for path in paths {
        let file = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        let text = fs::read_to_string(&path).map_err(fail)?;
        let (mut is_test, mut ignored) = (false, None);
        for line in text.lines() {
            if line == "#[test]" {
                is_test = true;
            } else if let Some(why) = line.strip_prefix("#[ignore = \"") {
                ignored = Some(why.trim_end_matches("\"]").to_owned());
            } else if let Some(name) = line.strip_prefix("fn ")
                && is_test
            {
                let name = name.split('(').next().unwrap_or_default();
                tests.push((format!("{file}::{name}"), ignored.take()));
                is_test = false;
            }
        }
    }
    Ok(tests)
}

/// All scenarios, without building anything.
pub(super) fn in_sources(root: &Path) -> Result<Vec<String>, String> {
    let is_case = |name: &String| Tool::ALL.iter().any(|tool| tool.plays(name));
    Ok(tests(root)?.into_iter().map(|(name, _)| name).filter(is_case).collect())
}

fn ignored(root: &Path) -> Result<Vec<Open>, String> {
    let tests = tests(root)?.into_iter();
    Ok(tests.filter_map(|(name, why)| Some(Open { name, why: why? })).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_model_is_read() {
        let line = "test lag ... model lag: two: 12 executions in 1.50 s; 2 preemptions, complete; 3 threads; \
                    reached segment full 3, left 12";
        let told = Told::read(line).expect("it is one");
        assert_eq!((told.name.as_str(), told.executions), ("lag: two", 12));
        assert_eq!((told.bound.as_str(), told.threads.as_str()), ("2 preemptions, complete", "3"));
        assert_eq!(told.reached, [("segment full".to_owned(), 3), ("left".to_owned(), 12)]);
        assert_eq!(Told::read("running 1 test"), None);
    }

    #[test]
    fn what_took_longest_on_record_comes_first() {
        let record = r#"
            {"scenario": "loom_a::short", "model": "x", "executions": 2, "seconds": 0.50, "ok": true},
            {"scenario": "loom_a::long", "model": "y", "executions": 9, "seconds": 70.25, "ok": true}
            {"id": "log.P4", "scenario": "loom_a::new", "seconds": 99.0}"#;
        let case = |test: &str| Case {
            tool: Tool::Loom,
            file: "loom_a".to_owned(),
            test: test.to_owned(),
            binary: PathBuf::new(),
            is_long: false,
        };
        let mut cases = ["new", "short", "newer", "long"].map(case);
        longest_first(&mut cases, record);
        assert_eq!(cases.map(|case| case.test), ["long", "short", "new", "newer"]);
    }

    #[test]
    fn the_executables_of_a_build_are_found() {
        let output = "   Compiling x\n  Executable tests/loom_order.rs (target/loom/release/deps/loom_order-1a)\n  \
                      Executable unittests src/lib.rs (target/loom/release/deps/verify-2b)\n";
        let found = binaries(output, Path::new("/w"));
        assert_eq!(found[0].0, "loom_order");
        assert_eq!(found[0].1, Path::new("/w/target/loom/release/deps/loom_order-1a"));
        assert_eq!(found[1].0, "lib");
    }
}
