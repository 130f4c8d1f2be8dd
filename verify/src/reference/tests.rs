//! The model itself: what it must demand, and what it must not.

use super::bus::Choices;
use super::*;
use smd_lockfree::{Class, Lag, LagReason, Policy, SendError, Sent};

const A: Class = Class::USER0;
const B: Class = Class::USER1;
const MILLI: u64 = 1_000_000;

fn setup() -> Setup {
    Setup {
        depth: 4,
        expires: true,
        max_segments: 8,
        retained_limit: 4,
        max_participants: 4,
        teardown: 0,
    }
}

fn model() -> Model {
    Model::new(&setup(), MILLI)
}

fn send(model: &mut Model, class: Class) -> u64 {
    let stamp = model.stamp();
    model.accept(class, vec![1], None, None, stamp)
}

fn plain(model: &mut Model, mask: Class, policy: Policy, depth: u32) -> u64 {
    let choices = Choices { mask, policy, exclude_own: false, retained: true, bridge: false };
    model.register(choices, depth)
}

fn lag(reason: LagReason, count: u64, first: u64, last: u64) -> Lag {
    Lag { count, classes: A, first, last, reason }
}

fn lose(model: &mut Model, id: u64, lag: Lag) -> Result<(), String> {
    let at = model.moment();
    model.members.get_mut(&id).unwrap().backlog.lose(&lag, at)
}

fn deliver(model: &mut Model, id: u64, number: u64) -> Result<(), String> {
    let at = model.moment();
    model.members.get_mut(&id).unwrap().backlog.deliver(number, at).map(|_| ())
}

fn exhaust(model: &mut Model, id: u64) -> Result<(), String> {
    let at = model.moment();
    model.members.get_mut(&id).unwrap().backlog.exhaust(at)
}

fn deliver_state(model: &mut Model, id: u64, number: u64) -> Result<(), String> {
    let at = model.moment();
    let member = model.members.get_mut(&id).unwrap();
    let live = member.backlog.first_sure(at);
    member.state.deliver(number, live).map(|_| ())
}

#[test]
fn one_outcome_for_each_plain_case() {
    let mut model = model();
    let only = |what: fn(&mut Outcomes) -> &mut bool| {
        let mut outcomes = Outcomes::default();
        *what(&mut outcomes) = true;
        outcomes
    };
    assert_eq!(model.judge(A, 1, None, None), only(|o| &mut o.unwanted));
    let id = plain(&mut model, A, Policy::Backpressure, 1);
    assert_eq!(model.judge(A, 1, None, None), only(|o| &mut o.queued));
    assert_eq!(model.judge(B, 1, None, None), only(|o| &mut o.unwanted));
    assert_eq!(model.judge(A, 385, None, None), only(|o| &mut o.too_long));
    assert_eq!(model.judge(Class::NONE, 1, None, None), only(|o| &mut o.empty_class));
    assert_eq!(model.judge(A, 1, None, Some(99)), only(|o| &mut o.not_retained));
    send(&mut model, A);
    assert_eq!(model.judge(A | B, 1, None, None), only(|o| &mut o.full));
    model.now += 11 * MILLI;
    assert_eq!(model.judge(A, 1, None, None), only(|o| &mut o.queued), "it expired");
    model.members.remove(&id);
    assert_eq!(model.judge(A, 1, None, None), only(|o| &mut o.unwanted));
    model.retain(B, b"");
    assert_eq!(model.judge(B, 1, None, None), only(|o| &mut o.queued));
    model.closed = true;
    assert_eq!(model.judge(B, 1, None, None), only(|o| &mut o.closed));
}

