//! What a proxy tells of: for a log.

use core::fmt;
use core::num::NonZeroU32;
use std::io;

use smd_lockfree::{Class, Lag};

use crate::lws::{DropReason, Fault};
use crate::policy::{Credentials, Refusal};

/// Something that happened, for a log: from [`Builder::notices`](super::Builder::notices).
///
/// What may happen with each message is told at most once a second for each peer, with how often it
/// happened since it was told last.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// Somebody was not let in.
    Refused {
        /// Who.
        who: &'a Credentials,
        /// Why.
        why: Refusal,
    },
    /// Somebody could not be let in: the process has no descriptor left, or the like.
    NotAccepted {
        /// What the system says.
        error: io::Error,
    },
    /// Somebody connected, and has said nothing yet.
    Connected {
        /// The number that it has from now on, as in [`Origin::Peer`](smd_lockfree::Origin::Peer).
        peer: NonZeroU32,
        /// Who.
        who: &'a Credentials,
    },
    /// A peer takes part.
    Registered {
        /// Which.
        peer: NonZeroU32,
        /// What it gets.
        mask: Class,
        /// What it wants and may not have.
        denied: Class,
    },
    /// Messages of a peer were not sent on.
    Rejected {
        /// Which.
        peer: NonZeroU32,
        /// How many, since it was told last.
        count: u64,
        /// Why the last of them was not.
        why: Rejected,
    },
    /// Messages for a peer were not sent to it.
    Missed {
        /// Which.
        peer: NonZeroU32,
        /// How many, since it was told last.
        count: u64,
        /// Why the last of them was not.
        why: Missed,
    },
    /// A peer has gone, or was let go.
    Ended {
        /// Which.
        peer: NonZeroU32,
        /// Why.
        why: Ended,
    },
}

/// Why a message of a peer was not sent on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Rejected {
    /// It may not send that.
    Policy(Refusal),
    /// It is malformed, or longer than a bus carries.
    Malformed(DropReason),
    /// Somebody who wants it was full for longer than a message lives.
    Full,
}

/// Why a message was not sent to a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Missed {
    /// It reads too slowly, or not at all.
    Lag(Lag),
    /// Its protocol carries no body of that length.
    TooLong {
        /// Bytes.
        len: usize,
        /// The most.
        max: usize,
    },
}

/// Why a peer has gone.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ended {
    /// It closed the connection.
    Closed,
    /// By what it sent, or did not send.
    Fault(Fault),
    /// The connection broke.
    Broken(io::Error),
    /// It asked for another stream than that of the bus.
    OtherStream,
    /// The bus was closed, or the proxy stops.
    Shutdown,
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |f: &mut fmt::Formatter<'_>, who: &Credentials| match who.pid {
            Some(pid) => write!(f, "pid {pid}, uid {}, gid {}", who.uid, who.gid),
            None => write!(f, "uid {}, gid {}", who.uid, who.gid),
        };
        match self {
            Notice::Refused { who: of, why } => {
                f.write_str("refused ")?;
                who(f, of)?;
                write!(f, ": {why}")
            }
            Notice::NotAccepted { error } => write!(f, "somebody was not let in: {error}"),
            Notice::Connected { peer, who: of } => {
                write!(f, "peer {peer} connected: ")?;
                who(f, of)
            }
            Notice::Registered { peer, mask, denied } if denied.is_empty() => {
                write!(f, "peer {peer} wants {mask}")
            }
            Notice::Registered { peer, mask, denied } => {
                write!(f, "peer {peer} gets {mask}, and may not have {denied}")
            }
            Notice::Rejected { peer, count, why } => {
                write!(f, "peer {peer}: {count} of its messages not sent on: {why}")
            }
            Notice::Missed { peer, count, why } => {
                write!(f, "peer {peer}: {count} messages not sent to it: {why}")
            }
            Notice::Ended { peer, why } => write!(f, "peer {peer} has gone: {why}"),
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejected::Policy(refusal) => refusal.fmt(f),
            Rejected::Malformed(reason) => reason.fmt(f),
            Rejected::Full => f.write_str("somebody who wants it is full"),
        }
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missed::Lag(lag) => write!(f, "it is too slow ({:?})", lag.reason),
            Missed::TooLong { len, max } => {
                write!(f, "a body of {len} bytes is over the limit of {max} of its protocol")
            }
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Closed => f.write_str("it closed the connection"),
            Ended::Fault(fault) => fault.fmt(f),
            Ended::Broken(error) => error.fmt(f),
            Ended::OtherStream => f.write_str("it asked for a stream that is not here"),
            Ended::Shutdown => f.write_str("shutdown"),
        }
    }
}
