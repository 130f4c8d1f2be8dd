//! The bus and its rivals behind one trait, so that each workload is written once.
//!
//! What all have in common: a message carries a class, a stamp from the same [`Clock`], taken at the send, and [`LEN`]
//! bytes of payload; a receiver wants some classes and looks at no others; it reads each payload with
//! [`Tally::absorb`](crate::payload::Tally::absorb). Each peer is used as its own documentation does it, and a wrapper
//! adds no allocation, no lock and no copy that the peer's own example does not have.

#![expect(missing_debug_implementations, reason = "most peers' own handles have none")]

mod array_queue;
mod async_broadcast;
mod bus;
mod credits;
mod crossbeam_channel;
mod disruptor;
mod fan_out;
mod form;
#[cfg(feature = "iceoryx2")]
mod iceoryx2;
mod kanal;
#[cfg(feature = "lws")]
mod lws;
mod multiqueue2;
mod own_ring;
mod own_slots;
mod seg_queue;
mod smd;
#[cfg(test)]
mod tests;
mod tokio_broadcast;

pub use array_queue::ArrayQueues;
pub use async_broadcast::AsyncBroadcast;
pub use bus::OneBus;
pub use crossbeam_channel::CrossbeamChannels;
pub use disruptor::{DisruptorMp, DisruptorSp};
pub use form::{Form, Message, Shared, Slot};
#[cfg(feature = "iceoryx2")]
pub use iceoryx2::Iceoryx2;
pub use kanal::KanalChannels;
#[cfg(feature = "lws")]
pub use lws::{Loop, LwsSmd, LwsSmdInPoll};
pub use multiqueue2::{Multiqueue2, Multiqueue2Asleep};
pub use own_ring::OwnRing;
pub use own_slots::OwnSlots;
pub use seg_queue::SegQueues;
pub use smd::{Smd, SmdExpiring, SmdSized, door as smd_door};
pub use tokio_broadcast::Tokio;

use smd_lockfree::{Class, Clock};

#[cfg(doc)]
use crate::payload::LEN;

/// Messages in a burst, and in a batch where a peer sends batches.
pub const BURST: usize = 32;

/// Messages that a peer has room for, everywhere.
pub const CAPACITY: u32 = 1024;

/// Messages that a drain takes at most where it would otherwise go on as long as something comes in.
const DRAIN: usize = 64;

/// The class of every message that is sent to be received.
pub const CLASS: Class = Class::NETWORK;

/// How a peer is opened.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'c> {
    /// What stamps the messages.
    pub clock: &'c Clock,
    /// Threads that send.
    pub senders: usize,
    /// Receivers, all of which want [`CLASS`].
    pub receivers: usize,
    /// Messages that there is room for.
    pub capacity: u32,
    /// Whether messages are stamped; the bus itself always does.
    pub stamped: bool,
}

/// A message as its receiver sees it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'m> {
    /// Nanoseconds of the clock at the send; 0 if it is not stamped.
    pub stamp: u64,
    /// The payload.
    pub payload: &'m [u8],
}

/// One way to hand every message to every receiver that wants it.
pub trait Peer: Sized + 'static {
    /// The name in tables.
    const NAME: &'static str;
    /// Whether more than one thread may send.
    const SEVERAL_SENDERS: bool;
    /// What a sending thread holds.
    type Sender: Send + 'static;
    /// What a receiving thread holds.
    type Receiver: Send + 'static;

    /// Senders, and receivers that all want [`CLASS`].
    ///
    /// # Errors
    /// A sentence that says what this peer cannot do, or what failed.
    fn open(setup: &Setup<'_>) -> Opened<Self>;

    /// Sends messages `first..first + count`, at most [`BURST`], with one call and one stamp for each, and returns
    /// how many of them there was room for.
    fn send(sender: &mut Self::Sender, first: u64, count: usize) -> usize;

    // Peers keep their two ways of sending out of line: one call for 32 messages costs nothing, and the many rounds
    // that send do not compile them anew.

    /// Receives what is there, in the peer's best way; gives what it wants of that to `each`, and returns how many
    /// messages were taken.
    fn drain(receiver: &mut Self::Receiver, each: &mut impl FnMut(&Seen<'_>)) -> usize;

    /// The same for a thread that does nothing but serve this receiver, where the peer has a way of its own for that.
    #[inline]
    fn drain_alone(receiver: &mut Self::Receiver, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        Self::drain(receiver, each)
    }
}

/// Sending several messages with one stamp.
pub trait Batches: Peer {
    /// Sends messages `first..first + count`, at most [`BURST`], with one stamp, in the peer's own kind of batch, or one
    /// by one if it has none, and returns how many of them there was room for.
    fn send_batch(sender: &mut Self::Sender, first: u64, count: usize) -> usize;
}

/// The senders and receivers of a peer, or why it has none.
pub type Opened<P> = Result<(Vec<<P as Peer>::Sender>, Vec<<P as Peer>::Receiver>), String>;

/// A peer whose threads can wait asleep.
pub trait Blocks: Peer {
    /// Sends message `n`; waits for room.
    fn send_blocking(sender: &mut Self::Sender, n: u64);

    /// Sleeps until something is there, then receives as [`Peer::drain`] does.
    fn receive_blocking(receiver: &mut Self::Receiver, each: &mut impl FnMut(&Seen<'_>)) -> usize;
}

/// A peer that more receivers may join while messages flow.
pub trait Joins: Peer {
    /// A way in, from these two.
    fn door(sender: &Self::Sender, receiver: &Self::Receiver) -> Door;
}

/// Lets one more receiver of [`CLASS`] join and leave again, which receives nothing in between.
pub type Door = Box<dyn FnMut() -> Result<(), String> + Send>;

/// What stamps a peer's messages.
#[derive(Clone, Debug)]
struct Stamps(Option<Clock>);

impl Stamps {
    fn new(setup: &Setup<'_>) -> Stamps {
        Stamps(setup.stamped.then(|| setup.clock.clone()))
    }

    #[inline]
    fn now(&self) -> u64 {
        self.0.as_ref().map_or(0, |clock| clock.now().nanos())
    }
}

/// Calls `send` with consecutive numbers until it says that there is no room.
#[inline]
fn one_by_one(first: u64, count: usize, mut send: impl FnMut(u64) -> bool) -> usize {
    for n in 0..count {
        if !send(first + n as u64) {
            return n;
        }
    }
    count
}

/// For a peer whose messages have one sender.
fn only_one_sender(setup: &Setup<'_>) -> Result<(), String> {
    match setup.senders {
        1 => Ok(()),
        several => Err(format!("it has one sender, not {several}")),
    }
}
