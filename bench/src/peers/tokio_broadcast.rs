//! `tokio::sync::broadcast`: every receiver gets a clone of every message, and filters for itself.
//!
//! A receiver that falls behind loses its oldest. Where that must not happen senders are paced by credits, which is
//! cheaper than anything that tokio offers for it: each receiver publishes its position once in a while, and a sender
//! takes credits for several messages at once.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::{Backoff, CachePadded};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::{
    Batches, Blocks, CLASS, DRAIN, Form, Message, Opened, Peer, Seen, Setup, Stamps, one_by_one,
};

/// Credits that a sender takes at once, where the capacity has room for that.
const CREDITS: u64 = 32;

/// Without `PACED` as it is: for workloads whose bursts are far below the capacity.
#[derive(Debug)]
pub struct Tokio<const PACED: bool, M = Message>(PhantomData<M>);

/// The sending side.
#[derive(Debug)]
pub struct Sender<M> {
    channel: broadcast::Sender<M>,
    stamps: Stamps,
    pace: Arc<Pace>,
    credits: u64,
    /// The slowest receiver's position as last seen.
    slowest: u64,
}

#[derive(Debug)]
struct Pace {
    capacity: u64,
    at_once: u64,
    /// Messages that senders have taken credits for.
    taken: CachePadded<AtomicU64>,
    /// What each receiver has received.
    positions: Vec<CachePadded<AtomicU64>>,
}

impl<M> Sender<M> {
    #[inline]
    fn has_credit(&mut self) -> bool {
        if self.credits == 0 {
            self.credits = self.take();
        }
        self.credits > 0
    }

    fn take(&mut self) -> u64 {
        let Pace { capacity, at_once, taken, positions } = &*self.pace;
        // RELAXED: a count of credits; what receivers have done comes by `credits.position`.
        let mut before = taken.load(Ordering::Relaxed);
        loop {
            if before + at_once > self.slowest + capacity {
                // EDGE credits.position: Acquire here; Release in `Receiver::report`.
                let seen = positions.iter().map(|position| position.load(Ordering::Acquire));
                self.slowest = seen.min().unwrap_or(before);
                if before + at_once > self.slowest + capacity {
                    return 0;
                }
            }
            let after = before + at_once;
            // RELAXED: as above.
            match taken.compare_exchange(before, after, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return *at_once,
                Err(now) => before = now,
            }
        }
    }

    #[inline]
    fn put<const PACED: bool>(&mut self, message: impl FnOnce(&Stamps) -> M) -> bool {
        if PACED {
            if !self.has_credit() {
                return false;
            }
            self.credits -= 1;
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
    received: u64,
    pace: Arc<Pace>,
    index: usize,
}

impl<M: Form> Receiver<M> {
    #[inline]
    fn report(&self) {
        // EDGE credits.position: Release here; Acquire in `Sender::take`. Carries that the slots were read.
        self.pace.positions[self.index].store(self.received, Ordering::Release);
    }
}

impl<const PACED: bool, M: Form> Peer for Tokio<PACED, M> {
    const NAME: &'static str = "tokio-broadcast";
    const SEVERAL_SENDERS: bool = true;
    type Sender = Sender<M>;
    type Receiver = Receiver<M>;

    fn open(setup: &Setup<'_>) -> Opened<Self> {
        let (channel, _) = broadcast::channel(setup.capacity as usize);
        let capacity = u64::from(setup.capacity);
        let pace = Arc::new(Pace {
            capacity,
            at_once: (capacity / (4 * setup.senders.max(1) as u64)).clamp(1, CREDITS),
            taken: CachePadded::default(),
            positions: (0..setup.receivers).map(|_| CachePadded::default()).collect(),
        });
        let receivers = (0..setup.receivers).map(|index| Receiver {
            inbox: channel.subscribe(),
            mask: CLASS.bits(),
            received: 0,
            pace: Arc::clone(&pace),
            index,
        });
        let receivers = receivers.collect();
        let senders = (0..setup.senders).map(|_| Sender {
            channel: channel.clone(),
            stamps: Stamps::new(setup),
            pace: Arc::clone(&pace),
            credits: 0,
            slowest: 0,
        });
        Ok((senders.collect(), receivers))
    }

    #[inline]
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
        receiver.received += count as u64;
        if PACED && count > 0 {
            receiver.report();
        }
        count
    }
}

impl<const PACED: bool, M: Form> Batches for Tokio<PACED, M> {
    #[inline]
    fn send_batch(sender: &mut Sender<M>, first: u64, count: usize) -> usize {
        let stamp = sender.stamps.now();
        one_by_one(first, count, |n| sender.put::<PACED>(|_| M::new(stamp, n)))
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
        receiver.received += 1;
        let drained = Self::drain(receiver, each);
        if drained == 0 {
            receiver.report();
        }
        1 + drained
    }
}
