//! No wake-up is lost (G11): two participants hand a message to each other, each asleep until the
//! other one has sent, in every waiting form. A lost wake-up hangs, and the watchdog fails.
//!
//! `SMD_HANDOFFS` sets how many hand-offs each form makes; each test says how many it made and how
//! long they took, which `scripts/handoffs.py` makes a report of.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{A, B, block_on, bus, join, number_among_many, watched};
use smd_lockfree::{Class, Message, Participant, Policy, RecvError, Sender};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One at a time: two that spin at once would wait for the scheduler more than for each other.
static TURN: Mutex<()> = Mutex::new(());

/// What a form makes of each message it receives.
type Reply<'a> = &'a mut dyn FnMut(&Message<'_>) -> bool;

/// Receives until the reply says that it was the last, or the bus is closed.
type Form = fn(Participant, Reply<'_>);

fn handoffs() -> u64 {
    let given = std::env::var("SMD_HANDOFFS").ok().and_then(|count| count.parse().ok());
    given.unwrap_or(100_000)
}

/// Runs the body with a watchdog, and says how many hand-offs it made.
fn timed(count: u64, body: impl FnOnce() + Send + 'static) {
    let start = Instant::now();
    watched(body);
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    println!("handoffs {test}: {count} in {:.3} s", start.elapsed().as_secs_f64());
}

fn again(result: Result<Message<'_>, RecvError>, reply: Reply<'_>) -> bool {
    match result {
        Ok(message) => reply(&message),
        Err(RecvError::Closed) => false,
        Err(other) => panic!("{other:?}"),
    }
}

/// One side: replies with the next number until the count is reached.
fn side(sender: &Sender, to: Class, count: u64) -> impl FnMut(&Message<'_>) -> bool {
    move |message| {
        let ball = message.decode::<u64>().unwrap();
        if ball < count {
            number_among_many(|| sender.send_value(to, &(ball + 1)));
        }
        // The last two balls end one side each.
        ball + 2 <= count
    }
}

/// Hands a ball to and fro, each side in its own form.
fn ping_pong(forms: [Form; 2]) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let count = handoffs();
    timed(count, move || {
        let bus = bus();
        let (left, right) =
            (join(&bus, A, Policy::Backpressure, 4), join(&bus, B, Policy::Backpressure, 4));
        let bus = &bus;
        std::thread::scope(|scope| {
            let sides = [(left, B, forms[0]), (right, A, forms[1])].map(|(own, to, form)| {
                scope.spawn(move || {
                    let sender = bus.sender();
                    let mut received = 0;
                    let mut reply = side(&sender, to, count);
                    form(own, &mut |message| {
                        received += 1;
                        reply(message)
                    });
                    received
                })
            });
            number_among_many(|| bus.send_value(A, &1_u64));
            let received: u64 = sides.into_iter().map(|side| side.join().unwrap()).sum();
            assert_eq!(received, count, "each ball was received once");
        });
        assert_eq!(bus.sequence(), count + 1);
    });
}

fn blocking(mut participant: Participant, reply: Reply<'_>) {
    while again(participant.recv_blocking(), reply) {}
}

fn timeout(mut participant: Participant, reply: Reply<'_>) {
    // Longer than the watchdog waits: no time-out stands in for a wake-up.
    while again(participant.recv_timeout(Duration::from_secs(1_000)), reply) {}
}

fn spinning(mut participant: Participant, reply: Reply<'_>) {
    while again(participant.recv_spinning(), reply) {}
}

fn asynchronous(mut participant: Participant, reply: Reply<'_>) {
    while again(block_on(participant.recv()), reply) {}
}

#[cfg(unix)]
fn descriptor(participant: Participant, reply: Reply<'_>) {
    use rustix::event::{PollFd, PollFlags, poll};
    let mut descriptor = participant.into_descriptor().unwrap();
    loop {
        match descriptor.try_recv() {
            Err(RecvError::Empty) => {
                poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], None).unwrap();
            }
            other => {
                if !again(other, reply) {
                    return;
                }
            }
        }
    }
}

#[test]
fn no_wake_up_is_lost_blocking() {
    ping_pong([blocking, blocking]);
}

#[test]
fn no_wake_up_is_lost_with_a_time_out() {
    ping_pong([timeout, timeout]);
}

#[test]
fn no_wake_up_is_lost_spinning() {
    ping_pong([spinning, spinning]);
}

#[test]
fn no_wake_up_is_lost_in_a_future() {
    ping_pong([asynchronous, asynchronous]);
}

#[cfg(unix)]
#[test]
fn no_wake_up_is_lost_at_a_descriptor() {
    ping_pong([descriptor, descriptor]);
}

#[test]
fn no_wake_up_is_lost_between_forms() {
    ping_pong([blocking, asynchronous]);
}

/// Many senders, one sleeper: each burst must reach it to the last message.
#[test]
fn no_wake_up_is_lost_among_several_senders() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let each = handoffs() / 10;
    timed(3 * each, move || {
        let bus = bus();
        let mut participant = join(&bus, A, Policy::Backpressure, 3);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let sender = bus.sender();
                    for _ in 0..each {
                        // Room has its own wake-ups, and those may not be lost either.
                        assert!(sender.send_wait(A, b"x", None).unwrap().is_queued());
                    }
                });
            }
            for expected in 1..=3 * each {
                assert_eq!(participant.recv_blocking().unwrap().sequence(), expected);
            }
        });
    });
}
