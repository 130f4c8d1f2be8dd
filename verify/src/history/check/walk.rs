//! A walk along one participant's calls: what it was owed, and what came (G1, G5, G6, G7, G10, G12).

use super::account::Account;
use super::closing;
use super::member::{Mask, Member};
use super::messages::Messages;
use super::state::{Entries, Group};
use super::{Clause, Verdict, Violation, refuse};
use crate::history::event::{Delivery, Event, Got, History, Masking, Receiving, Span, What};
use smd_lockfree::{Class, Lag, LagReason, Policy};
use std::collections::HashSet;

/// Which messages are wanted: a mask, and since when it has each class without a break.
#[derive(Clone, Debug)]
struct Filter {
    mask: Class,
    since: [u64; 32],
}

impl Filter {
    fn new(mask: Mask) -> Filter {
        Filter { mask: mask.mask, since: [mask.number; 32] }
    }

    fn changed(&self, mask: Class, number: u64) -> Filter {
        let fresh = (mask - self.mask).bits();
        let mut since = self.since;
        for (bit, at) in since.iter_mut().enumerate() {
            if fresh >> bit & 1 == 1 {
                *at = number;
            }
        }
        Filter { mask, since }
    }

    fn wants(&self, class: Class, number: u64) -> bool {
        let bits = (class & self.mask).bits();
        (0..32).any(|bit| bits >> bit & 1 == 1 && number >= self.since[bit])
    }
}

/// What a walk came to.
#[derive(Debug)]
pub(super) struct Walked {
    pub(super) account: Account,
    pub(super) due_states: u64,
}

