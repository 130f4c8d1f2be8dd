//! This project's bus: backpressure, participants that could be asleep; without a time to live, since no other
//! contender looks for one, and as a variant with its default of 2 s.

use std::time::Duration;

use smd_lockfree::{
    BatchError, Bus, Class, Message, Participant, RecvError, SendError, Sender, Sent,
};

use super::{BURST, Batches, Blocks, CLASS, Door, Joins, Opened, Peer, Seen, Setup, one_by_one};
use crate::payload::{LEN, fill};

/// `smd-lockfree`, with the payload that all peers have.
pub type Smd = SmdSized<LEN>;

/// The same, with messages that expire.
pub type SmdExpiring = SmdSized<LEN, true>;

/// `smd-lockfree`, with payloads of `L` bytes; their time to live is 2 s, or off.
#[derive(Debug)]
pub struct SmdSized<const L: usize, const EXPIRES: bool = false>;

/// The default of the bus.
const TIME_TO_LIVE: Duration = Duration::from_secs(2);

/// How long a thread that serves one participant stays away from the senders' lines when it has found nothing.
const PAUSE: Duration = Duration::from_nanos(2_500);

/// A sender, and what it fills before it sends a batch.
#[derive(Debug)]
pub struct Sending<const L: usize> {
    sender: Sender,
    payloads: Box<[[u8; L]; BURST]>,
}

impl<const L: usize> From<Sender> for Sending<L> {
    fn from(sender: Sender) -> Sending<L> {
        Sending { sender, payloads: Box::new([[0; L]; BURST]) }
    }
}

impl SmdExpiring {
    /// The name of the variant.
    pub const VARIANT: &'static str = "time to live 2 s";
}

impl<const L: usize, const EXPIRES: bool> Peer for SmdSized<L, EXPIRES> {
    const NAME: &'static str = "smd";
    const SEVERAL_SENDERS: bool = true;
    type Sender = Sending<L>;
    type Receiver = Participant;

    fn open(setup: &Setup<'_>) -> Opened<Self> {
        let bus = Bus::builder()
            .clock(setup.clock.clone())
            .depth(setup.capacity)
            .time_to_live(EXPIRES.then_some(TIME_TO_LIVE))
            .build()
            .map_err(|error| error.to_string())?;
        let participants: Result<Vec<_>, _> =
            (0..setup.receivers).map(|_| bus.register(CLASS)).collect();
        let sending = |_| Sending::from(bus.sender());
        let senders = (0..setup.senders).map(sending).collect();
        Ok((senders, participants.map_err(|error| error.to_string())?))
    }

    #[inline(never)]
    fn send(Sending { sender, .. }: &mut Sending<L>, first: u64, count: usize) -> usize {
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

    #[inline]
    fn drain_alone(receiver: &mut Participant, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        match receiver.drain_paced(PAUSE, |message| show(&message, each)) {
            Ok(drained) => drained,
            Err(error) => lost(error),
        }
    }
}

impl<const L: usize, const EXPIRES: bool> Batches for SmdSized<L, EXPIRES> {
    #[inline(never)]
    fn send_batch(sending: &mut Sending<L>, first: u64, count: usize) -> usize {
        let Sending { sender, payloads } = sending;
        for (payload, n) in payloads.iter_mut().take(count).zip(first..) {
            fill(payload, n);
        }
        match sender.send_equal(CLASS, &payloads[..count]) {
            Ok(sent) => sent.queued,
            Err(BatchError { error: SendError::Full(_), sent, .. }) => sent.queued,
            Err(other) => panic!("a batch that should be queued or refused as full: {other}"),
        }
    }
}

impl<const L: usize, const EXPIRES: bool> Blocks for SmdSized<L, EXPIRES> {
    #[inline]
    fn send_blocking(Sending { sender, .. }: &mut Sending<L>, n: u64) {
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
        // Whether that was the last one is asked by the next call.
        match receiver.drain(|message| show(&message, each)) {
            Ok(drained) => 1 + drained,
            Err(RecvError::Closed) => 1,
            Err(error) => lost(error),
        }
    }
}

impl<const L: usize, const EXPIRES: bool> Joins for SmdSized<L, EXPIRES> {
    fn door(_: &Sending<L>, receiver: &Participant) -> Door {
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
