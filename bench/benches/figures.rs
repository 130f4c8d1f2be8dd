//! The first figures, beside `tokio::sync::broadcast`, in one process.
//!
//! `cargo bench -p smd-bench --bench figures` measures and prints; `-- --write` also writes `results/first.md` and
//! `results/first.json`, and the figures in the README. See [`USAGE`].

use std::env;
use std::hint::black_box;
use std::io::{self, IsTerminal, Write as _};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use smd_bench::alloc::Counting;
use smd_bench::machine::{self, Provenance};
use smd_bench::peers::{PacedTokio, Smd, SmdBatch, Tokio};
use smd_bench::readme;
use smd_bench::recorder::{self, Contestant, Plan, Summary};
use smd_bench::report::Report;
use smd_bench::workload::{one_thread, two_threads, uninterested, unwanted};
use smd_lockfree::Clock;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const USAGE: &str = "\
usage: cargo bench -p smd-bench --bench figures -- [options]
  --write      write results/first.md and results/first.json, and the figures in the README
  --strict     end with an error if a target is missed
  --turns N    rounds of each side (120)
  --millis N   length of a round (25)
  --seed N     order of the rounds (the time of day)
  --test       a short run that only checks that everything works
";

#[derive(Debug)]
struct Options {
    write: bool,
    strict: bool,
    test: bool,
    plan: Plan,
}

fn main() -> ExitCode {
    let options = match options(env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match figures(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut options = Options {
        write: false,
        strict: false,
        // Cargo says `--bench` when it measures, and nothing when it runs the benches as tests.
        test: true,
        plan: Plan { turns: 120, warm_up: 3, millis: 25, seed: now.as_secs() },
    };
    let mut asked_for_test = false;
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let value = arguments.next().unwrap_or_default();
            value.parse::<u32>().map_err(|_| format!("{argument} wants a number, not '{value}'"))
        };
        match argument.as_str() {
            "--bench" => options.test = false,
            "--test" => asked_for_test = true,
            "--write" => options.write = true,
            "--strict" => options.strict = true,
            "--turns" => options.plan.turns = number()?.max(1) as usize,
            "--millis" => options.plan.millis = number()?.clamp(1, 1_000).into(),
            "--seed" => options.plan.seed = number()?.into(),
            other => return Err(format!("unknown option '{other}'")),
        }
    }
    options.test |= asked_for_test;
    if options.test {
        options.plan = Plan { turns: 2, warm_up: 1, millis: 2, ..options.plan };
    }
    if options.test && (options.write || options.strict) {
        return Err("a short run has no figures to write or judge".to_owned());
    }
    Ok(options)
}

/// Measures, prints and writes; `false` if a target was missed and that matters.
fn figures(options: &Options) -> Result<bool, String> {
    let mut left_out = Vec::new();
    let provenance = Provenance::collect(machine::command("figures"), &["smd-lockfree", "tokio"]);
    let cpus = machine::cpus();
    if cpus.first().is_some_and(|&cpu| !machine::pin(cpu)) {
        left_out.push("pinning the sending thread, which the system refused".to_owned());
    }
    let clock = Clock::real();
    let stamp = stamp(&clock, options.plan);
    let mut contestants = vec![
        one_thread::contestant::<Smd>(&clock),
        one_thread::contestant::<SmdBatch>(&clock),
        one_thread::contestant::<Tokio>(&clock),
        uninterested::contestant(&clock, 1),
        uninterested::contestant(&clock, 1000),
    ];
    contestants.extend(unwanted::contestants(&clock));
    if let [first, second, ..] = cpus[..] {
        let pair = (first, second);
        contestants.push(two_threads::contestant::<Smd>(&clock, pair));
        contestants.push(two_threads::contestant::<SmdBatch>(&clock, pair));
        contestants.push(two_threads::contestant::<PacedTokio>(&clock, pair));
    } else {
        left_out
            .push("one to one over two threads, which wants two processors to pin to".to_owned());
    }
    let rounds = measure(options, &mut contestants)?;
    let report = Report::new(provenance, options.plan, left_out, stamp, rounds);
    if options.test {
        let rounds = report.rounds.len();
        println!(
            "figures: {} sides, {rounds} rounds, all complete and in order",
            contestants.len()
        );
        return Ok(true);
    }
    print!("{report}");
    if options.write {
        let written = report.write(&machine::workspace().join("results"), "first");
        for path in written.map_err(|error| format!("results: {error}"))? {
            println!("wrote {}", path.display());
        }
        readme::fill(&machine::workspace()).map_err(|error| format!("README.md: {error}"))?;
        println!("wrote the figures in README.md");
    }
    Ok(!(options.strict && report.missed()))
}

fn measure(
    options: &Options,
    contestants: &mut [Contestant],
) -> Result<Vec<recorder::Round>, String> {
    let turns = options.plan.warm_up + options.plan.turns;
    let show = io::stderr().is_terminal() && !options.test;
    let rounds = recorder::run(options.plan, contestants, |turn| {
        if show {
            eprint!("\rturn {} of {turns}", turn + 1);
            // A progress line that cannot be shown is no reason to stop.
            let _ = io::stderr().flush();
        }
    });
    if show {
        eprintln!();
    }
    rounds
}

/// What one stamp costs that a sender takes for itself.
fn stamp(clock: &Clock, plan: Plan) -> Option<Summary> {
    const STAMPS: u64 = 1024;
    Summary::of((0..plan.turns.min(20)).map(|_| {
        let measured = recorder::on_this_thread(Duration::from_millis(plan.millis.min(5)), || {
            for _ in 0..STAMPS {
                black_box(clock.now());
            }
            STAMPS
        });
        measured.time.as_nanos() as f64 / measured.messages as f64
    }))
}
