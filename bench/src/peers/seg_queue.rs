//! `crossbeam_queue::SegQueue`: without a bound of its own, so a sender looks at its length once in 32 messages.

use std::sync::Arc;

use crossbeam_queue::SegQueue;

use super::fan_out::{FanOut, Queue};
use super::{BURST, DRAIN, Message, one_by_one};

/// A queue for each participant.
pub type SegQueues = FanOut<Unbounded>;

/// One of them.
#[derive(Debug)]
pub struct Unbounded;

/// The sending end.
#[derive(Clone, Debug)]
pub struct Tx {
    queue: Arc<SegQueue<Message>>,
    capacity: usize,
}

impl Queue for Unbounded {
    const NAME: &'static str = "crossbeam-SegQueue";
    type Tx = Tx;
    type Rx = Arc<SegQueue<Message>>;

    fn pair(capacity: usize) -> (Tx, Self::Rx) {
        let queue = Arc::new(SegQueue::new());
        (Tx { queue: Arc::clone(&queue), capacity }, queue)
    }

    #[inline]
    fn push(tx: &Tx, n: u64, message: Message) -> bool {
        if n.is_multiple_of(BURST as u64) && tx.queue.len() >= tx.capacity {
            return false;
        }
        tx.queue.push(message);
        true
    }

    #[inline]
    fn drain(rx: &mut Self::Rx, mut each: impl FnMut(&Message)) -> usize {
        one_by_one(0, DRAIN, |_| rx.pop().inspect(&mut each).is_some())
    }
}
