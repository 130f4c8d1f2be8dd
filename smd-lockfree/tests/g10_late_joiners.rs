//! G10, state for late joiners: the last message of a retained class or key is handed to who comes
//! later, before what is live, without a gap and without a double.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{A, B, C, bus, expiring, flood, join, number, number_among_many, small, watched};
use smd_lockfree::{Class, MAX_KEY, Participant, Policy, RecvError, RetainError, SendError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Everything that awaits: number, and whether it came as state.
fn all(participant: &mut Participant) -> Vec<(u64, bool)> {
    let mut seen = Vec::new();
    // One drain takes at most as many as the depth.
    while participant.drain(|m| seen.push((m.sequence(), m.is_retained()))).unwrap() > 0 {}
    assert_eq!(participant.try_recv().unwrap_err(), RecvError::Empty);
    seen
}

#[test]
fn g10_the_last_message_of_a_retained_class_is_handed_to_a_new_participant() {
    let bus = bus();
    let state = bus.retain(A).unwrap();
    assert_eq!((state.class(), state.key()), (A, &b""[..]));
    // However it is sent: through the entry, through the bus, as one of several classes.
    number(state.send(b"old"));
    let mut early = bus.register(A).unwrap();
    number(bus.send(A, b"newer"));
    number(bus.send(A | B, b"newest"));
    let mut late = bus.register(A).unwrap();
    number(bus.send(A, b"live"));
    assert_eq!(all(&mut early), [(1, true), (2, false), (3, false), (4, false)]);
    assert_eq!(all(&mut late), [(3, true), (4, false)]);
    assert_eq!(late.since(), 4);
}

#[test]
fn g10_state_comes_as_it_was_sent() {
    let (bus, hand) = expiring();
    let state = bus.retain_key(A, b"eth0").unwrap();
    let sent = hand.now();
    let number = number(state.send(b"192.0.2.1"));
    hand.advance(Duration::from_secs(3600));
    let mut late = bus.register(A).unwrap();
    let message = late.try_recv().unwrap();
    assert_eq!(
        (message.sequence(), message.class(), message.bytes()),
        (number, A, &b"192.0.2.1"[..])
    );
    assert!(message.is_retained());
    assert!(message.timestamp().saturating_since(sent) < Duration::from_micros(1));
    assert!(message.keep().bytes() == message.bytes());
}

#[test]
fn g10_each_key_of_a_class_is_kept_and_they_come_in_order() {
    let bus = bus();
    let keys = [&b"a"[..], b"b", b"c", &[0xff; MAX_KEY]].map(|key| bus.retain_key(A, key).unwrap());
    for _ in 0..3 {
        for key in &keys {
            number(key.send(key.key()));
        }
    }
    number(keys[1].send(b"b again"));
    let mut late = bus.register(A).unwrap();
    assert_eq!(all(&mut late), [(9, true), (11, true), (12, true), (13, true)]);
    assert_eq!(bus.stats().retained, 4);
}

#[test]
fn g10_a_message_kept_for_a_class_and_a_key_is_handed_over_once() {
    let bus = bus();
    let (class, key) = (bus.retain(A).unwrap(), bus.retain_key(A, b"key").unwrap());
    number(class.send(b"the class only"));
    number(key.send(b"both"));
    let mut late = bus.register(A).unwrap();
    assert_eq!(all(&mut late), [(2, true)]);
    number(bus.send(A, b"the class"));
    let mut later = bus.register(A).unwrap();
    assert_eq!(all(&mut later), [(2, true), (3, true)]);
}

#[test]
fn g10_it_is_kept_while_nobody_listens_and_however_much_passes() {
    let bus = bus();
    let state = bus.retain(A).unwrap();
    let kept = number(state.send(b"early"));
    flood(&bus, B, 5_000);
    let mut late = join(&bus, A | B, Policy::Lag, 4);
    let message = late.try_recv().unwrap();
    assert_eq!((message.sequence(), message.bytes()), (kept, &b"early"[..]));
    let next = number(state.send(b"next"));
    flood(&bus, B, 5_000);
    let mut later = bus.register(A).unwrap();
    assert_eq!(all(&mut later), [(next, true)]);
}

#[test]
fn g10_a_participant_that_widens_its_mask_gets_the_state_it_newly_wants() {
    let bus = bus();
    let (a, b) = (bus.retain(A).unwrap(), bus.retain(B).unwrap());
    number(a.send(b"1"));
    number(b.send(b"2"));
    let mut participant = bus.register(A | C).unwrap();
    number(bus.send(C, b"3: older backlog"));
    assert_eq!(participant.set_mask(A | B | C), Ok(4));
    number(bus.send(C, b"4"));
    number(b.send(b"5"));
    // State at registration, older backlog, state at the widening, live.
    let expected = [(1, true), (3, false), (2, true), (4, false), (5, false)];
    assert_eq!(all(&mut participant), expected);
    // What it has already is not new to it.
    participant.set_mask(A | B).unwrap();
    assert_eq!(all(&mut participant), []);
}

#[test]
fn g10_state_of_a_class_that_is_given_up_before_it_came_does_not_come() {
    let bus = bus();
    let (a, b) = (bus.retain(A).unwrap(), bus.retain(B).unwrap());
    number(a.send(b"1"));
    number(b.send(b"2"));
    let mut participant = bus.register(A | B).unwrap();
    participant.set_mask(B).unwrap();
    assert_eq!(all(&mut participant), [(2, true)]);
}

#[test]
fn g10_who_asked_for_no_state_gets_none() {
    let bus = bus();
    let state = bus.retain(A).unwrap();
    number(state.send(b"1"));
    let mut plain = bus.participant().mask(B).retained(false).register().unwrap();
    plain.set_mask(A | B).unwrap();
    let mut other = bus.participant().mask(A).retained(false).register().unwrap();
    number(state.send(b"2"));
    assert_eq!(all(&mut plain), [(2, false)]);
    assert_eq!(all(&mut other), [(2, false)]);
}

#[test]
fn g10_state_counts_toward_no_backlog_and_never_overflows() {
    for policy in [Policy::Backpressure, Policy::Lag] {
        let bus = bus();
        let keys: Vec<_> = (0..50_u8).map(|n| bus.retain_key(A, &[n + 1]).unwrap()).collect();
        for key in &keys {
            number(key.send(key.key()));
        }
        let mut late = join(&bus, A, policy, 1);
        assert_eq!(late.stats().depth_now, 0);
        number(bus.send(A, b"live"));
        let seen = all(&mut late);
        assert!(seen.into_iter().eq((1..=50).map(|n| (n, true)).chain([(51, false)])));
        assert_eq!((late.stats().lagged, bus.stats().refused), (0, 0));
    }
}

#[test]
fn g10_a_clear_removes_an_entry() {
    let bus = bus();
    let (first, second) = (bus.retain_key(A, b"1").unwrap(), bus.retain_key(A, b"2").unwrap());
    number(first.send(b"1"));
    number(second.send(b"2"));
    let next = bus.sequence();
    assert!(first.clear());
    assert!(!first.clear(), "it is gone");
    assert_eq!(bus.sequence(), next, "a clear is no message");
    assert_eq!(bus.stats().retained, 1);
    let mut late = bus.register(A).unwrap();
    assert_eq!(all(&mut late), [(2, true)]);
    assert_eq!(first.send(b"3"), Err(SendError::NotRetained));
    // It can be marked again, and begins anew.
    let again = bus.retain_key(A, b"1").unwrap();
    let mut later = bus.register(A).unwrap();
    assert_eq!(all(&mut later), [(2, true)]);
    assert!(again.send(b"4").unwrap().is_queued());
}

#[test]
fn g10_marking_twice_is_one_entry() {
    let bus = bus();
    let (one, two) = (bus.retain(A).unwrap(), bus.retain(A).unwrap());
    assert_eq!(bus.stats().retained, 1);
    number(one.send(b"1"));
    number(two.send(b"2"));
    let clone = two.clone();
    drop((one, two));
    let mut late = bus.register(A).unwrap();
    assert_eq!(all(&mut late), [(2, true)], "an entry does not need its handles");
    assert!(clone.clear());
}

#[test]
fn g10_marking_keeps_what_comes_after_it() {
    let bus = bus();
    let _listener = bus.register(A).unwrap();
    number(bus.send(A, b"before it was marked"));
    let _state = bus.retain(A).unwrap();
    let mut late = bus.register(A).unwrap();
    assert_eq!(all(&mut late), []);
}

#[test]
fn g10_the_number_of_entries_is_limited() {
    let bus = small().retained_limit(2).build().unwrap();
    let one = bus.retain(A).unwrap();
    let _two = bus.retain_key(A, b"key").unwrap();
    assert_eq!(bus.retain(B).unwrap_err(), RetainError::TooMany { max: 2 });
    assert!(bus.retain(A).is_ok(), "it is there already");
    assert!(one.clear());
    assert!(bus.retain(B).is_ok());
    let default = common::bus();
    for n in 0..1024_u32 {
        default.retain_key(A, &n.to_le_bytes()).unwrap();
    }
    assert_eq!(default.retain(A).unwrap_err(), RetainError::TooMany { max: 1024 });
}

#[test]
fn g10_a_retained_message_is_live_for_who_is_there() {
    let bus = bus();
    let state = bus.retain(A).unwrap();
    let mut present = bus.register(A).unwrap();
    number(state.send(b"1"));
    assert_eq!(all(&mut present), [(1, false)]);
    // Under lag and under backpressure it is a message like any other.
    let mut slow = join(&bus, A, Policy::Backpressure, 1);
    number(state.send(b"2"));
    assert!(matches!(state.send(b"3"), Err(SendError::Full(_))));
    assert_eq!(all(&mut slow), [(1, true), (2, false)]);
}

#[test]
fn g10_state_is_settled_by_departure_and_outlives_the_close_for_who_is_there() {
    let bus = bus();
    let state = bus.retain(A).unwrap();
    number(state.send(b"1"));
    let mut participant = bus.register(A).unwrap();
    assert_eq!(bus.register(A).unwrap().leave(), 2);
    bus.close();
    assert_eq!(state.send(b"2"), Err(SendError::Closed));
    assert!(participant.try_recv().unwrap().is_retained());
    assert_eq!(participant.try_recv().unwrap_err(), RecvError::Closed);
    assert_eq!(bus.retain(B).unwrap_err(), RetainError::Closed);
}

#[test]
fn g10_registering_against_senders_leaves_no_gap_and_no_double() {
    watched(|| {
        let bus = bus();
        let keys = [b"a", b"b"].map(|key| bus.retain_key(A, key).unwrap());
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writers: Vec<_> = keys
                .iter()
                .map(|key| {
                    scope.spawn(|| {
                        for count in 0..common::rounds("SMD_RETAINED", 20_000) as u64 {
                            let mut payload = count.to_le_bytes().to_vec();
                            payload.extend(key.key());
                            number_among_many(|| key.send(&payload));
                        }
                    })
                })
                .collect();
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    joins_and_follows(&bus);
                }
            });
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            done.store(true, Ordering::SeqCst);
        });
    });
}

