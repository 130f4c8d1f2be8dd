//! G6, full and slow: backpressure or lag, the time to live, reports in line, waiting for room.
//!
//! `isolation.rs` shows that nobody else notices; `reference` in the verify crate holds the exact
//! survivors and reports of random runs against a model.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{
    A, B, C, Wakes, block_on, bus, eventually, everything, expiring, flood, join, number, numbers,
    small, watched,
};
use smd_lockfree::{Class, FullReason, Lag, LagReason, Policy, RecvError, SendError, Sent};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

const FULL: Result<Sent, SendError> = Err(SendError::Full(FullReason::Backlog));

#[test]
fn g6_backpressure_is_the_default_and_refuses() {
    let bus = small().depth(2).build().unwrap();
    let mut participant = bus.register(A).unwrap();
    assert_eq!(participant.policy(), Policy::Backpressure);
    let sender = bus.sender();
    number(sender.send(A, b"1"));
    number(sender.send(A, b"2"));
    assert_eq!(sender.send(A, b"3"), FULL);
    assert_eq!(bus.send(A | B, b"3"), FULL, "one of its classes is enough");
    assert_eq!((sender.stats().refused, bus.stats().refused), (1, 2));
    assert_eq!(numbers(&mut participant), [1, 2], "nothing was lost");
}

#[test]
fn g6_a_refused_draft_comes_back_with_its_payload() {
    let bus = bus();
    let mut participant = join(&bus, A, Policy::Backpressure, 1);
    number(bus.send(A, b"x"));
    let mut draft = bus.alloc(A, 5).unwrap().unwrap();
    draft.copy_from_slice(b"hello");
    let back = draft.send().unwrap_err();
    assert_eq!(back.error, SendError::Full(FullReason::Backlog));
    assert_eq!(&back.draft[..], b"hello");
    assert!(participant.try_recv().is_ok());
    assert_eq!(back.draft.send().unwrap(), Sent::Queued(2));
    assert_eq!(participant.try_recv().unwrap().bytes(), b"hello");
}

#[test]
fn g6_under_lag_the_oldest_are_lost_and_the_participant_is_told() {
    let bus = bus();
    let mut participant = join(&bus, A | B, Policy::Lag, 2);
    for class in [A, B, A, A] {
        number(bus.send(class, b"x"));
    }
    let lag = Lag { count: 2, classes: A | B, first: 1, last: 2, reason: LagReason::Overflow };
    assert_eq!(participant.try_recv().unwrap_err(), RecvError::Lagged(lag));
    assert_eq!(numbers(&mut participant), [3, 4], "the report came before what follows it");
    assert_eq!((participant.stats().lagged, bus.stats().lagged), (2, 2));
    assert_eq!(bus.stats().refused, 0);
}

#[test]
fn g6_a_report_names_only_what_the_participant_wanted() {
    let bus = bus();
    let mut participant = join(&bus, A | B, Policy::Lag, 1);
    let _all = join(&bus, Class::ALL, Policy::Lag, 1);
    for class in [C, A, C, A | C, C, A] {
        number(bus.send(class, b"x"));
    }
    // Of 2, 4 and 6 the last is there; a lost message is named with all its classes.
    let lag = Lag { count: 2, classes: A | C, first: 2, last: 4, reason: LagReason::Overflow };
    assert_eq!(participant.try_recv().unwrap_err(), RecvError::Lagged(lag));
    assert_eq!(numbers(&mut participant), [6]);
}

