//! Every frame of the protocol, typed, for both directions (section 2).
//!
//! A decoder knows the length of a whole frame before it looks at a field, and each type has its
//! least and most bytes. What decodes encodes to the same bytes.

mod error;
mod fields;
pub(super) mod kind;
mod parts;
#[cfg(test)]
mod tests;

pub use error::{FrameError, FrameErrorReason};
pub use parts::{ConnState, CreateResult, Metadata, Payload, StreamType, TimeoutUpdate, flags};

use fields::Fields;
use smd_lockfree::wire::{Frame, encode_frame};

/// A frame from a client to its proxy.
///
/// ```
/// use smd_link::lws::{StreamType, ToProxy};
/// use smd_lockfree::wire::Decoder;
///
/// let hello = StreamType { pid: 11852, mask: 0xe, name: b"_lws_smd" };
/// let mut out = [0; 64];
/// let len = ToProxy::StreamType(hello).encode(&mut out)?;
/// assert_eq!(&out[..len], b"\xaa\0\x11\x01\0\0\x2e\x4c\0\0\0\x0e_lws_smd");
///
/// let mut decoder = Decoder::<64>::new();
/// let frame = decoder.next(&mut &out[..len])?.expect("a whole one");
/// assert_eq!(ToProxy::decode(frame)?, ToProxy::StreamType(hello));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ToProxy<'a> {
    /// `aa`: who the client is and what it wants; the first frame.
    StreamType(StreamType<'a>),
    /// `ab`: asks for states 6 and 5.
    OnwardConnect,
    /// `ac`: the client goes away. No libwebsockets client sends it.
    Destroying,
    /// `ad`: a message.
    TxPayload(Payload<'a>),
    /// `ae`: metadata, which this stream has none of.
    Metadata(Metadata<'a>),
    /// `af`: more credit; the mask of this stream stays as it is.
    TxCredit(u32),
    /// `b0`: the time-out of the stream.
    Timeout(TimeoutUpdate),
    /// `b1`: how long the next payload will be.
    LengthHint(u32),
    /// `5b`: a report for the other direction, which a proxy skips.
    Perf(&'a [u8]),
}

impl<'a> ToProxy<'a> {
    /// Takes a frame apart.
    ///
    /// # Errors
    ///
    /// [`FrameError`]: a type that no client sends, a length that its type cannot have, a version
    /// other than 1, or a name that is none.
    pub fn decode(frame: Frame<'a>) -> Result<ToProxy<'a>, FrameError> {
        if frame.kind == kind::STREAM_TYPE {
            // Before its length: of another version that may be anything.
            StreamType::check_version(frame)?;
        }
        let mut fields = Fields::new(frame, kind::to_proxy)?;
        Ok(match frame.kind {
            kind::STREAM_TYPE => ToProxy::StreamType(StreamType::read(fields)?),
            kind::ONWARD_CONNECT => ToProxy::OnwardConnect,
            kind::DESTROYING => ToProxy::Destroying,
            kind::TX_PAYLOAD => ToProxy::TxPayload(Payload::read(fields)?),
            kind::TX_METADATA => ToProxy::Metadata(Metadata::read(fields)?),
            kind::TX_CREDIT => ToProxy::TxCredit(fields.u32()?),
            kind::TIMEOUT => ToProxy::Timeout(TimeoutUpdate::from_wire(fields.u32()?)),
            kind::LENGTH_HINT => ToProxy::LengthHint(fields.u32()?),
            kind::PERF => ToProxy::Perf(fields.rest()),
            _ => return Err(fields.error(FrameErrorReason::Type)),
        })
    }

    /// Writes the frame to the start of `out` and returns how many bytes it took.
    ///
    /// # Errors
    ///
    /// [`FrameError`] if `out` is too short, or a field holds what no frame can; the byte that it
    /// names counts from the frame's first. On an error `out` is as it was.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, FrameError> {
        self.parts(|kind, parts| put(out, kind, parts))?
    }
}

impl Encode for ToProxy<'_> {
    fn parts<R>(&self, put: impl FnOnce(u8, &[&[u8]]) -> R) -> Result<R, FrameError> {
        match self {
            ToProxy::StreamType(hello) => hello.parts(put),
            ToProxy::OnwardConnect => Ok(put(kind::ONWARD_CONNECT, &[])),
            ToProxy::Destroying => Ok(put(kind::DESTROYING, &[])),
            ToProxy::TxPayload(payload) => payload.parts(kind::TX_PAYLOAD, put),
            ToProxy::Metadata(metadata) => metadata.parts(kind::TX_METADATA, put),
            ToProxy::TxCredit(bytes) => Ok(put(kind::TX_CREDIT, &[&bytes.to_be_bytes()])),
            ToProxy::Timeout(update) => Ok(put(kind::TIMEOUT, &[&update.to_wire().to_be_bytes()])),
            ToProxy::LengthHint(bytes) => Ok(put(kind::LENGTH_HINT, &[&bytes.to_be_bytes()])),
            ToProxy::Perf(text) => Ok(put(kind::PERF, &[text])),
        }
    }
}

/// A frame from a proxy to its client.
///
/// ```
/// use smd_link::lws::{ConnState, State, ToClient};
///
/// let mut out = [0; 64];
/// let len = ToClient::ConnState(ConnState::new(State::CONNECTED)).encode(&mut out)?;
/// assert_eq!(out[..len], [0x57, 0, 5, 5, 0, 0, 0, 0]);
/// # Ok::<(), smd_link::lws::FrameError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ToClient<'a> {
    /// `55`: a message.
    RxPayload(Payload<'a>),
    /// `56`: whether the stream was made; the first frame.
    CreateResult(CreateResult<'a>),
    /// `57`: a new state of the stream.
    ConnState(ConnState),
    /// `58`: more credit. Not sent for this stream, and harmless.
    TxCredit(u32),
    /// `59`: metadata. Not sent for this stream, and harmless.
    Metadata(Metadata<'a>),
    /// `5b`: a report, as JSON. Not sent for this stream, and harmless.
    Perf(&'a [u8]),
}

impl<'a> ToClient<'a> {
    /// Takes a frame apart.
    ///
    /// # Errors
    ///
    /// [`FrameError`]: a type that no proxy sends, a length that its type cannot have, or a name
    /// that is none.
    pub fn decode(frame: Frame<'a>) -> Result<ToClient<'a>, FrameError> {
        let mut fields = Fields::new(frame, kind::to_client)?;
        Ok(match frame.kind {
            kind::RX_PAYLOAD => ToClient::RxPayload(Payload::read(fields)?),
            kind::CREATE_RESULT => ToClient::CreateResult(CreateResult::read(fields)?),
            kind::CONN_STATE => ToClient::ConnState(ConnState::read(fields)?),
            kind::RX_CREDIT => ToClient::TxCredit(fields.u32()?),
            kind::RX_METADATA => ToClient::Metadata(Metadata::read(fields)?),
            kind::PERF => ToClient::Perf(fields.rest()),
            _ => return Err(fields.error(FrameErrorReason::Type)),
        })
    }

    /// Writes the frame to the start of `out` and returns how many bytes it took.
    ///
    /// # Errors
    ///
    /// [`FrameError`] if `out` is too short, or a field holds what no frame can; the byte that it
    /// names counts from the frame's first. On an error `out` is as it was.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, FrameError> {
        self.parts(|kind, parts| put(out, kind, parts))?
    }
}

impl Encode for ToClient<'_> {
    fn parts<R>(&self, put: impl FnOnce(u8, &[&[u8]]) -> R) -> Result<R, FrameError> {
        match self {
            ToClient::RxPayload(payload) => payload.parts(kind::RX_PAYLOAD, put),
            ToClient::CreateResult(result) => Ok(result.parts(put)),
            ToClient::ConnState(state) => state.parts(put),
            ToClient::TxCredit(bytes) => Ok(put(kind::RX_CREDIT, &[&bytes.to_be_bytes()])),
            ToClient::Metadata(metadata) => metadata.parts(kind::RX_METADATA, put),
            ToClient::Perf(text) => Ok(put(kind::PERF, &[text])),
        }
    }
}

/// A frame that can be written in pieces, so that a queue takes it without a copy in between.
pub(super) trait Encode {
    /// Gives the type and the pieces of the body to `put`, once, if the fields are sound.
    fn parts<R>(&self, put: impl FnOnce(u8, &[&[u8]]) -> R) -> Result<R, FrameError>;
}

fn put(out: &mut [u8], kind: u8, parts: &[&[u8]]) -> Result<usize, FrameError> {
    encode_frame(out, kind, parts).map_err(|error| FrameError {
        at: error.at(),
        kind,
        why: FrameErrorReason::Wire(error),
    })
}