#[test]
fn outcomes_look_at_the_details() {
    let queued = Outcomes { queued: true, ..Outcomes::default() };
    assert!(queued.allow(&Ok(Sent::Queued(5)), 5, 1));
    assert!(!queued.allow(&Ok(Sent::Queued(6)), 5, 1), "numbers have no holes");
    let full = Outcomes { full: true, ..Outcomes::default() };
    let reason = smd_lockfree::FullReason::Stalled;
    assert!(!full.allow(&Err(SendError::Full(reason)), 5, 1), "nobody is stopped in a send");
    let too_long = Outcomes { too_long: true, ..Outcomes::default() };
    assert!(too_long.allow(&Err(SendError::TooLong { len: 385, max: 384 }), 5, 385));
    assert!(!too_long.allow(&Err(SendError::TooLong { len: 384, max: 384 }), 5, 385));
}

#[test]
fn the_newest_survive() {
    let five = || {
        let mut model = model();
        let id = plain(&mut model, A, Policy::Lag, 2);
        for _ in 0..5 {
            send(&mut model, A);
        }
        (model, id)
    };
    let (mut model, id) = five();
    assert!(deliver(&mut model, id, 1).is_err(), "1 was lost");
    let (mut model, id) = five();
    assert!(deliver(&mut model, id, 4).is_err(), "the loss was not reported");
    let (mut model, id) = five();
    for wrong in [
        lag(LagReason::Overflow, 4, 1, 4),
        lag(LagReason::Expired, 3, 1, 3),
        Lag { classes: A | B, ..lag(LagReason::Overflow, 3, 1, 3) },
        Lag { classes: B, ..lag(LagReason::Overflow, 3, 1, 3) },
        lag(LagReason::Overflow, 3, 0, 3),
        lag(LagReason::Overflow, 0, 1, 3),
    ] {
        assert!(lose(&mut model, id, wrong).is_err(), "{wrong:?}");
    }
    lose(&mut model, id, lag(LagReason::Overflow, 3, 1, 3)).unwrap();
    deliver(&mut model, id, 4).unwrap();
    assert!(deliver(&mut model, id, 4).is_err(), "twice");
    deliver(&mut model, id, 5).unwrap();
}

#[test]
fn reports_that_name_too_few_show_at_the_next_message() {
    for wrong in [
        lag(LagReason::Overflow, 2, 1, 3),
        lag(LagReason::Overflow, 2, 2, 3),
        lag(LagReason::Overflow, 3, 1, 2),
        Lag { classes: Class::NONE, ..lag(LagReason::Overflow, 3, 1, 3) },
    ] {
        let mut model = model();
        let id = plain(&mut model, A, Policy::Lag, 2);
        for _ in 0..5 {
            send(&mut model, A);
        }
        let passed = lose(&mut model, id, wrong).and_then(|()| deliver(&mut model, id, 4));
        assert!(passed.is_err(), "{wrong:?}");
    }
}

#[test]
fn a_receive_that_finds_nothing_says_that_all_was_named() {
    let mut model = model();
    let id = plain(&mut model, A, Policy::Lag, 2);
    send(&mut model, A);
    assert!(exhaust(&mut model, id).is_err(), "1 is due");
    let id = plain(&mut model, A, Policy::Lag, 2);
    send(&mut model, A);
    model.now += 11 * MILLI;
    assert!(exhaust(&mut model, id).is_err(), "2 was lost without a word");
    let id = plain(&mut model, A, Policy::Lag, 2);
    send(&mut model, A);
    model.now += 11 * MILLI;
    lose(&mut model, id, lag(LagReason::Expired, 1, 3, 3)).unwrap();
    exhaust(&mut model, id).unwrap();
    exhaust(&mut model, id).unwrap();
}

#[test]
fn a_loss_may_be_named_by_either_reason_but_once() {
    let mut model = model();
    let id = plain(&mut model, A, Policy::Lag, 2);
    for _ in 0..3 {
        send(&mut model, A);
    }
    model.now += 11 * MILLI;
    send(&mut model, A);
    // 1 and 2 are over the depth by now, all three have expired.
    assert!(lose(&mut model, id, lag(LagReason::Overflow, 3, 1, 3)).is_err(), "3 was not over");
    lose(&mut model, id, lag(LagReason::Overflow, 1, 1, 1)).unwrap();
    lose(&mut model, id, lag(LagReason::Expired, 1, 2, 2)).unwrap();
    assert!(lose(&mut model, id, lag(LagReason::Expired, 1, 3, 3)).is_err(), "not merged");
    assert!(deliver(&mut model, id, 4).is_err(), "3 was not named");
}

