//! Instruction counts against the stored ones. See [`USAGE`], and [`smd_bench::counts`] for how it is done.

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use smd_bench::counts::baseline::{ALLOWED, Baseline, Compared, Conditions};
use smd_bench::counts::callgrind::{self, Count, Failure, RUN};
use smd_bench::counts::operations::{self, Operation};
use smd_bench::machine;

const USAGE: &str = "\
usage: cargo counts [check | write --reason TEXT | show] [--keep DIRECTORY]
   or: cargo bench -p smd-bench --bench counts -- ...
  check          count every operation, twice, and fail if one takes over 2 % more than
                 bench/baseline/instructions.json says; exit code 77 if that cannot be compared here
  write          make the counts of now the stored ones; the reason goes to those that changed
  show           count and compare, and fail for nothing but what went wrong (what happens without a word)
  --keep         keep each profile there (below the top of the project), for callgrind_annotate
  --test         do every operation once, without valgrind, to see whether they work
";

const COMMAND: &str = "cargo counts write --reason \"...\"";
/// What says to a build server that nothing could be said.
const SKIPPED: u8 = 77;

enum Task {
    Check,
    Write { reason: String },
    Show,
    Test,
    Run(&'static Operation),
}

struct Options {
    task: Task,
    keep: Option<PathBuf>,
}

fn options(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut arguments = arguments.peekable();
    let (mut task, mut keep, mut reason) = (None, None, None);
    // Cargo says `--bench` when it measures, and nothing when it runs the benches as tests.
    let mut measures = false;
    while let Some(argument) = arguments.next() {
        let mut value = |what: &str| {
            let value = arguments.next().filter(|value| !value.trim().is_empty());
            value.ok_or_else(|| format!("{argument} wants {what}"))
        };
        let one = match argument.as_str() {
            "--bench" => {
                measures = true;
                continue;
            }
            "--keep" => {
                // Cargo starts a bench in its package.
                keep = Some(machine::workspace().join(value("a directory")?));
                continue;
            }
            "--reason" => {
                reason = Some(value("a text: why the counts have changed")?);
                continue;
            }
            RUN => {
                let name = value("an operation")?;
                let operation = Operation::named(&name);
                Task::Run(operation.ok_or_else(|| format!("no operation '{name}'"))?)
            }
            "check" => Task::Check,
            "write" => Task::Write { reason: String::new() },
            "show" => Task::Show,
            "--test" => Task::Test,
            other => return Err(format!("unknown option '{other}'")),
        };
        if task.replace(one).is_some() {
            return Err("one thing at a time".to_owned());
        }
    }
    let task = match (task, reason) {
        (Some(Task::Write { .. }), Some(reason)) => Task::Write { reason },
        (Some(Task::Write { .. }), None) => {
            return Err("write wants --reason: why the counts have changed".to_owned());
        }
        (_, Some(_)) => return Err("--reason is for write".to_owned()),
        (None, None) if measures => Task::Show,
        (None, None) => Task::Test,
        (Some(task), None) => task,
    };
    Ok(Options { task, keep })
}

fn main() -> ExitCode {
    let options = match options(env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let skips = matches!(options.task, Task::Check);
    match run(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Failure::Failed(error)) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
        Err(Failure::Incomparable(why)) => {
            println!("skipped: {why}");
            // Among other benches it should not end the run.
            if skips { ExitCode::from(SKIPPED) } else { ExitCode::SUCCESS }
        }
    }
}

/// `false` if something has grown.
fn run(options: Options) -> Result<bool, Failure> {
    match &options.task {
        Task::Run(operation) => println!("{}", callgrind::say(operation.run()?)),
        Task::Test => {
            for operation in operations::ALL {
                println!("{}: {} times", operation.name, operation.run()?);
            }
            println!("counts: all operations work");
        }
        Task::Check | Task::Show => return compare(&options),
        Task::Write { reason } => write(reason, &options)?,
    }
    Ok(true)
}

fn compare(options: &Options) -> Result<bool, Failure> {
    let valgrind = callgrind::version()?;
    let here = conditions()?;
    let stored = Baseline::load(&baseline_path())?;
    let same = stored.as_ref().is_none_or(|stored| stored.conditions == here);
    let judges = matches!(options.task, Task::Check);
    if judges {
        let Some(stored) = &stored else {
            let path = baseline_path();
            let none = format!("{} is not there; write it: {COMMAND}", path.display());
            return Err(Failure::Failed(none));
        };
        if !same {
            let Conditions { compiler, target, profile } = &stored.conditions;
            return Err(Failure::Incomparable(format!(
                "the stored counts are of {compiler}, {target}, profile {profile}; this is {}, {}, profile {}",
                here.compiler, here.target, here.profile
            )));
        }
    }
    println!("{}, {}, profile {}, {valgrind}", here.compiler, here.target, here.profile);
    let counted: Vec<_> =
        count(options)?.into_iter().map(|(operation, count)| (operation.name, count)).collect();
    let compared = stored.unwrap_or_default().compare(&counted);
    for line in table(&compared) {
        println!("{line}");
    }
    if !same {
        println!(
            "the stored counts are of another compiler, target or profile: they say little here"
        );
    }
    let failed = compared.iter().filter(|compared| compared.verdict.fails()).count();
    if failed == 0 {
        println!(
            "counts: {} operations, none grown by more than {} %",
            compared.len(),
            ALLOWED * 100.0
        );
        return Ok(true);
    }
    let message =
        format!("{failed} of {} operations have grown, or are new, or gone", compared.len());
    if judges {
        eprintln!("error: {message}; if that is right: {COMMAND}");
    } else {
        println!("counts: {message}");
    }
    Ok(!judges)
}

fn write(reason: &str, options: &Options) -> Result<(), Failure> {
    let valgrind = callgrind::version()?;
    let path = baseline_path();
    let old = Baseline::load(&path)?;
    let counted = count(options)?;
    let pairs: Vec<_> = counted.iter().map(|(operation, count)| (operation.name, *count)).collect();
    let rows: Vec<_> =
        counted.iter().map(|(operation, count)| (operation.name, operation.what, *count)).collect();
    let new = Baseline::renewed(old.as_ref(), conditions()?, (COMMAND, &valgrind), &rows, reason);
    for line in table(&old.unwrap_or_default().compare(&pairs)) {
        println!("{line}");
    }
    new.save(&path)?;
    println!("wrote {}", path.display());
    Ok(())
}

fn count(options: &Options) -> Result<Vec<(&'static Operation, Count)>, Failure> {
    let count = |operation: &'static Operation| {
        let count = callgrind::count(operation, options.keep.as_deref())?;
        Ok((operation, count))
    };
    operations::ALL.iter().map(count).collect()
}

