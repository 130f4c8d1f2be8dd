//! A message outside the process: the header of `lws_smd` and the body behind it.
//!
//! ```text
//!   byte 0        8              16                  16 + body
//!        | class  | timestamp    | body, 0 to 384 bytes |
//!        | u64    | u64, in µs   | binary, no end mark  |
//!          both big endian
//! ```
//!
//! The codec takes bytes and gives bytes: no I/O, no allocation, no clock. How long a message is
//! comes from the frame or packet around it; this header does not say.
//!
//! On a stream each stands in a [`Frame`]: one byte that says its kind, the length of its body in
//! two bytes, big endian, and the body. [`Decoder`] puts frames together from any cut.
//!
//! ```
//! use smd_lockfree::wire::{self, Header, MAX_MESSAGE};
//! use smd_lockfree::Class;
//!
//! let header = Header { class: Class::NETWORK.bits().into(), timestamp_us: 622_006_090 };
//! let mut out = [0; MAX_MESSAGE];
//! let len = wire::encode_message(&mut out, header, b"{}")?;
//! assert_eq!(len, 18);
//! assert_eq!(Header::decode(&out[..len])?, (header, &b"{}"[..]));
//! # Ok::<(), wire::WireError>(())
//! ```

#![forbid(unsafe_code)]

mod frame;
mod header;
#[cfg(test)]
mod tests;

pub use frame::{Decoder, FRAME_HEAD, Frame, encode_frame, frame_head};
pub use header::{Header, WireError, encode_message};

use crate::limits::MAX_PAYLOAD;

/// Bytes of the header: `LWS_SMD_SS_RX_HEADER_LEN` of libwebsockets.
pub const HEADER_LEN: usize = 16;

/// Bytes of the longest message, header and body.
pub const MAX_MESSAGE: usize = HEADER_LEN + MAX_PAYLOAD;
