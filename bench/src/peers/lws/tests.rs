//! The original between two threads, in all its modes: nothing lost, in order, the right bytes and stamps.

use std::thread;
use std::time::{Duration, Instant};

use smd_lockfree::Clock;

use super::*;
use crate::payload::{Tally, first_of};
use crate::peers::{BURST, CAPACITY};

const PATIENCE: Duration = Duration::from_secs(20);

fn setup(clock: &Clock, senders: usize) -> Setup<'_> {
    Setup { clock, senders, receivers: 1, capacity: CAPACITY, stamped: true }
}

fn open(clock: &Clock, senders: usize) -> (Vec<Sender>, Receiver) {
    let (senders, mut receivers) = LwsSmd::open(&setup(clock, senders)).expect("a context");
    (senders, receivers.remove(0))
}

fn absorb(tally: &mut Tally) -> impl FnMut(&Seen<'_>) {
    |seen: &Seen<'_>| {
        assert_ne!(seen.stamp, 0);
        tally.absorb(seen.payload);
    }
}

/// Each of the senders sends so many messages, as `send` does it, while one thread receives.
fn stream(
    senders: usize,
    each: u64,
    send: impl Fn(&mut Sender, u64, usize) -> usize + Sync,
    receive: fn(&mut Receiver, &mut Tally) -> usize,
) {
    let clock = Clock::real();
    let deadline = Instant::now() + PATIENCE;
    let (senders, mut receiver) = open(&clock, senders);
    let total = vec![each; senders.len()];
    let send = &send;
    thread::scope(|scope| {
        for (mut sender, source) in senders.into_iter().zip(0..) {
            scope.spawn(move || {
                let mut sent = 0;
                while sent < each && Instant::now() < deadline {
                    let count = BURST.min((each - sent) as usize);
                    match send(&mut sender, first_of(source) + sent, count) as u64 {
                        0 => thread::yield_now(),
                        accepted => sent += accepted,
                    }
                }
            });
        }
        let mut tally = Tally::default();
        while tally.count() < total.iter().sum() && Instant::now() < deadline {
            if receive(&mut receiver, &mut tally) == 0 {
                thread::yield_now();
            }
        }
        assert_eq!(tally.check_all(&total), Ok(()));
    });
}

fn poll(receiver: &mut Receiver, tally: &mut Tally) -> usize {
    LwsSmd::drain(receiver, &mut absorb(tally))
}

fn in_poll(receiver: &mut Receiver, tally: &mut Tally) -> usize {
    LwsSmdInPoll::drain(receiver, &mut absorb(tally))
}

fn sleep(receiver: &mut Receiver, tally: &mut Tally) -> usize {
    LwsSmd::receive_blocking(receiver, &mut absorb(tally))
}

#[test]
fn nothing_is_lost_between_threads() {
    stream(1, 10_000, LwsSmd::send, poll);
    stream(1, 10_000, LwsSmd::send_batch, poll);
    stream(3, 3_000, LwsSmd::send, poll);
    stream(1, 3_000, LwsSmdInPoll::send, in_poll);
}

#[test]
fn a_sleeper_wakes_for_every_message() {
    let one = |sender: &mut Sender, n: u64, _: usize| {
        LwsSmd::send_blocking(sender, n);
        if n.is_multiple_of(100) {
            // Long enough for the receiver to fall asleep.
            thread::sleep(Duration::from_millis(1));
        }
        1
    };
    stream(1, 2_000, one, sleep);
    stream(2, 1_000, LwsSmd::send_batch, sleep);
}

#[test]
fn a_full_queue_refuses_until_the_loop_went_round() {
    let clock = Clock::real();
    let (mut senders, mut receiver) = open(&clock, 1);
    let mut tally = Tally::default();
    let mut sent = 0;
    for send in [LwsSmd::send, LwsSmd::send_batch] {
        let accepted = send(&mut senders[0], sent, BURST) as u64;
        assert_eq!(accepted, LwsSmd::DEPTH);
        sent += accepted;
        assert_eq!(send(&mut senders[0], sent, 1), 0);
        assert_eq!(poll(&mut receiver, &mut tally), accepted as usize);
        assert_eq!(poll(&mut receiver, &mut tally), 0);
        assert_eq!(tally.check(sent), Ok(()));
    }
}

#[test]
fn each_message_has_its_stamp_and_a_batch_has_one() {
    let (clock, hand) = Clock::manual();
    let (mut senders, mut receiver) = open(&clock, 1);
    let mut seen = Vec::new();
    let start = clock.now().nanos();
    assert_eq!(LwsSmd::send_batch(&mut senders[0], 0, 2), 2);
    hand.advance(Duration::from_nanos(7));
    assert_eq!(LwsSmd::send(&mut senders[0], 2, 1), 1);
    LwsSmd::drain(&mut receiver, &mut |message: &Seen<'_>| seen.push(message.stamp));
    assert_eq!(seen, [start, start, start + 7]);
}

#[test]
fn it_takes_one_receiver() {
    let clock = Clock::real();
    let two = Setup { receivers: 2, ..setup(&clock, 1) };
    assert!(LwsSmd::open(&two).is_err_and(|error| error.contains("one loop")));
}
