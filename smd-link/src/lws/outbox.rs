//! What is to be written: whole frames, a few at a time (sections 4.8 and 5.8).
//!
//! ```text
//!   buffer  |  written  | batch: output() | queued frames  |  free   |
//!                       ^ start           ^ batch          ^ end
//!
//!   unread + (batch - start) <= 2048      end - start <= limit
//! ```
//!
//! A libwebsockets peer reads 2048 bytes at a time and takes what it sees of a frame for the whole
//! of it. So what is written and may not have been read never exceeds that, and each batch ends
//! with a frame: whatever the peer reads, it reads whole frames. While there is room a batch grows
//! by what is queued; a new one begins when the peer has read everything.

use super::frames::{Encode, FrameError};
use super::{MAX_QUEUE, MAX_UNREAD};
use core::fmt;
use smd_lockfree::wire::{FRAME_HEAD, encode_frame};

#[cfg(test)]
mod tests;

/// A bounded queue of frames. It allocates once, when it is made.
///
/// ```
/// use smd_link::lws::{MAX_UNREAD, Outbox};
///
/// let mut outbox = Outbox::new(4096);
/// for _ in 0..4 {
///     outbox.push(0x55, &[&[0; 500]])?;
/// }
/// // Four whole frames are 2012 bytes; a fifth waits until the peer has read those.
/// outbox.push(0x55, &[&[0; 500]])?;
/// assert_eq!(outbox.output().len(), 2012);
/// outbox.written(2012);
/// assert!(outbox.output().is_empty());
/// outbox.peer_read_all();
/// assert_eq!(outbox.output().len(), 503);
/// # Ok::<(), smd_link::lws::PushError>(())
/// ```
#[derive(Clone)]
pub struct Outbox {
    /// Twice `limit`, so that moving what is left to the front costs no more than a second copy of
    /// each byte.
    buffer: Box<[u8]>,
    limit: usize,
    /// The first byte that is not written.
    start: usize,
    /// The end of the frames that may be written now.
    batch: usize,
    /// The end of all frames.
    end: usize,
    /// Bytes that were written since the peer had read everything.
    unread: usize,
}

/// Why a frame was not queued. The queue is as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PushError {
    /// No room now; it comes with what is written.
    Full {
        /// Bytes of the frame.
        need: usize,
        /// Bytes that are free.
        room: usize,
        /// Bytes that the queue holds.
        limit: usize,
    },
    /// No batch could ever hold the frame.
    TooLong {
        /// Bytes of the frame.
        len: usize,
        /// The most: [`MAX_UNREAD`].
        max: usize,
    },
    /// The frame cannot be written at all.
    Frame(FrameError),
}

impl Outbox {
    /// A queue of so many bytes, at least [`MAX_UNREAD`] and at most [`MAX_QUEUE`]. It takes twice
    /// as much memory, now and never more.
    pub fn new(limit: usize) -> Outbox {
        let limit = limit.clamp(MAX_UNREAD, MAX_QUEUE);
        let buffer = vec![0; 2 * limit].into_boxed_slice();
        Outbox { buffer, limit, start: 0, batch: 0, end: 0, unread: 0 }
    }

    /// Queues a frame; its body is given in parts.
    ///
    /// # Errors
    ///
    /// [`PushError::Full`], or [`PushError::TooLong`] for a frame that no batch could hold.
    pub fn push(&mut self, kind: u8, parts: &[&[u8]]) -> Result<(), PushError> {
        let body = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
        let need = body.saturating_add(FRAME_HEAD);
        if need > MAX_UNREAD {
            return Err(PushError::TooLong { len: need, max: MAX_UNREAD });
        }
        let room = self.room();
        let full = PushError::Full { need, room, limit: self.limit };
        if need > room {
            return Err(full);
        }
        if need > self.buffer.len() - self.end {
            self.move_to_front();
        }
        let len = encode_frame(&mut self.buffer[self.end..], kind, parts).map_err(|_| full)?;
        self.end += len;
        self.grow_batch();
        Ok(())
    }

    /// Queues a frame that is typed.
    pub(super) fn push_frame(&mut self, frame: &impl Encode) -> Result<(), PushError> {
        frame.parts(|kind, parts| self.push(kind, parts)).map_err(PushError::Frame)?
    }

    /// What is to be written now, best in one call of the system: whole frames, but for the rest of
    /// one that was written in part.
    pub fn output(&self) -> &[u8] {
        &self.buffer[self.start..self.batch]
    }

    /// The first `len` bytes of the output were written; more than there are count as all.
    pub fn written(&mut self, len: usize) {
        let len = len.min(self.batch - self.start);
        self.start += len;
        self.unread += len;
        if self.start == self.end {
            (self.start, self.batch, self.end) = (0, 0, 0);
        }
    }

    /// The peer has read everything that was written.
    pub fn peer_read_all(&mut self) {
        self.unread = 0;
        self.grow_batch();
    }

    /// Whether something waits for [`peer_read_all`](Outbox::peer_read_all) and nothing else.
    pub fn awaits_peer(&self) -> bool {
        self.start == self.batch && self.batch < self.end
    }

    /// Bytes that are queued and not written.
    pub fn queued(&self) -> usize {
        self.end - self.start
    }

    /// Bytes that are free.
    pub fn room(&self) -> usize {
        self.limit - self.queued()
    }

    /// Lets the batch grow by whole frames while the peer may be sent more.
    fn grow_batch(&mut self) {
        while self.batch < self.end {
            let Some(&[_, high, low]) = self.buffer[self.batch..self.end].first_chunk() else {
                break;
            };
            let len = FRAME_HEAD + usize::from(u16::from_be_bytes([high, low]));
            if self.unread + (self.batch - self.start) + len > MAX_UNREAD {
                break;
            }
            self.batch += len;
        }
    }

    fn move_to_front(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.batch -= self.start;
        self.end -= self.start;
        self.start = 0;
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("limit", &self.limit)
            .field("queued", &self.queued())
            .field("output", &(self.batch - self.start))
            .field("unread", &self.unread)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PushError::Full { need, room, limit } => write!(
                f,
                "a frame of {need} bytes, where {room} of the {limit} bytes of the queue are free"
            ),
            PushError::TooLong { len, max } => {
                write!(f, "a frame of {len} bytes is over the limit of {max} that a peer reads")
            }
            PushError::Frame(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for PushError {}
