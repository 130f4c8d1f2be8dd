//! Receiving, by every method there is.

use super::driver::{Driver, Mismatch};
use super::op::{ReceiveForm, elsewhere};
use smd_lockfree::{Class, Kept, LagReason, Message, Origin, RecvError};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Everything that a message shows, copied so that the borrow can end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    pub(super) number: u64,
    class: Class,
    nanos: u64,
    origin: Origin,
    retained: bool,
    bytes: Vec<u8>,
}

impl Seen {
    fn of(message: &Message<'_>) -> Result<Seen, String> {
        let seen = Seen {
            number: message.sequence(),
            class: message.class(),
            nanos: message.timestamp().nanos(),
            origin: message.origin(),
            retained: message.is_retained(),
            bytes: message.bytes().to_vec(),
        };
        let copy = message.to_owned_message();
        let as_text = message.text().map(str::as_bytes);
        if copy.origin() != seen.origin
            || message[..] != seen.bytes[..]
            || as_text != Ok(&seen.bytes[..])
            || message.decode::<Vec<u8>>().as_ref() != Ok(&seen.bytes)
            || copy.bytes() != seen.bytes
            || copy.sequence() != seen.number
        {
            return Err(format!("the accessors of {message:?} contradict each other"));
        }
        Ok(seen)
    }

    /// Whether a kept message still shows what it showed when it was received.
    pub(super) fn is_of(&self, kept: &Kept) -> bool {
        kept.sequence() == self.number
            && kept.class() == self.class
            && kept.timestamp().nanos() == self.nanos
            && kept.origin() == self.origin
            && kept.bytes() == self.bytes
    }
}

/// What a receive came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Came {
    Message,
    Report,
    Nothing,
}

impl Driver {
    pub(super) fn receive(
        &mut self,
        index: usize,
        form: ReceiveForm,
        keep: bool,
    ) -> Result<Came, Mismatch> {
        let waits = matches!(form, ReceiveForm::Blocking | ReceiveForm::Spinning);
        // One that would wait for ever tells nothing.
        let form = if waits && !self.awaits(index) { ReceiveForm::Try } else { form };
        let port = self.slots[index].port.get_mut();
        let mut context = Context::from_waker(Waker::noop());
        let result = match form {
            ReceiveForm::Try => port.try_recv(),
            ReceiveForm::Timeout => match port.recv_timeout(Duration::ZERO) {
                Err(RecvError::Empty) => return Err("recv_timeout gave Empty".to_owned().into()),
                Err(RecvError::Timeout) => Err(RecvError::Empty),
                other => other,
            },
            ReceiveForm::Blocking => port.recv_blocking(),
            ReceiveForm::Spinning => port.recv_spinning(),
            ReceiveForm::Poll => match pin!(port.recv()).poll(&mut context) {
                Poll::Ready(result) => result,
                Poll::Pending => Err(RecvError::Empty),
            },
        };
        match result {
            Ok(message) => {
                let seen = Seen::of(&message)?;
                let kept = keep.then(|| message.keep());
                self.received(index, &seen)?;
                if let Some(kept) = kept {
                    self.coverage.kept += 1;
                    self.kept.push((kept, seen));
                }
                Ok(Came::Message)
            }
            Err(error) => {
                let came = self.refused(index, error)?;
                if form != ReceiveForm::Try {
                    // Only a plain receive is held to leaving a descriptor unreadable.
                    self.slots[index].quiet = None;
                }
                Ok(came)
            }
        }
    }

    pub(super) fn drain(&mut self, index: usize, max: Option<u16>) -> Result<(), Mismatch> {
        let mut all = Vec::new();
        let port = self.slots[index].port.get_mut();
        let result = match max {
            // Nothing comes in a pause here: the two are the same.
            None if index.is_multiple_of(2) => {
                port.drain_paced(Duration::ZERO, |message| all.push(Seen::of(&message)))
            }
            None => port.drain(|message| all.push(Seen::of(&message))),
            Some(max) => port.drain_up_to(max.into(), |message| all.push(Seen::of(&message))),
        };
        let count = all.len();
        for seen in all {
            self.received(index, &seen?)?;
        }
        if let Some(member) = self.model.members.get_mut(&self.slots[index].id)
            && count > 0
        {
            member.backlog.hold_back();
        }
        match result {
            Ok(given) if given != count => {
                Err(format!("drain() = {given} after {count} messages").into())
            }
            Ok(_) if max.is_some_and(|max| count > max.into()) => {
                Err(format!("drain_up_to({max:?}) gave {count} messages").into())
            }
            Ok(_) if max.is_some_and(|max| count == usize::from(max)) => Ok(()),
            // It takes at most as many as the depth, so that one who sends to himself comes to an end.
            Ok(taken) if max.is_none() && taken as u64 == u64::from(self.slots[index].depth) => {
                Ok(())
            }
            Ok(0) => {
                self.refused(index, RecvError::Empty)?;
                // As after any other form than a plain receive.
                self.slots[index].quiet = None;
                Ok(())
            }
            // It stops in front of a report, so that the count is not lost.
            Ok(_) if self.stopped_early(index) => {
                Err(format!("drain() stopped after {count} with messages left").into())
            }
            Ok(_) => Ok(()),
            Err(RecvError::Empty) => Err("a drain gave Empty instead of 0".to_owned().into()),
            Err(error) => self.refused(index, error).map(|_| ()),
        }
    }

