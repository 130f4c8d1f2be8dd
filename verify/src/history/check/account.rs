//! What is known of a participant's backlog from outside, at any moment.

use super::member::Member;
use super::messages::Messages;
use crate::history::event::Span;
use smd_lockfree::Class;

/// What was owed to a participant, when it was sent, and when it was over.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Numbers that were owed by the mask in force at each.
    pub(super) owed: Vec<u64>,
    /// And those that a departure that tells no number may have come before.
    perhaps: Vec<u64>,
    /// Calls of the sends of all these, ascending.
    calls: Vec<u64>,
    /// How many were over, one way or another, when a call of the participant returned; and when
    /// that call began.
    pub(super) removed: Vec<(Span, u64)>,
}

impl Account {
    pub(super) fn rank(&self, number: u64) -> u64 {
        self.owed.partition_point(|owed| *owed <= number) as u64
    }

    /// How many may have been claimed before a moment.
    pub(super) fn claimed_before(&self, stamp: u64) -> u64 {
        self.calls.partition_point(|call| *call < stamp) as u64
    }

    /// How many were surely gone at a moment.
    pub(super) fn surely_removed(&self, stamp: u64) -> u64 {
        let over = self.removed.partition_point(|(span, _)| span.ret < stamp);
        over.checked_sub(1).map_or(0, |index| self.removed[index].1)
    }

    /// How many may have been gone at a moment.
    pub(super) fn perhaps_removed(&self, stamp: u64) -> u64 {
        let begun = self.removed.partition_point(|(span, _)| span.call < stamp);
        begun.checked_sub(1).map_or(0, |index| self.removed[index].1)
    }

    /// At most how many were waiting at some moment of a call. Behind the first message that was
    /// being sent nobody can see which are wanted, so all count.
    pub(super) fn at_most(&self, span: Span, messages: &Messages) -> u64 {
        let seen = messages.complete_at(span.call);
        let wanted = self.perhaps.partition_point(|number| *number <= seen) as u64;
        let waiting = wanted.saturating_sub(self.surely_removed(span.call));
        waiting + messages.claimed_before(span.ret).saturating_sub(seen)
    }

    pub(super) fn new(member: &Member<'_>, messages: &Messages) -> Account {
        let mut account = Account::default();
        let mut masks = member.masks.iter().peekable();
        let mut mask = Class::NONE;
        let end = (messages.all.len() as u64 + 1).min(member.until());
        // A drop does not tell its number; what was over before, or known to it, has a lower one.
        let dropped = member.departure.filter(|left| left.number.is_none());
        let sure =
            dropped.map_or(end, |left| messages.last_before(left.span.call).max(member.known) + 1);
        for number in member.since()..end {
            while let Some(next) = masks.next_if(|next| next.number <= number) {
                mask = next.mask;
            }
            let Some(message) = messages.get(number) else { continue };
            let wanted = message.class.is_some_and(|class| class.intersects(mask));
            if wanted && !member.excludes(message.owner) {
                account.calls.push(message.span.call);
                account.perhaps.push(number);
                if number < sure {
                    account.owed.push(number);
                }
            }
        }
        account.calls.sort_unstable();
        account
    }
}
