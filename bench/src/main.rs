//! The quick run, and what needs no run. See [`USAGE`].

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

use smd_bench::driver::{self, Brought, Choice, Job};
use smd_bench::machine::{self, Provenance};
use smd_bench::readme;
use smd_bench::report::{self, PACKAGES, Report};
use smd_bench::workload::{self, Context, fresh};

const USAGE: &str = "\
usage: smd-bench quick [options]   measures in less than 90 seconds, and prints what it found
       smd-bench list              names scenarios, contenders, and what this build or machine cannot measure
       smd-bench readme            puts the figures of results/report.json into README.md
options of quick:
  --json FILE        write one row for each side and distance to FILE
  --only A,B         only these scenarios, in their part of the time
  --contender A,B    only these contenders
  --seed N           the seed of the order of rounds
The full report is written by `cargo bench -p smd-bench --bench report`.
";

#[derive(Debug, Default)]
struct Options {
    choice: Choice,
    json: Option<PathBuf>,
    seed: Option<u64>,
}

#[derive(Debug)]
enum Verb {
    Quick(Options),
    List,
    Readme,
    Help,
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Verb, String> {
    let verb = arguments.next();
    let mut options = Options::default();
    match verb.as_deref() {
        Some("quick") => {}
        Some(word @ ("list" | "readme")) => {
            let verb = if word == "list" { Verb::List } else { Verb::Readme };
            let more = arguments.next();
            return more.map_or(Ok(verb), |more| Err(format!("{word} takes no '{more}'")));
        }
        Some("help" | "--help" | "-h") => return Ok(Verb::Help),
        Some(word) => return Err(format!("'{word}' is no command; there are quick, list, readme")),
        None => return Err("which command? There are quick, list, readme".to_owned()),
    }
    while let Some(argument) = arguments.next() {
        let mut value =
            || arguments.next().ok_or_else(|| format!("{argument} wants a value behind it"));
        match argument.as_str() {
            "--json" => options.json = Some(value()?.into()),
            "--only" => options.choice.add_scenarios(&value()?)?,
            "--contender" => {
                let known = workload::contenders(&Context::new(false));
                options.choice.add_contenders(&value()?, &known)?;
            }
            "--seed" => {
                let value = value()?;
                let seed = value.parse();
                options.seed =
                    Some(seed.map_err(|_| format!("--seed wants a number, not '{value}'"))?);
            }
            "--help" | "-h" => return Ok(Verb::Help),
            other => return Err(format!("'{other}' is no option")),
        }
    }
    Ok(Verb::Quick(options))
}

fn main() -> ExitCode {
    // A measurement may want a process that has done nothing else: this one, started once more.
    if let Some(code) = fresh::answer() {
        return code;
    }
    let options = match parse(env::args().skip(1)) {
        Ok(Verb::Quick(options)) => options,
        Ok(Verb::List) => {
            print!("{}", list());
            return ExitCode::SUCCESS;
        }
        Ok(Verb::Readme) => return told(readme::fill(&machine::workspace())),
        Ok(Verb::Help) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // Before a minute is spent on what could then not be written.
    if let Some(Err(error)) = options.json.as_deref().map(writable) {
        eprintln!("error: {error}");
        return ExitCode::from(2);
    }
    let provenance = Provenance::collect(machine::command_line(), PACKAGES);
    let brought = quick(&options);
    // A peer that fails is left out; a bus that fails must not look well.
    let code = match brought {
        Brought { interrupted: true, .. } => ExitCode::from(130),
        _ if brought.bus_failed() => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    };
    let report = brought.report(provenance);
    print!("{report}");
    if let Some(path) = &options.json
        && let Err(error) = write(path, &report)
    {
        eprintln!("error: {}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    code
}

fn told(outcome: io::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn quick(options: &Options) -> Brought {
    let job = Job::quick(options.seed.unwrap_or(driver::SEED)).scaled_to(&options.choice);
    driver::drive(job, &options.choice, &Context::new(false), driver::interrupts())
}

/// Whether a file can be written there; makes it, and changes nothing in it.
fn writable(path: &Path) -> Result<(), String> {
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map(drop)
        .map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

fn write(path: &Path, report: &Report) -> io::Result<()> {
    fs::write(path, report::quick_json(&report.rows, &report.left_out)?)
}

fn list() -> String {
    let context = Context::new(true);
    let entries = workload::all();
    let named = |quick: bool| {
        let names: Vec<_> = entries
            .iter()
            .filter(|entry| (entry.quick > 0) == quick)
            .map(|entry| entry.scenario.name())
            .collect();
        names.join(", ")
    };
    let mut text = format!(
        "scenarios: {}\nonly in a full run, or by name: {}\ncontenders: {}\n",
        named(true),
        named(false),
        workload::contenders(&context).join(", ")
    );
    for missing in workload::missing(&context) {
        text.push_str(&format!("missing: {missing}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Verb, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_wrong_word_is_told() {
        for (line, message) in [
            ("", "which command"),
            ("quik", "'quik' is no command"),
            ("list all", "list takes no 'all'"),
            ("readme now", "readme takes no 'now'"),
            ("quick --jsn x", "'--jsn' is no option"),
            ("quick --json", "--json wants a value"),
            ("quick --seed x", "--seed wants a number, not 'x'"),
            ("quick --only T1,T0", "'T0' is no scenario; there are T1"),
            ("quick --contender smd,tokyo", "'tokyo' is no contender"),
        ] {
            let error = parsed(line).expect_err(line);
            assert!(error.contains(message), "{line}: {error}");
        }
    }

    #[test]
    fn options_are_taken() {
        let Ok(Verb::Quick(options)) =
            parsed("quick --json out.json --only T1,t2s --contender smd --seed 7")
        else {
            panic!("not taken");
        };
        assert_eq!(options.json.as_deref(), Some(Path::new("out.json")));
        assert_eq!(options.seed, Some(7));
        assert!(matches!(parsed("list"), Ok(Verb::List)));
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told() {
        let error = writable(Path::new("/no/such/folder/rows.json")).expect_err("no such folder");
        assert!(error.starts_with("/no/such/folder/rows.json cannot be written"), "{error}");
    }

    #[test]
    fn the_list_names_all() {
        let list = list();
        assert!(list.contains("scenarios: T1, T2, T2S") && list.contains("own-slotseq"), "{list}");
    }
}