pub(super) struct Walk<'a> {
    history: &'a History,
    member: &'a Member<'a>,
    messages: &'a Messages,
    entries: &'a Entries,
    close: Option<(u64, Span)>,
    account: Account,
    filter: Filter,
    /// First number that nothing has been said of.
    at: u64,
    /// First number that may come live: state of it has come.
    floor: u64,
    gone: u64,
    /// Numbers of classes that were given up, while they may have been lost already.
    ghosts: Vec<u64>,
    reports: Vec<(Lag, &'a Event)>,
    groups: Vec<Group>,
    live: Vec<u64>,
    states: HashSet<u64>,
    /// All that came live, at any time.
    came: HashSet<u64>,
    due_states: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        history: &'a History,
        member: &'a Member<'a>,
        messages: &'a Messages,
        entries: &'a Entries,
    ) -> Walk<'a> {
        let live = member.calls.iter().filter_map(|index| match &history.events[*index].what {
            What::Receive(Receiving { got: Got::Message(delivery), .. }) => Some(delivery.number),
            _ => None,
        });
        Walk {
            history,
            member,
            messages,
            entries,
            close: closing::find(history),
            account: Account::new(member, messages),
            filter: Filter::new(member.masks[0]),
            at: member.since(),
            floor: 0,
            gone: 0,
            ghosts: Vec::new(),
            reports: Vec::new(),
            groups: Vec::new(),
            live: Vec::new(),
            states: HashSet::new(),
            came: live.collect(),
            due_states: 0,
        }
    }

    pub(super) fn go(mut self) -> Result<Walked, Violation> {
        self.hand_over(self.member.masks[0], self.member.choices.mask);
        for index in &self.member.calls {
            let event = &self.history.events[*index];
            match &event.what {
                What::Mask(masking) => self.mask(masking, event),
                What::Receive(receiving) => self.receive(receiving, event)?,
                _ => {}
            }
        }
        self.end()?;
        Ok(Walked { account: self.account, due_states: self.due_states })
    }

    fn hand_over(&mut self, mask: Mask, fresh: Class) {
        if !self.member.choices.retained || fresh.is_empty() {
            return;
        }
        let owed = &self.account.owed;
        let had = |number| owed.binary_search(&number).is_ok();
        let (number, span) = (mask.number, mask.span);
        let group = self.entries.gather(self.member, fresh, number, span, had, self.messages);
        self.due_states += group.due();
        self.groups.push(group);
    }

    /// Whether it may lose anything.
    fn loses(&self) -> bool {
        self.member.choices.policy == Policy::Lag || self.history.time_to_live.is_some()
    }

    fn class(&self, number: u64) -> Class {
        self.messages.get(number).and_then(|message| message.class).unwrap_or(Class::NONE)
    }

    /// Owed numbers from `at` to `last` that a filter wants.
    fn wanted(&self, filter: &Filter, last: u64) -> Vec<u64> {
        let from = self.account.owed.partition_point(|owed| *owed < self.at);
        let owed = self.account.owed[from..].iter().take_while(|owed| **owed <= last);
        owed.copied().filter(|number| filter.wants(self.class(*number), *number)).collect()
    }

    fn mask(&mut self, masking: &Masking, event: &Event) {
        let Some(number) = masking.number else { return };
        let (old, new) = (self.filter.clone(), self.filter.changed(masking.mask, number));
        let mut settled = self.wanted(&old, number - 1);
        settled.retain(|number| !new.wants(self.class(*number), *number));
        self.gone += settled.len() as u64;
        if self.loses() {
            self.ghosts.extend(settled);
        }
        self.filter = new;
        for group in &mut self.groups {
            group.narrow(masking.mask & old.mask);
        }
        self.account.removed.push((event.span, self.gone));
        let mask = Mask { mask: masking.mask, number, span: event.span };
        self.hand_over(mask, masking.mask - old.mask);
    }

    fn receive(&mut self, receiving: &Receiving, event: &'a Event) -> Verdict {
        let over = self.member.departure.is_some_and(|left| left.span.before(event.span));
        if over && receiving.got != Got::Left {
            let text = format!("{} had left and received", self.member.id);
            return refuse(Clause::G7, text, &[event]);
        }
        match &receiving.got {
            Got::Message(delivery) => self.message(delivery, event),
            Got::State(delivery) => self.state(delivery, event),
            Got::Lag(lag) => self.lag(*lag, event),
            Got::Empty => self.empty(event),
            Got::Closed => self.closed(event),
            Got::Left => self.left(event),
        }
    }

    fn message(&mut self, delivery: &Delivery, event: &'a Event) -> Verdict {
        let number = delivery.number;
        self.may_come(number, event)?;
        if self.is_late(delivery.nanos, event) {
            return refuse(Clause::G6, format!("{number} came late"), &[event]);
        }
        let last = self.reports.iter().map(|(lag, _)| lag.last).max().unwrap_or(0);
        if last >= number {
            let text = format!("{number} came behind a report of later ones");
            return refuse(Clause::G6, text, &[event]);
        }
        self.settle(number - 1, Clause::G1, event)?;
        self.within_depth(number, event)?;
        if let Some(group) = self.groups.iter().find(|g| g.since <= number && g.due() > 0) {
            let text = format!("{number} came before state {:?}", group.first_due());
            return refuse(Clause::G10, text, &[event]);
        }
        self.groups.retain(|group| group.since > number);
        self.live.push(number);
        self.at = number + 1;
        self.gone += 1;
        self.account.removed.push((event.span, self.gone));
        Ok(())
    }

    fn is_late(&self, nanos: u64, event: &Event) -> bool {
        let ttl = self.history.time_to_live;
        ttl.is_some_and(|ttl| nanos < event.clock.call.saturating_sub(ttl))
    }

    /// Whether a live message may come at all, and now.
    fn may_come(&self, number: u64, event: &Event) -> Verdict {
        let no = |clause, why: &str| refuse(clause, format!("{number} came {why}"), &[event]);
        if self.close.is_some_and(|(close, _)| number >= close) {
            return no(Clause::G12, "from behind the close");
        }
        if number < self.member.since() {
            return no(Clause::G1, "from before the registration");
        }
        if number >= self.member.until() {
            return no(Clause::G1, "from behind the departure");
        }
        if self.account.owed.binary_search(&number).is_err() {
            return no(Clause::G1, "and was not wanted");
        }
        if self.live.binary_search(&number).is_ok() {
            return no(Clause::G1, "twice");
        }
        if self.live.last().is_some_and(|last| *last > number) {
            return no(Clause::G2, "behind a later one");
        }
        if number < self.at {
            return no(Clause::G1, "after it was reported as lost");
        }
        if number < self.floor {
            return no(Clause::G10, "behind state that is due after it");
        }
        if !self.filter.wants(self.class(number), number) {
            return no(Clause::G1, "after its class was given up");
        }
        Ok(())
    }

    /// A backlog is never longer than its depth: what is surely newer than that is not the next.
    /// Behind a message that is being sent nobody can see what is wanted, and so nothing is lost for it.
    fn within_depth(&self, number: u64, event: &Event) -> Verdict {
        let newer = self.account.rank(self.messages.complete_at(event.span.call));
        // What was given up since is in none.
        let settled = self.gone.saturating_sub(self.account.rank(number - 1));
        let left = newer.saturating_sub(self.account.rank(number - 1) + settled);
        if self.member.choices.policy == Policy::Lag && left > u64::from(self.member.choices.depth)
        {
            let text = format!("{number} came with {left} waiting");
            return refuse(Clause::G5, text, &[event]);
        }
        Ok(())
    }

    fn state(&mut self, delivery: &Delivery, event: &'a Event) -> Verdict {
        let number = delivery.number;
        let Some(place) = self.groups.iter().position(|group| group.has(number)) else {
            let again = if self.states.contains(&number) { "again" } else { "and is not due" };
            return refuse(Clause::G10, format!("state {number} came {again}"), &[event]);
        };
        // What is older and still to come came too late then. What is older and lost may be reported
        // later, together with what is newer.
        self.floor = self.floor.max(self.groups[place].since);
        let earlier = self.groups[..place].iter().find_map(Group::first_due);
        if let Some(due) = earlier.or(self.groups[place].take(number)) {
            return refuse(Clause::G10, format!("state {number} came before {due}"), &[event]);
        }
        self.groups.drain(..place);
        self.states.insert(number);
        Ok(())
    }

    fn lag(&mut self, lag: Lag, event: &'a Event) -> Verdict {
        let no = |why: &str| {
            let text = format!("{} reports what was not lost: {why}", self.member.id);
            refuse(Clause::G6, text, &[event])
        };
        if lag.count == 0 || lag.first > lag.last {
            return no("nothing");
        }
        if let Some(both) = [lag.first, lag.last].iter().find(|number| self.came.contains(number)) {
            return refuse(Clause::G1, format!("{both} came and is reported lost"), &[event]);
        }
        let depth = u64::from(self.member.choices.depth);
        match lag.reason {
            LagReason::Overflow => {
                let newer = self.account.claimed_before(event.span.ret);
                let newer = newer.saturating_sub(self.account.rank(lag.last));
                let newer = newer + self.messages.unknown.len() as u64;
                if self.member.choices.policy != Policy::Lag || newer < depth {
                    return no(&format!("{newer} newer ones at most"));
                }
            }
            _ => {
                let Some(ttl) = self.history.time_to_live else { return no("nothing expires") };
                let stamped = self.messages.get(lag.last).map_or(u64::MAX, |m| m.stamped_from());
                if stamped >= event.clock.ret.saturating_sub(ttl) {
                    return no("it was young");
                }
            }
        }
        self.reports.push((lag, event));
        Ok(())
    }

    fn empty(&mut self, event: &'a Event) -> Verdict {
        let known = self.messages.complete_at(event.span.call);
        if let Some((close, span)) = self.close
            && span.before(event.span)
            && known + 1 >= close
        {
            return refuse(Clause::G12, "nothing, though the bus was closed".to_owned(), &[event]);
        }
        let due = self.groups.iter().filter(|group| group.since <= known + 1);
        if let Some(due) = due.filter_map(Group::first_due).next() {
            return refuse(Clause::G10, format!("nothing, though state {due} is due"), &[event]);
        }
        self.settle(known, Clause::G1, event)?;
        self.account.removed.push((event.span, self.gone));
        Ok(())
    }

    fn closed(&mut self, event: &'a Event) -> Verdict {
        let Some((close, _)) = self.close.filter(|(_, span)| span.call < event.span.ret) else {
            return refuse(Clause::G12, "closed before the close".to_owned(), &[event]);
        };
        self.settle(close - 1, Clause::G12, event)?;
        if let Some(due) = self.groups.iter().find_map(Group::first_due) {
            return refuse(Clause::G12, format!("closed, though state {due} is due"), &[event]);
        }
        Ok(())
    }

    fn left(&mut self, event: &'a Event) -> Verdict {
        let left = self.member.departure.is_some_and(|left| left.span.call < event.span.ret);
        if !left {
            let text = format!("{} had not left", self.member.id);
            return refuse(Clause::G7, text, &[event]);
        }
        Ok(())
    }

    /// Nothing was received after the last reports: more of the same numbers may have been due, for
    /// another reason, so that they need not name everything.
    fn end(&mut self) -> Verdict {
        let reports = std::mem::take(&mut self.reports);
        let Some((_, event)) = reports.last().copied() else { return Ok(()) };
        let last = reports.iter().map(|(lag, _)| lag.last).fold(0, u64::max);
        let mut maybe = self.maybe_lost(last);
        maybe.extend(self.wanted(&self.filter, last));
        self.judge(&reports, &[], &maybe, Clause::G1, event)
    }

    /// All up to `last` is over: what was owed of it and did not come is lost, and the reports since
    /// the last message say so exactly. `clause`: what it breaks if it cannot have been lost.
    fn settle(&mut self, last: u64, clause: Clause, event: &'a Event) -> Verdict {
        let reports = std::mem::take(&mut self.reports);
        let last = reports.iter().map(|(lag, _)| lag.last).fold(last, u64::max);
        let sure = self.wanted(&self.filter, last);
        let maybe = self.maybe_lost(last);
        self.judge(&reports, &sure, &maybe, clause, event)?;
        self.at = self.at.max(last + 1);
        self.ghosts.retain(|ghost| *ghost > last);
        self.gone += sure.len() as u64;
        Ok(())
    }

    /// Numbers up to `last` that may have been lost, or may not have been owed.
    fn maybe_lost(&self, last: u64) -> Vec<u64> {
        let may = |number: &&u64| (self.at..=last).contains(*number);
        let ghosts = self.ghosts.iter().filter(may);
        // What nobody can tell may have been wanted.
        let unknown = self.messages.unknown.iter().filter(may);
        ghosts.chain(unknown).copied().collect()
    }

    fn judge(
        &self,
        reports: &[(Lag, &'a Event)],
        sure: &[u64],
        maybe: &[u64],
        clause: Clause,
        event: &'a Event,
    ) -> Verdict {
        let events: Vec<&Event> = reports.iter().map(|(_, of)| *of).chain([event]).collect();
        let no = |clause, text: String| refuse(clause, text, &events);
        if let Some(number) = sure.iter().find(|number| self.came.contains(number)) {
            return no(Clause::G2, format!("{number} was passed by a later one"));
        }
        if let (Some(number), []) = (sure.first(), reports) {
            return if self.loses() && clause != Clause::G12 {
                no(Clause::G6, format!("{number} is missing without a report"))
            } else {
                no(clause, format!("{number} is missing"))
            };
        }
        for (lag, _) in reports {
            let ends = [lag.first, lag.last];
            let is_lost = |n: &u64| sure.binary_search(n).is_ok() || maybe.contains(n);
            if let Some(end) = ends.iter().find(|end| !is_lost(end)) {
                return no(Clause::G6, format!("a report ends at {end}, which was not lost"));
            }
        }
        let named = |n: &&u64| reports.iter().any(|(lag, _)| (lag.first..=lag.last).contains(*n));
        if let Some(number) = sure.iter().find(|number| !named(number)) {
            return no(Clause::G6, format!("{number} is missing, and no report names it"));
        }
        self.totals(reports, sure, maybe).or_else(|text| no(Clause::G6, text))
    }

    /// Counts and classes of reports, together.
    fn totals(
        &self,
        reports: &[(Lag, &'a Event)],
        sure: &[u64],
        maybe: &[u64],
    ) -> Result<(), String> {
        let count: u64 = reports.iter().map(|(lag, _)| lag.count).sum();
        let (least, most) = (sure.len() as u64, (sure.len() + maybe.len()) as u64);
        if !(least..=most).contains(&count) {
            return Err(format!("{count} are reported, and {least} to {most} were lost"));
        }
        let union = |all: Class, class: Class| all | class;
        let least = sure.iter().map(|number| self.class(*number)).fold(Class::NONE, union);
        let class = |number| self.messages.get(number).and_then(|message| message.class);
        let maybe = maybe.iter().map(|number| class(*number).unwrap_or(Class::ALL));
        let most = maybe.fold(least, union);
        let named = reports.iter().map(|(lag, _)| lag.classes).fold(Class::NONE, union);
        if !named.contains(least) || !most.contains(named) {
            return Err(format!("{named} are reported, and {least} up to {most} were lost"));
        }
        Ok(())
    }
}
