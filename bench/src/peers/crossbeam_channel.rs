//! `crossbeam-channel`, bounded.

use crossbeam_channel::{Receiver, Sender, bounded};

use super::fan_out::{BlockingQueue, FanOut, Queue};
use super::{DRAIN, Message};

/// A channel for each participant.
pub type CrossbeamChannels = FanOut<Channel>;

/// One of them.
#[derive(Debug)]
pub struct Channel;

impl Queue for Channel {
    const NAME: &'static str = "crossbeam-channel";
    type Tx = Sender<Message>;
    type Rx = Receiver<Message>;

    fn pair(capacity: usize) -> (Sender<Message>, Receiver<Message>) {
        bounded(capacity)
    }

    #[inline]
    fn push(tx: &Sender<Message>, _: u64, message: Message) -> bool {
        tx.try_send(message).is_ok()
    }

    #[inline]
    fn drain(rx: &mut Receiver<Message>, mut each: impl FnMut(&Message)) -> usize {
        let mut count = 0;
        for message in rx.try_iter().take(DRAIN) {
            each(&message);
            count += 1;
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
    fn pop_blocking(rx: &mut Receiver<Message>) -> Option<Message> {
        rx.recv().ok()
    }
}
