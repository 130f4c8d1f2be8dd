//! The order of numbers against real time (G2), and timestamps along it.
//!
//! Message n stands at place 2n. What holds from N on stands right before it, at 2N - 1; there may be
//! several of those at one place, in any order. A call that was over before another began must not
//! stand behind it.

use super::member::Member;
use super::messages::{Message, Messages};
use super::{Clause, Verdict, refuse};
use crate::history::event::{Event, History, Span, What};

/// What a touch of the log may add to the time of the next message, in nanoseconds; some calls
/// touch more than once.
const TOUCH: u64 = 8;

#[derive(Clone, Copy, Debug)]
struct Item {
    place: u64,
    span: Span,
    event: Option<usize>,
    clause: Clause,
}

pub(super) fn check(history: &History, members: &[Member<'_>], messages: &Messages) -> Verdict {
    let mut items: Vec<Item> = Vec::new();
    for (index, message) in messages.all.iter().enumerate().filter(|(_, m)| m.class.is_some()) {
        let place = 2 * (index as u64 + 1);
        let (span, event) = (message.span, Some(message.event));
        items.push(Item { place, span, event, clause: Clause::G2 });
    }
    items.extend(points(history));
    items.extend(members.iter().filter_map(departure));
    items.sort_by_key(|item| item.place);
    real_time(history, &items)?;
    timestamps(history, messages)
}

fn departure(member: &Member<'_>) -> Option<Item> {
    let departure = member.departure?;
    let place = departure.number?.checked_mul(2)?.checked_sub(1)?;
    Some(Item { place, span: departure.span, event: None, clause: Clause::G1 })
}

/// Registrations, changes of mask, the close.
fn points(history: &History) -> impl Iterator<Item = Item> + '_ {
    history.events.iter().enumerate().filter_map(|(index, event)| {
        let (number, clause) = match &event.what {
            What::Register(registering) => (registering.number?, Clause::G1),
            What::Mask(masking) => (masking.number?, Clause::G1),
            What::Close(number) => (*number, Clause::G12),
            _ => return None,
        };
        let place = number.checked_mul(2)?.checked_sub(1)?;
        Some(Item { place, span: event.span, event: Some(index), clause })
    })
}

/// One sweep: of all that stands before, the call that began last.
fn real_time(history: &History, items: &[Item]) -> Verdict {
    let mut latest: Option<Item> = None;
    for group in items.chunk_by(|one, other| one.place == other.place) {
        for item in group {
            let Some(before) = latest.filter(|before| item.span.before(before.span)) else {
                continue;
            };
            let text =
                format!("place {} was over before place {} was begun", item.place, before.place);
            let events: Vec<&Event> = [item, &before]
                .into_iter()
                .filter_map(|i| Some(&history.events[i.event?]))
                .collect();
            return refuse(item.clause.with_other(before.clause), text, &events);
        }
        let last = group.iter().max_by_key(|item| item.span.call);
        if last.is_some_and(|last| latest.is_none_or(|l| l.span.call < last.span.call)) {
            latest = last.copied();
        }
    }
    Ok(())
}

impl Clause {
    /// The clause of a pair: that of a point rather than that of a message, of the close first.
    fn with_other(self, other: Clause) -> Clause {
        match (self, other) {
            (Clause::G12, _) | (_, Clause::G12) => Clause::G12,
            (Clause::G1, _) | (_, Clause::G1) => Clause::G1,
            _ => Clause::G2,
        }
    }
}

fn timestamps(history: &History, messages: &Messages) -> Verdict {
    let touches = history.events.iter().filter(|event| touches(event)).count() as u64;
    let mut last: Option<(u64, usize)> = None;
    let mut latest_clock = 0;
    for (index, message) in messages.all.iter().enumerate() {
        latest_clock = latest_clock.max(message.clock.ret);
        let Some((nanos, receive)) = message.nanos else { continue };
        let events = |other: usize| [&history.events[other], &history.events[receive]];
        if let Some((before, other)) = last.filter(|(before, _)| *before > nanos) {
            let text = format!("timestamps go back at {}: {before} to {nanos}", index + 1);
            return refuse(Clause::G2, text, &events(other));
        }
        last = Some((nanos, receive));
        let bound = latest_clock + TOUCH * touches;
        if history.manual_clock && !(message.clock.call..=bound).contains(&nanos) {
            let text = format!("{} was stamped at a time when it was not sent", index + 1);
            return refuse(Clause::G2, text, &events(message.event));
        }
    }
    Ok(())
}

fn touches(event: &Event) -> bool {
    !matches!(event.what, What::Send(_) | What::Batch(_) | What::Receive(_))
}

impl Message {
    /// The time that it surely was not stamped before.
    pub(super) fn stamped_from(&self) -> u64 {
        self.nanos.map_or(self.clock.call, |(nanos, _)| nanos)
    }
}
