//! G1, delivery: each message reaches everybody whose mask wants it, exactly once, from the number
//! on that a registration, a mask change or a departure returned.
//!
//! `conservation.rs` holds the same against many threads at a time.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{A, B, C, bus, everything, expiring, flood, join, number, numbers, watched};
use smd_lockfree::{Class, MaskError, Policy, RecvError, Sent};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[test]
fn g1_registration_returns_the_number_from_which_it_holds() {
    let bus = bus();
    let mut first = bus.register(A).unwrap();
    assert_eq!(first.since(), 1);
    assert_eq!(number(bus.send(A, b"one")), 1);
    let mut second = bus.register(A).unwrap();
    assert_eq!(second.since(), 2);
    assert_eq!(number(bus.send(A, b"two")), 2);
    assert_eq!(numbers(&mut first), [1, 2]);
    assert_eq!(numbers(&mut second), [2]);
}

#[test]
fn g1_a_mask_change_returns_the_number_from_which_it_holds() {
    let bus = bus();
    let mut all = bus.register(Class::ALL).unwrap();
    let mut participant = bus.register(A).unwrap();
    let (a, b) = (number(bus.send(A, b"a")), number(bus.send(B, b"b")));
    assert_eq!(participant.set_mask(A | B), Ok(3));
    assert_eq!(participant.mask(), A | B);
    let both = [number(bus.send(A, b"a")), number(bus.send(B, b"b"))];
    assert_eq!(both, [3, 4]);
    assert_eq!(participant.set_mask(B), Ok(5));
    let after = [number(bus.send(A, b"a")), number(bus.send(B, b"b"))];
    // 1 and 3 were of the class that it gave up.
    assert_eq!(numbers(&mut participant), [4, 6]);
    assert_eq!(numbers(&mut all), [a, b, 3, 4, after[0], after[1]]);
}

#[test]
fn g1_departure_returns_the_number_from_which_it_holds() {
    let bus = bus();
    let _stays = bus.register(A).unwrap();
    let (leaves, asked) = (bus.register(A).unwrap(), bus.register(A).unwrap());
    number(bus.send(A, b"1"));
    assert_eq!(leaves.leave(), 2);
    number(bus.send(A, b"2"));
    let handle = asked.handle();
    assert_eq!(handle.leave(), Some(3));
    assert_eq!(handle.leave(), None, "it has left already");
}

#[test]
fn g1_a_message_matches_on_any_class_and_comes_once() {
    let bus = bus();
    let mut both = bus.register(A | B).unwrap();
    let mut one = bus.register(B).unwrap();
    let mut none = bus.register(C).unwrap();
    let sent = number(bus.send(A | B, b"x"));
    {
        let message = both.try_recv().unwrap();
        assert_eq!(
            (message.sequence(), message.class(), message.bytes()),
            (sent, A | B, &b"x"[..])
        );
    }
    assert_eq!(both.try_recv().unwrap_err(), RecvError::Empty);
    assert_eq!(numbers(&mut one), [sent]);
    assert!(numbers(&mut none).is_empty());
}

#[test]
fn g1_every_bit_is_delivered_named_or_not() {
    let bus = bus();
    let mut all = bus.register(Class::ALL).unwrap();
    for class in Class::ALL.iter() {
        let mut only = bus.register(class).unwrap();
        let mut others = bus.register(!class).unwrap();
        let sent = number(bus.send(class, &class.bits().to_le_bytes()));
        assert_eq!(numbers(&mut only), [sent], "{class}");
        assert!(numbers(&mut others).is_empty(), "{class}");
    }
    let mut classes = Vec::new();
    all.drain(|message| classes.push(message.class())).unwrap();
    assert_eq!(classes, Class::ALL.iter().collect::<Vec<_>>());
}

