//! What is refused, and by which line of the file.

use core::fmt;

use smd_lockfree::{Class, Timestamp};

use super::limit::Limit;
use super::rules::Section;

/// Why a peer may not; nothing was counted or taken, but for a rate where the text says so.
///
/// Its text names the key of the file that decides, for example
/// `the limit of 64 is reached: connections of a uid (uid-connections in [default])`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// The peer may receive nothing and send nothing, so it need not connect.
    NoAccess {
        /// Whose peer it is.
        uid: u32,
        /// Where `receive` is said to be none.
        section: Section,
    },
    /// The permissions of the socket do not let the peer connect.
    Mode {
        /// Whose peer it is.
        uid: u32,
        /// The permissions.
        mode: u32,
    },
    /// None of the classes that the peer wants may go to it.
    Receive {
        /// What it wants.
        asked: Class,
        /// What it may have.
        permitted: Class,
        /// Where that is said.
        section: Section,
    },
    /// A message carries classes that its sender may not send.
    Send {
        /// Those classes.
        denied: Class,
        /// What the peer may send.
        permitted: Class,
        /// Where that is said.
        section: Section,
    },
    /// A message carries METRICS among other classes, and METRICS of a peer are not for others.
    /// METRICS alone would pass, to the participants of this process.
    Metrics {
        /// The other classes.
        others: Class,
    },
    /// A limit is reached.
    Limit {
        /// Which.
        limit: Limit,
        /// Its value; what it counts is [`Limit::meaning`].
        value: u32,
        /// Where it is set.
        section: Section,
        /// For a rate: when it passes again, if nothing else passes before.
        retry_at: Option<Timestamp>,
    },
    /// A peer comes back as somebody else.
    Stranger {
        /// Whose peer went away.
        owner: u32,
        /// Who came.
        uid: u32,
    },
}

impl Refusal {
    /// The key of the file that decides; `None` if none does.
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Refusal::NoAccess { .. } | Refusal::Receive { .. } => Some("receive"),
            Refusal::Mode { .. } => Some("mode"),
            Refusal::Send { .. } => Some("send"),
            Refusal::Metrics { .. } => Some("forward-metrics"),
            Refusal::Limit { limit, .. } => Some(limit.key()),
            Refusal::Stranger { .. } => None,
        }
    }

    /// Where in the file that key stands, or would.
    pub fn section(&self) -> Option<Section> {
        match *self {
            Refusal::NoAccess { section, .. }
            | Refusal::Receive { section, .. }
            | Refusal::Send { section, .. }
            | Refusal::Limit { section, .. } => Some(section),
            Refusal::Metrics { .. } | Refusal::Mode { .. } => Some(Section::Top),
            Refusal::Stranger { .. } => None,
        }
    }

    /// When the same would pass, for a rate. Who waits until then slows its peer down and refuses
    /// nothing.
    pub fn retry_at(&self) -> Option<Timestamp> {
        match *self {
            Refusal::Limit { retry_at, .. } => retry_at,
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NoAccess { uid, section } => write!(
                f,
                "uid {uid} may neither receive nor send any class (receive and send, receive in {section})"
            ),
            Refusal::Mode { uid, mode } => write!(
                f,
                "uid {uid} may not connect to a socket of mode {mode:04o} (mode at {})",
                Section::Top
            ),
            Refusal::Receive { asked, permitted, section } => {
                write!(
                    f,
                    "none of {asked} may be received, only {permitted} (receive in {section})"
                )
            }
            Refusal::Send { denied, permitted, section } => {
                write!(f, "{denied} may not be sent, only {permitted} (send in {section})")
            }
            Refusal::Metrics { others } => write!(
                f,
                "METRICS of a peer are not for others, so they may not come together with {others} \
                 (forward-metrics at {})",
                Section::Top
            ),
            Refusal::Limit { limit, value, section, .. } => write!(
                f,
                "the limit of {} is reached: {} ({} in {section})",
                limit.unit().show(*value),
                limit.meaning(),
                limit.key()
            ),
            Refusal::Stranger { owner, uid } => {
                write!(f, "a peer of uid {owner} cannot come back as uid {uid}")
            }
        }
    }
}

impl std::error::Error for Refusal {}
