//! The frame around a message on a stream, put together from any cut.

#![forbid(unsafe_code)]

use super::WireError;
use core::fmt;

/// Bytes in front of a frame's body.
pub const FRAME_HEAD: usize = 3;

/// One frame: what it is, and its body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Where its first byte stands in the stream, from 0.
    pub at: u64,
    /// The first byte; what it means is the protocol's affair.
    pub kind: u8,
    /// As many bytes as the head said.
    pub body: &'a [u8],
}

/// Writes the head of a frame with a body of `len` bytes.
///
/// ```
/// # use smd_lockfree::wire::frame_head;
/// assert_eq!(frame_head(0xad, 57), [0xad, 0, 57]);
/// ```
pub const fn frame_head(kind: u8, len: u16) -> [u8; FRAME_HEAD] {
    let [high, low] = len.to_be_bytes();
    [kind, high, low]
}

/// Writes a whole frame to the start of `out` and returns how many bytes it took. The body is given
/// in parts, which are put one behind the other.
///
/// # Errors
///
/// [`WireError::FrameTooLong`] if the parts are more than a head can say, [`u16::MAX`] bytes;
/// [`WireError::NoRoom`] if `out` is too short. On an error `out` is as it was.
///
/// ```
/// use smd_lockfree::wire::encode_frame;
///
/// let mut out = [0; 8];
/// assert_eq!(encode_frame(&mut out, 0x55, &[b"ab", b"c"])?, 6);
/// assert_eq!(&out[..6], b"\x55\x00\x03abc");
/// # Ok::<(), smd_lockfree::wire::WireError>(())
/// ```
pub fn encode_frame(out: &mut [u8], kind: u8, parts: &[&[u8]]) -> Result<usize, WireError> {
    let body = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
    let max = usize::from(u16::MAX);
    let too_long = WireError::FrameTooLong { at: 0, kind, len: body, max };
    let head = frame_head(kind, u16::try_from(body).map_err(|_| too_long)?);
    let need = FRAME_HEAD + body;
    let no_room = WireError::NoRoom { at: out.len(), need };
    let mut rest = out.get_mut(..need).ok_or(no_room)?;
    for part in core::iter::once(&head[..]).chain(parts.iter().copied()) {
        let (here, behind) = rest.split_at_mut(part.len());
        here.copy_from_slice(part);
        rest = behind;
    }
    Ok(need)
}

/// Takes a stream apart into frames, however it is cut. `CAPACITY` bytes of memory, of which the
/// head takes three: longer frames are told and skipped.
///
/// A frame that lies whole in the input is given as a part of it, without a copy; only one that is
/// cut is put together inside.
///
/// ```
/// use smd_lockfree::wire::Decoder;
///
/// let mut decoder = Decoder::<64>::new();
/// let mut input = &b"\x55\x00\x01a\x56\x00"[..];
/// let frame = decoder.next(&mut input)?.expect("a whole one");
/// assert_eq!((frame.at, frame.kind, frame.body), (0, 0x55, &b"a"[..]));
/// assert_eq!(decoder.next(&mut input)?, None);
///
/// let mut input = &b"\x02bc"[..];
/// let frame = decoder.next(&mut input)?.expect("its rest");
/// assert_eq!((frame.at, frame.kind, frame.body), (4, 0x56, &b"bc"[..]));
/// decoder.finish()?;
/// # Ok::<(), smd_lockfree::wire::WireError>(())
/// ```
#[derive(Clone)]
pub struct Decoder<const CAPACITY: usize> {
    /// The beginning of a frame that is not whole.
    buffer: [u8; CAPACITY],
    held: usize,
    /// The frame in `buffer` was given, and is forgotten at the next call.
    was_given: bool,
    /// Bytes of a frame that is too long and still to come.
    skip: usize,
    /// Bytes of the stream in front of what is held.
    at: u64,
}

impl<const CAPACITY: usize> Decoder<CAPACITY> {
    /// The longest body that is put together.
    pub const MAX_BODY: usize = {
        assert!(CAPACITY >= FRAME_HEAD, "a decoder holds a head at least");
        CAPACITY - FRAME_HEAD
    };

