//! Other processes on a bus of `smd-lockfree`.
//!
//! The protocols are pure: a session takes bytes and the time, and gives events and bytes. No
//! session knows a socket, and none blocks.
//!
//! * [`lws`] is the protocol of the libwebsockets proxy, both sides.
//! * [`native`] is our own: resumable, with lag reports, masks that change, and flow control.
//!
//! Who may do what, and how much of it, is decided by [`policy`], which is as pure.

#![forbid(unsafe_code)]

pub mod lws;
pub mod native;
pub mod policy;
