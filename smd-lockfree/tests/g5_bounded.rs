//! G5, bounded: payloads of 0 to 384 bytes, backlogs of exactly the depth, a capped number of live
//! segments.
//!
//! `memory.rs` holds the memory against its formula, `no_alloc.rs` counts allocations.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{
    A, B, C, bus, everything, expiring, flood, join, number, number_among_many, numbers, rounds,
    small, watched,
};
use smd_lockfree::{
    Bus, DEFAULT_DEPTH, FullReason, LagReason, MAX_PAYLOAD, Message, Policy, SendError,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[test]
fn g5_every_length_of_payload_arrives_as_it_was_sent() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    let payload: Vec<u8> = (0..MAX_PAYLOAD).map(|n| (n * 7 + 1) as u8).collect();
    for len in 0..=MAX_PAYLOAD {
        number(bus.send(A, &payload[..len]));
        let message = participant.try_recv().unwrap();
        assert_eq!(message.bytes(), &payload[..len]);
    }
    // And all of them in a row, across many segments.
    for len in 0..=MAX_PAYLOAD {
        number(bus.send(A, &payload[..len]));
    }
    let mut len = 0;
    participant
        .drain(|message: Message<'_>| {
            assert_eq!(message.bytes(), &payload[..len]);
            len += 1;
        })
        .unwrap();
    assert_eq!(len, MAX_PAYLOAD + 1);
}

#[test]
fn g5_a_backlog_takes_exactly_its_depth_under_backpressure() {
    for depth in [1, 2, 7, 64, 500] {
        let bus = bus();
        let mut participant = join(&bus, A, Policy::Backpressure, depth);
        for round in 0..3 {
            for _ in 0..depth {
                number(bus.send(A, &[3; 40]));
            }
            for _ in 0..3 {
                assert_eq!(bus.send(A, b"x"), Err(SendError::Full(FullReason::Backlog)));
            }
            assert_eq!(participant.stats().depth_now, u64::from(depth));
            // Each message that is received makes room for exactly one.
            assert!(participant.try_recv().is_ok());
            number(bus.send(A, b"x"));
            assert!(bus.send(A, b"x").is_err());
            assert_eq!(numbers(&mut participant).len() as u32, depth, "round {round}");
            assert_eq!(participant.stats().depth_now, 0);
        }
        assert_eq!(participant.stats().depth_max, u64::from(depth));
    }
}

#[test]
fn g5_a_backlog_keeps_exactly_its_depth_under_lag() {
    for depth in [1, 2, 7, 64, 500] {
        let bus = bus();
        let mut participant = join(&bus, A, Policy::Lag, depth);
        for _ in 0..3 * depth + 1 {
            number(bus.send(A, &[3; 40]));
        }
        assert!(participant.stats().depth_now <= u64::from(depth));
        let (messages, reports) = everything(&mut participant);
        let first = u64::from(2 * depth + 2);
        assert!(messages.iter().copied().eq(first..first + u64::from(depth)));
        assert_eq!(reports.len(), 1);
        assert_eq!((reports[0].count, reports[0].last), (first - 1, first - 1));
        assert!(participant.stats().depth_max <= u64::from(depth));
    }
}

#[test]
fn g5_the_depth_comes_from_the_bus_unless_the_participant_says_otherwise() {
    let bus = small().depth(3).build().unwrap();
    let participant = bus.register(A).unwrap();
    let own = bus.participant().mask(A).depth(5).register().unwrap();
    assert_eq!((participant.depth(), own.depth()), (3, 5));
    for _ in 0..3 {
        number(bus.send(A, b"x"));
    }
    assert!(bus.send(A, b"x").is_err());
    drop(participant);
    number(bus.send(A, b"x"));
    number(bus.send(A, b"x"));
    assert!(bus.send(A, b"x").is_err());
    assert_eq!(Bus::new().register(A).unwrap().depth(), DEFAULT_DEPTH);
}

