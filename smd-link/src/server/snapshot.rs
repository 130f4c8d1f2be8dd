//! A proxy at a moment.

use core::num::NonZeroU32;

use smd_lockfree::Class;

use super::PeerCounts;
use super::peer::Peer;
use crate::policy::Credentials;

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
