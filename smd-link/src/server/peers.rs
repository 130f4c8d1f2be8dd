//! The peers of a proxy: their places, their numbers, and who of them has something to do.

use core::num::NonZeroU32;
use std::collections::VecDeque;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use smd_lockfree::Timestamp;

use super::FIRST;
use super::peer::Peer;
use crate::stream::Stream;

/// Tokens below this are not peers'.
const FIRST_TOKEN: u64 = 2;

#[derive(Debug)]
pub(super) struct Peers {
    places: Vec<Option<Peer>>,
    free: Vec<usize>,
    /// Who has something to do, each once.
    listed: VecDeque<usize>,
    next: NonZeroU32,
}

impl Peers {
    pub(super) fn new() -> Peers {
        Peers { places: Vec::new(), free: Vec::new(), listed: VecDeque::new(), next: FIRST }
    }

    /// A number that no peer has had, until four thousand million have come and gone.
    pub(super) fn next_number(&mut self) -> NonZeroU32 {
        let number = self.next;
        self.next = number.checked_add(1).unwrap_or(FIRST);
        number
    }

    pub(super) fn add(&mut self, epoll: &OwnedFd, peer: Peer) -> rustix::io::Result<()> {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        let data = EventData::new_u64(token(index, 0));
        let watched = epoll::add(epoll, &peer.stream.socket, data, Stream::EDGES);
        if let Err(error) = watched {
            self.free.push(index);
            return Err(error);
        }
        self.places[index] = Some(peer);
        self.list(index);
        Ok(())
    }

    /// Watches the descriptor of a participant that has just been made.
    pub(super) fn watch(epoll: &OwnedFd, index: usize, peer: &mut Peer) -> rustix::io::Result<()> {
        if let (true, Some(participant)) = (peer.unwatched, &peer.participant) {
            peer.unwatched = false;
            let data = EventData::new_u64(token(index, 1));
            epoll::add(epoll, participant, data, EventFlags::IN | EventFlags::ET)?;
        }
        Ok(())
    }

    /// Closes its descriptors: the epoll forgets them.
    pub(super) fn remove(&mut self, index: usize) {
        if self.places[index].take().is_some() {
            self.free.push(index);
        }
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Peer> {
        self.places.get_mut(index)?.as_mut()
    }

    /// Notes what the epoll said.
    pub(super) fn note(&mut self, token: u64, flags: EventFlags) {
        let token = token - FIRST_TOKEN;
        let (index, of_participant) = ((token / 2) as usize, token % 2 == 1);
        let Some(peer) = self.get_mut(index) else { return };
        if of_participant {
            peer.pullable = true;
        } else {
            peer.stream.note(flags);
        }
        self.list(index);
    }

    /// Lists all whose deadline has come.
    pub(super) fn list_due(&mut self, now: Timestamp) {
        for index in 0..self.places.len() {
            let due = |peer: &Peer| peer.deadline().is_some_and(|at| now >= at);
            if self.places[index].as_ref().is_some_and(due) {
                self.list(index);
            }
        }
    }

    pub(super) fn earliest_deadline(&self) -> Option<Timestamp> {
        self.iter().filter_map(Peer::deadline).min()
    }

    /// All of them send what is queued and go.
    pub(super) fn finish(&mut self, until: Timestamp) {
        for index in 0..self.places.len() {
            if let Some(peer) = &mut self.places[index] {
                peer.finish(until);
                self.list(index);
            }
        }
    }

    fn list(&mut self, index: usize) {
        if let Some(peer) = &mut self.places[index]
            && !core::mem::replace(&mut peer.is_listed, true)
        {
            self.listed.push_back(index);
        }
    }

    pub(super) fn list_if_more(&mut self, index: usize) {
        if self.places[index].as_ref().is_some_and(Peer::has_more) {
            self.list(index);
        }
    }

    pub(super) fn listed(&self) -> usize {
        self.listed.len()
    }

    pub(super) fn has_more(&self) -> bool {
        !self.listed.is_empty()
    }

    pub(super) fn next_listed(&mut self) -> Option<usize> {
        let index = self.listed.pop_front()?;
        if let Some(peer) = &mut self.places[index] {
            peer.is_listed = false;
        }
        Some(index)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.places.iter().flatten()
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn token(index: usize, which: u64) -> u64 {
    FIRST_TOKEN + 2 * index as u64 + which
}