/// Four threads send until each has been refused; then one fills what is left. Returns how many
/// were accepted meanwhile, and in all.
fn race(bus: &Bus) -> (u64, u64) {
    let accepted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let sender = bus.sender();
                while sender.send(A, b"race").is_ok() {
                    accepted.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    let raced = accepted.load(Ordering::SeqCst);
    let mut all = raced;
    while bus.send(A, b"rest").is_ok() {
        all += 1;
    }
    (raced, all)
}

#[test]
fn g5_the_depth_is_exact_under_concurrent_senders() {
    watched(|| {
        for depth in [1, 3, 50, 400] {
            for _ in 0..40 {
                let bus = bus();
                let mut participant = join(&bus, A, Policy::Backpressure, depth);
                let (raced, all) = race(&bus);
                // A refusal may come early by the sends in progress, never late.
                let depth = u64::from(depth);
                assert!(raced <= depth && raced + 4 > depth, "{raced} of {depth}");
                assert_eq!(all, depth);
                assert_eq!(numbers(&mut participant).len() as u64, depth);
            }
        }
    });
}

#[test]
fn g5_the_depth_is_exact_while_the_participant_receives() {
    watched(|| {
        const DEPTH: u64 = 32;
        let bus = bus();
        let mut participant = join(&bus, A, Policy::Backpressure, DEPTH as u32);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let sender = bus.sender();
                    for _ in 0..rounds("SMD_DEPTH", 50_000) {
                        // Refused or not, it presses on.
                        let _ = sender.send(A, b"x");
                    }
                    // Lets the receiver end.
                    let _ = sender.send_wait(A, b"end", None);
                });
            }
            let (mut ends, mut received, mut deepest) = (0, 0, 0);
            while ends < 3 {
                // Everything is wanted, so what was accepted and not received is backlog.
                let backlog = bus.sequence() - 1 - received;
                assert!(backlog <= DEPTH, "{backlog} in the backlog");
                deepest = deepest.max(backlog);
                if received % 64 == 0 {
                    // Lets the senders fill it up.
                    std::thread::yield_now();
                }
                if let Ok(message) = participant.recv_blocking() {
                    ends += usize::from(message.bytes() == b"end");
                    received += 1;
                }
            }
            assert!(deepest > DEPTH / 2, "it was never put to the test");
        });
    });
}

#[test]
fn g5_lag_keeps_exactly_the_depth_under_concurrent_senders() {
    watched(|| {
        for _ in 0..20 {
            let bus = bus();
            let mut participant = join(&bus, A, Policy::Lag, 100);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for _ in 0..500 {
                            number_among_many(|| bus.send(A, &[1; 50]));
                        }
                    });
                }
            });
            let (messages, reports) = everything(&mut participant);
            assert!(messages.iter().copied().eq(1_901..=2_000));
            let named: u64 = reports.iter().map(|report| report.count).sum();
            assert_eq!(named, 1_900);
            assert!(reports.iter().all(|report| report.reason == LagReason::Overflow));
        }
    });
}

#[test]
fn g5_what_expired_is_no_backlog() {
    let (bus, hand) = expiring();
    let _participant = join(&bus, A, Policy::Backpressure, 2);
    number(bus.send(A, b"1"));
    hand.advance(Duration::from_millis(6));
    number(bus.send(A, b"2"));
    assert!(bus.send(A, b"x").is_err());
    hand.advance(Duration::from_millis(6));
    number(bus.send(A, b"3"));
    assert!(bus.send(A, b"x").is_err(), "only one had expired");
}

#[test]
fn g5_memory_follows_the_backlog_and_not_the_depth() {
    let bus = small().max_segments(8).build().unwrap();
    let _deep = join(&bus, A, Policy::Backpressure, 1_000_000);
    for _ in 0..1_000 {
        number(bus.send(A, &[1; 64]));
    }
    // Four times the backlog; the window, the pools, one for the participant and one for the thread.
    let bound = 4 * 1_000 * 80 + (8 + 64 + 2) * 4096 + 64 * 1024;
    let taken = bus.stats().memory_bytes;
    assert!(taken <= bound, "{taken} bytes for a backlog of 80,000, bound {bound}");
}

#[test]
fn g5_a_backlog_of_little_in_each_segment_holds_no_whole_segments() {
    let bus = small().max_segments(8).build().unwrap();
    let mut prompt = join(&bus, A, Policy::Backpressure, 100);
    let mut slow = join(&bus, B, Policy::Backpressure, 500);
    for _ in 0..500 {
        number(bus.send(B, b"little"));
        // The rest of a segment.
        for _ in 0..10 {
            number(bus.send(A, &[1; MAX_PAYLOAD]));
            assert!(prompt.try_recv().is_ok());
        }
    }
    // As above, and with its ring of 144 bytes a node; the segments would take 2,000,000 bytes.
    let bound = 4 * 500 * 32 + (8 + 64 + 3) * 4096 + 1024 * 144 + 64 * 1024;
    let taken = bus.stats().memory_bytes;
    assert!(taken <= bound, "{taken} bytes for a backlog of 16,000, bound {bound}");
    assert!(numbers(&mut slow).into_iter().eq((0..500).map(|n| 11 * n + 1)));
}

