//! G8, payload lifetime: a message borrows the bus's memory, what is kept outlives everything.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{A, B, bus, flood, join, number, small};
use smd_lockfree::{Class, Kept, OwnedMessage, Policy};

fn pattern(seed: u32) -> Vec<u8> {
    (0..100_u32).map(|n| (n * 31 + seed * 7) as u8).collect()
}

#[test]
fn g8_a_received_message_is_not_copied() {
    let bus = bus();
    let mut participants = [bus.register(A).unwrap(), bus.register(A).unwrap()];
    number(bus.send(A, b"one place in memory"));
    let [first, second] = &mut participants;
    let (one, two) = (first.try_recv().unwrap(), second.try_recv().unwrap());
    assert_eq!(one.bytes().as_ptr(), two.bytes().as_ptr());
    assert_eq!(one.keep().bytes().as_ptr(), one.bytes().as_ptr());
    assert_ne!(one.to_owned_message().bytes().as_ptr(), one.bytes().as_ptr());
}

#[test]
fn g8_a_borrow_holds_while_the_bus_goes_on() {
    let bus = bus();
    let mut participant = join(&bus, A, Policy::Lag, 10);
    number(bus.send(A, &pattern(1)));
    let message = participant.try_recv().unwrap();
    // Many times around all the memory that the bus may use.
    flood(&bus, B, 5_000);
    flood(&bus, A, 5_000);
    assert_eq!(message.bytes(), pattern(1));
    assert_eq!((message.sequence(), message.class()), (1, A));
}

#[test]
fn g8_what_is_kept_outlives_the_participant_and_the_bus() {
    let bus = bus();
    let mut participant = join(&bus, Class::ALL, Policy::Lag, 1_000);
    let mut kept: Vec<Kept> = Vec::new();
    let mut owned: Vec<OwnedMessage> = Vec::new();
    for seed in 0..200 {
        number(bus.send(A, &pattern(seed)));
        let message = participant.try_recv().unwrap();
        kept.push(message.keep());
        owned.push(message.to_owned_message());
    }
    let check = |what: &str| {
        for (seed, (kept, owned)) in kept.iter().zip(&owned).enumerate() {
            assert_eq!(kept.bytes(), pattern(seed as u32), "{what}");
            assert_eq!(owned.bytes(), kept.bytes(), "{what}");
            assert_eq!((kept.sequence(), kept.class()), (seed as u64 + 1, A), "{what}");
            assert_eq!(owned.timestamp(), kept.timestamp(), "{what}");
            assert_eq!(kept[..], owned[..]);
        }
    };
    flood(&bus, A, 3_000);
    check("after many others");
    drop(participant);
    check("after the participant");
    drop(bus);
    check("after the bus");
}

#[test]
fn g8_kept_messages_do_not_stop_the_bus() {
    let bus = small().max_segments(8).build().unwrap();
    let mut participant = join(&bus, A, Policy::Lag, 4);
    let mut kept = Vec::new();
    // One of each segment, for far more segments than may be live.
    for round in 0..100 {
        let seen = number(bus.send(A, &pattern(round)));
        let message = loop {
            match participant.try_recv() {
                Ok(message) if message.sequence() == seen => break message,
                _ => {}
            }
        };
        kept.push(message.keep());
        drop(message);
        flood(&bus, B, 60);
    }
    for (round, kept) in kept.iter().enumerate() {
        assert_eq!(kept.bytes(), pattern(round as u32));
    }
}

#[test]
fn g8_what_is_kept_can_be_sent_to_another_thread_and_cloned() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    number(bus.send(A, b"across"));
    let kept = participant.try_recv().unwrap().keep();
    let clone = kept.clone();
    drop(kept);
    let thread = std::thread::spawn(move || clone.text().unwrap().to_owned());
    drop((participant, bus));
    assert_eq!(thread.join().unwrap(), "across");
}

#[test]
fn g8_one_message_kept_by_many_threads_is_freed_by_the_last() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    number(bus.send(A, &pattern(9)));
    let kept = participant.try_recv().unwrap().keep();
    drop((participant, bus));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let kept = kept.clone();
            scope.spawn(move || {
                for _ in 0..1_000 {
                    let another = kept.clone();
                    assert_eq!(another.bytes(), pattern(9));
                }
            });
        }
        drop(kept);
    });
}

#[test]
fn g8_keeping_gives_back_its_segment_when_dropped() {
    let bus = bus();
    let mut participant = join(&bus, A, Policy::Lag, 4);
    flood(&bus, B, 2_000);
    let before = bus.stats().memory_bytes;
    let mut kept = Vec::new();
    for _ in 0..50 {
        number(bus.send(A, b"keep"));
        kept.push(participant.try_recv().unwrap().keep());
        flood(&bus, B, 60);
    }
    let held = bus.stats().memory_bytes;
    assert!(held >= before + 40 * 4096, "{before} {held}: nothing seems to be held");
    kept.clear();
    flood(&bus, B, 2_000);
    bus.trim();
    let after = bus.stats().memory_bytes;
    assert!(after < before + 10 * 4096, "{before} {held} {after}");
}

#[test]
fn g8_a_message_reads_as_bytes_as_text_and_as_a_value() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    number(bus.send_value(A, &0x0102_u16));
    {
        let message = participant.try_recv().unwrap();
        assert_eq!(message.bytes(), [2, 1], "little endian");
        assert_eq!(message.decode::<u16>(), Ok(0x0102));
        assert_eq!(message.keep().decode::<u16>(), Ok(0x0102));
        assert!(message.decode::<u64>().is_err());
        assert_eq!(message.iter().map(|byte| u32::from(*byte)).sum::<u32>(), 3);
    }
    number(bus.send(A, b"\xff"));
    assert!(participant.try_recv().unwrap().text().is_err());
    number(smd_lockfree::smd_format!(bus, A, "{}-{}", 1, "ä"));
    assert_eq!(participant.try_recv().unwrap().text(), Ok("1-ä"));
}
