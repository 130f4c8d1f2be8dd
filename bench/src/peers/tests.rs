//! Every peer, in every mode that it has: nothing lost, in order, the right bytes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::payload::{Tally, first_of};

const SMALL: u32 = 64;
const PATIENCE: Duration = Duration::from_secs(20);

/// Calls `$test::<P>` for every peer that has a trait, one line each, so that a failure names its peer.
macro_rules! for_batches {
    ($test:ident) => {
        $test::<Smd>();
        $test::<Multiqueue2>();
        $test::<Multiqueue2<Shared>>();
        $test::<DisruptorSp>();
        $test::<DisruptorSp<Shared>>();
        $test::<DisruptorMp>();
        $test::<DisruptorMp<Shared>>();
        $test::<Tokio<true>>();
        $test::<Tokio<true, Shared>>();
        $test::<AsyncBroadcast>();
        $test::<OneBus>();
        $test::<CrossbeamChannels>();
        $test::<ArrayQueues>();
        $test::<SegQueues>();
        $test::<KanalChannels>();
        $test::<OwnRing>();
        $test::<OwnSlots>();
        #[cfg(feature = "iceoryx2")]
        $test::<Iceoryx2>();
    };
}

macro_rules! for_blocks {
    ($test:ident) => {
        $test::<Smd>();
        $test::<Multiqueue2Asleep>();
        $test::<Tokio<true>>();
        $test::<AsyncBroadcast>();
        $test::<OneBus>();
        $test::<CrossbeamChannels>();
        $test::<KanalChannels>();
    };
}

type Send<P> = fn(&mut <P as Peer>::Sender, u64, usize) -> usize;

fn open<P: Peer>(
    clock: &Clock,
    senders: usize,
    receivers: usize,
    stamped: bool,
) -> (Vec<P::Sender>, Vec<P::Receiver>) {
    let setup = Setup { clock, senders, receivers, capacity: SMALL, stamped };
    P::open(&setup).unwrap_or_else(|error| panic!("{}: {error}", P::NAME))
}

fn drain<P: Peer>(receiver: &mut P::Receiver, tally: &mut Tally) -> usize {
    P::drain(receiver, &mut |seen: &Seen<'_>| {
        assert_ne!(seen.stamp, 0, "{}", P::NAME);
        tally.absorb(seen.payload);
    })
}

fn delivers_by<P: Peer>(send: Send<P>, receivers: usize) {
    let clock = Clock::real();
    let (mut senders, mut receivers) = open::<P>(&clock, 1, receivers, true);
    let mut tallies = vec![Tally::default(); receivers.len()];
    let mut sent = 0;
    for _ in 0..10 {
        assert_eq!(send(&mut senders[0], sent, BURST), BURST, "{}", P::NAME);
        sent += BURST as u64;
        for (receiver, tally) in receivers.iter_mut().zip(&mut tallies) {
            while drain::<P>(receiver, tally) > 0 {}
        }
    }
    for tally in &tallies {
        assert_eq!(tally.check(sent), Ok(()), "{}", P::NAME);
    }
}

fn delivers<P: Batches>() {
    for receivers in [1, 3] {
        delivers_by::<P>(P::send, receivers);
        delivers_by::<P>(P::send_batch, receivers);
    }
}

/// With one fast and one slow receiver: the slow one stops the sender, and misses nothing.
fn refuses_by<P: Peer>(send: Send<P>) {
    let clock = Clock::real();
    let (mut senders, mut receivers) = open::<P>(&clock, 1, 2, true);
    let mut tallies = [Tally::default(), Tally::default()];
    let mut sent = 0;
    // It looks once in so many messages.
    let slack = if P::NAME == SegQueues::NAME { BURST as u64 } else { 0 };
    for _ in 0..3 {
        let full_at = sent + u64::from(SMALL) + slack;
        while sent < 10_000 {
            let accepted = send(&mut senders[0], sent, BURST);
            sent += accepted as u64;
            while drain::<P>(&mut receivers[0], &mut tallies[0]) > 0 {}
            if accepted < BURST {
                break;
            }
        }
        assert!(sent <= full_at, "{} took {sent} messages with room until {full_at}", P::NAME);
        assert!(sent + u64::from(SMALL) / 2 >= full_at, "{} is full at {sent}", P::NAME);
        // The fast one may have got the message that the slow one refused.
        while drain::<P>(&mut receivers[1], &mut tallies[1]) > 0 {}
        sent += send(&mut senders[0], sent, 1) as u64;
        for (receiver, tally) in receivers.iter_mut().zip(&mut tallies) {
            while drain::<P>(receiver, tally) > 0 {}
            assert_eq!(tally.check(sent), Ok(()), "{}", P::NAME);
        }
    }
}

