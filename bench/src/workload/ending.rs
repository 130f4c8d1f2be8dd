//! How a round ends whose threads send and receive as fast as they can: the total is told when the last sender has
//! ended, and a receiver has ended when it has the total.
//!
//! A receiver that sleeps can't look whether it is over. So with sleepers the total is told before one last message is
//! sent, which wakes them. Who does not wake then is sent more, to free its thread, and the round has failed. A
//! receiver that panics goes on to take, so that no sender waits for its room for ever.
//!
//! | edge | release | acquire | carries |
//! |---|---|---|---|
//! | `ending.total` | `Ending::tell` | `Ending::total` | what senders sent |
//! | `ending.sending` | `Ending::sender_ended` | the same, of the last | the others' sums |
//! | `ending.ended` | `Ending::receive_asleep` | `Ending::wake` | that the receiver needs no message |

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;

use super::flow::Inbox;
use crate::peers::{Blocks, Peer, Seen};

/// How long one waits for what is missing when all was sent.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Between two messages to a receiver that did not wake, and how many there are.
const POKE: Duration = Duration::from_millis(10);
const POKES: usize = 300;

const UNKNOWN: u64 = u64::MAX;

/// The end of one round.
#[derive(Debug)]
pub(super) struct Ending {
    total: CachePadded<AtomicU64>,
    sum: AtomicU64,
    sending: AtomicUsize,
    ended: AtomicUsize,
    failed: AtomicBool,
}

impl Ending {
    /// Of a round with so many senders.
    pub(super) fn of(senders: usize) -> Ending {
        Ending {
            total: CachePadded::new(AtomicU64::new(UNKNOWN)),
            sum: AtomicU64::new(0),
            sending: AtomicUsize::new(senders),
            ended: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
        }
    }

    fn tell(&self, total: u64) {
        // EDGE ending.total: Release here; Acquire in `total`.
        self.total.store(total, Ordering::Release);
    }

    /// What each receiver is to have got, once it is known.
    #[inline]
    pub(super) fn total(&self) -> Option<u64> {
        // EDGE ending.total: Acquire here; Release in `tell`.
        Some(self.total.load(Ordering::Acquire)).filter(|total| *total != UNKNOWN)
    }

    /// One of the senders, which ends when this is dropped; also in a panic.
    pub(super) fn sender(&self) -> SenderEnds<'_> {
        SenderEnds { ending: self, sent: 0 }
    }

    /// A sender has ended and sent so many messages in all: whether it is the last.
    fn sender_ended(&self, sent: u64) -> bool {
        // RELAXED: carried to the last one by `ending.sending`.
        self.sum.fetch_add(sent, Ordering::Relaxed);
        // EDGE ending.sending: Release here for the last, Acquire for the last here.
        self.sending.fetch_sub(1, Ordering::AcqRel) == 1
    }

    fn sum(&self) -> u64 {
        // RELAXED: see `sender_ended`.
        self.sum.load(Ordering::Relaxed)
    }

    /// A sender to sleepers has ended. The last one sends one message more, and then waits until all are awake.
    ///
    /// # Errors
    /// A receiver did not wake, or panicked.
    pub(super) fn sender_to_sleepers_ended(
        &self,
        sent: u64,
        receivers: usize,
        mut send: impl FnMut(),
    ) -> Result<(), String> {
        if !self.sender_ended(sent) {
            return Ok(());
        }
        self.tell(self.sum() + 1);
        send();
        self.wake(receivers, send)
    }

    fn wake(&self, receivers: usize, mut send: impl FnMut()) -> Result<(), String> {
        // EDGE ending.ended: Acquire here; Release in `receive_asleep`.
        let all = || self.ended.load(Ordering::Acquire) >= receivers;
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if all() {
                // RELAXED: its panic itself comes by joining the thread.
                let failed = self.failed.load(Ordering::Relaxed);
                return if failed { Err("a receiver panicked".to_owned()) } else { Ok(()) };
            }
            thread::yield_now();
        }
        // RELAXED: a hint, and the message that follows wakes whom it is for.
        self.failed.store(true, Ordering::Relaxed);
        for _ in 0..POKES {
            if all() {
                break;
            }
            send();
            thread::sleep(POKE);
        }
        Err("a receiver that slept was not woken, or missed a message".to_owned())
    }

    /// Receives until there is the total, with calls that sleep.
    pub(super) fn receive_asleep<P: Blocks>(&self, inbox: &mut Inbox<P>) -> Instant {
        let (receiver, tally) = inbox.parts();
        let received = catch_unwind(AssertUnwindSafe(|| {
            // RELAXED: see `wake`.
            while self.total().is_none_or(|total| tally.count() < total)
                && !self.failed.load(Ordering::Relaxed)
            {
                P::receive_blocking(receiver, &mut |seen: &Seen<'_>| tally.absorb(seen.payload));
            }
            Instant::now()
        }));
        if received.is_err() {
            // RELAXED: as in `wake`.
            self.failed.store(true, Ordering::Relaxed);
            while self.total().is_none() {
                let _ = catch_unwind(AssertUnwindSafe(|| P::drain(receiver, &mut |_| ())));
                thread::yield_now();
            }
        }
        // EDGE ending.ended: Release here; Acquire in `wake`.
        self.ended.fetch_add(1, Ordering::Release);
        received.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Polls all of these with `drain` until each has the total, or nothing came for a second: the check finds what is
    /// missing. `idle` is done when there was nothing, `busy` when there was something.
    #[inline]
    pub(super) fn receive_polling<P: Peer>(
        &self,
        inboxes: &mut [Inbox<P>],
        drain: impl Fn(&mut Inbox<P>) -> usize,
        mut busy: impl FnMut(),
        mut idle: impl FnMut(),
    ) -> Instant {
        let mut idle_since = None;
        loop {
            let drained: usize = inboxes.iter_mut().map(&drain).sum();
            if drained > 0 {
                idle_since = None;
                busy();
                continue;
            }
            let ended = |total| inboxes.iter().all(|inbox| inbox.tally.count() >= total);
            if let Some(total) = self.total()
                && (ended(total)
                    || idle_since.get_or_insert_with(Instant::now).elapsed() > PATIENCE)
            {
                return Instant::now();
            }
            idle();
        }
    }
}

/// See [`Ending::sender`].
#[derive(Debug)]
pub(super) struct SenderEnds<'e> {
    ending: &'e Ending,
    /// What it sent in all.
    pub(super) sent: u64,
}

impl Drop for SenderEnds<'_> {
    fn drop(&mut self) {
        if self.ending.sender_ended(self.sent) {
            self.ending.tell(self.ending.sum());
        }
    }
}
