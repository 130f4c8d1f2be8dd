//! The frames that have more than one field.

use super::error::{FrameError, FrameErrorReason};
use super::fields::Fields;
use super::kind;
use crate::lws::{State, VERSION};
use smd_lockfree::MAX_NAME;
use smd_lockfree::wire::{FRAME_HEAD, Frame};

/// The flags of a payload (section 2).
pub mod flags {
    /// The first part of a message.
    pub const START: u32 = 1;
    /// The last part of a message.
    pub const END: u32 = 2;
    /// A name stands before the message. Never set here.
    pub const RIDESHARE: u32 = 32;
    /// What each message of this stream has: it is the first part and the last.
    pub const WHOLE: u32 = START | END;
}

/// Who a client is and what it wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamType<'a> {
    /// The client's process, for information; 0 on Windows.
    pub pid: u32,
    /// The classes that it wants; 0 for one that only sends.
    pub mask: u32,
    /// The name of the stream: 1 to 31 bytes, none of them 0.
    pub name: &'a [u8],
}

impl<'a> StreamType<'a> {
    pub(super) fn check_version(frame: Frame<'a>) -> Result<(), FrameError> {
        let Frame { at, kind, body } = frame;
        match body.first() {
            Some(&version) if version != VERSION => {
                let at = at.saturating_add(FRAME_HEAD as u64);
                Err(FrameError { at, kind, why: FrameErrorReason::Version { version } })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn read(mut fields: Fields<'a>) -> Result<StreamType<'a>, FrameError> {
        fields.u8()?; // the version
        let (pid, mask) = (fields.u32()?, fields.u32()?);
        Ok(StreamType { pid, mask, name: read_name(&mut fields, None)? })
    }

    pub(super) fn parts<R>(&self, put: impl FnOnce(u8, &[&[u8]]) -> R) -> Result<R, FrameError> {
        let kind = kind::STREAM_TYPE;
        check_name(self.name, FRAME_HEAD + kind::HELLO, kind)?;
        let (pid, mask) = (self.pid.to_be_bytes(), self.mask.to_be_bytes());
        Ok(put(kind, &[&[VERSION], &pid, &mask, self.name]))
    }
}

/// A message, with what stands around it: the body of `ad` and `55`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Payload<'a> {
    /// See [`flags`]; [`flags::WHOLE`] for this stream.
    pub flags: u32,
    /// Microseconds that it waited at the client; 0 from a proxy.
    pub waited_us: u32,
    /// When it was written, in microseconds of the sender's monotonic clock.
    pub time_us: u64,
    /// With [`flags::RIDESHARE`] a name of 1 to 31 bytes, else empty.
    pub rideshare: &'a [u8],
    /// The message: 16 bytes of header and the body, if it is one.
    pub message: &'a [u8],
}

impl<'a> Payload<'a> {
    pub(super) fn read(mut fields: Fields<'a>) -> Result<Payload<'a>, FrameError> {
        let (flags, waited_us, time_us) = (fields.u32()?, fields.u32()?, fields.u64()?);
        let rideshare = if flags & flags::RIDESHARE == 0 {
            &[]
        } else {
            let len = fields.u8()?;
            read_name(&mut fields, Some(len.into()))?
        };
        Ok(Payload { flags, waited_us, time_us, rideshare, message: fields.rest() })
    }

    pub(super) fn parts<R>(
        &self,
        kind: u8,
        put: impl FnOnce(u8, &[&[u8]]) -> R,
    ) -> Result<R, FrameError> {
        let Payload { flags, waited_us, time_us, rideshare, message } = *self;
        let (flags, waited) = (flags.to_be_bytes(), waited_us.to_be_bytes());
        let time = time_us.to_be_bytes();
        let after = FRAME_HEAD + kind::PAYLOAD;
        if self.flags & flags::RIDESHARE != 0 {
            check_name(rideshare, after + 1, kind)?;
            // Checked: at most 31.
            let len = [rideshare.len() as u8];
            return Ok(put(kind, &[&flags, &waited, &time, &len, rideshare, message]));
        }
        if !rideshare.is_empty() {
            let why = FrameErrorReason::Rideshare;
            return Err(FrameError { at: after as u64, kind, why });
        }
        Ok(put(kind, &[&flags, &waited, &time, message]))
    }
}

/// A name and a value: the body of `ae` and `59`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metadata<'a> {
    /// At most 255 bytes.
    pub name: &'a [u8],
    /// The rest of the frame.
    pub value: &'a [u8],
}

impl<'a> Metadata<'a> {
    pub(super) fn read(mut fields: Fields<'a>) -> Result<Metadata<'a>, FrameError> {
        let len = fields.u8()?;
        let name = fields.take(len.into())?;
        Ok(Metadata { name, value: fields.rest() })
    }

    pub(super) fn parts<R>(
        &self,
        kind: u8,
        put: impl FnOnce(u8, &[&[u8]]) -> R,
    ) -> Result<R, FrameError> {
        let (len, max) = (self.name.len(), usize::from(u8::MAX));
        let why = FrameErrorReason::NameLength { len, max };
        let len = u8::try_from(len).map_err(|_| FrameError { at: FRAME_HEAD as u64, kind, why })?;
        Ok(put(kind, &[&[len], self.name, self.value]))
    }
}

/// What is to become of the time-out of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeoutUpdate {
    /// It starts with the time of the stream's policy, 0 on the wire.
    Policy,
    /// It starts with so many milliseconds: 1 to `ffff_fffe`.
    Start(u32),
    /// It stops: `ffff_ffff` on the wire.
    Cancel,
}

impl TimeoutUpdate {
    pub(super) const fn from_wire(milliseconds: u32) -> TimeoutUpdate {
        match milliseconds {
            0 => TimeoutUpdate::Policy,
            u32::MAX => TimeoutUpdate::Cancel,
            some => TimeoutUpdate::Start(some),
        }
    }

    pub(super) const fn to_wire(self) -> u32 {
        match self {
            TimeoutUpdate::Policy => 0,
            TimeoutUpdate::Start(milliseconds) => milliseconds,
            TimeoutUpdate::Cancel => u32::MAX,
        }
    }
}

/// Whether the proxy made the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CreateResult<'a> {
    /// 0 if it did.
    pub result: u8,
    /// Bytes of buffer that the client should have; 0 leaves it at 32768.
    pub client_buffer: u32,
    /// Names with commas between them; without a meaning for this stream. A libwebsockets client
    /// takes up to 127 bytes with at most 3 commas (section 5.1).
    pub rideshares: &'a [u8],
}

impl<'a> CreateResult<'a> {
    pub(super) fn read(mut fields: Fields<'a>) -> Result<CreateResult<'a>, FrameError> {
        let (result, client_buffer) = (fields.u8()?, fields.u32()?);
        Ok(CreateResult { result, client_buffer, rideshares: fields.rest() })
    }

    pub(super) fn parts<R>(&self, put: impl FnOnce(u8, &[&[u8]]) -> R) -> R {
        let buffer = self.client_buffer.to_be_bytes();
        put(kind::CREATE_RESULT, &[&[self.result], &buffer, self.rideshares])
    }
}

/// A new state of the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnState {
    /// The state.
    pub state: State,
    /// A number of the state's own; 0 for this stream.
    pub ordinal: u32,
    /// Bytes that the state's number has in the frame, 1 to 4. A libwebsockets proxy writes 1, and
    /// 4 for a number above 255; its client reads what it gets.
    pub width: u8,
}

impl ConnState {
    /// With ordinal 0, and as many bytes as a libwebsockets proxy writes.
    pub const fn new(state: State) -> ConnState {
        let width = if state.number() > 0xff { 4 } else { 1 };
        ConnState { state, ordinal: 0, width }
    }

    pub(super) fn read(mut fields: Fields<'_>) -> Result<ConnState, FrameError> {
        let width = fields.left().saturating_sub(4);
        let mut number = 0;
        for &byte in fields.take(width)? {
            number = number << 8 | u32::from(byte);
        }
        // The length was checked: 1 to 4.
        Ok(ConnState { state: State::new(number), ordinal: fields.u32()?, width: width as u8 })
    }

    pub(super) fn parts<R>(&self, put: impl FnOnce(u8, &[&[u8]]) -> R) -> Result<R, FrameError> {
        let (kind, state, width) = (kind::CONN_STATE, self.state.number(), self.width);
        let bytes = state.to_be_bytes();
        let sound = (1..=4).contains(&width) && (width == 4 || state >> (8 * width) == 0);
        if !sound {
            let why = FrameErrorReason::StateWidth { state, width };
            return Err(FrameError { at: FRAME_HEAD as u64, kind, why });
        }
        let number = &bytes[bytes.len() - usize::from(width)..];
        Ok(put(kind, &[number, &self.ordinal.to_be_bytes()]))
    }
}

/// A name of so many bytes, or of all that are left.
fn read_name<'a>(fields: &mut Fields<'a>, len: Option<usize>) -> Result<&'a [u8], FrameError> {
    let len = len.unwrap_or(fields.left());
    let (begin, kind) = (fields.at(), fields.kind());
    let name = fields.take(len)?;
    check_name(name, 0, kind)
        .map_err(|error| FrameError { at: begin.saturating_add(error.at), ..error })?;
    Ok(name)
}

fn check_name(name: &[u8], at: usize, kind: u8) -> Result<(), FrameError> {
    let len = name.len();
    if len == 0 || len > MAX_NAME {
        let why = FrameErrorReason::NameLength { len, max: MAX_NAME };
        return Err(FrameError { at: at as u64, kind, why });
    }
    match name.iter().position(|&byte| byte == 0) {
        Some(nul) => {
            let why = FrameErrorReason::NameNul;
            Err(FrameError { at: (at + nul) as u64, kind, why })
        }
        None => Ok(()),
    }
}
