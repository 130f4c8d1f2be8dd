//! What can be asked of a bus at any time, compared after each operation; and the end of a script.

use super::backlog::Moment;
use super::bus::Member;
use super::driver::{Coverage, Driver, Mismatch, Slot};
use smd_lockfree::{Bus, Class};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// What participants got and lost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    delivered: u64,
    delivered_state: u64,
    overflowed: u64,
    expired: u64,
    /// Losses that no report has named, and that may be counted all the same.
    unreported: (u64, u64),
}

impl Sums {
    pub(super) fn add(&mut self, member: &Member, at: Moment) {
        let (overflowed, expired) = member.backlog.unreported(at);
        self.delivered += member.delivered;
        self.delivered_state += member.delivered_state;
        self.overflowed += member.overflowed;
        self.expired += member.expired;
        self.unreported.0 += overflowed;
        self.unreported.1 += expired;
    }

    fn delivered(&self) -> RangeInclusive<u64> {
        // Whether state that is handed over counts as delivered is not said.
        self.delivered..=self.delivered + self.delivered_state
    }

    fn overflowed(&self) -> RangeInclusive<u64> {
        self.overflowed..=self.overflowed + self.unreported.0
    }

    fn expired(&self) -> RangeInclusive<u64> {
        self.expired..=self.expired + self.unreported.1
    }
}

/// What has happened since the bus was built.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) unwanted: u64,
    pub(super) allocs_unwanted: u64,
    pub(super) full: u64,
    pub(super) errors: u64,
    pub(super) gone: Sums,
    /// Timestamps by sequence number, as far as somebody received the message.
    pub(super) times: BTreeMap<u64, u64>,
    /// The numbers of what was sent from elsewhere.
    pub(super) from_elsewhere: BTreeSet<u64>,
}

fn within(what: &str, value: u64, range: RangeInclusive<u64>) -> Result<(), Mismatch> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Mismatch(format!("{what} is {value}, expected {range:?}")))
}

fn holds(what: &str, condition: bool) -> Result<(), Mismatch> {
    if condition { Ok(()) } else { Err(Mismatch(what.to_owned())) }
}

impl Driver {
    pub(super) fn check(&self) -> Result<(), Mismatch> {
        if let Some(bus) = self.any_bus() {
            self.check_bus(&bus)?;
        }
        for index in 0..self.slots.len() {
            self.check_slot(index)?;
        }
        self.check_kept()
    }

    fn check_bus(&self, bus: &Bus) -> Result<(), Mismatch> {
        let next = self.model.next;
        within("sequence()", bus.sequence(), next..=next)?;
        holds("is_closed() is wrong", bus.is_closed() == self.model.closed)?;
        holds("the name changed", bus.name() == "reference")?;
        if !self.model.closed {
            let (masks, retained, keyed) = self.model.interest();
            let interest = bus.interest();
            let most = masks | retained | keyed;
            if !interest.contains(masks) || !most.contains(interest) {
                let text = format!("interest() is {interest}, expected {masks} up to {most}");
                return Err(text.into());
            }
            let locals = self.model.members.values().filter(|member| !member.bridge);
            let locals = locals.fold(Class::NONE, |all, member| all | member.mask);
            let local = bus.local_interest();
            holds("local_interest() lacks a mask", local.contains(locals))?;
            let may = locals | retained | keyed;
            holds("local_interest() has a bridge's mask", may.contains(local))?;
            for class in Class::ALL.iter() {
                let (wanted, maybe) =
                    ((masks | retained).intersects(class), most.intersects(class));
                let wants = bus.wants(class);
                holds("wants() is wrong", wants == wanted || (wants && maybe))?;
            }
        }
        let at = self.model.moment();
        let mut sums = self.totals.gone;
        self.model.members.values().for_each(|member| sums.add(member, at));
        let stats = bus.stats();
        within("sent", stats.sent, next - 1..=next - 1)?;
        let unwanted = self.totals.unwanted;
        within("unwanted", stats.unwanted, unwanted..=unwanted + self.totals.allocs_unwanted)?;
        within("refused", stats.refused, self.totals.full..=self.totals.errors)?;
        within("delivered", stats.delivered, sums.delivered())?;
        within("lagged", stats.lagged, sums.overflowed())?;
        within("expired", stats.expired, sums.expired())?;
        let members = self.model.members.len() as u64;
        within("participants", stats.participants, members..=members)?;
        within("senders", stats.senders, self.senders.len() as u64..=u64::MAX)?;
        let entries = self.model.entries.len() as u64;
        within("retained", stats.retained, entries..=entries)?;
        let holders = self.slots.len() + self.senders.len() + self.kept.len() + 1;
        let live = (self.setup.max_segments + holders) as u64;
        within("segments_live", stats.segments_live, 1..=live)?;
        holds("the dump is empty", !bus.dump().to_string().is_empty())
    }

