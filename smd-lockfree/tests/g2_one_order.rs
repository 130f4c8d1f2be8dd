//! G2, one order: all participants see the accepted messages in the order of their numbers,
//! timestamps never decrease along it, and each sender's messages keep their order.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{A, B, C, bus, expiring, join, number, numbers, rounds, small, watched};
use smd_lockfree::{
    Bus, Class, Clock, Origin, Outgoing, Participant, Policy, RecvError, Timestamp,
};
use std::time::Duration;

const SENDERS: u64 = 4;

/// One received message: its number, its time, who sent it and as the how many-th.
type Entry = (u64, u64, u64, u64);

/// Receives until the bus is closed; nothing may be lost.
fn record(mut participant: Participant) -> Vec<Entry> {
    let mut log = Vec::new();
    loop {
        match participant.recv_blocking() {
            Ok(message) => {
                let [sender, count] = [&message[..8], &message[8..16]]
                    .map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
                log.push((message.sequence(), message.timestamp().nanos(), sender, count));
            }
            Err(RecvError::Closed) => return log,
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Four threads send, each through a sender of its own or straight through the bus; three
/// participants with different masks record.
fn record_all(bus: &Bus, each: u64) -> [Vec<Entry>; 3] {
    let masks = [Class::ALL, A | B, C | B];
    let participants = masks.map(|mask| join(bus, mask, Policy::Backpressure, 64));
    std::thread::scope(|scope| {
        let receivers = participants.map(|p| scope.spawn(|| record(p)));
        let senders: Vec<_> = (0..SENDERS)
            .map(|id| {
                scope.spawn(move || {
                    let sender = bus.sender();
                    for count in 0..each {
                        let class = [A, B, C, A | C][((id + count) % 4) as usize];
                        let mut payload = [0; 16];
                        payload[..8].copy_from_slice(&id.to_le_bytes());
                        payload[8..].copy_from_slice(&count.to_le_bytes());
                        loop {
                            let sent = if id % 2 == 0 {
                                sender.send_wait(class, &payload, None)
                            } else {
                                bus.send(class, &payload)
                            };
                            if sent.is_ok() {
                                break;
                            }
                            std::thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        bus.close();
        receivers.map(|receiver| receiver.join().unwrap())
    })
}

#[test]
fn g2_all_see_one_order_with_rising_times_and_each_senders_own_order() {
    watched(|| {
        let bus = bus();
        let each = rounds("SMD_ORDER", 20_000) as u64;
        let logs = record_all(&bus, each);
        let all = &logs[0];
        let numbers: Vec<_> = all.iter().map(|entry| entry.0).collect();
        assert!(numbers.iter().copied().eq(1..=SENDERS * each), "from 1, without holes");
        for log in &logs {
            for pair in log.windows(2) {
                assert!(pair[0].0 < pair[1].0, "order of the numbers: {pair:?}");
                assert!(pair[0].1 <= pair[1].1, "timestamps never decrease: {pair:?}");
            }
            for id in 0..SENDERS {
                let counts: Vec<_> = log.iter().filter(|e| e.2 == id).map(|e| e.3).collect();
                assert!(counts.is_sorted(), "the order of sender {id}");
            }
            // One message is the same for everybody: number, time and content.
            assert!(log.iter().all(|entry| all[entry.0 as usize - 1] == *entry));
        }
        assert_eq!(logs[1].len() as u64, each * 3, "A, B and A | C reach A | B, in full");
    });
}

#[test]
fn g2_numbers_begin_at_one_and_refusals_cost_none() {
    let bus = bus();
    assert_eq!(bus.sequence(), 1);
    let mut participant = join(&bus, A, Policy::Backpressure, 2);
    assert_eq!(number(bus.send(A, b"1")), 1);
    assert!(!bus.send(B, b"nobody").unwrap().is_queued());
    assert!(bus.send(A, &[0; 385]).is_err());
    assert!(bus.send(Class::NONE, b"").is_err());
    drop(bus.alloc(A, 5).unwrap());
    assert_eq!(number(bus.send(A, b"2")), 2);
    assert!(bus.send(A, b"full").is_err());
    assert_eq!(bus.sequence(), 3);
    assert_eq!(numbers(&mut participant), [1, 2]);
    assert_eq!(number(bus.send(A, b"3")), 3);
}

#[test]
fn g2_timestamps_never_decrease_even_if_the_clock_does() {
    let (clock, hand) = Clock::manual();
    let bus = small().clock(clock).build().unwrap();
    let mut participant = bus.register(A).unwrap();
    let start = hand.now().nanos();
    // Far enough each time to be no rounding.
    for step in [5_000_000, 9_000_000, 1_000_000, 8_999_999, 9_000_001, 0, 20_000_000] {
        hand.set(Timestamp::from_nanos(start + step));
        number(bus.send(A, b"x"));
        bus.register(B).unwrap().leave();
    }
    let mut times = Vec::new();
    participant.drain(|message| times.push(message.timestamp().nanos() - start)).unwrap();
    assert!(times.is_sorted(), "{times:?}");
    // A registration may move it on by some nanoseconds, see the crate's rules for touching.
    for (time, least) in times
        .iter()
        .zip([5_000_000, 9_000_000, 9_000_000, 9_000_000, 9_000_001, 9_000_001, 20_000_000])
    {
        assert!((least..least + 1_000).contains(time), "{times:?}");
    }
}

#[test]
fn g2_a_message_is_stamped_when_it_is_accepted_not_when_it_is_allocated() {
    let (bus, hand) = expiring();
    let mut participant = bus.register(A).unwrap();
    let draft = bus.alloc(A, 1).unwrap().unwrap();
    hand.advance(Duration::from_millis(7));
    let now = hand.now();
    assert!(draft.send().unwrap().is_queued());
    let first = participant.try_recv().unwrap().timestamp();
    assert!(first >= now && first.saturating_since(now) < Duration::from_micros(1));
    assert_eq!(first.micros(), first.nanos() / 1_000);
}

#[cfg(unix)]
#[test]
fn g2_timestamps_are_systemwide_monotonic_time() {
    use rustix::time::{ClockId, clock_gettime};
    let system = || {
        let now = clock_gettime(ClockId::Monotonic);
        Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
    };
    let bus = Bus::new();
    let mut participant = bus.register(A).unwrap();
    let before = system();
    number(bus.send(A, b"x"));
    let after = system();
    let stamp = Duration::from_nanos(participant.try_recv().unwrap().timestamp().nanos());
    // What the two clocks may drift apart.
    let slack = Duration::from_micros(50);
    assert!(before <= stamp + slack && stamp <= after + slack, "{before:?} {stamp:?} {after:?}");
}

#[test]
fn g2_a_batch_has_one_time_and_numbers_in_a_row() {
    let (bus, hand) = expiring();
    let mut participant = join(&bus, A | B, Policy::Lag, 1_000);
    let sender = bus.sender();
    hand.advance(Duration::from_millis(3));
    // More than two segments hold.
    let payload = [5; 100];
    let batch: Vec<_> =
        (0..90).map(|n| Outgoing::new(if n % 3 == 0 { A } else { B | C }, &payload)).collect();
    let sent = sender.send_batch(&batch).unwrap();
    assert_eq!((sent.queued, sent.unwanted, sent.first, sent.last), (90, 0, Some(1), Some(90)));
    let (mut numbers, mut times, mut classes) = (Vec::new(), Vec::new(), Vec::new());
    participant
        .drain(|message| {
            numbers.push(message.sequence());
            times.push(message.timestamp());
            classes.push(message.class());
        })
        .unwrap();
    assert!(numbers.iter().copied().eq(1..=90));
    assert!(times.iter().all(|time| *time == times[0]));
    assert!(classes.iter().eq(batch.iter().map(|message| &message.class)));
}

#[test]
fn g2_a_batch_takes_only_what_is_wanted_and_stops_where_it_is_full() {
    let bus = bus();
    let mut participant = join(&bus, A, Policy::Backpressure, 3);
    let sender = bus.sender();
    let batch = [A, B, A, A, B, A, A].map(|class| Outgoing::new(class, b"x"));
    let error = sender.send_batch(&batch).unwrap_err();
    assert_eq!(error.done, 5, "the sixth was refused");
    assert_eq!((error.sent.queued, error.sent.unwanted), (3, 2));
    assert_eq!((error.sent.first, error.sent.last), (Some(1), Some(3)));
    assert_eq!(numbers(&mut participant), [1, 2, 3]);
    let rest = sender.send_batch(&batch[error.done..]).unwrap();
    assert_eq!((rest.queued, rest.first, rest.last), (2, Some(4), Some(5)));
    assert_eq!(numbers(&mut participant), [4, 5]);
    let none = sender.send_batch(&[]).unwrap();
    assert_eq!((none.queued, none.unwanted, none.first, none.last), (0, 0, None, None));
}

#[test]
fn g2_the_order_is_per_bus() {
    let (one, two) = (bus(), bus());
    let mut participants = [one.register(A).unwrap(), two.register(A).unwrap()];
    for _ in 0..3 {
        number(one.send(A, b"one"));
    }
    assert_eq!(number(two.send(A, b"two")), 1);
    assert_eq!(numbers(&mut participants[0]), [1, 2, 3]);
    let message = participants[1].try_recv().unwrap();
    assert_eq!((message.bytes(), message.origin()), (&b"two"[..], Origin::Local));
}

/// A batch that begins with what nobody wants once miscounted what was handled.
#[test]
fn g2_a_batch_that_begins_with_what_nobody_wants_counts_right() {
    let bus = bus();
    let mut participant = join(&bus, A, Policy::Backpressure, 2);
    let sender = bus.sender();
    let of = |classes: &[Class]| -> Vec<_> {
        classes.iter().map(|class| Outgoing::new(*class, b"x")).collect()
    };
    let sent = sender.send_batch(&of(&[B, C, A, B])).unwrap();
    assert_eq!((sent.queued, sent.unwanted, sent.first, sent.last), (1, 3, Some(1), Some(1)));
    // Refused behind what nobody wants: that is handled, the refused one is not.
    number(sender.send(A, b"full"));
    let error = sender.send_batch(&of(&[B, C, A, B])).unwrap_err();
    assert_eq!((error.done, error.sent.queued, error.sent.unwanted), (2, 0, 2));
    assert_eq!((error.sent.first, error.sent.last), (None, None));
    // Only what nobody wants, also while somebody else is full.
    let none = sender.send_batch(&of(&[B, C, B | C])).unwrap();
    assert_eq!((none.queued, none.unwanted, none.first, none.last), (0, 3, None, None));
    // One class of several is enough to be wanted.
    assert_eq!(numbers(&mut participant), [1, 2]);
    let both = sender.send_batch(&of(&[C, A | B, C])).unwrap();
    assert_eq!((both.queued, both.unwanted, both.first), (1, 2, Some(3)));
    let stats = sender.stats();
    assert_eq!((stats.sent, stats.unwanted, stats.refused), (3, 10, 1));
    assert_eq!((bus.stats().sent, bus.stats().unwanted, bus.stats().refused), (3, 10, 1));
    assert_eq!(numbers(&mut participant), [3]);
}

/// What entered elsewhere keeps the stamp and the number that it had there, on each way to a participant:
/// straight, in a segment that was handed over, as a copy, as state, and kept.
#[test]
fn g2_a_message_from_elsewhere_says_where_it_entered() {
    let bus = bus();
    let state = bus.retain(C).unwrap();
    let mut lists = [A, B].map(|mask| join(&bus, mask, Policy::Backpressure, 4000));
    let sender = bus.sender();
    let origin = |number: u64| Origin::Peer {
        peer: std::num::NonZeroU32::new(3 + number as u32 % 2).unwrap(),
        timestamp: Timestamp::from_nanos(1_000_000 + number),
        sequence: u64::MAX - number,
    };
    for number in 0..1500_u64 {
        let class = if number % 50 == 0 { B } else { A };
        let payload = [7; 384];
        let len = (number % 385) as usize;
        let sent = sender.send_from(origin(number), class, &payload[..len]).unwrap();
        assert_eq!(sent.sequence(), Some(number + 1));
    }
    assert!(sender.send_from(origin(7), C, b"state").unwrap().is_queued());
    assert!(sender.send_from(Origin::Local, A, b"here").unwrap().is_queued());
    for (list, expected) in lists.iter_mut().zip([1470 + 1, 30]) {
        let mut seen = 0;
        while let Ok(message) = list.try_recv() {
            let number = message.sequence() - 1;
            let from = if number == 1501 { Origin::Local } else { origin(number) };
            assert_eq!((message.origin(), message.keep().origin()), (from, from));
            if number < 1500 {
                assert_eq!(message.bytes(), &[7; 384][..(number % 385) as usize]);
            }
            seen += 1;
        }
        assert_eq!(seen, expected);
    }
    let mut late = bus.register(C).unwrap();
    let message = late.try_recv().unwrap();
    assert!(message.is_retained());
    assert_eq!((message.origin(), message.bytes()), (origin(7), &b"state"[..]));
    drop(state);
    assert_eq!(bus.send(Class::USER7, b"").unwrap(), smd_lockfree::Sent::Unwanted);
    assert_eq!(sender.send_from(origin(1), Class::USER7, b""), Ok(smd_lockfree::Sent::Unwanted));
}
