//! What a participant receives: borrowed, kept, or copied.

#![allow(unsafe_code)]

use std::fmt;
use std::num::NonZeroU32;
use std::ops::Deref;
use std::str::Utf8Error;
use std::sync::Arc as StdArc;

use crate::class::Class;
use crate::clock::Timestamp;
use crate::log::arena::Arena;
use crate::log::cursor::Found;
use crate::log::run::Met;
use crate::log::tail::Held;
use crate::log::word::{EXTRA_BYTES, Extra};
use crate::payload::{Payload, PayloadError};
use crate::sync::Arc;

/// Where a message entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Origin {
    /// This bus.
    Local,
    /// A peer in another process.
    Peer {
        /// Which peer, by the number that the link gave it.
        peer: NonZeroU32,
        /// The origin's own timestamp, of the same systemwide clock.
        timestamp: Timestamp,
        /// The origin's own sequence number.
        sequence: u64,
    },
}

/// What is known of a message beside its payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Meta {
    pub(crate) class: Class,
    pub(crate) sequence: u64,
    pub(crate) time: u64,
    pub(crate) peer: u32,
    pub(crate) origin_time: u64,
    pub(crate) origin_sequence: u64,
    pub(crate) retained: bool,
}

impl Meta {
    pub(crate) fn new(
        class: Class,
        sequence: u64,
        time: u64,
        extra: Extra,
        retained: bool,
    ) -> Meta {
        Meta {
            class,
            sequence,
            time,
            peer: extra.peer,
            origin_time: extra.time,
            origin_sequence: extra.sequence,
            retained,
        }
    }

    fn origin(&self) -> Origin {
        match NonZeroU32::new(self.peer) {
            None => Origin::Local,
            Some(peer) => Origin::Peer {
                peer,
                timestamp: Timestamp::from_nanos(self.origin_time),
                sequence: self.origin_sequence,
            },
        }
    }
}

macro_rules! accessors {
    () => {
        /// Its classes.
        pub fn class(&self) -> Class {
            self.meta.class
        }

        /// Its place in the bus's one order, from 1, without holes.
        pub fn sequence(&self) -> u64 {
            self.meta.sequence
        }

        /// When this bus accepted it, by the bus's clock, in nanoseconds; it never falls from one
        /// message to the next.
        pub fn timestamp(&self) -> Timestamp {
            Timestamp::from_nanos(self.meta.time)
        }

        /// Where it entered.
        pub fn origin(&self) -> Origin {
            self.meta.origin()
        }

        /// Whether it was handed over as retained state, not live.
        pub fn is_retained(&self) -> bool {
            self.meta.retained
        }

        /// Its payload as text.
        ///
        /// # Errors
        /// If the payload is not UTF-8.
        pub fn text(&self) -> Result<&str, Utf8Error> {
            std::str::from_utf8(self.bytes())
        }

        /// Its payload as a value.
        ///
        /// # Errors
        /// If the payload does not encode such a value.
        pub fn decode<T: Payload>(&self) -> Result<T, PayloadError> {
            T::decode(self.bytes())
        }
    };
}

macro_rules! show {
    ($type:ty, $name:literal) => {
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct($name)
                    .field("sequence", &self.sequence())
                    .field("class", &self.class())
                    .field("bytes", &String::from_utf8_lossy(self.bytes()))
                    .finish_non_exhaustive()
            }
        }

        impl Deref for $type {
            type Target = [u8];

            fn deref(&self) -> &[u8] {
                self.bytes()
            }
        }
    };
}

/// Where the bytes of a received message lie.
#[derive(Clone, Copy)]
enum Place<'p> {
    /// In a frame that the participant holds.
    Frame(Held, &'p Arc<Arena>),
    /// In the state that was handed over at registration.
    State(&'p StdArc<[u8]>),
}

/// A received message. It borrows the bus's memory: nothing was copied. While it lives, the
/// participant stays where it is; [`Message::keep`] it to hold on to it. It is a slice of its bytes
/// as well.
///
/// ```
/// use smd_lockfree::{Bus, Class, Origin};
///
/// let bus = Bus::new();
/// let mut part = bus.register(Class::METRICS)?;
/// bus.send_value(Class::METRICS | Class::USER0, &7_u16)?;
/// let message = part.try_recv()?;
/// assert_eq!((message.sequence(), message.origin()), (1, Origin::Local));
/// assert_eq!(message.class(), Class::METRICS | Class::USER0);
/// assert_eq!(message.decode::<u16>()?, 7);
/// let age = bus.clock().now().saturating_since(message.timestamp());
/// # assert!(age < std::time::Duration::from_secs(60));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Message<'p> {
    meta: Meta,
    bytes: &'p [u8],
    place: Place<'p>,
}

