//! A peer that is open, and what went through it: the common part of all rounds that send as fast as they can.

#![expect(missing_debug_implementations, reason = "peers' handles have none")]

use std::marker::PhantomData;

use crate::payload::{LEN, Tally};
use crate::peers::{Batches, Peer, Seen};
use crate::side::Mode;

/// How a workload sends: one call and one stamp for each message, or for a batch.
pub trait Way<P: Peer>: 'static {
    /// Its name.
    const MODE: Mode;

    /// Sends messages `first..first + count`; returns how many there was room for.
    fn send(sender: &mut P::Sender, first: u64, count: usize) -> usize;
}

/// [`Peer::send`].
#[derive(Debug)]
pub struct Single;

/// [`Batches::send_batch`].
#[derive(Debug)]
pub struct Batch;

impl<P: Peer> Way<P> for Single {
    const MODE: Mode = Mode::Single;

    #[inline]
    fn send(sender: &mut P::Sender, first: u64, count: usize) -> usize {
        P::send(sender, first, count)
    }
}

impl<P: Batches> Way<P> for Batch {
    const MODE: Mode = Mode::Batch;

    #[inline]
    fn send(sender: &mut P::Sender, first: u64, count: usize) -> usize {
        P::send_batch(sender, first, count)
    }
}

/// The senders and receivers of a peer, with what each sent and got.
pub struct Flow<P: Peer> {
    /// Each with the messages that it sent.
    pub senders: Vec<(P::Sender, u64)>,
    /// Each with what it got.
    pub receivers: Vec<Inbox<P>>,
}

/// A receiver, with what it got.
pub struct Inbox<P: Peer> {
    receiver: P::Receiver,
    /// What it got.
    pub tally: Tally,
    peer: PhantomData<fn() -> P>,
}

impl<P: Peer> Inbox<P> {
    /// Takes what is there.
    #[inline]
    pub fn drain(&mut self) -> usize {
        let Inbox { receiver, tally, .. } = self;
        P::drain(receiver, &mut |seen: &Seen<'_>| tally.absorb(seen.payload))
    }

    /// Takes what is there, on a thread that does nothing else.
    #[inline]
    pub fn drain_alone(&mut self) -> usize {
        let Inbox { receiver, tally, .. } = self;
        P::drain_alone(receiver, &mut |seen: &Seen<'_>| tally.absorb(seen.payload))
    }

    /// The receiver, and its tally.
    pub fn parts(&mut self) -> (&mut P::Receiver, &mut Tally) {
        (&mut self.receiver, &mut self.tally)
    }
}

impl<P: Peer> Flow<P> {
    /// Of these, with the payload that all peers have.
    pub fn new(senders: Vec<P::Sender>, receivers: Vec<P::Receiver>) -> Flow<P> {
        Flow::of_len(LEN, senders, receivers)
    }

    /// Of these, with payloads of so many bytes.
    pub fn of_len(len: usize, senders: Vec<P::Sender>, receivers: Vec<P::Receiver>) -> Flow<P> {
        let inbox = |receiver| Inbox { receiver, tally: Tally::of_len(len), peer: PhantomData };
        Flow {
            senders: senders.into_iter().map(|sender| (sender, 0)).collect(),
            receivers: receivers.into_iter().map(inbox).collect(),
        }
    }

    /// Messages that each sender sent.
    pub fn sent(&self) -> Vec<u64> {
        self.senders.iter().map(|(_, sent)| *sent).collect()
    }

    /// Whether every receiver got all that was sent, and how much that was since there were `before`.
    ///
    /// # Errors
    /// A sentence that says what is missing or wrong, or that nothing was sent.
    pub fn check_since(&self, before: &[u64]) -> Result<u64, String> {
        let sent = self.sent();
        for inbox in &self.receivers {
            inbox.tally.check_all(&sent)?;
        }
        match sent.iter().sum::<u64>() - before.iter().sum::<u64>() {
            0 => Err("nothing was sent".to_owned()),
            messages => Ok(messages),
        }
    }
}
