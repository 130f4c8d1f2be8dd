//! What drives a proxy or a link: a thread of its own, or a loop of the caller's; and how others stop it.

use core::fmt;
use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rustix::event::{EventfdFlags, Timespec, eventfd};
use smd_lockfree::Timestamp;

/// How long a snapshot is waited for: who answers later stands still.
const ANSWER: Duration = Duration::from_secs(5);

/// Why a proxy or a link does not go on.
#[derive(Debug)]
#[non_exhaustive]
pub enum DriveError {
    /// Waiting for the descriptors failed.
    Wait(io::Error),
    /// Its thread has ended.
    Ended,
}

/// What it shares with its handles.
#[derive(Debug)]
pub(crate) struct Shared<S> {
    wake: Arc<Wake>,
    asked: AtomicBool,
    answer: Mutex<Option<S>>,
    answered: Condvar,
}

#[derive(Debug)]
struct Wake {
    descriptor: OwnedFd,
    stopped: AtomicBool,
}

impl<S> Shared<S> {
    pub(crate) fn new() -> rustix::io::Result<Shared<S>> {
        let descriptor = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Shared {
            wake: Arc::new(Wake { descriptor, stopped: AtomicBool::new(false) }),
            asked: AtomicBool::new(false),
            answer: Mutex::new(None),
            answered: Condvar::new(),
        })
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.wake.descriptor.as_fd()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.wake.stopped.load(Ordering::Acquire)
    }

    pub(crate) fn stopper(&self) -> Stopper {
        Stopper(self.wake.clone())
    }

    /// The wake-up was seen.
    pub(crate) fn cleared(&self) {
        // It does not block, and what it says is known.
        let _ = rustix::io::read(&self.wake.descriptor, &mut [0; 8]);
    }

    /// Answers who has asked.
    pub(crate) fn answer(&self, snapshot: impl FnOnce() -> S) {
        if self.asked.swap(false, Ordering::AcqRel) {
            *self.lock() = Some(snapshot());
            self.answered.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<S>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake {
    fn rouse(&self) {
        // Full, it is readable, which is all that is wanted.
        let _ = rustix::io::write(&self.descriptor, &1_u64.to_ne_bytes());
    }
}

/// Stops a proxy or a link, from any thread.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<Wake>);

impl Stopper {
    /// It takes nothing new, sends what is queued, for a second at most, and ends. This call does not wait for
    /// that. A second call does nothing.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        self.0.rouse();
    }
}

/// A proxy or a link on a thread of its own. Dropped, it is stopped, and its end awaited.
#[derive(Debug)]
#[must_use = "dropped, it stops"]
pub struct Running<S> {
    shared: Arc<Shared<S>>,
    thread: Option<JoinHandle<Result<(), DriveError>>>,
}

impl<S: Send + 'static> Running<S> {
    pub(crate) fn new(
        name: &str,
        shared: Arc<Shared<S>>,
        run: impl FnOnce() -> Result<(), DriveError> + Send + 'static,
    ) -> io::Result<Running<S>> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Running { shared, thread: Some(thread) })
    }
}

impl<S> Running<S> {
    /// Stops it, from any thread.
    pub fn stopper(&self) -> Stopper {
        self.shared.stopper()
    }

    /// What it does at the moment. Waits for its thread, which answers between two turns.
    ///
    /// # Errors
    /// [`DriveError::Ended`] if it has ended.
    pub fn snapshot(&self) -> Result<S, DriveError> {
        let mut answer = self.shared.lock();
        *answer = None;
        self.shared.asked.store(true, Ordering::Release);
        self.shared.wake.rouse();
        let end = std::time::Instant::now() + ANSWER;
        while answer.is_none() && self.is_running() && std::time::Instant::now() < end {
            // In steps, since nobody tells of a thread that ends meanwhile.
            let step = Duration::from_millis(50);
            let waited = self.shared.answered.wait_timeout(answer, step);
            answer = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        answer.take().ok_or(DriveError::Ended)
    }

    /// Whether it is at work.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Stops it and waits for its end, a second at most if somebody does not read.
    ///
    /// # Errors
    /// [`DriveError`] if it had failed.
    pub fn stop(mut self) -> Result<(), DriveError> {
        self.end()
    }

    /// Waits until it ends by itself: with its bus, or by a [`Stopper`].
    ///
    /// # Errors
    /// [`DriveError`] if it has failed.
    pub fn join(mut self) -> Result<(), DriveError> {
        self.thread.take().map_or(Ok(()), joined)
    }

    fn end(&mut self) -> Result<(), DriveError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.stopper().stop();
        joined(thread)
    }
}

fn joined(thread: JoinHandle<Result<(), DriveError>>) -> Result<(), DriveError> {
    thread.join().unwrap_or(Err(DriveError::Ended))
}

impl<S> Drop for Running<S> {
    fn drop(&mut self) {
        // Who wants to know calls `stop`.
        let _ = self.end();
    }
}

/// For how long one may wait: until `deadline`, and for `timeout` at most.
pub(crate) fn nap(
    now: Timestamp,
    deadline: Option<Timestamp>,
    timeout: Option<Duration>,
) -> Option<Timespec> {
    let left = deadline.map(|deadline| deadline.saturating_since(now));
    let nap = match (timeout, left) {
        (Some(timeout), Some(left)) => Some(timeout.min(left)),
        (timeout, left) => timeout.or(left),
    };
    nap.map(|nap| Timespec {
        tv_sec: i64::try_from(nap.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: nap.subsec_nanos().into(),
    })
}

impl fmt::Display for DriveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DriveError::Wait(error) => write!(f, "cannot wait for the sockets: {error}"),
            DriveError::Ended => f.write_str("it has ended"),
        }
    }
}

impl std::error::Error for DriveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DriveError::Wait(error) => Some(error),
            DriveError::Ended => None,
        }
    }
}