    fn check_slot(&self, index: usize) -> Result<(), Mismatch> {
        let slot = &self.slots[index];
        let participant = slot.port.get();
        within("since()", participant.since(), slot.since..=slot.since)?;
        holds(
            "name() is wrong",
            participant.name() == slot.name && slot.handle.name() == slot.name,
        )?;
        holds("mask() is wrong", participant.mask() == slot.mask)?;
        holds("depth() is wrong", participant.depth() == slot.depth)?;
        holds("policy() is wrong", participant.policy() == slot.policy)?;
        let registered = slot.handle.is_registered();
        holds("is_registered() is wrong", registered == slot.left.is_none())?;
        #[cfg(unix)]
        self.check_readable(index)?;
        let Some(member) = self.model.members.get(&slot.id) else { return Ok(()) };
        let at = self.model.moment();
        let mut sums = Sums::default();
        sums.add(member, at);
        for stats in [participant.stats(), slot.handle.stats()] {
            within("delivered", stats.delivered, sums.delivered())?;
            within("lagged", stats.lagged, sums.overflowed())?;
            within("expired", stats.expired, sums.expired())?;
            let (least, most) = member.backlog.depth_now(at);
            within("depth_now", stats.depth_now, least..=most)?;
            within("depth_max", stats.depth_max, 0..=slot.depth.into())?;
        }
        Ok(())
    }

    /// A descriptor is readable if something awaits, and is not if a receive has said that nothing
    /// is there and nothing has come since.
    #[cfg(unix)]
    fn check_readable(&self, index: usize) -> Result<(), Mismatch> {
        let slot: &Slot = &self.slots[index];
        let crate::port::Port::Polled(descriptor) = &slot.port else { return Ok(()) };
        let mut polled = [rustix::event::PollFd::new(descriptor, rustix::event::PollFlags::IN)];
        let ready = rustix::event::poll(&mut polled, Some(&rustix::event::Timespec::default()))
            .map_err(|error| Mismatch(format!("poll: {error}")))?;
        let awaits = self.awaits(index);
        let arrivals = self.model.members.get(&slot.id).map(|member| member.arrivals);
        let quiet = !awaits && slot.quiet.is_some() && slot.quiet == arrivals;
        holds("something awaits, and the descriptor is not readable", !awaits || ready > 0)?;
        holds("nothing awaits, and the descriptor is readable", !quiet || ready == 0)
    }

    fn check_kept(&self) -> Result<(), Mismatch> {
        holds("a kept message changed", self.kept.iter().all(|(kept, seen)| seen.is_of(kept)))
    }

    /// Receives all that is owed, then drops the handles in one of several orders.
    ///
    /// # Errors
    ///
    /// The first difference.
    pub fn finish(mut self, teardown: u8) -> Result<Coverage, Mismatch> {
        for index in 0..self.slots.len() {
            self.exhaust(index).map_err(|m| Mismatch(format!("at the end: {}", m.0)))?;
        }
        self.check().map_err(|m| Mismatch(format!("at the end: {}", m.0)))?;
        // Each bit of `teardown` decides who of two goes first; what is kept always survives some.
        let steps: [fn(&mut Driver); 4] = [
            |driver| driver.bus = None,
            |driver| driver.senders.clear(),
            |driver| driver.slots.clear(),
            |driver| driver.retained.clear(),
        ];
        let mut order: Vec<usize> = (0..steps.len()).collect();
        order.rotate_left(usize::from(teardown) % steps.len());
        if teardown & 4 != 0 {
            order.reverse();
        }
        if teardown & 8 != 0 {
            order.swap(0, 2);
        }
        for step in order {
            steps[step](&mut self);
            self.check_kept().map_err(|m| Mismatch(format!("at teardown: {}", m.0)))?;
        }
        self.kept.clear();
        Ok(self.coverage)
    }
}
