//! The stream from the peer, as frames that this side takes.

use super::frames::kind::{self, Lengths};
use super::frames::{FrameError, FrameErrorReason};
use smd_lockfree::MAX_NAME;
use smd_lockfree::wire::{Decoder, FRAME_HEAD, Frame, MAX_MESSAGE, WireError};

/// Bytes of the longest frame that is put together: a message with the longest body of a bus, and a
/// rideshare name before it. The first frames of both sides are shorter.
const CAPACITY: usize = FRAME_HEAD + kind::PAYLOAD + 1 + MAX_NAME + MAX_MESSAGE;

/// Bytes of the longest body that is put together.
pub(super) const MAX_FRAME_BODY: usize = CAPACITY - FRAME_HEAD;

/// Takes the stream apart.
#[derive(Clone, Debug)]
pub(super) struct Input {
    decoder: Decoder<CAPACITY>,
    /// Where the next frame begins that was not begun.
    next_at: u64,
}

/// A frame, or where a long one was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Taken<'a> {
    Frame(Frame<'a>),
    /// More than this side reads; it is skipped.
    TooLong {
        at: u64,
        kind: u8,
        /// Bytes of the body.
        len: usize,
    },
}

impl Input {
    pub(super) const fn new() -> Input {
        Input { decoder: Decoder::new(), next_at: 0 }
    }

    /// The next frame, `None` when `input` is used up. An error is not the last word of the
    /// decoder, but what comes after it has no meaning.
    pub(super) fn next<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
        lengths: Lengths,
    ) -> Result<Option<Taken<'s>>, FrameError> {
        // At its first byte, since a frame of an unknown type has a length that means nothing, and
        // that many bytes may never come.
        if let Some(kind) = self.first_byte(input)
            && lengths(kind).is_none()
        {
            return Err(FrameError { at: self.next_at, kind, why: FrameErrorReason::Type });
        }
        match self.decoder.next(input) {
            Ok(None) => Ok(None),
            Ok(Some(frame)) => {
                self.next_at = end(frame.at, frame.body.len());
                Ok(Some(Taken::Frame(frame)))
            }
            Err(WireError::FrameTooLong { at, kind, len, .. }) => {
                self.next_at = end(at, len);
                let (min, max) = lengths(kind).unwrap_or_default();
                if len > max {
                    let why = FrameErrorReason::Length { len, min, max };
                    return Err(FrameError { at: at.saturating_add(1), kind, why });
                }
                Ok(Some(Taken::TooLong { at, kind, len }))
            }
            Err(error) => {
                Err(FrameError { at: error.at(), kind: 0, why: FrameErrorReason::Wire(error) })
            }
        }
    }

    /// How many bytes of the stream were taken.
    pub(super) const fn position(&self) -> u64 {
        self.decoder.position()
    }

    /// The bytes that are missing of a frame that was begun, at least.
    pub(super) fn missing(&self) -> Option<usize> {
        match self.decoder.finish() {
            Err(WireError::FrameCut { need, .. }) => Some(need),
            _ => None,
        }
    }

    /// The first byte of the next frame, if it lies in `input` and no frame is begun.
    fn first_byte(&self, input: &[u8]) -> Option<u8> {
        let skip = self.next_at.checked_sub(self.decoder.position())?;
        input.get(usize::try_from(skip).ok()?).copied()
    }
}

fn end(at: u64, len: usize) -> u64 {
    at.saturating_add((FRAME_HEAD + len) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report of 500 bytes, which is more than is kept; a short one; and a type that is none.
    fn stream() -> Vec<u8> {
        let mut stream = vec![kind::PERF, 1, 0xf4];
        stream.resize(503, b' ');
        stream.extend([kind::PERF, 0, 1, b' ', 0xb2]);
        stream
    }

    #[test]
    fn an_unknown_type_shows_at_its_first_byte_behind_whatever_came() {
        let stream = stream();
        for len in [1, 2, 3, 499, 502, 503, 504, 508] {
            let mut input = Input::new();
            let mut seen = Vec::new();
            for mut piece in stream.chunks(len) {
                loop {
                    match input.next(&mut piece, kind::to_proxy) {
                        Ok(None) => break,
                        Ok(Some(taken)) => seen.push(format!("{taken:?}")),
                        Err(error) => {
                            seen.push(format!("{error:?}"));
                            break;
                        }
                    }
                }
            }
            let long = Taken::TooLong { at: 0, kind: kind::PERF, len: 500 };
            let short = Taken::Frame(Frame { at: 503, kind: kind::PERF, body: b" " });
            let error = FrameError { at: 507, kind: 0xb2, why: FrameErrorReason::Type };
            let expected = [format!("{long:?}"), format!("{short:?}"), format!("{error:?}")];
            assert_eq!(seen, expected, "in pieces of {len}");
        }
    }

    #[test]
    fn a_length_that_no_frame_of_its_type_has_shows_behind_the_head() {
        let mut input = Input::new();
        let error = input.next(&mut &b"\xb0\xff\xff"[..], kind::to_proxy).unwrap_err();
        let why = FrameErrorReason::Length { len: 65_535, min: 4, max: 4 };
        assert_eq!(error, FrameError { at: 1, kind: 0xb0, why });
    }

    #[test]
    fn the_longest_message_of_a_bus_fits_and_what_is_missing_is_told() {
        let mut stream = vec![kind::TX_PAYLOAD, 1, 0xc0];
        stream.resize(3 + MAX_FRAME_BODY, 0);
        assert_eq!(MAX_FRAME_BODY, 0x1c0);
        let (front, last) = stream.split_at(stream.len() - 1);
        let mut input = Input::new();
        assert_eq!(input.missing(), None);
        assert_eq!(input.next(&mut &front[..], kind::to_proxy), Ok(None));
        assert_eq!((input.missing(), input.position()), (Some(1), 450));
        let taken = input.next(&mut &last[..], kind::to_proxy).unwrap();
        assert!(matches!(taken, Some(Taken::Frame(frame)) if frame.body == &stream[3..]));
        assert_eq!(input.missing(), None);
    }
}
