//! Every scenario that sends as fast as it can, over every peer: a round is valid, and measures what its side says.

use std::sync::{Mutex, PoisonError};

use super::*;
use crate::recorder::{Plan, run_while};
use crate::side::{Mode, Scenario, Side, Unit};

/// Each of these tests needs both processors for itself.
static PROCESSORS: Mutex<()> = Mutex::new(());

fn one_round_each(scenario: Scenario) {
    let _both = PROCESSORS.lock().unwrap_or_else(PoisonError::into_inner);
    let context = Context { cpus: Some((0, 1)), ..Context::new(true) };
    let entry = all().into_iter().find(|entry| entry.scenario == scenario).expect("it is there");
    let mut contestants = (entry.contestants)(&context);
    let mut sides: Vec<_> = contestants.iter().map(|contestant| contestant.side.clone()).collect();
    let plan = Plan { turns: 1, warm_up: 0, millis: 1, seed: 1 };
    let outcome = run_while(plan, &mut contestants, |_| true);
    assert_eq!(outcome.failed, [], "{scenario:?}");
    assert_eq!(outcome.rounds.len(), sides.len());
    for round in &outcome.rounds {
        // After a trim there may be nothing left.
        let nothing = round.side.unit == Unit::Bytes && round.side.variant.contains("trimmed");
        assert!(round.messages > 0 && (round.figure > 0.0 || nothing), "{round:?}");
        let across = scenario != Scenario::T2s && !round.side.variant.ends_with("one thread");
        let of_one = entry.processors == 1 && scenario != Scenario::T7;
        assert_eq!(round.handoff.is_some(), across && !of_one || crosses(&round.side));
    }
    sides.sort();
    let count = sides.len();
    sides.dedup();
    assert_eq!(sides.len(), count, "two sides of {scenario:?} are the same row");
    assert!(scenario == Scenario::Limit || sides.iter().any(|side| side.contender == "smd"));
}

/// Limits of two processors.
fn crosses(side: &Side) -> bool {
    side.scenario == Scenario::Limit
        && ["handoff", "own-ring", "unpark", "eventfd"].contains(&side.contender)
}

#[test]
fn t1_is_valid() {
    one_round_each(Scenario::T1);
}

#[test]
fn t2_is_valid() {
    one_round_each(Scenario::T2);
}

#[test]
fn t2s_is_valid() {
    one_round_each(Scenario::T2s);
}

#[test]
fn t3_is_valid() {
    one_round_each(Scenario::T3);
}

#[test]
fn t4_is_valid() {
    one_round_each(Scenario::T4);
}

#[test]
fn t4r_is_valid() {
    one_round_each(Scenario::T4r);
}

#[test]
fn t5_is_valid() {
    one_round_each(Scenario::T5);
}

#[test]
fn t6_is_valid() {
    one_round_each(Scenario::T6);
}

#[test]
fn t8_is_valid() {
    one_round_each(Scenario::T8);
}

#[test]
#[cfg(target_os = "linux")]
fn t10_is_valid() {
    one_round_each(Scenario::T10);
}

#[test]
fn t11_is_valid() {
    one_round_each(Scenario::T11);
}

#[test]
fn limits_are_valid() {
    one_round_each(Scenario::Limit);
}

#[test]
fn t7_is_valid() {
    one_round_each(Scenario::T7);
}

#[test]
fn t9_is_valid() {
    one_round_each(Scenario::T9);
}

#[cfg(feature = "lws")]
#[test]
fn the_original_is_valid_everywhere() {
    let _both = PROCESSORS.lock().unwrap_or_else(PoisonError::into_inner);
    let context = Context { cpus: Some((0, 1)), ..Context::new(true) };
    let mut contestants: Vec<_> =
        all().iter().flat_map(|entry| (entry.contestants)(&context)).collect();
    contestants.retain(|contestant| contestant.side.contender == "lws_smd");
    let plan = Plan { turns: 1, warm_up: 0, millis: 5, seed: 1 };
    let outcome = run_while(plan, &mut contestants, |_| true);
    assert_eq!(outcome.failed, []);
    let mut scenarios: Vec<_> = outcome.rounds.iter().map(|round| round.side.scenario).collect();
    scenarios.sort_unstable();
    scenarios.dedup();
    let expected = [Scenario::T1, Scenario::T2s, Scenario::T4, Scenario::T4r, Scenario::T5];
    assert_eq!(scenarios, expected);
}

#[test]
fn one_processor_is_a_message_and_no_panic() {
    let context = Context { cpus: None, ..Context::new(false) };
    let missing = missing(&context);
    assert!(missing.iter().any(|missing| missing == &format!("T1: {ONE_PROCESSOR}")));
    let mut contestants =
        [stream::contestant::<crate::peers::Smd, flow::Single>(&context, Scenario::T1, 1)];
    let plan = Plan { turns: 1, warm_up: 0, millis: 1, seed: 1 };
    let outcome = run_while(plan, &mut contestants, |_| true);
    assert_eq!(outcome.failed.len(), 1);
    assert_eq!(outcome.failed[0].1, ONE_PROCESSOR);
}

#[test]
fn every_contender_is_there_in_all_its_modes() {
    let context = Context { cpus: Some((0, 1)), ..Context::new(false) };
    let named = contenders(&context);
    for name in [
        "smd",
        "multiqueue2",
        "disruptor-sp",
        "disruptor-mp",
        "tokio-broadcast",
        "async-broadcast",
        "bus",
        "crossbeam-channel",
        "crossbeam-ArrayQueue",
        "crossbeam-SegQueue",
        "kanal",
        "own-ring",
        "own-slotseq",
        #[cfg(feature = "lws")]
        "lws_smd",
    ] {
        assert!(named.contains(&name), "{name}");
    }
    let of_t1 = all().remove(0);
    let sides: Vec<_> = (of_t1.contestants)(&context).into_iter().map(|c| c.side).collect();
    for (name, modes) in [("smd", 3), ("multiqueue2", 3), ("own-ring", 2), ("disruptor-sp", 2)] {
        let found: Vec<Mode> = sides
            .iter()
            .filter(|side| side.contender == name && side.variant.is_empty())
            .map(|side| side.mode)
            .collect();
        assert_eq!(found.len(), modes, "{name}: {found:?}");
    }
}
