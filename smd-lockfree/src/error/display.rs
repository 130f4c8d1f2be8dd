//! The texts of the errors, and where an error has a cause, its source.

use super::*;
use core::fmt;
use std::error::Error;

const FORKED: &str = "the process was forked: the bus lives on in the parent only";
const CLOSED: &str = "the bus is closed";
const LEFT: &str = "this participant was unregistered";
const EMPTY_CLASS: &str = "no class: at least one bit must be set";
const EMPTY_MASK: &str = "empty mask: at least one class must be wanted";

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Full(reason) => write!(f, "full: {reason}"),
            SendError::Closed => f.write_str(CLOSED),
            SendError::TooLong { len, max } => {
                write!(f, "payload of {len} bytes is over the limit of {max}")
            }
            SendError::EmptyClass => f.write_str(EMPTY_CLASS),
            SendError::Forked => f.write_str(FORKED),
            SendError::Format => f.write_str("a formatter returned an error"),
            SendError::Encode(_) => f.write_str("the value cannot be encoded as a payload"),
            SendError::NotRetained => f.write_str("the retained entry was given up"),
        }
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            SendError::Encode(cause) => Some(cause),
            _ => None,
        }
    }
}

impl fmt::Display for FullReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FullReason::Backlog => "a participant's backlog is at its depth",
            FullReason::Stalled => "stalled at the cap of live segments",
        })
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecvError::Empty => f.write_str("no message awaits"),
            RecvError::Timeout => f.write_str("no message came within the time-out"),
            RecvError::Lagged(lag) => fmt::Display::fmt(lag, f),
            RecvError::Left => f.write_str(LEFT),
            RecvError::Closed => f.write_str(CLOSED),
            RecvError::Forked => f.write_str(FORKED),
        }
    }
}

impl Error for RecvError {}

impl fmt::Display for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lag { count, classes, first, last, reason } = self;
        write!(f, "lost {count} messages of {classes}, numbers {first} to {last}: {reason}")
    }
}

impl fmt::Display for LagReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LagReason::Overflow => "the backlog was at its depth",
            LagReason::Expired => "older than the time to live",
        })
    }
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegisterError::EmptyMask => f.write_str(EMPTY_MASK),
            RegisterError::Name(_) => f.write_str("invalid participant name"),
            RegisterError::Depth { depth, max } => depth_text(f, *depth, *max),
            RegisterError::TooManyParticipants { max } => {
                write!(f, "the bus has its limit of {max} participants")
            }
            RegisterError::Closed => f.write_str(CLOSED),
            RegisterError::Forked => f.write_str(FORKED),
        }
    }
}

impl Error for RegisterError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            RegisterError::Name(cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<NameError> for RegisterError {
    fn from(cause: NameError) -> RegisterError {
        RegisterError::Name(cause)
    }
}

impl fmt::Display for MaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MaskError::EmptyMask => EMPTY_MASK,
            MaskError::Left => LEFT,
            MaskError::Closed => CLOSED,
            MaskError::Forked => FORKED,
        })
    }
}

impl Error for MaskError {}

impl fmt::Display for RetainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RetainError::Key { len, max } => {
                write!(f, "key of {len} bytes is out of the limits 1 to {max}")
            }
            RetainError::EmptyClass => f.write_str(EMPTY_CLASS),
            RetainError::NotOneClass { class } => {
                write!(f, "{class} is more than the limit of one class")
            }
            RetainError::TooMany { max } => {
                write!(f, "the bus has its limit of {max} retained entries")
            }
            RetainError::Closed => f.write_str(CLOSED),
            RetainError::Forked => f.write_str(FORKED),
        }
    }
}

impl Error for RetainError {}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Empty => f.write_str("the name is empty: at least 1 byte is needed"),
            NameError::TooLong { len, max } => {
                write!(f, "name of {len} bytes is over the limit of {max}")
            }
            NameError::Control => f.write_str("the name has a control character"),
        }
    }
}

impl Error for NameError {}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Name(_) => f.write_str("invalid bus name"),
            BuildError::Depth { depth, max } => depth_text(f, *depth, *max),
            BuildError::TimeToLive { given, min, max } => {
                write!(f, "time to live {given:?} is out of the limits {min:?} to {max:?}")
            }
            BuildError::SegmentBytes { given, min, max } => {
                write!(f, "segment size {given} is out of the limits {min} to {max} bytes")
            }
            BuildError::MaxSegments { given, min } => {
                write!(f, "cap of {given} live segments is under the limit of {min}")
            }
            BuildError::Prewarm { given, max } => {
                write!(f, "{given} segments up front are over the cap of {max} live ones")
            }
            BuildError::RetainedLimit { given, max } => {
                write!(f, "{given} retained entries are over the limit of {max}")
            }
            BuildError::MaxParticipants { given, max } => {
                write!(f, "{given} participants are out of the limits 1 to {max}")
            }
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            BuildError::Name(cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<NameError> for BuildError {
    fn from(cause: NameError) -> BuildError {
        BuildError::Name(cause)
    }
}

impl fmt::Display for LoopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LoopError::Closed => CLOSED,
            LoopError::Empty => "the loop has no callback",
        })
    }
}

impl Error for LoopError {}

fn depth_text(f: &mut fmt::Formatter<'_>, depth: u32, max: u32) -> fmt::Result {
    write!(f, "depth {depth} is out of the limits 1 to {max}")
}
