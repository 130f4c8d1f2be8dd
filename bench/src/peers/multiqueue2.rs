//! `multiqueue2`: a bounded broadcast in one ring, read in place by a receiver that has its stream to itself.

use std::hint;
use std::marker::PhantomData;

use multiqueue2::wait::{BlockingWait, BusyWait, Wait};
use multiqueue2::{BroadcastSender, BroadcastUniReceiver, broadcast_queue_with};

use super::{
    Batches, Blocks, CLASS, DRAIN, Form, Message, Opened, Peer, Seen, Setup, Stamps, one_by_one,
};

/// With receivers that never wait inside it: senders need not notify them, which would take a lock.
#[derive(Debug)]
pub struct Multiqueue2<M = Message>(PhantomData<M>);

/// With receivers that wait inside it, in its default way.
#[derive(Debug)]
pub struct Multiqueue2Asleep;

/// The sending side.
pub struct Sender<M: Form> {
    queue: BroadcastSender<M>,
    stamps: Stamps,
}

/// The receiving side.
pub struct Receiver<M: Form> {
    stream: BroadcastUniReceiver<M>,
    mask: u32,
}

type Ends<M> = (Vec<Sender<M>>, Vec<Receiver<M>>);

fn open<M: Form>(setup: &Setup<'_>, wait: impl Wait + 'static) -> Result<Ends<M>, String> {
    let (queue, first) = broadcast_queue_with(setup.capacity.into(), wait);
    let mut streams: Vec<_> = (1..setup.receivers).map(|_| first.add_stream()).collect();
    streams.push(first);
    let receivers: Result<Vec<_>, String> = streams
        .into_iter()
        .map(|stream| match stream.into_single() {
            Ok(stream) => Ok(Receiver { stream, mask: CLASS.bits() }),
            Err(_) => Err("a stream has more than one receiver".to_owned()),
        })
        .collect();
    let senders = (0..setup.senders)
        .map(|_| Sender { queue: queue.clone(), stamps: Stamps::new(setup) })
        .collect();
    Ok((senders, receivers?))
}

fn send<M: Form>(sender: &mut Sender<M>, first: u64, count: usize) -> usize {
    one_by_one(first, count, |n| sender.queue.try_send(M::new(sender.stamps.now(), n)).is_ok())
}

fn send_batch<M: Form>(sender: &mut Sender<M>, first: u64, count: usize) -> usize {
    let stamp = sender.stamps.now();
    one_by_one(first, count, |n| sender.queue.try_send(M::new(stamp, n)).is_ok())
}

fn drain<M: Form>(receiver: &mut Receiver<M>, each: &mut impl FnMut(&Seen<'_>)) -> usize {
    let mask = receiver.mask;
    one_by_one(0, DRAIN, |_| {
        receiver.stream.try_recv_view(|message| message.show(mask, each)).is_ok()
    })
}

impl<M: Form> Peer for Multiqueue2<M> {
    const NAME: &'static str = "multiqueue2";
    const SEVERAL_SENDERS: bool = true;
    type Sender = Sender<M>;
    type Receiver = Receiver<M>;

    fn open(setup: &Setup<'_>) -> Opened<Self> {
        open(setup, BusyWait::new())
    }

    #[inline(never)]
    fn send(sender: &mut Sender<M>, first: u64, count: usize) -> usize {
        send(sender, first, count)
    }

    #[inline]
    fn drain(receiver: &mut Receiver<M>, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        drain(receiver, each)
    }
}

impl<M: Form> Batches for Multiqueue2<M> {
    #[inline(never)]
    fn send_batch(sender: &mut Sender<M>, first: u64, count: usize) -> usize {
        send_batch(sender, first, count)
    }
}

impl Peer for Multiqueue2Asleep {
    const NAME: &'static str = "multiqueue2";
    const SEVERAL_SENDERS: bool = true;
    type Sender = Sender<Message>;
    type Receiver = Receiver<Message>;

    fn open(setup: &Setup<'_>) -> Opened<Self> {
        open(setup, BlockingWait::new())
    }

    #[inline(never)]
    fn send(sender: &mut Sender<Message>, first: u64, count: usize) -> usize {
        send(sender, first, count)
    }

    #[inline]
    fn drain(receiver: &mut Receiver<Message>, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        drain(receiver, each)
    }
}

impl Blocks for Multiqueue2Asleep {
    /// A sender cannot wait here but by trying again.
    #[inline]
    fn send_blocking(sender: &mut Sender<Message>, n: u64) {
        while send(sender, n, 1) == 0 {
            hint::spin_loop();
        }
    }

    #[inline]
    fn receive_blocking(
        receiver: &mut Receiver<Message>,
        each: &mut impl FnMut(&Seen<'_>),
    ) -> usize {
        let mask = receiver.mask;
        let first = receiver.stream.recv_view(|message| message.show(mask, each));
        usize::from(first.is_ok()) + drain(receiver, each)
    }
}
