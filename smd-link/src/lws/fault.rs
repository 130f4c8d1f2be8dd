//! How a session ends, what it drops, and what it refuses to send.

use super::frames::{FrameError, FrameErrorReason};
use super::outbox::PushError;
use super::state::State;
use core::fmt;
use core::time::Duration;
use smd_lockfree::Class;

/// The end of a connection: at which byte of the peer's stream, and why. It is final.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The byte, from 0, at which it shows; for what did not come, where it was awaited.
    pub at: u64,
    /// Why.
    pub why: FaultReason,
}

/// Why a connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FaultReason {
    /// What came is no frame.
    Frame {
        /// The first byte of what came.
        kind: u8,
        /// What is wrong with it.
        why: FrameErrorReason,
    },
    /// The peer's first frame did not come in time.
    Silent {
        /// How long that was.
        after: Duration,
    },
    /// A frame that may not come before the one that opens the stream.
    TooEarly {
        /// Its first byte.
        kind: u8,
    },
    /// The frame that opens the stream came twice.
    Twice {
        /// Its first byte.
        kind: u8,
    },
    /// A frame that no proxy takes on this stream: metadata.
    NotHere {
        /// Its first byte.
        kind: u8,
    },
    /// The client says that it goes away.
    Goodbye,
    /// The proxy made no stream, and nothing may be sent to it (section 4.5).
    Refused {
        /// What it gave as the reason; never 0.
        result: u8,
    },
    /// A state that may not follow the one before it (section 5.4).
    Transition {
        /// The one before it.
        from: State,
        /// The one that came.
        to: State,
    },
    /// The stream ended inside a frame.
    Cut {
        /// Bytes that are missing, at least.
        need: usize,
    },
    /// The queue has no room for the session's own first frames; it is made large enough for them.
    Output(PushError),
}

/// Why a message was not queued. The caller still has it, and nothing was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The stream is not open, or not yet, or the proxy has lost its link.
    NotOpen,
    /// The session has ended by a fault.
    Ended,
    /// The message carries no class, so nobody could want it.
    EmptyClass,
    /// The peer wants none of its classes.
    Unwanted {
        /// Those of the message.
        class: Class,
        /// Those that the peer wants.
        mask: Class,
    },
    /// The body is longer than a libwebsockets peer may be sent.
    TooLong {
        /// Its bytes.
        len: usize,
        /// The most: [`MAX_BODY`](crate::lws::MAX_BODY).
        max: usize,
    },
    /// No room in the queue; it comes with what is written.
    Queue(PushError),
}

/// Why a message of the peer was counted and dropped. The connection stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DropReason {
    /// It is shorter than the header of a message.
    Short {
        /// Its bytes.
        len: usize,
        /// The least.
        min: usize,
    },
    /// Its body is longer than a bus carries.
    Long {
        /// Bytes of the body.
        len: usize,
        /// The most: [`MAX_PAYLOAD`](smd_lockfree::MAX_PAYLOAD).
        max: usize,
    },
    /// It has no class, so nobody could want it.
    EmptyClass,
    /// It has a class above bit 31, which a bus cannot carry.
    ClassAbove {
        /// All its bits.
        class: u64,
    },
    /// The client's stream was refused.
    Refused,
}

/// What a session has done so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Messages that came and were given.
    pub received: u64,
    /// Messages that came and were dropped.
    pub dropped: u64,
    /// Frames without a message that were obeyed or skipped.
    pub control: u64,
    /// Messages that were queued.
    pub sent: u64,
    /// Messages that were refused because their body is too long for a libwebsockets peer.
    pub too_long: u64,
    /// Messages that were refused for any other reason.
    pub refused: u64,
}

impl Counts {
    /// Counts what became of a send, and gives it back.
    pub(super) fn note<T>(&mut self, result: Result<T, SendError>) -> Result<T, SendError> {
        let count = match result {
            Ok(_) => &mut self.sent,
            Err(SendError::TooLong { .. }) => &mut self.too_long,
            Err(_) => &mut self.refused,
        };
        *count += 1;
        result
    }
}

