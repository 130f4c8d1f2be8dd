//! Registering, changing masks, leaving.

use super::bus::Choices;
use super::driver::{Driver, Mismatch, Slot, pick};
use crate::port::Port;
use smd_lockfree::{Class, MAX_DEPTH, MaskError, RegisterError};

impl Driver {
    pub(super) fn register(
        &mut self,
        choices: Choices,
        depth: Option<u32>,
        descriptor: bool,
    ) -> Result<(), Mismatch> {
        let Some(bus) = self.any_bus() else { return Ok(()) };
        let Choices { mask, policy, exclude_own, retained, bridge } = choices;
        let name = format!("participant {}", self.model.new_id());
        let mut registration = bus
            .participant()
            .mask(mask)
            .name(&name)
            .policy(policy)
            .exclude_own(exclude_own)
            .retained(retained)
            .bridge(bridge);
        if let Some(depth) = depth {
            registration = registration.depth(depth);
        }
        let result = registration.register();
        let depth = depth.unwrap_or(self.setup.depth);
        let deep = (1..=MAX_DEPTH).contains(&depth);
        let limit = self.model.max_participants;
        let many = self.model.members.len() >= limit;
        let fine = match &result {
            Ok(_) => !mask.is_empty() && deep && !many && !self.model.closed,
            Err(RegisterError::EmptyMask) => mask.is_empty(),
            Err(RegisterError::Depth { depth: given, max: MAX_DEPTH }) => !deep && *given == depth,
            Err(RegisterError::TooManyParticipants { max }) => many && *max == limit,
            Err(RegisterError::Closed) => self.model.closed,
            Err(_) => false,
        };
        if !fine {
            return Err(format!("register: {result:?}").into());
        }
        let Ok(participant) = result else { return Ok(()) };
        let handle = participant.handle();
        let port = Port::new(participant, descriptor)
            .map_err(|error| Mismatch(format!("no descriptor: {error}")))?;
        let id = self.model.register(choices, depth);
        let since = self.model.next;
        let (left, quiet) = (None, None);
        self.slots.push(Slot { id, port, handle, name, since, mask, depth, policy, left, quiet });
        Ok(())
    }

    pub(super) fn set_mask(&mut self, participant: u8, mask: Class) -> Result<(), Mismatch> {
        let Some(index) = pick(participant, self.slots.len()) else { return Ok(()) };
        let slot = &mut self.slots[index];
        let result = slot.port.get_mut().set_mask(mask);
        let left = slot.left.is_some();
        let fine = match result {
            Ok(number) => {
                !mask.is_empty() && !left && !self.model.closed && number == self.model.next
            }
            Err(MaskError::EmptyMask) => mask.is_empty(),
            Err(MaskError::Left) => left,
            Err(MaskError::Closed) => self.model.closed,
            Err(_) => false,
        };
        if !fine {
            return Err(format!("set_mask: {result:?}, {} is next", self.model.next).into());
        }
        if result.is_ok() {
            slot.mask = mask;
            slot.quiet = None;
            let id = slot.id;
            self.model.set_mask(id, mask);
        }
        Ok(())
    }

    pub(super) fn leave(&mut self, participant: u8) -> Result<(), Mismatch> {
        let Some(index) = pick(participant, self.slots.len()) else { return Ok(()) };
        let slot = self.slots.remove(index);
        let number = match slot.port {
            Port::Plain(participant) => participant.leave(),
            // It can only be dropped.
            #[cfg(unix)]
            Port::Polled(_) => self.model.next,
        };
        let next = self.model.next;
        if number != next && Some(number) != slot.left {
            return Err(format!("leave() = {number}, {next} is next").into());
        }
        self.depart(slot.id);
        Ok(())
    }

    pub(super) fn leave_by_handle(&mut self, participant: u8) -> Result<(), Mismatch> {
        let Some(index) = pick(participant, self.slots.len()) else { return Ok(()) };
        let slot = &mut self.slots[index];
        let number = slot.handle.leave();
        let expected = slot.left.is_none().then_some(self.model.next);
        if number != expected {
            return Err(format!("handle.leave() = {number:?}, expected {expected:?}").into());
        }
        slot.left = slot.left.or(number);
        let id = slot.id;
        self.depart(id);
        Ok(())
    }

    /// The model forgets a participant, but not what the statistics of the bus count of it.
    pub(super) fn depart(&mut self, id: u64) {
        let at = self.model.moment();
        if let Some(member) = self.model.members.remove(&id) {
            self.totals.gone.add(&member, at);
        }
    }
}
