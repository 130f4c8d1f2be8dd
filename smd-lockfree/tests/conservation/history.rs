//! What the threads wrote down, and the judgement of it.

use smd_lockfree::{BusStats, Class, Lag, Message};
use std::collections::{BTreeMap, VecDeque};

/// One message that somebody tried to send: with its number, or unwanted.
#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) number: Option<u64>,
    pub(crate) class: Class,
    /// The session whose own sender sent it, or 0.
    pub(crate) owner: u64,
    pub(crate) payload: Vec<u8>,
    pub(crate) begun: u64,
    pub(crate) ended: u64,
}

/// What a participant saw or did, in order.
#[derive(Debug)]
pub(crate) enum Event {
    Got { number: u64, class: Class, nanos: u64, payload: Vec<u8> },
    Lost(Lag),
    Masked { number: u64, mask: Class, begun: u64, ended: u64 },
}

impl Event {
    pub(crate) fn got(message: &Message<'_>) -> Event {
        Event::Got {
            number: message.sequence(),
            class: message.class(),
            nanos: message.timestamp().nanos(),
            payload: message.to_vec(),
        }
    }
}

/// How a session ended.
#[derive(Debug)]
pub(crate) enum Ending {
    Open,
    Left { number: Option<u64>, begun: u64 },
    Closed,
}

/// One participant from its registration to its end.
#[derive(Debug)]
pub(crate) struct Session {
    id: u64,
    excludes: bool,
    since: u64,
    mask: Class,
    registered: u64,
    pub(crate) events: Vec<Event>,
    pub(crate) ending: Ending,
}

impl Session {
    pub(crate) fn new(
        id: u64,
        excludes: bool,
        since: u64,
        mask: Class,
        registered: u64,
    ) -> Session {
        let (events, ending) = (Vec::new(), Ending::Open);
        Session { id, excludes, since, mask, registered, events, ending }
    }

    /// Between which tickets it surely wanted this class.
    fn wanted(&self, class: Class) -> Vec<(u64, u64)> {
        let (mut from, mut mask) = (self.registered, self.mask);
        let mut spans = Vec::new();
        for event in &self.events {
            if let Event::Masked { mask: new, begun, ended, .. } = event {
                spans.push((from, *begun, mask));
                (from, mask) = (*ended, *new);
            }
        }
        let end = match self.ending {
            Ending::Left { begun, .. } => begun,
            _ => u64::MAX,
        };
        spans.push((from, end, mask));
        spans.retain(|(_, _, mask)| mask.intersects(class));
        spans.into_iter().map(|(from, to, _)| (from, to)).collect()
    }
}

/// A message as it was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Accepted {
    class: Class,
    owner: u64,
    payload: Vec<u8>,
}

/// All that is known.
#[derive(Debug, Default)]
pub(crate) struct History {
    truth: BTreeMap<u64, Accepted>,
    times: BTreeMap<u64, u64>,
    witnessed: u64,
    /// What the witness lost.
    pub(crate) lost: u64,
}

/// A message that a session was to get and has not got yet.
struct Owed {
    number: u64,
    /// The classes that it is still wanted for; none: it was settled by a narrowing, but a report
    /// of losses from before may still name it.
    wanted: Class,
}

impl History {
    /// The witness received this.
    pub(crate) fn witness(&mut self, message: &Message<'_>) {
        self.witnessed += 1;
        let payload = message.to_vec();
        let accepted = Accepted { class: message.class(), owner: 0, payload };
        assert!(self.truth.insert(message.sequence(), accepted).is_none(), "twice");
        self.times.insert(message.sequence(), message.timestamp().nanos());
    }

    /// Judges everything.
    pub(crate) fn judge(
        mut self,
        sessions: &[Session],
        notes: Vec<Note>,
        end: u64,
        stats: &BusStats,
    ) {
        let (mut begun, mut unwanted) = (Vec::new(), Vec::new());
        for note in notes {
            let Some(number) = note.number else {
                unwanted.push(note);
                continue;
            };
            begun.push((note.begun, number));
            let Note { class, owner, payload, .. } = note;
            if let Some(seen) = self.truth.insert(number, Accepted { class, owner, payload }) {
                let sent = &self.truth[&number];
                assert_eq!((seen.class, &seen.payload), (sent.class, &sent.payload), "{number}");
            }
        }
        assert!(self.truth.keys().copied().eq(1..end), "each number is given once, without holes");
        registrations_come_first(sessions, begun);
        nothing_wanted_was_refused(sessions, &unwanted);
        let (mut delivered, mut lost) = (self.witnessed, self.lost);
        for session in sessions {
            let (got, named) = self.judge_session(session, end);
            delivered += got;
            lost += named;
        }
        assert!(self.times.values().is_sorted(), "timestamps never decrease");
        assert_eq!(stats.delivered, delivered);
        assert_eq!(stats.sent, end - 1);
        // What departed participants had lost and were not told is counted as well.
        assert!(stats.lagged + stats.expired >= lost);
        println!(
            "{end} numbers, {} unwanted, {} sessions, {delivered} delivered, {lost} lost",
            unwanted.len(),
            sessions.len()
        );
        assert!(sessions.len() > 20 && lost > 0, "too little happened");
    }

