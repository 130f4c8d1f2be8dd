//! `kanal`, bounded: a receiver takes all that is there at once into a vector that it keeps.

use kanal::{Receiver, Sender, bounded};

use super::Message;
use super::fan_out::{BlockingQueue, FanOut, Queue};

/// A channel for each participant.
pub type KanalChannels = FanOut<Channel>;

/// One of them.
#[derive(Debug)]
pub struct Channel;

/// The receiving end.
pub struct Rx {
    channel: Receiver<Message>,
    taken: Vec<Message>,
}

impl Queue for Channel {
    const NAME: &'static str = "kanal";
    type Tx = Sender<Message>;
    type Rx = Rx;

    fn pair(capacity: usize) -> (Sender<Message>, Rx) {
        let (tx, channel) = bounded(capacity);
        (tx, Rx { channel, taken: Vec::with_capacity(capacity) })
    }

    #[inline]
    fn push(tx: &Sender<Message>, _: u64, message: Message) -> bool {
        tx.try_send(message) == Ok(true)
    }

    #[inline]
    fn drain(rx: &mut Rx, mut each: impl FnMut(&Message)) -> usize {
        let count = rx.channel.drain_into(&mut rx.taken).unwrap_or(0);
        for message in rx.taken.drain(..) {
            each(&message);
        }
        count
    }
}

impl BlockingQueue for Channel {
    /// The receivers live as long as the senders; without them a round misses messages, and says so.
    #[inline]
    fn push_blocking(tx: &Sender<Message>, message: Message) {
        let _ = tx.send(message);
    }

    #[inline]
    fn pop_blocking(rx: &mut Rx) -> Option<Message> {
        rx.channel.recv().ok()
    }
}
