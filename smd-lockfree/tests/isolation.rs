//! Isolation (G6): a participant that is full refuses only senders of its own classes, and one that
//! lags is felt by nobody.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{
    A, B, C, bus, everything, flood, join, number, number_among_many, numbers, rounds, watched,
};
use smd_lockfree::{Class, FullReason, Outgoing, Policy, SendError};

const FULL: SendError = SendError::Full(FullReason::Backlog);

#[test]
fn a_full_participant_refuses_only_its_own_classes() {
    let bus = bus();
    let mut full = join(&bus, A | C, Policy::Backpressure, 2);
    let mut other = join(&bus, B | C, Policy::Backpressure, 100);
    number(bus.send(A, b"1"));
    number(bus.send(C, b"2"));
    for _ in 0..20 {
        assert_eq!(bus.send(A, b"x"), Err(FULL));
        assert_eq!(bus.send(C, b"x"), Err(FULL), "the other one wants it, but not alone");
        assert_eq!(bus.send(A | B, b"x"), Err(FULL));
        number(bus.send(B, b"passes"));
    }
    assert_eq!(numbers(&mut other).len(), 1 + 20);
    assert_eq!(numbers(&mut full), [1, 2]);
    number(bus.send(A | B | C, b"passes"));
}

#[test]
fn each_of_the_32_classes_is_refused_for_itself() {
    let bus = bus();
    let mut participants: Vec<_> =
        Class::ALL.iter().map(|class| join(&bus, class, Policy::Backpressure, 1)).collect();
    for (n, class) in Class::ALL.iter().enumerate() {
        number(bus.send(class, b"x"));
        for (m, other) in Class::ALL.iter().enumerate().skip(n.saturating_sub(1)).take(3) {
            assert_eq!(bus.alloc(other, 1).unwrap().unwrap().send().is_err(), m <= n);
            if m > n {
                // That was its one place.
                assert!(participants[m].try_recv().is_ok());
            }
        }
    }
    assert_eq!(bus.send(Class::ALL, b"x"), Err(FULL));
}

#[test]
fn a_batch_to_others_passes_a_full_participant() {
    let bus = bus();
    let _full = join(&bus, A, Policy::Backpressure, 1);
    let mut other = join(&bus, B, Policy::Backpressure, 1_000);
    number(bus.send(A, b"x"));
    let sender = bus.sender();
    let sent = sender.send_batch(&[Outgoing::new(B, b"y"); 300]).unwrap();
    assert_eq!(sent.queued, 300);
    let error = sender.send_batch(&[Outgoing::new(B, b"y"), Outgoing::new(A, b"z")]).unwrap_err();
    assert_eq!((error.error, error.done, error.sent.queued), (FULL, 1, 1));
    assert_eq!(numbers(&mut other).len(), 301);
}

#[test]
fn a_lagging_participant_is_felt_by_nobody() {
    let bus = bus();
    let mut lagging = join(&bus, A, Policy::Lag, 2);
    let mut prompt = join(&bus, A, Policy::Backpressure, 10);
    for sent in 1..=5_000 {
        assert_eq!(number(bus.send(A, &[1; 100])), sent);
        assert_eq!(prompt.try_recv().unwrap().sequence(), sent);
    }
    assert_eq!((prompt.stats().lagged, bus.stats().refused), (0, 0));
    let (messages, reports) = everything(&mut lagging);
    assert_eq!((messages, reports[0].count), (vec![4_999, 5_000], 4_998));
}

#[test]
fn one_lagging_participant_does_not_shorten_another_ones_backlog() {
    let bus = bus();
    let mut short = join(&bus, A, Policy::Lag, 3);
    let mut long = join(&bus, A, Policy::Lag, 700);
    let mut longest = join(&bus, A, Policy::Backpressure, 3_000);
    for _ in 0..1_000 {
        number(bus.send(A, &[1; 100]));
    }
    flood(&bus, B, 2_000);
    assert!(everything(&mut long).0.into_iter().eq(301..=1_000));
    assert!(everything(&mut short).0.into_iter().eq(998..=1_000));
    assert!(numbers(&mut longest).into_iter().eq(1..=1_000));
}

#[test]
fn a_participant_that_holds_a_message_for_ever_stops_nobody_else() {
    let bus = bus();
    let mut stuck = join(&bus, A, Policy::Lag, 2);
    let mut other = join(&bus, A | B, Policy::Backpressure, 4);
    number(bus.send(A, b"held"));
    let held = stuck.try_recv().unwrap();
    assert!(other.try_recv().is_ok());
    for sent in 2..5_000 {
        number(bus.send(if sent % 2 == 0 { A } else { B }, &[2; 100]));
        assert_eq!(other.try_recv().unwrap().sequence(), sent);
    }
    assert_eq!(held.bytes(), b"held");
}

#[test]
fn senders_of_other_classes_pass_a_full_participant_under_threads() {
    watched(|| {
        let bus = bus();
        let mut full = join(&bus, A, Policy::Backpressure, 5);
        let mut other = join(&bus, B, Policy::Lag, 1_000_000);
        let each = rounds("SMD_ISOLATION", 30_000);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // It hammers a class that stays full, apart from its first five.
                let sender = bus.sender();
                let accepted = (0..each).filter(|_| sender.send(A, b"x").is_ok()).count();
                assert_eq!(accepted, 5);
            });
            for _ in 0..2 {
                scope.spawn(|| {
                    let sender = bus.sender();
                    for _ in 0..each {
                        number_among_many(|| sender.send(B, b"y"));
                    }
                });
            }
        });
        assert_eq!(numbers(&mut full).len(), 5);
        assert_eq!(numbers(&mut other).len(), 2 * each);
    });
}

#[test]
fn buses_are_isolated_from_each_other() {
    let (one, two) = (bus(), bus());
    let _full = join(&one, A, Policy::Backpressure, 1);
    let mut other = join(&two, A, Policy::Backpressure, 10);
    number(one.send(A, b"x"));
    assert_eq!(one.send(A, b"x"), Err(FULL));
    number(two.send(A, b"y"));
    assert_eq!(numbers(&mut other), [1]);
    one.close();
    number(two.send(A, b"z"));
}
