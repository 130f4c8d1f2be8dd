//! Teeth: deliberate weakenings of the sources, each of which a scenario must catch.
//!
//! The format, and how to write one: `verify/TEETH.md`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use super::cases::{self, Tool};
use super::names::{self, Name};
use super::{root, run};

/// A scenario that ran longer than this did not bite.
const PATIENCE: u64 = 120;

/// One weakening.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Tooth {
    /// The name of its file.
    pub(super) id: String,
    /// Names of edges, rules and defects.
    pub(super) covers: Vec<String>,
    /// What it does, in a sentence.
    pub(super) weakens: String,
    pub(super) tool: Tool,
    /// `file::test`.
    pub(super) scenario: String,
    /// Text that the failure must show.
    expect: Vec<String>,
    /// Variables for the scenario.
    set: Vec<(String, String)>,
    seconds: u64,
    hunks: Vec<Hunk>,
}

/// A replacement in one file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Hunk {
    file: String,
    find: String,
    replace: String,
}

/// How a tooth did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    Bit,
    Survived,
    DoesNotApply,
    DoesNotBuild,
    FailedElsewhere,
    TimedOut,
    /// Its tool is not here, or not for this run.
    Skipped,
}

impl Found {
    pub(super) fn name(self) -> &'static str {
        match self {
            Found::Bit => "bit",
            Found::Survived => "SURVIVED",
            Found::DoesNotApply => "DOES NOT APPLY",
            Found::DoesNotBuild => "DOES NOT BUILD",
            Found::FailedElsewhere => "FAILED ELSEWHERE",
            Found::TimedOut => "TIMED OUT",
            Found::Skipped => "skipped",
        }
    }
}

/// A tooth that was tried.
#[derive(Debug)]
pub(super) struct Bite {
    pub(super) tooth: Tooth,
    pub(super) result: Found,
    /// Of the scenario alone.
    pub(super) seconds: f64,
    pub(super) output: String,
}

impl Bite {
    pub(super) fn bit(&self) -> bool {
        self.result == Found::Bit
    }

    pub(super) fn is_skipped(&self) -> bool {
        self.result == Found::Skipped
    }
}

/// All teeth, by their ids; each covers what the sources name.
pub(super) fn load(root: &Path, names: &[Name]) -> Result<Vec<Tooth>, String> {
    let directory = root.join("verify/teeth");
    let fail = |error: std::io::Error| format!("{}: {error}", directory.display());
    let known = cases::in_sources(root)?;
    let mut teeth = Vec::new();
    for entry in fs::read_dir(&directory).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_none_or(|extension| extension != "tooth") {
            continue;
        }
        let id = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let text = fs::read_to_string(&path).map_err(fail)?;
        let tooth = Tooth::read(id, &text).map_err(|e| format!("{}: {e}", path.display()))?;
        tooth.check(root, names, &known).map_err(|e| format!("{}: {e}", path.display()))?;
        teeth.push(tooth);
    }
    teeth.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(teeth)
}

