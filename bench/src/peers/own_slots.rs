//! A bound written by hand: a ring whose slots of 128 bytes have a sequence number each, so that a message goes over
//! with its own cache lines and no shared tail. The least latency; twice the lines for a batch.
//!
//! As [`own_ring`](super::own_ring) it has one sender and nothing beyond filter, stamp and copy.
//!
//! Rules: 1 only the sender writes slots, from its next number to the slowest position plus the capacity. 2 Slot `n`
//! may be read when its sequence is `n + 1`, until the reader writes a position behind it.

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

/// The ring with a sequence in each slot.
#[derive(Debug)]
pub struct OwnSlots;

#[repr(align(128))]
struct Slot {
    sequence: AtomicU64,
    message: UnsafeCell<Message>,
}

struct Ring {
    slots: Box<[Slot]>,
    positions: Box<[CachePadded<AtomicU64>]>,
}

// SAFETY: messages are reached by rules 1 and 2 only, which never let a write meet a read.
unsafe impl Sync for Ring {}

impl Ring {
    #[inline]
    fn slot(&self, n: u64) -> &Slot {
        &self.slots[n as usize & (self.slots.len() - 1)]
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
}

impl Sender {
    #[inline]
    fn put(&mut self, stamp: u64, n: u64) -> bool {
        let capacity = self.ring.slots.len() as u64;
        if self.next >= self.slowest + capacity {
            // EDGE own_slots.position: Acquire here; Release in `drain`. Carries that the slots were read.
            let seen = self.ring.positions.iter().map(|position| position.load(Ordering::Acquire));
            self.slowest = seen.min().unwrap_or(self.next);
            if self.next >= self.slowest + capacity {
                return false;
            }
        }
        let slot = self.ring.slot(self.next);
        // SAFETY: the slot is free by rule 1.
        unsafe { (*slot.message.get()).write(stamp, n) };
        self.next += 1;
        // EDGE own_slots.sequence: Release here; Acquire in `drain`. Carries the message.
        slot.sequence.store(self.next, Ordering::Release);
        true
    }
}

impl Peer for OwnSlots {
    const NAME: &'static str = "own-slotseq";
    const SEVERAL_SENDERS: bool = false;
    type Sender = Sender;
    type Receiver = Receiver;

    fn open(setup: &Setup<'_>) -> Opened<Self> {
        only_one_sender(setup)?;
        if !setup.capacity.is_power_of_two() {
            return Err(format!("its capacity is a power of two, not {}", setup.capacity));
        }
        let slot =
            |_| Slot { sequence: AtomicU64::new(0), message: UnsafeCell::new(Message::empty()) };
        let ring = Arc::new(Ring {
            slots: (0..setup.capacity).map(slot).collect(),
            positions: (0..setup.receivers).map(|_| CachePadded::default()).collect(),
        });
        let receivers = (0..setup.receivers).map(|index| Receiver {
            ring: Arc::clone(&ring),
            mask: CLASS.bits(),
            index,
            position: 0,
        });
        let receivers = receivers.collect();
        Ok((vec![Sender { ring, stamps: Stamps::new(setup), next: 0, slowest: 0 }], receivers))
    }

    #[inline(never)]
    fn send(sender: &mut Sender, first: u64, count: usize) -> usize {
        one_by_one(first, count, |n| sender.put(sender.stamps.now(), n))
    }

    #[inline]
    fn drain(receiver: &mut Receiver, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        let Receiver { ring, mask, index, position } = receiver;
        let count = one_by_one(*position, DRAIN, |n| {
            let slot = ring.slot(n);
            // EDGE own_slots.sequence: Acquire here; Release in `put`.
            let there = slot.sequence.load(Ordering::Acquire) == n + 1;
            if there {
                // SAFETY: the slot was written and is not free yet, by rule 2.
                unsafe { &*slot.message.get() }.show(*mask, each);
            }
            there
        });
        if count > 0 {
            *position += count as u64;
            // EDGE own_slots.position: Release here; Acquire in `put`.
            ring.positions[*index].store(*position, Ordering::Release);
        }
        count
    }
}

impl Batches for OwnSlots {
    #[inline(never)]
    fn send_batch(sender: &mut Sender, first: u64, count: usize) -> usize {
        let stamp = sender.stamps.now();
        one_by_one(first, count, |n| sender.put(stamp, n))
    }
}