/// Registers, or widens its mask, and follows each key from its state on.
fn joins_and_follows(bus: &smd_lockfree::Bus) {
    let mut participant = join(bus, Class::METRICS, Policy::Lag, 1_000_000);
    let since = participant.set_mask(A).unwrap();
    let mut last: [Option<u64>; 2] = [None, None];
    let mut state_over = false;
    let mut check = |message: smd_lockfree::Message<'_>| {
        let (count, key) = message.split_at(8);
        let count = u64::from_le_bytes(count.try_into().unwrap());
        let last = &mut last[usize::from(key == b"b")];
        if message.is_retained() {
            assert!(message.sequence() < since && !state_over && last.is_none());
        } else {
            state_over = true;
            assert!(message.sequence() >= since);
            // The first live one follows the state without a gap; without state it is the first.
            assert_eq!(count, last.map_or(0, |last| last + 1), "a gap or a double");
        }
        *last = Some(count);
    };
    for _ in 0..20 {
        participant.drain(&mut check).unwrap();
    }
}

/// State that had left the window was once handed out although a newer message lay in it, and the
/// newest of a segment was not always what was kept of it.
#[test]
fn g10_state_that_a_newer_message_has_superseded_is_not_handed_out() {
    let bus = bus();
    let (class, key) = (bus.retain(A).unwrap(), bus.retain_key(B, b"key").unwrap());
    for _ in 0..3 {
        // Several in one segment, which leaves the window.
        for _ in 0..5 {
            number(class.send(b"old"));
            number(key.send(b"old"));
        }
        let left = [number(bus.send(A, b"kept")), number(key.send(b"kept"))];
        flood(&bus, C, 1_000);
        let mut late = bus.register(A | B).unwrap();
        assert_eq!(all(&mut late), left.map(|number| (number, true)));
        // And one in the window that is newer, of each entry in turn.
        let newer = number(bus.send(A | C, b"newer"));
        let mut later = bus.register(A | B).unwrap();
        assert_eq!(all(&mut later), [(left[1], true), (newer, true)]);
        let newest = number(key.send(b"newest"));
        let mut last = bus.register(B).unwrap();
        assert_eq!(all(&mut last), [(newest, true)]);
        last.set_mask(A | B).unwrap();
        assert_eq!(all(&mut last), [(newer, true)]);
    }
}

