//! A proxy: other processes take part in a bus of this one, over sockets. Linux only.
//!
//! ```text
//!   bus of this process                Proxy: one thread, one epoll
//!     participant of peer 1 <------- peer 1: session, policy  <== socket ==>  a process
//!     participant of peer 2 <------- peer 2: session, policy  <== socket ==>  a process
//!     ...                            listener, wake-up of the handle
//! ```
//!
//! Each peer is a participant of the bus with policy lag, so it gets what the bus's own participants
//! get, in the one order, and one that reads slowly, or not at all, costs nobody else anything: it loses its
//! oldest, which is counted and told when it reads again. What a peer sends goes into the bus with its origin
//! ([`Origin::Peer`](smd_lockfree::Origin::Peer)), if its [policy](crate::policy) permits it.
//!
//! Peers speak the [protocol of the libwebsockets proxy](crate::lws). Such a peer gets its own messages back when its mask
//! has them, as from the real one.
//!
//! **What the policy counts.** Connections, peers, classes and rates are limited as `POLICY.md` says. What waits
//! for a peer waits in the bus: at most `peer-queued-messages`, and `peer-queued-bytes` as if each were of
//! the longest. `uid-queued-messages` and `uid-queued-bytes` are not asked, and there is no `grace`, since a
//! libwebsockets client cannot come back. Whom the policy lets receive nothing stays, if it may send.
//!
//! **Driving it.** [`Proxy::spawn`] gives it a thread; [`Proxy::run`] takes the caller's; or a loop of
//! one's own polls the descriptor of the proxy ([`AsFd`]) and calls [`Proxy::step`] when it is readable
//! or [`Proxy::deadline`] has come.
//!
//! ```
//! use smd_link::{Address, server::Proxy};
//! use smd_lockfree::{Bus, Class};
//!
//! let bus = Bus::new();
//! let address = Address::name(&format!("doc.{}", std::process::id()))?;
//! let proxy = Proxy::builder(&bus).address(address).build()?.spawn()?;
//! let mut log = bus.register(Class::ALL)?;
//! // What other processes send comes to `log`, and what is sent here goes to them.
//! assert_eq!(proxy.snapshot()?.peers.len(), 0);
//! proxy.stop()?;
//! # drop(log.try_recv().map(|_| ()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod listener;
mod notice;
mod peer;
mod peers;
mod snapshot;

pub use error::ListenError;
pub use notice::{Ended, Missed, Notice, Rejected};
pub use peer::PeerCounts;
pub use snapshot::{PeerSnapshot, Snapshot};

use core::fmt;
use core::mem::MaybeUninit;
use core::num::NonZeroU32;
use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::epoll;
use rustix::io::Errno;
use smd_lockfree::{Bus, Timestamp};

use crate::address::Address;
use crate::drive::{DriveError, Running, Shared, Stopper, nap};
use crate::lws::after;
use crate::policy::{Accounts, PeerPolicy};
use crate::stream::Mark;
use listener::Listener;
use peer::{Around, Peer};
use peers::Peers;

/// Connections that are accepted in one turn.
const ACCEPTS: u32 = 16;
/// Events that are taken in one turn.
const EVENTS: usize = 256;
/// After an accept that the system refused for want of something, it is tried again.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// A proxy that stops sends what is queued for so long at most.
const GOODBYE: Duration = Duration::from_secs(1);

const LISTENER: u64 = 0;
const WAKE: u64 = 1;

/// Serves one address for one bus. See the [module](self).
pub struct Proxy {
    bus: Bus,
    policy: PeerPolicy,
    accounts: Accounts,
    epoll: OwnedFd,
    listener: Option<Listener>,
    address: Address,
    shared: Arc<Shared<Snapshot>>,
    peers: Peers,
    /// Given up when there is no descriptor left, so that a newcomer can be turned away.
    reserve: Option<OwnedFd>,
    accept_at: Option<Timestamp>,
    /// The earliest deadline of a peer, or something before it.
    due: Option<Timestamp>,
    stopping: bool,
    refused: u64,
    notices: Box<dyn FnMut(&Notice<'_>) + Send>,
    mark: Mark,
}

/// The choices of a proxy, from [`Proxy::builder`].
#[must_use = "nothing listens until `build`"]
pub struct Builder<'b> {
    bus: &'b Bus,
    address: Address,
    policy: PeerPolicy,
    notices: Box<dyn FnMut(&Notice<'_>) + Send>,
}

impl<'b> Builder<'b> {
    /// Where it listens; by default where libwebsockets' clients look.
    pub fn address(mut self, address: Address) -> Self {
        self.address = address;
        self
    }