    /// Whether something other than a report is next.
    fn stopped_early(&self, index: usize) -> bool {
        let at = self.model.moment();
        let member = self.model.members.get(&self.slots[index].id);
        member.is_some_and(|member| {
            let no_report = !member.backlog.may_report(at);
            no_report && (member.backlog.awaits(at) || member.state.is_due_before(None))
        })
    }

    /// Receives until there is nothing left.
    pub(super) fn exhaust(&mut self, index: usize) -> Result<(), Mismatch> {
        while self.receive(index, ReceiveForm::Try, false)? != Came::Nothing {}
        Ok(())
    }

    /// Whether a receive has something to say.
    pub(super) fn awaits(&self, index: usize) -> bool {
        let slot = &self.slots[index];
        let member = self.model.members.get(&slot.id);
        let at = self.model.moment();
        let owed = member.is_some_and(|m| m.backlog.awaits(at) || m.state.is_due_before(None));
        owed || self.model.closed || slot.left.is_some()
    }

    fn received(&mut self, index: usize, seen: &Seen) -> Result<(), Mismatch> {
        let at = self.model.moment();
        let Some(member) = self.model.members.get_mut(&self.slots[index].id) else {
            return Err(format!("{} came to one who had left", seen.number).into());
        };
        self.slots[index].quiet = None;
        let message = if seen.retained {
            let live = member.backlog.first_sure(at);
            member.delivered_state += 1;
            self.coverage.state += 1;
            member.backlog.interrupt();
            member.state.deliver(seen.number, live)?
        } else {
            if member.state.is_due_before(Some(seen.number)) {
                let text = format!("message {} came before the retained ones", seen.number);
                return Err(text.into());
            }
            let message = member.backlog.deliver(seen.number, at)?;
            member.state.pass(seen.number);
            member.delivered += 1;
            self.coverage.delivered += 1;
            message
        };
        if (seen.class, &seen.bytes) != (message.class, &message.bytes) {
            return Err(format!("{seen:?} came, sent was {message:?}").into());
        }
        let origin = match self.totals.from_elsewhere.contains(&seen.number) {
            true => elsewhere(&message.bytes),
            false => Origin::Local,
        };
        if seen.origin != origin {
            return Err(format!("{seen:?} entered at {origin:?}").into());
        }
        if !message.stamp.see(seen.nanos) {
            return Err(format!("{} has time {}: {message:?}", seen.number, seen.nanos).into());
        }
        let earlier = self.totals.times.range(..seen.number).next_back();
        let later = self.totals.times.range(seen.number..).next();
        if earlier.is_some_and(|(_, nanos)| *nanos > seen.nanos)
            || later.is_some_and(|(_, nanos)| *nanos < seen.nanos)
        {
            let text = format!("time went back at {}: {earlier:?} {later:?}", seen.number);
            return Err(text.into());
        }
        self.totals.times.insert(seen.number, seen.nanos);
        Ok(())
    }

    /// A receive gave no message.
    fn refused(&mut self, index: usize, error: RecvError) -> Result<Came, Mismatch> {
        let at = self.model.moment();
        let slot = &mut self.slots[index];
        let member = self.model.members.get_mut(&slot.id);
        let wrong = |what: &str| Err(Mismatch(format!("a receive gave {error:?}, {what}")));
        let Some(member) = member else {
            return match error {
                RecvError::Left => Ok(Came::Nothing),
                _ => wrong("expected Left"),
            };
        };
        match error {
            RecvError::Lagged(lag) => {
                member.backlog.lose(&lag, at)?;
                slot.quiet = None;
                if lag.reason == LagReason::Overflow {
                    member.overflowed += lag.count;
                    self.coverage.overflows += 1;
                } else {
                    member.expired += lag.count;
                    self.coverage.expiries += 1;
                }
                Ok(Came::Report)
            }
            RecvError::Empty if self.model.closed => wrong("expected Closed"),
            RecvError::Closed if !self.model.closed => wrong("the bus is open"),
            RecvError::Empty | RecvError::Closed if member.state.is_due_before(None) => {
                wrong("but retained state is due")
            }
            RecvError::Empty | RecvError::Closed => {
                let settled = member.backlog.exhaust(at);
                settled.map_err(|why| format!("a receive gave {error:?}, but {why}"))?;
                slot.quiet = Some(member.arrivals);
                Ok(Came::Nothing)
            }
            _ => wrong("which nothing can explain"),
        }
    }
}
