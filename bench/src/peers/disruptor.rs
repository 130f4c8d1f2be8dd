//! `disruptor`: a ring of events that are written and read in place; all receivers are known when it is built.
//!
//! A receiver is an event poller, polled by its own thread. With one receiver the ring has the barrier for one, which
//! is cheaper; which of the two a sender has is a branch that always goes the same way.

use std::marker::PhantomData;

use disruptor::{
    BusySpin, EventPoller, MultiConsumerBarrier, MultiProducer, MultiProducerBarrier, Producer,
    SingleConsumerBarrier, SingleProducer, SingleProducerBarrier, build_multi_producer,
    build_single_producer,
};

use super::{
    Batches, CLASS, DRAIN, Form, Message, Opened, Peer, Seen, Setup, Stamps, one_by_one,
    only_one_sender,
};

/// One thread publishes.
#[derive(Debug)]
pub struct DisruptorSp<M = Message>(PhantomData<M>);

/// Several threads may publish.
#[derive(Debug)]
pub struct DisruptorMp<M = Message>(PhantomData<M>);

/// The sending side.
pub struct Sender<One, Many> {
    producer: Producers<One, Many>,
    stamps: Stamps,
}

enum Producers<One, Many> {
    One(One),
    Many(Many),
}

type SpSender<M> =
    Sender<SingleProducer<M, SingleConsumerBarrier>, SingleProducer<M, MultiConsumerBarrier>>;
type MpSender<M> =
    Sender<MultiProducer<M, SingleConsumerBarrier>, MultiProducer<M, MultiConsumerBarrier>>;

/// The receiving side.
pub struct Receiver<M, B> {
    poller: EventPoller<M, B>,
    mask: u32,
}

impl<M, B> Receiver<M, B> {
    fn new(poller: EventPoller<M, B>) -> Receiver<M, B> {
        Receiver { poller, mask: CLASS.bits() }
    }
}

/// The pollers and the producer for a number of receivers: the builder changes its type with each of the first two.
macro_rules! build {
    ($build:ident, $setup:expr) => {{
        let size = $setup.capacity as usize;
        if !size.is_power_of_two() || size < 64 {
            return Err(format!("its capacity is a power of two from 64 on, not {size}"));
        }
        if $setup.receivers == 0 {
            return Err("it needs a receiver".to_owned());
        }
        let (first, builder) = $build(size, M::empty, BusySpin).new_event_poller();
        let mut receivers = vec![Receiver::new(first)];
        if $setup.receivers == 1 {
            (Producers::One(builder.build()), receivers)
        } else {
            let (second, mut builder) = builder.new_event_poller();
            receivers.push(Receiver::new(second));
            for _ in 2..$setup.receivers {
                let (next, rest) = builder.new_event_poller();
                receivers.push(Receiver::new(next));
                builder = rest;
            }
            (Producers::Many(builder.build()), receivers)
        }
    }};
}

/// Takes what is there from a poller, at most [`DRAIN`]. The trait that its barriers share cannot be named.
macro_rules! drain {
    ($poller:expr, $mask:expr, $each:expr) => {
        match $poller.take(DRAIN as u64) {
            Ok(mut events) => {
                let count = (&mut events).len();
                for event in &mut events {
                    event.show($mask, $each);
                }
                count
            }
            Err(_) => 0,
        }
    };
}

impl<M: Form> Peer for DisruptorSp<M> {
    const NAME: &'static str = "disruptor-sp";
    const SEVERAL_SENDERS: bool = false;
    type Sender = SpSender<M>;
    type Receiver = Receiver<M, SingleProducerBarrier>;

    fn open(setup: &Setup<'_>) -> Opened<Self> {
        only_one_sender(setup)?;
        let (producer, receivers) = build!(build_single_producer, setup);
        Ok((vec![Sender { producer, stamps: Stamps::new(setup) }], receivers))
    }

    #[inline(never)]
    fn send(sender: &mut Self::Sender, first: u64, count: usize) -> usize {
        send::<M, _, _>(sender, first, count)
    }

    #[inline]
    fn drain(receiver: &mut Self::Receiver, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        let Receiver { poller, mask } = receiver;
        drain!(poller, *mask, each)
    }
}

impl<M: Form> Batches for DisruptorSp<M> {
    #[inline(never)]
    fn send_batch(sender: &mut Self::Sender, first: u64, count: usize) -> usize {
        send_batch::<M, _, _>(sender, first, count)
    }
}

impl<M: Form> Peer for DisruptorMp<M> {
    const NAME: &'static str = "disruptor-mp";
    const SEVERAL_SENDERS: bool = true;
    type Sender = MpSender<M>;
    type Receiver = Receiver<M, MultiProducerBarrier>;

    fn open(setup: &Setup<'_>) -> Opened<Self> {
        let (producer, receivers) = build!(build_multi_producer, setup);
        let producers = (0..setup.senders).map(|_| match &producer {
            Producers::One(producer) => Producers::One(producer.clone()),
            Producers::Many(producer) => Producers::Many(producer.clone()),
        });
        let senders = producers.map(|producer| Sender { producer, stamps: Stamps::new(setup) });
        Ok((senders.collect(), receivers))
    }

    #[inline(never)]
    fn send(sender: &mut Self::Sender, first: u64, count: usize) -> usize {
        send::<M, _, _>(sender, first, count)
    }

    #[inline]
    fn drain(receiver: &mut Self::Receiver, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        let Receiver { poller, mask } = receiver;
        drain!(poller, *mask, each)
    }
}

impl<M: Form> Batches for DisruptorMp<M> {
    #[inline(never)]
    fn send_batch(sender: &mut Self::Sender, first: u64, count: usize) -> usize {
        send_batch::<M, _, _>(sender, first, count)
    }
}

#[inline]
fn send<M: Form, One: Producer<M>, Many: Producer<M>>(
    sender: &mut Sender<One, Many>,
    first: u64,
    count: usize,
) -> usize {
    let Sender { producer, stamps } = sender;
    one_by_one(first, count, |n| {
        let stamp = stamps.now();
        let write = |event: &mut M| event.write(stamp, n);
        match producer {
            Producers::One(producer) => producer.try_publish(write).is_ok(),
            Producers::Many(producer) => producer.try_publish(write).is_ok(),
        }
    })
}

/// All or none, as the ring does it.
#[inline]
fn send_batch<M: Form, One: Producer<M>, Many: Producer<M>>(
    sender: &mut Sender<One, Many>,
    first: u64,
    count: usize,
) -> usize {
    let stamp = sender.stamps.now();
    let published = match &mut sender.producer {
        Producers::One(producer) => producer.try_batch_publish(count, |events| {
            events.zip(first..).for_each(|(event, n)| event.write(stamp, n));
        }),
        Producers::Many(producer) => producer.try_batch_publish(count, |events| {
            events.zip(first..).for_each(|(event, n)| event.write(stamp, n));
        }),
    };
    published.map_or(0, |_| count)
}