    /// A decoder at the start of a stream.
    pub const fn new() -> Self {
        // Named, so that a capacity without room for a head does not compile.
        let _ = Self::MAX_BODY;
        Decoder { buffer: [0; CAPACITY], held: 0, was_given: false, skip: 0, at: 0 }
    }

    /// The next frame; what it took is cut off the front of `input`. `None`: all of `input` was
    /// taken, and the frame is not whole.
    ///
    /// # Errors
    ///
    /// [`WireError::FrameTooLong`] as soon as a head says more than [`Self::MAX_BODY`] bytes. The
    /// rest of that frame is skipped by later calls, and the stream goes on behind it: the caller
    /// decides whether to close.
    #[allow(clippy::should_implement_trait)] // not an iterator: it lends, and wants input
    pub fn next<'d, 'i: 'd>(
        &'d mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Frame<'d>>, WireError> {
        if core::mem::take(&mut self.was_given) {
            self.at += self.held as u64;
            self.held = 0;
        }
        let skipped = self.skip.min(input.len());
        *input = &input[skipped..];
        self.skip -= skipped;
        self.at += skipped as u64;
        if self.held == 0 {
            let Some(len) = whole_len(input) else { return Ok(self.keep(input, FRAME_HEAD)) };
            if len <= CAPACITY && len <= input.len() {
                let (frame, rest) = input.split_at(len);
                *input = rest;
                let at = self.at;
                self.at += len as u64;
                return Ok(Some(Frame { at, kind: frame[0], body: &frame[FRAME_HEAD..] }));
            }
        }
        self.keep(input, FRAME_HEAD);
        let Some(len) = whole_len(&self.buffer[..self.held]) else { return Ok(None) };
        if len > CAPACITY {
            let (at, kind) = (self.at, self.buffer[0]);
            self.skip = len - self.held;
            self.at += self.held as u64;
            self.held = 0;
            let (len, max) = (len - FRAME_HEAD, Self::MAX_BODY);
            return Err(WireError::FrameTooLong { at, kind, len, max });
        }
        self.keep(input, len);
        if self.held < len {
            return Ok(None);
        }
        self.was_given = true;
        let body = &self.buffer[FRAME_HEAD..len];
        Ok(Some(Frame { at: self.at, kind: self.buffer[0], body }))
    }

    /// Whether the stream may end here.
    ///
    /// # Errors
    ///
    /// [`WireError::FrameCut`] inside a frame.
    pub fn finish(&self) -> Result<(), WireError> {
        let held = if self.was_given { 0 } else { self.held };
        if held == 0 && self.skip == 0 {
            return Ok(());
        }
        let need = match whole_len(&self.buffer[..held]) {
            _ if self.skip > 0 => self.skip,
            Some(len) => len - held,
            None => FRAME_HEAD - held,
        };
        Err(WireError::FrameCut { at: self.position(), need })
    }

    /// How many bytes of the stream were taken.
    pub const fn position(&self) -> u64 {
        self.at + self.held as u64
    }

    /// Takes bytes over until `len` are held; always `None`.
    fn keep(&mut self, input: &mut &[u8], len: usize) -> Option<Frame<'static>> {
        let more = len.saturating_sub(self.held).min(input.len());
        let (taken, rest) = input.split_at(more);
        self.buffer[self.held..self.held + more].copy_from_slice(taken);
        self.held += more;
        *input = rest;
        None
    }
}

impl<const CAPACITY: usize> Default for Decoder<CAPACITY> {
    fn default() -> Self {
        Decoder::new()
    }
}

impl<const CAPACITY: usize> fmt::Debug for Decoder<CAPACITY> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("position", &self.position())
            .field("held", &self.held)
            .field("skip", &self.skip)
            .finish_non_exhaustive()
    }
}

/// Bytes of the frame that begins with these, head and body, if its head is there.
fn whole_len(bytes: &[u8]) -> Option<usize> {
    let &[_, high, low] = bytes.first_chunk()?;
    Some(FRAME_HEAD + usize::from(u16::from_be_bytes([high, low])))
}
