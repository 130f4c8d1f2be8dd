//! The bus's clock against the operating system's: how far they drift apart. See [`USAGE`].

#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

use std::env;
#[cfg(target_os = "linux")]
use std::fs;
use std::process::ExitCode;

#[cfg(target_os = "linux")]
use smd_bench::{drift, machine};

const USAGE: &str = "\
usage: cargo bench -p smd-bench --bench clock -- [options]
  --seconds N  how long (60)
  --write      write results/clock.md and results/clock.json
  --test       a second, to see whether it works
";

struct Options {
    seconds: u64,
    write: bool,
}

fn options(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { seconds: 60, write: false };
    let mut arguments = arguments.peekable();
    let (mut measures, mut test) = (false, false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Cargo says `--bench` when it measures, and nothing when it runs the benches as tests.
            "--bench" => measures = true,
            "--test" => test = true,
            "--write" => options.write = true,
            "--seconds" => {
                let value = arguments.next().unwrap_or_default();
                options.seconds = value
                    .parse()
                    .ok()
                    .filter(|seconds| (1..=86_400).contains(seconds))
                    .ok_or_else(|| format!("--seconds wants 1 to 86400, not '{value}'"))?;
            }
            other => return Err(format!("unknown option '{other}'")),
        }
    }
    if test || !measures {
        options.seconds = 1;
    }
    if options.seconds < 60 && options.write {
        return Err("a short run has nothing to write".to_owned());
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options(env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("error: the clocks are too far apart");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn run(_: &Options) -> Result<bool, String> {
    Err("this asks for CLOCK_MONOTONIC as Linux has it".to_owned())
}

/// Measures, prints and writes; `false` if the clocks were too far apart.
#[cfg(target_os = "linux")]
fn run(options: &Options) -> Result<bool, String> {
    let command = machine::command("clock");
    let drift = drift::measure(options.seconds, command)?;
    for (name, value) in drift.lines() {
        println!("clock: {name}: {value}");
    }
    if options.write {
        let directory = machine::workspace().join("results");
        let json = serde_json::to_string_pretty(&drift).map_err(|error| error.to_string())?;
        for (name, text) in [("clock.md", drift.page()), ("clock.json", json + "\n")] {
            let path = directory.join(name);
            fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
            println!("wrote {}", path.display());
        }
    }
    Ok(drift.is_near())
}
