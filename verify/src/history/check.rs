//! The checker: tables of what a history says, then clause by clause.
//!
//! | file | what | clauses |
//! |---|---|---|
//! | `messages` | each number is one message, without holes | G1, G2, G12 |
//! | `order` | the order of numbers against real time; timestamps | G1, G2, G12 |
//! | `interest` | what was wanted when; `Unwanted` and its opposite | G4 |
//! | `member`, `account` | what each participant was to get | |
//! | `walk` | what it got instead | G1, G2, G5, G6, G7, G10, G12 |
//! | `state` | what it was handed of retained state | G10 |
//! | `room` | refusals for want of room | G5, G6, G7 |
//! | `closing` | what may come before and after the close | G12 |

mod account;
mod closing;
mod interest;
mod member;
mod messages;
mod order;
mod room;
mod state;
mod walk;

use super::event::{Event, Got, History, Outcome, What};
use std::fmt;

/// A guarantee of the contract.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, reason = "the names are those of the contract")]
pub enum Clause {
    G1,
    G2,
    G4,
    G5,
    G6,
    G7,
    G10,
    G12,
}

/// Why a history is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The guarantee that it breaks.
    pub clause: Clause,
    /// What is wrong, and the events.
    pub text: String,
}

impl Violation {
    fn new(clause: Clause, text: String) -> Violation {
        Violation { clause, text }
    }

    fn with(mut self, events: &[&Event]) -> Violation {
        for event in events {
            self.text.push_str(&format!("\n    {event:?}"));
        }
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.clause, self.text)
    }
}

impl std::error::Error for Violation {}

type Verdict = Result<(), Violation>;

fn refuse<T>(clause: Clause, text: String, events: &[&Event]) -> Result<T, Violation> {
    Err(Violation::new(clause, text).with(events))
}

/// How often each kind of event is in a history, so that a test can insist that it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub events: u64,
    pub messages: u64,
    pub drafts: u64,
    pub batches: u64,
    pub unwanted: u64,
    pub full: u64,
    pub stalled: u64,
    pub closed: u64,
    pub own: u64,
    pub registrations: u64,
    pub mask_changes: u64,
    pub departures: u64,
    pub departures_by_handle: u64,
    pub drops: u64,
    pub deliveries: u64,
    pub states: u64,
    pub overflows: u64,
    pub expiries: u64,
    pub empties: u64,
    pub lefts: u64,
    pub ends: u64,
    pub entries: u64,
    pub clears: u64,
    pub closes: u64,
    /// Messages of batches of which nobody can tell which they were.
    pub unknown: u64,
    /// Retained messages that had to be handed over.
    pub due_states: u64,
}

/// Accepts a history, or says which guarantee it breaks.
///
/// # Errors
///
/// The first violation found.
pub fn check(history: &History) -> Result<Counts, Violation> {
    let members = member::collect(history)?;
    let entries = state::collect(history);
    let interest = interest::Interest::new(history, &members, &entries);
    let messages = messages::Messages::new(history, &interest)?;
    closing::check(history, &messages)?;
    order::check(history, &members, &messages)?;
    interest.check(history)?;
    let entries = state::Entries::new(entries, &messages);
    let mut counts = count(history);
    counts.messages = messages.all.len() as u64;
    counts.unknown = messages.unknown.len() as u64;
    let mut accounts = Vec::new();
    for member in &members {
        let walked = walk::Walk::new(history, member, &messages, &entries).go()?;
        counts.due_states += walked.due_states;
        accounts.push(walked.account);
    }
    room::check(history, &members, &accounts, &messages)?;
    Ok(counts)
}

fn count(history: &History) -> Counts {
    let mut counts = Counts { events: history.events.len() as u64, ..Counts::default() };
    for event in &history.events {
        match &event.what {
            What::Send(sending) => {
                counts.own += u64::from(sending.owner.is_some());
                count_outcome(&mut counts, sending.outcome);
            }
            What::Batch(batch) => {
                counts.batches += 1;
                counts.unwanted += batch.unwanted as u64;
                if let Some(outcome) = batch.stopped {
                    count_outcome(&mut counts, outcome);
                }
            }
            What::Register(registering) => {
                counts.registrations += u64::from(registering.number.is_some());
            }
            What::Mask(masking) => counts.mask_changes += u64::from(masking.number.is_some()),
            What::Leave(leaving) => match (leaving.by, leaving.number) {
                (super::event::By::Itself, _) => counts.departures += 1,
                (super::event::By::Handle, Some(_)) => counts.departures_by_handle += 1,
                (super::event::By::Handle, None) => {}
                (super::event::By::Drop, _) => counts.drops += 1,
            },
            What::Receive(receiving) => count_got(&mut counts, &receiving.got),
            What::Retain(retaining) => counts.entries += u64::from(retaining.done),
            What::Clear(_) => counts.clears += 1,
            What::Close(_) => counts.closes += 1,
        }
    }
    counts
}

fn count_outcome(counts: &mut Counts, outcome: Outcome) {
    match outcome {
        Outcome::Queued(_) => {}
        Outcome::Allocated => counts.drafts += 1,
        Outcome::Unwanted => counts.unwanted += 1,
        Outcome::Full => counts.full += 1,
        Outcome::Stalled => counts.stalled += 1,
        Outcome::Closed => counts.closed += 1,
    }
}

fn count_got(counts: &mut Counts, got: &Got) {
    match got {
        Got::Message(_) => counts.deliveries += 1,
        Got::State(_) => counts.states += 1,
        Got::Lag(lag) if lag.reason == smd_lockfree::LagReason::Overflow => counts.overflows += 1,
        Got::Lag(_) => counts.expiries += 1,
        Got::Empty => counts.empties += 1,
        Got::Left => counts.lefts += 1,
        Got::Closed => counts.ends += 1,
    }
}