impl Tooth {
    fn read(id: &str, text: &str) -> Result<Tooth, String> {
        let mut tooth = Tooth { id: id.to_owned(), seconds: PATIENCE, ..Tooth::default() };
        let mut tool = None;
        let mut file = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            if line == "<<<<" {
                let mut part = |end: &str| {
                    let mut part = Vec::new();
                    for line in lines.by_ref() {
                        if line == end {
                            return Ok(part.join("\n"));
                        }
                        part.push(line);
                    }
                    Err(format!("a hunk without {end}"))
                };
                let (find, replace) = (part("====")?, part(">>>>")?);
                if find == replace || find.is_empty() {
                    return Err("a hunk that changes nothing".to_owned());
                }
                tooth.hunks.push(Hunk { file: file.clone(), find, replace });
                continue;
            }
            let (key, value) = line.split_once(':').ok_or_else(|| format!("no key in {line:?}"))?;
            let value = value.trim().to_owned();
            match key {
                "covers" => tooth.covers.push(value),
                "weakens" => tooth.weakens = value,
                "tool" => {
                    tool = Some(Tool::by_name(&value).ok_or(format!("there is no tool {value}"))?);
                }
                "scenario" => tooth.scenario = value,
                "expect" => tooth.expect.push(value),
                "file" => file = value,
                "seconds" => tooth.seconds = value.parse().map_err(|_| "seconds is a number")?,
                "set" => {
                    let (name, value) = value.split_once('=').ok_or("set takes NAME=VALUE")?;
                    tooth.set.push((name.to_owned(), value.to_owned()));
                }
                other => return Err(format!("there is no key {other:?}")),
            }
        }
        tooth.tool = tool.ok_or("no tool")?;
        let missing = [
            (tooth.covers.is_empty(), "covers"),
            (tooth.weakens.is_empty(), "weakens"),
            (tooth.scenario.is_empty(), "scenario"),
            (tooth.expect.is_empty(), "expect"),
            (tooth.hunks.is_empty(), "a hunk"),
            (tooth.hunks.iter().any(|hunk| hunk.file.is_empty()), "file before a hunk"),
        ];
        match missing.iter().find(|(missing, _)| *missing) {
            Some((_, what)) => Err(format!("no {what}")),
            None => Ok(tooth),
        }
    }

    /// What it names must exist, and an edge must be named in a file that it changes.
    fn check(&self, root: &Path, names: &[Name], known: &[String]) -> Result<(), String> {
        for name in &self.covers {
            if !names.iter().any(|known| known.name == *name) {
                return Err(format!("the sources name no {name:?}"));
            }
            if let Some(edge) = name.strip_prefix("edge ") {
                let named = self.hunks.iter().any(|hunk| {
                    fs::read_to_string(root.join(&hunk.file)).is_ok_and(|text| text.contains(edge))
                });
                if !named {
                    return Err(format!("no file that it changes names {edge}"));
                }
            }
        }
        if !self.tool.is_own() {
            let (file, _) = self.parts();
            let path = root.join("smd-lockfree/tests").join(file);
            let is_there = file == "lib" || path.is_dir() || path.with_extension("rs").is_file();
            return if is_there { Ok(()) } else { Err(format!("there is no test file {file:?}")) };
        }
        if !known.contains(&self.scenario) {
            return Err(format!("there is no scenario {:?}", self.scenario));
        }
        if !self.tool.plays(&self.scenario) {
            return Err(format!("{} does not play {}", self.tool.name(), self.scenario));
        }
        Ok(())
    }

    fn parts(&self) -> (&str, &str) {
        self.scenario.split_once("::").unwrap_or((&self.scenario, ""))
    }

    /// Runs its scenario.
    fn play(&self, mut call: Command, scratch: &Path) -> Result<run::Ended, String> {
        // The time limit of the model itself would be a failure elsewhere.
        call.env("SMD_SECONDS", (self.seconds * 2).to_string());
        // The same schedules each time.
        call.env("SMD_SEED", "1");
        for (name, value) in &self.set {
            call.env(name, value);
        }
        run::child(call, Duration::from_secs(self.seconds), scratch)
    }

    /// The files as it leaves them; the error says what does not apply.
    fn applied(&self, tree: &Path) -> Result<Vec<(PathBuf, String)>, String> {
        let mut files: Vec<(PathBuf, String)> = Vec::new();
        for hunk in &self.hunks {
            let path = tree.join(&hunk.file);
            if !files.iter().any(|(known, _)| *known == path) {
                let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", hunk.file))?;
                files.push((path.clone(), text));
            }
            let (_, text) = files.iter_mut().find(|(known, _)| *known == path).expect("just put");
            let found = text.matches(&hunk.find).count();
            if found != 1 {
                return Err(format!("found {found} times in {}:\n{}", hunk.file, hunk.find));
            }
            *text = text.replacen(&hunk.find, &hunk.replace, 1);
        }
        Ok(files)
    }
}

/// The copy of the sources that teeth are applied to, and what is built of it.
struct Tree {
    source: PathBuf,
    tree: PathBuf,
    directory: PathBuf,
}

/// What a build of a tooth came to.
enum Built {
    Binary(PathBuf),
    /// Its tool has run it at once.
    Ran(run::Ended),
    Not(Found, String),
}

impl Tree {
    /// Makes the copy equal to the sources; unchanged files keep their times.
    fn restore(&self) -> Result<(), String> {
        let mut wanted = Vec::new();
        for member in members(&self.source)? {
            let folder = self.source.join(member);
            wanted.push(folder.join("Cargo.toml"));
            wanted.extend(everything(&folder)?);
        }
        for file in ["Cargo.toml", "Cargo.lock", ".cargo/config.toml"] {
            wanted.push(self.source.join(file));
        }
        let relative = |path: &Path, base: &Path| path.strip_prefix(base).map(PathBuf::from);
        let wanted: Vec<_> =
            wanted.iter().filter_map(|path| relative(path, &self.source).ok()).collect();
        for file in &wanted {
            let (from, to) = (self.source.join(file), self.tree.join(file));
            let content = fs::read(&from).map_err(|e| format!("{}: {e}", from.display()))?;
            write_changed(&to, &content)?;
        }
        if self.tree.exists() {
            for path in everything(&self.tree)? {
                let is_wanted =
                    relative(&path, &self.tree).is_ok_and(|file| wanted.contains(&file));
                if !is_wanted && path.extension().is_some_and(|e| e == "rs") {
                    fs::remove_file(&path).map_err(|e| format!("{}: {e}", path.display()))?;
                }
            }
        }
        Ok(())
    }