    /// Who may do what. By default the user of this process alone may connect, wherever it listens, and may
    /// do all.
    pub fn policy(mut self, policy: PeerPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Is told what happens, for a log; on the proxy's thread, which it holds up.
    pub fn notices(mut self, notices: impl FnMut(&Notice<'_>) + Send + 'static) -> Self {
        self.notices = Box::new(notices);
        self
    }

    /// Listens.
    ///
    /// # Errors
    /// [`ListenError`]: the name is taken, the path is no socket, or what the system says.
    pub fn build(self) -> Result<Proxy, ListenError> {
        let listener = Listener::new(&self.address, &self.policy)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let shared = Arc::new(Shared::new()?);
        let readable = epoll::EventFlags::IN;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), readable)?;
        epoll::add(&epoll, shared.descriptor(), epoll::EventData::new_u64(WAKE), readable)?;
        Ok(Proxy {
            bus: self.bus.clone(),
            policy: self.policy,
            accounts: Accounts::new(),
            epoll,
            address: listener.address().clone(),
            listener: Some(listener),
            shared,
            peers: Peers::new(),
            reserve: reserve(),
            accept_at: None,
            due: None,
            stopping: false,
            refused: 0,
            mark: Mark::new(self.address.port().is_none()),
            notices: self.notices,
        })
    }
}

impl Proxy {
    /// A proxy for this bus, which it keeps open.
    pub fn builder(bus: &Bus) -> Builder<'_> {
        Builder {
            bus,
            address: Address::default(),
            policy: PeerPolicy::default(),
            notices: Box::new(|_| ()),
        }
    }

    /// Where it listens; for TCP with the port that the system chose.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Stops it, from any thread.
    pub fn stopper(&self) -> Stopper {
        self.shared.stopper()
    }

    /// Serves until it is stopped, or the bus is closed and everything in it was sent. It hears of a close
    /// by the peers that receive: without one, stop it.
    ///
    /// # Errors
    /// [`DriveError`] if waiting itself fails; what happens to a single peer ends that peer alone.
    pub fn run(&mut self) -> Result<(), DriveError> {
        while self.step(None)? {}
        Ok(())
    }

