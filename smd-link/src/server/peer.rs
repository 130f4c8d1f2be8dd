//! One connection: its socket, its session, its participant.
//!
//! ```text
//!   socket --read--> session --events--> charge, then the bus
//!   socket <-write-- session <--pull---- participant (a backlog in the bus, policy lag)
//! ```
//!
//! Both descriptors are edge-triggered: what they said last is remembered in the [`Stream`] and in
//! `pullable` until the system, or the participant, says that there is nothing. A turn does a bounded
//! amount; what is left waits for the next turn, behind the other peers.

use core::num::NonZeroU32;
use core::time::Duration;
use std::io;
use std::os::fd::OwnedFd;

use smd_lockfree::{
    Bus, Class, Descriptor, Message, Origin, Policy, RecvError, SendError, Sender, Timestamp,
};

use super::notice::{Ended, Missed, Notice, Rejected};
use crate::lws::proxy::{Event, Session};
use crate::lws::{self, FIRST_FRAME_TIMEOUT, MAX_MESSAGE_FRAME, after};
use crate::policy::{self, Credentials, Entry, Limit, Permits};
use crate::stream::{Gone, Mark, Read, Stream};
use crate::untold::Untold;

/// Bytes that are read of one peer in one turn.
const READ: usize = 16 * 1024;
/// Messages that are taken from the bus for one peer in one turn.
const PULLS: u32 = 256;
/// How long a message waits for room at first, where somebody who wants it is full.
const FIRST_NAP: Duration = Duration::from_millis(1);
const LONGEST_NAP: Duration = Duration::from_millis(32);
/// For that long a message waits for room at most.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a peer works with that is not its own.
pub(super) struct Around<'a> {
    pub(super) bus: &'a Bus,
    pub(super) now: Timestamp,
    pub(super) notices: &'a mut dyn FnMut(&Notice<'_>),
    pub(super) mark: &'a Mark,
}

/// A message that came and cannot go into the bus yet.
#[derive(Debug)]
struct Held {
    class: Class,
    origin: Origin,
    body: Vec<u8>,
    /// Whether it was charged to its sender.
    charged: bool,
    /// When it is dropped.
    until: Timestamp,
    nap: Duration,
}

/// Figures of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PeerCounts {
    /// Messages from it that went into the bus.
    pub received: u64,
    /// Messages from it that nobody wanted.
    pub unwanted: u64,
    /// Messages from it that were not sent on: see [`Rejected`](super::Rejected).
    pub rejected: u64,
    /// Messages that were sent to it.
    pub sent: u64,
    /// Messages that it lost because it was too slow, or they too old.
    pub lagged: u64,
    /// Messages that its protocol could not carry.
    pub too_long: u64,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) number: NonZeroU32,
    pub(super) who: Credentials,
    pub(super) counts: PeerCounts,
    pub(super) stream: Stream,
    pub(super) participant: Option<Descriptor>,
    /// The participant is new: its descriptor must be watched.
    pub(super) unwatched: bool,
    pub(super) pullable: bool,
    /// It stands in the list of those who have more to do.
    pub(super) is_listed: bool,
    session: Session,
    sender: Sender,
    permits: Permits,
    // In this order: the peer's place is given back before the connection's.
    account: policy::Peer,
    _connection: policy::Connection,
    /// Read, and not taken by the session.
    input: Vec<u8>,
    held: Option<Held>,
    paused_until: Option<Timestamp>,
    ending: Option<Timestamp>,
    /// It asked for a stream that is not here.
    wants_another: bool,
    untold: Untold<Rejected, Missed>,
}

impl Peer {
    pub(super) fn new(
        number: NonZeroU32,
        who: Credentials,
        socket: OwnedFd,
        (connection, account): (policy::Connection, policy::Peer),
        around: &Around<'_>,
    ) -> Peer {
        Peer {
            number,
            who,
            counts: PeerCounts::default(),
            stream: Stream::new(socket),
            participant: None,
            unwatched: false,
            pullable: false,
            is_listed: false,
            session: Session::new(around.now),
            sender: around.bus.sender(),
            permits: *connection.permits(),
            account,
            _connection: connection,
            input: Vec::new(),
            held: None,
            paused_until: None,
            ending: None,
            wants_another: false,
            untold: Untold::new(around.now),
        }
    }

