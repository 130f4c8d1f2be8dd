//! Which message has which number: from what senders were told, and what receivers saw.

use super::interest::Interest;
use super::{Clause, Verdict, Violation, refuse};
use crate::history::event::{Batch, Delivery, Event, Got, History, Outcome, Span, What};
use smd_lockfree::Class;
use std::collections::HashMap;

/// One accepted message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    /// Index of the send.
    pub(super) event: usize,
    /// The call; it ends early if somebody saw the message earlier.
    pub(super) span: Span,
    /// The bus's clock around the call.
    pub(super) clock: Span,
    /// `None`: one of a batch, and nobody can tell which.
    pub(super) class: Option<Class>,
    pub(super) owner: Option<u32>,
    pub(super) entry: Option<u32>,
    /// As receivers saw it, and the first of them.
    pub(super) nanos: Option<(u64, usize)>,
}

/// All accepted messages.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// Number n is at n - 1.
    pub(super) all: Vec<Message>,
    /// When all sends up to a number had returned, by number.
    complete: Vec<u64>,
    /// The latest call up to a number, and the first return from a number on, by number.
    latest_calls: Vec<u64>,
    first_returns: Vec<u64>,
    /// Calls of all sends of accepted messages, ascending.
    calls: Vec<u64>,
    /// Those that have no known class, ascending.
    pub(super) unknown: Vec<u64>,
}

/// Where a payload was sent: the event, and the place in a batch.
type Sent = HashMap<u64, (usize, Option<usize>)>;

struct Build<'h> {
    history: &'h History,
    slots: Vec<Option<Message>>,
    sent: Sent,
    /// Number of each payload that is known.
    numbers: HashMap<u64, u64>,
}

impl Messages {
    pub(super) fn new(history: &History, interest: &Interest<'_>) -> Result<Messages, Violation> {
        let mut build = Build::new(history);
        build.singles()?;
        build.deliveries()?;
        build.batches(interest)?;
        build.leftovers()?;
        let mut messages = Messages::default();
        for (index, slot) in build.slots.into_iter().enumerate() {
            let number = index + 1;
            let Some(message) = slot else {
                return refuse(Clause::G2, format!("number {number} is a hole"), &[]);
            };
            if message.class.is_none() {
                messages.unknown.push(number as u64);
            }
            messages.all.push(message);
        }
        messages.sweep();
        Ok(messages)
    }

    fn sweep(&mut self) {
        let mut latest = 0;
        for message in &self.all {
            latest = latest.max(message.span.ret);
            self.complete.push(latest);
        }
        let calls = self.all.iter().map(|message| message.span.call);
        self.latest_calls = calls
            .scan(0, |latest: &mut u64, call| {
                *latest = call.max(*latest);
                Some(*latest)
            })
            .collect();
        let rets = self.all.iter().rev().map(|message| message.span.ret);
        self.first_returns = rets
            .scan(u64::MAX, |first: &mut u64, ret| {
                *first = ret.min(*first);
                Some(*first)
            })
            .collect();
        self.first_returns.reverse();
        self.calls = self.all.iter().map(|message| message.span.call).collect();
        self.calls.sort_unstable();
    }

    pub(super) fn get(&self, number: u64) -> Option<&Message> {
        self.all.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    /// The number up to which every send was over at a moment.
    pub(super) fn complete_at(&self, stamp: u64) -> u64 {
        self.complete.partition_point(|complete| *complete < stamp) as u64
    }

    /// The last number of all whose sends were over at a moment.
    pub(super) fn last_before(&self, stamp: u64) -> u64 {
        let over = self.all.iter().rposition(|message| message.span.ret < stamp);
        over.map_or(0, |index| index as u64 + 1)
    }

    /// When the latest send below a number was called.
    pub(super) fn latest_call_below(&self, number: u64) -> u64 {
        let below = usize::try_from(number - 1).unwrap_or(usize::MAX).min(self.all.len());
        below.checked_sub(1).map_or(0, |last| self.latest_calls[last])
    }

    /// When the first send of a number or a later one was over.
    pub(super) fn first_return_from(&self, number: u64) -> u64 {
        let at = usize::try_from(number - 1).unwrap_or(usize::MAX);
        self.first_returns.get(at).copied().unwrap_or(u64::MAX)
    }

    /// How many may have been claimed before a moment.
    pub(super) fn claimed_before(&self, stamp: u64) -> u64 {
        self.calls.partition_point(|call| *call < stamp) as u64
    }
}

impl<'h> Build<'h> {
    fn new(history: &'h History) -> Build<'h> {
        let mut sent = Sent::new();
        for (index, event) in history.events.iter().enumerate() {
            match &event.what {
                What::Send(sending) => drop(sent.insert(sending.payload, (index, None))),
                What::Batch(batch) => {
                    let payloads = batch.messages.iter().enumerate();
                    sent.extend(payloads.map(|(at, (_, id))| (*id, (index, Some(at)))));
                }
                _ => {}
            }
        }
        Build { history, slots: Vec::new(), sent, numbers: HashMap::new() }
    }

    fn event(&self, index: usize) -> &'h Event {
        &self.history.events[index]
    }

