//! Sending, by every method there is.

use super::bus::Outcomes;
use super::driver::{Driver, Mismatch, pick};
use super::op::{Finish, Op, SendForm, Via, elsewhere};
use smd_lockfree::{
    BatchError, BatchSent, Bus, Class, Draft, MAX_PAYLOAD, Outgoing, PayloadError, SendError,
    Sender, Sent, smd_format,
};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A handle to send through, held so that the driver itself stays free.
enum Line {
    Bus(Bus),
    Sender(Rc<Sender>, Option<u64>),
}

impl Line {
    fn owner(&self) -> Option<u64> {
        match self {
            Line::Bus(_) => None,
            Line::Sender(_, owner) => *owner,
        }
    }

    fn alloc(&self, class: Class, len: usize) -> Result<Option<Draft<'_>>, SendError> {
        match self {
            Line::Bus(bus) => bus.alloc(class, len),
            Line::Sender(sender, _) => sender.alloc(class, len),
        }
    }

    fn send(&self, form: SendForm, class: Class, bytes: &[u8]) -> Result<Sent, SendError> {
        // Payloads are ASCII, see `payload`.
        let text = || str::from_utf8(bytes).unwrap_or_default();
        match (self, form) {
            (Line::Bus(bus), SendForm::Format) => smd_format!(bus, class, "{}", text()),
            (Line::Bus(bus), SendForm::Value) => bus.send_value(class, &bytes.to_vec()),
            (Line::Bus(bus), _) => bus.send(class, bytes),
            (Line::Sender(sender, _), SendForm::Format) => {
                smd_format!(sender, class, "{}", text())
            }
            (Line::Sender(sender, _), SendForm::Value) => sender.send_value(class, &bytes.to_vec()),
            (Line::Sender(sender, _), SendForm::Wait) => {
                sender.send_wait(class, bytes, Some(Duration::ZERO))
            }
            (Line::Sender(sender, _), SendForm::Poll) => {
                // It wants the sender to itself; a clone sends for the same owner.
                let mut own = Sender::clone(sender);
                let send = pin!(own.send_async(class, bytes));
                match send.poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(result) => result,
                    // It waits for room.
                    Poll::Pending => Err(SendError::Full(smd_lockfree::FullReason::Backlog)),
                }
            }
            (Line::Sender(sender, _), SendForm::From) => {
                sender.send_from(elsewhere(bytes), class, bytes)
            }
            (Line::Sender(sender, _), SendForm::Plain) => sender.send(class, bytes),
        }
    }
}

/// What a form says of a payload that does not fit, in place of `TooLong`.
fn too_long_in(form: SendForm, error: &SendError) -> bool {
    match form {
        SendForm::Format => matches!(error, SendError::TooLong { max: MAX_PAYLOAD, .. }),
        SendForm::Value => *error == SendError::Encode(PayloadError::TooLong { max: MAX_PAYLOAD }),
        _ => false,
    }
}

impl Driver {
    fn line(&self, via: Via) -> Option<Line> {
        let sender = |index| {
            let (sender, owner) = &self.senders[pick(index, self.senders.len())?];
            Some(Line::Sender(Rc::clone(sender), *owner))
        };
        let bus = || self.bus.clone().map(Line::Bus);
        match via {
            Via::Bus => bus().or_else(|| sender(0)),
            Via::Sender(index) => sender(index).or_else(bus),
        }
    }

    /// Lower-case letters, different for each message.
    fn payload(&mut self, len: usize) -> Vec<u8> {
        self.payloads += 1;
        let mut word = self.payloads;
        let next = |_| {
            // Knuth's multiplier: neighbours in number or place differ.
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            b'a' + ((word >> 33) % 26) as u8
        };
        (0..len).map(next).collect()
    }