fn table(compared: &[Compared]) -> Vec<String> {
    let figure = |each: Option<f64>| each.map_or_else(String::new, |each| format!("{each:.2}"));
    let line = |name: &str, stored: &str, counted: &str, change: &str, verdict: &str| {
        format!("{name:<18} {stored:>10} {counted:>10} {change:>9}  {verdict}")
    };
    let header = line("instructions each", "stored", "counted", "change", "");
    let rows = compared.iter().map(|row| {
        let change = row.stored.zip(row.counted).map_or_else(String::new, |(stored, counted)| {
            format!("{:+.2} %", (counted / stored - 1.0) * 100.0)
        });
        let (stored, counted) = (figure(row.stored), figure(row.counted));
        line(&row.operation, &stored, &counted, &change, row.verdict.word())
    });
    std::iter::once(header).chain(rows).map(|line| line.trim_end().to_owned()).collect()
}

fn baseline_path() -> PathBuf {
    machine::workspace().join("bench/baseline/instructions.json")
}

fn conditions() -> Result<Conditions, Failure> {
    if cfg!(debug_assertions) {
        let what = "counts of a debug build say nothing; run `cargo counts`";
        return Err(Failure::Failed(what.to_owned()));
    }
    let output = Command::new("rustc").arg("--version").current_dir(machine::workspace()).output();
    let output = output.map_err(|error| format!("rustc --version: {error}"))?;
    let library = if cfg!(target_env = "gnu") {
        "-gnu"
    } else if cfg!(target_env = "musl") {
        "-musl"
    } else {
        ""
    };
    Ok(Conditions {
        compiler: String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        target: format!("{}-{}{library}", env::consts::ARCH, env::consts::OS),
        profile: "bench".to_owned(),
    })
}