#[test]
fn g1_a_registration_that_returned_before_a_send_began_has_its_number() {
    watched(|| {
        let bus = bus();
        // Someone who listens all the time, so that every send has a number.
        let mut always = join(&bus, A, Policy::Lag, 4);
        let registered = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let participant = join(&bus, A, Policy::Lag, 1);
                    registered.store(participant.since(), Ordering::SeqCst);
                    assert!(participant.leave() >= registered.load(Ordering::SeqCst));
                }
                registered.store(u64::MAX, Ordering::SeqCst);
            });
            loop {
                let since = registered.load(Ordering::SeqCst);
                if since == u64::MAX {
                    break;
                }
                assert!(since <= number(bus.send(A, b"x")));
                let _ = always.try_recv();
            }
        });
    });
}

#[test]
fn g1_own_sends_come_back_unless_they_were_excluded() {
    let bus = bus();
    let mut included = bus.register(A).unwrap();
    let mut excluded = bus.participant().mask(A).exclude_own(true).register().unwrap();
    let own = [number(included.sender().send(A, b"1")), number(excluded.sender().send(A, b"2"))];
    let clone = excluded.sender().clone();
    let cloned = number(clone.send(A, b"3"));
    // Only the senders that it made are its own, not all that its thread sends.
    let other = number(bus.send(A, b"4"));
    let alone = number(bus.sender().send(A, b"5"));
    assert_eq!(numbers(&mut included), [own[0], own[1], cloned, other, alone]);
    assert_eq!(numbers(&mut excluded), [own[0], other, alone]);
    // Who has left owns nothing any more, but can go on sending.
    drop(excluded);
    assert!(clone.send(A, b"6").unwrap().is_queued());
}

#[test]
fn g1_what_only_the_sender_itself_wants_and_excludes_is_still_in_the_order() {
    let bus = bus();
    let mut own = bus.participant().mask(A).exclude_own(true).depth(1).register().unwrap();
    let sender = own.sender();
    for expected in 1..=10 {
        assert_eq!(number(sender.send(A, b"x")), expected, "it is no backlog of anybody");
    }
    assert!(numbers(&mut own).is_empty());
}

#[test]
fn g1_a_widened_mask_fetches_nothing_older() {
    let bus = bus();
    let mut all = join(&bus, A | B, Policy::Lag, 4);
    let mut participant = bus.register(A).unwrap();
    for _ in 0..100 {
        number(bus.send(B, &[0; 200]));
    }
    let since = participant.set_mask(A | B).unwrap();
    assert_eq!(since, 101);
    number(bus.send(B, b"new"));
    assert_eq!(numbers(&mut participant), [101]);
    assert!(everything(&mut all).0.ends_with(&[101]));
}

#[test]
fn g1_classes_that_were_given_up_stop_at_once_without_a_report() {
    let bus = bus();
    // Far more than a segment holds, so that most of it has been handed over by then.
    let mut participant = join(&bus, A | B, Policy::Lag, 1_000);
    for _ in 0..200 {
        number(bus.send(A, &[1; 100]));
        number(bus.send(B, &[2; 100]));
    }
    participant.set_mask(B).unwrap();
    let left = numbers(&mut participant);
    assert_eq!(left, (1..=200).map(|pair| 2 * pair).collect::<Vec<_>>());
    let stats = participant.stats();
    assert_eq!((stats.lagged, stats.expired, stats.delivered), (0, 0, 200));
}

#[test]
fn g1_giving_up_a_class_makes_room() {
    let bus = bus();
    let mut participant = join(&bus, A | B, Policy::Backpressure, 4);
    for _ in 0..4 {
        number(bus.send(A, b"x"));
    }
    assert!(bus.send(B, b"x").is_err(), "full");
    participant.set_mask(B).unwrap();
    let sent: Vec<_> = (0..4).map(|_| number(bus.send(B, b"y"))).collect();
    assert!(bus.send(B, b"y").is_err(), "full again, of the other class");
    assert_eq!(numbers(&mut participant), sent);
}

#[test]
fn g1_a_class_that_was_given_up_and_wanted_again_brings_nothing_back() {
    let bus = bus();
    let mut participant = join(&bus, A | B, Policy::Lag, 1_000);
    // Also in segments that have been handed over to it by the time it changes its mind.
    for _ in 0..300 {
        number(bus.send(A, &[0; 100]));
    }
    let both = number(bus.send(A | B, b"stays for B"));
    participant.set_mask(B).unwrap();
    let since = participant.set_mask(A | B).unwrap();
    let new = number(bus.send(A, b"new"));
    assert_eq!(since, new);
    assert_eq!(numbers(&mut participant), [both, new]);
}