    fn place(&mut self, number: u64, event: usize, class: Option<Class>) -> Verdict {
        let (owner, entry) = match &self.event(event).what {
            What::Send(sending) => (sending.owner, sending.entry),
            What::Batch(batch) => (batch.owner, None),
            _ => (None, None),
        };
        let at = number.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        let Some(at) = at.filter(|at| *at <= self.history.events.len() * 64) else {
            return refuse(Clause::G2, format!("number {number} is none"), &[self.event(event)]);
        };
        if self.slots.len() <= at {
            self.slots.resize(at + 1, None);
        }
        if let Some(other) = self.slots[at] {
            let events = [self.event(other.event), self.event(event)];
            return refuse(Clause::G2, format!("number {number} was given twice"), &events);
        }
        let (span, clock) = (self.event(event).span, self.event(event).clock);
        self.slots[at] = Some(Message { event, span, clock, class, owner, entry, nanos: None });
        Ok(())
    }

    /// What senders were told of one message.
    fn singles(&mut self) -> Verdict {
        for (index, event) in self.history.events.iter().enumerate() {
            if let What::Send(sending) = &event.what
                && let Outcome::Queued(number) = sending.outcome
            {
                self.place(number, index, Some(sending.class))?;
                self.numbers.insert(sending.payload, number);
            }
        }
        Ok(())
    }

    /// What receivers saw: the same of each message, and what was sent.
    fn deliveries(&mut self) -> Verdict {
        for (index, event) in self.history.events.iter().enumerate() {
            if let What::Receive(receiving) = &event.what
                && let Got::Message(delivery) | Got::State(delivery) = &receiving.got
            {
                self.delivery(index, delivery, receiving.seen)?;
            }
        }
        Ok(())
    }

    fn delivery(&mut self, index: usize, delivery: &Delivery, seen: u64) -> Verdict {
        let event = self.event(index);
        let Some(&(source, at)) = self.sent.get(&delivery.payload) else {
            let text = format!("number {} was never sent as it came", delivery.number);
            return refuse(Clause::G1, text, &[event]);
        };
        let from = self.event(source);
        let number = match self.numbers.get(&delivery.payload) {
            Some(number) => *number,
            None => {
                self.delivered_of_batch(source, at, delivery, event)?;
                delivery.number
            }
        };
        let slot = usize::try_from(number - 1).ok().and_then(|slot| self.slots[slot].as_mut());
        let Some(message) = slot.filter(|_| number == delivery.number) else {
            let text = format!("message {number} came with number {}", delivery.number);
            return refuse(Clause::G2, text, &[from, event]);
        };
        if message.class != Some(delivery.class) {
            return refuse(Clause::G1, format!("message {number} changed"), &[from, event]);
        }
        if seen < message.span.call {
            let text = format!("message {number} came before it was sent");
            return refuse(Clause::G2, text, &[from, event]);
        }
        message.span.ret = message.span.ret.min(seen);
        let (nanos, first) = *message.nanos.get_or_insert((delivery.nanos, index));
        if nanos != delivery.nanos {
            let events = [self.event(first), event];
            return refuse(Clause::G2, format!("message {number} has two timestamps"), &events);
        }
        Ok(())
    }

    /// A message of a batch tells its number when somebody receives it.
    fn delivered_of_batch(
        &mut self,
        source: usize,
        at: Option<usize>,
        delivery: &Delivery,
        event: &'h Event,
    ) -> Verdict {
        let (from, number) = (self.event(source), delivery.number);
        let What::Batch(batch) = &from.what else {
            let text = format!("number {number} came, but was not accepted");
            return refuse(Clause::G1, text, &[from, event]);
        };
        let handled = at.is_some_and(|at| at < batch.queued + batch.unwanted);
        let within = batch.range.is_some_and(|(first, last)| (first..=last).contains(&number));
        if !handled || !within {
            let text = format!("number {number} came, but was not accepted so");
            return refuse(Clause::G1, text, &[from, event]);
        }
        self.place(number, source, at.map(|at| batch.messages[at].0))?;
        self.numbers.insert(delivery.payload, number);
        Ok(())
    }