impl<'p> Message<'p> {
    /// # Safety
    /// The cursor that found it stays where it is, and so holds the frame, for `'p`.
    #[inline(always)]
    pub(crate) unsafe fn found(found: Found, arena: &'p Arc<Arena>) -> Message<'p> {
        let Found { frame, head, body, sequence, time } = found;
        // SAFETY: held for `'p`, the caller's promise.
        let records = unsafe { frame.as_ref() }.records();
        let (extra, body) = if head.has_extra() {
            // SAFETY: published, with the flag.
            (unsafe { records.extra(body) }, body + EXTRA_BYTES)
        } else {
            (Extra::default(), body)
        };
        Message {
            meta: Meta::new(head.class(), sequence, time, extra, false),
            // SAFETY: published, in bounds; the frame is held for `'p`.
            bytes: unsafe { records.bytes(body, head.len()) },
            place: Place::Frame(frame, arena),
        }
    }

    /// The same for a record of a run.
    ///
    /// # Safety
    /// As for [`Message::found`].
    #[inline(always)]
    pub(crate) unsafe fn met(met: Met<'_>, arena: &'p Arc<Arena>) -> Message<'p> {
        let Met { frame, at, head, sequence, time } = met;
        // SAFETY: published, with the flag; held.
        let extra = if head.has_extra() { unsafe { at.extra() } } else { Extra::default() };
        Message {
            meta: Meta::new(head.class(), sequence, time, extra, false),
            // SAFETY: published; the frame is held for `'p`.
            bytes: unsafe { at.payload(head) },
            place: Place::Frame(frame, arena),
        }
    }

    pub(crate) fn state(meta: Meta, bytes: &'p StdArc<[u8]>) -> Message<'p> {
        Message { meta, bytes, place: Place::State(bytes) }
    }

    accessors!();

    /// Its payload.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// Keeps it beyond the borrow, without a copy: takes a refcount on its segment, whose memory
    /// (32 KiB by default) stays until the last kept message in it is dropped. For what is stored
    /// for long, [`Message::to_owned_message`] takes less.
    pub fn keep(&self) -> Kept {
        let place = match self.place {
            Place::Frame(frame, arena) => {
                // SAFETY: the participant holds the frame for `'p`.
                unsafe { frame.as_ref() }.acquire_held();
                KeptPlace::Frame(KeptFrame { frame, arena: arena.clone() })
            }
            Place::State(bytes) => KeptPlace::State(bytes.clone()),
        };
        Kept { meta: self.meta, bytes: self.bytes.as_ptr(), len: self.bytes.len(), _place: place }
    }

    /// A copy in memory of its own: one allocation of the payload's length.
    pub fn to_owned_message(&self) -> OwnedMessage {
        OwnedMessage { meta: self.meta, bytes: self.bytes.into() }
    }
}

show!(Message<'_>, "Message");

struct KeptFrame {
    frame: Held,
    arena: Arc<Arena>,
}

impl Clone for KeptFrame {
    fn clone(&self) -> KeptFrame {
        // SAFETY: referenced by this.
        unsafe { self.frame.as_ref() }.acquire_held();
        KeptFrame { frame: self.frame, arena: self.arena.clone() }
    }
}

impl Drop for KeptFrame {
    fn drop(&mut self) {
        // SAFETY: the reference that `keep` or `clone` took.
        unsafe { self.arena.release(self.frame.as_ptr()) };
    }
}

#[derive(Clone)]
enum KeptPlace {
    Frame(#[allow(dead_code)] KeptFrame),
    State(#[allow(dead_code)] StdArc<[u8]>),
}

/// A message that was kept: a reference, not a copy. It can go to another thread, and it outlives
/// the participant and the bus.
///
/// ```
/// use smd_lockfree::{Bus, Class};
///
/// let bus = Bus::new();
/// let mut all = bus.register(Class::ALL)?;
/// bus.send(Class::INTERACTION, b"pressed")?;
/// let kept = all.try_recv()?.keep();
/// drop((all, bus));
/// assert_eq!(kept.bytes(), b"pressed");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Kept {
    meta: Meta,
    bytes: *const u8,
    len: usize,
    _place: KeptPlace,
}

// SAFETY: the bytes are immutable and stay alive by the counted reference beside them, which may be
// given back on any thread.
unsafe impl Send for Kept {}
// SAFETY: as above; all access is shared.
unsafe impl Sync for Kept {}

impl Kept {
    accessors!();

    /// Its payload.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: published bytes of a frame, or of state, that this holds.
        unsafe { std::slice::from_raw_parts(self.bytes, self.len) }
    }

    /// A copy in memory of its own, which holds no segment.
    pub fn to_owned_message(&self) -> OwnedMessage {
        OwnedMessage { meta: self.meta, bytes: self.bytes().into() }
    }
}

show!(Kept, "Kept");

/// A message that was copied, from [`Message::to_owned_message`] or [`Kept::to_owned_message`]: it
/// holds nothing of the bus.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnedMessage {
    meta: Meta,
    bytes: Box<[u8]>,
}

impl OwnedMessage {
    accessors!();

    /// Its payload.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

show!(OwnedMessage, "OwnedMessage");
