//! Retained messages that are to be handed to one participant: the kept ones of each registration
//! or widening, due right before the first live message from its number on.

use super::message::Accepted;
use smd_lockfree::Class;
use std::collections::VecDeque;
use std::rc::Rc;

/// One kept message on its way to a participant.
#[derive(Clone, Debug)]
struct Handed {
    message: Rc<Accepted>,
    /// The classes of the entries that it was kept for.
    entries: Class,
    /// Whether it must come; else it only may.
    sure: bool,
}

#[derive(Debug)]
struct Group {
    since: u64,
    items: VecDeque<Handed>,
}

/// What one participant has still to get of retained messages.
#[derive(Debug, Default)]
pub struct State {
    groups: Vec<Group>,
}

/// Kept messages of one registration or widening, gathered entry by entry.
#[derive(Debug, Default)]
pub struct Gather {
    items: Vec<Handed>,
}

impl Gather {
    /// Adds the message of an entry; one that was kept for several is handed over once.
    pub fn add(&mut self, message: &Rc<Accepted>, entry: Class, sure: bool) {
        match self.items.iter_mut().find(|item| item.message.number == message.number) {
            Some(item) => {
                item.entries |= entry;
                item.sure |= sure;
            }
            None => self.items.push(Handed { message: Rc::clone(message), entries: entry, sure }),
        }
    }

    /// The numbers of what was gathered.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.items.iter().map(|item| item.message.number)
    }
}

impl State {
    /// Owes what was gathered, before the first live message from `since` on.
    pub fn owe(&mut self, since: u64, gathered: Gather) {
        let mut items = gathered.items;
        items.sort_by_key(|item| item.message.number);
        if !items.is_empty() {
            self.groups.push(Group { since, items: items.into() });
        }
    }

    /// Whether something must come before the live message `number`, or at all.
    pub fn is_due_before(&self, number: Option<u64>) -> bool {
        let mut due = self.groups.iter().filter(|group| number.is_none_or(|n| group.since <= n));
        due.any(|group| group.items.iter().any(|item| item.sure))
    }

    /// The live message `number` was received, so what may have come before it will not any more.
    pub fn pass(&mut self, number: u64) {
        self.groups.retain(|group| group.since > number);
    }

    /// A retained message was received, while `live` was the first live one that must come.
    ///
    /// # Errors
    ///
    /// It is not owed, or not yet, or another one should have come first.
    pub fn deliver(&mut self, number: u64, live: Option<u64>) -> Result<Rc<Accepted>, String> {
        let mut reason = "it is not owed as state";
        for group in &mut self.groups {
            let found = group.items.iter().position(|item| item.message.number == number);
            let Some(position) = found else { continue };
            if live.is_some_and(|live| live < group.since) {
                reason = "older backlog is to come first";
                continue;
            }
            if group.items.iter().take(position).any(|item| item.sure) {
                reason = "state with a lower number is to come first";
                continue;
            }
            let message = Rc::clone(&group.items[position].message);
            group.items.drain(..=position);
            return Ok(message);
        }
        Err(format!("retained message {number} came, but {reason}"))
    }

    /// Gives up what is kept for classes that the mask no longer has.
    pub fn narrow(&mut self, mask: Class) {
        for group in &mut self.groups {
            group.items.retain_mut(|item| {
                item.entries = item.entries & mask;
                // Kept for a class that is gone, but of another that stays: no rule decides.
                item.sure &= !item.entries.is_empty();
                item.message.class.intersects(mask)
            });
        }
    }
}
