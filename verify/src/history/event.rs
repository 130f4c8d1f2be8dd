//! What is recorded of a run: one event for each call of the API, or for each message of a drain.

use smd_lockfree::{Class, Lag, Policy};

/// From a call to its return, in stamps that no two moments of a run share.
///
/// What has no number of its own took effect somewhere in here, and nothing more is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Before the call.
    pub call: u64,
    /// After the return.
    pub ret: u64,
}

impl Span {
    /// Whether this was over when `other` began.
    pub fn before(self, other: Span) -> bool {
        self.ret < other.call
    }

    /// Whether both may have happened at one moment.
    pub fn overlaps(self, other: Span) -> bool {
        !self.before(other) && !other.before(self)
    }
}

/// One call.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// The thread that called.
    pub thread: u32,
    /// When.
    pub span: Span,
    /// What the bus's clock showed, in nanoseconds, inside `span` and around the call.
    pub clock: Span,
    /// What was called and what it came to.
    pub what: What,
}

/// What was called.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "each variant is the call of that name")]
pub enum What {
    Send(Sending),
    Batch(Batch),
    Register(Registering),
    Mask(Masking),
    Leave(Leaving),
    Receive(Receiving),
    Retain(Retaining),
    Clear(u32),
    Close(u64),
}

/// What a send came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It has this number.
    Queued(u64),
    /// An `alloc` gave a draft.
    Allocated,
    /// Nobody wants it.
    Unwanted,
    /// A backlog is full.
    Full,
    /// The window is at its cap.
    Stalled,
    /// The bus is closed.
    Closed,
}

/// One message, or the allocation of one.
#[derive(Clone, PartialEq, Debug)]
pub struct Sending {
    /// Its classes.
    pub class: Class,
    /// What only this message carries.
    pub payload: u64,
    /// The participant whose own message it is.
    pub owner: Option<u32>,
    /// The retained entry that it is the state of.
    pub entry: Option<u32>,
    /// What it came to.
    pub outcome: Outcome,
}

/// Several messages in one call.
#[derive(Clone, PartialEq, Debug)]
pub struct Batch {
    /// Class and payload of each.
    pub messages: Vec<(Class, u64)>,
    /// As for one message.
    pub owner: Option<u32>,
    /// How many are in the order.
    pub queued: usize,
    /// How many nobody wants.
    pub unwanted: usize,
    /// Numbers of the first and the last in the order.
    pub range: Option<(u64, u64)>,
    /// Why the one behind those was refused.
    pub stopped: Option<Outcome>,
}

/// A registration.
#[derive(Clone, PartialEq, Debug)]
pub struct Registering {
    /// What the participant is known by in a history.
    pub participant: u32,
    /// Its first mask.
    pub mask: Class,
    /// What a full backlog does.
    pub policy: Policy,
    /// How many may wait.
    pub depth: u32,
    /// Whether it leaves out its own messages.
    pub exclude_own: bool,
    /// Whether it is handed retained state.
    pub retained: bool,
    /// The number from which it holds; `None`: the bus is closed.
    pub number: Option<u64>,
}

/// A change of mask.
#[derive(Clone, PartialEq, Debug)]
pub struct Masking {
    /// Whose.
    pub participant: u32,
    /// The new mask.
    pub mask: Class,
    /// The number from which it holds; `None`: refused.
    pub number: Option<u64>,
}

/// A departure.
#[derive(Clone, PartialEq, Debug)]
pub struct Leaving {
    /// Whose.
    pub participant: u32,
    /// The number from which it holds; `None`: the call does not tell, or it had left.
    pub number: Option<u64>,
    /// How it left.
    pub by: By,
}

/// How a participant left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// `leave` of the participant.
    Itself,
    /// `leave` of a handle.
    Handle,
    /// It was dropped.
    Drop,
}

/// One message, or what came in place of one.
#[derive(Clone, PartialEq, Debug)]
pub struct Receiving {
    /// Who received.
    pub participant: u32,
    /// When it was seen: in a drain, long before the return.
    pub seen: u64,
    /// What came.
    pub got: Got,
}

/// What a receive came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Got {
    /// A live message.
    Message(Delivery),
    /// Retained state.
    State(Delivery),
    /// A report.
    Lag(Lag),
    /// Nothing, at once or after a time-out.
    Empty,
    /// The participant has left.
    Left,
    /// The bus is closed and drained.
    Closed,
}

/// A message as its receiver saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Its sequence number.
    pub number: u64,
    /// Its classes.
    pub class: Class,
    /// Its timestamp.
    pub nanos: u64,
    /// What only this message carries.
    pub payload: u64,
}

/// A class, or a key in it, marked as retained.
#[derive(Clone, PartialEq, Debug)]
pub struct Retaining {
    /// What the entry is known by in a history.
    pub entry: u32,
    /// Its class.
    pub class: Class,
    /// Whether it is a key.
    pub keyed: bool,
    /// `false`: refused.
    pub done: bool,
}

/// All that one run did, and the choices of its bus that matter for what is allowed.
#[derive(Clone, PartialEq, Debug)]
pub struct History {
    /// By their calls; those of one drain in order.
    pub events: Vec<Event>,
    /// In nanoseconds.
    pub time_to_live: Option<u64>,
    /// Whether the clock was moved by hand, so that its readings bound timestamps.
    pub manual_clock: bool,
}
