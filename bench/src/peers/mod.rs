//! The bus and its rivals behind one trait, so that each workload is written once.
//!
//! What all have in common: a message carries a class, a stamp from the same [`Clock`] and [`LEN`] bytes of payload
//! by value; a receiver wants some classes and looks at no others; it reads each payload with [`Tally::absorb`].

mod smd;
mod tokio_broadcast;

pub use smd::{Smd, SmdBatch};
pub use tokio_broadcast::{PacedTokio, Tokio};

use smd_lockfree::{Class, Clock};

#[cfg(doc)]
use crate::payload::LEN;
use crate::payload::Tally;

/// Messages in a burst, and in a batch where a peer sends batches.
pub const BURST: usize = 32;

/// The class of every message that is sent to be received.
pub const CLASS: Class = Class::NETWORK;

/// One way to hand every message to every receiver that wants it.
pub trait Peer {
    /// The name in tables.
    const NAME: &'static str;
    /// What a sending thread holds.
    type Sender;
    /// What a receiving thread holds.
    type Receiver: Send;

    /// A sender and `receivers` receivers that all want [`CLASS`], with room for `capacity` messages.
    fn open(clock: &Clock, receivers: usize, capacity: u32) -> (Self::Sender, Vec<Self::Receiver>);

    /// Sends messages `first..first + count`, at most [`BURST`], and returns how many of them there was room for.
    fn send(sender: &mut Self::Sender, first: u64, count: usize) -> usize;

    /// Receives what is there and returns how many messages that was.
    fn drain(receiver: &mut Self::Receiver, tally: &mut Tally) -> usize;
}

/// Calls `send` with consecutive numbers until it says that there is no room.
#[inline]
fn one_by_one(first: u64, count: usize, mut send: impl FnMut(u64) -> bool) -> usize {
    (first..).take(count).take_while(|&n| send(n)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivers<P: Peer>() {
        let (mut sender, mut receivers) = P::open(&Clock::real(), 3, 64);
        let mut tallies = vec![Tally::default(); receivers.len()];
        let mut sent = 0;
        for _ in 0..10 {
            sent += P::send(&mut sender, sent, BURST) as u64;
            for (receiver, tally) in receivers.iter_mut().zip(&mut tallies) {
                while P::drain(receiver, tally) > 0 {}
            }
        }
        assert_eq!(sent, 10 * BURST as u64, "{}", P::NAME);
        for tally in &tallies {
            assert_eq!(tally.check(sent), Ok(()), "{}", P::NAME);
        }
    }

    fn refuses_when_full<P: Peer>() {
        let (mut sender, mut receivers) = P::open(&Clock::real(), 1, 64);
        let mut tally = Tally::default();
        let mut sent = 0;
        while sent < 1_000 {
            let accepted = P::send(&mut sender, sent, BURST);
            sent += accepted as u64;
            if accepted < BURST {
                break;
            }
        }
        assert!(sent <= 64, "{} took {sent} messages with room for 64", P::NAME);
        while P::drain(&mut receivers[0], &mut tally) > 0 {}
        sent += P::send(&mut sender, sent, 1) as u64;
        while P::drain(&mut receivers[0], &mut tally) > 0 {}
        assert_eq!(tally.check(sent), Ok(()), "{}", P::NAME);
    }

    #[test]
    fn every_peer_delivers_everything_in_order() {
        delivers::<Smd>();
        delivers::<SmdBatch>();
        delivers::<Tokio>();
        delivers::<PacedTokio>();
    }

    #[test]
    fn a_peer_that_must_lose_nothing_refuses_when_full() {
        refuses_when_full::<Smd>();
        refuses_when_full::<SmdBatch>();
        refuses_when_full::<PacedTokio>();
    }
}