    /// What it gets; `None` if it has not registered.
    pub(super) fn mask(&self) -> Option<Class> {
        self.session.mask()?;
        Some(self.participant.as_ref().map_or(Class::NONE, |participant| participant.mask()))
    }

    /// Bytes that are queued for it, and messages that wait for it in the bus.
    pub(super) fn queued(&self) -> (u64, u64) {
        let backlog = self.participant.as_ref().map_or(0, |p| p.stats().depth_now);
        (self.session.outbox().queued() as u64, backlog)
    }

    /// When it needs a turn, whatever the descriptors say.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let (ask_at, tell_at) = (self.stream.ask_at, self.untold.tell_at());
        let each = [self.session.deadline(), self.paused_until, ask_at, self.ending, tell_at];
        each.into_iter().flatten().min()
    }

    /// Whether it has something to do now.
    pub(super) fn has_more(&self) -> bool {
        let may_read = self.paused_until.is_none() && self.ending.is_none();
        may_read && (self.stream.readable || !self.input.is_empty())
            || self.pullable && self.session.outbox().room() >= MAX_MESSAGE_FRAME
            || self.stream.writable && !self.session.output().is_empty()
    }

    /// Sends what is queued and goes, at `until` at the latest.
    pub(super) fn finish(&mut self, until: Timestamp) {
        self.ending.get_or_insert(until);
        self.pullable = true;
    }

    /// One turn; the error says why it is to be removed.
    pub(super) fn turn(&mut self, around: &mut Around<'_>) -> Result<(), Ended> {
        let result = self.step(around);
        self.tell(around, result.is_err());
        result
    }

    fn step(&mut self, around: &mut Around<'_>) -> Result<(), Ended> {
        if self.paused_until.is_some_and(|until| around.now >= until) {
            self.paused_until = None;
        }
        if self.ending.is_none() {
            self.take_held(around);
            self.read(around)?;
            self.session.tick(around.now).map_err(Ended::Fault)?;
        }
        self.pull(around);
        self.stream.write(&mut self.session, around.mark, around.now)?;
        if let Some(until) = self.ending {
            let is_done = !self.pullable && self.session.outbox().queued() == 0;
            if is_done || around.now >= until {
                let other = self.wants_another;
                return Err(if other { Ended::OtherStream } else { Ended::Shutdown });
            }
        }
        Ok(())
    }

    /// Reads once, and takes what came apart.
    fn read(&mut self, around: &mut Around<'_>) -> Result<(), Ended> {
        if self.paused_until.is_some() {
            return Ok(());
        }
        // What was left over is taken first, and nothing is read on top of it.
        if !self.input.is_empty() {
            let input = core::mem::take(&mut self.input);
            return self.take(&input, around);
        }
        if !self.stream.readable {
            return Ok(());
        }
        let mut buffer = [0; READ];
        match self.stream.read(&mut buffer)? {
            Read::Bytes(len) => self.take(&buffer[..len], around),
            Read::Nothing => Ok(()),
            Read::End => {
                self.session.finish().map_err(Ended::Fault)?;
                Err(Ended::Closed)
            }
        }
    }

    fn take(&mut self, mut input: &[u8], around: &mut Around<'_>) -> Result<(), Ended> {
        while self.paused_until.is_none() {
            match self.session.next(around.now, &mut input).map_err(Ended::Fault)? {
                None => return Ok(()),
                Some(Event::Registered { mask, .. }) => self.register(mask, around)?,
                Some(Event::Message { class, timestamp_us, written_us, body, .. }) => {
                    let stamped = if timestamp_us == 0 { written_us } else { timestamp_us };
                    let timestamp = Timestamp::from_nanos(stamped.saturating_mul(1000));
                    let sequence =
                        self.counts.received + self.counts.unwanted + self.counts.rejected + 1;
                    let origin = Origin::Peer { peer: self.number, timestamp, sequence };
                    let message = (class, origin, body);
                    let sent =
                        Self::send(&mut self.account, &self.sender, message, false, around.now);
                    match sent {
                        Ok(outcome) => self.counts.note(outcome),
                        Err(Stopped::Rejected(why)) => self.reject(why),
                        Err(Stopped::Until { at, charged }) => {
                            let until = after(around.now, PATIENCE);
                            let (body, nap) = (body.to_vec(), FIRST_NAP);
                            self.held = Some(Held { class, origin, body, charged, until, nap });
                            self.paused_until = Some(at);
                        }
                    }
                }
                Some(Event::Dropped { why, .. }) => self.reject(Rejected::Malformed(why)),
                // It is told so, and goes, or is let go.
                Some(Event::Refused { .. }) => {
                    self.wants_another = true;
                    self.ending.get_or_insert(after(around.now, FIRST_FRAME_TIMEOUT));
                }
                Some(Event::Control { .. }) => {}
            }
        }
        self.input.extend_from_slice(input);
        Ok(())
    }

    /// Registers it for what it may have of `mask`.
    fn register(&mut self, mask: Class, around: &mut Around<'_>) -> Result<(), Ended> {
        let (granted, denied) = match self.permits.grant(mask) {
            Ok(grant) => (grant.granted, grant.denied),
            // Its connection stays: a libwebsockets client does not survive the loss of it.
            Err(_) => (Class::NONE, mask),
        };
        if !granted.is_empty() {
            let name = format!("peer {}", self.number);
            let registration = around.bus.participant().name(&name).mask(granted).bridge(true);
            let registration = registration.policy(Policy::Lag).depth(self.depth());
            let participant = match registration.register() {
                Ok(participant) => participant,
                Err(smd_lockfree::RegisterError::Closed) => return Err(Ended::Shutdown),
                Err(error) => return Err(Ended::Broken(io::Error::other(error))),
            };
            self.participant = Some(participant.into_descriptor().map_err(Ended::Broken)?);
            (self.unwatched, self.pullable) = (true, true);
        }
        let peer = self.number;
        (around.notices)(&Notice::Registered { peer, mask: granted, denied });
        Ok(())
    }

    /// How many messages may wait for it: as many as it may have, in number and in bytes.
    fn depth(&self) -> u32 {
        let of = |limit| self.permits.limit(limit);
        let by_bytes = of(Limit::PeerQueuedBytes) / smd_lockfree::MAX_PAYLOAD as u32;
        of(Limit::PeerQueuedMessages).min(by_bytes).clamp(1, smd_lockfree::MAX_DEPTH)
    }

    /// Sends a message on, unless its sender may not, or must wait.
    fn send(
        account: &mut policy::Peer,
        sender: &Sender,
        (class, origin, body): (Class, Origin, &[u8]),
        charged: bool,
        now: Timestamp,
    ) -> Result<bool, Stopped> {
        if !charged && let Err(refusal) = account.charge_send(class, now) {
            return Err(match refusal.retry_at() {
                Some(at) => Stopped::Until { at, charged: false },
                None => Stopped::Rejected(Rejected::Policy(refusal)),
            });
        }
        match sender.send_from(origin, class, body) {
            Ok(sent) => Ok(sent.is_queued()),
            Err(SendError::Full(_)) => {
                Err(Stopped::Until { at: after(now, FIRST_NAP), charged: true })
            }
            // What else a send refuses, the session has refused before; or the bus is closed, which
            // its participant hears too.
            Err(_) => Err(Stopped::Rejected(Rejected::Full)),
        }
    }

    /// Tries again what had to wait.
    fn take_held(&mut self, around: &mut Around<'_>) {
        if self.paused_until.is_some() {
            return;
        }
        let Some(mut held) = self.held.take() else { return };
        let message = (held.class, held.origin, &held.body[..]);
        let sent = Self::send(&mut self.account, &self.sender, message, held.charged, around.now);
        match sent {
            Ok(outcome) => self.counts.note(outcome),
            Err(Stopped::Rejected(why)) => self.reject(why),
            Err(Stopped::Until { charged: true, .. })
                if held.charged && around.now >= held.until =>
            {
                self.reject(Rejected::Full);
            }
            Err(Stopped::Until { at, charged }) => {
                let nap = after(around.now, held.nap);
                self.paused_until = Some(if charged { nap } else { at });
                if charged && !held.charged {
                    held.until = after(around.now, PATIENCE);
                }
                held.charged = charged;
                held.nap = (held.nap * 2).min(LONGEST_NAP);
                self.held = Some(held);
            }
        }
    }

    /// Takes what waits for it in the bus, as far as its queue has room.
    fn pull(&mut self, around: &mut Around<'_>) {
        let Some(participant) = &mut self.participant else {
            self.pullable = false;
            return;
        };
        for _ in 0..PULLS {
            if !self.pullable || self.session.outbox().room() < MAX_MESSAGE_FRAME {
                return;
            }
            let missed = match participant.try_recv() {
                Ok(message) => forward(
                    &mut self.session,
                    &self.permits,
                    &message,
                    around.now,
                    &mut self.counts,
                ),
                Err(RecvError::Lagged(lag)) => {
                    self.counts.lagged += lag.count;
                    Some((lag.count, Missed::Lag(lag)))
                }
                Err(RecvError::Closed) => {
                    self.pullable = false;
                    self.ending.get_or_insert(after(around.now, Duration::from_secs(1)));
                    None
                }
                Err(_) => {
                    self.pullable = false;
                    None
                }
            };
            if let Some((count, why)) = missed {
                self.untold.miss(count, why);
            }
        }
    }

    fn reject(&mut self, why: Rejected) {
        self.counts.rejected += 1;
        self.untold.reject(why);
    }

    /// Tells of what happened to messages, at most once a second, and at the end.
    fn tell(&mut self, around: &mut Around<'_>, at_once: bool) {
        let (peer, (rejected, missed)) = (self.number, self.untold.take(around.now, at_once));
        if let Some((count, why)) = rejected {
            (around.notices)(&Notice::Rejected { peer, count, why });
        }
        if let Some((count, why)) = missed {
            (around.notices)(&Notice::Missed { peer, count, why });
        }
    }
}

