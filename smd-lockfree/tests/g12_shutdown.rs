//! G12, shutdown: a close wakes everybody, what was accepted before it can be drained, later sends
//! are told.
//!
//! `teardown.rs` drops all handles in every order and counts the memory.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{A, B, Wakes, block_on, bus, join, number, numbers, watched};
use smd_lockfree::{
    Bus, Class, EventLoop, MaskError, Outgoing, Participant, Policy, RecvError, RegisterError,
    RetainError, SendError, Sent, smd_format,
};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

#[test]
fn g12_a_close_returns_the_first_number_that_is_never_given() {
    let bus = bus();
    let _participant = bus.register(A).unwrap();
    number(bus.send(A, b"1"));
    assert!(!bus.is_closed());
    assert_eq!(bus.close(), 2);
    assert!(bus.is_closed() && bus.clone().is_closed());
    assert_eq!(bus.close(), 2, "closing again changes nothing");
    assert_eq!(bus.sequence(), 2);
}

#[test]
fn g12_what_was_accepted_before_the_close_can_be_drained() {
    let bus = bus();
    let mut participant = join(&bus, A, Policy::Backpressure, 500);
    let mut lagging = join(&bus, A, Policy::Lag, 3);
    for _ in 0..500 {
        number(bus.send(A, &[1; 50]));
    }
    bus.close();
    assert!(numbers(&mut participant).into_iter().eq(1..=500));
    assert_eq!(participant.try_recv().unwrap_err(), RecvError::Closed);
    assert_eq!(participant.recv_blocking().unwrap_err(), RecvError::Closed);
    assert_eq!(block_on(participant.recv()).unwrap_err(), RecvError::Closed);
    assert_eq!(participant.drain(|_| {}), Err(RecvError::Closed));
    assert!(matches!(lagging.try_recv(), Err(RecvError::Lagged(lag)) if lag.count == 497));
    assert_eq!(numbers(&mut lagging), [498, 499, 500]);
}

#[test]
fn g12_everything_later_is_told_that_it_is_closed() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    let (mut sender, own) = (bus.sender(), participant.sender());
    let state = bus.retain(A).unwrap();
    let draft = bus.alloc(A, 1).unwrap().unwrap();
    bus.close();
    let closed = Err(SendError::Closed);
    assert_eq!(bus.send(A, b"x"), closed);
    assert_eq!(sender.send(A, b"x"), closed);
    assert_eq!(own.send(A, b"x"), closed);
    assert_eq!(sender.send_wait(A, b"x", None), closed);
    assert_eq!(block_on(sender.send_async(A, b"x")), closed);
    assert_eq!(smd_format!(bus, A, "x"), closed);
    assert_eq!(bus.send_value(A, &1_u8), closed);
    assert_eq!(state.send(b"x"), closed);
    // A draft is private memory; whether one can still be had does not matter, as long as it cannot
    // be sent.
    match bus.alloc(A, 1) {
        Ok(draft) => {
            assert!(draft.is_none_or(|d| d.send().is_err_and(|e| e.error == SendError::Closed)))
        }
        Err(error) => assert_eq!(error, SendError::Closed),
    }
    let batch = sender.send_batch(&[Outgoing::new(A, b"x")]).unwrap_err();
    assert_eq!((batch.error, batch.done), (SendError::Closed, 0));
    let back = draft.send().unwrap_err();
    assert_eq!((back.error, back.draft.len()), (SendError::Closed, 1));
    assert_eq!(bus.register(A).unwrap_err(), RegisterError::Closed);
    assert_eq!(bus.retain(B).unwrap_err(), RetainError::Closed);
    assert_eq!(participant.set_mask(B), Err(MaskError::Closed));
    assert_eq!(participant.mask(), A);
    assert_eq!(participant.leave(), 1);
}

/// Receives in one of the forms that wait, until the bus is closed.
fn until_closed(participant: &mut Participant, form: usize) -> RecvError {
    loop {
        let result = match form {
            0 => participant.recv_blocking(),
            1 => participant.recv_timeout(Duration::from_secs(1_000)),
            2 => participant.recv_spinning(),
            _ => block_on(participant.recv()),
        };
        if let Err(error) = result {
            return error;
        }
    }
}

