//! Refusals for want of room (G6), what departed participants no longer do (G7), and backlogs that
//! were let grow too long (G5).

use super::account::Account;
use super::member::Member;
use super::messages::Messages;
use super::{Clause, Verdict, refuse};
use crate::history::event::{Event, History, Outcome, Span, What};
use smd_lockfree::{Class, Policy};
use std::collections::HashMap;

pub(super) fn check(
    history: &History,
    members: &[Member<'_>],
    accounts: &[Account],
    messages: &Messages,
) -> Verdict {
    let attempts = history.events.iter().filter_map(|event| match &event.what {
        What::Register(of) if of.number.is_none() => Some((of.mask, event.span)),
        _ => None,
    });
    let attempts = attempts.collect();
    let room = Room { members, accounts, messages, attempts };
    let threads = Threads::new(history);
    for event in &history.events {
        let (class, outcome) = match &event.what {
            What::Send(sending) => (sending.class, sending.outcome),
            What::Batch(batch) => {
                let at = (batch.queued + batch.unwanted).min(batch.messages.len() - 1);
                let Some(stopped) = batch.stopped else { continue };
                (batch.messages[at].0, stopped)
            }
            _ => continue,
        };
        match outcome {
            Outcome::Full => room.full(class, event)?,
            Outcome::Stalled if !threads.busy(event) => {
                return refuse(Clause::G5, "stalled behind nobody".to_owned(), &[event]);
            }
            _ => {}
        }
    }
    members.iter().zip(accounts).try_for_each(|(m, a)| within_depth(history, m, a, messages))
}

struct Room<'a> {
    members: &'a [Member<'a>],
    accounts: &'a [Account],
    messages: &'a Messages,
    /// Registrations that were refused because the bus closed while they were made.
    attempts: Vec<(Class, Span)>,
}

impl Room<'_> {
    fn full(&self, class: Class, event: &Event) -> Verdict {
        let span = event.span;
        let all = || {
            let both = self.members.iter().zip(self.accounts);
            both.filter(|(member, _)| member.choices.policy == Policy::Backpressure)
        };
        let attempt = |(mask, of): &(Class, Span)| mask.intersects(class) && of.overlaps(span);
        if self.attempts.iter().any(attempt)
            || all().any(|(member, account)| self.refuses(member, account, class, span))
        {
            return Ok(());
        }
        let gone = |member: &Member<'_>| member.departure.filter(|left| left.span.before(span));
        let departed = all().find(|(member, account)| {
            gone(member).is_some()
                && wants(member, class, Span { call: 0, ret: span.ret })
                && self.is_full(member, account, span)
        });
        if let Some((member, _)) = departed {
            let text = format!("{} had left, and refuses all the same", member.id);
            return refuse(Clause::G7, text, &[event]);
        }
        refuse(Clause::G6, format!("full, though nobody of {class} was"), &[event])
    }

    fn refuses(&self, member: &Member<'_>, account: &Account, class: Class, span: Span) -> bool {
        let left = member.departure.is_some_and(|left| left.span.before(span));
        if left || !wants(member, class, span) {
            return false;
        }
        // While it registers or changes its mask, more may be counted than it will get.
        let changing = member.is_changing(span);
        changing || self.is_full(member, account, span)
    }

    fn is_full(&self, member: &Member<'_>, account: &Account, span: Span) -> bool {
        let most = account.at_most(span, self.messages) + self.messages.unknown.len() as u64;
        most >= u64::from(member.choices.depth)
    }
}

/// Whether it may have wanted a class at some moment of a call.
fn wants(member: &Member<'_>, class: Class, span: Span) -> bool {
    let behind = member.masks.iter().skip(1).map(|next| next.span.ret).chain([u64::MAX]);
    let mut masks = member.masks.iter().zip(behind);
    masks.any(|(mask, until)| {
        mask.mask.intersects(class) && mask.span.call < span.ret && span.call < until
    })
}

/// Under backpressure: when a message was claimed, all before it and itself had room. What expires
/// makes room at a moment that nobody can tell.
fn within_depth(
    history: &History,
    member: &Member<'_>,
    account: &Account,
    messages: &Messages,
) -> Verdict {
    if member.choices.policy != Policy::Backpressure || history.time_to_live.is_some() {
        return Ok(());
    }
    for number in &account.owed {
        let Some(message) = messages.get(*number) else { continue };
        // Between what a change gives up and its number, senders count what will be.
        let changing = member.is_changing(message.span);
        let leaving = member.departure.is_some_and(|left| left.span.call < message.span.ret);
        if changing || leaving {
            continue;
        }
        let waiting = account.rank(*number);
        let waiting = waiting.saturating_sub(account.perhaps_removed(message.span.ret));
        if waiting > u64::from(member.choices.depth) {
            let text = format!("{number} is the {waiting}th that waits for {}", member.id);
            return refuse(Clause::G5, text, &[&history.events[message.event]]);
        }
    }
    Ok(())
}

/// When each thread was inside a call.
struct Threads(HashMap<u32, Vec<Span>>);

impl Threads {
    fn new(history: &History) -> Threads {
        let mut threads: HashMap<u32, Vec<Span>> = HashMap::new();
        for event in &history.events {
            threads.entry(event.thread).or_default().push(event.span);
        }
        Threads(threads)
    }

    /// Whether another thread was inside one during this.
    fn busy(&self, event: &Event) -> bool {
        self.0.iter().filter(|(thread, _)| **thread != event.thread).any(|(_, spans)| {
            let begun = spans.partition_point(|span| span.call < event.span.ret);
            begun.checked_sub(1).is_some_and(|last| spans[last].ret > event.span.call)
        })
    }
}