#[test]
fn g6_a_drain_stops_at_a_report() {
    let (bus, hand) = expiring();
    let mut participant = join(&bus, A, Policy::Lag, 3);
    for _ in 0..5 {
        number(bus.send(A, b"x"));
    }
    let mut seen = 0;
    let lag = Lag { count: 2, classes: A, first: 1, last: 2, reason: LagReason::Overflow };
    assert_eq!(participant.drain(|_| seen += 1), Err(RecvError::Lagged(lag)));
    assert_eq!(seen, 0, "the report comes before what follows it");
    assert_eq!(participant.drain_up_to(2, |_| seen += 1), Ok(2));
    hand.advance(Duration::from_millis(11));
    let lag = Lag { count: 1, classes: A, first: 5, last: 5, reason: LagReason::Expired };
    assert_eq!(participant.drain(|_| seen += 1), Err(RecvError::Lagged(lag)));
    assert_eq!((participant.drain(|_| seen += 1), seen), (Ok(0), 2));
}

#[test]
fn g6_losses_across_many_segments_make_one_report() {
    let bus = bus();
    let mut participant = join(&bus, A | B, Policy::Lag, 10);
    for n in 0..5_000_u32 {
        number(bus.send(if n % 2 == 0 { A } else { B }, &[1; 100]));
    }
    let lag =
        Lag { count: 4_990, classes: A | B, first: 1, last: 4_990, reason: LagReason::Overflow };
    assert_eq!(participant.try_recv().unwrap_err(), RecvError::Lagged(lag));
    assert!(numbers(&mut participant).into_iter().eq(4_991..=5_000));
}

#[test]
fn g6_expired_messages_are_not_delivered_late_but_counted() {
    for policy in [Policy::Backpressure, Policy::Lag] {
        let (bus, hand) = expiring();
        let mut participant = join(&bus, A, policy, 8);
        number(bus.send(A, b"1"));
        number(bus.send(A | B, b"2"));
        hand.advance(Duration::from_millis(6));
        number(bus.send(A, b"3"));
        hand.advance(Duration::from_millis(3));
        assert_eq!(participant.try_recv().unwrap().sequence(), 1, "9 ms are not too old");
        hand.advance(Duration::from_millis(2));
        let lag = Lag { count: 1, classes: A | B, first: 2, last: 2, reason: LagReason::Expired };
        assert_eq!(participant.try_recv().unwrap_err(), RecvError::Lagged(lag));
        assert_eq!(numbers(&mut participant), [3]);
        assert_eq!((participant.stats().expired, bus.stats().expired), (1, 1));
    }
}

#[test]
fn g6_expiry_reaches_what_was_handed_over() {
    let (bus, hand) = expiring();
    let mut slow = join(&bus, B, Policy::Backpressure, 100);
    for _ in 0..60 {
        number(bus.send(B, &[1; 200]));
    }
    hand.advance(Duration::from_millis(6));
    for _ in 0..30 {
        number(bus.send(B, &[2; 200]));
    }
    flood(&bus, A, 500);
    hand.advance(Duration::from_millis(6));
    let lag = Lag { count: 60, classes: B, first: 1, last: 60, reason: LagReason::Expired };
    assert_eq!(slow.try_recv().unwrap_err(), RecvError::Lagged(lag));
    assert!(numbers(&mut slow).into_iter().eq(61..=90));
}

#[test]
fn g6_expiry_ends_backpressure() {
    let (bus, hand) = expiring();
    let mut participant = join(&bus, A, Policy::Backpressure, 2);
    number(bus.send(A, b"1"));
    number(bus.send(A, b"2"));
    assert_eq!(bus.send(A, b"3"), FULL);
    hand.advance(Duration::from_millis(11));
    number(bus.send(A, b"3"));
    let (messages, reports) = everything(&mut participant);
    assert_eq!(messages, [3]);
    assert_eq!((reports[0].count, reports[0].reason), (2, LagReason::Expired));
}

#[test]
fn g6_the_time_to_live_may_be_off() {
    let (clock, hand) = smd_lockfree::Clock::manual();
    let bus = small().clock(clock).time_to_live(None).build().unwrap();
    let mut participant = bus.register(A).unwrap();
    number(bus.send(A, b"old"));
    hand.advance(Duration::from_secs(10 * 24 * 60 * 60));
    assert_eq!(numbers(&mut participant), [1]);
}

