//! `tokio::sync::broadcast`: every receiver gets a clone of every message, and filters for itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;
use smd_lockfree::{Clock, Timestamp};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::TryRecvError;

use super::{CLASS, Peer, one_by_one};
use crate::payload::{LEN, Tally, fill};

/// A receiver tells its position each so many messages, and whenever it finds nothing.
const REPORT_EACH: u64 = 64;

/// By value, as our bus has it in its log.
#[derive(Clone, Copy, Debug)]
struct Message {
    /// Stamped by the sender; like ours, carried and not looked at.
    _stamp: Timestamp,
    class: u32,
    payload: [u8; LEN],
}

/// As it is: a receiver that falls behind loses messages. For workloads whose bursts are far below the capacity.
#[derive(Debug)]
pub struct Tokio;

impl Peer for Tokio {
    const NAME: &'static str = "tokio broadcast";
    type Sender = Sender;
    type Receiver = Receiver;

    fn open(clock: &Clock, receivers: usize, capacity: u32) -> (Sender, Vec<Receiver>) {
        open(clock, receivers, capacity)
    }

    #[inline]
    fn send(sender: &mut Sender, first: u64, count: usize) -> usize {
        one_by_one(first, count, |n| {
            sender.send(n);
            true
        })
    }

    #[inline]
    fn drain(receiver: &mut Receiver, tally: &mut Tally) -> usize {
        receiver.inbox.drain(tally, |_| ())
    }
}

/// Paced by credits so that nothing is lost: the one receiver publishes its position, the sender waits for room.
#[derive(Debug)]
pub struct PacedTokio;

impl Peer for PacedTokio {
    const NAME: &'static str = "tokio broadcast, paced";
    type Sender = Sender;
    type Receiver = Receiver;

    fn open(clock: &Clock, receivers: usize, capacity: u32) -> (Sender, Vec<Receiver>) {
        open(clock, receivers, capacity)
    }

    #[inline]
    fn send(sender: &mut Sender, first: u64, count: usize) -> usize {
        one_by_one(first, count, |n| {
            let room = sender.has_room(n);
            if room {
                sender.send(n);
            }
            room
        })
    }

    #[inline]
    fn drain(receiver: &mut Receiver, tally: &mut Tally) -> usize {
        let Receiver { inbox, position } = receiver;
        // EDGE credits.position: Release here; Acquire in `Sender::has_room`.
        let report = |received: u64| position.store(received, Ordering::Release);
        let drained = inbox.drain(tally, |received| {
            if received.is_multiple_of(REPORT_EACH) {
                report(received);
            }
        });
        if drained > 0 {
            report(inbox.received);
        }
        drained
    }
}

/// The sending side.
#[derive(Debug)]
pub struct Sender {
    channel: broadcast::Sender<Message>,
    clock: Clock,
    capacity: u64,
    /// The slowest receiver's position as last seen, and where each receiver publishes its own.
    known: u64,
    positions: Vec<Arc<CachePadded<AtomicU64>>>,
}

impl Sender {
    #[inline]
    fn send(&self, n: u64) {
        let mut payload = [0; LEN];
        fill(&mut payload, n);
        let message = Message { _stamp: self.clock.now(), class: CLASS.bits(), payload };
        self.channel.send(message).expect("receivers are there");
    }

    #[inline]
    fn has_room(&mut self, n: u64) -> bool {
        if n - self.known < self.capacity {
            return true;
        }
        // EDGE credits.position: Acquire here; Release in `PacedTokio::drain`.
        let slowest = self.positions.iter().map(|position| position.load(Ordering::Acquire)).min();
        self.known = slowest.unwrap_or(n);
        n - self.known < self.capacity
    }
}

/// The receiving side.
#[derive(Debug)]
pub struct Receiver {
    inbox: Inbox,
    position: Arc<CachePadded<AtomicU64>>,
}

#[derive(Debug)]
struct Inbox {
    channel: broadcast::Receiver<Message>,
    mask: u32,
    received: u64,
}

impl Inbox {
    #[inline]
    fn drain(&mut self, tally: &mut Tally, mut each: impl FnMut(u64)) -> usize {
        let before = self.received;
        loop {
            match self.channel.try_recv() {
                Ok(message) => {
                    if message.class & self.mask != 0 {
                        tally.absorb(&message.payload);
                    }
                    self.received += 1;
                    each(self.received);
                }
                Err(TryRecvError::Empty) => return (self.received - before) as usize,
                Err(error) => panic!("nothing is lost: {error}"),
            }
        }
    }
}

fn open(clock: &Clock, receivers: usize, capacity: u32) -> (Sender, Vec<Receiver>) {
    let (channel, _) = broadcast::channel(capacity as usize);
    let receivers: Vec<Receiver> = (0..receivers)
        .map(|_| Receiver {
            inbox: Inbox { channel: channel.subscribe(), mask: CLASS.bits(), received: 0 },
            position: Arc::default(),
        })
        .collect();
    let positions = receivers.iter().map(|receiver| Arc::clone(&receiver.position)).collect();
    let sender = Sender {
        channel,
        clock: clock.clone(),
        capacity: u64::from(capacity),
        known: 0,
        positions,
    };
    (sender, receivers)
}
