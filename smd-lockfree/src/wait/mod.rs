//! Sleeping and waking: no wake-up is lost, and a sleeper is woken once.
//!
//! ```text
//!   participant:  state = WAITING(mask); waiters |= mask; FENCE; look again; sleep
//!   sender:       publish;                               FENCE; waiters & class? -> wake
//! ```
//!
//! The words that sleepers announce themselves in are of one kind, [`alert::Alert`], which spares the
//! sender its fence while nobody sleeps.
//!
//! # States of a waiter
//!
//! | state | means | left by |
//! |---|---|---|
//! | IDLE | awake | the participant, to WAITING |
//! | WAITING : mask | asleep, or about to be; HOLE: behind one | a waker, to NOTIFIED; the participant, to IDLE |
//! | NOTIFIED | a waker has taken it on itself to wake it | the participant, to IDLE |
//!
//! # Rules
//!
//! - **W1** A sender, after publication: load `waiters`, behind a fence unless it says that it is calm
//!   ([`alert`]); no bit of its class: done. Once for a batch.
//! - **W2** A participant still holds its segment: its own mask, or everything if a hole stands in
//!   front (it must hear of whoever closes it); state WAITING; `waiters` is exchanged **always**,
//!   also when the bits are there; fence; look again. A hole that the announced mask does not cover
//!   counts as found.
//! - **W3** A waker loads `waiters`, **then** the registry; exchanges WAITING for NOTIFIED where
//!   the masks meet (of one who excludes the sender only behind a hole, which the sender may have
//!   closed); clears its class in `waiters` by an exchange from the word it had loaded (so an
//!   announcement in between keeps its bits); then, unpinned, wakes those whom it notified.
//! - **W4** One wake for each WAITING. What to wake (a thread, a waker, a descriptor) lies in a slot
//!   that its user takes out and puts back.
//! - **W5** Senders that wait for room announce themselves in [`room`], fence, and try again from
//!   the start; a participant that stored its progress looks there as a sender does
//!   for sleepers. Who was refused for records that were not published yet announces everything in
//!   `waiters` too, and tries once more: what is published next may be what nobody has to make room
//!   for. Who finds everything announced wakes those that wait for room.
//!
//! # Edges
//!
//! | edge | release end | acquire end | carries |
//! |---|---|---|---|
//! | `wait.park` (fence) | WAITING and `waiters` stored, log looked at | record published, `waiters` loaded | rule W1 against W2 |
//! | `wait.state` | exchange to NOTIFIED | load of the state | what the waker did before |
//! | `wait.announce` | exchange of `waiters` | load of `waiters` | state and slot |
//! | `wait.target` | slot filled | slot taken | what to wake |
//! | `wait.end` (fence) | `ended` stored, slot emptied | box put back, `ended` loaded | no waker stays |
//! | `wait.room` (fence) | progress stored, `room` looked at | announcement, count of the backlog | rule W5 |

#![allow(unsafe_code)]

pub(crate) mod alert;
pub(crate) mod deadline;
#[cfg(all(unix, not(any(smd_loom, smd_shuttle))))]
pub(crate) mod descriptor;
#[cfg(any(smd_loom, smd_shuttle))]
pub mod edges;
pub(crate) mod room;
pub(crate) mod waiter;
pub(crate) mod waiters;

#[cfg(all(unix, any(smd_loom, smd_shuttle)))]
pub(crate) use crate::sync::signal as descriptor;
