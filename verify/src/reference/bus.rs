//! The bus of the model: who is registered, what is retained, and what each send must come to.

use super::backlog::{Backlog, Moment};
use super::message::{Accepted, Stamp};
use super::op::{Setup, TIME_TO_LIVE};
use super::state::{Gather, State};
use smd_lockfree::{Class, FullReason, MAX_PAYLOAD, Policy, SendError, Sent};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A class, or a key within it, whose last message is kept.
#[derive(Debug)]
pub struct Entry {
    /// What the driver knows it by.
    pub id: u64,
    /// The class, one bit.
    pub class: Class,
    /// The key; empty for the class itself.
    pub key: Vec<u8>,
    last: Option<Rc<Accepted>>,
}

/// A participant: what it asked for, what it is owed, what it got.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names are those of the API")]
pub struct Member {
    pub mask: Class,
    pub policy: Policy,
    pub exclude_own: bool,
    pub takes_state: bool,
    pub bridge: bool,
    pub backlog: Backlog,
    pub state: State,
    /// All numbers that it was ever owed: kept ones among them may come again as state.
    known: BTreeSet<u64>,
    /// How many messages have been owed to it, live or as state; grows only.
    pub arrivals: u64,
    pub delivered: u64,
    pub delivered_state: u64,
    pub overflowed: u64,
    pub expired: u64,
}

/// The choices of a registration that its depth is no part of.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names are those of the API")]
pub struct Choices {
    pub mask: Class,
    pub policy: Policy,
    pub exclude_own: bool,
    pub retained: bool,
    pub bridge: bool,
}

/// What a send may come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs, reason = "one flag for each result")]
pub struct Outcomes {
    pub queued: bool,
    pub unwanted: bool,
    pub full: bool,
    pub closed: bool,
    pub too_long: bool,
    pub empty_class: bool,
    pub not_retained: bool,
}

impl Outcomes {
    /// Whether this result, with the number `next` being the next, is among them.
    pub fn allow(&self, result: &Result<Sent, SendError>, next: u64, len: usize) -> bool {
        match *result {
            Ok(Sent::Queued(number)) => self.queued && number == next,
            Ok(Sent::Unwanted) => self.unwanted,
            Err(SendError::Full(reason)) => self.full && reason == FullReason::Backlog,
            Err(SendError::Closed) => self.closed,
            Err(SendError::TooLong { len: given, max }) => {
                self.too_long && given == len && max == MAX_PAYLOAD
            }
            Err(SendError::EmptyClass) => self.empty_class,
            Err(SendError::NotRetained) => self.not_retained,
            Err(_) => false,
        }
    }
}

/// The sequential bus.
#[derive(Debug)]
#[allow(missing_docs, reason = "plain state, read by the driver")]
pub struct Model {
    /// The number that the next message gets.
    pub next: u64,
    pub now: u64,
    pub closed: bool,
    pub members: BTreeMap<u64, Member>,
    pub entries: Vec<Entry>,
    pub retained_limit: usize,
    pub max_participants: usize,
    time_to_live: Option<u64>,
    last_stamp: Option<Rc<Stamp>>,
    ids: u64,
}

impl Model {
    /// A new bus, while the clock shows `now`.
    pub fn new(setup: &Setup, now: u64) -> Model {
        Model {
            next: 1,
            now,
            closed: false,
            members: BTreeMap::new(),
            entries: Vec::new(),
            retained_limit: setup.retained_limit,
            max_participants: setup.max_participants,
            time_to_live: setup.expires.then_some(TIME_TO_LIVE.as_nanos() as u64),
            last_stamp: None,
            ids: 0,
        }
    }

    /// What expiry is judged by.
    pub fn moment(&self) -> Moment {
        Moment { now: self.now, time_to_live: self.time_to_live }
    }

    /// A number that nothing else in this model has.
    pub fn new_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// The stamp of a message, or of a batch, that is accepted now.
    pub fn stamp(&mut self) -> Rc<Stamp> {
        let last = self.last_stamp.as_ref().map_or(0, |stamp| stamp.low());
        let stamp = Stamp::new(self.now, last);
        self.last_stamp = Some(Rc::clone(&stamp));
        stamp
    }

    /// The classes that a participant wants; then those that the bus wants itself, for retained
    /// classes; then those of which it retains keys.
    pub fn interest(&self) -> (Class, Class, Class) {
        let union = |classes: &mut dyn Iterator<Item = Class>| {
            classes.fold(Class::NONE, |all, class| all | class)
        };
        let classes = |keyed: bool| {
            self.entries.iter().filter(move |e| e.key.is_empty() != keyed).map(|e| e.class)
        };
        let masks = union(&mut self.members.values().map(|member| member.mask));
        (masks, union(&mut classes(false)), union(&mut classes(true)))
    }

