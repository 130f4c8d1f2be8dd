//! What can go wrong, one type for each operation; every text names the limit that was hit.

#![forbid(unsafe_code)]

mod check;
mod display;
#[cfg(test)]
mod tests;

use crate::class::Class;
#[cfg(doc)]
use crate::limits::*;
use crate::payload::PayloadError;
use core::time::Duration;

/// Why a message was not accepted. It has no sequence number and nobody will see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SendError {
    /// No room; the same message may pass later.
    Full(FullReason),
    /// The bus was closed: no later send will pass.
    Closed,
    /// The payload is longer than a message can carry.
    TooLong {
        /// Bytes that were given.
        len: usize,
        /// Bytes that fit: [`MAX_PAYLOAD`].
        max: usize,
    },
    /// The message carries no class, so nobody could ever want it.
    EmptyClass,
    /// The process was forked; the bus lives on in the parent only.
    Forked,
    /// A `Display` or `Debug` implementation among the arguments reported an error.
    Format,
    /// The value could not be turned into bytes.
    Encode(PayloadError),
    /// The retained entry was given up: its bus no longer keeps it.
    NotRetained,
}

/// What there is no room in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum FullReason {
    /// The backlog of a participant that wants this class and chose backpressure.
    Backlog,
    /// The cap of live segments: delivery stands still behind a thread that was stopped inside a
    /// send, or a thread was stopped while it shortened the window.
    Stalled,
}

/// Why a receive gave no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RecvError {
    /// Nothing awaits at the moment.
    Empty,
    /// Nothing came within the time-out.
    Timeout,
    /// Messages were lost to this participant; the next receive goes on after them.
    Lagged(Lag),
    /// This participant was unregistered.
    Left,
    /// The bus was closed and everything accepted before has been received.
    Closed,
    /// The process was forked; the participant lives on in the parent only.
    Forked,
}

/// A report of messages that a participant was to get and did not, in line with those that it got.
///
/// ```
/// use smd_lockfree::{Bus, Class, LagReason, Policy, RecvError};
///
/// let bus = Bus::new();
/// let part = bus.participant().mask(Class::METRICS).depth(2).policy(Policy::Lag);
/// let mut part = part.register()?;
/// for value in 1..=5_u64 {
///     bus.send_value(Class::METRICS, &value)?;
/// }
/// let Err(RecvError::Lagged(lag)) = part.try_recv() else { panic!("no report") };
/// assert_eq!((lag.count, lag.first, lag.last, lag.reason), (3, 1, 3, LagReason::Overflow));
/// assert_eq!(part.try_recv()?.decode::<u64>()?, 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lag {
    /// How many were lost.
    pub count: u64,
    /// The union of their classes.
    pub classes: Class,
    /// Sequence number of the first.
    pub first: u64,
    /// Sequence number of the last. What lies between need not all be lost, or was lost for the other
    /// reason: two reports between two messages may overlap.
    pub last: u64,
    /// Why.
    pub reason: LagReason,
}

/// Why a participant lost messages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum LagReason {
    /// Its backlog was full, and it had chosen to lose the oldest.
    Overflow,
    /// They were older than the time to live.
    Expired,
}

/// Why nobody was registered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RegisterError {
    /// The mask wants nothing.
    EmptyMask,
    /// The name is no name.
    Name(NameError),
    /// The depth is 0 or too large.
    Depth {
        /// Messages that were asked for.
        depth: u32,
        /// The most: [`MAX_DEPTH`]; the least is 1.
        max: u32,
    },
    /// The bus has as many participants as it may have.
    TooManyParticipants {
        /// How many: the builder's choice, at most [`MAX_PARTICIPANTS`].
        max: usize,
    },
    /// The bus was closed.
    Closed,
    /// The process was forked; the bus lives on in the parent only.
    Forked,
}

/// Why a mask stayed as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum MaskError {
    /// The new mask wants nothing; who wants nothing leaves.
    EmptyMask,
    /// This participant was unregistered.
    Left,
    /// The bus was closed.
    Closed,
    /// The process was forked; the participant lives on in the parent only.
    Forked,
}

/// Why nothing was marked as retained.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RetainError {
    /// The key is empty or too long.
    Key {
        /// Bytes that were given.
        len: usize,
        /// The most: [`MAX_KEY`]; the least is 1.
        max: usize,
    },
    /// No class was given.
    EmptyClass,
    /// More than one class was given: state belongs to one.
    NotOneClass {
        /// What was given.
        class: Class,
    },
    /// The bus keeps as many entries as it may.
    TooMany {
        /// How many: the limit that the builder set.
        max: usize,
    },
    /// The bus was closed.
    Closed,
    /// The process was forked; the bus lives on in the parent only.
    Forked,
}

/// Why a text is no name of a bus or a participant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum NameError {
    /// It has no byte.
    Empty,
    /// It is too long.
    TooLong {
        /// Bytes that were given.
        len: usize,
        /// The most: [`MAX_NAME`].
        max: usize,
    },
    /// It has a control character.
    Control,
}

/// Why no bus was built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The name is no name.
    Name(NameError),
    /// The depth is 0 or too large.
    Depth {
        /// Messages that were asked for.
        depth: u32,
        /// The most: [`MAX_DEPTH`]; the least is 1.
        max: u32,
    },
    /// The time to live is too short or too long; `None` switches it off.
    TimeToLive {
        /// What was asked for.
        given: Duration,
        /// The shortest: [`MIN_TIME_TO_LIVE`].
        min: Duration,
        /// The longest: [`MAX_TIME_TO_LIVE`].
        max: Duration,
    },
    /// The size of a segment is out of range.
    SegmentBytes {
        /// Bytes that were asked for.
        given: usize,
        /// The least.
        min: usize,
        /// The most.
        max: usize,
    },
    /// The cap of live segments is too low to let anybody send.
    MaxSegments {
        /// Segments that were asked for.
        given: usize,
        /// The least.
        min: usize,
    },
    /// More segments are to be allocated up front than may live.
    Prewarm {
        /// Segments that were asked for.
        given: usize,
        /// The most: the cap of live segments.
        max: usize,
    },
    /// The number of retained entries is too large.
    RetainedLimit {
        /// Entries that were asked for.
        given: usize,
        /// The most: [`MAX_RETAINED_LIMIT`].
        max: usize,
    },
    /// The number of participants is 0 or too large.
    MaxParticipants {
        /// Participants that were asked for.
        given: usize,
        /// The most: [`MAX_PARTICIPANTS`]; the least is 1.
        max: usize,
    },
}

/// Why an event loop does not turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LoopError {
    /// The bus was closed and every callback has had what was accepted before.
    Closed,
    /// It has no callback, so nothing could ever wake it.
    Empty,
}