#[test]
fn reports_of_two_reasons_may_share_a_range() {
    let mut model = model();
    let id = plain(&mut model, A, Policy::Lag, 1);
    for _ in 0..3 {
        send(&mut model, A);
        model.now += 4 * MILLI;
    }
    send(&mut model, A);
    // 1 to 3 were over the depth, and 1 has expired.
    lose(&mut model, id, lag(LagReason::Overflow, 2, 1, 3)).unwrap();
    lose(&mut model, id, lag(LagReason::Expired, 1, 1, 1)).unwrap();
    deliver(&mut model, id, 4).unwrap();
}

#[test]
fn expiry_takes_from_the_old_end_under_both_policies() {
    for policy in [Policy::Backpressure, Policy::Lag] {
        let mut model = model();
        let id = plain(&mut model, A, policy, 4);
        send(&mut model, A);
        model.now += 6 * MILLI;
        send(&mut model, A);
        assert!(lose(&mut model, id, lag(LagReason::Expired, 1, 1, 1)).is_err(), "too early");
        model.now += 6 * MILLI;
        assert!(deliver(&mut model, id, 1).is_err(), "late");
        lose(&mut model, id, lag(LagReason::Expired, 1, 1, 1)).unwrap();
        deliver(&mut model, id, 2).unwrap();
    }
}

#[test]
fn a_mask_counts_from_its_number_on() {
    let mut model = model();
    let id = plain(&mut model, A, Policy::Lag, 4);
    send(&mut model, A | B);
    model.set_mask(id, A | B);
    send(&mut model, B);
    // Giving up A gives up 1: B was not wanted yet when it came. Wanting A again fetches nothing.
    model.set_mask(id, B);
    model.set_mask(id, A | B);
    assert!(deliver(&mut model, id, 1).is_err());
    deliver(&mut model, id, 2).unwrap();
}

#[test]
fn state_comes_between_old_backlog_and_new_messages() {
    let mut model = model();
    model.retain(B, b"");
    let id = plain(&mut model, A, Policy::Lag, 4);
    send(&mut model, B);
    send(&mut model, A);
    model.set_mask(id, A | B);
    send(&mut model, B);
    assert!(deliver_state(&mut model, id, 1).is_err(), "2 is older backlog");
    deliver(&mut model, id, 2).unwrap();
    assert!(model.members[&id].state.is_due_before(Some(3)));
    assert!(deliver_state(&mut model, id, 3).is_err(), "3 is live");
    deliver_state(&mut model, id, 1).unwrap();
    assert!(deliver_state(&mut model, id, 1).is_err(), "twice");
    deliver(&mut model, id, 3).unwrap();
}

#[test]
fn state_of_several_entries_comes_in_order_and_once() {
    let mut model = model();
    model.retain(A, b"");
    let key = model.retain(A, b"key");
    model.retain(B, b"");
    let stamp = model.stamp();
    model.accept(A, vec![], None, Some(key), stamp);
    send(&mut model, A | B);
    let id = plain(&mut model, A | B, Policy::Lag, 4);
    assert!(deliver_state(&mut model, id, 2).is_err(), "1 is to come first");
    deliver_state(&mut model, id, 1).unwrap();
    deliver_state(&mut model, id, 2).unwrap();
    assert!(deliver_state(&mut model, id, 2).is_err(), "kept for two entries, handed over once");
    assert!(!model.members[&id].state.is_due_before(None));
    assert!(model.clear(key) && !model.clear(key));
}

#[test]
fn every_byte_string_is_a_script() {
    for bytes in [&[][..], &[255; 40], &[10, 11, 10, 11, 10, 11, 10, 11, 10, 11, 10, 11]] {
        run(&Script::from_bytes(bytes)).unwrap();
    }
}
