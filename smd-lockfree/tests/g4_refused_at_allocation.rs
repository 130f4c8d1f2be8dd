//! G4, refused at allocation: what nobody wants is not allocated, not formatted, takes no number,
//! and is no error; and senders can be told what is wanted.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::counting::{Counting, allocations, count_this_thread};
use common::{A, B, C, bus, join, number, numbers, watched};
use smd_lockfree::{Bus, Class, Outgoing, Payload, PayloadError, Policy, Sent, smd_format};
use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, Mutex};

#[global_allocator]
static COUNTING: Counting = Counting;

/// Counts how often it is formatted or encoded.
#[derive(Default)]
struct Watched(Cell<u32>);

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.set(self.0.get() + 1);
        f.write_str("text")
    }
}

impl Payload for Watched {
    fn encode(&self, out: &mut [u8]) -> Result<usize, PayloadError> {
        self.0.set(self.0.get() + 1);
        b"value".encode(out)
    }

    fn decode(_: &[u8]) -> Result<Self, PayloadError> {
        Ok(Watched::default())
    }
}

/// Everything that can be sent, while nobody wants it.
fn nobody_wants(bus: &Bus, class: Class) {
    let sender = bus.sender();
    let next = bus.sequence();
    assert_eq!(bus.send(class, b"x"), Ok(Sent::Unwanted));
    assert_eq!(sender.send(class, b"x"), Ok(Sent::Unwanted));
    assert!(bus.alloc(class, 10).unwrap().is_none());
    assert!(sender.alloc(class, 10).unwrap().is_none());
    assert_eq!(sender.send_wait(class, b"x", None), Ok(Sent::Unwanted));
    let watched = Watched::default();
    assert_eq!(smd_format!(bus, class, "{watched}"), Ok(Sent::Unwanted));
    assert_eq!(smd_format!(sender, class, "{watched}"), Ok(Sent::Unwanted));
    assert_eq!(bus.send_value(class, &watched), Ok(Sent::Unwanted));
    assert_eq!(sender.send_value(class, &watched), Ok(Sent::Unwanted));
    assert_eq!(watched.0.get(), 0, "it was formatted for nobody");
    let batch = sender.send_batch(&[Outgoing::new(class, b"x"); 3]).unwrap();
    assert_eq!((batch.queued, batch.unwanted, batch.first, batch.last), (0, 3, None, None));
    assert!(!bus.wants(class) && !sender.wants(class));
    assert_eq!(bus.sequence(), next, "what nobody wants has no place in the order");
    assert_eq!(sender.stats().sent, 0);
}

#[test]
fn g4_refused_at_allocation_when_nobody_listens() {
    nobody_wants(&bus(), A);
}

#[test]
fn g4_refused_at_allocation_when_everybody_wants_something_else() {
    let bus = bus();
    let _others = [bus.register(!A).unwrap(), bus.register(B).unwrap()];
    nobody_wants(&bus, A);
    assert!(bus.send(A | B, b"one of two").unwrap().is_queued());
}

#[test]
fn g4_refused_again_when_the_last_listener_leaves() {
    let bus = bus();
    let (first, second) = (bus.register(A).unwrap(), bus.register(A).unwrap());
    assert!(bus.send(A, b"x").unwrap().is_queued());
    first.leave();
    assert!(bus.send(A, b"x").unwrap().is_queued());
    let handle = second.handle();
    drop(second);
    assert!(!handle.is_registered());
    nobody_wants(&bus, A);
    // And wanted again when somebody comes.
    let mut third = bus.register(A).unwrap();
    let sent = number(bus.send(A, b"x"));
    assert_eq!(numbers(&mut third), [sent]);
    assert!(third.handle().leave().is_some());
    nobody_wants(&bus, A);
}

#[test]
fn g4_refused_again_when_the_last_listener_narrows_its_mask() {
    let bus = bus();
    let mut participant = bus.register(A | B).unwrap();
    participant.set_mask(B).unwrap();
    nobody_wants(&bus, A);
    participant.set_mask(A).unwrap();
    nobody_wants(&bus, B);
    assert!(bus.send(A, b"x").unwrap().is_queued());
}

#[test]
fn g4_refusing_allocates_nothing() {
    let bus = bus();
    let _other = bus.register(B).unwrap();
    let sender = bus.sender();
    let watched = Watched::default();
    let all = || {
        for _ in 0..100 {
            assert_eq!(bus.send(A, &[1; 384]), Ok(Sent::Unwanted));
            assert_eq!(sender.send(A, &[1; 384]), Ok(Sent::Unwanted));
            assert!(sender.alloc(A, 384).unwrap().is_none());
            assert!(bus.alloc(A, 384).unwrap().is_none());
            assert_eq!(smd_format!(sender, A, "{watched} {:200}", 1), Ok(Sent::Unwanted));
            assert_eq!(sender.send_value(A, &watched), Ok(Sent::Unwanted));
        }
    };
    all();
    count_this_thread(true);
    let before = allocations();
    all();
    assert_eq!(allocations() - before, 0);
    count_this_thread(false);
    // Both calls of `all` were counted; whether an allocation is a send is a matter of taste.
    assert!((2 * 4 * 100..=2 * 6 * 100).contains(&bus.stats().unwanted));
}

