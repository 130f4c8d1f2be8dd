//! Drives a run: which scenarios, in what time, with a line that says how far it is. What a run cannot measure is named
//! and left out, and the rest runs.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::machine::Provenance;
use crate::recorder::{Plan, Round, run_while};
use crate::report::{OURS, Planned, Report};
use crate::side::{Scenario, Side};
use crate::workload::{self, Context, Entry};

/// The share of the time of a scenario that is named and has none.
const UNSHARED: u32 = 6;

/// The seed of the order of rounds where none is given.
pub const SEED: u64 = 20_240_229;

/// Which scenarios and contenders; all where none is named.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    scenarios: Vec<Scenario>,
    contenders: Vec<String>,
}

impl Choice {
    /// Adds scenarios by name, separated by commas.
    ///
    /// # Errors
    /// A word that is no scenario, with the list of those that are.
    pub fn add_scenarios(&mut self, words: &str) -> Result<(), String> {
        let known: Vec<Scenario> = workload::all().iter().map(|entry| entry.scenario).collect();
        for word in words.split(',') {
            let found = known.iter().find(|known| known.name().eq_ignore_ascii_case(word.trim()));
            let Some(&scenario) = found else {
                let names: Vec<_> = known.iter().map(|scenario| scenario.name()).collect();
                return Err(format!("'{word}' is no scenario; there are {}", names.join(", ")));
            };
            self.scenarios.push(scenario);
        }
        Ok(())
    }

    /// Adds contenders by name, separated by commas.
    ///
    /// # Errors
    /// A word that is no contender, with the list of those that are.
    pub fn add_contenders(&mut self, words: &str, known: &[&str]) -> Result<(), String> {
        for word in words.split(',').map(str::trim) {
            if !known.contains(&word) {
                return Err(format!(
                    "'{word}' is no contender of this build; there are {}",
                    known.join(", ")
                ));
            }
            self.contenders.push(word.to_owned());
        }
        Ok(())
    }

    /// Whether it is less than everything.
    pub fn is_partial(&self) -> bool {
        !self.scenarios.is_empty() || !self.contenders.is_empty()
    }

    fn has(&self, side: &Side) -> bool {
        (self.scenarios.is_empty() || self.scenarios.contains(&side.scenario))
            && (self.contenders.is_empty()
                || self.contenders.iter().any(|name| name == side.contender))
    }

    /// Whether it is among those that were named.
    fn names(&self, scenario: Scenario) -> bool {
        self.scenarios.contains(&scenario)
    }

    fn has_scenario(&self, scenario: Scenario) -> bool {
        self.scenarios.is_empty() || self.scenarios.contains(&scenario)
    }
}

/// What kind of run.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// The time that it has for rounds.
    pub budget: Duration,
    /// How often it comes to each scenario: each time its peers are opened anew.
    pub passes: u32,
    /// The most turns of a scenario in a pass.
    pub turns: usize,
    /// Turns of each pass that do not count.
    pub warm_up: usize,
    /// Milliseconds of a usual round.
    pub millis: u64,
    /// Seed of the order.
    pub seed: u64,
    /// A quick run, or a full one: which shares of the time count.
    pub quick: bool,
}

impl Job {
    /// A quick run: all that is compared, within 80 seconds.
    pub fn quick(seed: u64) -> Job {
        Job {
            budget: Duration::from_secs(78),
            passes: 2,
            turns: usize::MAX,
            warm_up: 0,
            millis: 8,
            seed,
            quick: true,
        }
    }

    /// A full run, within 25 minutes.
    pub fn full(seed: u64) -> Job {
        let budget = Duration::from_secs(23 * 60);
        Job { budget, passes: 6, turns: usize::MAX, warm_up: 1, millis: 20, seed, quick: false }
    }

    /// A run of everything that only shows that it is valid.
    pub fn test(seed: u64) -> Job {
        Job {
            budget: Duration::from_secs(50),
            passes: 1,
            turns: 1,
            warm_up: 0,
            millis: 2,
            seed,
            quick: false,
        }
    }

