//! What may come before and after the close (G12), but for receives.

use super::messages::Messages;
use super::{Clause, Verdict, refuse};
use crate::history::event::{Event, History, Outcome, Span, What};

/// The close: its number; from the first call to the first return.
pub(super) fn find(history: &History) -> Option<(u64, Span)> {
    let mut closes = history.events.iter().filter_map(|event| match event.what {
        What::Close(number) => Some((number, event.span)),
        _ => None,
    });
    let first = closes.next()?;
    Some(closes.fold(first, |(number, all), (_, span)| {
        (number, Span { call: all.call.min(span.call), ret: all.ret.min(span.ret) })
    }))
}

pub(super) fn check(history: &History, messages: &Messages) -> Verdict {
    let close = find(history);
    for event in &history.events {
        check_event(event, close)?;
    }
    let Some((number, _)) = close else { return Ok(()) };
    if messages.all.len() as u64 + 1 != number {
        let text = format!("closed at {number}, and {} are accepted", messages.all.len());
        return refuse(Clause::G12, text, &[]);
    }
    Ok(())
}

fn check_event(event: &Event, close: Option<(u64, Span)>) -> Verdict {
    let (open, closed) = match &event.what {
        What::Send(sending) => of_outcome(sending.outcome),
        What::Batch(batch) => {
            let (open, closed) = batch.stopped.map_or((false, false), of_outcome);
            (open || batch.queued > 0, closed)
        }
        What::Register(registering) => both(registering.number.is_some()),
        What::Mask(masking) if masking.number.is_some() => (true, false),
        What::Retain(retaining) => both(retaining.done),
        What::Close(number) if close.is_some_and(|(first, _)| first != *number) => {
            return refuse(Clause::G12, "closed at two numbers".to_owned(), &[event]);
        }
        _ => return Ok(()),
    };
    if open && close.is_some_and(|(_, span)| span.before(event.span)) {
        return refuse(Clause::G12, "accepted after the close".to_owned(), &[event]);
    }
    if closed && close.is_none_or(|(_, span)| event.span.ret < span.call) {
        return refuse(Clause::G12, "closed before the close".to_owned(), &[event]);
    }
    Ok(())
}

fn both(done: bool) -> (bool, bool) {
    (done, !done)
}

/// Whether it shows an open bus, and whether a closed one; that nobody wants it shows neither.
fn of_outcome(outcome: Outcome) -> (bool, bool) {
    match outcome {
        Outcome::Unwanted => (false, false),
        outcome => both(outcome != Outcome::Closed),
    }
}
