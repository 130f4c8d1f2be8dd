//! `bus`: a bounded broadcast with one sender, which starts a thread of its own to wake receivers.

use bus::{Bus, BusReader};

use super::{
    Batches, Blocks, CLASS, DRAIN, Form, Message, Opened, Peer, Seen, Setup, Stamps, one_by_one,
    only_one_sender,
};

/// `bus`.
#[derive(Debug)]
pub struct OneBus;

/// The sending side.
#[derive(Debug)]
pub struct Sender {
    bus: Bus<Message>,
    stamps: Stamps,
}

/// The receiving side.
#[derive(Debug)]
pub struct Receiver {
    reader: BusReader<Message>,
    mask: u32,
}

impl Peer for OneBus {
    const NAME: &'static str = "bus";
    const SEVERAL_SENDERS: bool = false;
    type Sender = Sender;
    type Receiver = Receiver;

    fn open(setup: &Setup<'_>) -> Opened<Self> {
        only_one_sender(setup)?;
        let mut bus = Bus::new(setup.capacity as usize);
        let receivers = (0..setup.receivers)
            .map(|_| Receiver { reader: bus.add_rx(), mask: CLASS.bits() })
            .collect();
        Ok((vec![Sender { bus, stamps: Stamps::new(setup) }], receivers))
    }

    #[inline(never)]
    fn send(sender: &mut Sender, first: u64, count: usize) -> usize {
        let Sender { bus, stamps } = sender;
        one_by_one(first, count, |n| bus.try_broadcast(Message::new(stamps.now(), n)).is_ok())
    }

    #[inline]
    fn drain(receiver: &mut Receiver, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        let Receiver { reader, mask } = receiver;
        one_by_one(0, DRAIN, |_| {
            let received = reader.try_recv();
            if let Ok(message) = &received {
                message.show(*mask, each);
            }
            received.is_ok()
        })
    }
}

impl Batches for OneBus {
    #[inline(never)]
    fn send_batch(sender: &mut Sender, first: u64, count: usize) -> usize {
        let stamp = sender.stamps.now();
        one_by_one(first, count, |n| sender.bus.try_broadcast(Message::new(stamp, n)).is_ok())
    }
}

impl Blocks for OneBus {
    #[inline]
    fn send_blocking(sender: &mut Sender, n: u64) {
        sender.bus.broadcast(Message::new(sender.stamps.now(), n));
    }

    #[inline]
    fn receive_blocking(receiver: &mut Receiver, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        let first = receiver.reader.recv();
        if let Ok(message) = &first {
            message.show(receiver.mask, each);
        }
        usize::from(first.is_ok()) + Self::drain(receiver, each)
    }
}
