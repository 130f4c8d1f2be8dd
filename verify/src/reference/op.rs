//! What a script may ask for. Numbers of senders, participants and the like are taken modulo those
//! that exist, so every script makes sense and shrinks well.

use smd_lockfree::{Class, Origin, Policy, Timestamp};
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

/// The time to live of a bus under test. Scripts move the clock by whole milliseconds, so no
/// message is ever exactly this old, and who rounds which way does not matter.
pub const TIME_TO_LIVE: Duration = Duration::from_micros(10_500);

/// A bus and what is done to it.
#[derive(Clone)]
pub struct Script {
    /// How the bus is built.
    pub setup: Setup,
    /// What is done, in order.
    pub ops: Vec<Op>,
}

/// One operation a line, so that a shrunk script can be read.
impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.setup)?;
        self.ops.iter().enumerate().try_for_each(|(number, op)| writeln!(f, "{number:4} {op:?}"))
    }
}

/// How the bus is built; small values make rare things happen often.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Depth of participants that ask for none.
    pub depth: u32,
    /// Whether messages expire, after [`TIME_TO_LIVE`].
    pub expires: bool,
    /// Cap of live segments, of 4 KiB each.
    pub max_segments: usize,
    /// Most retained entries.
    pub retained_limit: usize,
    /// Most participants.
    pub max_participants: usize,
    /// Which order the handles are dropped in at the end.
    pub teardown: u8,
}

/// Through which handle a message is sent.
#[derive(Clone, Copy, Debug)]
pub enum Via {
    /// The bus itself.
    Bus,
    /// One of the senders.
    Sender(u8),
}

/// By which method a message is sent. The last three fall back to `Plain` on a bus handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendForm {
    /// `send`.
    Plain,
    /// `send_fmt`, with a text as long as the payload.
    Format,
    /// `send_value`, with a byte vector.
    Value,
    /// `send_wait` with a time-out of zero.
    Wait,
    /// `send_async`, polled once and dropped.
    Poll,
    /// `send_from` elsewhere: where is told by the bytes.
    From,
}

/// Where a message with these bytes entered that came from elsewhere.
pub(super) fn elsewhere(bytes: &[u8]) -> Origin {
    let sum = bytes.iter().fold(0, |sum: u64, byte| sum.rotate_left(9) ^ u64::from(*byte));
    let peer = NonZeroU32::MIN.saturating_add(sum as u32);
    Origin::Peer { peer, timestamp: Timestamp::from_nanos(!sum), sequence: sum << 7 }
}

/// By which method a message is received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReceiveForm {
    /// `try_recv`.
    Try,
    /// `recv_timeout` of zero.
    Timeout,
    /// `recv_blocking`, or `try_recv` if the model says that nothing awaits.
    Blocking,
    /// `recv_spinning`, or `try_recv` if the model says that nothing awaits.
    Spinning,
    /// `recv`, polled once and dropped.
    Poll,
}

/// What becomes of a draft.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finish {
    /// It is sent.
    Send,
    /// It is dropped.
    Drop,
    /// It is forgotten and its destructor never runs.
    Forget,
}

/// One step of a script.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are those of the API")]
pub enum Op {
    Send {
        via: Via,
        form: SendForm,
        class: Class,
        len: u16,
    },
    /// The same send, many times: this is what fills segments.
    SendMany {
        via: Via,
        class: Class,
        len: u16,
        count: u16,
    },
    Batch {
        sender: u8,
        messages: Vec<(Class, u16)>,
    },
    /// `alloc`, then other operations while the draft is open, then its end.
    Draft {
        via: Via,
        class: Class,
        len: u16,
        truncate: Option<u16>,
        between: Vec<Op>,
        finish: Finish,
    },
    /// A sender of the bus, or of a participant.
    NewSender {
        of: Option<u8>,
    },
    CloneSender {
        sender: u8,
    },
    DropSender {
        sender: u8,
    },
    Register {
        mask: Class,
        policy: Policy,
        depth: Option<u32>,
        exclude_own: bool,
        retained: bool,
        bridge: bool,
        descriptor: bool,
    },
    SetMask {
        participant: u8,
        mask: Class,
    },
    Leave {
        participant: u8,
    },
    LeaveByHandle {
        participant: u8,
    },
    DropParticipant {
        participant: u8,
    },
    Receive {
        participant: u8,
        form: ReceiveForm,
        keep: bool,
    },
    /// `drain`, or `drain_up_to`.
    Drain {
        participant: u8,
        max: Option<u16>,
    },
    /// Receive until nothing is left.
    Exhaust {
        participant: u8,
    },
    DropKept {
        kept: u8,
    },
    /// Milliseconds.
    Advance {
        millis: u8,
    },
    /// A class, or a key of `key` bytes within it.
    Retain {
        class: Class,
        key: Option<u8>,
    },
    RetainedSend {
        entry: u8,
        len: u16,
    },
    RetainedClear {
        entry: u8,
    },
    DropRetained {
        entry: u8,
    },
    Close,
    /// Drops the bus handle; the senders remain.
    DropBus,
}
