//! Commands, and what they do in which order.

mod cases;
mod names;
mod report;
mod run;
mod teeth;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use cases::{Case, Effort, Tool};
use teeth::Tooth;

const USAGE: &str = "\
usage: cargo verify COMMAND

  quick                 every model, the long ones at 1 preemption, and every tooth, in minutes;
                        writes results/verify.md
  deep                  the same with at least 2 preemptions and 20,000 schedules, with the teeth
                        of Miri and of the thread sanitizer, and with every stage of
                        scripts/verify-tools.sh (SMD_MIRI_SEEDS=A..B: Miri's seeds)
  list                  scenarios, teeth, and names without a tooth
  scenario NAME         one scenario: loom_order::lag, or any that contains NAME
  teeth [ID...]         all teeth but those of slow tools, or these; or those whose id begins with ID

  --preemptions N       loom: exactly this bound
  --schedules N         shuttle: so many schedules a model
  --seconds N           loom: a model that takes longer fails
  --seed N              scenario, shuttle: where the random schedules start
  --jobs N              so many at a time (all processors)
  --out DIRECTORY       where the results go (results)
  --stress N            deep: so many seconds of stress (600)
  --no-teeth            quick, deep: none of the teeth
  --no-tools            deep: nothing of scripts/verify-tools.sh";

/// What the command line said.
#[derive(Debug, Default)]
struct Options {
    words: Vec<String>,
    preemptions: Option<u64>,
    schedules: Option<u64>,
    seconds: Option<u64>,
    seed: Option<u64>,
    jobs: Option<u64>,
    out: Option<PathBuf>,
    stress: Option<u64>,
    no_teeth: bool,
    no_tools: bool,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options::default();
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let value = arguments.next().unwrap_or_default();
                match value.parse::<u64>() {
                    Ok(number) if number > 0 => Ok(Some(number)),
                    _ => Err(format!("{argument} takes a number above zero, not {value:?}")),
                }
            };
            match argument.as_str() {
                "--preemptions" => options.preemptions = number()?,
                "--schedules" => options.schedules = number()?,
                "--seconds" => options.seconds = number()?,
                "--seed" => options.seed = number()?,
                "--jobs" => options.jobs = number()?,
                "--out" => options.out = arguments.next().map(PathBuf::from),
                "--stress" => options.stress = number()?,
                "--no-teeth" => options.no_teeth = true,
                "--no-tools" => options.no_tools = true,
                option if option.starts_with('-') => {
                    return Err(format!("there is no option {option}\n\n{USAGE}"));
                }
                _ => options.words.push(argument),
            }
        }
        Ok(options)
    }

    fn jobs(&self) -> usize {
        let all = std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.map_or(all, |jobs| jobs as usize)
    }

    fn effort(&self, deep: bool) -> Effort {
        Effort {
            preemptions: self.preemptions,
            is_quick: !deep,
            least_preemptions: if deep { 2 } else { 0 },
            schedules: self.schedules.unwrap_or(if deep { 20_000 } else { 1_000 }),
            seconds: self.seconds.unwrap_or(if deep { 3_600 } else { 240 }),
            scripts: if deep { 50_000 } else { 2_000 },
            // A quick run takes the same schedules each time: what it finds is new then.
            seed: self.seed.or(if deep { None } else { Some(1) }),
        }
    }
}

