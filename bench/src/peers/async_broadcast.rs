//! `async-broadcast`: bounded, with backpressure, one queue behind a lock.

use async_broadcast::{Receiver as Inbox, Sender as Channel, TryRecvError, broadcast};

use super::{
    Batches, Blocks, CLASS, DRAIN, Door, Form, Joins, Message, Opened, Peer, Seen, Setup, Stamps,
    one_by_one,
};

/// `async-broadcast`.
#[derive(Debug)]
pub struct AsyncBroadcast;

/// The sending side.
#[derive(Debug)]
pub struct Sender {
    channel: Channel<Message>,
    stamps: Stamps,
}

/// The receiving side.
#[derive(Debug)]
pub struct Receiver {
    inbox: Inbox<Message>,
    mask: u32,
}

impl Peer for AsyncBroadcast {
    const NAME: &'static str = "async-broadcast";
    const SEVERAL_SENDERS: bool = true;
    type Sender = Sender;
    type Receiver = Receiver;

    fn open(setup: &Setup<'_>) -> Opened<Self> {
        let (channel, first) = broadcast(setup.capacity as usize);
        let mut inboxes: Vec<_> = (1..setup.receivers).map(|_| first.new_receiver()).collect();
        inboxes.push(first);
        let senders = (0..setup.senders)
            .map(|_| Sender { channel: channel.clone(), stamps: Stamps::new(setup) });
        let receivers = inboxes.into_iter().map(|inbox| Receiver { inbox, mask: CLASS.bits() });
        Ok((senders.collect(), receivers.collect()))
    }

    #[inline(never)]
    fn send(sender: &mut Sender, first: u64, count: usize) -> usize {
        one_by_one(first, count, |n| {
            sender.channel.try_broadcast(Message::new(sender.stamps.now(), n)).is_ok()
        })
    }

    #[inline]
    fn drain(receiver: &mut Receiver, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        one_by_one(0, DRAIN, |_| match receiver.inbox.try_recv() {
            Ok(message) => {
                message.show(receiver.mask, each);
                true
            }
            Err(TryRecvError::Empty | TryRecvError::Closed) => false,
            Err(TryRecvError::Overflowed(lost)) => panic!("{lost} messages were lost"),
        })
    }
}

impl Batches for AsyncBroadcast {
    #[inline(never)]
    fn send_batch(sender: &mut Sender, first: u64, count: usize) -> usize {
        let stamp = sender.stamps.now();
        one_by_one(first, count, |n| sender.channel.try_broadcast(Message::new(stamp, n)).is_ok())
    }
}

impl Blocks for AsyncBroadcast {
    /// The receivers live as long as the senders; without them a round misses messages, and says so.
    #[inline]
    fn send_blocking(sender: &mut Sender, n: u64) {
        let _ = sender.channel.broadcast_blocking(Message::new(sender.stamps.now(), n));
    }

    #[inline]
    fn receive_blocking(receiver: &mut Receiver, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        let first = receiver.inbox.recv_blocking();
        if let Ok(message) = &first {
            message.show(receiver.mask, each);
        }
        usize::from(first.is_ok()) + Self::drain(receiver, each)
    }
}

impl Joins for AsyncBroadcast {
    fn door(sender: &Sender, _: &Receiver) -> Door {
        let channel = sender.channel.clone();
        Box::new(move || {
            drop(channel.new_receiver());
            Ok(())
        })
    }
}
