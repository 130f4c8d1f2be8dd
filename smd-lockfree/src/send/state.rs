//! What a sender carries from send to send, and the send itself.

use crate::class::Class;
use crate::core::Core;
use crate::error::{FullReason, SendError};
use crate::log::tail::{Appender, Claimed, Log, Refused};
use crate::log::word::{Extra, Head, units_for};
use crate::sender::Outgoing;

use super::gate::{Known, SendGate};

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
        let mut stalled = false;
        let claimed = loop {
            let mut gate = SendGate { core, known: &mut self.known, classes: parts.class.bits() };
            match core.log.claim(&mut self.appender, &mut gate, now, 1, |_, _| (1, units)) {
                Ok((claimed, _)) => break claimed,
                Err(Refused::Full(FullReason::Stalled)) if !stalled => {
                    // Perhaps what stopped retiring is over.
                    stalled = true;
                    core.retire(now);
                }
                Err(refused) => return Err(Self::refused(refused)),
            }
        };
        #[cfg(test)]
        crate::hooks::reached(crate::hooks::Place::Claimed);
        self.write(&parts, claimed);
        self.finish(core, now);
        Ok(claimed.sequence)
    }

    /// Fills and publishes a claimed record (rule S2 of the log).
    #[inline(always)]
    fn write(&mut self, parts: &Parts<'_>, claimed: Claimed) {
        // SAFETY: the appender holds the segment.
        let frame = unsafe { self.appender.frame.as_ref() };
        // SAFETY: claimed for exactly this message, and not published.
        unsafe { frame.fill(claimed.unit, claimed.time, parts.extra, parts.payload) };
        let bits = parts.class.bits();
        if bits & !self.appender.union != 0 {
            self.appender.union |= frame.add_to_union(bits);
        }
        let retained = self.known.retained & bits != 0;
        let head = Head::new(
            parts.class,
            parts.payload.len(),
            self.id,
            retained || parts.extra.is_some_and(|extra| extra.entry != 0),
            parts.extra.is_some(),
        );
        // SAFETY: filled just above.
        unsafe { frame.publish(claimed.unit, head) };
    }

    /// After publication: who installed a segment tries to retire.
    #[inline(always)]
    fn finish(&mut self, core: &Core, now: u64) {
        if self.appender.installed {
            self.appender.installed = false;
            core.retire(now);
        }
    }

    /// Appends messages of one run with one stamp; how many, and the number of the first. Fewer
    /// than given: the rest did not fit the segment or the limits; call again.
    pub(crate) fn append_run(
        &mut self,
        core: &Core,
        messages: &[Outgoing<'_>],
        now: u64,
    ) -> Result<(usize, u64), SendError> {
        let classes = messages.iter().fold(0, |bits, message| bits | message.class.bits());
        let units = |count: u64, room: u32| {
            let mut fit = 0;
            let mut taken = 0;
            for message in &messages[..count as usize] {
                let more = taken + units_for(message.payload.len(), false);
                if more > room {
                    break;
                }
                taken = more;
                fit += 1;
            }
            (fit, taken)
        };
        let mut gate = SendGate { core, known: &mut self.known, classes };
        let count = messages.len() as u64;
        let (claimed, count) = core
            .log
            .claim(&mut self.appender, &mut gate, now, count, units)
            .map_err(Self::refused)?;
        self.write_run(&messages[..count as usize], claimed);
        self.finish(core, now);
        Ok((count as usize, claimed.sequence))
    }

    /// From last to first, so that a reader that sees the first sees them all (rule S2).
    fn write_run(&mut self, messages: &[Outgoing<'_>], claimed: Claimed) {
        let sizes = messages.iter().map(|message| units_for(message.payload.len(), false));
        let mut unit = claimed.unit + sizes.sum::<u32>();
        for message in messages.iter().rev() {
            unit -= units_for(message.payload.len(), false);
            let parts = Parts { class: message.class, payload: message.payload, extra: None };
            self.write(&parts, Claimed { unit, ..claimed });
        }
    }
}
