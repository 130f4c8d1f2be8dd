//! Two or three threads and few messages for each way through the bus: small enough for Miri, which
//! runs each step of them under its model of memory, and repeated where the code runs at full
//! speed, also under the thread sanitizer.
//!
//! Time stands still here (a manual clock), so that nothing depends on how slow a tool is.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{A, B, C, block_on, everything, join, number, number_among_many, watched};
use smd_lockfree::{
    Bus, Class, Clock, Event, EventLoop, FullReason, Kept, Lag, LagReason, MaskError, Outgoing,
    Participant, Policy, RecvError, SendError, Sent,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread::{scope, spawn, yield_now};
use std::time::Duration;

/// Nine messages of this size fill the smallest segment.
const BIG: usize = 384;

/// So many big messages pass through that the first segments leave the window.
const THROUGH: u64 = if cfg!(miri) { 9 * 5 + 2 } else { 9 * 7 };

/// How often a test repeats itself: once under Miri, whose seeds repeat it.
fn often() -> u64 {
    if cfg!(miri) { 1 } else { common::rounds("SMD_SMALL", 300) as u64 }
}

/// A bus with the smallest segments and a clock that stands still.
fn still() -> Bus {
    common::small().clock(Clock::manual().0).build().unwrap()
}

fn repeated(body: impl Fn() + Send + 'static) {
    watched(move || (0..often()).for_each(|_| body()));
}

/// A big message that says which it is.
fn big(count: u64) -> [u8; BIG] {
    let mut payload = [count as u8; BIG];
    payload[..8].copy_from_slice(&count.to_le_bytes());
    payload
}

/// The count in a message, all of whose bytes were looked at.
#[track_caller]
fn count(payload: &[u8]) -> u64 {
    let count = u64::from_le_bytes(payload[..8].try_into().unwrap());
    assert_eq!(payload, big(count), "torn");
    count
}

/// What a participant receives until the bus is closed: counts, in order, and reports.
fn to_the_end(participant: &mut Participant) -> (Vec<u64>, Vec<Lag>) {
    let (mut counts, mut reports, mut last) = (Vec::new(), Vec::new(), 0);
    loop {
        match participant.recv_blocking() {
            Ok(message) => {
                assert!(message.sequence() > last);
                last = message.sequence();
                counts.push(count(&message));
            }
            Err(RecvError::Lagged(lag)) => {
                assert!(lag.first > last && lag.last >= lag.first);
                last = lag.last;
                reports.push(lag);
            }
            Err(RecvError::Closed) => return (counts, reports),
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[test]
fn what_is_sent_is_received() {
    repeated(|| {
        let bus = still();
        let mut reader = join(&bus, A, Policy::Backpressure, 100);
        let sender = spawn(move || {
            let sender = bus.sender();
            (0..12).for_each(|count| drop(number(sender.send(A, &big(count)))));
        });
        for expected in 0..12 {
            let message = loop {
                match reader.try_recv() {
                    Ok(message) => break message.to_owned_message(),
                    Err(RecvError::Empty) => yield_now(),
                    Err(error) => panic!("{error:?}"),
                }
            };
            assert_eq!((message.sequence(), count(message.bytes())), (expected + 1, expected));
        }
        sender.join().unwrap();
        assert_eq!(reader.recv_spinning().map(|_| ()), Err(RecvError::Closed));
    });
}

#[test]
fn two_senders_one_order() {
    repeated(|| {
        let bus = still();
        let mut readers = [(); 2].map(|()| join(&bus, A | B, Policy::Backpressure, 100));
        let (first, second) = readers.split_at_mut(1);
        let orders = scope(|scope| {
            for class in [A, B] {
                let sender = bus.clone();
                scope.spawn(move || {
                    for count in 0..10 {
                        number_among_many(|| sender.send(class, &big(count)));
                    }
                });
            }
            let read = |reader: &mut Participant| {
                let mut order = Vec::new();
                while order.len() < 20 {
                    match reader.drain(|m| order.push((m.sequence(), m.class(), count(&m)))) {
                        Ok(0) => yield_now(),
                        other => drop(other.unwrap()),
                    }
                }
                order
            };
            let other = scope.spawn(move || read(&mut first[0]));
            [read(&mut second[0]), other.join().unwrap()]
        });
        assert_eq!(orders[0], orders[1]);
        assert!(orders[0].iter().map(|(number, ..)| *number).eq(1..=20));
        for class in [A, B] {
            let of_one = orders[0].iter().filter(|(_, of, _)| *of == class);
            assert!(of_one.map(|(.., count)| *count).eq(0..10));
        }
    });
}

#[test]
fn segments_are_handed_over_whole() {
    repeated(|| {
        let bus = still();
        let mut slow = join(&bus, A, Policy::Backpressure, 1_000);
        let reader = spawn(move || to_the_end(&mut slow));
        (0..THROUGH).for_each(|count| drop(number(bus.send(A, &big(count)))));
        // Behind its back, or before its eyes: either way it gets all.
        bus.close();
        let (counts, reports) = reader.join().unwrap();
        assert!(counts.into_iter().eq(0..THROUGH));
        assert_eq!(reports, []);
    });
}

#[test]
fn a_sleeper_takes_its_whole_segments_while_more_come() {
    repeated(|| {
        let bus = still();
        let mut slow = join(&bus, A, Policy::Backpressure, 1_000);
        (0..THROUGH).for_each(|count| drop(number(bus.send(A, &big(count)))));
        assert!(bus.stats().segments_live < THROUGH / 9, "nothing was handed over");
        let reader = spawn(move || to_the_end(&mut slow));
        (THROUGH..THROUGH + 20).for_each(|count| drop(number(bus.send(A, &big(count)))));
        drop(bus);
        assert!(reader.join().unwrap().0.into_iter().eq(0..THROUGH + 20));
    });
}

#[test]
fn what_is_rarely_wanted_is_handed_over_as_copies() {
    repeated(|| {
        let bus = still();
        let mut rare = join(&bus, B, Policy::Backpressure, 1_000);
        let mut most = join(&bus, A, Policy::Lag, 4);
        let send = |bus: &Bus, from, to| {
            for round in from..to {
                let class = if round % 9 == 4 { B } else { A };
                number(bus.send(class, &big(round)));
            }
        };
        send(&bus, 0, THROUGH);
        let reader = spawn(move || to_the_end(&mut rare));
        send(&bus, THROUGH, THROUGH + 18);
        assert!(matches!(most.try_recv(), Err(RecvError::Lagged(lag)) if lag.classes == A));
        drop(most);
        bus.close();
        let (counts, reports) = reader.join().unwrap();
        assert!(counts.into_iter().eq((0..THROUGH + 18).filter(|round| round % 9 == 4)));
        assert_eq!(reports, []);
    });
}

#[test]
fn who_lags_is_trimmed_and_told() {
    repeated(|| {
        let bus = still();
        let mut slow = join(&bus, A, Policy::Lag, 3);
        (0..THROUGH).for_each(|count| drop(number(bus.send(A, &big(count)))));
        let reader = spawn(move || to_the_end(&mut slow));
        (THROUGH..THROUGH + 20).for_each(|count| drop(number(bus.send(A, &big(count)))));
        bus.close();
        let (counts, reports) = reader.join().unwrap();
        let lost: u64 = reports.iter().map(|lag| lag.count).sum();
        assert!(reports.iter().all(|lag| lag.reason == LagReason::Overflow && lag.classes == A));
        assert_eq!(lost + counts.len() as u64, THROUGH + 20);
        assert!(lost >= THROUGH - 3);
        let last = counts.iter().rev().take(3).rev().copied();
        assert!(last.eq(THROUGH + 17..THROUGH + 20), "{counts:?}, {reports:?}");
    });
}

#[test]
fn segments_retire_while_all_are_at_work() {
    repeated(|| {
        let bus = still();
        let mut reader = join(&bus, A, Policy::Backpressure, 1_000);
        let senders = [0, 1].map(|_| {
            let sender = bus.sender();
            spawn(move || {
                for count in 0..THROUGH / 2 {
                    number_among_many(|| sender.send(A, &big(count)));
                }
            })
        });
        let mut numbers = Vec::new();
        while numbers.len() < (THROUGH / 2 * 2) as usize {
            if reader.drain_up_to(5, |message| numbers.push(message.sequence())).unwrap() == 0 {
                yield_now();
            }
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        assert!(numbers.iter().copied().eq(1..=THROUGH / 2 * 2));
        assert!(bus.stats().segments_live <= 6);
    });
}

#[test]
fn who_comes_and_goes_gets_what_lies_between() {
    repeated(|| {
        let bus = still();
        let end = AtomicU64::new(0);
        scope(|scope| {
            let sender = bus.clone();
            let end = &end;
            scope.spawn(move || {
                let keep = join(&sender, A, Policy::Lag, 1);
                for count in 0..40 {
                    number(sender.send(A, &big(count)));
                }
                end.store(1, Ordering::SeqCst);
                drop(keep);
            });
            let visit = |ends: bool| {
                while end.load(Ordering::SeqCst) == 0 {
                    let mut visitor = join(&bus, A, Policy::Backpressure, 100);
                    let mut next = visitor.since();
                    yield_now();
                    let received = visitor.drain(|message| {
                        assert_eq!(message.sequence(), next);
                        next += 1;
                    });
                    received.unwrap();
                    if ends {
                        assert!(visitor.leave() >= next);
                    }
                }
            };
            scope.spawn(move || visit(true));
            visit(false);
        });
        assert_eq!(bus.stats().participants, 0);
        assert_eq!(bus.interest(), Class::NONE);
    });
}

#[test]
fn two_register_at_once_and_both_are_there() {
    repeated(|| {
        let bus = still();
        let joined = [A, B].map(|class| {
            let bus = bus.clone();
            spawn(move || join(&bus, class, Policy::Backpressure, 4))
        });
        let mut joined = joined.map(|thread| thread.join().unwrap());
        assert_eq!(bus.interest(), A | B);
        number(bus.send(A | B, b"both"));
        for participant in &mut joined {
            assert_eq!(participant.try_recv().unwrap().bytes(), b"both");
        }
        let gone = joined.map(|participant| spawn(move || participant.leave()));
        gone.into_iter().for_each(|gone| assert!(gone.join().unwrap() >= 2));
        assert_eq!(bus.send(A, b"nobody"), Ok(Sent::Unwanted));
    });
}

#[test]
fn a_mask_changes_beside_sends() {
    repeated(|| {
        let bus = still();
        let mut witness = join(&bus, A | B, Policy::Backpressure, 1_000);
        let mut changing = join(&bus, A, Policy::Backpressure, 1_000);
        let sender = bus.clone();
        let sending = spawn(move || {
            for count in 0..THROUGH {
                number(sender.send(if count % 2 == 0 { A } else { B }, &big(count)));
            }
            sender.close();
        });
        let (mut got, mut spans, mut closed) = (Vec::new(), vec![(changing.since(), A)], false);
        while !closed {
            for mask in [B, A | B, A] {
                match changing.drain_up_to(3, |m| got.push((m.sequence(), m.class()))) {
                    Ok(_) => {}
                    Err(RecvError::Closed) => closed = true,
                    Err(error) => panic!("{error:?}"),
                }
                match changing.set_mask(mask) {
                    Ok(from) => spans.push((from, mask)),
                    // Refused by the close, it has changed nothing.
                    Err(error) => assert_eq!(error, MaskError::Closed),
                }
            }
            if cfg!(miri) {
                // Each change is dear there: not as many as there is time for.
                yield_now();
            }
        }
        sending.join().unwrap();
        // What it got was wanted when it was sent; what the last mask wanted it got to the end.
        let mask_at = |number: u64| {
            let at = spans.partition_point(|(from, _)| *from <= number);
            spans[at - 1].1
        };
        assert!(got.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (number, class) in &got {
            assert!(mask_at(*number).intersects(*class), "{number} of {class}: {spans:?}");
        }
        let (from, mask) = spans[spans.len() - 1];
        let wanted = |number: &u64| mask.intersects(if number % 2 == 1 { A } else { B });
        let late = got.iter().map(|(number, _)| *number).filter(|number| *number >= from);
        assert!(late.eq((from..=THROUGH).filter(wanted)), "{got:?}, {spans:?}");
        let mut all = 0;
        while let Ok(message) = witness.try_recv() {
            all += 1;
            assert_eq!(message.sequence(), all);
        }
        assert_eq!(all, THROUGH);
    });
}

#[test]
fn kept_messages_outlive_everything() {
    repeated(|| {
        let bus = still();
        let mut reader = join(&bus, A, Policy::Backpressure, 100);
        let (hand, take) = channel::<Kept>();
        let holder = spawn(move || {
            let kept: Vec<Kept> = take.iter().collect();
            kept.iter().map(|kept| count(kept)).collect::<Vec<_>>()
        });
        let sender = bus.clone();
        let sending = spawn(move || {
            (0..THROUGH).for_each(|count| drop(number(sender.send(A, &big(count)))));
        });
        for taken in 0..THROUGH {
            let message = reader.recv_blocking().unwrap();
            if taken % 10 == 0 {
                let kept = message.keep();
                hand.send(kept.clone()).unwrap();
                assert_eq!(count(&kept), taken);
            }
        }
        sending.join().unwrap();
        drop((bus, reader));
        drop(hand);
        assert!(holder.join().unwrap().into_iter().eq((0..THROUGH).step_by(10)));
    });
}

#[test]
fn state_comes_first_and_nothing_twice() {
    repeated(|| {
        let bus = still();
        let entry = bus.retain(A).unwrap();
        let key = bus.retain_key(B, b"key").unwrap();
        number(entry.send(&big(0)));
        number(key.send(&big(100)));
        let sender = spawn(move || {
            (1..12).for_each(|count| drop(number(entry.send(&big(count)))));
        });
        let mut late = join(&bus, A | B, Policy::Backpressure, 100);
        sender.join().unwrap();
        bus.close();
        let (mut states, mut live, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        let received = late.drain(|message| match (message.class(), message.is_retained()) {
            (A, true) => states.push((message.sequence(), count(&message))),
            (A, false) => live.push((message.sequence(), count(&message))),
            (_, retained) => keys.push((retained, count(&message))),
        });
        assert_eq!(received.unwrap(), states.len() + live.len() + keys.len());
        assert_eq!(keys, [(true, 100)]);
        let [(number, state)] = states[..] else { panic!("one state, not {states:?}") };
        assert!(number < late.since());
        assert!(live.iter().map(|(_, count)| *count).eq(state + 1..12), "{state}, {live:?}");
        assert!(live.iter().all(|(number, _)| *number >= late.since()));
    });
}

#[test]
fn state_is_given_up_beside_those_who_fetch_it() {
    repeated(|| {
        let bus = still();
        let entry = bus.retain(A).unwrap();
        number(entry.send(&big(7)));
        let clearing = spawn(move || {
            assert!(entry.clear());
            assert_eq!(entry.send(b"more"), Err(SendError::NotRetained));
        });
        let mut late = join(&bus, A, Policy::Backpressure, 4);
        let (states, reports) = everything(&mut late);
        clearing.join().unwrap();
        assert!(states.len() <= 1 && reports.is_empty());
        assert_eq!(bus.stats().retained, 0);
        assert!(everything(&mut join(&bus, A, Policy::Lag, 4)).0.is_empty());
    });
}

#[test]
fn a_blocked_receiver_is_woken_each_time() {
    repeated(|| {
        let bus = still();
        let mut reader = join(&bus, A, Policy::Backpressure, 100);
        let (heard, hears) = channel();
        let reading = spawn(move || {
            while let Ok(message) = reader.recv_blocking() {
                heard.send(message.sequence()).unwrap();
            }
        });
        let mut other = join(&bus, B, Policy::Backpressure, 100);
        for round in 0..6 {
            number(bus.send(B, b"not for it"));
            let number = number(bus.send(A, &big(round)));
            assert_eq!(hears.recv(), Ok(number));
        }
        drop(bus);
        reading.join().unwrap();
        assert_eq!(other.drain(|_| ()), Ok(6));
    });
}

#[test]
fn a_task_is_woken_by_another_thread() {
    repeated(|| {
        let bus = still();
        let mut reader = join(&bus, A, Policy::Backpressure, 100);
        let sending = spawn(move || {
            for count in 0..12 {
                number(bus.send(A, &big(count)));
                yield_now();
            }
        });
        block_on(async {
            for expected in 0..12 {
                // A receive that is dropped has received nothing.
                drop(reader.recv());
                assert_eq!(count(&reader.recv().await.unwrap()), expected);
            }
            assert_eq!(reader.recv().await.map(|_| ()), Err(RecvError::Closed));
        });
        sending.join().unwrap();
    });
}

#[test]
fn a_loop_serves_what_another_thread_sends() {
    repeated(|| {
        let bus = still();
        let (heard, hears) = channel();
        let mut events = EventLoop::new(&bus);
        for class in [A, B] {
            let heard = heard.clone();
            let registration = bus.participant().mask(class);
            let added = events.add(registration, move |event, context| {
                let Event::Message(message) = event else { panic!("{event:?}") };
                if message.class() == A {
                    number(context.bus().send(B, &big(count(&message) + 100)));
                }
                heard.send((message.class(), count(&message))).unwrap();
            });
            added.unwrap();
        }
        let handle = events.handle();
        let serving = spawn(move || events.run());
        for round in 0..4 {
            number(bus.send(A, &big(round)));
            assert_eq!(hears.recv(), Ok((A, round)));
            assert_eq!(hears.recv(), Ok((B, round + 100)));
        }
        let more = bus.clone();
        let told = heard.clone();
        handle.run(move |events| {
            let added = events.add(more.participant().mask(C), move |_, context| {
                told.send((C, 0)).unwrap();
                context.leave();
            });
            added.unwrap();
            number(more.send(C, b"added"));
        });
        assert_eq!(hears.recv(), Ok((C, 0)));
        handle.stop();
        assert_eq!(serving.join().unwrap(), Ok(()));
    });
}

#[test]
fn who_waits_for_room_is_woken() {
    repeated(|| {
        let bus = still();
        let mut slow = join(&bus, A, Policy::Backpressure, 1);
        let sender = bus.sender();
        let sending = spawn(move || {
            (0..8).for_each(|count| drop(number(sender.send_wait(A, &big(count), None))));
            assert!(sender.stats().refused <= 8);
        });
        for expected in 0..8 {
            assert_eq!(count(&slow.recv_blocking().unwrap()), expected);
        }
        sending.join().unwrap();
    });
}

#[test]
fn a_task_that_waits_for_room_is_woken() {
    repeated(|| {
        let bus = still();
        let mut slow = join(&bus, A, Policy::Backpressure, 1);
        let other = bus.clone();
        let sending = spawn(move || {
            let mut sender = other.sender();
            block_on(async {
                for count in 0..8 {
                    drop(sender.send_async(A, b"never polled"));
                    number(sender.send_async(A, &big(count)).await);
                }
            });
        });
        for expected in 0..8 {
            assert_eq!(count(&slow.recv_blocking().unwrap()), expected);
        }
        sending.join().unwrap();
        assert_eq!(bus.sequence(), 9);
    });
}

#[test]
fn room_comes_as_well_from_a_departure_and_a_narrowing() {
    repeated(|| {
        let bus = still();
        let mut narrowing = join(&bus, A | B, Policy::Backpressure, 1);
        let leaving = join(&bus, A, Policy::Backpressure, 1);
        let mut sink = join(&bus, A, Policy::Lag, 4);
        number(bus.send(A, b"fills"));
        assert_eq!(bus.send(A, b"over"), Err(SendError::Full(FullReason::Backlog)));
        let sender = bus.sender();
        let sending = spawn(move || number(sender.send_wait(A, b"waits", None)));
        let going = spawn(move || leaving.leave());
        narrowing.set_mask(B).unwrap();
        assert!(going.join().unwrap() >= 2);
        assert_eq!(sending.join().unwrap(), 2);
        assert_eq!(sink.drain(|_| ()), Ok(2));
    });
}

#[test]
fn a_close_beside_sends_divides_them() {
    repeated(|| {
        let bus = still();
        let mut reader = join(&bus, A, Policy::Backpressure, 100);
        let sender = bus.sender();
        let sending = spawn(move || {
            for accepted in 0..30 {
                match sender.send(A, &big(accepted)) {
                    Ok(sent) => assert_eq!(sent, Sent::Queued(accepted + 1)),
                    Err(error) => {
                        assert_eq!(error, SendError::Closed);
                        return accepted;
                    }
                }
            }
            30
        });
        let closing = spawn(move || {
            yield_now();
            bus.close()
        });
        let (counts, _) = to_the_end(&mut reader);
        let accepted = sending.join().unwrap();
        assert_eq!(closing.join().unwrap(), accepted + 1);
        assert!(counts.into_iter().eq(0..accepted));
    });
}

#[test]
fn a_handle_ends_a_sleep() {
    repeated(|| {
        let bus = still();
        let mut sleeper = join(&bus, A, Policy::Backpressure, 4);
        let handle = sleeper.handle();
        let sleeping = spawn(move || sleeper.recv_blocking().map(|_| ()));
        yield_now();
        assert_eq!(handle.leave(), Some(1));
        assert_eq!(sleeping.join().unwrap(), Err(RecvError::Left));
        assert!(!handle.is_registered());
    });
}

#[test]
fn drafts_and_batches_beside_each_other() {
    repeated(|| {
        let bus = still();
        let mut reader = join(&bus, A | B, Policy::Backpressure, 1_000);
        let other = bus.clone();
        let drafting = spawn(move || {
            for count in 0..10 {
                let mut draft = other.alloc(A, BIG).unwrap().expect("wanted");
                draft.copy_from_slice(&big(count));
                number(draft.send().map_err(|back| back.error));
                drop(other.alloc(A, 8));
            }
        });
        let payloads: Vec<_> = (0..14).map(big).collect();
        let batch: Vec<_> = payloads.iter().map(|payload| Outgoing::new(B, payload)).collect();
        let sender = bus.sender();
        for _ in 0..2 {
            assert_eq!(sender.send_batch(&batch).unwrap().queued, 14);
        }
        drafting.join().unwrap();
        let (mut drafts, mut batches, mut last) = (Vec::new(), Vec::new(), 0);
        let received = reader.drain(|message| {
            assert_eq!(message.sequence(), last + 1);
            last += 1;
            if message.class() == A { &mut drafts } else { &mut batches }.push(count(&message));
        });
        assert_eq!(received, Ok(38));
        assert!(drafts.into_iter().eq(0..10));
        assert!(batches.into_iter().eq((0..14).chain(0..14)));
    });
}

#[test]
fn lag_reports_beside_senders_miss_nothing() {
    repeated(|| {
        let bus = still();
        let mut slow = join(&bus, A, Policy::Lag, 2);
        let senders = [0, 1].map(|_| {
            let sender = bus.sender();
            spawn(move || {
                for count in 0..20 {
                    number_among_many(|| sender.send(A, &big(count)));
                }
            })
        });
        drop(bus);
        let (counts, reports) = to_the_end(&mut slow);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        let lost: u64 = reports.iter().map(|lag| lag.count).sum();
        assert_eq!(lost + counts.len() as u64, 40);
    });
}

#[test]
fn threads_that_end_leave_their_places() {
    repeated(|| {
        let bus = still();
        let mut reader = join(&bus, A, Policy::Backpressure, 100);
        for round in 0..3 {
            let threads = [0, 1].map(|_| {
                let bus = bus.clone();
                spawn(move || number_among_many(|| bus.send(A, &big(round))))
            });
            threads.into_iter().for_each(|thread| drop(thread.join().unwrap()));
        }
        assert_eq!(reader.drain(|message| drop(count(&message))), Ok(6));
        assert!(bus.stats().senders <= 6);
    });
}

#[test]
fn all_handles_go_in_any_order() {
    repeated(|| {
        let bus = still();
        let mut reader = join(&bus, A, Policy::Backpressure, 100);
        let idle = join(&bus, A | B, Policy::Lag, 4);
        let sender = bus.sender();
        number(sender.send(A, &big(1)));
        let kept = reader.recv_blocking().unwrap().keep();
        let threads = [
            spawn(move || drop(bus)),
            spawn(move || {
                number(sender.send(A, &big(2)));
                drop(sender);
            }),
            spawn(move || drop(idle)),
        ];
        let (counts, _) = to_the_end(&mut reader);
        assert_eq!(counts, [2]);
        drop(reader);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(count(&kept), 1);
    });
}

#[test]
fn interest_is_told_to_who_asked() {
    repeated(|| {
        let bus = still();
        let (tell, told) = channel();
        let observer = bus.observe_interest(move |interest| drop(tell.send(interest)));
        let threads = [A, B].map(|class| {
            let bus = bus.clone();
            spawn(move || drop(join(&bus, class, Policy::Lag, 1)))
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        drop(observer);
        drop(join(&bus, C, Policy::Lag, 1));
        let told: Vec<_> = told.iter().collect();
        assert!((2..=4).contains(&told.len()), "{told:?}");
        assert!(told.contains(&Class::NONE) && !told.iter().any(|interest| interest.intersects(C)));
    });
}

#[cfg(unix)]
#[test]
fn a_descriptor_is_raised_by_another_thread() {
    repeated(|| {
        let bus = still();
        let part = join(&bus, A, Policy::Backpressure, 100);
        let mut part = part.into_descriptor().unwrap();
        assert_eq!(part.try_recv().map(|_| ()), Err(RecvError::Empty));
        let sending =
            spawn(move || (0..6).for_each(|count| drop(number(bus.send(A, &big(count))))));
        let mut expected = 0;
        loop {
            // Miri has no `poll`: there the receive stands for it.
            while !cfg!(miri) && !common::readable(&part) {
                yield_now();
            }
            match part.try_recv() {
                Ok(message) => {
                    assert_eq!(count(&message), expected);
                    expected += 1;
                }
                Err(RecvError::Empty) => yield_now(),
                Err(RecvError::Closed) => break,
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(expected, 6);
        sending.join().unwrap();
    });
}

#[test]
fn a_timed_receive_gives_up_and_misses_nothing() {
    watched(|| {
        let bus = still();
        let mut reader = join(&bus, A, Policy::Backpressure, 100);
        let nap = Duration::from_micros(50);
        let sending = spawn(move || {
            for count in 0..5 {
                std::thread::sleep(nap);
                number(bus.send(A, &big(count)));
            }
        });
        let mut expected = 0;
        loop {
            match reader.recv_timeout(nap) {
                Ok(message) => {
                    assert_eq!(count(&message), expected);
                    expected += 1;
                }
                Err(RecvError::Timeout) => {}
                Err(RecvError::Closed) => break,
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(expected, 5);
        sending.join().unwrap();
    });
}
