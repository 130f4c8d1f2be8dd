//! What one peer may: the answer of the policy, computed once.

use core::time::Duration;

use smd_lockfree::Class;

use super::limit::{Limit, Limits};
use super::refusal::Refusal;
use super::rules::Section;

/// What a peer may receive and send, and its limits, as [`PeerPolicy::permits`] found them when it
/// connected. A later policy does not change them.
///
/// [`PeerPolicy::permits`]: super::PeerPolicy::permits
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Permits {
    pub(super) uid: u32,
    pub(super) receive: Class,
    pub(super) send: Class,
    /// METRICS if those of peers are not for others, else none.
    pub(super) withheld: Class,
    pub(super) receive_section: Section,
    pub(super) send_section: Section,
    pub(super) limits: Limits,
    /// Bit `limit as u32`: the limit is set in the section of the uid.
    pub(super) limits_of_uid: u32,
}

/// Where a message entered the bus.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Entry {
    /// In this process.
    Here,
    /// From another peer.
    Peer,
}

/// What a registration, or a change of a mask, comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grant {
    /// The mask to register with.
    pub granted: Class,
    /// What the peer asked for and may not have: it is to be told.
    pub denied: Class,
}

impl Permits {
    /// Whose peer it is.
    pub const fn uid(&self) -> u32 {
        self.uid
    }

    /// The classes that it may receive.
    pub const fn receive(&self) -> Class {
        self.receive
    }

    /// The classes that it may send.
    pub const fn send(&self) -> Class {
        self.send
    }

    /// Whether METRICS of peers reach other peers.
    pub const fn forwards_metrics(&self) -> bool {
        self.withheld.is_empty()
    }

    /// What a peer that asks for this mask gets: the part that is permitted. A mask without any
    /// class is granted as it is: such a peer only sends.
    ///
    /// # Errors
    ///
    /// [`Refusal::Receive`] if nothing of a mask is permitted.
    #[inline]
    pub fn grant(&self, mask: Class) -> Result<Grant, Refusal> {
        let granted = mask & self.receive;
        if granted.is_empty() && !mask.is_empty() {
            let (permitted, section) = (self.receive, self.receive_section);
            return Err(Refusal::Receive { asked: mask, permitted, section });
        }
        Ok(Grant { granted, denied: mask - self.receive })
    }

    /// Whether a message goes to this peer: one of its classes must be permitted. METRICS of
    /// another peer do not if the policy says so; for the rest it is as if this peer had not wanted
    /// them.
    #[inline]
    pub fn may_receive(&self, class: Class, entry: Entry) -> bool {
        let withheld = match entry {
            Entry::Here => Class::NONE,
            Entry::Peer => self.withheld,
        };
        self.receive.intersects(class) && !withheld.intersects(class)
    }

    /// Whether this peer may send such a message: all of its classes must be permitted. A message
    /// without any class is for the bus to refuse.
    ///
    /// # Errors
    ///
    /// [`Refusal::Send`] with the classes that are not; [`Refusal::Metrics`] if METRICS come
    /// together with other classes and are not for others: the message could neither go to them nor
    /// be kept from them without a loss.
    #[inline]
    pub fn check_send(&self, class: Class) -> Result<(), Refusal> {
        let denied = class - self.send;
        if !denied.is_empty() {
            let (permitted, section) = (self.send, self.send_section);
            return Err(Refusal::Send { denied, permitted, section });
        }
        if class.intersects(self.withheld) && class != self.withheld {
            return Err(Refusal::Metrics { others: class - self.withheld });
        }
        Ok(())
    }

    /// The value of a limit for this peer and its uid.
    pub fn limit(&self, limit: Limit) -> u32 {
        self.limits.get(limit)
    }

    /// How long a peer that went away may come back.
    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.limit(Limit::Grace).into())
    }

    /// The refusal by a limit.
    pub(super) fn reached(&self, limit: Limit) -> Refusal {
        let section = if limit.is_total() {
            Section::Top
        } else if self.limits_of_uid & 1 << limit as u32 != 0 {
            Section::Uid(self.uid)
        } else {
            Section::Default
        };
        Refusal::Limit { limit, value: self.limit(limit), section, retry_at: None }
    }
}