    pub(super) fn send(
        &mut self,
        via: Via,
        form: SendForm,
        class: Class,
        len: usize,
    ) -> Result<(), Mismatch> {
        let Some(line) = self.line(via) else { return Ok(()) };
        let bytes = self.payload(len);
        let mut outcomes = self.model.judge(class, len, line.owner(), None);
        let result = line.send(form, class, &bytes);
        if matches!(form, SendForm::Format | SendForm::Value) && outcomes.too_long {
            // Both make bytes of it only if somebody wants it, and each has its own words.
            if result.as_ref().is_err_and(|error| too_long_in(form, error)) {
                self.totals.errors += 1;
                return Ok(());
            }
            let (masks, retained, keyed) = self.model.interest();
            outcomes.unwanted = !(masks | retained).intersects(class) && !class.is_empty();
            outcomes.too_long = (masks | retained | keyed).intersects(class);
        }
        if let (SendForm::From, Line::Sender(..), Ok(Sent::Queued(number))) = (form, &line, &result)
        {
            self.totals.from_elsewhere.insert(*number);
        }
        self.settle(class, bytes, line.owner(), None, outcomes, result)
    }

    pub(super) fn send_many(
        &mut self,
        via: Via,
        class: Class,
        len: usize,
        count: u16,
    ) -> Result<(), Mismatch> {
        // Nothing changes between them but by being queued; a few refusals say what many would.
        let mut refusals = 0;
        for _ in 0..count {
            let next = self.model.next;
            self.send(via, SendForm::Plain, class, len)?;
            refusals += u32::from(self.model.next == next);
            if refusals == 3 {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn retained_send(&mut self, entry: u8, len: usize) -> Result<(), Mismatch> {
        let Some(index) = pick(entry, self.retained.len()) else { return Ok(()) };
        let bytes = self.payload(len);
        let (entry, id) = &self.retained[index];
        let (class, id) = (entry.class(), *id);
        let outcomes = self.model.judge(class, len, None, Some(id));
        let result = entry.send(&bytes);
        self.settle(class, bytes, None, Some(id), outcomes, result)
    }

    fn settle(
        &mut self,
        class: Class,
        bytes: Vec<u8>,
        owner: Option<u64>,
        entry: Option<u64>,
        outcomes: Outcomes,
        result: Result<Sent, SendError>,
    ) -> Result<(), Mismatch> {
        if !outcomes.allow(&result, self.model.next, bytes.len()) {
            let next = self.model.next;
            let text = format!("a send came to {result:?} with {next} next, expected {outcomes:?}");
            return Err(text.into());
        }
        match result {
            Ok(Sent::Queued(_)) => {
                self.coverage.queued += 1;
                self.coverage.bytes += bytes.len() as u64;
                let stamp = self.model.stamp();
                self.model.accept(class, bytes, owner, entry, stamp);
            }
            Ok(Sent::Unwanted) => {
                self.coverage.unwanted += 1;
                self.totals.unwanted += 1;
            }
            Err(error) => {
                self.totals.errors += 1;
                if matches!(error, SendError::Full(_)) {
                    self.coverage.full += 1;
                    self.totals.full += 1;
                }
            }
        }
        Ok(())
    }

    pub(super) fn send_batch(
        &mut self,
        sender: u8,
        messages: &[(Class, u16)],
    ) -> Result<(), Mismatch> {
        let Some(index) = pick(sender, self.senders.len()) else { return Ok(()) };
        let (sender, owner) = (Rc::clone(&self.senders[index].0), self.senders[index].1);
        let payloads: Vec<_> =
            messages.iter().map(|(class, len)| (*class, self.payload((*len).into()))).collect();
        let outgoing: Vec<_> =
            payloads.iter().map(|(class, bytes)| Outgoing::new(*class, bytes)).collect();
        // What is of one class and one of these lengths goes the way that is for it.
        let outcome = equal::<0>(&sender, &outgoing)
            .or_else(|| equal::<8>(&sender, &outgoing))
            .or_else(|| equal::<{ MAX_PAYLOAD + 1 }>(&sender, &outgoing))
            .unwrap_or_else(|| sender.send_batch(&outgoing));
        let (error, done, sent) = match outcome {
            Ok(sent) => (None, messages.len(), sent),
            Err(BatchError { error, done, sent, .. }) => (Some(error), done, sent),
        };
        let invalid = payloads
            .iter()
            .position(|(class, bytes)| class.is_empty() || bytes.len() > MAX_PAYLOAD);
        let mut expected = BatchSent::default();
        let stamp = self.model.stamp();
        for (position, (class, bytes)) in payloads.into_iter().enumerate() {
            let outcomes = self.model.judge(class, bytes.len(), owner, None);
            if position == done {
                let given = error.map_or(Ok(Sent::Unwanted), Err);
                // A batch may be looked over before its first message is sent.
                let early = done == 0
                    && invalid.is_some()
                    && matches!(error, Some(SendError::TooLong { .. } | SendError::EmptyClass));
                if !early && !outcomes.allow(&given, self.model.next, bytes.len()) {
                    let text = format!("a batch stopped at {done}, {error:?}: {outcomes:?}");
                    return Err(text.into());
                }
                break;
            }
            let next = self.model.next;
            // Where both are possible, the count that came back decides in the end.
            if outcomes.queued && !(outcomes.unwanted && expected.queued == sent.queued) {
                expected.queued += 1;
                expected.first = expected.first.or(Some(next));
                expected.last = Some(next);
                self.coverage.queued += 1;
                self.model.accept(class, bytes, owner, None, Rc::clone(&stamp));
            } else if outcomes.unwanted {
                expected.unwanted += 1;
                self.totals.unwanted += 1;
            } else {
                let text = format!("a batch got past {position}, expected {outcomes:?}");
                return Err(text.into());
            }
        }
        if error.is_some() {
            self.totals.errors += 1;
            self.totals.full += u64::from(matches!(error, Some(SendError::Full(_))));
        }
        if (sent.queued, sent.unwanted, sent.first, sent.last)
            != (expected.queued, expected.unwanted, expected.first, expected.last)
        {
            return Err(format!("a batch came to {sent:?}, expected {expected:?}").into());
        }
        Ok(())
    }

    pub(super) fn draft(
        &mut self,
        via: Via,
        class: Class,
        len: usize,
        truncate: Option<u16>,
        between: &[Op],
        finish: Finish,
    ) -> Result<(), Mismatch> {
        let Some(line) = self.line(via) else { return Ok(()) };
        let mut outcomes = self.model.judge(class, len, line.owner(), None);
        // Room is asked for by the send, not by the allocation.
        outcomes.queued |= outcomes.full;
        outcomes.full = false;
        let next = self.model.next;
        let mut draft = match line.alloc(class, len) {
            Ok(Some(draft)) if outcomes.queued => draft,
            Ok(None) if outcomes.unwanted => {
                self.totals.allocs_unwanted += 1;
                return Ok(());
            }
            Err(error) if outcomes.allow(&Err(error), next, len) => return Ok(()),
            other => return Err(format!("alloc: {other:?}, expected {outcomes:?}").into()),
        };
        if draft.class() != class || draft.len() != len || draft.iter().any(|byte| *byte != 0) {
            return Err(format!("a draft of {len} bytes came as {draft:?}").into());
        }
        self.drafts += 1;
        for op in between {
            self.step(op)?;
        }
        self.drafts -= 1;
        let mut bytes = self.payload(len);
        draft.copy_from_slice(&bytes);
        if let Some(shorter) = truncate {
            draft.truncate(shorter.into());
            bytes.truncate(shorter.into());
        }
        match finish {
            Finish::Drop => {
                let _unsent = draft;
            }
            Finish::Forget => {
                let _leaked = std::mem::ManuallyDrop::new(draft);
            }
            Finish::Send => {
                let owner = line.owner();
                let outcomes = self.model.judge(class, bytes.len(), owner, None);
                let result = match draft.send() {
                    Ok(sent) => Ok(sent),
                    Err(back) if back.draft[..] == bytes[..] => Err(back.error),
                    Err(back) => return Err(format!("not the same draft back: {back:?}").into()),
                };
                return self.settle(class, bytes, owner, None, outcomes, result);
            }
        }
        Ok(())
    }
}

/// Sends a batch by `send_equal`, if it is one of messages of `LEN` bytes and one class.
fn equal<const LEN: usize>(
    sender: &Sender,
    messages: &[Outgoing<'_>],
) -> Option<Result<BatchSent, BatchError>> {
    let class = messages.first()?.class;
    let payloads: Option<Vec<[u8; LEN]>> = messages
        .iter()
        .map(|message| (message.class == class).then(|| message.payload.try_into().ok()).flatten())
        .collect();
    Some(sender.send_equal(class, &payloads?))
}