    /// What a send of `len` bytes may come to; `entry` is the retained entry that it is sent to.
    pub fn judge(
        &self,
        class: Class,
        len: usize,
        owner: Option<u64>,
        entry: Option<u64>,
    ) -> Outcomes {
        let too_long = len > MAX_PAYLOAD;
        let gone = entry.is_some_and(|id| !self.entries.iter().any(|entry| entry.id == id));
        let (masks, retained, keyed) = self.interest();
        let bad = Outcomes {
            too_long,
            empty_class: class.is_empty(),
            not_retained: gone,
            closed: self.closed,
            ..Outcomes::default()
        };
        if self.closed {
            // A send that nobody wants need not look whether anybody could.
            let unwanted = !too_long && !class.is_empty() && !(masks | retained).intersects(class);
            return Outcomes { unwanted, ..bad };
        }
        if bad != Outcomes::default() {
            return bad;
        }
        let wanted = (masks | retained).intersects(class)
            || entry.is_some_and(|id| self.entries.iter().any(|entry| entry.id == id));
        let refusers: Vec<u64> = self.refusers(class).collect();
        let only_own = refusers.iter().all(|id| owner == Some(*id) && self.members[id].exclude_own);
        Outcomes {
            queued: only_own && (wanted || keyed.intersects(class)),
            unwanted: !wanted,
            full: !refusers.is_empty(),
            ..Outcomes::default()
        }
    }

    fn refusers(&self, class: Class) -> impl Iterator<Item = u64> {
        let at = self.moment();
        let full =
            move |member: &Member| member.mask.intersects(class) && member.backlog.is_full(at);
        self.members.iter().filter(move |(_, member)| full(member)).map(|(id, _)| *id)
    }

    /// Accepts a message and gives it its number.
    pub fn accept(
        &mut self,
        class: Class,
        bytes: Vec<u8>,
        owner: Option<u64>,
        entry: Option<u64>,
        stamp: Rc<Stamp>,
    ) -> u64 {
        let number = self.next;
        self.next += 1;
        let message = Rc::new(Accepted { number, class, bytes, stamp });
        for kept in &mut self.entries {
            let own_class = kept.key.is_empty() && kept.class.intersects(class);
            if own_class || entry == Some(kept.id) {
                kept.last = Some(Rc::clone(&message));
            }
        }
        for (id, member) in &mut self.members {
            if member.exclude_own && owner == Some(*id) {
                // Kept as state and handed back at a widening: no rule decides.
                member.known.insert(number);
            } else if member.mask.intersects(class) {
                member.backlog.push(Rc::clone(&message), member.mask & class);
                member.known.insert(number);
                member.arrivals += 1;
            }
        }
        number
    }

    /// Registers, and returns what the driver knows the participant by.
    pub fn register(&mut self, choices: Choices, depth: u32) -> u64 {
        let Choices { mask, policy, exclude_own, retained: takes_state, bridge } = choices;
        let id = self.new_id();
        let member = Member {
            mask,
            policy,
            exclude_own,
            takes_state,
            bridge,
            backlog: Backlog::new(depth, policy == Policy::Lag),
            state: State::default(),
            known: BTreeSet::new(),
            arrivals: 0,
            delivered: 0,
            delivered_state: 0,
            overflowed: 0,
            expired: 0,
        };
        self.members.insert(id, member);
        self.hand_over(id, mask);
        id
    }

    /// Owes the kept messages of the classes that a participant has come to want.
    fn hand_over(&mut self, id: u64, fresh: Class) {
        let Some(member) = self.members.get_mut(&id).filter(|member| member.takes_state) else {
            return;
        };
        if self.entries.iter().any(|entry| entry.class.intersects(fresh)) {
            member.backlog.widen(self.next);
        }
        let mut gathered = Gather::default();
        for entry in &self.entries {
            let Some(message) = &entry.last else { continue };
            if message.class.intersects(fresh) {
                let sure = entry.class.intersects(fresh) && !member.known.contains(&message.number);
                gathered.add(message, entry.class, sure);
            }
        }
        member.arrivals += gathered.numbers().count() as u64;
        member.known.extend(gathered.numbers());
        member.state.owe(self.next, gathered);
    }

    /// Changes a mask.
    pub fn set_mask(&mut self, id: u64, mask: Class) {
        let at = self.moment();
        let Some(member) = self.members.get_mut(&id) else { return };
        let stays = member.mask & mask;
        let fresh = mask - member.mask;
        member.mask = mask;
        member.backlog.narrow(at, stays);
        member.state.narrow(stays);
        self.hand_over(id, fresh);
    }

    /// Marks a class or a key within it; marking twice is the same entry.
    pub fn retain(&mut self, class: Class, key: &[u8]) -> u64 {
        if let Some(entry) = self.entries.iter().find(|e| e.class == class && e.key == key) {
            return entry.id;
        }
        let id = self.new_id();
        self.entries.push(Entry { id, class, key: key.to_vec(), last: None });
        id
    }

    /// Removes an entry; whether it was there.
    pub fn clear(&mut self, id: u64) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.id != id);
        self.entries.len() < before
    }
}