fn refuses_when_full<P: Batches>() {
    refuses_by::<P>(P::send);
    refuses_by::<P>(P::send_batch);
}

fn several_senders_by<P: Peer>(send: Send<P>, receivers: usize) {
    const EACH: u64 = 1_000;
    let clock = Clock::real();
    let senders = if P::SEVERAL_SENDERS { 4 } else { 1 };
    let (senders, receivers) = open::<P>(&clock, senders, receivers, true);
    let total = vec![EACH; senders.len()];
    let deadline = Instant::now() + PATIENCE;
    thread::scope(|scope| {
        for (mut sender, source) in senders.into_iter().zip(0..) {
            scope.spawn(move || {
                let mut sent = 0;
                while sent < EACH && Instant::now() < deadline {
                    let count = BURST.min((EACH - sent) as usize);
                    let accepted = send(&mut sender, first_of(source) + sent, count);
                    sent += accepted as u64;
                    if accepted == 0 {
                        thread::yield_now();
                    }
                }
            });
        }
        let total = &total;
        for mut receiver in receivers {
            scope.spawn(move || {
                let mut tally = Tally::default();
                while tally.count() < total.iter().sum() && Instant::now() < deadline {
                    if drain::<P>(&mut receiver, &mut tally) == 0 {
                        thread::yield_now();
                    }
                }
                assert_eq!(tally.check_all(total), Ok(()), "{}", P::NAME);
            });
        }
    });
}

fn several_senders<P: Batches>() {
    for receivers in [1, 3] {
        several_senders_by::<P>(P::send, receivers);
        several_senders_by::<P>(P::send_batch, receivers);
    }
}

fn sleeps_and_wakes<P: Blocks>() {
    const EACH: u64 = 500;
    let clock = Clock::real();
    for receivers in [1, 2] {
        let senders = if P::SEVERAL_SENDERS { 2 } else { 1 };
        let (senders, receivers) = open::<P>(&clock, senders, receivers, true);
        let total = vec![EACH; senders.len()];
        let received = AtomicUsize::new(0);
        thread::scope(|scope| {
            for (mut sender, source) in senders.into_iter().zip(0..) {
                scope.spawn(move || {
                    for n in 0..EACH {
                        P::send_blocking(&mut sender, first_of(source) + n);
                        if n % 100 == 0 {
                            // Long enough for the receivers to fall asleep.
                            thread::sleep(Duration::from_millis(1));
                        }
                    }
                });
            }
            let (total, received) = (&total, &received);
            for mut receiver in receivers {
                scope.spawn(move || {
                    let mut tally = Tally::default();
                    while tally.count() < total.iter().sum() {
                        let count = P::receive_blocking(&mut receiver, &mut |seen: &Seen<'_>| {
                            assert_ne!(seen.stamp, 0, "{}", P::NAME);
                            tally.absorb(seen.payload);
                        });
                        // RELAXED: looked at when the threads have ended.
                        received.fetch_add(count, Ordering::Relaxed);
                    }
                    assert_eq!(tally.check_all(total), Ok(()), "{}", P::NAME);
                });
            }
        });
        assert_ne!(received.into_inner(), 0, "{}", P::NAME);
    }
}

