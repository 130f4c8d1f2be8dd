//! `crossbeam_queue::ArrayQueue`: bounded, without a way to sleep.

use std::sync::Arc;

use crossbeam_queue::ArrayQueue;

use super::fan_out::{FanOut, Queue};
use super::{DRAIN, Message, one_by_one};

/// A queue for each participant.
pub type ArrayQueues = FanOut<Bounded>;

/// One of them.
#[derive(Debug)]
pub struct Bounded;

impl Queue for Bounded {
    const NAME: &'static str = "crossbeam-ArrayQueue";
    type Tx = Arc<ArrayQueue<Message>>;
    type Rx = Arc<ArrayQueue<Message>>;

    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        let queue = Arc::new(ArrayQueue::new(capacity));
        (Arc::clone(&queue), queue)
    }

    #[inline]
    fn push(tx: &Self::Tx, _: u64, message: Message) -> bool {
        tx.push(message).is_ok()
    }

    #[inline]
    fn drain(rx: &mut Self::Rx, mut each: impl FnMut(&Message)) -> usize {
        one_by_one(0, DRAIN, |_| rx.pop().inspect(&mut each).is_some())
    }
}
