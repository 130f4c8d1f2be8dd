//! A draft: a message that was allocated and not yet sent, in private memory.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::bus::Bus;
use crate::class::Class;
use crate::error::SendError;
use crate::limits::MAX_PAYLOAD;
use crate::sender::{Sender, Sent};

/// Where a draft goes when it is sent.
#[derive(Debug)]
pub(crate) enum Via<'s> {
    Bus(&'s Bus),
    Sender(&'s Sender),
}

/// A message being written, from [`Bus::alloc`] or [`Sender::alloc`]. It is a slice of bytes in its
/// owner's memory, some 400 of them, whatever its length. It has no place in the order until
/// [`Draft::send`]; dropped or leaked, even in a panic, it costs nobody anything.
///
/// ```
/// use smd_lockfree::{Bus, Class};
///
/// let bus = Bus::new();
/// let mut metrics = bus.register(Class::METRICS)?;
/// if let Some(mut draft) = bus.alloc(Class::METRICS, 8)? {
///     draft.copy_from_slice(&17u64.to_le_bytes());
///     // The error gives the draft back; `error` alone can go further than the bus.
///     assert!(draft.send().map_err(|refused| refused.error)?.is_queued());
/// }
/// assert_eq!(metrics.try_recv()?.decode::<u64>()?, 17);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Draft<'s> {
    via: Via<'s>,
    class: Class,
    len: usize,
    bytes: [u8; MAX_PAYLOAD],
}

impl<'s> Draft<'s> {
    pub(crate) fn new(via: Via<'s>, class: Class, len: usize) -> Draft<'s> {
        Draft { via, class, len, bytes: [0; MAX_PAYLOAD] }
    }

    /// Its classes.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Shortens the message to `len` bytes; does nothing if it is shorter already.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Sends it. `Unwanted` if the last who wanted it has gone meanwhile.
    ///
    /// # Errors
    /// [`DraftError`] gives the draft back, with the reason as for [`Bus::send`]. It borrows the bus
    /// or the sender as the draft did: to return it from a function with `?`, map it to its `error`.
    // The draft inside is what the caller wants back; boxing it would allocate on a refusal.
    #[allow(clippy::result_large_err)]
    pub fn send(self) -> Result<Sent, DraftError<'s>> {
        let sent = match &self.via {
            Via::Bus(bus) => bus.send(self.class, &self),
            Via::Sender(sender) => sender.send(self.class, &self),
        };
        sent.map_err(|error| DraftError { error, draft: self })
    }
}

impl Deref for Draft<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl DerefMut for Draft<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }
}

impl fmt::Debug for Draft<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("class", &self.class).field("len", &self.len).finish()
    }
}

/// A draft that was refused, and why.
#[derive(Debug)]
pub struct DraftError<'s> {
    /// Why.
    pub error: SendError,
    /// The draft, as it was.
    pub draft: Draft<'s>,
}

impl fmt::Display for DraftError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for DraftError<'_> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