fn without_stamps<P: Batches>() {
    let clock = Clock::real();
    let (mut senders, mut receivers) = open::<P>(&clock, 1, 1, false);
    let mut tally = Tally::default();
    assert_eq!(P::send(&mut senders[0], 0, 8), 8);
    assert_eq!(P::send_batch(&mut senders[0], 8, 8), 8);
    let mut stamped = 0;
    while tally.count() < 16 {
        let count = P::drain(&mut receivers[0], &mut |seen: &Seen<'_>| {
            stamped += u64::from(seen.stamp != 0);
            tally.absorb(seen.payload);
        });
        assert_ne!(count, 0, "{}", P::NAME);
    }
    assert_eq!(tally.check(16), Ok(()), "{}", P::NAME);
    assert_eq!(stamped, if P::NAME == "smd" { 16 } else { 0 }, "{}", P::NAME);
}

/// A batch has one stamp, and single messages have one each.
fn stamps<P: Batches>() {
    let (clock, hand) = Clock::manual();
    let (mut senders, mut receivers) = open::<P>(&clock, 1, 1, true);
    let mut seen = Vec::new();
    assert_eq!(P::send_batch(&mut senders[0], 0, 2), 2);
    for n in 2..4 {
        hand.advance(Duration::from_secs(1));
        assert_eq!(P::send(&mut senders[0], n, 1), 1);
    }
    while P::drain(&mut receivers[0], &mut |message: &Seen<'_>| seen.push(message.stamp)) > 0 {}
    assert_eq!(seen.len(), 4, "{}", P::NAME);
    let later = |i: usize| (seen[i] - seen[0] + 500_000_000) / 1_000_000_000;
    assert_eq!((seen[1] - seen[0], later(2), later(3)), (0, 1, 2), "{}", P::NAME);
}

fn one_sender_only<P: Batches>() {
    let clock = Clock::real();
    let setup = Setup { clock: &clock, senders: 2, receivers: 1, capacity: SMALL, stamped: true };
    assert_eq!(P::open(&setup).is_ok(), P::SEVERAL_SENDERS, "{}", P::NAME);
}

#[test]
fn every_peer_delivers_everything_in_order() {
    for_batches!(delivers);
    delivers_by::<Tokio<false>>(Tokio::<false>::send, 3);
    delivers_by::<Multiqueue2Asleep>(Multiqueue2Asleep::send, 3);
}

#[test]
fn every_peer_that_must_lose_nothing_refuses_when_full() {
    for_batches!(refuses_when_full);
}

#[test]
fn every_sender_s_messages_reach_every_receiver_in_order() {
    for_batches!(several_senders);
}

#[test]
fn sleepers_wake_and_miss_nothing() {
    for_blocks!(sleeps_and_wakes);
}

#[test]
fn stamps_can_be_left_out_of_peers() {
    for_batches!(without_stamps);
}

#[test]
fn a_batch_has_one_stamp() {
    for_batches!(stamps);
}

#[test]
fn a_second_sender_is_refused_where_there_is_one() {
    for_batches!(one_sender_only);
}

#[test]
fn other_payloads_arrive_whole() {
    fn whole<P: Peer>(len: usize) {
        let clock = Clock::real();
        let (mut senders, mut receivers) = open::<P>(&clock, 1, 1, true);
        let mut tally = Tally::of_len(len);
        for first in [0, 32, 64] {
            assert_eq!(P::send(&mut senders[0], first, BURST), BURST);
            while drain::<P>(&mut receivers[0], &mut tally) > 0 {}
        }
        assert_eq!(tally.check(96), Ok(()), "{} with {len} bytes", P::NAME);
    }
    whole::<SmdSized<0>>(0);
    whole::<SmdSized<16>>(16);
    whole::<SmdSized<384>>(384);
    whole::<DisruptorMp<Slot<0>>>(0);
    whole::<DisruptorMp<Slot<16>>>(16);
    whole::<DisruptorMp<Slot<384>>>(384);
}

#[test]
fn a_message_of_another_class_is_not_shown() {
    let mut shown = 0;
    let message = Message::new(1, 0);
    message.show(CLASS.bits() << 1, &mut |_| shown += 1);
    assert_eq!(shown, 0);
    message.show(CLASS.bits(), &mut |_| shown += 1);
    assert_eq!(shown, 1);
}
