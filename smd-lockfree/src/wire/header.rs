//! The header, its codec, and what can be wrong with a message on the wire.

#![forbid(unsafe_code)]

use super::{HEADER_LEN, MAX_MESSAGE};
use crate::class::Class;
use crate::clock::Timestamp;
use crate::limits::MAX_PAYLOAD;
use core::fmt;

/// What stands before the body.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Header {
    /// The class bits. The wire has 64 of them, a bus in a process 32: the upper ones are carried
    /// unharmed, see [`class32`](Header::class32).
    pub class: u64,
    /// Monotonic time of the message in microseconds; 0 from a libwebsockets client, which leaves
    /// it to the proxy to stamp.
    pub timestamp_us: u64,
}

impl Header {
    /// The header of a message of a bus; the timestamp is cut to whole microseconds.
    pub const fn new(class: Class, timestamp: Timestamp) -> Header {
        Header { class: class.bits() as u64, timestamp_us: timestamp.micros() }
    }

    /// The class as a bus in a process knows it, `None` if a bit above 31 is set: such a message
    /// cannot be delivered without losing a part of its class. No bit at all is `Class::NONE`.
    pub const fn class32(&self) -> Option<Class> {
        if self.class >> u32::BITS == 0 { Some(Class::from_bits(self.class as u32)) } else { None }
    }

    /// Writes the sixteen bytes.
    pub fn encode(&self, out: &mut [u8; HEADER_LEN]) {
        let (class, timestamp) = out.split_at_mut(HEADER_LEN / 2);
        class.copy_from_slice(&self.class.to_be_bytes());
        timestamp.copy_from_slice(&self.timestamp_us.to_be_bytes());
    }

    /// Takes a whole message apart: the header, and the body as a part of `message`.
    ///
    /// # Errors
    ///
    /// [`WireError::Truncated`] under [`HEADER_LEN`] bytes, [`WireError::BodyTooLong`] over
    /// [`MAX_MESSAGE`].
    pub fn decode(message: &[u8]) -> Result<(Header, &[u8]), WireError> {
        let truncated = WireError::Truncated { at: message.len(), need: HEADER_LEN };
        let (class, rest) = message.split_first_chunk().ok_or(truncated)?;
        let (timestamp, body) = rest.split_first_chunk().ok_or(truncated)?;
        message_len(body)?;
        let (class, timestamp_us) = (u64::from_be_bytes(*class), u64::from_be_bytes(*timestamp));
        Ok((Header { class, timestamp_us }, body))
    }
}

/// Writes header and body to the start of `out` and returns how many bytes they took.
///
/// # Errors
///
/// [`WireError::BodyTooLong`] over [`MAX_PAYLOAD`] bytes, [`WireError::NoRoom`] if `out` is too
/// short; [`MAX_MESSAGE`] bytes always do. On an error `out` is as it was.
pub fn encode_message(out: &mut [u8], header: Header, body: &[u8]) -> Result<usize, WireError> {
    let len = message_len(body)?;
    let no_room = WireError::NoRoom { at: out.len(), need: len };
    let room = out.get_mut(..len).ok_or(no_room)?;
    let (head, tail) = room.split_first_chunk_mut().ok_or(no_room)?;
    header.encode(head);
    tail.copy_from_slice(body);
    Ok(len)
}

/// The one place that compares a body with its limit, for both directions.
fn message_len(body: &[u8]) -> Result<usize, WireError> {
    if body.len() > MAX_PAYLOAD {
        return Err(WireError::BodyTooLong { len: body.len(), max: MAX_PAYLOAD });
    }
    Ok(HEADER_LEN + body.len())
}

/// What is wrong with a message or a frame, and at which byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WireError {
    /// The message ends inside its header.
    Truncated {
        /// The byte at which it ends.
        at: usize,
        /// Bytes of a whole header: [`HEADER_LEN`].
        need: usize,
    },
    /// The body is longer than a message may carry.
    BodyTooLong {
        /// Bytes of the body.
        len: usize,
        /// Bytes that it may have: [`MAX_PAYLOAD`].
        max: usize,
    },
    /// The buffer to write to is too short.
    NoRoom {
        /// The byte at which it ends.
        at: usize,
        /// Bytes of the whole message.
        need: usize,
    },
    /// A frame says that its body is longer than may be.
    FrameTooLong {
        /// The byte of the stream at which the frame begins.
        at: u64,
        /// Its first byte.
        kind: u8,
        /// Bytes of its body.
        len: usize,
        /// Bytes that it may have.
        max: usize,
    },
    /// The stream ends inside a frame.
    FrameCut {
        /// The byte of the stream at which it ends.
        at: u64,
        /// Bytes that are known to be missing: of the head, if that is not whole.
        need: usize,
    },
}

impl WireError {
    /// The first byte of the message that is missing, or is one too many; of a frame, where in its
    /// stream it begins or is cut.
    pub const fn at(&self) -> u64 {
        match *self {
            WireError::Truncated { at, .. } | WireError::NoRoom { at, .. } => at as u64,
            WireError::BodyTooLong { .. } => MAX_MESSAGE as u64,
            WireError::FrameTooLong { at, .. } | WireError::FrameCut { at, .. } => at,
        }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WireError::Truncated { at, need } => {
                write!(f, "the message ends at byte {at}, inside its header of {need} bytes")
            }
            WireError::BodyTooLong { len, max } => {
                write!(f, "at byte {}: a body of {len} bytes is over the limit of {max}", self.at())
            }
            WireError::NoRoom { at, need } => {
                write!(f, "the buffer ends at byte {at}, the message needs {need}")
            }
            WireError::FrameTooLong { at, kind, len, max } => write!(
                f,
                "at byte {at}: a frame of kind {kind:#04x} with a body of {len} bytes is over the limit of {max}"
            ),
            WireError::FrameCut { at, need } => {
                write!(
                    f,
                    "the stream ends at byte {at}, inside a frame of which {need} bytes are missing"
                )
            }
        }
    }
}

impl std::error::Error for WireError {}
