//! The full run. See [`USAGE`].

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs};

use smd_bench::driver::{self, Brought, Choice, Job};
use smd_bench::machine::{self, Provenance};
use smd_bench::report::PACKAGES;
use smd_bench::workload::{self, Context, fresh};

const USAGE: &str = "\
usage: cargo bench -p smd-bench --bench report -- [options]
  --minutes N        how long it measures: 1 to 600 (23, or their part of that if only some scenarios run)
  --out DIR          where it writes (results; nowhere if only some scenarios or contenders run)
  --only A,B         only these scenarios
  --contender A,B    only these contenders
  --seed N           the seed of the order of rounds
  --test             one short round of each side, to see whether it is valid; writes nothing
";

struct Options {
    choice: Choice,
    minutes: Option<u64>,
    out: Option<PathBuf>,
    seed: u64,
    test: bool,
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let choice = Choice::default();
    let mut options = Options { choice, minutes: None, out: None, seed: driver::SEED, test: false };
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
            "--out" => options.out = Some(value()?.into()),
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
    if options.test {
        options.out = None;
    } else if options.out.is_none() && !options.choice.is_partial() {
        options.out = Some(machine::workspace().join("results"));
    }
    Ok(options)
}

fn main() -> ExitCode {
    // A measurement may want a process that has done nothing else: this one, started once more.
    if let Some(code) = fresh::answer() {
        return code;
    }
    let options = match options(env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // Before half an hour is spent on what could then not be written.
    if let Some(Err(error)) = options.out.as_deref().map(writable) {
        eprintln!("error: {error}");
        return ExitCode::from(2);
    }
    // The load and the date are those of the start.
    let provenance = Provenance::collect(machine::command("report"), PACKAGES);
    let brought = run(&options);
    let code = match &brought {
        Brought { interrupted: true, .. } => ExitCode::from(130),
        Brought { failed, .. } if options.test && !failed.is_empty() => ExitCode::FAILURE,
        // A peer that fails is left out; a bus that fails must not look well.
        _ if brought.bus_failed() => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    };
    if options.test {
        for left_out in brought.left_out() {
            println!("left out: {left_out}");
        }
        println!("{} rounds are valid", brought.rounds.len());
        return code;
    }
    let report = brought.report(provenance);
    print!("{report}");
    match options.out.map(|out| report.write(&out)) {
        None => println!("nothing was written: this was a part"),
        Some(Ok(paths)) => {
            for path in paths {
                println!("wrote {}", path.display());
            }
        }
        Some(Err(error)) => {
            eprintln!("error: the report could not be written: {error}");
            return ExitCode::FAILURE;
        }
    }
    code
}

fn run(options: &Options) -> Brought {
    let job = if options.test {
        Job::test(options.seed)
    } else {
        let job = Job::full(options.seed);
        match options.minutes {
            Some(minutes) => Job { budget: Duration::from_secs(60 * minutes), ..job },
            None => job.scaled_to(&options.choice),
        }
    };
    driver::drive(job, &options.choice, &Context::new(true), driver::interrupts())
}

/// Whether files can be made there; makes the directory if it is not there.
fn writable(directory: &Path) -> Result<(), String> {
    let probe = directory.join(".writable");
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(&probe, ""))
        .and_then(|()| fs::remove_file(&probe))
        .map_err(|error| format!("{} cannot be written: {error}", directory.display()))
}
