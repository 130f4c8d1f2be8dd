//! One queue for each participant: what a user builds who has channels and wants a broadcast.
//!
//! The senders hold a list of masks and queues in an `ArcSwap`, so that participants could come and go, and push a
//! clone into each queue whose mask meets the class. A single receiver is sent to directly, without a list.

use std::marker::PhantomData;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{Batches, Blocks, CLASS, Form, Message, Opened, Peer, Seen, Setup, Stamps, one_by_one};

/// A queue or channel.
pub trait Queue: 'static {
    /// The name in tables.
    const NAME: &'static str;
    /// What is pushed into.
    type Tx: Clone + Send + Sync;
    /// What is popped from.
    type Rx: Send;

    /// Both ends of a queue with that capacity.
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx);

    /// Whether there was room for message `n`.
    fn push(tx: &Self::Tx, n: u64, message: Message) -> bool;

    /// Gives what is there to `each`.
    fn drain(rx: &mut Self::Rx, each: impl FnMut(&Message)) -> usize;
}

/// A queue whose threads can wait asleep.
pub trait BlockingQueue: Queue {
    /// Waits for room.
    fn push_blocking(tx: &Self::Tx, message: Message);

    /// Sleeps until there is a message.
    fn pop_blocking(rx: &mut Self::Rx) -> Option<Message>;
}

/// The peer made of such queues.
#[derive(Debug)]
pub struct FanOut<Q>(PhantomData<Q>);

/// The sending side.
pub struct Sender<Q: Queue> {
    way: Way<Q>,
    stamps: Stamps,
}

type Listeners<Q> = Arc<ArcSwap<Vec<(u32, <Q as Queue>::Tx)>>>;

enum Way<Q: Queue> {
    One(Q::Tx),
    /// Where a queue is full, the message waits before it: it is in those before, and goes on from here.
    Many {
        listeners: Listeners<Q>,
        next: usize,
    },
}

impl<Q: Queue> Sender<Q> {
    #[inline]
    fn push(&mut self, n: u64, message: Message) -> bool {
        match &mut self.way {
            Way::One(tx) => Q::push(tx, n, message),
            Way::Many { listeners, next } => {
                let listeners = listeners.load();
                for (index, (mask, tx)) in listeners.iter().enumerate().skip(*next) {
                    if mask & CLASS.bits() != 0 && !Q::push(tx, n, message) {
                        *next = index;
                        return false;
                    }
                }
                *next = 0;
                true
            }
        }
    }
}

/// The receiving side.
pub struct Receiver<Q: Queue> {
    rx: Q::Rx,
    mask: u32,
}

impl<Q: Queue> Peer for FanOut<Q> {
    const NAME: &'static str = Q::NAME;
    const SEVERAL_SENDERS: bool = true;
    type Sender = Sender<Q>;
    type Receiver = Receiver<Q>;

    fn open(setup: &Setup<'_>) -> Opened<Self> {
        let mask = CLASS.bits();
        let (mut txs, rxs): (Vec<_>, Vec<_>) =
            (0..setup.receivers).map(|_| Q::pair(setup.capacity as usize)).unzip();
        let ways: Vec<Way<Q>> = if let [tx] = txs.as_slice() {
            (0..setup.senders).map(|_| Way::One(tx.clone())).collect()
        } else {
            let list = txs.drain(..).map(|tx| (mask, tx)).collect();
            let listeners = Arc::new(ArcSwap::from_pointee(list));
            let way = || Way::Many { listeners: Arc::clone(&listeners), next: 0 };
            (0..setup.senders).map(|_| way()).collect()
        };
        let senders = ways.into_iter().map(|way| Sender { way, stamps: Stamps::new(setup) });
        Ok((senders.collect(), rxs.into_iter().map(|rx| Receiver { rx, mask }).collect()))
    }

    #[inline(never)]
    fn send(sender: &mut Sender<Q>, first: u64, count: usize) -> usize {
        one_by_one(first, count, |n| {
            let message = Message::new(sender.stamps.now(), n);
            sender.push(n, message)
        })
    }

    #[inline]
    fn drain(receiver: &mut Receiver<Q>, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        let mask = receiver.mask;
        Q::drain(&mut receiver.rx, |message| message.show(mask, each))
    }
}

impl<Q: Queue> Batches for FanOut<Q> {
    #[inline(never)]
    fn send_batch(sender: &mut Sender<Q>, first: u64, count: usize) -> usize {
        let stamp = sender.stamps.now();
        one_by_one(first, count, |n| sender.push(n, Message::new(stamp, n)))
    }
}

impl<Q: BlockingQueue> Blocks for FanOut<Q> {
    #[inline]
    fn send_blocking(sender: &mut Sender<Q>, n: u64) {
        let message = Message::new(sender.stamps.now(), n);
        match &sender.way {
            Way::One(tx) => Q::push_blocking(tx, message),
            Way::Many { listeners, .. } => {
                for (mask, tx) in listeners.load().iter() {
                    if mask & CLASS.bits() != 0 {
                        Q::push_blocking(tx, message);
                    }
                }
            }
        }
    }

    #[inline]
    fn receive_blocking(receiver: &mut Receiver<Q>, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        let first = Q::pop_blocking(&mut receiver.rx);
        if let Some(message) = &first {
            message.show(receiver.mask, each);
        }
        usize::from(first.is_some()) + Self::drain(receiver, each)
    }
}
