//! What was wanted when (G4): for each set of classes, the stretches of time in which somebody surely
//! wanted one of them, and those in which somebody may have.

use super::member::Member;
use super::state::Entry;
use super::{Clause, Verdict, refuse};
use crate::history::event::{Batch, Event, History, Outcome, Sending, Span, What};
use smd_lockfree::Class;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Stretches, ascending, that neither meet nor touch.
#[derive(Debug, Default)]
struct Stretches(Vec<Span>);

impl Stretches {
    fn new(mut all: Vec<Span>) -> Stretches {
        all.retain(|span| span.call < span.ret);
        all.sort_by_key(|span| span.call);
        let mut merged: Vec<Span> = Vec::new();
        for span in all {
            match merged.last_mut().filter(|last| span.call <= last.ret) {
                Some(last) => last.ret = last.ret.max(span.ret),
                None => merged.push(span),
            }
        }
        Stretches(merged)
    }

    /// The last that begins before the end of `span`.
    fn near(&self, span: Span) -> Option<Span> {
        let behind = self.0.partition_point(|stretch| stretch.call < span.ret);
        behind.checked_sub(1).map(|index| self.0[index])
    }

    fn covers(&self, span: Span) -> bool {
        self.near(span).is_some_and(|near| near.call < span.call && span.ret < near.ret)
    }

    fn meets(&self, span: Span) -> bool {
        self.near(span).is_some_and(|near| near.ret > span.call)
    }
}

#[derive(Debug)]
struct Wanted {
    surely: Stretches,
    perhaps: Stretches,
}

/// All that was wanted.
#[derive(Debug)]
pub(super) struct Interest<'h> {
    members: &'h [Member<'h>],
    /// What the bus wants by itself, and what calls that were refused at last may have wanted.
    entries: Vec<(Class, bool, u32, Span, Span)>,
    /// By the classes of a message; there are few different ones.
    known: RefCell<HashMap<u32, Rc<Wanted>>>,
}

/// From the return of the call that began it to the call that ended it, and the other way round.
fn stretch(born: Span, ended: Option<Span>) -> (Span, Span) {
    let surely = Span { call: born.ret, ret: ended.map_or(u64::MAX, |ended| ended.call) };
    let perhaps = Span { call: born.call, ret: ended.map_or(u64::MAX, |ended| ended.ret) };
    (surely, perhaps)
}

/// A call that was refused because the bus closed, or its participant left, while it was made.
fn attempt(event: &Event) -> Option<(Class, bool, u32, Span, Span)> {
    let class = match &event.what {
        What::Register(of) if of.number.is_none() => of.mask,
        What::Mask(of) if of.number.is_none() => of.mask,
        _ => return None,
    };
    Some((class, true, u32::MAX, Span { call: 0, ret: 0 }, event.span))
}

impl<'h> Interest<'h> {
    pub(super) fn new(
        history: &History,
        members: &'h [Member<'h>],
        entries: &[Entry],
    ) -> Interest<'h> {
        let entries = entries.iter().map(|entry| {
            let (surely, perhaps) = stretch(entry.born, entry.cleared);
            (entry.class, entry.keyed, entry.id, surely, perhaps)
        });
        let entries = entries.chain(history.events.iter().filter_map(attempt)).collect();
        Interest { members, entries, known: RefCell::default() }
    }

    fn wanted(&self, class: Class) -> Rc<Wanted> {
        let known = self.known.borrow().get(&class.bits()).map(Rc::clone);
        known.unwrap_or_else(|| {
            let new = Rc::new(self.gather(class));
            self.known.borrow_mut().insert(class.bits(), Rc::clone(&new));
            new
        })
    }

    fn gather(&self, class: Class) -> Wanted {
        let (mut surely, mut perhaps) = (Vec::new(), Vec::new());
        for member in self.members {
            let mut began = None;
            let left = member.departure.map(|departure| departure.span);
            let ends = member.masks.iter().skip(1).map(|next| Some(next.span)).chain([left]);
            for (mask, end) in member.masks.iter().zip(ends) {
                let wants = mask.mask.intersects(class);
                if wants && began.is_none() {
                    began = Some(mask.span);
                }
                // From mask to mask it goes in one step, so what both want is wanted in between.
                let next = member.masks.iter().find(|other| Some(other.span) == end);
                let goes_on = next.is_some_and(|next| next.mask.intersects(class));
                if let Some(born) = began.filter(|_| !goes_on) {
                    let (sure, maybe) = stretch(born, end);
                    surely.push(sure);
                    perhaps.push(maybe);
                    began = None;
                }
            }
        }
        for (_, keyed, _, sure, maybe) in
            self.entries.iter().filter(|(of, ..)| of.intersects(class))
        {
            // Of keys alone it is not said whether the bus wants other messages of the class.
            surely.extend((!keyed).then_some(*sure));
            perhaps.push(*maybe);
        }
        Wanted { surely: Stretches::new(surely), perhaps: Stretches::new(perhaps) }
    }

    /// Whether nobody can have wanted it at any moment of the call.
    pub(super) fn never(&self, class: Class, span: Span) -> bool {
        !self.wanted(class).perhaps.meets(span)
    }

    /// Whether somebody wanted it at each moment of the call.
    pub(super) fn always(&self, class: Class, span: Span) -> bool {
        self.wanted(class).surely.covers(span)
    }

    fn own_entry(&self, sending: &Sending, span: Span) -> bool {
        let of = |(_, _, id, ..): &&(Class, bool, u32, Span, Span)| Some(*id) == sending.entry;
        self.entries
            .iter()
            .find(of)
            .is_some_and(|(.., surely, _)| surely.call < span.call && span.ret < surely.ret)
    }

    /// Each send against what was wanted.
    pub(super) fn check(&self, history: &History) -> Verdict {
        for event in &history.events {
            match &event.what {
                What::Send(sending) => self.check_send(event, sending)?,
                What::Batch(batch) => self.check_batch(event, batch)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn check_send(&self, event: &Event, sending: &Sending) -> Verdict {
        let (class, span) = (sending.class, event.span);
        match sending.outcome {
            Outcome::Unwanted if self.always(class, span) || self.own_entry(sending, span) => {
                let text = format!("unwanted, though {class} was wanted throughout");
                refuse(Clause::G4, text, &[event])
            }
            Outcome::Queued(_) | Outcome::Allocated | Outcome::Full | Outcome::Stalled
                if self.never(class, span) =>
            {
                let text = format!("nobody wanted {class} at any moment of it");
                refuse(Clause::G4, text, &[event])
            }
            _ => Ok(()),
        }
    }

    fn check_batch(&self, event: &Event, batch: &Batch) -> Verdict {
        let done = batch.queued + batch.unwanted;
        let handled = &batch.messages[..done.min(batch.messages.len())];
        let of = |test: &dyn Fn(Class) -> bool| handled.iter().filter(|(c, _)| test(*c)).count();
        let must = of(&|class| self.always(class, event.span));
        let cannot = of(&|class| self.never(class, event.span));
        if batch.queued < must || batch.unwanted < cannot {
            let text = format!("of a batch {must} were wanted throughout, and {cannot} never");
            return refuse(Clause::G4, text, &[event]);
        }
        Ok(())
    }
}
