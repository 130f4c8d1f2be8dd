//! Retained state (G10): what an entry holds at a number, and what a participant is owed of it.

use super::member::Member;
use super::messages::{Message, Messages};
use crate::history::event::{History, Span, What};
use smd_lockfree::Class;
use std::collections::VecDeque;

/// A retained class, or a key in one.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: u32,
    pub(super) class: Class,
    pub(super) keyed: bool,
    /// The call that marked it.
    pub(super) born: Span,
    /// The call that cleared it.
    pub(super) cleared: Option<Span>,
}

pub(super) fn collect(history: &History) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for event in &history.events {
        match &event.what {
            What::Retain(of) => {
                let (id, class, keyed) = (of.entry, of.class, of.keyed);
                // One that was refused at last, as the bus closed, may have been there meanwhile.
                let ret = if of.done { event.span.ret } else { u64::MAX };
                let born = Span { ret, ..event.span };
                entries.push(Entry { id, class, keyed, born, cleared: None });
            }
            What::Clear(id) => {
                if let Some(entry) = entries.iter_mut().find(|entry| entry.id == *id) {
                    entry.cleared = Some(event.span);
                }
            }
            _ => {}
        }
    }
    entries
}

/// Whether something happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Chance {
    Surely,
    Perhaps,
    Never,
}

impl Entry {
    /// Whether a message was kept for it, at its number.
    fn keeps(&self, message: &Message) -> Chance {
        if self.keyed {
            // Sent through the entry's handle, so it was there.
            return if message.entry == Some(self.id) { Chance::Surely } else { Chance::Never };
        }
        let over = self.cleared.is_some_and(|cleared| cleared.before(message.span));
        match message.class {
            Some(class) if !class.intersects(self.class) => Chance::Never,
            _ if over || message.span.before(self.born) => Chance::Never,
            Some(_) if self.born.before(message.span) => Chance::Surely,
            _ => Chance::Perhaps,
        }
    }

    /// Whether it was there at number `since`, from which a call holds. Numbers of messages tell
    /// more than the times of the calls: who sent below it after a call had returned.
    fn there(&self, since: u64, span: Span, messages: &Messages) -> Chance {
        let (below, from) = (messages.latest_call_below(since), messages.first_return_from(since));
        let surely_before = |of: Span| of.before(span) || of.ret < below;
        let surely_behind = |of: Span| span.before(of) || from < of.call;
        if self.cleared.is_some_and(surely_before) || surely_behind(self.born) {
            return Chance::Never;
        }
        let sure = surely_before(self.born) && self.cleared.is_none_or(surely_behind);
        if sure { Chance::Surely } else { Chance::Perhaps }
    }
}

/// All entries, each with the numbers that may have been kept for it.
#[derive(Debug)]
pub(super) struct Entries {
    all: Vec<(Entry, Vec<(u64, Chance)>)>,
}

/// One retained message that a participant is owed, or may get.
#[derive(Debug)]
struct Item {
    number: u64,
    /// The classes of each entry that it was kept for, and whether it must come for that one.
    entries: Vec<(Class, bool)>,
}

impl Item {
    /// Whether it must come.
    fn is_sure(&self) -> bool {
        self.entries.iter().any(|(_, sure)| *sure)
    }
}

/// What is due right before the first live message from `since` on.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) since: u64,
    items: VecDeque<Item>,
}

impl Entries {
    pub(super) fn new(entries: Vec<Entry>, messages: &Messages) -> Entries {
        let all = entries.into_iter().map(|entry| {
            let kept = messages.all.iter().zip(1_u64..);
            let kept = kept.map(|(message, number)| (number, entry.keeps(message)));
            let kept = kept.filter(|(_, chance)| *chance != Chance::Never).collect();
            (entry, kept)
        });
        Entries { all: all.collect() }
    }

    /// What a registration or a widening at `since`, made in `span`, is handed for classes that are
    /// fresh in the mask.
    pub(super) fn gather(
        &self,
        member: &Member<'_>,
        fresh: Class,
        since: u64,
        span: Span,
        had: impl Fn(u64) -> bool,
        messages: &Messages,
    ) -> Group {
        let mut items: Vec<Item> = Vec::new();
        for (entry, kept) in self.all.iter().filter(|(entry, _)| entry.class.intersects(fresh)) {
            let there = entry.there(since, span, messages);
            if there == Chance::Never {
                continue;
            }
            let below = &kept[..kept.partition_point(|(number, _)| *number < since)];
            let newest_sure = below.iter().rposition(|(_, chance)| *chance == Chance::Surely);
            let possible = &below[newest_sure.unwrap_or(0)..];
            let one = possible.len() == 1 && newest_sure.is_some();
            for (number, _) in possible {
                let owner = messages.get(*number).and_then(|message| message.owner);
                let fresh = !had(*number) && !member.excludes(owner);
                let sure = one && there == Chance::Surely && fresh;
                add(&mut items, *number, entry.class, sure);
            }
        }
        items.sort_by_key(|item| item.number);
        Group { since, items: items.into() }
    }
}

/// A message that was kept for several entries is handed over once.
fn add(items: &mut Vec<Item>, number: u64, entry: Class, sure: bool) {
    match items.iter_mut().find(|known| known.number == number) {
        Some(known) => known.entries.push((entry, sure)),
        None => items.push(Item { number, entries: vec![(entry, sure)] }),
    }
}

impl Group {
    /// How many must come.
    pub(super) fn due(&self) -> u64 {
        self.items.iter().filter(|item| item.is_sure()).count() as u64
    }

    /// The first that must come.
    pub(super) fn first_due(&self) -> Option<u64> {
        self.items.iter().find(|item| item.is_sure()).map(|item| item.number)
    }

    pub(super) fn has(&self, number: u64) -> bool {
        self.items.iter().any(|item| item.number == number)
    }

    /// Takes everything up to a number; the first that should have come before it.
    pub(super) fn take(&mut self, number: u64) -> Option<u64> {
        let skipped = self.first_due().filter(|due| *due < number);
        self.items.retain(|item| item.number > number);
        skipped
    }

    /// Gives up what was kept for classes that a mask no longer has: also what is of another class
    /// that it has.
    pub(super) fn narrow(&mut self, mask: Class) {
        self.items.retain_mut(|item| {
            item.entries.iter_mut().for_each(|(class, _)| *class = *class & mask);
            item.entries.retain(|(class, _)| !class.is_empty());
            !item.entries.is_empty()
        });
    }
}