#[test]
fn g6_both_reasons_are_told_apart() {
    let (bus, hand) = expiring();
    let mut participant = join(&bus, A, Policy::Lag, 2);
    number(bus.send(A, b"1"));
    hand.advance(Duration::from_millis(11));
    assert!(matches!(
        participant.try_recv().unwrap_err(),
        RecvError::Lagged(Lag { reason: LagReason::Expired, first: 1, .. })
    ));
    for _ in 0..3 {
        number(bus.send(A, b"x"));
    }
    assert!(matches!(
        participant.try_recv().unwrap_err(),
        RecvError::Lagged(Lag { reason: LagReason::Overflow, first: 2, .. })
    ));
    assert_eq!((participant.stats().expired, participant.stats().lagged), (1, 1));
}

#[test]
fn g6_full_is_never_late_and_room_is_found_at_once() {
    let bus = bus();
    let mut participant = join(&bus, A | B, Policy::Backpressure, 100);
    for round in 0..200_u64 {
        // Of both classes, with others between, over many segments.
        let mut other = join(&bus, C, Policy::Lag, 1);
        for n in 0..100 {
            number(bus.send(if (n + round) % 3 == 0 { A } else { B }, &[1; 60]));
            number(bus.send(C, &[2; 100]));
        }
        assert_eq!(bus.send(A, b"x"), FULL);
        assert_eq!(participant.drain_up_to(37, |_| {}), Ok(37));
        for _ in 0..37 {
            number(bus.send(A, b"y"));
        }
        assert_eq!(bus.send(B, b"x"), FULL);
        assert_eq!(participant.drain(|_| {}), Ok(100));
        let _ = other.try_recv();
    }
}

#[test]
fn g6_a_sender_may_wait_for_room() {
    watched(|| {
        let bus = bus();
        let mut participant = join(&bus, A, Policy::Backpressure, 1);
        number(bus.send(A, b"1"));
        std::thread::scope(|scope| {
            let blocking = scope.spawn(|| number(bus.sender().send_wait(A, b"w", None)));
            let asynchronous = scope.spawn(|| number(block_on(bus.sender().send_async(A, b"w"))));
            let timed = scope
                .spawn(|| number(bus.sender().send_wait(A, b"w", Some(Duration::from_secs(100)))));
            for expected in 1..=4 {
                assert_eq!(participant.recv_blocking().unwrap().sequence(), expected);
            }
            let mut got = [blocking, asynchronous, timed].map(|thread| thread.join().unwrap());
            got.sort_unstable();
            assert_eq!(got, [2, 3, 4]);
        });
    });
}

#[test]
fn g6_waiting_for_room_ends_at_the_time_out() {
    watched(|| {
        let bus = bus();
        let mut participant = join(&bus, A, Policy::Backpressure, 1);
        number(bus.send(A, b"1"));
        let sender = bus.sender();
        let wait = Duration::from_millis(20);
        let start = Instant::now();
        assert_eq!(sender.send_wait(A, b"2", Some(wait)), FULL);
        assert!(start.elapsed() >= wait);
        assert_eq!(sender.send_wait(A, b"2", Some(Duration::ZERO)), FULL);
        assert_eq!(numbers(&mut participant), [1], "what was refused is not sent later");
        assert_eq!(sender.send_wait(B, b"nobody", None), Ok(Sent::Unwanted));
    });
}

