//! Turns: who has a round when, and what becomes of who fails.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde::Serialize;

use super::{Contestant, Round};
use crate::side::Side;

/// How many turns, how long each round takes, and the seed of the order.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Plan {
    /// Turns that count.
    pub turns: usize,
    /// Turns before them that do not.
    pub warm_up: usize,
    /// Milliseconds of one round.
    pub millis: u64,
    /// Seed of the random order.
    pub seed: u64,
}

/// What a run brought.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The rounds, also those of who failed later.
    pub rounds: Vec<Round>,
    /// Who failed, and how: messages that were lost, out of order or damaged, a panic, no answer.
    pub failed: Vec<(Side, String)>,
    /// Turns in which somebody had a round that counts.
    pub turns: usize,
}

/// Gives every contestant one round a turn, in a new random order each turn, until the turns are over or `proceed`,
/// which is told whose round is next, says no. Who fails is out, and the others go on.
pub fn run_while(
    plan: Plan,
    contestants: &mut [Contestant],
    mut proceed: impl FnMut(&Side) -> bool,
) -> Outcome {
    let mut order: Vec<usize> = (0..contestants.len()).collect();
    let mut random = Random::new(plan.seed);
    let mut outcome = Outcome::default();
    for turn in 0..plan.turns.saturating_add(plan.warm_up) {
        random.shuffle(&mut order);
        let mut out = Vec::new();
        for &index in &order {
            let contestant = &mut contestants[index];
            if !proceed(&contestant.side) {
                return outcome;
            }
            match contained(|| (contestant.round)(Duration::from_millis(plan.millis))) {
                Ok(measured) => {
                    if let Some(turn) = turn.checked_sub(plan.warm_up) {
                        outcome.rounds.push(Round::new(turn, &contestant.side, measured));
                        outcome.turns = turn + 1;
                    }
                }
                Err(error) => {
                    outcome.failed.push((contestant.side.clone(), error.clone()));
                    // In what state it is nobody knows: to drop it could wait for ever.
                    let again = Box::new(move |_| Err(format!("it failed before: {error}")));
                    std::mem::forget(std::mem::replace(&mut contestant.round, again));
                    out.push(index);
                }
            }
        }
        order.retain(|index| !out.contains(index));
    }
    outcome
}

/// A panic of `work` as an error.
fn contained<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    // What a panic leaves half done is not looked at again.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panicked(&*panic)))
}

/// What a thread said when it panicked.
pub fn panicked(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
    let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a thread panicked: {}", said.as_deref().unwrap_or("without a word"))
}

/// Runs all turns; `progress` is told whose round is next.
///
/// # Errors
/// The first contestant that failed.
pub fn run(
    plan: Plan,
    contestants: &mut [Contestant],
    mut progress: impl FnMut(&Side),
) -> Result<Vec<Round>, String> {
    let outcome = run_while(plan, contestants, |side| {
        progress(side);
        true
    });
    match outcome.failed.first() {
        None => Ok(outcome.rounds),
        Some((side, error)) => Err(format!("{}: {error}", side.label())),
    }
}

/// A small generator for the order of rounds; nothing else depends on its quality.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn shuffle(&mut self, order: &mut [usize]) {
        for last in (1..order.len()).rev() {
            order.swap(last, (self.next() % (last as u64 + 1)) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::on_this_thread;
    use crate::side::{Mode, Scenario};

    fn plan(turns: usize) -> Plan {
        Plan { turns, warm_up: 2, millis: 0, seed: 7 }
    }

    fn side(name: &'static str) -> Side {
        Side::new(Scenario::T2s, name, Mode::Single, 8)
    }

    fn good(name: &'static str) -> Contestant {
        Contestant::new(side(name), |span| Ok(on_this_thread(span, || 1)))
    }

    #[test]
    fn every_contestant_has_one_round_a_turn() {
        let rounds = run(plan(3), &mut [good("a"), good("b")], |_| ()).unwrap_or_default();
        for turn in 0..3 {
            for name in ["a", "b"] {
                let of = |round: &&Round| round.turn == turn && round.side.contender == name;
                assert_eq!(rounds.iter().filter(of).count(), 1);
            }
        }
    }

    #[test]
    fn who_fails_is_out_and_the_others_go_on() {
        let lost = Contestant::new(side("b"), |_| Err("lost".to_owned()));
        let bad = Contestant::new(side("c"), |_| panic!("no message {}", 7));
        let outcome = run_while(plan(3), &mut [good("a"), lost, bad], |_| true);
        assert_eq!((outcome.rounds.len(), outcome.turns), (3, 3));
        let mut failed = outcome.failed;
        failed.sort();
        let expected = [("b", "lost"), ("c", "a thread panicked: no message 7")];
        assert_eq!(failed, expected.map(|(name, error)| (side(name), error.to_owned())));
        let lost = Contestant::new(side("b"), |_| Err("lost".to_owned()));
        assert_eq!(
            run(plan(1), &mut [lost], |_| ()).map(drop),
            Err("T2S b single to 8: lost".to_owned())
        );
    }

    #[test]
    fn a_run_ends_when_it_is_told() {
        let mut left = 7;
        let outcome = run_while(plan(100), &mut [good("a"), good("b")], |_| {
            left -= 1;
            left > 0
        });
        // Six rounds, two turns of them before it counts.
        assert_eq!((outcome.rounds.len(), outcome.turns), (2, 1));
    }

    #[test]
    fn turns_without_an_end_are_turns() {
        let mut left = 4;
        let outcome = run_while(plan(usize::MAX), &mut [good("a")], |_| {
            left -= 1;
            left > 0
        });
        assert_eq!((outcome.rounds.len(), outcome.turns), (1, 1));
    }
}