    /// The same with the time that the chosen scenarios have of it.
    #[must_use]
    pub fn scaled_to(self, choice: &Choice) -> Job {
        let sum = |only: &dyn Fn(&Entry) -> bool| -> u32 {
            workload::all().iter().filter(|entry| only(entry)).map(|entry| self.share(entry)).sum()
        };
        // Who is chosen and has no share in a quick run is given one.
        let unshared = |entry: &Entry| self.share(entry) == 0 && choice.names(entry.scenario);
        let extra =
            workload::all().iter().filter(|entry| unshared(entry)).count() as u32 * UNSHARED;
        let chosen = sum(&|entry| choice.has_scenario(entry.scenario)) + extra;
        let part = f64::from(chosen) / f64::from(sum(&|_| true).max(1));
        Job { budget: self.budget.mul_f64(part.min(1.0)), ..self }
    }

    fn share(&self, entry: &Entry) -> u32 {
        if self.quick { entry.quick } else { entry.full }
    }
}

/// What a run brought.
#[derive(Debug, Default)]
pub struct Brought {
    /// All rounds, also those that count for nothing.
    pub rounds: Vec<Round>,
    /// What is missing, and why.
    pub left_out: Vec<String>,
    /// Who failed, and how.
    pub failed: Vec<(Side, String)>,
    /// What was done of each scenario.
    pub plans: Vec<(Scenario, Plan)>,
    /// Whether it was told to end before its time.
    pub interrupted: bool,
}

impl Brought {
    /// Whether the bus itself lost or damaged something, or did not end.
    pub fn bus_failed(&self) -> bool {
        self.failed.iter().any(|(side, _)| side.contender == OURS)
    }

    /// What a reader must know is not there.
    pub fn left_out(&self) -> Vec<String> {
        let failed = self.failed.iter().map(|(side, error)| format!("{}: {error}", side.label()));
        self.left_out.iter().cloned().chain(failed).collect()
    }

    /// All of it, summed up.
    pub fn report(self, provenance: Provenance) -> Report {
        let left_out = self.left_out();
        let plans = self.plans.into_iter();
        let plans = plans.map(|(of, plan)| Planned { of: of.name().to_owned(), plan });
        Report::new(provenance, plans, left_out, self.rounds)
    }
}

/// Runs a job until it is over or `stop` is set.
pub fn drive(job: Job, choice: &Choice, context: &Context, stop: &AtomicBool) -> Brought {
    let mut brought = Brought { left_out: workload::missing(context), ..Brought::default() };
    let processors = if context.cpus.is_some() { 2 } else { 1 };
    let entries: Vec<Entry> = workload::all()
        .into_iter()
        .filter(|entry| choice.has_scenario(entry.scenario) && entry.processors <= processors)
        .filter(|entry| job.share(entry) > 0 || choice.names(entry.scenario))
        .collect();
    let share = |entry: &Entry| match job.share(entry) {
        0 => u64::from(UNSHARED),
        share => u64::from(share),
    };
    // What is left of the time goes to what is left to do.
    let mut shares = u64::from(job.passes) * entries.iter().map(share).sum::<u64>();
    let mut done: BTreeMap<Scenario, Plan> = BTreeMap::new();
    let start = Instant::now();
    let mut progress = Progress::new(start, job.budget);
    for pass in 0..job.passes {
        for entry in &entries {
            let left = job.budget.saturating_sub(start.elapsed());
            let until = Instant::now() + left.mul_f64(share(entry) as f64 / shares.max(1) as f64);
            shares -= share(entry);
            let mut contestants = (entry.contestants)(context);
            contestants.retain(|contestant| {
                let failed = brought.failed.iter().any(|(side, _)| *side == contestant.side);
                choice.has(&contestant.side) && !failed
            });
            let plan = Plan {
                turns: job.turns,
                warm_up: job.warm_up,
                millis: job.millis * u64::from(entry.stretch),
                seed: job.seed.wrapping_add(u64::from(pass)),
            };
            let outcome = run_while(plan, &mut contestants, |side| {
                progress.show(side);
                // RELAXED: a wish to end; nothing hangs on when it is seen.
                !stop.load(Ordering::Relaxed) && Instant::now() < until
            });
            let done = done.entry(entry.scenario).or_insert(Plan { turns: 0, ..plan });
            let first = done.turns;
            let numbered = outcome.rounds.into_iter();
            let numbered = numbered.map(|round| Round { turn: first + round.turn, ..round });
            brought.rounds.extend(numbered);
            done.turns += outcome.turns;
            for (side, error) in &outcome.failed {
                progress.say(format_args!("left out: {}: {error}", side.label()));
            }
            brought.failed.extend(outcome.failed);
        }
    }
    progress.end(brought.rounds.len());
    brought.plans = done.into_iter().collect();
    // RELAXED: as above.
    brought.interrupted = stop.load(Ordering::Relaxed);
    if brought.interrupted {
        brought.left_out.push("the rest of a run that was interrupted".to_owned());
    }
    brought
}