#[test]
fn g6_what_makes_room_wakes_who_waits_for_it() {
    watched(|| {
        let makers: [fn(&mut Option<smd_lockfree::Participant>); 5] = [
            |participant| assert!(participant.as_mut().unwrap().try_recv().is_ok()),
            |participant| assert_eq!(participant.as_mut().unwrap().set_mask(B), Ok(2)),
            |participant| assert_eq!(participant.take().unwrap().leave(), 2),
            |participant| assert_eq!(participant.as_ref().unwrap().handle().leave(), Some(2)),
            |participant| assert_eq!(participant.as_mut().unwrap().drain(|_| {}), Ok(1)),
        ];
        for make_room in makers {
            let bus = bus();
            let _always = join(&bus, A, Policy::Lag, 1);
            let mut participant = Some(join(&bus, A, Policy::Backpressure, 1));
            number(bus.send(A, b"1"));
            let (wakes, waker) = Wakes::new();
            let mut sender = bus.sender();
            let mut waits = pin!(sender.send_async(A, b"2"));
            assert_eq!(waits.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
            assert_eq!(wakes.count(), 0);
            make_room(&mut participant);
            assert_eq!(wakes.count(), 1, "no wake-up");
            let polled = waits.poll(&mut Context::from_waker(&waker));
            assert_eq!(polled, Poll::Ready(Ok(Sent::Queued(2))));
        }
    });
}

#[test]
fn g6_waiting_for_room_ends_when_the_oldest_expires() {
    watched(|| {
        let ttl = Duration::from_millis(30);
        let bus = small().time_to_live(Some(ttl)).build().unwrap();
        let mut participant = join(&bus, A, Policy::Backpressure, 1);
        let start = Instant::now();
        number(bus.send(A, b"1"));
        // Nobody receives: only time makes room.
        number(bus.sender().send_wait(A, b"2", None));
        assert!(start.elapsed() >= ttl);
        number(block_on_with_time(bus.sender().send_async(A, b"3")));
        assert_eq!(everything(&mut participant).1.iter().map(|lag| lag.count).sum::<u64>(), 2);
    });
}

/// Whoever polls a send that waits asynchronously has to come back by itself for an expiry: no
/// thread of the bus could wake it.
fn block_on_with_time<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut ready = None;
    eventually("room by expiry", || {
        match future.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(output) => ready = Some(output),
            Poll::Pending => {}
        }
        ready.is_some()
    });
    ready.unwrap()
}