impl From<Gone> for Ended {
    fn from(gone: Gone) -> Ended {
        match gone {
            Gone::Closed => Ended::Closed,
            Gone::Broken(error) => Ended::Broken(error),
        }
    }
}

/// Why a message did not go into the bus.
enum Stopped {
    Rejected(Rejected),
    /// It is to be tried again.
    Until {
        at: Timestamp,
        charged: bool,
    },
}

/// Queues a message for the peer, if it may have it.
fn forward(
    session: &mut Session,
    permits: &Permits,
    message: &Message<'_>,
    now: Timestamp,
    counts: &mut PeerCounts,
) -> Option<(u64, Missed)> {
    let entry = match message.origin() {
        Origin::Local => Entry::Here,
        _ => Entry::Peer,
    };
    if !permits.may_receive(message.class(), entry) {
        return None;
    }
    match session.send(now, message.class(), message.timestamp().micros(), message.bytes()) {
        Ok(()) => counts.sent += 1,
        Err(lws::SendError::TooLong { len, max }) => {
            counts.too_long += 1;
            return Some((1, Missed::TooLong { len, max }));
        }
        // There is room, the mask is its own, and the session runs: nothing else can be.
        Err(error) => debug_assert!(false, "{error}"),
    }
    None
}

impl PeerCounts {
    fn note(&mut self, queued: bool) {
        if queued { self.received += 1 } else { self.unwanted += 1 }
    }
}
