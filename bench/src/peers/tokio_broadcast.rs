//! `tokio::sync::broadcast`: every receiver gets a clone of every message, and filters for itself.
//!
//! A receiver that falls behind loses its oldest. Where that must not happen senders are paced by credits, which is
//! cheaper than anything that tokio offers for it.

use std::marker::PhantomData;

use crossbeam_utils::Backoff;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::credits::{self, Position, Purse};
use super::{
    Batches, Blocks, CLASS, DRAIN, Door, Form, Joins, Message, Opened, Peer, Seen, Setup, Stamps,
    one_by_one,
};

/// Without `PACED` as it is: for workloads whose bursts are far below the capacity.
#[derive(Debug)]
pub struct Tokio<const PACED: bool, M = Message>(PhantomData<M>);

/// The sending side.
#[derive(Debug)]
pub struct Sender<M> {
    channel: broadcast::Sender<M>,
    stamps: Stamps,
    purse: Purse,
}

impl<M> Sender<M> {
    #[inline]
    fn put<const PACED: bool>(&mut self, message: impl FnOnce(&Stamps) -> M) -> bool {
        if PACED && !self.purse.spend() {
            return false;
        }
        // Without a receiver a round misses messages, and says so.
        let _ = self.channel.send(message(&self.stamps));
        true
    }
}

/// The receiving side.
#[derive(Debug)]
pub struct Receiver<M> {
    inbox: broadcast::Receiver<M>,
    mask: u32,
    position: Position,
}

impl<const PACED: bool, M: Form> Peer for Tokio<PACED, M> {
    const NAME: &'static str = "tokio-broadcast";
    const SEVERAL_SENDERS: bool = true;
    type Sender = Sender<M>;
    type Receiver = Receiver<M>;

    fn open(setup: &Setup<'_>) -> Opened<Self> {
        let (channel, _) = broadcast::channel(setup.capacity as usize);
        let (purses, positions) = credits::open(setup);
        let receivers = positions.into_iter().map(|position| Receiver {
            inbox: channel.subscribe(),
            mask: CLASS.bits(),
            position,
        });
        let receivers = receivers.collect();
        let senders = purses.into_iter().map(|purse| Sender {
            channel: channel.clone(),
            stamps: Stamps::new(setup),
            purse,
        });
        Ok((senders.collect(), receivers))
    }

    #[inline(never)]
    fn send(sender: &mut Sender<M>, first: u64, count: usize) -> usize {
        one_by_one(first, count, |n| sender.put::<PACED>(|stamps| M::new(stamps.now(), n)))
    }

    #[inline]
    fn drain(receiver: &mut Receiver<M>, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        let count = one_by_one(0, DRAIN, |_| match receiver.inbox.try_recv() {
            Ok(message) => {
                message.show(receiver.mask, each);
                true
            }
            Err(TryRecvError::Empty | TryRecvError::Closed) => false,
            Err(TryRecvError::Lagged(lost)) => panic!("{lost} messages were lost"),
        });
        if PACED {
            receiver.position.advance(count);
        }
        count
    }
}

impl<const PACED: bool, M: Form> Batches for Tokio<PACED, M> {
    #[inline(never)]
    fn send_batch(sender: &mut Sender<M>, first: u64, count: usize) -> usize {
        let stamp = sender.stamps.now();
        one_by_one(first, count, |n| sender.put::<PACED>(|_| M::new(stamp, n)))
    }
}

/// Who joins has no credits to give: not paced.
impl<M: Form> Joins for Tokio<false, M> {
    fn door(sender: &Sender<M>, _: &Receiver<M>) -> Door {
        let channel = sender.channel.clone();
        Box::new(move || {
            drop(channel.subscribe());
            Ok(())
        })
    }
}

impl<M: Form> Blocks for Tokio<true, M> {
    /// A sender cannot wait here; for credits it tries again.
    #[inline]
    fn send_blocking(sender: &mut Sender<M>, n: u64) {
        let backoff = Backoff::new();
        while Self::send(sender, n, 1) == 0 {
            backoff.snooze();
        }
    }

    #[inline]
    fn receive_blocking(receiver: &mut Receiver<M>, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        match receiver.inbox.blocking_recv() {
            Ok(message) => message.show(receiver.mask, each),
            Err(RecvError::Closed) => return 0,
            Err(RecvError::Lagged(lost)) => panic!("{lost} messages were lost"),
        }
        receiver.position.advance(1);
        1 + Self::drain(receiver, each)
    }
}