#[test]
fn g4_a_refused_send_is_counted_and_no_error() {
    let bus = bus();
    let sender = bus.sender();
    for _ in 0..3 {
        assert_eq!(sender.send(A, b"x"), Ok(Sent::Unwanted));
    }
    assert_eq!((sender.stats().unwanted, sender.stats().refused), (3, 0));
    assert_eq!((bus.stats().unwanted, bus.stats().sent, bus.stats().refused), (3, 0, 0));
}

#[test]
fn g4_a_retained_class_counts_as_wanted_by_the_bus() {
    let bus = bus();
    let state = bus.retain(A).unwrap();
    assert!(bus.wants(A));
    assert!(bus.send(A, b"kept").unwrap().is_queued());
    assert!(bus.alloc(A, 1).unwrap().is_some());
    assert!(state.clear());
    nobody_wants(&bus, A);
}

#[test]
fn g4_interest_is_the_union_of_all_masks_and_shrinks() {
    let bus = bus();
    assert_eq!(bus.interest(), Class::NONE);
    let mut first = bus.register(A | B).unwrap();
    let second = bus.register(B | C).unwrap();
    assert_eq!(bus.interest(), A | B | C);
    assert_eq!(bus.sender().interest(), A | B | C);
    assert!(bus.wants(A) && bus.wants(C) && !bus.wants(Class::METRICS));
    assert!(bus.wants(Class::METRICS | C), "any of the classes will do");
    second.leave();
    assert_eq!(bus.interest(), A | B);
    first.set_mask(C).unwrap();
    assert_eq!(bus.interest(), C);
    drop(first);
    assert_eq!(bus.interest(), Class::NONE);
}

#[test]
fn g4_an_observer_is_told_of_each_change_and_of_nothing_else() {
    let bus = bus();
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let observer = bus.observe_interest(move |interest| log.lock().unwrap().push(interest));
    let first = bus.register(A).unwrap();
    let mut same = bus.register(A).unwrap();
    same.set_mask(A | B).unwrap();
    number(bus.send(A, b"x"));
    first.leave();
    same.set_mask(B).unwrap();
    drop(same);
    assert_eq!(*told.lock().unwrap(), [A, A | B, B, Class::NONE]);
    drop(observer);
    let _late = bus.register(C).unwrap();
    assert_eq!(told.lock().unwrap().len(), 4, "it was dropped");
}

#[test]
fn g4_what_an_observer_was_told_last_is_how_it_is_whatever_the_threads_did() {
    watched(|| {
        let bus = bus();
        let last = Arc::new(Mutex::new(Class::NONE));
        let log = Arc::clone(&last);
        let _observer = bus.observe_interest(move |interest| *log.lock().unwrap() = interest);
        for _ in 0..20 {
            std::thread::scope(|scope| {
                for class in [A, B, C] {
                    let bus = &bus;
                    scope.spawn(move || {
                        for _ in 0..20 {
                            let mut p = join(bus, class, Policy::Lag, 1);
                            p.set_mask(class | Class::METRICS).unwrap();
                        }
                    });
                }
            });
            assert_eq!(bus.interest(), Class::NONE);
            assert_eq!(*last.lock().unwrap(), Class::NONE);
        }
    });
}

/// What a bridge wants is wanted somewhere else: senders send, and the other side is not told.
#[test]
fn g4_two_bridges_do_not_keep_each_others_interest_alive() {
    let bus = bus();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let observer = bus.observe_local_interest(move |local| tell.lock().unwrap().push(local));
    let bridge = |mask| bus.participant().mask(mask).bridge(true).register().unwrap();
    let mut one = bridge(A);
    let two = bridge(A | B);
    assert_eq!((bus.interest(), bus.local_interest()), (A | B, Class::NONE));
    assert!(bus.send(A, b"wanted elsewhere").unwrap().is_queued());
    let own = join(&bus, A | C, Policy::Backpressure, 8);
    assert_eq!((bus.interest(), bus.local_interest()), (A | B | C, A | C));
    one.set_mask(C).unwrap();
    drop(two);
    assert_eq!((bus.interest(), bus.local_interest()), (A | C, A | C));
    let state = bus.retain(B).unwrap();
    assert_eq!(bus.local_interest(), A | B | C, "the bus itself wants it");
    drop(own);
    assert!(state.clear());
    assert_eq!((bus.interest(), bus.local_interest()), (C, Class::NONE));
    assert_eq!(*told.lock().unwrap(), [A | C, A | B | C, B, Class::NONE]);
    drop(observer);
}