/// A message that is the state of two classes once came as often.
#[test]
fn g10_a_message_of_several_retained_classes_is_handed_over_once() {
    for passes in [0, 1_000] {
        let bus = bus();
        let _entries = [A, B].map(|class| bus.retain(class).unwrap());
        let both = number(bus.send(A | B, b"of both"));
        if passes > 0 {
            // Then it lies in both entries, and not in the window.
            flood(&bus, C, passes);
        }
        let mut late = bus.register(A | B).unwrap();
        assert_eq!(all(&mut late), [(both, true)]);
        let mut one = bus.register(B).unwrap();
        assert_eq!(all(&mut one), [(both, true)]);
        // With a newer one of one of them it is still the state of the other.
        let newer = number(bus.send(B, b"newer"));
        let mut later = bus.register(A | B).unwrap();
        assert_eq!(all(&mut later), [(both, true), (newer, true)]);
    }
}

/// State that waited to be received once survived that its class was given up, and came again when
/// the class was wanted again.
#[test]
fn g10_state_given_up_before_it_came_and_wanted_again_comes_once() {
    let bus = bus();
    let entries = [A, B, C].map(|class| bus.retain(class).unwrap());
    for entry in &entries {
        number(entry.send(b"state"));
    }
    let mut participant = bus.register(A | B | C).unwrap();
    // From here on the rest of the state lies ready.
    assert_eq!(participant.try_recv().unwrap().sequence(), 1);
    participant.set_mask(A | C).unwrap();
    participant.set_mask(A | B | C).unwrap();
    assert_eq!(all(&mut participant), [(3, true), (2, true)]);
    // Before any of it lies ready, and twice in a row.
    let mut participant = bus.register(A | B).unwrap();
    for _ in 0..2 {
        participant.set_mask(A).unwrap();
        participant.set_mask(A | B).unwrap();
    }
    assert_eq!(all(&mut participant), [(1, true), (2, true)]);
    // Given up for good, it does not come.
    let mut participant = bus.register(A | B | C).unwrap();
    assert_eq!(participant.try_recv().unwrap().sequence(), 1);
    participant.set_mask(A | C).unwrap();
    assert_eq!(all(&mut participant), [(3, true)]);
}

