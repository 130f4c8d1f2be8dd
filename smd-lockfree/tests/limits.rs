//! Limits and bad input: each gets a typed error that names the limit, or the documented harmless
//! result; no panic, nothing lost.
//!
//! Elsewhere: use after a close in `g12_shutdown.rs`, a draft open in a panic in `g9_progress.rs`, a
//! formatter that fails in `g3_user_code.rs`, callbacks that panic in `event_loop.rs`, a forked child
//! and thread-local destructors in `odd_places.rs`.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{A, B, bus, join, number, numbers};
use smd_lockfree::{
    BuildError, Builder, Bus, Class, MAX_DEPTH, MAX_KEY, MAX_NAME, MAX_PARTICIPANTS, MAX_PAYLOAD,
    MAX_TIME_TO_LIVE, MIN_TIME_TO_LIVE, MaskError, NameError, Outgoing, Participant, PayloadError,
    Policy, RegisterError, RetainError, SendError, smd_format,
};
use std::error::Error;
use std::time::Duration;

const LONG: [u8; MAX_PAYLOAD + 1] = [1; MAX_PAYLOAD + 1];
const TOO_LONG: SendError = SendError::TooLong { len: 385, max: 384 };

/// An error that can be passed on and sent, and says in words, its cause included, what limit it is.
fn says<E: Error + Send + Sync + 'static>(error: E, words: &str) {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    assert!(text.contains(words), "{error:?} says {text:?}, which lacks {words:?}");
}

#[test]
fn a_payload_of_385_bytes() {
    for wanted in [true, false] {
        let bus = bus();
        let mut participant = bus.register(if wanted { A } else { B }).unwrap();
        let mut sender = bus.sender();
        assert_eq!(bus.send(A, &LONG), Err(TOO_LONG), "wanted: {wanted}");
        assert_eq!(sender.send(A, &LONG), Err(TOO_LONG));
        assert_eq!(sender.send_wait(A, &LONG, None), Err(TOO_LONG));
        assert_eq!(common::block_on(sender.send_async(A, &LONG)), Err(TOO_LONG));
        assert_eq!(bus.alloc(A, 385).map(drop), Err(TOO_LONG));
        assert_eq!(
            sender.alloc(A, usize::MAX).map(drop),
            Err(SendError::TooLong { len: usize::MAX, max: 384 })
        );
        assert_eq!(sender.send_batch(&[Outgoing::new(A, &LONG)]).unwrap_err().error, TOO_LONG);
        let state = bus.retain(A).unwrap();
        assert_eq!(state.send(&LONG), Err(TOO_LONG));
        assert_eq!(bus.sequence(), 1);
        assert!(numbers(&mut participant).is_empty());
    }
    says(TOO_LONG, "384");
}

#[test]
fn a_batch_with_a_bad_message_in_it_sends_only_what_stands_before() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    let batch = [
        Outgoing::new(A, b"1"),
        Outgoing::new(A, b"2"),
        Outgoing::new(A, &LONG),
        Outgoing::new(A, b"3"),
    ];
    let error = bus.sender().send_batch(&batch).unwrap_err();
    assert_eq!(error.error, TOO_LONG);
    // It may look the batch over before it begins.
    assert!(error.done == 2 || error.done == 0, "{error:?}");
    assert_eq!(error.sent.queued, error.done);
    assert_eq!(numbers(&mut participant).len(), error.done);
}

#[test]
fn a_text_or_a_value_that_does_not_fit() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    let fits = smd_format!(bus, A, "{:384}", 1);
    assert_eq!(number(fits), 1);
    // A format is not cut short. Whether it counted all the bytes before it gave up is left open.
    for width in [385, 10_000] {
        let error = smd_format!(bus, A, "{:width$}", 1).unwrap_err();
        assert!(matches!(error, SendError::TooLong { max: 384, len } if len > 384), "{error:?}");
    }
    let expected = SendError::Encode(PayloadError::TooLong { max: 384 });
    assert_eq!(bus.send_value(A, &vec![0_u8; 385]), Err(expected));
    assert_eq!(bus.send_value(A, &"x".repeat(385)), Err(expected));
    assert_eq!(bus.send_value(A, &[0_u8; 385]), Err(expected));
    says(expected, "384");
    assert_eq!(number(bus.send_value(A, &vec![0_u8; 384])), 2);
    assert_eq!(numbers(&mut participant), [1, 2]);
}

