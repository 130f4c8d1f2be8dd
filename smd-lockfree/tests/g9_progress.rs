//! G9, progress: nothing of the user's stands between a claim and its publication, and a sender
//! waits for nobody.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{A, B, bus, everything, join, number, number_among_many, numbers, watched};
use smd_lockfree::{Bus, Class, Policy, RecvError, Sent};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn g9_an_open_draft_delays_nobody_and_costs_no_number() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    let mut first = bus.alloc(A, 5).unwrap().unwrap();
    let sender = bus.sender();
    let mut second = sender.alloc(A, 6).unwrap().unwrap();
    assert_eq!(number(bus.send(A, b"meanwhile")), 1);
    assert_eq!(numbers(&mut participant), [1]);
    second.copy_from_slice(b"second");
    first.copy_from_slice(b"first");
    // Their numbers are those of their sending.
    assert_eq!(second.send().unwrap(), Sent::Queued(2));
    assert_eq!(first.send().unwrap(), Sent::Queued(3));
    assert_eq!(participant.try_recv().unwrap().bytes(), b"second");
    assert_eq!(participant.try_recv().unwrap().bytes(), b"first");
}

#[test]
fn g9_a_draft_dropped_leaked_or_lost_in_a_panic_costs_nothing() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    for _ in 0..100 {
        drop(bus.alloc(A, 384).unwrap());
        std::mem::forget(bus.alloc(A, 384).unwrap());
        let lost = catch_unwind(AssertUnwindSafe(|| {
            let _draft = bus.alloc(A, 384).unwrap();
            panic!("with a draft open");
        }));
        assert!(lost.is_err());
    }
    assert_eq!(number(bus.send(A, b"next")), 1);
    assert_eq!(numbers(&mut participant), [1]);
}

#[test]
fn g9_many_drafts_may_be_open_at_once() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    let mut drafts: Vec<_> = (0..500).map(|_| bus.alloc(A, 4).unwrap().unwrap()).collect();
    for (n, draft) in drafts.iter_mut().enumerate() {
        draft.copy_from_slice(&(n as u32).to_le_bytes());
    }
    for draft in drafts.into_iter().rev() {
        assert!(draft.send().unwrap().is_queued());
    }
    let mut values = Vec::new();
    participant.drain(|message| values.push(message.decode::<u32>().unwrap())).unwrap();
    assert!(values.into_iter().eq((0..500).rev()));
}

#[test]
fn g9_a_draft_is_zeroed_private_memory_that_can_be_cut() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    number(bus.send(A, &[0xaa; 384]));
    participant.try_recv().unwrap();
    let mut draft = bus.alloc(A, 384).unwrap().unwrap();
    assert_eq!((draft.len(), draft.class()), (384, A));
    assert!(draft.iter().all(|byte| *byte == 0));
    draft[..3].copy_from_slice(b"cut");
    draft.truncate(3);
    assert_eq!(draft.len(), 3);
    draft.truncate(100);
    assert_eq!(draft.len(), 3, "it cannot grow");
    assert!(draft.send().unwrap().is_queued());
    assert_eq!(participant.try_recv().unwrap().bytes(), b"cut");
}

#[test]
fn g9_a_draft_that_nobody_wants_any_more_is_unwanted() {
    let bus = bus();
    let participant = bus.register(A).unwrap();
    let draft = bus.alloc(A, 1).unwrap().unwrap();
    drop(participant);
    assert_eq!(draft.send().unwrap(), Sent::Unwanted);
    assert_eq!(bus.sequence(), 1);
}

#[test]
fn g9_senders_do_not_wait_for_a_participant_stuck_in_a_receive() {
    watched(|| {
        let bus = bus();
        let mut stuck = join(&bus, A, Policy::Lag, 4);
        number(bus.send(A, b"borrowed"));
        let message = stuck.try_recv().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let sender = bus.sender();
                    for _ in 0..5_000 {
                        number_among_many(|| sender.send(A, &[1; 100]));
                    }
                });
            }
        });
        assert_eq!(message.bytes(), b"borrowed");
        assert_eq!(bus.sequence(), 15_002);
        drop(message);
        assert!(everything(&mut stuck).0.into_iter().eq(14_998..=15_001));
    });
}

#[test]
fn g9_a_sender_that_is_forgotten_or_sleeps_delays_nobody() {
    watched(|| {
        let bus = bus();
        let mut participant = join(&bus, A, Policy::Lag, 4);
        let forgotten = bus.sender();
        number(forgotten.send(A, b"1"));
        std::mem::forget(forgotten);
        let idle = bus.sender();
        number(idle.send(A, b"2"));
        for _ in 0..20_000 {
            number(bus.send(A, &[1; 100]));
        }
        // It holds on to a segment of long ago, and goes on where the bus is now.
        assert_eq!(number(idle.send(A, b"3")), 20_003);
        assert!(everything(&mut participant).0.into_iter().eq(20_000..=20_003));
    });
}

#[test]
fn g9_a_sender_moves_between_threads() {
    watched(|| {
        let bus = bus();
        let mut participant = bus.register(A).unwrap();
        let mut sender = bus.sender();
        for expected in 1..=20 {
            let thread = std::thread::spawn(move || {
                let sent = number(sender.send(A, &[1; 300]));
                (sender, sent)
            });
            let sent;
            (sender, sent) = thread.join().unwrap();
            assert_eq!(sent, expected);
        }
        assert!(numbers(&mut participant).into_iter().eq(1..=20));
        assert_eq!(sender.stats().sent, 20);
    });
}

#[test]
fn g9_a_send_inside_a_receive_inside_a_send_is_no_problem() {
    let bus = bus();
    let (mut one, mut two) = (bus.register(A).unwrap(), bus.register(B).unwrap());
    number(bus.send(A, b"1"));
    one.drain(|first| {
        number(bus.send(B, first.bytes()));
        two.drain_up_to(1, |second| {
            let draft = bus.alloc(B, second.len()).unwrap().unwrap();
            number(bus.send(B, b"between"));
            drop(draft);
        })
        .unwrap();
    })
    .unwrap();
    assert_eq!(numbers(&mut two), [3]);
}

#[test]
fn g9_a_bus_that_nobody_reads_takes_sends_for_ever() {
    // No participant: a retained class makes the bus itself the only one who wants them.
    let bus: Bus = bus();
    let state = bus.retain(A).unwrap();
    for _ in 0..20_000 {
        number(state.send(&[1; 100]));
    }
    let mut late = bus.register(Class::ALL).unwrap();
    assert_eq!(late.try_recv().unwrap().sequence(), 20_000);
    assert_eq!(late.try_recv().unwrap_err(), RecvError::Empty);
}
