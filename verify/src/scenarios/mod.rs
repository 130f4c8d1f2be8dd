//! What the models play: plain functions, sized by their arguments, on the bus's public API.
//!
//! A message of [`word`] takes two units. A segment of [`ONE`] bytes holds one of them, one of
//! [`TWO`] bytes two, so that few messages cross segments, are retired and handed over. A second
//! segment behind the tail stays in the window; the third message of [`ONE`] retires the first.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use smd_lockfree::{
    Builder, Bus, Class, Clock, LagReason, Message, Participant, RecvError, Sender,
};

use crate::model::reached;

pub mod accounting;
pub mod closing;
pub mod edge;
pub mod expiry;
pub mod lifetime;
pub mod membership;
pub mod order;
pub mod retained;
pub mod room;
pub mod waiting;

/// Bytes of a segment for one message of [`word`].
pub const ONE: usize = 64;
/// Bytes of a segment for two messages of [`word`].
pub const TWO: usize = 80;
/// Bytes of a segment for a message of 80 bytes and an empty one.
pub const WIDE: usize = 128;

/// The class that the participants under test want.
pub const A: Class = Class::INTERACTION;
/// Another class.
pub const B: Class = Class::NETWORK;

fn builder(segment_bytes: usize) -> Builder {
    Bus::builder()
        .segment_bytes(segment_bytes)
        .max_segments(16)
        .time_to_live(None)
        .depth(16)
        .clock(Clock::manual().0)
}

fn bus(segment_bytes: usize) -> Bus {
    builder(segment_bytes).build().expect("a small bus")
}

/// A payload of two bytes.
fn word(who: usize, index: usize) -> [u8; 2] {
    [who as u8, index as u8]
}

/// Sends, and must be queued.
fn queued(sender: &Sender, class: Class, payload: &[u8]) -> u64 {
    let sent = sender.send(class, payload).expect("accepted");
    sent.sequence().expect("wanted")
}

/// Somebody who wants `class`, so that it is sent, and to whom nothing is ever handed over: its
/// own sender's messages.
fn interested(bus: &Bus, class: Class) -> (Participant, Sender) {
    let keeper = bus.participant().mask(class).exclude_own(true).register().expect("registered");
    let sender = keeper.sender();
    (keeper, sender)
}

/// What was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Got {
    sequence: u64,
    time: u64,
    word: [u8; 2],
    retained: bool,
}

impl From<Message<'_>> for Got {
    fn from(message: Message<'_>) -> Got {
        Got {
            sequence: message.sequence(),
            time: message.timestamp().nanos(),
            word: [0, 1].map(|at| message.bytes().get(at).copied().unwrap_or(0)),
            retained: message.is_retained(),
        }
    }
}

/// The next message, if there is one.
fn take(participant: &mut Participant) -> Option<Got> {
    match participant.try_recv() {
        Ok(message) => Some(message.into()),
        Err(RecvError::Empty | RecvError::Closed) => None,
        Err(error) => panic!("{error:?}"),
    }
}

/// Looks that often, and takes what it finds.
fn looks(participant: &mut Participant, looks: usize, into: &mut Vec<Got>) {
    for _ in 0..looks {
        into.extend(take(participant));
    }
}

/// Everything that is there.
fn drain(participant: &mut Participant, into: &mut Vec<Got>) {
    while let Some(got) = take(participant) {
        into.push(got);
    }
}

/// A receive that waits found nothing, and is given up: what it held of the log it has given back.
fn asleep(participant: &mut Participant) {
    let mut receive = pin!(participant.recv());
    let poll = receive.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_pending(), "nothing is there");
}

/// Exactly the numbers `first..=last`, in order, and no timestamp falls.
fn contiguous(got: &[Got], first: u64, last: u64) {
    let numbers: Vec<_> = got.iter().map(|got| got.sequence).collect();
    let expected: Vec<_> = (first..=last).collect();
    assert_eq!(numbers, expected, "each message once and in order");
    assert!(got.is_sorted_by_key(|got| got.time), "a timestamp fell: {got:?}");
}

/// Follows a participant with policy lag, or whose messages expire: each number is delivered or
/// reported, once, in order.
#[derive(Debug)]
struct Ledger {
    next: u64,
    delivered: u64,
    lost: u64,
    reason: LagReason,
    /// For the message of a failed model.
    events: Vec<(char, u64, u64)>,
}

impl Ledger {
    fn new(reason: LagReason) -> Ledger {
        Ledger { next: 1, delivered: 0, lost: 0, reason, events: Vec::new() }
    }

    /// One look; `false`: nothing there.
    fn look(&mut self, participant: &mut Participant) -> bool {
        match participant.try_recv() {
            Ok(message) => {
                assert_eq!(message.sequence(), self.next, "after {self:?}");
                self.events.push(('D', self.next, self.next));
                self.next += 1;
                self.delivered += 1;
                reached("delivered");
                true
            }
            Err(RecvError::Lagged(lag)) => {
                assert_eq!(lag.reason, self.reason);
                assert_eq!((lag.first, lag.count), (self.next, lag.last + 1 - lag.first));
                self.next = lag.last + 1;
                self.lost += lag.count;
                self.events.push(('L', lag.first, lag.last));
                reached("lost");
                true
            }
            Err(RecvError::Empty) => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Everything that is there; all of `1..=last` must have been settled.
    fn settle(&mut self, participant: &mut Participant, last: u64) {
        while self.look(participant) {}
        assert_eq!(self.next, last + 1, "not settled: {self:?}");
    }
}