    /// What nobody received of batches, where only one way is left.
    fn batches(&mut self, interest: &Interest<'_>) -> Verdict {
        for (index, event) in self.history.events.iter().enumerate() {
            if let What::Batch(batch) = &event.what {
                self.batch(index, event, batch, interest)?;
            }
        }
        Ok(())
    }

    fn batch(
        &mut self,
        index: usize,
        event: &Event,
        batch: &Batch,
        interest: &Interest<'_>,
    ) -> Verdict {
        let Some((first, last)) = batch.range.filter(|_| batch.queued > 0) else { return Ok(()) };
        let handled = &batch.messages[..(batch.queued + batch.unwanted).min(batch.messages.len())];
        let known: Vec<u64> =
            handled.iter().filter_map(|(_, id)| self.numbers.get(id).copied()).collect();
        if known.windows(2).any(|pair| pair[0] >= pair[1]) {
            return refuse(Clause::G2, "a batch changed its order".to_owned(), &[event]);
        }
        let free: Vec<u64> = (first..=last).filter(|number| self.is_free(*number)).collect();
        let needed = batch.queued.saturating_sub(known.len());
        if free.len() < needed || known.len() > batch.queued {
            let text = format!("a batch of {} has other numbers than it says", batch.queued);
            return refuse(Clause::G2, text, &[event]);
        }
        if free.len() > needed {
            // Another batch has some of them: see `leftovers`.
            return Ok(());
        }
        let open = handled.iter().filter(|(_, id)| !self.numbers.contains_key(id));
        let may = open.clone().filter(|(class, _)| !interest.never(*class, event.span));
        let must = open.clone().filter(|(class, _)| interest.always(*class, event.span));
        let ways = [may.copied().collect::<Vec<_>>(), must.copied().collect()];
        let sure = ways.into_iter().find(|way| way.len() == needed);
        for (at, number) in free.iter().enumerate() {
            let message = sure.as_ref().map(|way| way[at]);
            self.place(*number, index, message.map(|(class, _)| class))?;
            self.numbers.extend(message.map(|(_, id)| (id, *number)));
        }
        Ok(())
    }

    fn is_free(&self, number: u64) -> bool {
        let slot = usize::try_from(number - 1).ok().and_then(|at| self.slots.get(at));
        slot.is_none_or(Option::is_none)
    }

    /// Numbers between those of batches that stood in each other's way and that nobody received:
    /// each goes to the batch that ends first.
    fn leftovers(&mut self) -> Verdict {
        let mut open = self.open_batches();
        let Some(end) = open.iter().map(|open| open.last).max() else { return Ok(()) };
        let start = open.iter().map(|open| open.first).min().unwrap_or(end);
        for number in start..=end {
            if !self.is_free(number) {
                continue;
            }
            let fits = |open: &&mut Open| (open.first..=open.last).contains(&number);
            let around = open.iter_mut().filter(fits).map(|open| open.span);
            let hull =
                around.reduce(|a, b| Span { call: a.call.min(b.call), ret: a.ret.max(b.ret) });
            let next = open.iter_mut().filter(fits).filter(|open| open.needed > 0);
            let Some(next) = next.min_by_key(|open| open.last) else { continue };
            next.needed -= 1;
            self.place(number, next.event, None)?;
            if let (Some(message), Some(hull)) = (&mut self.slots[number as usize - 1], hull) {
                message.span = hull;
            }
        }
        match open.iter().find(|open| open.needed > 0) {
            Some(open) => {
                let text = format!("a batch lacks {} numbers", open.needed);
                refuse(Clause::G2, text, &[self.event(open.event)])
            }
            None => Ok(()),
        }
    }

    /// Batches of which not every number is known.
    fn open_batches(&self) -> Vec<Open> {
        let mut placed: HashMap<usize, usize> = HashMap::new();
        for message in self.slots.iter().flatten() {
            *placed.entry(message.event).or_default() += 1;
        }
        let batches = self.history.events.iter().enumerate().filter_map(|(event, what)| {
            let What::Batch(batch) = &what.what else { return None };
            let (first, last) = batch.range?;
            let placed = placed.get(&event).copied().unwrap_or_default();
            let needed = batch.queued.saturating_sub(placed);
            Some(Open { event, first, last, needed, span: what.span })
        });
        batches.filter(|open| open.needed > 0).collect()
    }
}

/// A batch of which some numbers are not known.
#[derive(Debug)]
struct Open {
    event: usize,
    first: u64,
    last: u64,
    needed: usize,
    span: Span,
}