#[test]
fn g6_a_send_that_stops_waiting_leaves_nothing_behind() {
    let bus = bus();
    let mut participant = join(&bus, A, Policy::Backpressure, 1);
    number(bus.send(A, b"1"));
    let mut sender = bus.sender();
    let (wakes, waker) = Wakes::new();
    {
        let mut waits = pin!(sender.send_async(A, b"never"));
        assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(numbers(&mut participant), [1]);
    drop((participant, bus, sender));
    assert!(wakes.count() <= 1);
}

#[test]
fn g6_who_wants_nothing_of_what_is_queued_is_not_slow() {
    let bus = bus();
    let mut rare = join(&bus, B, Policy::Backpressure, 1);
    flood(&bus, A, 3_000);
    number(bus.send(B, b"x"));
    flood(&bus, A, 3_000);
    assert_eq!(bus.send(B, b"y"), FULL);
    assert_eq!(rare.stats().depth_now, 1);
    assert_eq!(numbers(&mut rare), [3_001]);
    assert_eq!((rare.stats().lagged, rare.stats().expired), (0, 0));
}

/// The later part of a drain once made room without telling who waits for it.
#[test]
fn g6_what_a_drain_takes_after_its_first_message_wakes_who_waits_for_room() {
    watched(|| {
        for panics in [false, true] {
            let bus = bus();
            let mut participant = join(&bus, A, Policy::Backpressure, 2);
            number(bus.send(A, b"1"));
            number(bus.send(A, b"2"));
            let mut sender = bus.sender();
            let (wakes, waker) = Wakes::new();
            let mut waits = pin!(sender.send_async(A, b"3"));
            let mut context = Context::from_waker(&waker);
            let mut calls = 0;
            // Exactly what is there: no look for more comes behind it.
            let drain = AssertUnwindSafe(|| {
                participant.drain_up_to(2, |_| {
                    calls += 1;
                    if calls == 1 {
                        // A drain tells its progress when it ends.
                        assert!(waits.as_mut().poll(&mut context).is_pending());
                        assert_eq!(wakes.count(), 0);
                    }
                    assert!(!panics || calls == 1, "its message counts as delivered");
                })
            });
            let drained = catch_unwind(drain);
            assert!(if panics { drained.is_err() } else { matches!(drained, Ok(Ok(2))) });
            assert_eq!(wakes.count(), 1, "the room of both messages");
            assert_eq!(waits.as_mut().poll(&mut context), Poll::Ready(Ok(Sent::Queued(3))));
            assert_eq!(numbers(&mut participant), [3]);
        }
    });
}

/// A future of a send that was polled once more after it was ready once sent its message again.
#[test]
fn g6_a_send_that_is_polled_after_it_was_ready_sends_nothing_more() {
    for full in [false, true] {
        let bus = bus();
        let mut participant = join(&bus, A, Policy::Backpressure, 1);
        let mut sender = bus.sender();
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut send = pin!(sender.send_async(A, b"once"));
        if full {
            number(bus.send(A, b"in the way"));
            assert!(send.as_mut().poll(&mut context).is_pending());
            assert!(participant.try_recv().is_ok());
        }
        assert!(send.as_mut().poll(&mut context).is_ready());
        let sent = bus.sequence() - 1;
        assert_eq!(numbers(&mut participant), [sent]);
        let again = catch_unwind(AssertUnwindSafe(|| send.as_mut().poll(&mut context)));
        assert!(again.is_err(), "a programming error is told");
        assert_eq!(bus.sequence(), sent + 1);
        assert!(numbers(&mut participant).is_empty());
    }
}

/// What was trimmed from a backlog because it had expired was once reported as an overflow.
#[test]
fn g6_what_expired_in_a_backlog_that_was_handed_over_is_reported_as_expired() {
    let (bus, hand) = expiring();
    let mut slow = join(&bus, A, Policy::Lag, 1_000);
    for _ in 0..300 {
        number(bus.send(A, &[1; 200]));
    }
    hand.advance(Duration::from_millis(11));
    // Segment after segment, so that the old ones are trimmed while these are handed over.
    for _ in 0..300 {
        number(bus.send(A, &[2; 200]));
    }
    let (messages, reports) = everything(&mut slow);
    let lag = Lag { count: 300, classes: A, first: 1, last: 300, reason: LagReason::Expired };
    assert_eq!(reports, [lag]);
    assert!(messages.into_iter().eq(301..=600));
    assert_eq!((slow.stats().expired, slow.stats().lagged), (300, 0));
}

/// Losses were once counted when they were noticed and again when they were reported.
#[test]
fn g6_figures_and_reports_name_each_loss_once() {
    let (bus, hand) = expiring();
    let mut slow = join(&bus, A | B, Policy::Lag, 50);
    let (mut overflowed, mut expired, mut received) = (0, 0, 0);
    for round in 0..6_u64 {
        for n in 0..200 + 20 * round {
            number(bus.send(if n % 3 == 0 { A } else { B }, &[1; 150]));
        }
        if round % 2 == 0 {
            hand.advance(Duration::from_millis(11));
            (0..10).for_each(|_| drop(number(bus.send(A, b"young"))));
        }
        let before = overflowed + expired + received;
        let (messages, reports) = everything(&mut slow);
        received += messages.len() as u64;
        for lag in reports {
            match lag.reason {
                LagReason::Overflow => overflowed += lag.count,
                _ => expired += lag.count,
            }
        }
        assert_eq!(overflowed + expired + received, bus.sequence() - 1);
        assert!(overflowed + expired + received > before);
        let stats = slow.stats();
        assert_eq!((stats.lagged, stats.expired, stats.delivered), (overflowed, expired, received));
        let stats = bus.stats();
        assert_eq!((stats.lagged, stats.expired, stats.delivered), (overflowed, expired, received));
    }
    assert!(overflowed > 0 && expired > 0 && received > 0);
    slow.leave();
    let stats = bus.stats();
    assert_eq!((stats.lagged, stats.expired, stats.delivered), (overflowed, expired, received));
}
