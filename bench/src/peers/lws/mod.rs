//! The original: `lws_smd` of libwebsockets, as Debian has it (4.1.6, with a queue of 12 messages).
//!
//! ```text
//!   sender --- mutex ---> lws_smd_msg_alloc, lws_smd_msg_send --- eventfd ---.
//!      | sent                                                               |
//!      v                                                                    v
//!   receiver: something is queued? --- mutex ---> lws_service ---> callbacks of all participants
//! ```
//!
//! Its documentation lets any thread send. In this version that stalls, or ends in an assertion, since a sender takes
//! no lock while messages are delivered; so one mutex stands around each send and each round of the loop. A loop that
//! goes round without a pause would hold it nearly all the time: the receiver takes it when something is queued, which
//! it sees from a counter beside it. That is quicker than what its users have, who sleep in the loop's `poll`: those are
//! [`LwsSmdInPoll`], and the calls that wait.
//!
//! Our stamp and the payload are written into the message's own memory; the class travels with it. The library stamps
//! too, in microseconds, stamped or not.

mod ffi;
#[cfg(test)]
mod tests;

use std::hint;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crossbeam_utils::CachePadded;

pub use ffi::Loop;
use ffi::{Alarm, DEPTH};

use super::{Batches, Blocks, Opened, Peer, Seen, Setup, Stamps, one_by_one};

/// Looks at a mutex that is taken, before one sleeps: longer than a full queue takes to be delivered, so that on two
/// processors nobody pays for being woken.
const LOOKS: u32 = 500;

/// Milliseconds in `poll` without a message.
const NAP: u16 = 10;

/// `lws_smd` with one participant, whose loop another thread pumps.
#[derive(Debug)]
pub struct LwsSmd;

impl LwsSmd {
    /// Messages that its queue holds.
    pub const DEPTH: u64 = DEPTH;
}

/// The same with a receiver as its users have it: asleep in `poll` whenever nothing is queued.
#[derive(Debug)]
pub struct LwsSmdInPoll;

impl LwsSmdInPoll {
    /// The variant's name in tables.
    pub const VARIANT: &'static str = "loop in poll";
}

/// What the sending and the receiving thread share.
struct Shared {
    lws: Mutex<Loop>,
    /// Messages sent, written after the mutex is given back, and messages received.
    sent: CachePadded<AtomicU64>,
    received: CachePadded<AtomicU64>,
}

/// The sending side.
pub struct Sender {
    shared: Arc<Shared>,
    stamps: Stamps,
}

/// The receiving side, which pumps the loop.
pub struct Receiver {
    shared: Arc<Shared>,
    received: u64,
    alarm: Alarm,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Loop> {
        for _ in 0..LOOKS {
            if let Ok(lws) = self.lws.try_lock() {
                return lws;
            }
            hint::spin_loop();
        }
        // Who panicked did so outside of the library.
        self.lws.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there may be room; without the mutex, so that a sender who waits for some does not hold up the loop.
    fn may_have_room(&self) -> bool {
        // RELAXED: a guess; the queue is looked at under the mutex.
        let sent = self.sent.load(Ordering::Relaxed);
        sent.saturating_sub(self.received.load(Ordering::Relaxed)) < DEPTH
    }

    fn tell(&self, sent: u64) {
        // EDGE lws.sent: Release here; Acquire in `Receiver::drain`. Carries that the mutex is free again.
        self.sent.fetch_add(sent, Ordering::Release);
    }
}

impl Receiver {
    /// One round of the loop.
    fn service(&mut self, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        let received = self.shared.lock().service(&mut |_, seen| each(seen));
        let before = std::mem::replace(&mut self.received, received);
        // RELAXED: as in `may_have_room`.
        self.shared.received.store(received, Ordering::Relaxed);
        (received - before) as usize
    }
}

impl Peer for LwsSmd {
    const NAME: &'static str = "lws_smd";
    const SEVERAL_SENDERS: bool = true;
    type Sender = Sender;
    type Receiver = Receiver;

    /// The capacity is the library's own.
    fn open(setup: &Setup<'_>) -> Opened<Self> {
        if setup.receivers != 1 {
            return Err(
                "all participants of lws_smd are called by one loop, and this takes one".to_owned()
            );
        }
        let mut lws = Loop::open(1)?;
        let alarm = lws.alarm()?;
        let shared = Arc::new(Shared {
            lws: Mutex::new(lws),
            sent: CachePadded::default(),
            received: CachePadded::default(),
        });
        let sender = || Sender { shared: Arc::clone(&shared), stamps: Stamps::new(setup) };
        let senders = (0..setup.senders).map(|_| sender()).collect();
        Ok((senders, vec![Receiver { shared, received: 0, alarm }]))
    }

    fn send(sender: &mut Sender, first: u64, count: usize) -> usize {
        let Sender { shared, stamps } = sender;
        one_by_one(first, count, |n| {
            let sent = shared.may_have_room() && {
                let stamp = stamps.now();
                shared.lock().send(stamp, n)
            };
            if sent {
                shared.tell(1);
            }
            sent
        })
    }

    fn drain(receiver: &mut Receiver, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        // EDGE lws.sent: Acquire here; Release in `Shared::tell`.
        if receiver.shared.sent.load(Ordering::Acquire) == receiver.received {
            return 0;
        }
        receiver.service(each)
    }
}

impl Peer for LwsSmdInPoll {
    const NAME: &'static str = LwsSmd::NAME;
    const SEVERAL_SENDERS: bool = LwsSmd::SEVERAL_SENDERS;
    type Sender = Sender;
    type Receiver = Receiver;

    fn open(setup: &Setup<'_>) -> Opened<Self> {
        LwsSmd::open(setup)
    }

    fn send(sender: &mut Sender, first: u64, count: usize) -> usize {
        LwsSmd::send(sender, first, count)
    }

    fn drain(receiver: &mut Receiver, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        // Not for ever: who waits for a lost message must see that.
        receiver.alarm.sleep_for(NAP);
        receiver.service(each)
    }
}

/// It has no batches: as many as there is room for are sent under one lock, with one stamp.
impl Batches for LwsSmd {
    fn send_batch(sender: &mut Sender, first: u64, count: usize) -> usize {
        let Sender { shared, stamps } = sender;
        if !shared.may_have_room() {
            return 0;
        }
        let stamp = stamps.now();
        let sent = {
            let mut lws = shared.lock();
            one_by_one(first, count, |n| lws.send(stamp, n))
        };
        shared.tell(sent as u64);
        sent
    }
}

/// The receiver sleeps on what wakes the loop, without the mutex.
impl Blocks for LwsSmd {
    fn send_blocking(sender: &mut Sender, n: u64) {
        while Self::send(sender, n, 1) == 0 {
            // There is nothing to wait for: it refuses.
            thread::yield_now();
        }
    }

    fn receive_blocking(receiver: &mut Receiver, each: &mut impl FnMut(&Seen<'_>)) -> usize {
        let mut received = Self::drain(receiver, each);
        while received == 0 {
            receiver.alarm.sleep();
            // Also if nothing came: this is what ends the alarm.
            received = receiver.service(each);
        }
        received
    }
}
