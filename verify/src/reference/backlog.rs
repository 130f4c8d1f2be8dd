//! The live messages that one participant is owed, and what may become of them.

use super::message::Accepted;
use smd_lockfree::{Class, Lag, LagReason};
use std::collections::VecDeque;
use std::rc::Rc;

/// The moment at which something is judged.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// What the clock shows, in nanoseconds.
    pub now: u64,
    /// After how many nanoseconds a message expires.
    pub time_to_live: Option<u64>,
}

/// A message that has not been delivered.
#[derive(Clone, Debug)]
pub struct Pending {
    message: Rc<Accepted>,
    /// Those of its classes that the mask has had ever since; a class that was given up and came
    /// back does not bring it back.
    wanted: Class,
    /// At some moment `depth` newer ones were owed as well, so it may be lost.
    overflowed: bool,
    /// It was lost, and then its classes were given up: a report may still count it.
    ghost: bool,
}

impl Pending {
    fn expired(&self, at: Moment) -> bool {
        self.message.expired(at.now, at.time_to_live)
    }

    fn may_be_lost(&self, at: Moment) -> bool {
        self.overflowed || self.expired(at)
    }

    fn lost_for(&self, reason: LagReason, at: Moment) -> bool {
        match reason {
            LagReason::Overflow => self.overflowed,
            LagReason::Expired => self.expired(at),
            _ => false,
        }
    }
}

/// What the reports since the last message have named together. Several reasons may share a range,
/// so only the sum tells whether each loss was named once.
#[derive(Debug)]
struct Named {
    count: u64,
    classes: Class,
    first: u64,
    last: u64,
}

const NOTHING: Named = Named { count: 0, classes: Class::NONE, first: u64::MAX, last: 0 };

/// What one participant is owed, in order.
#[derive(Debug)]
pub struct Backlog {
    pending: VecDeque<Pending>,
    depth: usize,
    loses: bool,
    named: Named,
    /// The last report and when it came, while nothing but reports has come after it.
    reported: Option<(LagReason, u64)>,
    /// The numbers of the widenings that nothing has come behind: retained state belongs there, so
    /// losses before and behind need not merge. What was lost together may reach over one.
    borders: VecDeque<u64>,
    /// A drain ended in front of a report, which stays as it was then.
    held_back: bool,
    /// Lost messages that a narrowing settled: statistics may count them.
    settled_losses: u64,
}

impl Backlog {
    /// An empty one; under lag it `loses` what exceeds its depth.
    pub fn new(depth: u32, loses: bool) -> Backlog {
        Backlog {
            pending: VecDeque::new(),
            depth: depth as usize,
            loses,
            named: NOTHING,
            reported: None,
            borders: VecDeque::new(),
            held_back: false,
            settled_losses: 0,
        }
    }

    fn owed(&self) -> impl DoubleEndedIterator<Item = &Pending> {
        self.pending.iter().filter(|pending| !pending.ghost)
    }

    fn sure(&self, at: Moment) -> impl Iterator<Item = &Pending> {
        self.owed().filter(move |pending| !pending.may_be_lost(at))
    }

    /// Takes note of an accepted message that the participant wants for these of its classes.
    pub fn push(&mut self, message: Rc<Accepted>, wanted: Class) {
        self.reported = None;
        self.pending.push_back(Pending { message, wanted, overflowed: false, ghost: false });
        if self.loses {
            let mut owed = self.pending.iter_mut().rev().filter(|pending| !pending.ghost);
            // All older ones were marked when the one after this one came.
            if let Some(over) = owed.nth(self.depth) {
                over.overflowed = true;
            }
        }
    }

    /// Whether a sender must be refused.
    pub fn is_full(&self, at: Moment) -> bool {
        !self.loses && self.owed().filter(|pending| !pending.expired(at)).count() >= self.depth
    }

    /// Whether a receive surely has something to say: a message, or a report.
    pub fn awaits(&self, at: Moment) -> bool {
        self.sure(at).next().is_some() || self.owed().count() as u64 > self.named.count
    }

    /// The number of the first message that nothing can have taken away.
    pub fn first_sure(&self, at: Moment) -> Option<u64> {
        self.sure(at).next().map(|pending| pending.message.number)
    }

    /// Something else came to the participant, so a further report is a report of its own.
    pub fn interrupt(&mut self) {
        self.reported = None;
    }

    /// Classes are wanted from this number on whose retained state is kept.
    pub fn widen(&mut self, number: u64) {
        self.borders.push_back(number);
    }

    /// A drain ended, maybe in front of a report.
    pub fn hold_back(&mut self) {
        self.held_back = true;
    }

    /// Whether a report may come next.
    pub fn may_report(&self, at: Moment) -> bool {
        self.pending.front().is_some_and(|next| next.ghost || next.may_be_lost(at))
    }

    /// The fewest and the most messages that the statistics may call backlog.
    pub fn depth_now(&self, at: Moment) -> (u64, u64) {
        let most = self.owed().count().min(self.depth);
        (self.sure(at).count().min(self.depth) as u64, most as u64)
    }

