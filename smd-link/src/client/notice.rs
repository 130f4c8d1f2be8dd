//! What a link tells of: for a log.

use core::fmt;
use std::io;

use smd_lockfree::Lag;

use crate::lws::{DropReason, Fault};

/// Something that happened, for a log: from [`Builder::notices`](super::Builder::notices).
///
/// What may happen with each message is told at most once a second, with how often it happened since it
/// was told last.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice {
    /// Messages come and go from now on.
    Connected,
    /// The connection has ended; it is made again after a while.
    Lost(Lost),
    /// Messages from the proxy did not go into the bus.
    Rejected {
        /// How many, since it was told last.
        count: u64,
        /// Why the last of them did not.
        why: Rejected,
    },
    /// Messages of the bus did not go to the proxy.
    Missed {
        /// How many, since it was told last.
        count: u64,
        /// Why the last of them did not.
        why: Missed,
    },
}

/// Why there is no connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Lost {
    /// Nobody listens, or what else the system says.
    Connect(io::Error),
    /// The proxy closed it.
    Closed,
    /// By what the proxy sent, or did not send.
    Fault(Fault),
    /// It broke.
    Broken(io::Error),
}

/// Why a message from the proxy did not go into the bus.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Rejected {
    /// It is malformed, or longer than a bus carries.
    Malformed(DropReason),
    /// Somebody who wants it was full for longer than a message lives.
    Full,
}

/// Why a message of the bus did not go to the proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Missed {
    /// There was no connection, or the proxy reads too slowly.
    Lag(Lag),
    /// The protocol carries no body of that length.
    TooLong {
        /// Bytes.
        len: usize,
        /// The most.
        max: usize,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Connected => f.write_str("connected"),
            Notice::Lost(why) => write!(f, "not connected: {why}"),
            Notice::Rejected { count, why } => {
                write!(f, "{count} messages from the proxy not taken: {why}")
            }
            Notice::Missed { count, why } => write!(f, "{count} messages not sent: {why}"),
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Connect(error) | Lost::Broken(error) => error.fmt(f),
            Lost::Closed => f.write_str("the proxy closed the connection"),
            Lost::Fault(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejected::Malformed(reason) => reason.fmt(f),
            Rejected::Full => f.write_str("somebody who wants it is full"),
        }
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missed::Lag(lag) => write!(f, "they waited too long ({:?})", lag.reason),
            Missed::TooLong { len, max } => {
                write!(f, "a body of {len} bytes is over the limit of {max} of the protocol")
            }
        }
    }
}