#[test]
fn g12_a_close_wakes_everybody_who_receives() {
    watched(|| {
        for _ in 0..20 {
            let bus = bus();
            let participants: Vec<_> = (0..4).map(|_| bus.register(A).unwrap()).collect();
            std::thread::scope(|scope| {
                let waits: Vec<_> = participants
                    .into_iter()
                    .enumerate()
                    .map(|(form, mut p)| scope.spawn(move || until_closed(&mut p, form)))
                    .collect();
                bus.close();
                for wait in waits {
                    assert_eq!(wait.join().unwrap(), RecvError::Closed);
                }
            });
        }
    });
}

#[test]
fn g12_a_close_wakes_everybody_who_waits_for_room() {
    watched(|| {
        let bus = bus();
        let _full = join(&bus, A, Policy::Backpressure, 1);
        number(bus.send(A, b"1"));
        let mut sender = bus.sender();
        let (wakes, waker) = Wakes::new();
        let mut waits = pin!(sender.send_async(A, b"2"));
        assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        std::thread::scope(|scope| {
            let blocking = scope.spawn(|| bus.sender().send_wait(A, b"2", None));
            bus.close();
            assert_eq!(blocking.join().unwrap(), Err(SendError::Closed));
        });
        assert_eq!(wakes.count(), 1);
        let polled = waits.poll(&mut Context::from_waker(&waker));
        assert_eq!(polled, Poll::Ready(Err(SendError::Closed)));
    });
}

#[test]
fn g12_a_close_ends_an_event_loop_after_what_was_accepted() {
    watched(|| {
        let bus = bus();
        let mut events = EventLoop::new(&bus);
        let (sum, total) = std::sync::mpsc::channel();
        events
            .add(bus.participant().mask(A), move |event, _| {
                let _ = sum.send(matches!(event, smd_lockfree::Event::Message(_)));
            })
            .unwrap();
        for _ in 0..100 {
            number(bus.send(A, b"x"));
        }
        std::thread::scope(|scope| {
            let running = scope.spawn(|| events.run());
            bus.close();
            let _ = running.join().unwrap();
        });
        drop(events);
        assert_eq!(total.iter().filter(|message| *message).count(), 100);
    });
}

#[test]
fn g12_the_last_bus_and_sender_close_it() {
    watched(|| {
        let bus = bus();
        let mut participant = bus.register(A).unwrap();
        // Sending straight through the bus leaves nothing in this thread that keeps it open.
        number(bus.send(A, b"1"));
        let (clone, sender) = (bus.clone(), bus.sender());
        drop(bus);
        number(clone.send(A, b"2"));
        drop(clone);
        number(sender.send(A, b"3"));
        assert!(!sender.bus().is_closed());
        drop(sender);
        assert_eq!(numbers(&mut participant), [1, 2, 3]);
        assert_eq!(participant.recv_blocking().unwrap_err(), RecvError::Closed);
    });
}

#[test]
fn g12_a_bus_is_still_there_for_whoever_holds_a_part_of_it() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    let sender = participant.sender();
    drop(bus);
    // A sender of a participant is a sender.
    let again = participant.bus();
    assert!(!again.is_closed());
    number(again.send(A, b"1"));
    drop((again, sender));
    assert!(participant.bus().is_closed());
    assert_eq!(participant.sender().send(A, b"x"), Err(SendError::Closed));
    assert_eq!(numbers(&mut participant), [1]);
}

#[test]
fn g12_a_drop_wakes_as_a_close_does() {
    watched(|| {
        for _ in 0..200 {
            let bus = bus();
            let mut participant = bus.register(A).unwrap();
            let waits = std::thread::spawn(move || participant.recv_blocking().map(drop));
            drop(bus);
            assert_eq!(waits.join().unwrap(), Err(RecvError::Closed));
        }
    });
}

/// Sends until it is told that the bus is closed, and returns the numbers it was given. After a
/// while it gives way between two sends, so that the closing thread gets its turn.
fn send_until_closed(bus: &Bus) -> Vec<u64> {
    let sender = bus.sender();
    let mut accepted = Vec::new();
    loop {
        match sender.send(A, b"x") {
            Ok(Sent::Queued(number)) => accepted.push(number),
            Ok(Sent::Unwanted) => panic!("it is wanted"),
            Err(SendError::Full(_)) => std::thread::yield_now(),
            Err(error) => {
                assert_eq!(error, SendError::Closed);
                return accepted;
            }
        }
        if accepted.len() > 500 {
            std::thread::yield_now();
        }
    }
}