    /// At most how many losses the statistics may count that no report has named: as overflow, as
    /// expiry.
    pub fn unreported(&self, at: Moment) -> (u64, u64) {
        let count = |reason| {
            let found = self.pending.iter().filter(|pending| pending.lost_for(reason, at)).count();
            found as u64 + self.settled_losses
        };
        (count(LagReason::Overflow), count(LagReason::Expired))
    }

    /// Gives up what the new mask does not want.
    pub fn narrow(&mut self, at: Moment, mask: Class) {
        self.reported = None;
        self.pending.retain_mut(|pending| {
            pending.wanted = pending.wanted & mask;
            if pending.ghost || !pending.wanted.is_empty() {
                return true;
            }
            pending.ghost = pending.may_be_lost(at);
            pending.ghost
        });
    }

    /// A message was received.
    ///
    /// # Errors
    ///
    /// It is not the next one, or should have been lost, or the reports before it were wrong.
    pub fn deliver(&mut self, number: u64, at: Moment) -> Result<Rc<Accepted>, String> {
        let found = self.pending.iter().position(|pending| pending.message.number == number);
        let Some(position) = found.filter(|position| !self.pending[*position].ghost) else {
            return Err(format!("message {number} came and is not owed"));
        };
        if self.pending[position].expired(at) {
            return Err(format!("message {number} came although it has expired"));
        }
        let left = self.pending.iter().skip(position).filter(|pending| !pending.ghost).count();
        if left > self.depth {
            return Err(format!("message {number} is {left} from the end, over the depth"));
        }
        self.settle(position, at).map_err(|why| format!("message {number} came, but {why}"))?;
        self.borders.retain(|border| *border > number);
        let delivered = self.pending.pop_front();
        delivered.map(|pending| pending.message).ok_or_else(|| "nothing is owed".to_owned())
    }

    /// A receive said that nothing is left.
    ///
    /// # Errors
    ///
    /// Something is, or the reports before were wrong.
    pub fn exhaust(&mut self, at: Moment) -> Result<(), String> {
        self.settle(self.pending.len(), at)
    }

    /// All before `position` is over: it must have been lost, and the reports must say so.
    fn settle(&mut self, position: usize, at: Moment) -> Result<(), String> {
        let (mut sure, mut all) = (0, 0);
        let (mut sure_classes, mut all_classes) = (Class::NONE, Class::NONE);
        let named = std::mem::replace(&mut self.named, NOTHING);
        self.reported = None;
        for pending in self.pending.drain(..position) {
            let number = pending.message.number;
            all += 1;
            all_classes |= pending.message.class;
            if pending.ghost {
                self.settled_losses += 1;
                continue;
            }
            if !pending.may_be_lost(at) {
                return Err(format!("{number} was not lost and is due"));
            }
            sure += 1;
            sure_classes |= pending.message.class;
            if !(named.first..=named.last).contains(&number) {
                return Err(format!("{number} was lost and no report named it: {named:?}"));
            }
        }
        if !(sure..=all).contains(&named.count) {
            return Err(format!("{sure} to {all} were lost, and reports named {}", named.count));
        }
        if !named.classes.contains(sure_classes) || !all_classes.contains(named.classes) {
            let classes = named.classes;
            return Err(format!("{sure_classes} up to {all_classes} were lost, named {classes}"));
        }
        Ok(())
    }

    /// A report was received.
    ///
    /// # Errors
    ///
    /// It names what was not lost, or not for this reason, or should have been one with the last.
    pub fn lose(&mut self, lag: &Lag, at: Moment) -> Result<(), String> {
        if self.reported == Some((lag.reason, at.now)) {
            if self.borders.front().is_none_or(|border| *border > lag.first) {
                return Err(format!("{lag:?} should have been one report with the one before it"));
            }
            self.borders.pop_front();
        }
        let eligible = |pending: &&Pending| {
            let number = pending.message.number;
            (lag.first..=lag.last).contains(&number) && pending.lost_for(lag.reason, at)
        };
        let lost = || self.pending.iter().filter(eligible);
        let classes = lost().fold(Class::NONE, |all, pending| all | pending.message.class);
        if lag.count == 0 || lost().count() < lag.count as usize || !classes.contains(lag.classes) {
            let most = lost().count();
            return Err(format!("{lag:?} names more than was lost so: {most} of {classes}"));
        }
        for end in [lag.first, lag.last] {
            if !lost().any(|pending| pending.message.number == end) {
                return Err(format!("{lag:?}: {end} was not lost, or not for that reason"));
            }
        }
        self.named.count += lag.count;
        self.named.classes |= lag.classes;
        self.named.first = self.named.first.min(lag.first);
        self.named.last = self.named.last.max(lag.last);
        let held_back = std::mem::replace(&mut self.held_back, false);
        self.reported = (!held_back).then_some((lag.reason, at.now));
        Ok(())
    }
}