/// A line on the error output that says how far the run is: in place on a terminal, once in a while elsewhere.
struct Progress {
    start: Instant,
    budget: Duration,
    terminal: bool,
    next: Instant,
    rounds: usize,
}

impl Progress {
    fn new(start: Instant, budget: Duration) -> Progress {
        Progress { start, budget, terminal: io::stderr().is_terminal(), next: start, rounds: 0 }
    }

    fn show(&mut self, side: &Side) {
        self.rounds += 1;
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + Duration::from_millis(if self.terminal { 250 } else { 10_000 });
        let (spent, budget) = ((now - self.start).as_secs(), self.budget.as_secs());
        let line = format!("{spent} s of {budget} s, round {}: {}", self.rounds, side.label());
        // A terminal that is gone is no reason to end.
        let _ = if self.terminal {
            write!(io::stderr(), "\r\x1b[2K{line:.100}")
        } else {
            writeln!(io::stderr(), "{line}")
        };
    }

    fn say(&self, what: fmt::Arguments<'_>) {
        let clear = if self.terminal { "\r\x1b[2K" } else { "" };
        let _ = writeln!(io::stderr(), "{clear}{what}");
    }

    fn end(&self, rounds: usize) {
        let seconds = self.start.elapsed().as_secs_f64();
        self.say(format_args!("{rounds} rounds in {seconds:.1} s"));
    }
}

/// A flag that the first Ctrl-C sets; the second ends the process at once.
pub fn interrupts() -> &'static AtomicBool {
    static STOP: AtomicBool = AtomicBool::new(false);
    let set = ctrlc::set_handler(|| {
        // RELAXED: see `drive`.
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        let _ = writeln!(
            io::stderr(),
            "\nends after this round and keeps what was measured; once more ends at once"
        );
    });
    if let Err(error) = set {
        let _ = writeln!(io::stderr(), "Ctrl-C will lose what was measured: {error}");
    }
    &STOP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_words_are_told_with_the_list() {
        let mut choice = Choice::default();
        assert_eq!(choice.add_scenarios("t1,T2S"), Ok(()));
        let error = choice.add_scenarios("T1,T99").expect_err("no such scenario");
        assert!(error.starts_with("'T99' is no scenario; there are T1, T2, T2S, T3"), "{error}");
        assert_eq!(choice.add_contenders("smd,bus", &["bus", "smd"]), Ok(()));
        let error = choice.add_contenders("buss", &["bus", "smd"]).expect_err("no such contender");
        assert_eq!(error, "'buss' is no contender of this build; there are bus, smd");
    }

    #[test]
    fn a_choice_runs_and_nothing_else() {
        let context = Context { cpus: None, ..Context::new(false) };
        let mut choice = Choice::default();
        choice.add_scenarios("T2S").expect("it is there");
        choice.add_contenders("smd", &["smd"]).expect("it is there");
        let brought = drive(Job::test(1), &choice, &context, &AtomicBool::new(false));
        assert_eq!(brought.failed, []);
        assert!(!brought.rounds.is_empty());
        for round in &brought.rounds {
            assert_eq!((round.side.scenario, round.side.contender), (Scenario::T2s, "smd"));
        }
        assert!(brought.left_out().iter().any(|left_out| left_out.starts_with("T1: ")));
    }

    #[test]
    fn an_interrupt_keeps_what_is_there() {
        let context = Context { cpus: None, ..Context::new(false) };
        let brought = drive(Job::test(1), &Choice::default(), &context, &AtomicBool::new(true));
        assert!(brought.rounds.is_empty() && brought.interrupted);
    }
}
