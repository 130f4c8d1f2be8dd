//! Drives a real bus and the model side by side.

use super::bus::{Choices, Model};
use super::op::{Op, Setup, TIME_TO_LIVE};
use crate::port::Port;
use smd_lockfree::{
    Bus, Class, Clock, Kept, ManualClock, ParticipantHandle, Policy, RetainError, Retained, Sender,
};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// Where the bus and the model parted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mismatch(pub String);

impl Mismatch {
    pub(super) fn at(self, number: usize, op: &Op) -> Mismatch {
        Mismatch(format!("operation {number}, {op:?}: {}", self.0))
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mismatch {}

impl From<String> for Mismatch {
    fn from(text: String) -> Mismatch {
        Mismatch(text)
    }
}

/// How often the rarer things happened, so that a test can insist that they did.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Coverage {
    pub queued: u64,
    pub unwanted: u64,
    pub full: u64,
    pub delivered: u64,
    pub overflows: u64,
    pub expiries: u64,
    pub state: u64,
    pub kept: u64,
    pub bytes: u64,
}

/// One real participant and what it was registered with.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: u64,
    pub(super) port: Port,
    pub(super) handle: ParticipantHandle,
    pub(super) name: String,
    pub(super) since: u64,
    pub(super) mask: Class,
    pub(super) depth: u32,
    pub(super) policy: Policy,
    /// The number from which a departure asked for through the handle holds.
    pub(super) left: Option<u64>,
    /// The model's arrivals when a receive last said that nothing is there.
    pub(super) quiet: Option<u64>,
}

/// A bus under test with all its handles, beside its model.
#[derive(Debug)]
pub struct Driver {
    pub(super) model: Model,
    pub(super) hand: ManualClock,
    pub(super) bus: Option<Bus>,
    /// With the participant whose own sends these are.
    pub(super) senders: Vec<(Rc<Sender>, Option<u64>)>,
    pub(super) slots: Vec<Slot>,
    /// With the model's number of the entry.
    pub(super) retained: Vec<(Retained, u64)>,
    pub(super) kept: Vec<(Kept, super::receive::Seen)>,
    pub(super) coverage: Coverage,
    pub(super) totals: super::check::Totals,
    pub(super) setup: Setup,
    pub(super) payloads: u64,
    /// How many drafts are open; each borrows the handle that it came from.
    pub(super) drafts: u32,
}

/// The handle that number `index` means among `len`.
pub(super) fn pick(index: u8, len: usize) -> Option<usize> {
    (len > 0).then(|| usize::from(index) % len)
}

impl Driver {
    /// Builds the bus.
    ///
    /// # Errors
    ///
    /// The builder refused.
    pub fn new(setup: &Setup) -> Result<Driver, Mismatch> {
        let (clock, hand) = Clock::manual();
        let bus = Bus::builder()
            .name("reference")
            .depth(setup.depth)
            .time_to_live(setup.expires.then_some(TIME_TO_LIVE))
            .segment_bytes(4096)
            .max_segments(setup.max_segments)
            .retained_limit(setup.retained_limit)
            .max_participants(setup.max_participants)
            .clock(clock)
            .build()
            .map_err(|error| Mismatch(format!("the builder refused {setup:?}: {error}")))?;
        Ok(Driver {
            model: Model::new(setup, hand.now().nanos()),
            hand,
            bus: Some(bus),
            senders: Vec::new(),
            slots: Vec::new(),
            retained: Vec::new(),
            kept: Vec::new(),
            coverage: Coverage::default(),
            totals: super::check::Totals::default(),
            setup: setup.clone(),
            payloads: 0,
            drafts: 0,
        })
    }

    /// Does one operation and compares everything.
    ///
    /// # Errors
    ///
    /// The first difference.
    pub fn step(&mut self, op: &Op) -> Result<(), Mismatch> {
        self.act(op)?;
        self.check()
    }