#[test]
fn g5_the_live_segments_stay_few_whatever_flows_past() {
    let bus = small().max_segments(8).build().unwrap();
    let mut slow = join(&bus, A, Policy::Lag, 10);
    let _rare = bus.register(B).unwrap();
    let sender = bus.sender();
    for _ in 0..20_000 {
        number(sender.send(A, &[9; 100]));
        let live = bus.stats().segments_live;
        // The cap, one for each of the two participants and of the senders.
        assert!(live <= 8 + 2 + 3, "{live} live segments");
    }
    assert_eq!(everything(&mut slow).0.len(), 10);
    flood(&bus, A, 1_000);
}

/// The ring of what was handed over once had a fixed size: full of what could not be trimmed, it
/// stopped retiring, and so every sender.
#[test]
fn g5_a_deep_backlog_that_cannot_be_trimmed_stops_no_sender() {
    let bus = bus();
    let mut deep = join(&bus, A, Policy::Backpressure, 3_000);
    let mut other = join(&bus, B, Policy::Lag, 1);
    // Some 300 segments are handed over, and every one of them is still wanted.
    for _ in 0..3_000 {
        number(bus.send(A, &[1; MAX_PAYLOAD]));
        number(bus.send(B, b"passes"));
    }
    assert_eq!(bus.send(A, b"x"), Err(SendError::Full(FullReason::Backlog)));
    assert!(numbers(&mut deep).into_iter().eq((1..=3_000).map(|n| 2 * n - 1)));
    assert_eq!(everything(&mut other).0, [6_000]);
}

/// What was given up in the middle of a backlog must not fill the ring either.
#[test]
fn g5_classes_given_up_and_wanted_again_behind_an_old_message_stop_no_sender() {
    let bus = bus();
    let mut moody = join(&bus, A | B, Policy::Backpressure, 500);
    let mut other = join(&bus, C, Policy::Lag, 1);
    // Beyond the segment where it stands, so that the message lies in the ring.
    for _ in 0..40 {
        number(bus.send(A, &[1; MAX_PAYLOAD]));
    }
    let old = number(bus.send(B, b"never received until the end"));
    for _ in 0..30 {
        for _ in 0..400 {
            number(bus.send(A, &[1; MAX_PAYLOAD]));
        }
        moody.set_mask(B).unwrap();
        moody.set_mask(A | B).unwrap();
        number(bus.send(C, b"passes"));
    }
    let new = number(bus.send(A, b"new"));
    assert_eq!(numbers(&mut moody), [old, new]);
    assert_eq!(everything(&mut other).0, [new - 1]);
}

/// Who counted a backlog beside a participant that went on meanwhile once subtracted below zero.
#[test]
fn g5_a_backlog_counted_beside_its_participant_is_never_more_than_the_depth() {
    watched(|| {
        for policy in [Policy::Backpressure, Policy::Lag] {
            let bus = bus();
            let mut participant = join(&bus, A, policy, 8);
            let handle = participant.handle();
            let done = AtomicU64::new(0);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while done.load(Ordering::SeqCst) < 2 {
                        let stats = handle.stats();
                        // Sends in progress count as wanted, two at the most.
                        assert!(stats.depth_max <= 8, "{stats:?}");
                        assert!(policy == Policy::Lag || stats.depth_now <= 8 + 2, "{stats:?}");
                    }
                });
                for _ in 0..2 {
                    scope.spawn(|| {
                        for _ in 0..rounds("SMD_COUNTS", 50_000) {
                            // Refused or not, it goes on.
                            let _ = bus.send(A, &[1; 50]);
                        }
                        done.fetch_add(1, Ordering::SeqCst);
                    });
                }
                while done.load(Ordering::SeqCst) < 2 {
                    let _ = participant.try_recv();
                }
            });
            everything(&mut participant);
            assert_eq!(handle.stats().depth_now, 0);
        }
    });
}