    /// Gives it a thread of its own.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn spawn(mut self) -> io::Result<Running<Snapshot>> {
        Running::new("smd-proxy", self.shared.clone(), move || self.run())
    }

    /// Until when [`step`](Proxy::step) must be called even if the descriptor is not readable.
    pub fn deadline(&self) -> Option<Timestamp> {
        if self.peers.has_more() {
            return Some(self.bus.clock().now());
        }
        [self.due, self.accept_at].into_iter().flatten().min()
    }

    /// Waits for something to do, for `timeout` at most (`None`: however long), and does it: a bounded
    /// amount for each peer. `false`: it is over, and needs no more of it.
    ///
    /// # Errors
    /// [`DriveError`] if waiting itself fails.
    pub fn step(&mut self, timeout: Option<Duration>) -> Result<bool, DriveError> {
        let mut space = [const { MaybeUninit::<epoll::Event>::uninit() }; EVENTS];
        let nap = nap(self.bus.clock().now(), self.deadline(), timeout);
        let events = match epoll::wait(&self.epoll, &mut space, nap.as_ref()) {
            Ok((events, _)) => events,
            Err(Errno::INTR) => &mut [],
            Err(error) => return Err(DriveError::Wait(error.into())),
        };
        let now = self.bus.clock().now();
        let mut accepts = self.accept_at.is_some_and(|at| now >= at);
        for event in events {
            let (token, flags) = (event.data.u64(), event.flags);
            match token {
                LISTENER => accepts = true,
                WAKE => self.shared.cleared(),
                token => self.peers.note(token, flags),
            }
        }
        if self.shared.is_stopped() || self.bus.is_closed() {
            self.begin_to_stop(now);
        }
        if self.due.is_some_and(|due| now >= due) {
            self.peers.list_due(now);
            self.due = None;
        }
        self.serve(now);
        // Behind all others: who comes now gets no event of who had its place before.
        if accepts {
            self.accept(now);
        }
        if self.due.is_none() {
            self.due = self.peers.earliest_deadline();
        }
        self.shared.answer(|| self.snapshot());
        Ok(!(self.stopping && self.peers.is_empty()))
    }

    /// What it does at the moment. Cost: it counts the backlog of each peer.
    pub fn snapshot(&self) -> Snapshot {
        let peers = self.peers.iter().map(PeerSnapshot::of).collect();
        Snapshot { peers, refused: self.refused }
    }

    /// Gives each peer that has something to do one turn.
    fn serve(&mut self, now: Timestamp) {
        for _ in 0..self.peers.listed() {
            let Some(index) = self.peers.next_listed() else { break };
            let mut around =
                Around { bus: &self.bus, now, notices: &mut self.notices, mark: &self.mark };
            let Some(peer) = self.peers.get_mut(index) else { continue };
            let result = peer.turn(&mut around).and_then(|()| {
                let watched = Peers::watch(&self.epoll, index, peer);
                watched.map_err(|error| Ended::Broken(error.into()))
            });
            if let Err(why) = result {
                let number = peer.number;
                self.peers.remove(index);
                (self.notices)(&Notice::Ended { peer: number, why });
                continue;
            }
            self.due = [self.due, peer.deadline()].into_iter().flatten().min();
            self.peers.list_if_more(index);
        }
    }

    fn accept(&mut self, now: Timestamp) {
        self.accept_at = None;
        for _ in 0..ACCEPTS {
            let Some(listener) = &self.listener else { return };
            let socket = match listener.accept() {
                Ok(socket) => socket,
                Err(Errno::AGAIN) => return,
                // Who had come has gone again.
                Err(Errno::CONNABORTED | Errno::INTR) => continue,
                Err(error) => {
                    if matches!(error, Errno::MFILE | Errno::NFILE) {
                        self.turn_one_away();
                    }
                    self.refused += 1;
                    (self.notices)(&Notice::NotAccepted { error: error.into() });
                    self.accept_at = Some(after(now, ACCEPT_AGAIN));
                    return;
                }
            };
            if let Err(error) = self.admit(socket, now) {
                self.refused += 1;
                (self.notices)(&Notice::NotAccepted { error });
            }
        }
        self.accept_at = Some(now);
    }

    /// Without a descriptor left nobody could be accepted, and so nobody be turned away: the reserve is
    /// given up for a moment.
    fn turn_one_away(&mut self) {
        drop(self.reserve.take());
        if let Some(listener) = &self.listener {
            drop(listener.accept());
        }
        self.reserve = reserve();
    }

    fn admit(&mut self, socket: OwnedFd, now: Timestamp) -> io::Result<()> {
        let Some(listener) = &self.listener else { return Ok(()) };
        let who = listener.credentials(&socket)?;
        let permitted = listener.permits(&self.policy, &who);
        let admitted = permitted.and_then(|()| self.accounts.connect(&self.policy, &who, now));
        let opened =
            admitted.and_then(|connection| connection.open().map(|peer| (connection, peer)));
        let account = match opened {
            Ok(account) => account,
            Err(why) => {
                self.refused += 1;
                (self.notices)(&Notice::Refused { who: &who, why });
                return Ok(());
            }
        };
        let around = Around { bus: &self.bus, now, notices: &mut self.notices, mark: &self.mark };
        let number = self.peers.next_number();
        let peer = Peer::new(number, who, socket, account, &around);
        (self.notices)(&Notice::Connected { peer: number, who: &peer.who });
        self.peers.add(&self.epoll, peer)?;
        Ok(())
    }

    /// Nobody else is let in, and who is here gets what is there.
    fn begin_to_stop(&mut self, now: Timestamp) {
        if !self.stopping {
            self.stopping = true;
            self.listener = None;
            self.accept_at = None;
            self.peers.finish(after(now, GOODBYE));
        }
    }
}

impl AsFd for Proxy {
    /// Readable when there is something to do.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("address", &self.address)
            .field("peers", &self.peers.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A descriptor to give up. None, if there is none left as it is.
fn reserve() -> Option<OwnedFd> {
    rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).ok()
}

/// The number of the first peer.
const FIRST: NonZeroU32 = NonZeroU32::MIN;
