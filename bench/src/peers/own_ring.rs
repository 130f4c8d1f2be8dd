//! A bound written by hand: a ring of 80-byte messages with one sender and one shared tail.
//!
//! ```text
//!   sender --- writes slots, then the tail ---> tail
//!      ^                                          |
//!      `-- looks when the ring seems full --- position of each reader, written once for what it took
//! ```
//!
//! It filters, stamps and copies as the others do, and has nothing else: no second sender, no sleep, no joining, no
//! lag. It is a limit and no rival.
//!
//! Rules: 1 only the sender writes the tail, and slots from the tail to the slowest position plus the capacity. 2 A
//! reader reads slots from its position to the tail, and only it writes its position.

// The ring is the one place here where two threads share plain memory.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use super::{
    Batches, CLASS, DRAIN, Form, Message, Opened, Peer, Seen, Setup, Stamps, one_by_one,
    only_one_sender,
};

/// The ring with a shared tail.
#[derive(Debug)]
pub struct OwnRing;

struct Ring {
    slots: Box<[UnsafeCell<Message>]>,
    tail: CachePadded<AtomicU64>,
    positions: Box<[CachePadded<AtomicU64>]>,
}

// SAFETY: slots are reached by rules 1 and 2 only, which never let a write meet a read.
unsafe impl Sync for Ring {}

impl Ring {
    #[inline]
    fn slot(&self, n: u64) -> *mut Message {
        self.slots[n as usize & (self.slots.len() - 1)].get()
    }
}

/// The sending side.
pub struct Sender {
    ring: Arc<Ring>,
    stamps: Stamps,
    next: u64,
    /// The slowest position as last seen.
    slowest: u64,
}

/// The receiving side.
pub struct Receiver {
    ring: Arc<Ring>,
    mask: u32,
    index: usize,
    position: u64,
    /// The tail as last seen.
    tail: u64,
}

impl Sender {
    /// How many of `count` messages there is room for.
    #[inline]
    fn room(&mut self, count: usize) -> usize {
        let capacity = self.ring.slots.len() as u64;
        if self.next + count as u64 > self.slowest + capacity {
            // EDGE own_ring.position: Acquire here; Release in `drain`. Carries that the slots were read.
            let seen = self.ring.positions.iter().map(|position| position.load(Ordering::Acquire));
            self.slowest = seen.min().unwrap_or(self.next);
        }
        count.min((self.slowest + capacity - self.next) as usize)
    }

    #[inline]
    fn write(&mut self, stamp: u64, n: u64) {
        // SAFETY: the slot is free by rule 1, for which `room` was asked.
        unsafe { (*self.ring.slot(self.next)).write(stamp, n) };
        self.next += 1;
    }

    #[inline]
    fn publish(&self) {
        // EDGE own_ring.tail: Release here; Acquire in `drain`. Carries the slots before it.
        self.ring.tail.store(self.next, Ordering::Release);
    }
}

impl Peer for OwnRing {
    const NAME: &'static str = "own-ring";
    const SEVERAL_SENDERS: bool = false;
    type Sender = Sender;
    type Receiver = Receiver;

    fn open(setup: &Setup<'_>) -> Opened<Self> {
        only_one_sender(setup)?;
        if !setup.capacity.is_power_of_two() {
            return Err(format!("its capacity is a power of two, not {}", setup.capacity));
        }
        let ring = Arc::new(Ring {
            slots: (0..setup.capacity).map(|_| UnsafeCell::new(Message::empty())).collect(),
            tail: CachePadded::default(),
            positions: (0..setup.receivers).map(|_| CachePadded::default()).collect(),
        });
        let receivers = (0..setup.receivers).map(|index| Receiver {
            ring: Arc::clone(&ring),
            mask: CLASS.bits(),
            index,
            position: 0,
            tail: 0,
        });
        let receivers = receivers.collect();
        Ok((vec![Sender { ring, stamps: Stamps::new(setup), next: 0, slowest: 0 }], receivers))
    }

    #[inline(never)]
    fn send(sender: &mut Sender, first: u64, count: usize) -> usize {
        one_by_one(first, count, |n| {
            let room = sender.room(1) > 0;
            if room {
                sender.write(sender.stamps.now(), n);
                sender.publish();
            }
            room
        })
    }

    #[inline]
    fn drain(receiver: &mut Receiver, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        let Receiver { ring, mask, index, position, tail } = receiver;
        if *position == *tail {
            // EDGE own_ring.tail: Acquire here; Release in `publish`.
            *tail = ring.tail.load(Ordering::Acquire);
        }
        let until = (*tail).min(*position + DRAIN as u64);
        let count = (until - *position) as usize;
        for n in *position..until {
            // SAFETY: the slot was published and is not free yet, by rule 2.
            unsafe { &*ring.slot(n) }.show(*mask, each);
        }
        if count > 0 {
            *position = until;
            // EDGE own_ring.position: Release here; Acquire in `room`.
            ring.positions[*index].store(until, Ordering::Release);
        }
        count
    }
}

impl Batches for OwnRing {
    #[inline(never)]
    fn send_batch(sender: &mut Sender, first: u64, count: usize) -> usize {
        let stamp = sender.stamps.now();
        let room = sender.room(count);
        for n in (first..).take(room) {
            sender.write(stamp, n);
        }
        if room > 0 {
            sender.publish();
        }
        room
    }
}