impl From<FrameError> for Fault {
    fn from(error: FrameError) -> Fault {
        let FrameError { at, kind, why } = error;
        Fault { at, why: FaultReason::Frame { kind, why } }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.at, self.why)
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for FaultReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultReason::Frame { kind, why } => write!(f, "a frame of type {kind:#04x}: {why}"),
            FaultReason::Silent { after } => {
                write!(f, "the peer's first frame did not come within {after:?}")
            }
            FaultReason::TooEarly { kind } => {
                write!(f, "a frame of type {kind:#04x} before the stream was opened")
            }
            FaultReason::Twice { kind } => {
                write!(f, "a second frame of type {kind:#04x}, which opens the stream once")
            }
            FaultReason::NotHere { kind } => {
                write!(f, "a frame of type {kind:#04x}, which this stream has no use for")
            }
            FaultReason::Goodbye => f.write_str("the client goes away"),
            FaultReason::Refused { result } => {
                write!(f, "the proxy refused the stream with {result}")
            }
            FaultReason::Transition { from, to } => {
                write!(f, "state {to} may not follow state {from}")
            }
            FaultReason::Cut { need } => {
                write!(f, "the stream ends inside a frame of which {need} bytes are missing")
            }
            FaultReason::Output(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::NotOpen => f.write_str("the stream is not open"),
            SendError::Ended => f.write_str("the session has ended"),
            SendError::EmptyClass => f.write_str("no class: at least one bit must be set"),
            SendError::Unwanted { class, mask } => {
                write!(f, "the peer wants {mask}, and not {class}")
            }
            SendError::TooLong { len, max } => {
                write!(f, "a body of {len} bytes is over the limit of {max} of libwebsockets")
            }
            SendError::Queue(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for SendError {}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DropReason::Short { len, min } => {
                write!(f, "{len} bytes, where a message has at least {min}")
            }
            DropReason::Long { len, max } => {
                write!(f, "a body of {len} bytes is over the limit of {max}")
            }
            DropReason::EmptyClass => f.write_str("no class"),
            DropReason::ClassAbove { class } => {
                write!(f, "class {class:#x} has a bit above 31")
            }
            DropReason::Refused => f.write_str("the stream was refused"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_the_byte_the_reason_and_the_limit() {
        let error = FrameError { at: 7, kind: 0xb2, why: FrameErrorReason::Type };
        let text = "at byte 7: a frame of type 0xb2: no such type in this direction";
        assert_eq!(Fault::from(error).to_string(), text);
        let (from, to) = (State::CREATING, State::CONNECTED);
        let fault = Fault { at: 0, why: FaultReason::Transition { from, to } };
        let text = "at byte 0: state connected (5) may not follow state creating (1)";
        assert_eq!(fault.to_string(), text);
        let dropped = DropReason::Long { len: 385, max: 384 }.to_string();
        assert_eq!(dropped, "a body of 385 bytes is over the limit of 384");
        let dropped = DropReason::Short { len: 15, min: 16 }.to_string();
        assert_eq!(dropped, "15 bytes, where a message has at least 16");
        let unwanted = SendError::Unwanted { class: Class::NETWORK, mask: Class::NONE };
        assert_eq!(unwanted.to_string(), "the peer wants none, and not NETWORK");
    }

    #[test]
    fn each_end_of_a_send_has_its_count() {
        let mut counts = Counts::default();
        assert_eq!(counts.note(Ok(1)), Ok(1));
        let long = SendError::TooLong { len: 369, max: 368 };
        assert_eq!(counts.note::<()>(Err(long)), Err(long));
        assert_eq!(counts.note::<()>(Err(SendError::NotOpen)), Err(SendError::NotOpen));
        let expected = Counts { sent: 1, too_long: 1, refused: 1, ..Counts::default() };
        assert_eq!(counts, expected);
    }
}