#[test]
fn g12_close_against_senders_and_registrars_loses_nothing() {
    watched(|| {
        for round in 0..common::rounds("SMD_CLOSES", 500) {
            let bus = bus();
            let mut participant = join(&bus, Class::ALL, Policy::Backpressure, 10_000);
            let (accepted, end) = std::thread::scope(|scope| {
                let senders: Vec<_> =
                    (0..3).map(|_| scope.spawn(|| send_until_closed(&bus))).collect();
                scope.spawn(|| {
                    while bus.register(B).is_ok() {
                        std::thread::yield_now();
                    }
                });
                (0..round % 50).for_each(|_| std::thread::yield_now());
                let end = bus.close();
                let all = senders.into_iter().flat_map(|sender| sender.join().unwrap());
                (all.collect::<std::collections::BTreeSet<_>>(), end)
            });
            // Exactly the numbers below the one that the close returned.
            assert!(accepted.iter().copied().eq(1..end));
            assert!(numbers(&mut participant).into_iter().eq(1..end));
        }
    });
}

#[test]
fn g12_buses_of_one_thread_do_not_disturb_each_other() {
    let buses: Vec<Bus> = (0..50).map(|_| bus()).collect();
    let mut participants: Vec<_> = buses.iter().map(|bus| bus.register(A).unwrap()).collect();
    for round in 1..=3 {
        for bus in &buses {
            assert_eq!(number(bus.send(A, b"x")), round);
        }
    }
    for (n, bus) in buses.into_iter().enumerate() {
        drop(bus);
        assert_eq!(numbers(&mut participants[n]), [1, 2, 3]);
        assert!(participants[n + 1..].iter().all(|p| !p.bus().is_closed()));
    }
}

/// A send that met a full backlog once said `Full` although the bus was closed, and who waits for
/// room would have waited for ever.
#[test]
fn g12_a_full_backlog_does_not_hide_the_close() {
    watched(|| {
        let bus = bus();
        let mut full = join(&bus, A, Policy::Backpressure, 2);
        let mut sender = bus.sender();
        // Each sender knows the limit by its own try.
        number(bus.send(A, b"1"));
        number(sender.send(A, b"2"));
        assert!(matches!(bus.send(A, b"x"), Err(SendError::Full(_))));
        assert!(matches!(sender.send(A, b"x"), Err(SendError::Full(_))));
        bus.close();
        let closed = Err(SendError::Closed);
        assert_eq!(bus.send(A, b"x"), closed);
        assert_eq!(sender.send(A, b"x"), closed);
        assert_eq!(bus.sender().send(A, b"x"), closed, "one that has never sent");
        assert_eq!(sender.send_wait(A, b"x", None), closed);
        assert_eq!(block_on(sender.send_async(A, b"x")), closed);
        let batch = sender.send_batch(&[Outgoing::new(A, b"x"), Outgoing::new(A, b"y")]);
        assert_eq!(batch.unwrap_err().error, SendError::Closed);
        assert_eq!(numbers(&mut full), [1, 2]);
    });
}

/// An observer that holds a handle of its bus once kept the bus alive through lists that waited for
/// their epoch, or hung where it was dropped.
#[test]
fn g12_an_observer_that_holds_the_bus_ends_with_its_handle() {
    watched(|| {
        let bus = bus();
        let alive = Arc::new(());
        let mut participant = bus.register(A).unwrap();
        let observers: Vec<_> = (0..3)
            .map(|_| {
                let held = (bus.clone(), Arc::clone(&alive));
                bus.observe_interest(move |interest| {
                    let (bus, _alive) = &held;
                    assert_eq!(bus.interest(), interest);
                })
            })
            .collect();
        // The lists change while they are in use.
        drop((bus.register(B).unwrap(), bus.observe_interest(|_| {})));
        drop(bus);
        assert!(!participant.bus().is_closed(), "the observers hold it");
        assert_eq!(Arc::strong_count(&alive), 4);
        drop(observers);
        assert_eq!(Arc::strong_count(&alive), 1, "gone at once, and not with some epoch");
        assert_eq!(participant.try_recv().unwrap_err(), RecvError::Closed);
    });
}
