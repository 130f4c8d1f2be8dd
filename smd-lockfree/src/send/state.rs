//! What a sender carries from send to send, and the send itself.

use std::cell::Cell;
use std::ops::Range;

use crate::class::Class;
use crate::core::Core;
use crate::error::{FullReason, SendError};
use crate::log::tail::{Appender, Claimed, Log, Refused};
use crate::log::word::{Extra, Head, units_for};

use super::gate::{Known, SendGate};
use super::items::{Items, Run};

/// A sender's place in the log and its copy of the registry's limits.
#[derive(Debug)]
pub(crate) struct SendState {
    appender: Appender,
    known: Known,
    /// Identity that goes into heads; 0: nobody in particular.
    pub(crate) id: u32,
}

/// What one message is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) class: Class,
    pub(crate) payload: &'a [u8],
    pub(crate) extra: Option<&'a Extra>,
    /// Of who waits for room: see [`SendGate`].
    pub(crate) hole: Option<&'a Cell<bool>>,
}

impl SendState {
    pub(crate) fn new(log: &Log, id: u32) -> SendState {
        SendState { appender: log.appender(), known: Known::nothing(), id }
    }

    /// Gives the reference on the segment back.
    pub(crate) fn release(&mut self, log: &Log) {
        log.release(self.appender.frame);
    }

    fn refused(refused: Refused) -> SendError {
        match refused {
            Refused::Full(reason) => SendError::Full(reason),
            Refused::Closed => SendError::Closed,
        }
    }

    /// Appends one message; its number. The caller then calls [`Core::published`], when nothing of
    /// this sender is borrowed any more.
    #[inline]
    pub(crate) fn append(&mut self, core: &Core, parts: Parts<'_>) -> Result<u64, SendError> {
        let now = core.now();
        let units = units_for(parts.payload.len(), parts.extra.is_some());
        let limit = self.known.limit_of(parts.class.bits());
        let claimed = match core.log.claim_next(&mut self.appender, limit, now, units) {
            Some(claimed) => claimed,
            None => self.claim(core, &parts, now, units)?,
        };
        #[cfg(test)]
        crate::hooks::reached(crate::hooks::Place::Claimed);
        self.write(&parts, claimed);
        self.finish(core, now);
        Ok(claimed.sequence)
    }

    /// Claims room for one message by the general way.
    #[inline(never)]
    fn claim(
        &mut self,
        core: &Core,
        parts: &Parts<'_>,
        now: u64,
        units: u32,
    ) -> Result<Claimed, SendError> {
        let (classes, hole) = (parts.class.bits(), parts.hole);
        let mut stalled = false;
        loop {
            let mut gate = SendGate { core, known: &mut self.known, classes, hole };
            match core.log.claim(&mut self.appender, &mut gate, now, 1, |_, _| (1, units)) {
                Ok((claimed, _)) => return Ok(claimed),
                Err(Refused::Full(FullReason::Stalled)) if !stalled => {
                    // Perhaps what stopped retiring is over.
                    stalled = true;
                    core.retire(now);
                }
                Err(refused) => return Err(Self::refused(refused)),
            }
        }
    }

    /// Fills and publishes a claimed record (rule S2 of the log).
    #[inline(always)]
    fn write(&mut self, parts: &Parts<'_>, claimed: Claimed) {
        // SAFETY: the appender holds the segment.
        let frame = unsafe { self.appender.frame.as_ref() };
        // SAFETY: claimed for exactly this message, and not published.
        unsafe { frame.fill(claimed.unit, claimed.time, parts.extra, parts.payload) };
        self.announce(parts.class.bits());
        let has_entry = parts.extra.is_some_and(|extra| extra.entry != 0);
        let head = self.head(parts.class, parts.payload.len(), has_entry, parts.extra);
        // SAFETY: filled just above.
        unsafe { frame.publish(claimed.unit, head) };
    }

    /// Adds class bits to the union of the segment, before a record of theirs is published.
    #[inline(always)]
    fn announce(&mut self, bits: u32) {
        if bits & !self.appender.union != 0 {
            // SAFETY: the appender holds the segment.
            let frame = unsafe { self.appender.frame.as_ref() };
            self.appender.union |= frame.add_to_union(bits);
        }
    }

    #[inline(always)]
    fn head(&self, class: Class, len: usize, has_entry: bool, extra: Option<&Extra>) -> Head {
        let retained = has_entry || self.known.retained & class.bits() != 0;
        Head::new(class, len, self.id, retained, extra.is_some())
    }

    /// After publication: who installed a segment tries to retire.
    #[inline(always)]
    fn finish(&mut self, core: &Core, now: u64) {
        if self.appender.installed {
            self.installed(core, now);
        }
    }

    #[cold]
    fn installed(&mut self, core: &Core, now: u64) {
        self.appender.installed = false;
        core.waiters.calm(&core.registry, &core.room, core.domain());
        core.retire(now);
    }

    /// Appends messages of one run with one stamp; how many, and the number of the first. Fewer
    /// than given: the rest did not fit the segment or the limits; call again.
    #[inline(always)]
    pub(crate) fn append_run(
        &mut self,
        core: &Core,
        items: impl Items,
        range: Range<usize>,
        run: Run,
        now: u64,
    ) -> Result<(usize, u64), SendError> {
        let first = range.start;
        let units = |count: u64, room: u32| {
            if count == run.count as u64 && run.units <= u64::from(room) {
                return (count, run.units as u32);
            }
            let mut fit = 0;
            let mut taken = 0;
            while fit < count {
                let more = taken + units_for(items.item(first + fit as usize).payload.len(), false);
                if more > room {
                    break;
                }
                taken = more;
                fit += 1;
            }
            (fit, taken)
        };
        let mut gate = SendGate { core, known: &mut self.known, classes: run.classes, hole: None };
        let count = run.count as u64;
        let (claimed, count) = core
            .log
            .claim(&mut self.appender, &mut gate, now, count, units)
            .map_err(Self::refused)?;
        self.write_run(items, first..first + count as usize, claimed);
        self.finish(core, now);
        Ok((count as usize, claimed.sequence))
    }

    /// Fills all of them, then publishes the first, through which every reader comes to the others
    /// (rule S2).
    #[inline(always)]
    fn write_run(&mut self, items: impl Items, range: Range<usize>, claimed: Claimed) {
        self.announce(items.classes(range.clone()));
        // SAFETY: the appender holds the segment.
        let frame = unsafe { self.appender.frame.as_ref() };
        let Claimed { unit: first, time, .. } = claimed;
        let mut unit = first;
        let mut front = None;
        for index in range {
            let message = items.item(index);
            let len = message.payload.len();
            // SAFETY: claimed for exactly these messages, and not published.
            unsafe { frame.fill(unit, time, None, message.payload) };
            let head = self.head(message.class, len, false, None);
            if front.is_none() {
                front = Some(head);
            } else {
                // SAFETY: filled just above; the first of the piece is published last.
                unsafe { frame.prepare(unit, head) };
            }
            unit += units_for(len, false);
        }
        if let Some(head) = front {
            // SAFETY: filled above, with all that follow.
            unsafe { frame.publish(first, head) };
        }
    }
}