    fn act(&mut self, op: &Op) -> Result<(), Mismatch> {
        match *op {
            Op::DropBus | Op::DropSender { .. } if self.drafts > 0 => Ok(()),
            Op::Send { via, form, class, len } => self.send(via, form, class, len.into()),
            Op::SendMany { via, class, len, count } => {
                self.send_many(via, class, len.into(), count)
            }
            Op::Batch { sender, ref messages } => self.send_batch(sender, messages),
            Op::Draft { via, class, len, truncate, ref between, finish } => {
                self.draft(via, class, len.into(), truncate, between, finish)
            }
            Op::NewSender { of } => self.new_sender(of),
            Op::CloneSender { sender } => {
                if let Some(index) = pick(sender, self.senders.len()).filter(|_| self.room()) {
                    let (sender, owner) = &self.senders[index];
                    self.senders.push((Rc::new(Sender::clone(sender)), *owner));
                }
                Ok(())
            }
            Op::DropSender { sender } => {
                if let Some(index) = pick(sender, self.senders.len()) {
                    self.before_last_handle(self.bus.is_none() && self.senders.len() == 1);
                    self.senders.remove(index);
                }
                Ok(())
            }
            Op::Register { mask, policy, depth, exclude_own, retained, bridge, descriptor } => {
                let choices = Choices { mask, policy, exclude_own, retained, bridge };
                self.register(choices, depth, descriptor)
            }
            Op::SetMask { participant, mask } => self.set_mask(participant, mask),
            Op::Leave { participant } => self.leave(participant),
            Op::LeaveByHandle { participant } => self.leave_by_handle(participant),
            Op::DropParticipant { participant } => {
                if let Some(index) = pick(participant, self.slots.len()) {
                    let slot = self.slots.remove(index);
                    self.depart(slot.id);
                }
                Ok(())
            }
            Op::Receive { participant, form, keep } => {
                let index = pick(participant, self.slots.len());
                index.map_or(Ok(()), |index| self.receive(index, form, keep).map(|_| ()))
            }
            Op::Drain { participant, max } => {
                let index = pick(participant, self.slots.len());
                index.map_or(Ok(()), |index| self.drain(index, max))
            }
            Op::Exhaust { participant } => {
                let index = pick(participant, self.slots.len());
                index.map_or(Ok(()), |index| self.exhaust(index))
            }
            Op::DropKept { kept } => {
                if let Some(index) = pick(kept, self.kept.len()) {
                    self.kept.remove(index);
                }
                Ok(())
            }
            Op::Advance { millis } => {
                self.hand.advance(Duration::from_millis(millis.into()));
                self.model.now = self.hand.now().nanos();
                Ok(())
            }
            Op::Retain { class, key } => self.retain(class, key),
            Op::RetainedSend { entry, len } => self.retained_send(entry, len.into()),
            Op::RetainedClear { entry } => self.retained_clear(entry),
            Op::DropRetained { entry } => {
                if let Some(index) = pick(entry, self.retained.len()) {
                    self.retained.remove(index);
                }
                Ok(())
            }
            Op::Close => self.close(),
            Op::DropBus => {
                self.before_last_handle(self.senders.is_empty());
                self.bus = None;
                Ok(())
            }
        }
    }

    /// Three senders are enough, and each may hold a segment.
    fn room(&self) -> bool {
        self.senders.len() < 3
    }

    fn new_sender(&mut self, of: Option<u8>) -> Result<(), Mismatch> {
        if self.room() {
            let of = of.and_then(|participant| pick(participant, self.slots.len()));
            if let Some(slot) = of.map(|index| &self.slots[index]) {
                // A sender made after the last bus handle went must not bring the bus back.
                self.senders.push((Rc::new(slot.port.get().sender()), Some(slot.id)));
            } else if let Some(bus) = &self.bus {
                self.senders.push((Rc::new(bus.sender()), None));
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Mismatch> {
        if let Some(bus) = self.any_bus() {
            let number = bus.close();
            if number != self.model.next {
                return Err(format!("close() = {number}, expected {}", self.model.next).into());
            }
            self.model.closed = true;
        }
        Ok(())
    }

    /// The last bus handle or sender is about to go, and so the bus closes. Whether a handle of a
    /// retained entry keeps it open is not said, so those go first.
    pub(super) fn before_last_handle(&mut self, last: bool) {
        if last {
            self.retained.clear();
            self.model.closed = true;
        }
    }

    fn retain(&mut self, class: Class, key: Option<u8>) -> Result<(), Mismatch> {
        let Some(bus) = self.any_bus() else { return Ok(()) };
        let key = key.map(|len| vec![b'k'; len.into()]);
        let result = match &key {
            None => bus.retain(class),
            Some(key) => bus.retain_key(class, key),
        };
        let key = key.as_deref();
        let known = self
            .model
            .entries
            .iter()
            .any(|entry| entry.class == class && entry.key == key.unwrap_or_default());
        let one = class.bits().count_ones() == 1;
        let many = self.model.entries.len() >= self.model.retained_limit && !known;
        let short = key.is_none_or(|key| (1..=smd_lockfree::MAX_KEY).contains(&key.len()));
        let fine = match &result {
            Ok(entry) => {
                !self.model.closed
                    && one
                    && short
                    && !many
                    && entry.class() == class
                    && entry.key() == key.unwrap_or_default()
            }
            Err(RetainError::Closed) => self.model.closed,
            Err(RetainError::EmptyClass) => class.is_empty(),
            Err(RetainError::NotOneClass { .. }) => !one && !class.is_empty(),
            Err(RetainError::Key { len, max }) => {
                !short && Some(*len) == key.map(<[u8]>::len) && *max == smd_lockfree::MAX_KEY
            }
            Err(RetainError::TooMany { max }) => many && *max == self.model.retained_limit,
            Err(_) => false,
        };
        if !fine {
            return Err(format!("retain: {result:?}").into());
        }
        if let Ok(entry) = result {
            let id = self.model.retain(class, key.unwrap_or_default());
            self.retained.push((entry, id));
        }
        Ok(())
    }

    fn retained_clear(&mut self, entry: u8) -> Result<(), Mismatch> {
        let Some(index) = pick(entry, self.retained.len()) else { return Ok(()) };
        if self.model.closed {
            // Nobody can come late any more; what a clear says then is of no use to anyone.
            return Ok(());
        }
        let (entry, id) = &self.retained[index];
        let (was, expected) = (entry.clear(), self.model.clear(*id));
        if was != expected {
            return Err(format!("clear() = {was}, expected {expected}").into());
        }
        Ok(())
    }

    /// A bus handle, from wherever one can be had.
    pub(super) fn any_bus(&self) -> Option<Bus> {
        let sender = || self.senders.first().map(|(sender, _)| sender.bus());
        let slot = || self.slots.first().map(|slot| slot.port.get().bus());
        self.bus.clone().or_else(sender).or_else(slot)
    }
}
