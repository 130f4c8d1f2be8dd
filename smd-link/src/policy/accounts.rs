//! What is counted for each uid, and the guards that give it back.
//!
//! ```text
//!   Accounts ──> table, locked: uid ──> Account, locked: connections, peers, queue, two buckets
//!                idle: (when its buckets are full, uid)       ^          ^           ^
//!                                                        Connection    Peer ──────> Queued
//! ```
//!
//! An account lives while it counts a connection or a peer. Then it is *idle*, and kept until its
//! buckets are full again: a uid that was refused for its rate gains nothing by going away. From
//! then on it is as good as a new one and is forgotten. Memory, however many uids come and go: an
//! account for each connection and each peer at most (both are limited, `connections` and `peers`),
//! and [`MAX_IDLE_ACCOUNTS`] idle ones; beyond that the one that would be full first is forgotten
//! early. That refuses nobody, and gives the forgotten uid its rates back before their time.
//!
//! Locks are taken in one order: table, the queue of a peer, account. A guard that is dropped takes
//! them anew. What they guard are integers that are right after each change, so a thread that
//! panicked elsewhere while it held one has broken nothing.

mod peer;
#[cfg(test)]
mod tests;

pub use peer::{Peer, Queued};

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smd_lockfree::Timestamp;

use super::bucket::{Shortage, TokenBucket};
use super::credentials::Credentials;
use super::limit::{Limit, Limits};
use super::permits::Permits;
use super::refusal::Refusal;
use super::rules::PeerPolicy;

/// Most accounts of uids that have neither a connection nor a peer.
pub const MAX_IDLE_ACCOUNTS: usize = 1024;

/// What is counted for all uids. Clones are the same accounts.
///
/// Limits come from the policy that is given at each connect, so a policy that was read again holds
/// for the connections after it; counts stay. The limits of a uid's account are those of its latest
/// connect, those of a connection and a peer the ones that it came with.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    shared: Arc<Mutex<Table>>,
}

/// What is counted at the moment: for a uid, or for all.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Usage {
    /// Connections.
    pub connections: u32,
    /// Peers, those included that are away.
    pub peers: u32,
    /// Messages that wait for them.
    pub queued_messages: u32,
    /// Bytes that wait for them.
    pub queued_bytes: u32,
}

/// A connection that was admitted; dropping it gives its place back.
#[must_use = "a connection counts only as long as this is held"]
pub struct Connection {
    shared: Arc<Mutex<Table>>,
    account: Arc<Account>,
    permits: Permits,
}

#[derive(Debug, Default)]
struct Table {
    accounts: BTreeMap<u32, Arc<Account>>,
    /// The idle ones, the one that is full first in front.
    idle: BTreeSet<(Timestamp, u32)>,
    connections: u32,
    peers: u32,
}

#[derive(Debug)]
struct Account {
    uid: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limits: Limits,
    usage: Usage,
    connects: TokenBucket,
    messages: TokenBucket,
    /// The account's place among the idle ones.
    idle: Option<Timestamp>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Accounts {
    /// Nothing is counted yet.
    pub fn new() -> Accounts {
        Accounts::default()
    }

    /// Admits a connection and counts it. An attempt counts for the rate whatever comes of it,
    /// unless the rate or the policy refuses it.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoAccess`], and [`Refusal::Limit`] for [`Limit::UidConnectsPerSecond`],
    /// [`Limit::UidConnections`] and [`Limit::Connections`], asked in this order.
    pub fn connect(
        &self,
        policy: &PeerPolicy,
        peer: &Credentials,
        now: Timestamp,
    ) -> Result<Connection, Refusal> {
        let permits = policy.permits(peer)?;
        let mut table = lock(&self.shared);
        table.forget_full(now);
        let account = table.account(&permits, now);
        let mut state = lock(&account.state);
        let admitted = state.admit(&permits, table.connections, now);
        if admitted.is_ok() {
            table.connections += 1;
            state.usage.connections += 1;
        }
        table.settle_idle(account.uid, &mut state);
        drop(state);
        drop(table);
        admitted.map(|()| Connection { shared: Arc::clone(&self.shared), account, permits })
    }

    /// What is counted for a uid.
    pub fn usage(&self, uid: u32) -> Usage {
        let account = lock(&self.shared).accounts.get(&uid).cloned();
        account.map(|account| lock(&account.state).usage).unwrap_or_default()
    }

    /// What is counted for all uids together. Cost: a look at each account.
    pub fn total(&self) -> Usage {
        let table = lock(&self.shared);
        table.accounts.values().fold(Usage::default(), |sum, account| {
            let usage = lock(&account.state).usage;
            Usage {
                connections: sum.connections + usage.connections,
                peers: sum.peers + usage.peers,
                queued_messages: sum.queued_messages.saturating_add(usage.queued_messages),
                queued_bytes: sum.queued_bytes.saturating_add(usage.queued_bytes),
            }
        })
    }

    /// How many accounts are kept, idle ones included.
    pub fn len(&self) -> usize {
        lock(&self.shared).accounts.len()
    }

    /// Whether no account is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Connection {
    /// What its peer may.
    pub fn permits(&self) -> &Permits {
        &self.permits
    }

    /// Counts a peer, which may outlive this connection. For one that comes back use
    /// [`Peer::come_back`] instead.
    ///
    /// # Errors
    ///
    /// [`Refusal::Limit`] for [`Limit::UidPeers`] and [`Limit::Peers`].
    pub fn open(&self) -> Result<Peer, Refusal> {
        let mut table = lock(&self.shared);
        let mut state = lock(&self.account.state);
        let reached = |limit, count| count >= self.permits.limit(limit);
        if reached(Limit::UidPeers, state.usage.peers) {
            return Err(self.permits.reached(Limit::UidPeers));
        }
        if reached(Limit::Peers, table.peers) {
            return Err(self.permits.reached(Limit::Peers));
        }
        table.peers += 1;
        state.usage.peers += 1;
        Ok(Peer::new(Arc::clone(&self.shared), Arc::clone(&self.account), self.permits))
    }
}

// Not derived: it would print every account.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("permits", &self.permits).finish_non_exhaustive()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut table = lock(&self.shared);
        let mut state = lock(&self.account.state);
        table.connections -= 1;
        state.usage.connections -= 1;
        table.settle_idle(self.account.uid, &mut state);
    }
}

