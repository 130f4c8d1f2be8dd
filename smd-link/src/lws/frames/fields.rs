//! The fields of a frame, one after the other, with the place of each in the stream.

use super::error::{FrameError, FrameErrorReason};
use super::kind::Lengths;
use smd_lockfree::wire::{FRAME_HEAD, Frame};

/// What is left of a frame.
pub(super) struct Fields<'a> {
    kind: u8,
    /// Where `rest` begins in the stream.
    at: u64,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// All of a frame whose type and length are sound.
    pub(super) fn new(frame: Frame<'a>, lengths: Lengths) -> Result<Fields<'a>, FrameError> {
        let Frame { at, kind, body } = frame;
        let Some((min, max)) = lengths(kind) else {
            return Err(FrameError { at, kind, why: FrameErrorReason::Type });
        };
        let len = body.len();
        if len < min || len > max {
            // The length stands right behind the type.
            let why = FrameErrorReason::Length { len, min, max };
            return Err(FrameError { at: at.saturating_add(1), kind, why });
        }
        Ok(Fields { kind, at: at.saturating_add(FRAME_HEAD as u64), rest: body })
    }

    /// An error at the next byte.
    pub(super) fn error(&self, why: FrameErrorReason) -> FrameError {
        FrameError { at: self.at, kind: self.kind, why }
    }

    pub(super) fn u8(&mut self) -> Result<u8, FrameError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, FrameError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, FrameError> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next `len` bytes.
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], FrameError> {
        let left = self.rest.len();
        let why = FrameErrorReason::Inner { need: len, left };
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(self.error(why))?;
        self.rest = rest;
        self.at = self.at.saturating_add(len as u64);
        Ok(taken)
    }

    /// Where the next byte stands in the stream.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    pub(super) fn kind(&self) -> u8 {
        self.kind
    }

    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// All that is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let taken = self.take(N)?;
        // `take` gave as many as were asked for, so the copy is whole.
        let mut bytes = [0; N];
        bytes.copy_from_slice(taken);
        Ok(bytes)
    }
}
