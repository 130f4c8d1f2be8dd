//! `iceoryx2`, publish and subscribe inside one process: samples in memory that both sides share, an offset handed over
//! for each.
//!
//! Its ports stay on the thread that made them, but for the variant that is used here. It has no backpressure without
//! waiting inside a send, so senders are paced by credits.

use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;

use super::credits::{self, Position, Purse};
use super::{Batches, CLASS, DRAIN, Form, Message, Opened, Peer, Seen, Setup, Stamps, one_by_one};

/// `iceoryx2`.
#[derive(Debug)]
pub struct Iceoryx2;

/// The sending side.
pub struct Sender {
    publisher: Publisher<local_threadsafe::Service, Message, ()>,
    stamps: Stamps,
    purse: Purse,
}

/// The receiving side.
pub struct Receiver {
    subscriber: Subscriber<local_threadsafe::Service, Message, ()>,
    mask: u32,
    position: Position,
}

impl Sender {
    #[inline]
    fn put(&mut self, message: impl FnOnce(&Stamps) -> Message) -> bool {
        if !self.purse.spend() {
            return false;
        }
        let sample = self.publisher.loan_uninit().expect("a sample for each credit");
        let sample = sample.write_payload(message(&self.stamps));
        sample.send().expect("subscribers with room for each credit");
        true
    }
}

impl Peer for Iceoryx2 {
    const NAME: &'static str = "iceoryx2";
    const SEVERAL_SENDERS: bool = true;
    type Sender = Sender;
    type Receiver = Receiver;

    fn open(setup: &Setup<'_>) -> Opened<Self> {
        open(setup).map_err(|error| error.to_string())
    }

    #[inline(never)]
    fn send(sender: &mut Sender, first: u64, count: usize) -> usize {
        one_by_one(first, count, |n| sender.put(|stamps| Message::new(stamps.now(), n)))
    }

    #[inline]
    fn drain(receiver: &mut Receiver, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        let Receiver { subscriber, mask, position } = receiver;
        let count = one_by_one(0, DRAIN, |_| {
            let sample = subscriber.receive().expect("a connection");
            if let Some(message) = &sample {
                message.show(*mask, each);
            }
            sample.is_some()
        });
        position.advance(count);
        count
    }
}

impl Batches for Iceoryx2 {
    #[inline(never)]
    fn send_batch(sender: &mut Sender, first: u64, count: usize) -> usize {
        let stamp = sender.stamps.now();
        one_by_one(first, count, |n| sender.put(|_| Message::new(stamp, n)))
    }
}

fn open(setup: &Setup<'_>) -> Result<(Vec<Sender>, Vec<Receiver>), Box<dyn std::error::Error>> {
    static SERVICES: AtomicU64 = AtomicU64::new(0);
    // It tells of every configuration file that is not there.
    set_log_level(LogLevel::Fatal);
    // RELAXED: a name of its own for each service.
    let name = format!("smd-bench/{}/{}", process::id(), SERVICES.fetch_add(1, Ordering::Relaxed));
    let node = NodeBuilder::new().create::<local_threadsafe::Service>()?;
    let service = node
        .service_builder(&name.as_str().try_into()?)
        .publish_subscribe::<Message>()
        .enable_safe_overflow(false)
        .history_size(0)
        .subscriber_max_buffer_size(setup.capacity as usize)
        .max_publishers(setup.senders.max(1))
        .max_subscribers(setup.receivers.max(1))
        .create()?;
    let (purses, positions) = credits::open(setup);
    let receivers: Result<Vec<_>, _> = positions
        .into_iter()
        .map(|position| {
            let subscriber = service.subscriber_builder().create()?;
            Ok::<_, Box<dyn std::error::Error>>(Receiver {
                subscriber,
                mask: CLASS.bits(),
                position,
            })
        })
        .collect();
    let senders: Result<Vec<_>, _> = purses
        .into_iter()
        .map(|purse| {
            let publisher = service.publisher_builder().create()?;
            Ok::<_, Box<dyn std::error::Error>>(Sender {
                publisher,
                stamps: Stamps::new(setup),
                purse,
            })
        })
        .collect();
    Ok((senders?, receivers?))
}
