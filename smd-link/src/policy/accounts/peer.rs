//! A peer: what it sends and what waits for it, also while it is away.

use core::fmt;
use std::sync::{Arc, Mutex};

use smd_lockfree::{Class, Timestamp};

use super::{Account, Connection, Table, lock, too_often};
use crate::policy::bucket::TokenBucket;
use crate::policy::limit::Limit;
use crate::policy::permits::Permits;
use crate::policy::refusal::Refusal;

/// A peer, from [`Connection::open`]. It outlives its connection while it may come back.
///
/// It counts until it is dropped and nothing is queued for it any more, whichever is later.
///
/// ```
/// use smd_link::policy::{Accounts, Credentials, Limit, PeerPolicy, Refusal, Rule};
/// use smd_lockfree::Timestamp;
///
/// let rule = Rule::new().limit(Limit::PeerQueuedMessages, 1);
/// let policy = PeerPolicy::builder().default_rule(rule).build()?;
/// let (accounts, now) = (Accounts::new(), Timestamp::from_nanos(1));
/// let peer = accounts.connect(&policy, &Credentials::new(1000, 1000), now)?.open()?;
/// let queued = peer.charge_queue(57)?;
/// let refused = peer.charge_queue(57).unwrap_err();
/// assert_eq!(
///     refused.to_string(),
///     "the limit of 1 is reached: messages that wait for a peer (peer-queued-messages in [default])"
/// );
/// drop(queued);
/// assert!(peer.charge_queue(57).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a peer counts only as long as this is held"]
pub struct Peer {
    place: Arc<Place>,
    permits: Permits,
    messages: TokenBucket,
    away_since: Option<Timestamp>,
}

/// A message that waits for a peer; dropping it gives its place back. It may outlive the peer.
#[derive(Debug)]
#[must_use = "a message counts only as long as this is held"]
pub struct Queued {
    place: Arc<Place>,
    bytes: u32,
}

/// What a peer and its queued messages hold together.
struct Place {
    shared: Arc<Mutex<Table>>,
    account: Arc<Account>,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    messages: u32,
    bytes: u32,
}

impl Peer {
    /// The caller has counted it.
    pub(super) fn new(shared: Arc<Mutex<Table>>, account: Arc<Account>, permits: Permits) -> Peer {
        let (rate, burst) = (Limit::PeerMessagesPerSecond, Limit::PeerMessageBurst);
        let (rate, burst) = (permits.limit(rate), permits.limit(burst));
        // A bucket that was full at the beginning of time is full now.
        let messages = TokenBucket::new(rate, burst, Timestamp::from_nanos(0));
        let place = Arc::new(Place { shared, account, queue: Mutex::default() });
        Peer { place, permits, messages, away_since: None }
    }

    /// What it may: of its latest connection.
    pub fn permits(&self) -> &Permits {
        &self.permits
    }

    /// Whether a message of this peer may go to the bus now. It counts for the rates also if its
    /// class is refused, since saying so costs as much; a message that a rate refuses does not.
    ///
    /// # Errors
    ///
    /// [`Refusal::Limit`] for [`Limit::PeerMessagesPerSecond`] and [`Limit::UidMessagesPerSecond`],
    /// with the time from which on it would pass; else as [`Permits::check_send`].
    pub fn charge_send(&mut self, class: Class, now: Timestamp) -> Result<(), Refusal> {
        let permits = &self.permits;
        let refused = |rate| move |short| too_often(permits, rate, short);
        let (of_peer, of_uid) = (Limit::PeerMessagesPerSecond, Limit::UidMessagesPerSecond);
        // Both rates are asked before either is charged.
        self.messages.check(1, now).map_err(refused(of_peer))?;
        lock(&self.place.account.state).messages.take(1, now).map_err(refused(of_uid))?;
        self.messages.take(1, now).map_err(refused(of_peer))?;
        permits.check_send(class)
    }

    /// Counts a message of so many bytes that is to wait for this peer.
    ///
    /// # Errors
    ///
    /// [`Refusal::Limit`] for [`Limit::PeerQueuedMessages`], [`Limit::PeerQueuedBytes`],
    /// [`Limit::UidQueuedMessages`] and [`Limit::UidQueuedBytes`], asked in this order.
    pub fn charge_queue(&self, bytes: usize) -> Result<Queued, Refusal> {
        // More than any limit is refused as more than any limit.
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let mut queue = lock(&self.place.queue);
        let mut state = lock(&self.place.account.state);
        let usage = &mut state.usage;
        for (limit, used, more) in [
            (Limit::PeerQueuedMessages, queue.messages, 1),
            (Limit::PeerQueuedBytes, queue.bytes, bytes),
            (Limit::UidQueuedMessages, usage.queued_messages, 1),
            (Limit::UidQueuedBytes, usage.queued_bytes, bytes),
        ] {
            if more > self.permits.limit(limit).saturating_sub(used) {
                return Err(self.permits.reached(limit));
            }
        }
        queue.messages += 1;
        queue.bytes += bytes;
        usage.queued_messages += 1;
        usage.queued_bytes += bytes;
        Ok(Queued { place: Arc::clone(&self.place), bytes })
    }

    /// Messages and bytes that wait for it.
    pub fn queued(&self) -> (u32, u32) {
        let queue = lock(&self.place.queue);
        (queue.messages, queue.bytes)
    }

    /// Its connection has ended: the grace time begins. A second call changes nothing.
    pub fn leave(&mut self, now: Timestamp) {
        self.away_since.get_or_insert(now);
    }

    /// Until when it may come back; then it is to be dropped. `None`: it is not away.
    pub fn deadline(&self) -> Option<Timestamp> {
        let grace = u64::from(self.permits.limit(Limit::Grace)).saturating_mul(1_000_000);
        self.away_since.map(|since| Timestamp::from_nanos(since.nanos().saturating_add(grace)))
    }

    /// Takes a new connection over: what waits stays, and what it may is what the new one may.
    ///
    /// # Errors
    ///
    /// [`Refusal::Stranger`] if the connection is another uid's; [`Refusal::Limit`] for
    /// [`Limit::Grace`] behind the [`deadline`](Peer::deadline). Nothing is changed then.
    pub fn come_back(&mut self, connection: &Connection, now: Timestamp) -> Result<(), Refusal> {
        let (owner, uid) = (self.permits.uid(), connection.permits().uid());
        if owner != uid {
            return Err(Refusal::Stranger { owner, uid });
        }
        if self.deadline().is_some_and(|deadline| now > deadline) {
            return Err(self.permits.reached(Limit::Grace));
        }
        self.away_since = None;
        self.permits = *connection.permits();
        let (rate, burst) = (Limit::PeerMessagesPerSecond, Limit::PeerMessageBurst);
        self.messages.set(self.permits.limit(rate), self.permits.limit(burst), now);
        Ok(())
    }
}

impl Queued {
    /// Bytes that it counts.
    pub fn bytes(&self) -> u32 {
        self.bytes
    }
}

// Not derived: it would print every account.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uid = self.account.uid;
        f.debug_struct("Place")
            .field("uid", &uid)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        let mut queue = lock(&self.place.queue);
        let mut state = lock(&self.place.account.state);
        queue.messages -= 1;
        queue.bytes -= self.bytes;
        state.usage.queued_messages -= 1;
        state.usage.queued_bytes -= self.bytes;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = lock(&self.shared);
        let mut state = lock(&self.account.state);
        table.peers -= 1;
        state.usage.peers -= 1;
        table.settle_idle(self.account.uid, &mut state);
    }
}
