//! The protocol of the libwebsockets proxy for `_lws_smd`, both sides.
//!
//! The specification is `LWS-PROXY.md` in this crate; comments cite its sections by number.
//!
//! ```text
//!   libwebsockets client                             libwebsockets proxy
//!            |  aa, then ad ...                               ^  aa, then ad ...
//!            v                                                |
//!   [ proxy::Session ]  55, 56, 57 ...               [ client::Session ]
//!        ours: stands where their proxy would             ours: stands where their client would
//!
//!   bytes in -> next -> events          send -> Outbox -> output -> bytes out
//! ```
//!
//! A session does no I/O and reads no clock. What drives it:
//!
//! 1. gives what it has read to `next`, again and again until there is no event; it may stop
//!    between two events and keep the rest, which holds the peer back;
//! 2. writes what `output` shows, in one call of the system, and says so with `written`;
//! 3. says `peer_read_all` when the peer has read everything (on Linux, for a Unix socket:
//!    `SIOCOUTQ` is 0), since no more than [`MAX_UNREAD`] bytes may wait for a libwebsockets peer;
//! 4. calls `tick` at the `deadline`, after it has read what was there: only `tick` lets time run
//!    out, so that bytes which came in time and were read late still count;
//! 5. closes after a [`Fault`], which is final, or calls `finish` at the end of the stream.
//!
//! The peers have no acknowledgement and no sequence number, and lose silently in several places
//! (sections 4.6 to 4.10 and 5.7 to 5.10). These sessions stay clear of all of them: whole frames,
//! few unread bytes, short bodies, nothing before its time. What they refuse or drop they count.

mod fault;
mod frames;
mod input;
mod message;
mod outbox;
mod state;

pub mod client;
pub mod proxy;

pub use fault::{Counts, DropReason, Fault, FaultReason, SendError};
pub use frames::{
    ConnState, CreateResult, FrameError, FrameErrorReason, Metadata, Payload, StreamType,
    TimeoutUpdate, ToClient, ToProxy, flags,
};
pub use outbox::{Outbox, PushError};
pub use state::State;

use core::time::Duration;
#[cfg(target_os = "linux")]
use smd_lockfree::wire;
use smd_lockfree::{MAX_PAYLOAD, Timestamp};

/// The version of the serialization (section 2).
pub const VERSION: u8 = 1;

/// The name of the one stream that carries messages of the bus (section 3).
pub const STREAM_NAME: &[u8] = b"_lws_smd";

/// Longest body towards a libwebsockets peer, in bytes: builds with assertions abort above it
/// (sections 4.6, 5.7 and 7).
pub const MAX_BODY: usize = 368;

/// Longest body that a libwebsockets proxy can forward, in bytes; one more blocks the connection
/// for ever (section 4.6). Nothing here sends more than [`MAX_BODY`].
pub const MAX_BODY_FORWARDED: usize = 383;

/// Most bytes that may wait unread for a libwebsockets peer, which reads so many at once and takes
/// what it sees of a frame for the whole of it (sections 4.8 and 5.8).
pub const MAX_UNREAD: usize = 2048;

/// How long each side waits for the other's first frame (sections 4.1 and 5.1).
pub const FIRST_FRAME_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of the queue of a session that asks for no other: the buffer of a connection of the
/// libwebsockets proxy (section 4.9).
pub const DEFAULT_QUEUE: usize = 32_768;

/// Most bytes of a queue: 16 MiB, which holds more than a peer that reads will ever leave unread.
pub const MAX_QUEUE: usize = 1 << 24;

const _: () = assert!(MAX_BODY < MAX_BODY_FORWARDED && MAX_BODY_FORWARDED < MAX_PAYLOAD);

/// Bytes of the longest frame with a message that is sent to a peer.
#[cfg(target_os = "linux")]
pub(crate) const MAX_MESSAGE_FRAME: usize =
    wire::FRAME_HEAD + frames::kind::PAYLOAD + wire::HEADER_LEN + MAX_BODY;

#[cfg(target_os = "linux")]
const _: () = assert!(MAX_MESSAGE_FRAME <= MAX_UNREAD);

/// The point of time so much later.
pub(crate) fn after(from: Timestamp, by: Duration) -> Timestamp {
    let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
    Timestamp::from_nanos(from.nanos().saturating_add(by))
}
