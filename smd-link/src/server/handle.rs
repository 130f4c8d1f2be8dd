//! A proxy seen from other threads.

use core::num::NonZeroU32;
use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rustix::event::{EventfdFlags, eventfd};
use smd_lockfree::Class;

use super::peer::Peer;
use super::{PeerCounts, Proxy, ProxyError};
use crate::address::Address;
use crate::policy::Credentials;

/// How long a snapshot is waited for: a proxy that answers later stands still.
const ANSWER: Duration = Duration::from_secs(5);

/// What a proxy does at a moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Snapshot {
    /// Its peers.
    pub peers: Vec<PeerSnapshot>,
    /// Connections that were refused so far.
    pub refused: u64,
}

/// What a peer does at a moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerSnapshot {
    /// Its number.
    pub number: NonZeroU32,
    /// Who it is.
    pub who: Credentials,
    /// What it gets; `None`: it has not registered yet.
    pub mask: Option<Class>,
    /// Bytes that are queued and not written.
    pub queued_bytes: u64,
    /// Messages that wait in the bus.
    pub backlog: u64,
    /// What was done so far.
    pub counts: PeerCounts,
}

impl PeerSnapshot {
    pub(super) fn of(peer: &Peer) -> PeerSnapshot {
        let (queued_bytes, backlog) = peer.queued();
        let (number, who, mask, counts) = (peer.number, peer.who.clone(), peer.mask(), peer.counts);
        PeerSnapshot { number, who, mask, queued_bytes, backlog, counts }
    }
}

/// What a proxy shares with its handles.
#[derive(Debug)]
pub(super) struct Shared {
    wake: OwnedFd,
    stopped: AtomicBool,
    asked: AtomicBool,
    answer: Mutex<Option<Snapshot>>,
    answered: Condvar,
}

impl Shared {
    pub(super) fn new() -> rustix::io::Result<Shared> {
        Ok(Shared {
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            stopped: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            answer: Mutex::new(None),
            answered: Condvar::new(),
        })
    }

    pub(super) fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    pub(super) fn wants_snapshot(&self) -> bool {
        self.asked.swap(false, Ordering::AcqRel)
    }

    pub(super) fn answer(&self, snapshot: Snapshot) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
        self.answered.notify_all();
    }

    /// The wake-up was seen.
    pub(super) fn cleared(&self) {
        // It is not blocking, and what it says is known.
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
    }

    fn rouse(&self) {
        // Full, it is readable, which is all that is wanted.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

/// Stops a proxy, from any thread.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<Shared>);

impl Stopper {
    pub(super) fn new(shared: &Arc<Shared>) -> Stopper {
        Stopper(shared.clone())
    }

    /// Nobody else is let in; who is there is sent what is queued, for a second at most. It does not wait for
    /// that. A second call does nothing.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        self.0.rouse();
    }
}

/// A proxy on a thread of its own. Dropped, it is stopped, and its end awaited.
#[derive(Debug)]
#[must_use = "dropped, the proxy stops"]
pub struct Running {
    shared: Arc<Shared>,
    address: Address,
    thread: Option<JoinHandle<Result<(), ProxyError>>>,
}

impl Running {
    pub(super) fn new(mut proxy: Proxy) -> io::Result<Running> {
        let (shared, address) = (proxy.shared.clone(), proxy.address.clone());
        let thread =
            thread::Builder::new().name("smd-proxy".to_owned()).spawn(move || proxy.run())?;
        Ok(Running { shared, address, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Stops it, from any thread.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.shared.clone())
    }

    /// What it does at the moment.
    ///
    /// # Errors
    /// [`ProxyError::Ended`] if it has ended.
    pub fn snapshot(&self) -> Result<Snapshot, ProxyError> {
        let mut answer = self.shared.answer.lock().unwrap_or_else(PoisonError::into_inner);
        *answer = None;
        self.shared.asked.store(true, Ordering::Release);
        self.shared.rouse();
        let waiting = |answer: &mut Option<Snapshot>| answer.is_none() && self.is_running();
        let answered = self.shared.answered.wait_timeout_while(answer, ANSWER, waiting);
        let (mut answer, _) = answered.unwrap_or_else(PoisonError::into_inner);
        answer.take().ok_or(ProxyError::Ended)
    }

    /// Whether it serves.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Stops it and waits for its end, a second at most if somebody does not read.
    ///
    /// # Errors
    /// [`ProxyError`] if it had failed.
    pub fn stop(mut self) -> Result<(), ProxyError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), ProxyError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        Stopper(self.shared.clone()).stop();
        thread.join().unwrap_or(Err(ProxyError::Ended))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Who wants to know calls `stop`.
        let _ = self.end();
    }
}
