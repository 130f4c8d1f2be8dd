//! The one mechanism under all waiting forms (rule W2 of [`crate::wait`]).

use std::time::Duration;

use crate::error::RecvError;
use crate::hooks::mark;
use crate::log::cursor::Awaits;
#[cfg(unix)]
use crate::log::cursor::{Cutoff, View};
use crate::wait::deadline::Deadline;
use crate::wait::waiter::Waiter;

use super::{Participant, Ready};

impl Participant {
    /// What a receive would find, for who is about to sleep.
    pub(crate) fn awaits(&self) -> Awaits {
        if !self.states.is_empty()
            || self.report.is_some()
            || !self.cursor.losses.is_empty()
            || self.record.has_left()
        {
            return Awaits::Something;
        }
        if self.state_at() <= self.cursor.sequence() {
            // State that waits for a record below N to be published: nothing comes before it.
            return Awaits::Hole;
        }
        self.cursor.awaits(&self.core.log)
    }

    /// Announces a sleep for what this participant wants, after a receive found nothing. `true`:
    /// nothing has come meanwhile, and whatever comes wakes `waiter`; then the segment is given up
    /// too. `false`: look again.
    pub(crate) fn prepare(&mut self, arm: impl FnOnce(&Waiter)) -> bool {
        let hole = match self.awaits() {
            Awaits::Something | Awaits::End => return false,
            Awaits::Hole => true,
            Awaits::Nothing => false,
        };
        if hole && self.finish_state() {
            return false;
        }
        let waiter = &self.record.waiter;
        arm(waiter);
        self.core.waiters.announce(waiter, self.mask.bits(), hole);
        let found = match self.awaits() {
            Awaits::Something | Awaits::End => true,
            // Who closes a hole that was not seen before the announcement wakes others only.
            Awaits::Hole if !hole => true,
            Awaits::Hole => {
                mark("asleep at a hole");
                false
            }
            Awaits::Nothing => false,
        };
        if found || (hole && self.finish_state()) {
            mark("found before the sleep");
            self.record.waiter.stop();
            return false;
        }
        mark("detached");
        self.cursor.go_away(&self.core.log);
        true
    }

    /// Tries to finish gathering state that is due; `true`: it is there now.
    pub(crate) fn finish_state(&mut self) -> bool {
        if self.state_at() > self.cursor.sequence() {
            return false;
        }
        let log = &self.core.log;
        let due = self.replays.front_mut().and_then(|replay| replay.finish(log));
        due.is_some_and(|states| {
            self.replays.pop_front();
            self.states.extend(states);
            true
        })
    }

    /// Receives, sleeping while there is nothing, at most for `timeout`.
    pub(crate) fn block(&mut self, timeout: Option<Duration>) -> Result<Ready, RecvError> {
        let outcome = self.block_until(timeout);
        self.restore_descriptor(outcome.is_ok());
        outcome
    }

    /// After another waiting form had the waiter: the descriptor tells again what awaits.
    pub(crate) fn restore_descriptor(&mut self, _received: bool) {
        #[cfg(unix)]
        if let Some(signal) = self.signal.clone() {
            // After a message there may be more: a look, which arms it, will tell.
            signal.clear();
            self.attach();
            if _received || !self.prepare(|waiter| waiter.arm_descriptor(&signal)) {
                signal.raise();
            }
        }
    }

    /// Takes the segment up again that a sleep gave up.
    #[cfg(unix)]
    fn attach(&mut self) {
        let cutoff = Cutoff::new(&self.core);
        self.cursor.attach(&View::whole(&self.core.log, &self.record, &cutoff));
    }

    fn block_until(&mut self, timeout: Option<Duration>) -> Result<Ready, RecvError> {
        let mut deadline = None;
        loop {
            match self.advance(u64::MAX) {
                Err(RecvError::Empty) => {}
                other => return other,
            }
            let deadline = *deadline.get_or_insert_with(|| Deadline::after(timeout));
            if deadline.is_over() {
                return Err(RecvError::Timeout);
            }
            if self.prepare(|waiter| waiter.arm_thread()) {
                sleep(&self.record.waiter, deadline);
                self.record.waiter.stop();
            }
        }
    }

    /// Gives the segment up before a sleep.
    pub(crate) fn go_away(&mut self) {
        self.cursor.go_away(&self.core.log);
    }

    /// A step that, where a descriptor was made, arms it when there is nothing.
    pub(crate) fn try_advance(&mut self, until: u64) -> Result<Ready, RecvError> {
        #[cfg(unix)]
        if let Some(signal) = self.signal.clone() {
            loop {
                match self.advance(until) {
                    Err(RecvError::Empty) => {}
                    other => return other,
                }
                // Unreadable first, then announced: who publishes after that makes it readable.
                signal.clear();
                // From one sleep to the next goes the way of every form: through IDLE.
                self.record.waiter.stop();
                if self.prepare(|waiter| waiter.arm_descriptor(&signal)) {
                    return Err(RecvError::Empty);
                }
                signal.raise();
                if until != u64::MAX {
                    // What is there is for the next call.
                    return Err(RecvError::Empty);
                }
            }
        }
        self.advance(until)
    }
}

/// Parks once: until notified, until the deadline, or for nothing. The caller then looks, and arms
/// and announces itself anew: a waker that was late for an earlier sleep may have had the target in
/// its hands when the one for this sleep came, and its wake is then the only one.
pub(crate) fn sleep(waiter: &Waiter, deadline: Deadline) {
    if waiter.is_waiting() {
        mark("parked");
        deadline.park();
    }
}
