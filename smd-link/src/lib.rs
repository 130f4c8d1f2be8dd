//! Other processes on a bus of `smd-lockfree`.
//!
//! The protocol is pure: a session takes bytes and the time, and gives events and bytes. It knows no
//! socket, and never blocks; who drives it brings both.
//!
//! * [`lws`] is the protocol of the libwebsockets proxy, both sides: what real libwebsockets programs
//!   speak that take part in `lws_smd` from another process.
//! * [`policy`] decides who may connect, receive and send what, and how much of it; it is as pure.
//!
//! Around them, on Linux, stand sockets: one thread, or a loop of yours.
//!
//! * [`server`] is a proxy: other processes take part in a bus of this one.
//! * [`client`] is a link: this process takes part in the bus of another.

#![deny(unsafe_code)]

mod address;
#[cfg(target_os = "linux")]
pub mod client;
#[cfg(target_os = "linux")]
mod drive;
pub mod lws;
pub mod policy;
#[cfg(target_os = "linux")]
pub mod server;
#[cfg(target_os = "linux")]
mod stream;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
mod untold;

pub use address::{Address, AddressError, DEFAULT_NAME, MAX_ADDRESS};
#[cfg(target_os = "linux")]
pub use drive::{DriveError, Running, Stopper};