impl Table {
    /// The account of a uid, with the limits that hold now.
    fn account(&mut self, permits: &Permits, now: Timestamp) -> Arc<Account> {
        let limits = permits.limits;
        let account = self.accounts.entry(permits.uid).or_insert_with(|| {
            let bucket = |rate, burst| TokenBucket::new(limits.get(rate), limits.get(burst), now);
            let state = State {
                limits,
                usage: Usage::default(),
                connects: bucket(Limit::UidConnectsPerSecond, Limit::UidConnectBurst),
                messages: bucket(Limit::UidMessagesPerSecond, Limit::UidMessageBurst),
                idle: None,
            };
            Arc::new(Account { uid: permits.uid, state: Mutex::new(state) })
        });
        let mut state = lock(&account.state);
        if state.limits != limits {
            state.limits = limits;
            let value = |limit| limits.get(limit);
            let (rate, burst) = (Limit::UidConnectsPerSecond, Limit::UidConnectBurst);
            state.connects.set(value(rate), value(burst), now);
            let (rate, burst) = (Limit::UidMessagesPerSecond, Limit::UidMessageBurst);
            state.messages.set(value(rate), value(burst), now);
        }
        drop(state);
        Arc::clone(account)
    }

    /// Puts an account among the idle ones or takes it from there, as its counts say.
    fn settle_idle(&mut self, uid: u32, state: &mut State) {
        if let Some(time) = state.idle.take() {
            self.idle.remove(&(time, uid));
        }
        if state.usage.connections > 0 || state.usage.peers > 0 {
            return;
        }
        let time = state.full_at();
        state.idle = Some(time);
        self.idle.insert((time, uid));
        if self.idle.len() > MAX_IDLE_ACCOUNTS {
            self.forget_first();
        }
    }

    /// Forgets idle accounts that are as good as new ones: two at most, as a connect makes one.
    fn forget_full(&mut self, now: Timestamp) {
        for _ in 0..2 {
            if self.idle.first().is_some_and(|(time, _)| *time <= now) {
                self.forget_first();
            }
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, uid)) = self.idle.pop_first() {
            self.accounts.remove(&uid);
        }
    }
}

impl State {
    fn admit(&mut self, permits: &Permits, total: u32, now: Timestamp) -> Result<(), Refusal> {
        let limit = Limit::UidConnectsPerSecond;
        self.connects.take(1, now).map_err(|shortage| too_often(permits, limit, shortage))?;
        if self.usage.connections >= permits.limit(Limit::UidConnections) {
            return Err(permits.reached(Limit::UidConnections));
        }
        if total >= permits.limit(Limit::Connections) {
            return Err(permits.reached(Limit::Connections));
        }
        Ok(())
    }

    /// When both buckets are full; the rates are never 0, so at the end of the clock at the latest.
    fn full_at(&self) -> Timestamp {
        let end = Timestamp::from_nanos(u64::MAX);
        let (connects, messages) = (self.connects.full_at(), self.messages.full_at());
        connects.unwrap_or(end).max(messages.unwrap_or(end))
    }
}

/// The refusal by a rate.
fn too_often(permits: &Permits, rate: Limit, shortage: Shortage) -> Refusal {
    match permits.reached(rate) {
        Refusal::Limit { limit, value, section, .. } => {
            Refusal::Limit { limit, value, section, retry_at: shortage.retry_at }
        }
        other => other,
    }
}
