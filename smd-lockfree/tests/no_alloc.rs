//! Sending and receiving allocate nothing once every backlog has been at its high-water mark (G5):
//! a counting allocator, after a warm-up.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::counting::{Counting, allocations, count_this_thread};
use common::{A, B, C, bus, join, number, small, watched};
use smd_lockfree::{Bus, Outgoing, Participant, Policy, RecvError, Sender, smd_format};
use std::sync::Mutex;
use std::time::Duration;

#[global_allocator]
static COUNTING: Counting = Counting;

/// One test at a time: they count into the same place.
static TURN: Mutex<()> = Mutex::new(());

/// Warms up, then counts the allocations of this thread in further rounds of the same.
#[track_caller]
fn allocates_nothing(warm: usize, rounds: usize, mut round: impl FnMut()) {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    (0..warm).for_each(|_| round());
    count_this_thread(true);
    let before = allocations();
    (0..rounds).for_each(|_| round());
    let after = allocations();
    count_this_thread(false);
    assert_eq!(after - before, 0, "allocations in {rounds} rounds");
}

#[test]
fn sending_and_receiving_one_by_one() {
    let bus = bus();
    let mut participants = [A, A | B, C].map(|mask| join(&bus, mask, Policy::Backpressure, 64));
    let sender = bus.sender();
    allocates_nothing(5_000, 20_000, || {
        number(sender.send(A, &[1; 100]));
        number(bus.send(B, &[2; 10]));
        let mut draft = sender.alloc(A, 30).unwrap().unwrap();
        draft.fill(3);
        assert!(draft.send().unwrap().is_queued());
        number(smd_format!(sender, C, "{} {:>20}", 1, "text"));
        number(sender.send_value(C, &7_u64));
        for participant in &mut participants {
            while let Ok(message) = participant.try_recv() {
                assert!(!message.bytes().is_empty());
            }
        }
    });
}

#[test]
fn batches_and_drains() {
    let bus = bus();
    let mut participants = [A, B, A | B].map(|mask| join(&bus, mask, Policy::Backpressure, 200));
    let sender = bus.sender();
    let payload = [5; 64];
    let batch: Vec<_> =
        (0..100).map(|n| Outgoing::new(if n % 2 == 0 { A } else { B }, &payload)).collect();
    let mut sum = 0;
    allocates_nothing(500, 2_000, || {
        assert_eq!(sender.send_batch(&batch).unwrap().queued, 100);
        for participant in &mut participants {
            participant.drain(|message| sum += message.len()).unwrap();
        }
    });
    assert_eq!(sum, 2_500 * 200 * 64);
}

#[test]
fn a_backlog_that_goes_up_and_down_to_the_same_mark() {
    let bus = small().max_segments(16).build().unwrap();
    let mut participants = [A, B].map(|mask| join(&bus, mask, Policy::Backpressure, 2_000));
    let sender = bus.sender();
    // Far more than the window holds, so that it is handed over and taken again.
    allocates_nothing(10, 20, || {
        for _ in 0..2_000 {
            number(sender.send(A, &[1; 50]));
            number(sender.send(B, &[2; 50]));
        }
        for participant in &mut participants {
            assert_eq!(participant.drain(|_| {}), Ok(2_000));
        }
    });
}

#[test]
fn past_a_lag_participant_that_is_stuck() {
    let bus = bus();
    let mut stuck = join(&bus, A, Policy::Lag, 100);
    let mut prompt = join(&bus, A, Policy::Backpressure, 100);
    let sender = bus.sender();
    allocates_nothing(10_000, 50_000, || {
        number(sender.send(A, &[1; 100]));
        assert!(prompt.try_recv().is_ok());
    });
    assert!(matches!(stuck.try_recv(), Err(RecvError::Lagged(lag)) if lag.count == 59_900));
}

#[test]
fn a_lag_participant_that_comes_back_now_and_then() {
    let bus = bus();
    let mut slow = join(&bus, A, Policy::Lag, 100);
    let sender = bus.sender();
    allocates_nothing(30, 100, || {
        for _ in 0..1_000 {
            number(sender.send(A, &[1; 100]));
        }
        assert!(matches!(slow.drain(|_| {}), Err(RecvError::Lagged(_))));
        assert_eq!(slow.drain(|_| {}), Ok(100));
    });
}

#[test]
fn while_nobody_wants_it_and_while_it_is_full() {
    let bus = bus();
    let mut full = join(&bus, A, Policy::Backpressure, 10);
    while bus.send(A, b"x").is_ok() {}
    let sender = bus.sender();
    // Warm when the window has gone through its segments a few times.
    allocates_nothing(5_000, 1_000, || {
        assert!(sender.send(A, b"full").is_err());
        assert!(bus.send(A, b"full").is_err());
        assert!(!sender.send(B, b"nobody").unwrap().is_queued());
        assert!(full.try_recv().is_ok());
        number(sender.send(A, b"room"));
    });
}

#[test]
fn keeping_and_dropping() {
    let bus = bus();
    let mut participant = join(&bus, A, Policy::Backpressure, 100);
    let sender = bus.sender();
    allocates_nothing(5_000, 10_000, || {
        number(sender.send(A, &[1; 100]));
        let kept = participant.try_recv().unwrap().keep();
        let clone = kept.clone();
        drop(kept);
        assert_eq!(clone.len(), 100);
    });
}

/// One side of a ball game, in the form that sleeps in a thread.
fn play(mut own: Participant, sender: &Sender, to: smd_lockfree::Class, form: usize) -> u64 {
    let (warm, end) = (4_000, 12_000);
    let mut counted = 0;
    loop {
        let message = match form {
            0 => own.recv_blocking(),
            1 => own.recv_timeout(Duration::from_secs(1_000)),
            _ => own.recv_spinning(),
        };
        let ball: u64 = message.unwrap().decode().unwrap();
        if ball >= warm && counted == 0 {
            count_this_thread(true);
            counted = 1;
        }
        if ball + 1 < end {
            number(sender.send_value(to, &(ball + 1)));
        }
        if ball + 2 >= end {
            count_this_thread(false);
            return ball;
        }
    }
}

#[test]
fn handing_off_between_threads_that_sleep() {
    watched(|| {
        let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for form in 0..3 {
            let bus: Bus = bus();
            let [left, right] = [A, B].map(|mask| join(&bus, mask, Policy::Backpressure, 8));
            let (bus, before) = (&bus, allocations());
            std::thread::scope(|scope| {
                for (own, to) in [(left, B), (right, A)] {
                    scope.spawn(move || play(own, &bus.sender(), to, form));
                }
                number(bus.send_value(A, &0_u64));
            });
            assert_eq!(allocations() - before, 0, "form {form}");
        }
    });
}
