//! The quick run. See [`USAGE`].

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use serde::Serialize;
use smd_bench::driver::{self, Brought, Choice, Job};
use smd_bench::machine::{self, Provenance};
use smd_bench::rows::{self, Row};
use smd_bench::workload::{self, Context};

const USAGE: &str = "\
usage: smd-bench quick [options]   measures in less than 90 seconds, and prints one row for each side and distance;
                                   some scenarios alone take their part of the time
       smd-bench list              names scenarios, contenders, and what this build or machine cannot measure
options:
  --json FILE        write the rows to FILE as well
  --only A,B         only these scenarios
  --contender A,B    only these contenders
  --seed N           the seed of the order of rounds
";

/// A report that has only rows is `cargo bench -p smd-bench --bench report`'s part.
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
    Help,
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Verb, String> {
    let verb = arguments.next();
    let mut options = Options::default();
    match verb.as_deref() {
        Some("quick") => {}
        Some("list") => {
            return arguments
                .next()
                .map_or(Ok(Verb::List), |word| Err(format!("list takes no '{word}'")));
        }
        Some("help" | "--help" | "-h") => return Ok(Verb::Help),
        Some(word) => return Err(format!("'{word}' is no command; there are quick, list")),
        None => return Err("which command? There are quick, list".to_owned()),
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
    let options = match parse(env::args().skip(1)) {
        Ok(Verb::Quick(options)) => options,
        Ok(Verb::List) => {
            print!("{}", list());
            return ExitCode::SUCCESS;
        }
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
    let brought = quick(&options);
    let rows = rows::rows(&brought.rounds);
    print!("{}", rows::table(&rows));
    for left_out in brought.left_out() {
        println!("left out: {left_out}");
    }
    if let Some(path) = &options.json
        && let Err(error) = write(path, &rows, &brought)
    {
        eprintln!("error: {}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    match brought {
        Brought { interrupted: true, .. } => ExitCode::from(130),
        // A peer that fails is left out; a bus that fails must not look well.
        brought if brought.failed.iter().any(|(side, _)| side.contender == "smd") => {
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn quick(options: &Options) -> Brought {
    let seed = options.seed.unwrap_or(20_240_229);
    let job = Job::quick(seed).scaled_to(&options.choice);
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

#[derive(Serialize)]
struct File<'r> {
    rows: &'r [Row],
    left_out: Vec<String>,
    interrupted: bool,
    provenance: Provenance,
}

fn write(path: &Path, rows: &[Row], brought: &Brought) -> Result<(), String> {
    let provenance = Provenance::collect(machine::command_line(), &[]);
    let (left_out, interrupted) = (brought.left_out(), brought.interrupted);
    let file = File { rows, left_out, interrupted, provenance };
    let json = serde_json::to_string_pretty(&file).map_err(|error| error.to_string())?;
    fs::write(path, json + "\n").map_err(|error| error.to_string())
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
