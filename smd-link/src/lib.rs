//! Other processes on a bus of `smd-lockfree`.
//!
//! The protocol is pure: a session takes bytes and the time, and gives events and bytes. It knows no
//! socket, and never blocks; who drives it brings both.
//!
//! * [`lws`] is the protocol of the libwebsockets proxy, both sides: what real libwebsockets programs
//!   speak that take part in `lws_smd` from another process.
//! * [`policy`] decides who may connect, receive and send what, and how much of it; it is as pure.

#![forbid(unsafe_code)]

pub mod lws;
pub mod policy;