    /// Restores, applies, builds, and puts the test binary aside.
    fn build(&self, tooth: &Tooth) -> Result<Built, String> {
        self.restore()?;
        let files = match tooth.applied(&self.tree) {
            Ok(files) => files,
            Err(why) => return Ok(Built::Not(Found::DoesNotApply, why)),
        };
        for (path, text) in files {
            write_changed(&path, text.as_bytes())?;
        }
        let (file, test) = tooth.parts();
        let target = self.source.join("target").join(tooth.tool.directory());
        let mut build = tooth.tool.build(&self.tree, &target);
        if tooth.tool == Tool::Reference {
            // In its own target directory the programs are this one, which would be replaced.
            build.arg("--no-default-features");
        }
        match file {
            "lib" => _ = build.arg("--lib"),
            file => _ = build.args(["--test", file]),
        }
        // Built once and run once, most of them for less time than that takes: unoptimized they run
        // twice as long, and build in half the time. What they depend on is built already, and stays
        // as it is.
        build.args(["--config", "profile.release.incremental=true"]);
        for package in ["smd-lockfree", "smd-verify"] {
            for setting in ["opt-level=0", "debug=0"] {
                build.args(["--config", &format!("profile.release.package.{package}.{setting}")]);
            }
        }
        let scratch = self.source.join("target/verify");
        let built = run::child(build, Duration::from_secs(600), &scratch)?;
        if !built.success {
            return Ok(Built::Not(Found::DoesNotBuild, built.output));
        }
        if tooth.tool == Tool::Miri {
            // Compiles from the sources again, so it runs before they change.
            let call = tooth.tool.interpret(&self.tree, &target, file, test);
            return Ok(Built::Ran(tooth.play(call, &scratch)?));
        }
        let found = cases::binaries(&built.output, &self.tree);
        let binary = found.into_iter().find(|(name, _)| name == file);
        let Some((_, binary)) = binary else {
            return Ok(Built::Not(Found::DoesNotBuild, built.output));
        };
        let aside = self.directory.join(format!("{}.bin", tooth.id));
        fs::copy(&binary, &aside).map_err(|e| format!("{}: {e}", binary.display()))?;
        Ok(Built::Binary(aside))
    }
}

/// The folders of the workspace's packages; one that lies in another comes with that.
fn members(source: &Path) -> Result<Vec<String>, String> {
    let path = source.join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("members = ["));
    let line = line.ok_or_else(|| format!("{}: no line of members", path.display()))?;
    let names = line.split('"').skip(1).step_by(2);
    Ok(names.filter(|name| !name.contains('/')).map(str::to_owned).collect())
}

/// Every source file below a folder, but for build output.
fn everything(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let fail = |error: std::io::Error| format!("{}: {error}", folder.display());
        for entry in fs::read_dir(&folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() {
                if !matches!(name, "target" | "teeth" | "regressions") {
                    folders.push(path);
                }
            } else {
                all.push(path);
            }
        }
    }
    Ok(all)
}

fn write_changed(path: &Path, content: &[u8]) -> Result<(), String> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let fail = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fail)?;
    }
    fs::write(path, content).map_err(fail)
}

/// Tries teeth: one build after the other, runs beside them. Where not `with_slow`, those of slow
/// tools are skipped.
pub(super) fn run(teeth: Vec<Tooth>, jobs: usize, with_slow: bool) -> Result<Vec<Bite>, String> {
    let source = root();
    let directory = source.join("target/teeth");
    let tree = Tree { tree: directory.join("tree"), source, directory };
    let tree = Mutex::new(tree);
    // Those of one tool in a row: their builds share more.
    let mut teeth = teeth;
    teeth.sort_by_key(|tooth| (tooth.tool.name(), tooth.parts().0.to_owned()));
    let mut slow: Vec<_> = teeth.iter().map(|t| t.tool).filter(|tool| tool.is_slow()).collect();
    slow.dedup();
    let missing: Vec<_> =
        slow.into_iter().filter_map(|tool| Some((tool, tool.missing()?))).collect();
    let why_not = |tooth: &Tooth| {
        if tooth.tool.is_slow() && !with_slow {
            return Some("only in a deep run, or by its name".to_owned());
        }
        missing.iter().find(|(tool, _)| *tool == tooth.tool).map(|(_, why)| why.clone())
    };
    let bites = run::all(teeth, jobs, |tooth| {
        let bite = match why_not(tooth) {
            None => one(tooth, &tree),
            Some(output) => {
                Ok(Bite { tooth: tooth.clone(), result: Found::Skipped, seconds: 0.0, output })
            }
        };
        if let Ok(bite) = &bite {
            let why = if bite.is_skipped() { format!(": {}", bite.output) } else { String::new() };
            println!(
                "{:40} {:9} {:44} {:>6.1} s  {}{why}",
                tooth.id,
                tooth.tool.name(),
                tooth.scenario,
                bite.seconds,
                bite.result.name()
            );
            if !bite.bit() && !bite.is_skipped() {
                println!("{}", bite.output);
            }
        }
        bite
    });
    let mut bites = bites.into_iter().collect::<Result<Vec<_>, _>>()?;
    bites.sort_by(|a, b| a.tooth.id.cmp(&b.tooth.id));
    Ok(bites)
}