pub(crate) fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)).and_then(|options| command(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// The directory of the workspace.
pub(crate) fn root() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    own.parent().map(PathBuf::from).unwrap_or(own)
}

fn command(options: &Options) -> Result<bool, String> {
    let words: Vec<_> = options.words.iter().map(String::as_str).collect();
    match *words.as_slice() {
        ["quick"] => everything(options, false),
        ["deep"] => everything(options, true),
        ["list"] => list(),
        ["scenario", name] => scenario(name, options),
        ["teeth", ref ids @ ..] => some_teeth(ids, options),
        [] => Err(USAGE.to_owned()),
        ref other => Err(format!("there is no command {:?}\n\n{USAGE}", other.join(" "))),
    }
}

fn everything(options: &Options, deep: bool) -> Result<bool, String> {
    let start = Instant::now();
    let names = names::scan(&root())?;
    let teeth = teeth::load(&root(), &names)?;
    let (cases, open) = cases::collect(&Tool::ALL)?;
    let mut cases: Vec<_> = cases.into_iter().filter(|case| deep || !case.is_long).collect();
    // Only the order comes from it: without a record the run takes longer.
    let record = std::fs::read_to_string(root().join("results/verify.json")).unwrap_or_default();
    cases::longest_first(&mut cases, &record);
    let effort = options.effort(deep);
    let mut outcomes = run::all(cases, options.jobs(), |case: &Case| {
        let outcome = case.run(&effort);
        println!("{}", outcome.line());
        outcome
    });
    outcomes.sort_by(|a, b| (a.tool.name(), &a.name).cmp(&(b.tool.name(), &b.name)));
    let bites =
        if options.no_teeth { Vec::new() } else { teeth::run(teeth, options.jobs(), deep)? };
    let watched = if deep && !options.no_tools {
        tools::run(options.stress.unwrap_or(600), options.jobs())?
    } else {
        Vec::new()
    };
    let report = report::Report {
        form: if deep { "deep" } else { "quick" },
        names: &names,
        outcomes: &outcomes,
        bites: &bites,
        watched: &watched,
        open: &open,
        seconds: start.elapsed().as_secs_f64(),
        with_teeth: !options.no_teeth,
    };
    let out = options.out.clone().unwrap_or_else(|| root().join("results"));
    report.write(&out)?;
    let faults = report.faults();
    println!();
    faults.iter().for_each(|fault| println!("FAILED {fault}"));
    println!("{}", report.summary());
    println!("written: {}", out.join("verify.md").display());
    Ok(faults.is_empty())
}

fn list() -> Result<bool, String> {
    let names = names::scan(&root())?;
    let teeth = teeth::load(&root(), &names)?;
    println!("scenarios");
    for case in cases::in_sources(&root())? {
        println!("  {case}");
    }
    println!("teeth");
    for tooth in &teeth {
        println!("  {:32} {:10} {}", tooth.id, tooth.tool.name(), tooth.covers.join(", "));
    }
    let bare: Vec<_> =
        names.iter().filter(|name| !teeth.iter().any(|t| t.covers.contains(&name.name))).collect();
    println!("{} names without a tooth", bare.len());
    for name in bare {
        println!("  {:32} {}", name.name, name.source);
    }
    Ok(true)
}

fn scenario(name: &str, options: &Options) -> Result<bool, String> {
    let known = cases::in_sources(&root())?;
    let mut meant: Vec<_> = known.iter().filter(|case| *case == name).collect();
    if meant.is_empty() {
        meant = known.iter().filter(|case| case.contains(name)).collect();
    }
    if meant.is_empty() {
        return Err(format!("there is no scenario {name:?}; there are:\n  {}", known.join("\n  ")));
    }
    let tools: Vec<_> =
        Tool::ALL.into_iter().filter(|tool| meant.iter().any(|case| tool.plays(case))).collect();
    if options.seed.is_some() && tools != [Tool::Shuttle] {
        let seeded: Vec<_> =
            known.iter().filter(|case| Tool::Shuttle.plays(case)).map(String::as_str).collect();
        return Err(format!(
            "only a scenario of shuttle begins at a seed, and {name:?} means {}; there are:\n  {}",
            meant.iter().map(|case| case.as_str()).collect::<Vec<_>>().join(", "),
            seeded.join("\n  ")
        ));
    }
    let (cases, _) = cases::collect(&tools)?;
    let chosen: Vec<_> =
        cases.into_iter().filter(|case| meant.iter().any(|name| **name == case.name())).collect();
    if chosen.is_empty() {
        return Err(format!("{name:?} is an open one: it is ignored, and its reason says why"));
    }
    let effort = options.effort(false);
    let outcomes = run::all(chosen, options.jobs(), |case: &Case| {
        let outcome = case.run(&effort);
        println!("{}", outcome.line());
        if let Some(fault) = &outcome.fault {
            println!("{}\n{fault}", outcome.output);
        }
        outcome
    });
    Ok(outcomes.iter().all(|outcome| outcome.fault.is_none()))
}

fn some_teeth(ids: &[&str], options: &Options) -> Result<bool, String> {
    let names = names::scan(&root())?;
    let all = teeth::load(&root(), &names)?;
    let known: Vec<_> = all.iter().map(|tooth| tooth.id.clone()).collect();
    for id in ids {
        if !known.iter().any(|known| known.starts_with(id)) {
            return Err(format!("there is no tooth {id:?}; there are:\n  {}", known.join("\n  ")));
        }
    }
    let is_meant = |tooth: &Tooth| ids.is_empty() || ids.iter().any(|id| tooth.id.starts_with(id));
    let chosen: Vec<_> = all.into_iter().filter(is_meant).collect();
    let bites = teeth::run(chosen, options.jobs(), !ids.is_empty())?;
    println!("{}", report::of_teeth(&bites));
    Ok(bites.iter().all(|bite| bite.bit() || bite.is_skipped()))
}