/// The memory that is in use after 50 have registered and received nothing while all flows past.
fn memory_of_who_receives_nothing(with_state: bool) -> u64 {
    let bus = bus();
    let state = bus.retain(A).unwrap();
    let mut registered = Vec::new();
    for _ in 0..50 {
        number(state.send(b"state"));
        let choices = bus.participant().mask(A).policy(Policy::Lag).depth(1);
        registered.push(choices.retained(with_state).register().unwrap());
        // A window of other segments for the next one.
        flood(&bus, C, 300);
    }
    let taken = bus.stats().memory_bytes;
    // The report of what it lost of the live ones stands before its state.
    assert!(matches!(registered[0].try_recv(), Err(RecvError::Lagged(_))));
    assert_eq!(registered[0].try_recv().unwrap().is_retained(), with_state);
    taken
}

/// State that was not received once held every segment that the window had at the registration.
#[test]
fn g10_state_that_nobody_receives_holds_no_segments() {
    let [with, without] = [true, false].map(memory_of_who_receives_nothing);
    // A window of at least three segments for each of the 50 would be 600 KiB.
    assert!(with <= without + 64 * 1024, "{with} bytes with state, {without} without");
}

#[test]
fn g10_state_that_was_given_up_with_its_other_class_is_handed_over() {
    let bus = bus();
    let _entry = bus.retain(A).unwrap();
    for receives in [false, true] {
        let mut part = bus.register(B).unwrap();
        let sent = number(bus.send(A | B, b"state"));
        if receives {
            assert_eq!(part.try_recv().unwrap().sequence(), sent);
        }
        part.set_mask(A).unwrap();
        let state = part.try_recv().map(|message| (message.sequence(), message.is_retained()));
        let expected = if receives { Err(RecvError::Empty) } else { Ok((sent, true)) };
        assert_eq!(state, expected, "received before: {receives}");
    }
}