fn one(tooth: &Tooth, tree: &Mutex<Tree>) -> Result<Bite, String> {
    let (built, scratch) = {
        let tree = tree.lock().map_err(|_| "another tooth panicked")?;
        (tree.build(tooth)?, tree.source.join("target/verify"))
    };
    let ended = match built {
        Built::Binary(binary) => {
            let ended = tooth.play(tooth.tool.call(&binary, tooth.parts().1), &scratch)?;
            fs::remove_file(&binary).map_err(|e| format!("{}: {e}", binary.display()))?;
            ended
        }
        Built::Ran(ended) => ended,
        Built::Not(result, output) => {
            return Ok(Bite { tooth: tooth.clone(), result, seconds: 0.0, output });
        }
    };
    let shows = |text: &String| text.split(" | ").any(|one| ended.output.contains(one));
    let result = if tooth.expect.iter().all(shows) && !ended.success {
        // Also when the process then aborted, or hung while it unwound.
        Found::Bit
    } else if ended.timed_out {
        Found::TimedOut
    } else if ended.success && ended.output.contains("1 passed") {
        Found::Survived
    } else {
        Found::FailedElsewhere
    };
    Ok(Bite { tooth: tooth.clone(), result, seconds: ended.seconds, output: ended.output })
}

/// Names that no tooth covers; one that was skipped covers nothing.
pub(super) fn bare<'n>(names: &'n [Name], bites: &[Bite]) -> Vec<&'n Name> {
    let covers = |bite: &Bite, name: &str| bite.tooth.covers.iter().any(|known| known == name);
    let covered =
        |name: &&Name| bites.iter().any(|bite| !bite.is_skipped() && covers(bite, &name.name));
    names.iter().filter(|name| !covered(name)).collect()
}

/// Names of known defects, for the report.
pub(super) fn is_defect(name: &str) -> bool {
    names::DEFECTS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# a comment\ncovers: edge log.publish\nweakens: the head is stored relaxed\ntool: loom\n\
        scenario: loom_order::lag\nexpect: Causality violation\nset: SMD_PREEMPTIONS=3\nseconds: 30\n\
        file: a.rs\n<<<<\nold\nlines\n====\nnew\n>>>>\n";

    #[test]
    fn a_tooth_is_read() {
        let tooth = Tooth::read("x", TEXT).expect("it is one");
        assert_eq!(tooth.parts(), ("loom_order", "lag"));
        assert_eq!(tooth.seconds, 30);
        assert_eq!(tooth.set, [("SMD_PREEMPTIONS".to_owned(), "3".to_owned())]);
        assert_eq!(tooth.hunks.len(), 1);
        assert_eq!(
            (tooth.hunks[0].find.as_str(), tooth.hunks[0].replace.as_str()),
            ("old\nlines", "new")
        );
    }

    #[test]
    fn the_packages_of_the_workspace_are_copied() {
        let names = members(&root()).expect("the manifest is there");
        assert!(names.len() > 3, "{names:?}");
        for name in ["smd-lockfree", "verify"] {
            assert!(names.iter().any(|known| known == name), "{names:?}");
        }
        for name in names {
            assert!(root().join(&name).join("Cargo.toml").is_file(), "{name}");
        }
    }

    /// One that does not is found by a run of it only, which takes minutes.
    #[test]
    fn every_tooth_applies_to_the_sources() {
        let root = root();
        let names = names::scan(&root).expect("the sources are there");
        let teeth = load(&root, &names).expect("each can be read");
        assert!(!teeth.is_empty());
        for tooth in teeth {
            if let Err(why) = tooth.applied(&root) {
                panic!("{}: {why}", tooth.id);
            }
        }
    }

    #[test]
    fn a_tooth_without_something_is_refused() {
        for key in ["covers", "weakens", "tool", "scenario", "expect", "file"] {
            let without: String = TEXT
                .lines()
                .filter(|line| !line.starts_with(key))
                .map(|l| format!("{l}\n"))
                .collect();
            assert!(Tooth::read("x", &without).is_err(), "without {key}");
        }
        assert!(Tooth::read("x", &TEXT.replace("new", "old\nlines")).is_err());
        assert!(Tooth::read("x", &TEXT.replace(">>>>", "")).is_err());
    }
}
