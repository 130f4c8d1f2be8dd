//! What travels through the peers: the message by value, and with a shared payload.

use std::sync::Arc;

#[cfg(feature = "iceoryx2")]
use iceoryx2::prelude::ZeroCopySend;
use smd_lockfree::MAX_PAYLOAD;

use super::{CLASS, Seen};
use crate::payload::{LEN, fill};

/// A message as a peer stores it.
pub trait Form: Clone + Send + Sync + 'static {
    /// What stands in a slot before the first message.
    fn empty() -> Self;

    /// Message `n`.
    fn new(stamp: u64, n: u64) -> Self;

    /// Message `n` over whatever stands there.
    fn write(&mut self, stamp: u64, n: u64);

    /// Gives it to `each` if a receiver with this mask wants it.
    fn show(&self, mask: u32, each: &mut impl FnMut(&Seen<'_>));
}

/// By value: 80 bytes.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "iceoryx2", derive(ZeroCopySend))]
#[repr(C)]
pub struct Message {
    stamp: u64,
    class: u32,
    seq: u32,
    payload: [u8; LEN],
}

impl Form for Message {
    #[inline]
    fn empty() -> Message {
        Message { stamp: 0, class: 0, seq: 0, payload: [0; LEN] }
    }

    #[inline]
    fn new(stamp: u64, n: u64) -> Message {
        let mut message = Message::empty();
        message.write(stamp, n);
        message
    }

    #[inline]
    fn write(&mut self, stamp: u64, n: u64) {
        self.stamp = stamp;
        self.class = CLASS.bits();
        self.seq = n as u32;
        fill(&mut self.payload, n);
    }

    #[inline]
    fn show(&self, mask: u32, each: &mut impl FnMut(&Seen<'_>)) {
        if self.class & mask != 0 {
            each(&Seen { stamp: self.stamp, payload: &self.payload });
        }
    }
}

/// With a payload of its own that all receivers share: one allocation for each message, at the sender.
#[derive(Clone, Debug)]
pub struct Shared {
    stamp: u64,
    class: u32,
    /// Carried, as by value.
    _seq: u32,
    payload: Arc<[u8]>,
}

impl Shared {
    /// The variant's name in tables.
    pub const NAME: &'static str = "Arc<[u8]>";
}

impl Form for Shared {
    fn empty() -> Shared {
        Shared { stamp: 0, class: 0, _seq: 0, payload: Arc::from([]) }
    }

    #[inline]
    fn new(stamp: u64, n: u64) -> Shared {
        let mut payload = [0; LEN];
        fill(&mut payload, n);
        Shared {
            stamp,
            class: CLASS.bits(),
            _seq: n as u32,
            payload: Arc::from(payload.as_slice()),
        }
    }

    #[inline]
    fn write(&mut self, stamp: u64, n: u64) {
        *self = Shared::new(stamp, n);
    }

    #[inline]
    fn show(&self, mask: u32, each: &mut impl FnMut(&Seen<'_>)) {
        if self.class & mask != 0 {
            each(&Seen { stamp: self.stamp, payload: &self.payload });
        }
    }
}

/// A slot that any payload fits into, as a ring of fixed slots must have it, with `L` bytes in it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Slot<const L: usize> {
    stamp: u64,
    class: u32,
    len: u32,
    payload: [u8; MAX_PAYLOAD],
}

impl<const L: usize> Form for Slot<L> {
    fn empty() -> Slot<L> {
        const { assert!(L <= MAX_PAYLOAD) }
        Slot { stamp: 0, class: 0, len: 0, payload: [0; MAX_PAYLOAD] }
    }

    #[inline]
    fn new(stamp: u64, n: u64) -> Slot<L> {
        let mut slot = Slot::empty();
        slot.write(stamp, n);
        slot
    }

    #[inline]
    fn write(&mut self, stamp: u64, n: u64) {
        self.stamp = stamp;
        self.class = CLASS.bits();
        self.len = L as u32;
        if let Some(payload) = self.payload.first_chunk_mut::<L>() {
            fill(payload, n);
        }
    }

    #[inline]
    fn show(&self, mask: u32, each: &mut impl FnMut(&Seen<'_>)) {
        if self.class & mask != 0 {
            // The length is data here, as it would be for a user; what is too long is damage.
            let payload = self.payload.get(..self.len as usize).unwrap_or_default();
            each(&Seen { stamp: self.stamp, payload });
        }
    }
}
