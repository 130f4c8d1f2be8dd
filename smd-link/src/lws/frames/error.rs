//! What can be wrong with a frame.

use core::fmt;
use smd_lockfree::wire::WireError;

/// A frame that is none: at which byte, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameError {
    /// The byte of the stream, from 0, at which it shows.
    pub at: u64,
    /// The first byte of the frame.
    pub kind: u8,
    /// What is wrong.
    pub why: FrameErrorReason,
}

/// What is wrong with a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FrameErrorReason {
    /// No frame in this direction begins with that byte.
    Type,
    /// A body that a frame of this type cannot have.
    Length {
        /// Its bytes.
        len: usize,
        /// The least.
        min: usize,
        /// The most.
        max: usize,
    },
    /// Another version of the protocol.
    Version {
        /// The one that was asked for; the only one here is [`VERSION`](crate::lws::VERSION).
        version: u8,
    },
    /// A name of no byte or of too many.
    NameLength {
        /// Its bytes.
        len: usize,
        /// The most; the least is 1.
        max: usize,
    },
    /// A byte of 0 inside a name.
    NameNul,
    /// A field that is longer than what is left of the frame.
    Inner {
        /// Bytes of the field.
        need: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// A state that does not fit the bytes that it is to have.
    StateWidth {
        /// The state's number.
        state: u32,
        /// Bytes for it: 1 to 4.
        width: u8,
    },
    /// A rideshare name without its flag.
    Rideshare,
    /// It cannot be written, or is longer than anything here reads.
    Wire(WireError),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FrameError { at, kind, why } = self;
        write!(f, "at byte {at}, in a frame of type {kind:#04x}: {why}")
    }
}

impl std::error::Error for FrameError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.why {
            FrameErrorReason::Wire(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for FrameErrorReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameErrorReason::Type => f.write_str("no such type in this direction"),
            FrameErrorReason::Length { len, min, max } => {
                write!(f, "a body of {len} bytes, where {min} to {max} may be")
            }
            FrameErrorReason::Version { version } => {
                write!(f, "version {version} of the protocol, where only 1 is known")
            }
            FrameErrorReason::NameLength { len, max } => {
                write!(f, "a name of {len} bytes, where 1 to {max} may be")
            }
            FrameErrorReason::NameNul => f.write_str("a name with a byte of 0"),
            FrameErrorReason::Inner { need, left } => {
                write!(f, "a field of {need} bytes, where {left} are left")
            }
            FrameErrorReason::StateWidth { state, width } => {
                write!(f, "state {state} does not fit {width} bytes, or 1 to 4 they are not")
            }
            FrameErrorReason::Rideshare => f.write_str("a rideshare name without its flag"),
            FrameErrorReason::Wire(_) => f.write_str("it has no place here"),
        }
    }
}
