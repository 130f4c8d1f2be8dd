//! What no bus can do better: a thread that is woken, and finds a stamp.
//!
//! ```text
//!   stamps [ . . s s . . . . ]      sent = 4: told last, with release
//!                ^ heard = 2
//! ```
//!
//! The stamps wait in a small ring of atomics, so that none is lost when several come before the sleeper wakes. No
//! payload, no class, no other participant, no room for more than [`RING`].

use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::Instant;

use crossbeam_utils::CachePadded;
use smd_lockfree::Clock;

use super::round::PATIENCE;
use super::{Log, Sleeper};

const RING: u64 = 64;

/// Stamps on their way from one thread to another.
///
/// | edge | release | acquire | carries |
/// |---|---|---|---|
/// | stamps.sent | `put` | `take` | the stamps |
/// | stamps.heard | `take` | `put` | that a stamp was read, and its place is free |
#[derive(Debug)]
struct Stamps {
    ring: [AtomicU64; RING as usize],
    sent: CachePadded<AtomicU64>,
    heard: CachePadded<AtomicU64>,
}

impl Stamps {
    fn new() -> Arc<Stamps> {
        let ring = std::array::from_fn(|_| AtomicU64::new(0));
        Arc::new(Stamps { ring, sent: CachePadded::default(), heard: CachePadded::default() })
    }

    /// Puts the stamp of message `n`; spins while the ring is full, but not for ever.
    #[inline]
    fn put(&self, n: u64, stamp: u64) -> Result<(), String> {
        let mut since = None;
        // EDGE stamps.heard: Acquire here; Release in `take`.
        while n - self.heard.load(Ordering::Acquire) >= RING {
            if since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                return Err(format!("there is no room for stamp {n}"));
            }
            hint::spin_loop();
        }
        // RELAXED: published by stamps.sent below.
        self.ring[(n % RING) as usize].store(stamp, Ordering::Relaxed);
        // EDGE stamps.sent: Release here; Acquire in `take`.
        self.sent.store(n + 1, Ordering::Release);
        Ok(())
    }

    /// Takes what is there; `false` if nothing is.
    #[inline]
    fn take(&self, log: &mut Log<'_>) -> bool {
        // RELAXED: only this thread writes it.
        let heard = self.heard.load(Ordering::Relaxed);
        // EDGE stamps.sent: Acquire here; Release in `put`.
        let sent = self.sent.load(Ordering::Acquire);
        for n in heard..sent {
            // RELAXED: published by stamps.sent above.
            log.bare(self.ring[(n % RING) as usize].load(Ordering::Relaxed), n);
        }
        // EDGE stamps.heard: Release here; Acquire in `put`.
        self.heard.store(sent, Ordering::Release);
        sent > heard
    }
}

/// The standard library's `park` and `unpark`: a futex.
#[derive(Debug)]
pub struct Unpark;

/// The side that unparks.
#[derive(Debug)]
pub struct Unparks {
    stamps: Arc<Stamps>,
    receiver: Option<Thread>,
}

/// The side that parks.
#[derive(Debug)]
pub struct Parks(Arc<Stamps>);

impl Sleeper for Unpark {
    const NAME: &'static str = "unpark";
    type Sender = Unparks;
    type Receiver = Parks;

    fn open(_: &Clock) -> Result<(Unparks, Parks), String> {
        let stamps = Stamps::new();
        Ok((Unparks { stamps: Arc::clone(&stamps), receiver: None }, Parks(stamps)))
    }

    fn meet(sender: &mut Unparks, receiver: &Thread) {
        sender.receiver = Some(receiver.clone());
    }

    #[inline]
    fn send(sender: &mut Unparks, clock: &Clock, n: u64) -> Result<(), String> {
        sender.stamps.put(n, clock.now().nanos())?;
        sender.receiver.as_ref().ok_or("it knows no receiver")?.unpark();
        Ok(())
    }

    #[inline]
    fn receive(receiver: &mut Parks, log: &mut Log<'_>) -> Result<(), String> {
        if !receiver.0.take(log) {
            thread::park();
        }
        Ok(())
    }
}

/// An event counter of Linux in an epoll.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub struct Eventfd;

#[cfg(target_os = "linux")]
mod eventfd {
    use std::os::fd::OwnedFd;

    use rustix::event::{EventfdFlags, eventfd};
    use rustix::io::{self, Errno};

    use super::super::alone::Alone;
    use super::{Arc, Clock, Eventfd, Log, Sleeper, Stamps};

    /// The side that writes.
    #[derive(Debug)]
    pub struct Writes {
        stamps: Arc<Stamps>,
        counter: Arc<OwnedFd>,
    }

    /// The side that polls, and reads.
    #[derive(Debug)]
    pub struct Polls {
        stamps: Arc<Stamps>,
        counter: Arc<OwnedFd>,
        epoll: Alone,
    }

    impl Sleeper for Eventfd {
        const NAME: &'static str = "eventfd";
        type Sender = Writes;
        type Receiver = Polls;

        fn open(_: &Clock) -> Result<(Writes, Polls), String> {
            let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
            let counter = Arc::new(eventfd(0, flags).map_err(|error| error.to_string())?);
            let epoll = Alone::new(&*counter)?;
            let stamps = Stamps::new();
            let sender = Writes { stamps: Arc::clone(&stamps), counter: Arc::clone(&counter) };
            Ok((sender, Polls { stamps, counter, epoll }))
        }

        #[inline]
        fn send(sender: &mut Writes, clock: &Clock, n: u64) -> Result<(), String> {
            sender.stamps.put(n, clock.now().nanos())?;
            match io::write(&*sender.counter, &1_u64.to_ne_bytes()) {
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            }
        }

        #[inline]
        fn receive(receiver: &mut Polls, log: &mut Log<'_>) -> Result<(), String> {
            receiver.epoll.wait()?;
            // Before the look, so that what comes behind it makes the counter readable again.
            match io::read(&*receiver.counter, &mut [0; 8]) {
                Ok(_) | Err(Errno::AGAIN | Errno::INTR) => (),
                Err(error) => return Err(error.to_string()),
            }
            receiver.stamps.take(log);
            Ok(())
        }
    }
}