#[test]
fn a_value_that_says_it_is_longer_than_it_can_be() {
    struct Liar;
    impl smd_lockfree::Payload for Liar {
        fn encode(&self, out: &mut [u8]) -> Result<usize, PayloadError> {
            Ok(out.len() + 1)
        }
        fn decode(_: &[u8]) -> Result<Self, PayloadError> {
            Err(PayloadError::Truncated)
        }
    }
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    let error = bus.send_value(A, &Liar).unwrap_err();
    assert!(matches!(error, SendError::Encode(_) | SendError::TooLong { .. }), "{error:?}");
    assert!(numbers(&mut participant).is_empty());
}

#[test]
fn an_empty_class() {
    for listens in [true, false] {
        let bus = bus();
        let participant = listens.then(|| bus.register(Class::ALL).unwrap());
        let sender = bus.sender();
        let empty = Err(SendError::EmptyClass);
        assert_eq!(bus.send(Class::NONE, b"x"), empty, "somebody listens: {listens}");
        assert_eq!(sender.send(Class::NONE, b"x"), empty);
        assert_eq!(sender.send_wait(Class::NONE, b"x", None), empty);
        assert_eq!(smd_format!(bus, Class::NONE, "x"), empty);
        assert_eq!(bus.send_value(Class::NONE, &1_u8), empty);
        assert_eq!(bus.alloc(Class::NONE, 1).map(drop), Err(SendError::EmptyClass));
        let batch = [Outgoing::new(Class::NONE, b"x")];
        assert_eq!(sender.send_batch(&batch).unwrap_err().error, SendError::EmptyClass);
        assert_eq!(bus.sequence(), 1);
        drop(participant);
    }
    says(SendError::EmptyClass, "class");
}

#[test]
fn an_empty_mask() {
    let bus = bus();
    assert_eq!(bus.register(Class::NONE).unwrap_err(), RegisterError::EmptyMask);
    assert_eq!(bus.participant().register().unwrap_err(), RegisterError::EmptyMask);
    let mut participant = bus.register(A).unwrap();
    assert_eq!(participant.set_mask(Class::NONE), Err(MaskError::EmptyMask));
    assert_eq!((participant.mask(), bus.interest()), (A, A));
    says(RegisterError::EmptyMask, "mask");
    says(MaskError::EmptyMask, "mask");
}

#[test]
fn a_depth_of_0_or_too_large() {
    for depth in [0, MAX_DEPTH + 1, u32::MAX] {
        let error = Bus::builder().depth(depth).build().unwrap_err();
        assert_eq!(error, BuildError::Depth { depth, max: MAX_DEPTH });
        says(error, "1048576");
        let error = bus().participant().mask(A).depth(depth).register().unwrap_err();
        assert_eq!(error, RegisterError::Depth { depth, max: MAX_DEPTH });
        says(error, "1048576");
    }
    for depth in [1, MAX_DEPTH] {
        assert!(Bus::builder().depth(depth).build().is_ok());
        assert_eq!(join(&bus(), A, Policy::Lag, depth).depth(), depth);
    }
}

#[test]
fn a_name_too_long_or_with_control_characters() {
    let long = "x".repeat(MAX_NAME + 1);
    // Within the characters, over the bytes.
    let wide = "ä".repeat(16);
    for (name, expected) in [
        ("", NameError::Empty),
        (&long, NameError::TooLong { len: 32, max: 31 }),
        (&wide, NameError::TooLong { len: 32, max: 31 }),
        ("line\n", NameError::Control),
        ("\0", NameError::Control),
        ("\u{85}", NameError::Control),
    ] {
        assert_eq!(Bus::builder().name(name).build().unwrap_err(), BuildError::Name(expected));
        let registered = bus().participant().mask(A).name(name).register();
        assert_eq!(registered.unwrap_err(), RegisterError::Name(expected));
    }
    says(NameError::TooLong { len: 32, max: 31 }, "31");
    for name in ["x", &"y".repeat(MAX_NAME), "zwei Wörter"] {
        assert_eq!(Bus::builder().name(name).build().unwrap().name(), name);
        assert_eq!(bus().participant().mask(A).name(name).register().unwrap().name(), name);
    }
}

#[test]
fn more_participants_than_the_limit() {
    let bus = Bus::builder().max_participants(3).build().unwrap();
    let mut participants: Vec<Participant> = (0..3).map(|_| bus.register(A).unwrap()).collect();
    let error = bus.register(A).unwrap_err();
    assert_eq!(error, RegisterError::TooManyParticipants { max: 3 });
    says(error, "3");
    participants.pop();
    participants.push(bus.register(A).unwrap());
    assert!(bus.register(A).is_err());
    // A place is free as soon as a handle says so, whoever holds the participant.
    assert!(participants[0].handle().leave().is_some());
    assert!(bus.register(A).is_ok());
    for given in [0, MAX_PARTICIPANTS + 1] {
        let error = Bus::builder().max_participants(given).build().unwrap_err();
        assert_eq!(error, BuildError::MaxParticipants { given, max: MAX_PARTICIPANTS });
    }
    assert!(Bus::builder().max_participants(MAX_PARTICIPANTS).build().is_ok());
}

