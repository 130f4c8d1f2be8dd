//! G7, departure: leaving settles at once what the participant owed.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{A, B, bus, eventually, flood, join, number, numbers, watched};
use smd_lockfree::{Bus, Class, MaskError, Participant, Policy, RecvError, Sent};

/// All the ways to leave; the last leaves the participant there, which has left all the same.
const WAYS: [fn(Participant) -> Option<Participant>; 3] = [
    |participant| {
        drop(participant);
        None
    },
    |participant| {
        assert!(participant.leave() > 0);
        None
    },
    |participant| {
        assert!(participant.handle().leave().is_some());
        Some(participant)
    },
];

#[test]
fn g7_leaving_settles_the_backlog_at_once() {
    for leave in WAYS {
        let bus = bus();
        let mut other = join(&bus, A, Policy::Lag, 8);
        let participant = join(&bus, A, Policy::Backpressure, 3);
        for _ in 0..3 {
            number(bus.send(A, b"x"));
        }
        assert!(bus.send(A, b"full").is_err());
        let _left = leave(participant);
        assert_eq!(number(bus.send(A, b"room")), 4);
        assert_eq!(numbers(&mut other), [1, 2, 3, 4]);
        assert_eq!((bus.stats().lagged, bus.stats().expired), (0, 0), "settled is not lost");
    }
}

#[test]
fn g7_leaving_gives_up_the_place_in_the_interest() {
    for leave in WAYS {
        let bus = bus();
        let participant = bus.register(A | B).unwrap();
        let _other = bus.register(B).unwrap();
        assert_eq!((bus.interest(), bus.stats().participants), (A | B, 2));
        let _left = leave(participant);
        assert_eq!((bus.interest(), bus.stats().participants), (B, 1));
        assert_eq!(bus.send(A, b"x"), Ok(Sent::Unwanted));
    }
}

/// Registers a participant whose backlog is spread over many handed-over segments.
fn stuck(bus: &Bus) -> Participant {
    let participant = join(bus, A, Policy::Lag, 2_000);
    for _ in 0..2_000 {
        number(bus.send(A, &[1; 300]));
    }
    participant
}

#[test]
fn g7_leaving_gives_back_the_memory_that_the_backlog_held() {
    for leave in &WAYS[..2] {
        let bus = bus();
        let mut others = join(&bus, B, Policy::Lag, 4);
        flood(&bus, B, 2_000);
        let before = bus.stats().memory_bytes;
        let participant = stuck(&bus);
        let held = bus.stats().memory_bytes;
        assert!(held > before + 2_000 * 300, "{held} bytes cannot hold the backlog");
        let _left = leave(participant);
        // What was given back lies in the pool, for the next burst, until the pool is trimmed.
        flood(&bus, B, 2_000);
        bus.trim();
        let after = bus.stats().memory_bytes;
        assert!(after < before + 100_000, "{before} {held} {after}");
        drop(common::everything(&mut others));
    }
}

#[test]
fn g7_a_participant_that_was_made_to_leave_receives_left() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    let handle = participant.handle();
    number(bus.send(A, b"settled"));
    assert!(handle.is_registered());
    assert_eq!(handle.name(), participant.name());
    assert_eq!(handle.leave(), Some(2));
    assert!(!handle.is_registered());
    assert_eq!(participant.try_recv().unwrap_err(), RecvError::Left);
    assert_eq!(participant.recv_blocking().unwrap_err(), RecvError::Left);
    assert_eq!(participant.drain(|_| panic!("settled")), Err(RecvError::Left));
    assert_eq!(participant.set_mask(B), Err(MaskError::Left));
    assert!(participant.leave() >= 2);
    assert_eq!(handle.leave(), None);
}

#[test]
fn g7_a_borrowed_message_survives_the_departure_asked_for_by_another() {
    watched(|| {
        let bus = bus();
        let mut participant = bus.register(A).unwrap();
        let handle = participant.handle();
        number(bus.send(A, b"still here"));
        let message = participant.try_recv().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(handle.leave().is_some()));
        });
        flood(&bus, A, 3_000);
        assert_eq!(message.bytes(), b"still here");
        assert_eq!(participant.try_recv().unwrap_err(), RecvError::Left);
    });
}

#[test]
fn g7_leaving_wakes_the_participant_that_waits() {
    watched(|| {
        let bus = bus();
        let mut participant = bus.register(A).unwrap();
        let handle = participant.handle();
        std::thread::scope(|scope| {
            let waits = scope.spawn(move || participant.recv_blocking().unwrap_err());
            assert!(handle.leave().is_some());
            assert_eq!(waits.join().unwrap(), RecvError::Left);
        });
    });
}

#[test]
fn g7_two_who_ask_at_once_settle_once() {
    watched(|| {
        for _ in 0..500 {
            let bus = bus();
            let participant = bus.register(A).unwrap();
            let handles = [participant.handle(), participant.handle()];
            let settled: usize = std::thread::scope(|scope| {
                let threads =
                    handles.each_ref().map(|h| scope.spawn(|| usize::from(h.leave().is_some())));
                threads.map(|thread| thread.join().unwrap()).iter().sum()
            });
            assert_eq!(settled, 1);
            assert_eq!((bus.interest(), bus.stats().participants), (Class::NONE, 0));
        }
    });
}

#[test]
fn g7_a_handle_outlives_its_participant_and_its_bus() {
    let bus = bus();
    let participant = bus.participant().mask(A).name("gone").register().unwrap();
    let handle = participant.handle();
    drop(participant);
    drop(bus);
    assert_eq!((handle.name(), handle.is_registered(), handle.leave()), ("gone", false, None));
    let _ = handle.stats();
}

#[test]
fn g7_departures_while_messages_flow_disturb_nobody() {
    watched(|| {
        let bus = bus();
        let mut stays = join(&bus, A, Policy::Lag, 1_000_000);
        let total = common::rounds("SMD_DEPARTURES", 50_000) as u64;
        let bus = &bus;
        std::thread::scope(|scope| {
            let sending = scope.spawn(move || {
                let sender = bus.sender();
                // Others may refuse it for a moment, until they leave.
                for _ in 0..total {
                    number(sender.send_wait(A, &[1; 64], None));
                }
            });
            scope.spawn(move || {
                while !sending.is_finished() {
                    let mut participant = join(bus, A, Policy::Backpressure, 8);
                    let _ = participant.try_recv();
                }
            });
            let mut next = 1;
            while next <= total {
                stays.recv_blocking().map(|m| assert_eq!(m.sequence(), next)).unwrap();
                next += 1;
            }
        });
        eventually("nobody else is left", || bus.stats().participants == 1);
    });
}

#[test]
fn g7_a_drain_delivers_nothing_after_its_closure_has_left() {
    let bus = bus();
    for end in [1, 3, 64, 65, 200] {
        let mut part = join(&bus, A, Policy::Backpressure, 512);
        (0..300).for_each(|_| drop(number(bus.send(A, &[0; 64]))));
        let handle = part.handle();
        let before = bus.stats().delivered;
        let mut given = 0;
        let drained = part.drain(|_| {
            given += 1;
            if given == end {
                assert!(handle.leave().is_some());
            }
        });
        assert_eq!((drained, given), (Ok(end), end), "settled at once");
        assert_eq!(part.drain(|_| ()), Err(RecvError::Left));
        drop(part);
        assert_eq!(bus.stats().delivered - before, end as u64, "all that was given is counted");
    }
}
