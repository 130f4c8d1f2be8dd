//! `results/verify.md` and `results/verify.json`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::cases::{Open, Outcome, Told};
use super::names::Name;
use super::root;
use super::teeth::{self, Bite};

/// At least so many teeth.
const TEETH: usize = 25;

/// All that a run came to.
#[derive(Debug)]
pub(super) struct Report<'r> {
    pub(super) form: &'r str,
    pub(super) names: &'r [Name],
    pub(super) outcomes: &'r [Outcome],
    pub(super) bites: &'r [Bite],
    pub(super) open: &'r [Open],
    pub(super) seconds: f64,
    pub(super) with_teeth: bool,
}

/// Where and of what the run was.
struct Place {
    rows: Vec<(&'static str, String)>,
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

impl Place {
    fn now() -> Place {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let cpu = cpu.map_or("unknown", |(_, name)| name);
        let count = std::thread::available_parallelism().map_or(0, usize::from);
        let mut commit = said("git", &["rev-parse", "--short=12", "HEAD"]);
        let changes = Command::new("git")
            .args(["status", "--porcelain", "--", ".", ":!results"])
            .current_dir(root())
            .output();
        if changes.is_ok_and(|output| !output.stdout.is_empty()) {
            commit += "-dirty";
        }
        let command: Vec<_> = std::env::args().skip(1).collect();
        let rows = vec![
            ("machine", format!("{cpu}, {count} processors")),
            ("system", said("uname", &["-srm"])),
            ("compiler", said("rustc", &["--version"])),
            ("commit", commit),
            ("command", format!("cargo verify {}", command.join(" "))),
            ("date", said("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ];
        Place { rows }
    }
}

impl Report<'_> {
    /// What must be mended. `deep`: every name must have a tooth.
    pub(super) fn faults(&self, deep: bool) -> Vec<String> {
        let mut faults = Vec::new();
        for outcome in self.outcomes {
            if let Some(fault) = &outcome.fault {
                faults.push(format!("{}: {fault}", outcome.name));
            }
        }
        for bite in self.bites.iter().filter(|bite| !bite.bit() && !bite.is_skipped()) {
            faults.push(format!("tooth {}: {}", bite.tooth.id, bite.result.name().to_lowercase()));
        }
        if deep && self.with_teeth {
            for name in teeth::bare(self.names, self.bites) {
                faults.push(format!("no tooth for {}", name.name));
            }
            if self.bites.len() < TEETH {
                faults.push(format!("{} teeth, and at least {TEETH} are wanted", self.bites.len()));
            }
        }
        faults
    }

    pub(super) fn summary(&self) -> String {
        let models: usize = self.outcomes.iter().map(|outcome| outcome.models.len()).sum();
        let executions: u64 = self.told().map(|(_, told)| told.executions).sum();
        let covered = self.names.len() - teeth::bare(self.names, self.bites).len();
        format!(
            "{models} models in {executions} executions; {}; {covered} of {} edges, rules and known \
             defects have a tooth; {:.0} s in all",
            of_teeth(self.bites),
            self.names.len(),
            self.seconds
        )
    }

    fn told(&self) -> impl Iterator<Item = (&Outcome, &Told)> {
        self.outcomes
            .iter()
            .flat_map(|outcome| outcome.models.iter().map(move |told| (outcome, told)))
    }

    /// The model of a tooth's scenario, as it ran without the tooth.
    fn model_of(&self, bite: &Bite) -> Option<&Told> {
        let outcome = self.outcomes.iter().find(|outcome| outcome.name == bite.tooth.scenario)?;
        outcome.models.first()
    }

    pub(super) fn write(&self, directory: &Path) -> Result<(), String> {
        let fail = |error: std::io::Error| format!("{}: {error}", directory.display());
        fs::create_dir_all(directory).map_err(fail)?;
        let place = Place::now();
        fs::write(directory.join("verify.md"), self.page(&place)).map_err(fail)?;
        fs::write(directory.join("verify.json"), self.json(&place)).map_err(fail)
    }

    fn page(&self, place: &Place) -> String {
        let mut page =
            String::from("# What was verified\n\nWritten by its command; not by hand.\n\n");
        for (what, value) in &place.rows {
            let _ = writeln!(page, "* {what}: {value}");
        }
        let _ = writeln!(page, "* form: {}\n\n{}.\n", self.form, self.summary());
        self.page_of_names(&mut page);
        self.page_of_models(&mut page);
        self.page_of_states(&mut page);
        if !self.open.is_empty() {
            page.push_str("## Open\n\nScenarios that are ignored until what they ask holds.\n\n");
            for open in self.open {
                let _ = writeln!(page, "* `{}`: {}", open.name, open.why);
            }
        }
        page
    }

    fn page_of_names(&self, page: &mut String) {
        page.push_str(
            "## Edges, rules, known defects\n\nOne row for each tooth of each. Executions and time are those of the \
             scenario without the tooth.\n\n\
             | what | tooth | weakening | scenario | tool | threads | bound | executions | s | result |\n\
             |---|---|---|---|---|---|---|---|---|---|\n",
        );
        for name in self.names {
            let shown = if teeth::is_defect(&name.name) {
                name.name.clone()
            } else {
                format!("`{}`", name.name)
            };
            let mut bare = true;
            for bite in self.bites.iter().filter(|bite| bite.tooth.covers.contains(&name.name)) {
                bare = false;
                let tooth = &bite.tooth;
                let none = Told::default();
                let model = self.model_of(bite).unwrap_or(&none);
                let _ = writeln!(
                    page,
                    "| {shown} | {} | {} | `{}` | {} | {} | {} | {} | {} | {} |",
                    tooth.id,
                    tooth.weakens,
                    tooth.scenario,
                    tooth.tool.name(),
                    model.threads,
                    model.bound,
                    model.executions,
                    model.seconds,
                    bite.result.name()
                );
            }
            if bare {
                let _ = writeln!(page, "| {shown} | none | | | | | | | | NO TOOTH |");
            }
        }
        page.push('\n');
    }

    fn page_of_models(&self, page: &mut String) {
        page.push_str(
            "## Models\n\n| scenario | model | tool | threads | bound | executions | s | result |\n\
             |---|---|---|---|---|---|---|---|\n",
        );
        for outcome in self.outcomes {
            let result = if outcome.fault.is_some() { "FAILED" } else { "ok" };
            for told in &outcome.models {
                let _ = writeln!(
                    page,
                    "| `{}` | {} | {} | {} | {} | {} | {} | {result} |",
                    outcome.name,
                    told.name,
                    outcome.tool.name(),
                    told.threads,
                    told.bound,
                    told.executions,
                    told.seconds
                );
            }
            if outcome.models.is_empty() {
                let _ = writeln!(
                    page,
                    "| `{}` | | {} | | | 0 | | {result} |",
                    outcome.name,
                    outcome.tool.name()
                );
            }
        }
        page.push('\n');
    }

    /// Marks, with how often and where they were reached.
    fn states(&self) -> BTreeMap<&str, BTreeMap<&str, (usize, u64)>> {
        let mut states: BTreeMap<&str, BTreeMap<&str, (usize, u64)>> = BTreeMap::new();
        for (outcome, told) in self.told() {
            for (mark, count) in &told.reached {
                let of_tool = states.entry(mark).or_default().entry(outcome.tool.name());
                let sum = of_tool.or_default();
                sum.0 += 1;
                sum.1 += count;
            }
        }
        states
    }

    fn page_of_states(&self, page: &mut String) {
        page.push_str(
            "## States that were reached\n\nIn how many models, and how often over all their executions.\n\n\
             | state | loom: models | times | shuttle: models | times |\n|---|---|---|---|---|\n",
        );
        for (mark, tools) in self.states() {
            let (loom, shuttle) = (tools.get("loom"), tools.get("shuttle"));
            let (loom, shuttle) =
                (loom.copied().unwrap_or_default(), shuttle.copied().unwrap_or_default());
            let _ = writeln!(
                page,
                "| {mark} | {} | {} | {} | {} |",
                loom.0, loom.1, shuttle.0, shuttle.1
            );
        }
        page.push('\n');
    }

    fn json(&self, place: &Place) -> String {
        let mut json = String::from("{\n");
        for (what, value) in &place.rows {
            let _ = writeln!(json, "  {}: {},", text(what), text(value));
        }
        let _ =
            writeln!(json, "  \"form\": {},\n  \"seconds\": {:.1},", text(self.form), self.seconds);
        let models = self.told().map(|(outcome, told)| {
            let reached = told.reached.iter().map(|(mark, count)| format!("{}: {count}", text(mark)));
            format!(
                "{{\"scenario\": {}, \"model\": {}, \"tool\": {}, \"threads\": {}, \"bound\": {}, \"executions\": {}, \
                 \"seconds\": {}, \"ok\": {}, \"reached\": {{{}}}}}",
                text(&outcome.name),
                text(&told.name),
                text(outcome.tool.name()),
                told.threads,
                text(&told.bound),
                told.executions,
                told.seconds,
                outcome.fault.is_none(),
                reached.collect::<Vec<_>>().join(", ")
            )
        });
        list(&mut json, "models", models);
        let teeth = self.bites.iter().map(|bite| {
            let covers = bite.tooth.covers.iter().map(|name| text(name));
            format!(
                "{{\"id\": {}, \"covers\": [{}], \"weakens\": {}, \"tool\": {}, \"scenario\": {}, \"seconds\": {:.2}, \
                 \"result\": {}}}",
                text(&bite.tooth.id),
                covers.collect::<Vec<_>>().join(", "),
                text(&bite.tooth.weakens),
                text(bite.tooth.tool.name()),
                text(&bite.tooth.scenario),
                bite.seconds,
                text(bite.result.name())
            )
        });
        list(&mut json, "teeth", teeth);
        let bare = teeth::bare(self.names, self.bites);
        list(&mut json, "without_tooth", bare.into_iter().map(|name| text(&name.name)));
        json.truncate(json.len() - 2);
        json.push_str("\n}\n");
        json
    }
}

/// How many bit, and how many were skipped.
pub(super) fn of_teeth(bites: &[Bite]) -> String {
    let bitten = bites.iter().filter(|bite| bite.bit()).count();
    let skipped = bites.iter().filter(|bite| bite.is_skipped()).count();
    let told = format!("{bitten} of {} teeth bit", bites.len() - skipped);
    if skipped == 0 { told } else { format!("{told}, {skipped} skipped") }
}

fn list(json: &mut String, name: &str, items: impl Iterator<Item = String>) {
    let items: Vec<_> = items.map(|item| format!("    {item}")).collect();
    let _ = writeln!(json, "  {}: [\n{}\n  ],", text(name), items.join(",\n"));
}

/// A string of JSON.
fn text(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", control as u32);
            }
            other => quoted.push(other),
        }
    }
    quoted + "\""
}
