//! Participants, as far as their calls alone tell.

use super::{Clause, Verdict, Violation, refuse};
use crate::history::event::{By, Event, Got, History, Leaving, Registering, Span, What};
use smd_lockfree::Class;
use std::collections::HashMap;

/// A mask, and how it came to hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mask {
    pub(super) mask: Class,
    pub(super) number: u64,
    pub(super) span: Span,
}

/// The departure that counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Departure {
    pub(super) number: Option<u64>,
    /// From the first call that asked for it to the return of the one that did it.
    pub(super) span: Span,
    by_handle: bool,
}

/// One participant.
#[derive(Debug)]
pub(super) struct Member<'h> {
    pub(super) id: u32,
    pub(super) choices: &'h Registering,
    /// The registration's, then each change's.
    pub(super) masks: Vec<Mask>,
    /// Calls that would have changed the mask, had it not left meanwhile.
    pub(super) refused: Vec<Span>,
    pub(super) departure: Option<Departure>,
    /// The last number that came to it, or was reported to it.
    pub(super) known: u64,
    /// Indices of its own calls after the registration, in order.
    pub(super) calls: Vec<usize>,
}

impl Member<'_> {
    /// The number from which it is registered.
    pub(super) fn since(&self) -> u64 {
        self.masks[0].number
    }

    /// The number from which it is not.
    pub(super) fn until(&self) -> u64 {
        self.departure.and_then(|departure| departure.number).unwrap_or(u64::MAX)
    }

    /// Whether it was registering or changing its mask at some moment of a call.
    pub(super) fn is_changing(&self, span: Span) -> bool {
        let masks = self.masks.iter().map(|mask| mask.span);
        masks.chain(self.refused.iter().copied()).any(|change| change.overlaps(span))
    }

    /// Whether `owner`'s messages are left out.
    pub(super) fn excludes(&self, owner: Option<u32>) -> bool {
        self.choices.exclude_own && owner == Some(self.id)
    }
}

/// All participants of a history.
pub(super) fn collect(history: &History) -> Result<Vec<Member<'_>>, Violation> {
    let mut members = Vec::new();
    let mut places = HashMap::new();
    for event in &history.events {
        if let What::Register(choices) = &event.what
            && let Some(number) = choices.number
        {
            let masks = vec![Mask { mask: choices.mask, number, span: event.span }];
            let id = choices.participant;
            places.insert(id, members.len());
            members.push(Member {
                id,
                choices,
                masks,
                refused: Vec::new(),
                departure: None,
                known: 0,
                calls: Vec::new(),
            });
        }
    }
    for (index, event) in history.events.iter().enumerate() {
        let id = match &event.what {
            What::Mask(masking) => masking.participant,
            What::Receive(receiving) => receiving.participant,
            What::Leave(leaving) => leaving.participant,
            _ => continue,
        };
        let Some(member) = places.get(&id).map(|place| &mut members[*place]) else {
            return refuse(Clause::G1, format!("{id} was never registered"), &[event]);
        };
        add(member, index, event)?;
    }
    Ok(members)
}

fn add(member: &mut Member<'_>, index: usize, event: &Event) -> Verdict {
    let span = event.span;
    match &event.what {
        What::Mask(masking) => {
            member.calls.push(index);
            match masking.number {
                Some(number) => member.masks.push(Mask { mask: masking.mask, number, span }),
                None => member.refused.push(span),
            }
        }
        What::Leave(leaving) => return depart(member, event, leaving),
        What::Receive(receiving) => {
            member.calls.push(index);
            let number = match receiving.got {
                Got::Message(delivery) => delivery.number,
                Got::Lag(lag) => lag.last,
                _ => 0,
            };
            member.known = member.known.max(number);
        }
        _ => {}
    }
    Ok(())
}

/// A handle that gives a number is the one that ended the registration; one that gives none did
/// nothing, and the participant's own call does not tell whether it came first.
fn depart(member: &mut Member<'_>, event: &Event, leaving: &Leaving) -> Verdict {
    let by_handle = leaving.by == By::Handle;
    if by_handle && leaving.number.is_none() {
        return Ok(());
    }
    let this = Departure { number: leaving.number, span: event.span, by_handle };
    let Some(other) = member.departure else {
        member.departure = Some(this);
        return Ok(());
    };
    if by_handle && other.by_handle {
        return refuse(Clause::G7, format!("{} left twice", member.id), &[event]);
    }
    let did = if by_handle { this } else { other };
    let call = this.span.call.min(other.span.call);
    member.departure = Some(Departure { span: Span { call, ret: did.span.ret }, ..did });
    Ok(())
}