#[test]
fn g1_a_message_wanted_for_the_class_that_was_given_up_is_not_wanted_for_a_later_one() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    number(bus.send(A | B, b"wanted for A only"));
    participant.set_mask(A | B).unwrap();
    participant.set_mask(B).unwrap();
    assert!(numbers(&mut participant).is_empty(), "B was not wanted yet when it came");
}

#[test]
fn g1_never_two_of_the_three_and_never_none() {
    let (bus, hand) = expiring();
    let mut participant = join(&bus, A | B, Policy::Lag, 4);
    // 1 expires, 2 to 6 of both classes overflow by one, then half of the rest is given up.
    number(bus.send(A, b"1"));
    hand.advance(Duration::from_millis(11));
    for _ in 0..5 {
        number(bus.send(A | B, b"both"));
    }
    number(bus.send(A, b"7"));
    let (received, reports) = everything(&mut participant);
    let named: u64 = reports.iter().map(|report| report.count).sum();
    assert_eq!(received, [4, 5, 6, 7]);
    assert_eq!(named, 3);
    for _ in 0..2 {
        number(bus.send(A, b"a"));
        number(bus.send(B, b"b"));
    }
    participant.set_mask(A).unwrap();
    assert_eq!(numbers(&mut participant), [8, 10]);
    let stats = participant.stats();
    assert_eq!((stats.delivered, stats.lagged + stats.expired), (6, 3));
}

#[test]
fn g1_changing_to_the_same_mask_changes_nothing() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    number(bus.send(A, b"1"));
    assert_eq!(participant.set_mask(A), Ok(2));
    number(bus.send(A, b"2"));
    assert_eq!(numbers(&mut participant), [1, 2]);
    assert_eq!(participant.set_mask(Class::NONE), Err(MaskError::EmptyMask));
    number(bus.send(A, b"3"));
    assert_eq!(numbers(&mut participant), [3], "an error leaves the mask as it was");
}

#[test]
fn g1_a_participant_misses_nothing_while_others_fill_segment_after_segment() {
    let bus = bus();
    let mut rare = bus.register(B).unwrap();
    let first = number(bus.send(B, b"first"));
    flood(&bus, A, 2_000);
    let second = number(bus.send(B, b"second"));
    flood(&bus, A, 2_000);
    assert_eq!(numbers(&mut rare), [first, second]);
    flood(&bus, A, 2_000);
    assert_eq!(rare.try_recv().unwrap_err(), RecvError::Empty);
    let third = number(bus.send(B, b"third"));
    assert_eq!(numbers(&mut rare), [third]);
    assert_eq!(bus.send(C, b"nobody"), Ok(Sent::Unwanted));
}

/// Under policy lag a narrowing once made room for an old message although a newer one had been
/// dropped already: the order had a hole where nothing was told.
#[test]
fn g1_a_narrowing_under_lag_brings_back_nothing_older_than_what_was_lost() {
    for from_the_front in [0, 3] {
        let bus = bus();
        let mut participant = join(&bus, A | B, Policy::Lag, 20);
        for _ in 0..from_the_front {
            number(bus.send(A, b"received"));
            assert!(participant.try_recv().is_ok());
        }
        // In the segment where it stands, which is never trimmed.
        let old = number(bus.send(B, b"old"));
        let mut wanted = vec![old];
        for n in 0..1_000 {
            // One in segments that are trimmed, one among the last 20.
            let class = if n == 300 || n == 990 { B } else { A };
            let sent = number(bus.send(class, &[1; 100]));
            if class == B {
                wanted.push(sent);
            }
        }
        participant.set_mask(B).unwrap();
        let (messages, reports) = everything(&mut participant);
        assert_eq!(messages, [wanted[2]]);
        assert!(reports.iter().all(|lag| lag.last < wanted[2]), "{reports:?}");
    }
}
