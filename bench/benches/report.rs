//! The full run. See [`USAGE`].

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs};

use serde_json::json;
use smd_bench::driver::{self, Brought, Choice, Job};
use smd_bench::machine::{self, Provenance};
use smd_bench::rows;
use smd_bench::workload::{self, Context};

const USAGE: &str = "\
usage: cargo bench -p smd-bench --bench report -- [options]
  --minutes N        how long it measures: 1 to 600 (23, or their part of that if only some scenarios run)
  --only A,B         only these scenarios
  --contender A,B    only these contenders
  --seed N           the seed of the order of rounds
  --test             one short round of each side, to see whether it is valid; writes nothing
";

const PACKAGES: [&str; 11] = [
    "smd-lockfree",
    "multiqueue2",
    "disruptor",
    "tokio",
    "async-broadcast",
    "bus",
    "crossbeam-channel",
    "crossbeam-queue",
    "arc-swap",
    "kanal",
    "iceoryx2",
];

struct Options {
    choice: Choice,
    minutes: Option<u64>,
    seed: u64,
    test: bool,
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options =
        Options { choice: Choice::default(), minutes: None, seed: 20_240_229, test: false };
    let (mut measures, mut test) = (false, false);
    while let Some(argument) = arguments.next() {
        let mut value =
            || arguments.next().ok_or_else(|| format!("{argument} wants a value behind it"));
        match argument.as_str() {
            // Cargo says `--bench` when it measures, and nothing when it runs the benches as tests.
            "--bench" => measures = true,
            "--test" => test = true,
            "--minutes" => {
                let value = value()?;
                let minutes = value.parse().ok().filter(|minutes| (1..=600).contains(minutes));
                let told = || format!("--minutes wants 1 to 600, not '{value}'");
                options.minutes = Some(minutes.ok_or_else(told)?);
            }
            "--seed" => {
                let value = value()?;
                options.seed =
                    value.parse().map_err(|_| format!("--seed wants a number, not '{value}'"))?;
            }
            "--only" => options.choice.add_scenarios(&value()?)?,
            "--contender" => {
                let known = workload::contenders(&Context::new(true));
                options.choice.add_contenders(&value()?, &known)?;
            }
            other => return Err(format!("'{other}' is no option")),
        }
    }
    options.test = test || !measures;
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options(env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let path = machine::workspace().join("results").join("rounds.jsonl");
    // Before half an hour is spent on what could then not be written.
    let file = match (!options.test).then(|| create(&path)).transpose() {
        Ok(file) => file,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    // The load and the date are those of the start.
    let provenance = Provenance::collect(machine::command("report"), &PACKAGES);
    let job = if options.test {
        Job::test(options.seed)
    } else {
        let job = Job::full(options.seed);
        match options.minutes {
            Some(minutes) => Job { budget: Duration::from_secs(60 * minutes), ..job },
            None => job.scaled_to(&options.choice),
        }
    };
    let stop = driver::interrupts();
    let brought = driver::drive(job, &options.choice, &Context::new(true), stop);
    for left_out in brought.left_out() {
        println!("left out: {left_out}");
    }
    if options.test {
        println!("{} rounds are valid", brought.rounds.len());
    } else {
        print!("{}", rows::table(&rows::rows(&brought.rounds)));
    }
    if let Some((file, part)) = file {
        match write(file, &part, &path, job, &provenance, &brought) {
            Ok(()) => println!("wrote {}", path.display()),
            Err(error) => {
                eprintln!("error: {}: {error}", path.display());
                return ExitCode::FAILURE;
            }
        }
    }
    match brought {
        Brought { interrupted: true, .. } => ExitCode::from(130),
        brought if brought.failed.is_empty() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// A file beside the one that will be written, so that an old one stays until there is a new one.
fn create(path: &Path) -> Result<(File, PathBuf), String> {
    let part = path.with_extension("jsonl.part");
    let told = |error| format!("{} cannot be written: {error}", path.display());
    fs::OpenOptions::new().create(true).append(true).open(path).map_err(told)?;
    Ok((File::create(&part).map_err(told)?, part))
}

/// A line about the run, then one for each round.
fn write(
    file: File,
    part: &Path,
    path: &Path,
    job: Job,
    provenance: &Provenance,
    brought: &Brought,
) -> Result<(), String> {
    let mut file = BufWriter::new(file);
    let head = json!({
        "provenance": provenance,
        "seed": job.seed,
        "millis": job.millis,
        "passes": job.passes,
        "left_out": brought.left_out(),
        "interrupted": brought.interrupted,
    });
    let mut line = |text: Result<String, serde_json::Error>| {
        let text = text.map_err(|error| error.to_string())?;
        writeln!(file, "{text}").map_err(|error| error.to_string())
    };
    line(serde_json::to_string(&head))?;
    for round in &brought.rounds {
        line(serde_json::to_string(round))?;
    }
    file.into_inner().map_err(|error| error.to_string())?;
    fs::rename(part, path).map_err(|error| error.to_string())
}