    /// How many messages a session got, and how many reports to it named.
    fn judge_session(&mut self, session: &Session, end: u64) -> (u64, u64) {
        let mut ledger = Ledger::new(session);
        let (mut got, mut lost) = (0, 0);
        let what = &ledger.what.clone();
        let left = match session.ending {
            Ending::Left { number, .. } => number.unwrap_or(end),
            Ending::Closed => end,
            Ending::Open => panic!("{what} did not end"),
        };
        for event in &session.events {
            match event {
                Event::Masked { number, mask, .. } => {
                    assert!(*number >= ledger.next, "{what}: {event:?} lies in the past");
                    ledger.owe_up_to(&self.truth, *number);
                    ledger.narrow(*mask);
                }
                Event::Got { number, class, nanos, payload } => {
                    got += 1;
                    assert!(*number < left, "{what}: {number} came, it had left at {left}");
                    ledger.owe_up_to(&self.truth, number + 1);
                    ledger.settle_below(*number);
                    let due = ledger.owed.pop_front();
                    let wanted = due.is_some_and(|o| o.number == *number && !o.wanted.is_empty());
                    assert!(wanted, "{what}: {number} came and was not wanted");
                    let sent = &self.truth[number];
                    assert_eq!((class, payload), (&sent.class, &sent.payload), "{what}: {number}");
                    let time = self.times.entry(*number).or_insert(*nanos);
                    assert_eq!(time, nanos, "{what}: one message has one time");
                }
                Event::Lost(lag) => {
                    lost += lag.count;
                    ledger.owe_up_to(&self.truth, lag.last + 1);
                    ledger.name(lag);
                }
            }
        }
        if matches!(session.ending, Ending::Closed) {
            // It drained to the close, so everything has come to an end.
            ledger.owe_up_to(&self.truth, end);
            ledger.settle_below(end);
        }
        (got, lost)
    }
}

/// What a session was owed, while its events are gone through.
struct Ledger<'a> {
    session: &'a Session,
    what: String,
    owed: VecDeque<Owed>,
    /// Everything below this number has been looked at.
    next: u64,
    mask: Class,
    /// How many the reports since the last message have named. Reports of two reasons may share a
    /// range, so only the sum tells.
    named: u64,
    first: u64,
    last: u64,
}

impl<'a> Ledger<'a> {
    fn new(session: &'a Session) -> Ledger<'a> {
        Ledger {
            session,
            what: format!("session {} since {}", session.id, session.since),
            owed: VecDeque::new(),
            next: session.since,
            mask: session.mask,
            named: 0,
            first: u64::MAX,
            last: 0,
        }
    }

    /// Owes what is wanted of the numbers below `end`.
    fn owe_up_to(&mut self, truth: &BTreeMap<u64, Accepted>, end: u64) {
        let end = end.max(self.next);
        for (number, accepted) in truth.range(self.next..end) {
            let own = self.session.excludes && accepted.owner == self.session.id;
            let wanted = accepted.class & self.mask;
            if !own && !wanted.is_empty() {
                self.owed.push_back(Owed { number: *number, wanted });
            }
        }
        self.next = end;
    }

    fn narrow(&mut self, mask: Class) {
        self.owed.iter_mut().for_each(|owed| owed.wanted = owed.wanted & mask);
        self.mask = mask;
    }

    fn name(&mut self, lag: &Lag) {
        let what = &self.what;
        for end in [lag.first, lag.last] {
            let owed = self.owed.iter().any(|owed| owed.number == end);
            assert!(owed, "{what}: {lag:?}, and {end} was not owed");
        }
        self.named += lag.count;
        self.first = self.first.min(lag.first);
        self.last = self.last.max(lag.last);
    }

    /// All below `number` is over: what was owed of it must have been named, each once.
    fn settle_below(&mut self, number: u64) {
        let (mut sure, mut all) = (0, 0);
        while self.owed.front().is_some_and(|owed| owed.number < number) {
            let Some(gone) = self.owed.pop_front() else { break };
            all += 1;
            if !gone.wanted.is_empty() {
                sure += 1;
                let named = (self.first..=self.last).contains(&gone.number);
                assert!(named, "{}: {} is missing before {number}", self.what, gone.number);
            }
        }
        let (what, named) = (&self.what, self.named);
        assert!((sure..=all).contains(&named), "{what}: {sure} to {all} lost, {named} named");
        (self.named, self.first, self.last) = (0, u64::MAX, 0);
    }
}

/// A registration that returned before a send began has N at most its number.
fn registrations_come_first(sessions: &[Session], mut begun: Vec<(u64, u64)>) {
    begun.sort_unstable();
    let mut least = u64::MAX;
    // From the last on: the least number of all sends that began at this ticket or later.
    for (_, number) in begun.iter_mut().rev() {
        least = least.min(*number);
        *number = least;
    }
    for session in sessions {
        let after = begun.partition_point(|(ticket, _)| *ticket < session.registered);
        if let Some((_, least)) = begun.get(after) {
            assert!(session.since <= *least, "since {}, later sends {least}", session.since);
        }
    }
}

/// While a participant surely wants a class, no send of it is unwanted.
fn nothing_wanted_was_refused(sessions: &[Session], unwanted: &[Note]) {
    for note in unwanted.iter().step_by(unwanted.len() / 2_000 + 1) {
        for session in sessions {
            let wanted = session
                .wanted(note.class)
                .into_iter()
                .any(|(from, to)| from < note.begun && note.ended < to);
            assert!(!wanted, "unwanted, but session {} wanted it: {note:?}", session.id);
        }
    }
}
