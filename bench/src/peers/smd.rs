//! This project's bus, with its defaults: backpressure, a time to live of 2 s, participants that could be asleep.

use std::array;

use smd_lockfree::{BatchError, Bus, Clock, Outgoing, Participant, SendError, Sender, Sent};

use super::{BURST, CLASS, Peer, one_by_one};
use crate::payload::{LEN, Tally, fill};

/// One send for each message.
#[derive(Debug)]
pub struct Smd;

impl Peer for Smd {
    const NAME: &'static str = "smd-lockfree";
    type Sender = Sender;
    type Receiver = Participant;

    fn open(clock: &Clock, receivers: usize, capacity: u32) -> (Sender, Vec<Participant>) {
        open(clock, receivers, capacity)
    }

    #[inline]
    fn send(sender: &mut Sender, first: u64, count: usize) -> usize {
        one_by_one(first, count, |n| {
            let mut payload = [0; LEN];
            fill(&mut payload, n);
            match sender.send(CLASS, &payload) {
                Ok(Sent::Queued(_)) => true,
                Err(SendError::Full(_)) => false,
                other => panic!("a send that should be queued: {other:?}"),
            }
        })
    }

    #[inline]
    fn drain(receiver: &mut Participant, tally: &mut Tally) -> usize {
        drain(receiver, tally)
    }
}

/// One batch for up to [`BURST`] messages.
#[derive(Debug)]
pub struct SmdBatch;

impl Peer for SmdBatch {
    const NAME: &'static str = "smd-lockfree, batch";
    type Sender = Sender;
    type Receiver = Participant;

    fn open(clock: &Clock, receivers: usize, capacity: u32) -> (Sender, Vec<Participant>) {
        open(clock, receivers, capacity)
    }

    #[inline]
    fn send(sender: &mut Sender, first: u64, count: usize) -> usize {
        let mut payloads = [[0; LEN]; BURST];
        for (payload, n) in payloads.iter_mut().take(count).zip(first..) {
            fill(payload, n);
        }
        let batch: [Outgoing<'_>; BURST] = array::from_fn(|i| Outgoing::new(CLASS, &payloads[i]));
        match sender.send_batch(&batch[..count]) {
            Ok(sent) => sent.queued,
            Err(BatchError { error: SendError::Full(_), sent, .. }) => sent.queued,
            Err(other) => panic!("a batch that should be queued: {other:?}"),
        }
    }

    #[inline]
    fn drain(receiver: &mut Participant, tally: &mut Tally) -> usize {
        drain(receiver, tally)
    }
}

fn open(clock: &Clock, receivers: usize, capacity: u32) -> (Sender, Vec<Participant>) {
    let bus = Bus::builder().clock(clock.clone()).depth(capacity).build().expect("a valid bus");
    let participants =
        (0..receivers).map(|_| bus.register(CLASS).expect("a valid registration")).collect();
    (bus.sender(), participants)
}

#[inline]
fn drain(receiver: &mut Participant, tally: &mut Tally) -> usize {
    receiver.drain(|message| tally.absorb(message.bytes())).expect("nothing is lost")
}
