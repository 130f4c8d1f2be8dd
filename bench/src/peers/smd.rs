//! This project's bus, with its defaults: backpressure, a time to live of 2 s, participants that could be asleep.

use std::array;

use smd_lockfree::{
    BatchError, Bus, Class, Message, Outgoing, Participant, RecvError, SendError, Sender, Sent,
};

use super::{BURST, Batches, Blocks, CLASS, Door, Joins, Opened, Peer, Seen, Setup, one_by_one};
use crate::payload::{LEN, fill};

/// `smd-lockfree`, with the payload that all peers have.
pub type Smd = SmdSized<LEN>;

/// `smd-lockfree`, with payloads of `L` bytes.
#[derive(Debug)]
pub struct SmdSized<const L: usize>;

impl<const L: usize> Peer for SmdSized<L> {
    const NAME: &'static str = "smd";
    const SEVERAL_SENDERS: bool = true;
    type Sender = Sender;
    type Receiver = Participant;

    fn open(setup: &Setup<'_>) -> Opened<Self> {
        let bus = Bus::builder()
            .clock(setup.clock.clone())
            .depth(setup.capacity)
            .build()
            .map_err(|error| error.to_string())?;
        let participants: Result<Vec<_>, _> =
            (0..setup.receivers).map(|_| bus.register(CLASS)).collect();
        let senders = (0..setup.senders).map(|_| bus.sender()).collect();
        Ok((senders, participants.map_err(|error| error.to_string())?))
    }

    #[inline]
    fn send(sender: &mut Sender, first: u64, count: usize) -> usize {
        one_by_one(first, count, |n| {
            let mut payload = [0; L];
            fill(&mut payload, n);
            queued(sender.send(CLASS, &payload))
        })
    }

    #[inline]
    fn drain(receiver: &mut Participant, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        match receiver.drain(|message| show(&message, each)) {
            Ok(drained) => drained,
            Err(error) => lost(error),
        }
    }
}

impl<const L: usize> Batches for SmdSized<L> {
    #[inline]
    fn send_batch(sender: &mut Sender, first: u64, count: usize) -> usize {
        let mut payloads = [[0; L]; BURST];
        for (payload, n) in payloads.iter_mut().take(count).zip(first..) {
            fill(payload, n);
        }
        let batch: [Outgoing<'_>; BURST] = array::from_fn(|i| Outgoing::new(CLASS, &payloads[i]));
        match sender.send_batch(&batch[..count]) {
            Ok(sent) => sent.queued,
            Err(BatchError { error: SendError::Full(_), sent, .. }) => sent.queued,
            Err(other) => panic!("a batch that should be queued or refused as full: {other}"),
        }
    }
}

impl<const L: usize> Blocks for SmdSized<L> {
    #[inline]
    fn send_blocking(sender: &mut Sender, n: u64) {
        let mut payload = [0; L];
        fill(&mut payload, n);
        while !queued(sender.send_wait(CLASS, &payload, None)) {}
    }

    #[inline]
    fn receive_blocking(receiver: &mut Participant, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        match receiver.recv_blocking() {
            Ok(message) => show(&message, each),
            Err(error) => lost(error),
        }
        1 + Self::drain(receiver, each)
    }
}

impl<const L: usize> Joins for SmdSized<L> {
    fn door(_: &Sender, receiver: &Participant) -> Door {
        door(receiver, CLASS)
    }
}

/// For a participant that wants some class.
pub fn door(receiver: &Participant, class: Class) -> Door {
    let bus = receiver.bus();
    Box::new(move || match bus.register(class) {
        Ok(participant) => {
            participant.leave();
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    })
}

#[inline]
fn show(message: &Message<'_>, each: &mut impl FnMut(&Seen<'_>)) {
    each(&Seen { stamp: message.timestamp().nanos(), payload: message.bytes() });
}

/// Whether there was room. The drivers contain a panic of a round and report it.
#[inline]
fn queued(outcome: Result<Sent, SendError>) -> bool {
    match outcome {
        Ok(Sent::Queued(_)) => true,
        Err(SendError::Full(_)) => false,
        other => panic!("a send that should be queued or refused as full: {other:?}"),
    }
}

#[cold]
fn lost(error: RecvError) -> ! {
    panic!("a participant under backpressure got no message: {error}")
}