#[test]
fn a_time_to_live_of_0_or_of_years() {
    let day = Duration::from_secs(24 * 60 * 60);
    for given in [Duration::ZERO, Duration::from_nanos(999_999), day * 2, Duration::MAX] {
        let error = Bus::builder().time_to_live(Some(given)).build().unwrap_err();
        let (min, max) = (MIN_TIME_TO_LIVE, MAX_TIME_TO_LIVE);
        assert_eq!(error, BuildError::TimeToLive { given, min, max });
    }
    for fine in [None, Some(Duration::from_millis(1)), Some(day)] {
        assert!(Bus::builder().time_to_live(fine).build().is_ok(), "{fine:?}");
    }
}

#[test]
fn segments_out_of_range() {
    let fails = |builder: Builder| builder.build().unwrap_err();
    for bytes in [0, 4095, 64 * 1024 + 1, usize::MAX] {
        let error = fails(Bus::builder().segment_bytes(bytes));
        assert!(matches!(error, BuildError::SegmentBytes { given, .. } if given == bytes));
    }
    for bytes in [4096, 8192, 64 * 1024] {
        let bus = Bus::builder().segment_bytes(bytes).build().unwrap();
        let mut participant = bus.register(A).unwrap();
        for _ in 0..1_000 {
            number(bus.send(A, &LONG[..384]));
            assert!(participant.try_recv().is_ok());
        }
    }
    for segments in [0, 1, 7] {
        let error = fails(Bus::builder().max_segments(segments));
        assert!(matches!(error, BuildError::MaxSegments { given, .. } if given == segments));
    }
    assert!(Bus::builder().max_segments(8).prewarm(8).build().is_ok());
    let error = fails(Bus::builder().max_segments(8).prewarm(usize::MAX));
    assert!(matches!(error, BuildError::Prewarm { .. }), "{error:?}");
    let error = fails(Bus::builder().retained_limit(usize::MAX));
    assert!(matches!(error, BuildError::RetainedLimit { .. }), "{error:?}");
}

#[test]
fn a_key_or_a_class_that_cannot_be_retained() {
    let bus = bus();
    for len in [0, MAX_KEY + 1, 1000] {
        let error = bus.retain_key(A, &vec![b'k'; len]).unwrap_err();
        assert_eq!(error, RetainError::Key { len, max: MAX_KEY });
        says(error, "32");
    }
    assert!(bus.retain_key(A, &[0; MAX_KEY]).is_ok(), "a key is bytes, not text");
    assert_eq!(bus.retain(Class::NONE).unwrap_err(), RetainError::EmptyClass);
    assert_eq!(bus.retain_key(Class::NONE, b"k").unwrap_err(), RetainError::EmptyClass);
    assert_eq!(bus.retain(A | B).unwrap_err(), RetainError::NotOneClass { class: A | B });
    assert!(bus.retain_key(Class::ALL, b"k").is_err());
    assert_eq!(bus.stats().retained, 1);
}

#[test]
fn no_limit_at_all_entries_without_room() {
    // Nothing may be retained, which is no reason not to build a bus.
    let bus = Bus::builder().retained_limit(0).build().unwrap();
    assert_eq!(bus.retain(A).unwrap_err(), RetainError::TooMany { max: 0 });
}

#[test]
fn a_time_out_or_a_count_of_0_and_of_the_most() {
    let bus = bus();
    let mut participant = bus.register(A).unwrap();
    number(bus.send(A, b"1"));
    assert_eq!(participant.drain_up_to(0, |_| panic!("none was asked for")), Ok(0));
    assert_eq!(participant.drain_up_to(usize::MAX, |_| {}), Ok(1));
    let sender = bus.sender();
    number(sender.send_wait(A, b"2", Some(Duration::MAX)));
    assert_eq!(participant.recv_timeout(Duration::MAX).unwrap().sequence(), 2);
}

#[test]
fn a_clock_at_the_end_of_its_nanoseconds_stops_nobody() {
    let (clock, hand) = smd_lockfree::Clock::manual();
    hand.set(smd_lockfree::Timestamp::from_nanos(u64::MAX));
    let bus = Bus::builder().clock(clock).segment_bytes(4096).build().unwrap();
    let mut part = bus.register(Class::ALL).unwrap();
    let mut last = 0;
    for _ in 0..500 {
        assert!(bus.send(Class::METRICS, &[0; 64]).unwrap().is_queued());
        let time = part.try_recv().unwrap().timestamp().nanos();
        assert!(time >= last, "the time fell");
        last = time;
    }
}
