//! Histories of real runs, and the checker that accepts exactly those that the contract allows.
//!
//! ```text
//!   threads ──> Worker: call, stamp, log ──> merge ──> History ──> check ──┬──> Counts
//!               on the real bus                                            └──> Violation: clause, events
//! ```
//!
//! The reference model beside a bus says what *one* thread must observe. Here several threads use one
//! bus at once, nobody holds them up, and what each of them saw is judged afterwards. Whatever has a
//! sequence number has its place in the one order by it: messages, registrations, changes of mask,
//! departures, the close. So no order has to be searched for, only to be confirmed: a sort and a few
//! sweeps.
//!
//! What has no number is known to have happened between its call and its return. It is refused only
//! if *no* moment in between allows it, as `Unwanted` where somebody was registered throughout.
//!
//! # What is left open
//!
//! Beyond what [`crate::reference`] leaves open for one thread, because the contract does:
//!
//! * **A receive that finds nothing** has still looked at every message below which no send was in
//!   progress when it began; of the others it may know nothing yet.
//! * **`Full`** may count what a receive in progress takes, and everything behind the first send in
//!   progress, whatever its class: nobody can see past it.
//! * **A backlog under policy lag** may be longer than its depth by what stands behind the first send
//!   in progress, for the same reason.
//! * **Retained state around the marking or clearing of its entry** may be handed over or not: these
//!   two calls tell no number.
//! * **The cap of segments** may be met wherever another thread was inside a call.
//! * **After the close** a message that nobody wants may be unwanted or closed: two clauses apply.

mod check;
mod event;
mod forms;
mod recorder;
mod run;
mod worker;

pub use check::{Clause, Counts, Violation, check};
pub use event::{
    Batch, By, Delivery, Event, Got, History, Leaving, Masking, Outcome, Receiving, Registering,
    Retaining, Sending, Span, What,
};
pub use recorder::{Begun, Log, Recorder, merge};
pub use run::{Plan, run};
pub use worker::{Choices, Form, Take, Worker, World};
