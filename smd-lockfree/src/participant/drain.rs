//! Draining: many messages in one call.
//!
//! ```text
//!   drain --- nothing but records in front? --yes--> bound, clock, run of messages, progress
//!               |no                                                     |
//!               v                                                       v
//!             general step: state, reports, ends, crossings <--- more below the bound?
//! ```

use crate::core::Core;
use crate::error::RecvError;
use crate::log::cursor::{Cursor, Cutoff, View};
use crate::log::run::{Course, Front};
use crate::message::Message;
use crate::registry::record::Record;

use super::{Participant, Policy};

/// So many messages are delivered before progress is published and the clock read again.
const RUN: u64 = 64;

/// A drain that took fewer than this counts as one of few.
const FEW: usize = 4;

impl Participant {
    /// [`Participant::drain_up_to`].
    #[inline]
    pub(super) fn drain_with(
        &mut self,
        max: usize,
        f: &mut impl FnMut(Message<'_>),
    ) -> Result<usize, RecvError> {
        let mut drained = 0;
        let mut until = u64::MAX;
        if self.is_plain() {
            // The usual cases, without a general step: messages lie in a row, or there are none.
            match self.cursor.front() {
                Front::Record => {
                    until = self.bound();
                    drained = self.run(max, until, u64::MAX, f);
                    if drained > 0 && !self.has_more(until) {
                        self.took_few = drained < FEW;
                        self.record.saw_depth(drained as u64);
                        return Ok(drained);
                    }
                }
                Front::Nothing if !self.has_signal() && !self.record.has_left() => return Ok(0),
                _ => {}
            }
        }
        self.drain_on(max, drained, until, f)
    }

    /// Goes on where a first run ended, or could not begin: step by step, with runs behind each.
    #[inline(never)]
    fn drain_on(
        &mut self,
        max: usize,
        mut drained: usize,
        mut until: u64,
        f: &mut impl FnMut(Message<'_>),
    ) -> Result<usize, RecvError> {
        while drained < max && (drained == 0 || self.has_more(until)) {
            // One step by the general way: state, reports, ends, crossings.
            let ready = match self.try_advance(until) {
                Ok(ready) => ready,
                Err(RecvError::Empty) => break,
                Err(RecvError::Lagged(lag)) if drained > 0 => {
                    self.report = Some(lag);
                    break;
                }
                Err(error) if drained == 0 => return Err(error),
                // An end stays: it is told to the next call.
                Err(_) => break,
            };
            if until == u64::MAX {
                until = self.bound();
            }
            drained += 1;
            f(self.message(ready));
            if self.states.is_empty() {
                if self.record.policy == Policy::Lag {
                    // The step before may have been state, which looks at no backlog.
                    self.cut();
                }
                drained += self.run(max - drained, until, self.state_at(), f);
            }
        }
        self.took_few = drained < FEW;
        self.record.saw_depth(drained as u64);
        Ok(drained)
    }

    /// Whether nothing comes before the next record of its segment, and nothing has to be looked at
    /// between the records there.
    #[inline(always)]
    fn is_plain(&self) -> bool {
        self.report.is_none()
            && self.states.is_empty()
            && self.replays.is_empty()
            && self.record.policy == Policy::Backpressure
            && !self.core.is_forked()
    }

    /// Where a drain ends: what comes while it drains is left for the next call.
    #[inline(always)]
    fn bound(&self) -> u64 {
        let few = if self.took_few { self.cursor.end_of_few(FEW) } else { None };
        let horizon = few.unwrap_or_else(|| self.cursor.horizon(&self.core.log));
        // The horizon may lie behind the departure.
        if self.record.has_left() { 0 } else { horizon }
    }

    /// Whether a drain that received something looks again.
    #[inline(always)]
    fn has_more(&self, until: u64) -> bool {
        let at = self.cursor.sequence();
        // A descriptor is readable until a look finds nothing.
        self.has_signal() || at < until || at >= self.state_at() || !self.states.is_empty()
    }

    /// Whether a descriptor was made.
    #[inline(always)]
    fn has_signal(&self) -> bool {
        #[cfg(unix)]
        let has = self.signal.is_some();
        #[cfg(not(unix))]
        let has = false;
        has
    }

    /// Policy lag: what is over the depth now is to be dropped.
    fn cut(&mut self) {
        let cutoff = Cutoff::new(&self.core);
        self.cursor.cut(&View::whole(&self.core.log, &self.record, &cutoff));
    }

    /// Messages in a row, below `until` and `state_at`; progress is published every so many, and at
    /// the end, also when `f` panics. How many.
    #[inline(always)]
    fn run(
        &mut self,
        max: usize,
        until: u64,
        state_at: u64,
        f: &mut impl FnMut(Message<'_>),
    ) -> usize {
        let Participant { core, record, cursor, .. } = self;
        let (core, record) = (&**core, &**record);
        if !cursor.may_run(record) {
            return 0;
        }
        let mut course = Course {
            record,
            mask: record.mask(),
            cutoff: core.cutoff(),
            bound: until.min(state_at),
        };
        let mut finish = Finish { core, record, cursor, mask: course.mask, delivered: 0 };
        loop {
            let before = finish.delivered;
            let left = (max as u64 - before).min(RUN);
            finish.cursor.run(&course, left, &mut finish.delivered, |met| {
                // SAFETY: the cursor does not move while `f` runs: nothing in here moves it, and
                // `f` cannot reach this participant.
                f(unsafe { Message::met(met, &core.log.arena) });
            });
            if finish.delivered - before < RUN {
                break;
            }
            finish.publish();
            course.cutoff = core.cutoff();
        }
        finish.delivered as usize
    }
}

/// Publishes the progress of a run, also when a closure panics.
struct Finish<'p> {
    core: &'p Core,
    record: &'p Record,
    cursor: &'p mut Cursor,
    mask: u32,
    delivered: u64,
}

impl Finish<'_> {
    /// Publishes progress, and wakes senders that wait for room.
    #[inline(always)]
    fn publish(&self) {
        self.cursor.publish(self.record);
        if self.record.policy == Policy::Backpressure {
            self.core.room.freed(self.mask, self.core.domain());
        }
    }
}

impl Drop for Finish<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        Participant::count(&self.record.progress.delivered, self.delivered);
        self.publish();
    }
}
