//! A sequential reference model of the bus, and the driver that holds the real one against it.
//!
//! ```text
//!   Script ──> Driver ──┬──> the public API of smd-lockfree ──> what happened ──┐
//!                       └──> Model: what may happen ────────────────────────────┴──> equal, or Mismatch
//! ```
//!
//! The model has no segments, no cursors, no hand-over and no clock of its own: for each participant
//! it keeps the plain list of what that participant is owed, message by message. Whatever the bus
//! does to keep memory bounded and senders independent must not show through to here.
//!
//! Everything observable is compared after each operation: results and errors, sequence numbers,
//! timestamps, classes, payloads, lag reports, interest, statistics, readiness of descriptors.
//!
//! # What is left open
//!
//! A model that is stricter than the promise finds bugs that are none. It allows more than one
//! outcome exactly where the guarantees do:
//!
//! * **When a loss is noticed.** Depth and time to live both take from the old end, so the
//!   survivors at any moment are fixed: the newest `depth` of the unexpired. Which lost ones
//!   are reported as overflow and which as expired depends on whether somebody looked in between. Each
//!   report must be *true* (who is named as overflowed was over the depth at some moment, who is
//!   named as expired has expired) and together they must name each lost message once. Losses for one
//!   reason that follow each other make one report, unless a widening of the mask lies between.
//! * **Narrowing with unreported losses.** What was lost before the narrowing may still be named in
//!   a report, or be settled by the narrowing.
//! * **A message kept for two entries**, or kept and also delivered live, when a mask is widened to
//!   the second one: it may be handed over again as state, or not.
//! * **A plain message of a class of which only keys are retained** and which nobody listens to may
//!   be taken or be unwanted.
//! * **A sender whose own participant is full and excludes its own** may be refused or not.
//! * **A descriptor** must be readable while something awaits. It may be readable for nothing until
//!   a plain receive has come to `Empty`, and again after a mask change or another form of receive.
//! * **A nanosecond for a registration.** Timestamps are those of the clock, but may be a few
//!   nanoseconds ahead: one for each registration, mask change and the like ([`CLOCK_SLACK`]).

mod backlog;
mod bus;
mod check;
mod decode;
mod driver;
mod member;
mod message;
mod op;
mod receive;
mod send;
mod state;
#[cfg(test)]
mod tests;

pub use backlog::{Backlog, Moment, Pending};
pub use bus::{Entry, Model, Outcomes};
pub use driver::{Coverage, Driver, Mismatch};
pub use message::{Accepted, CLOCK_SLACK, Stamp};
pub use op::{Finish, Op, ReceiveForm, Script, SendForm, Setup, TIME_TO_LIVE, Via};
pub use state::{Gather, State};

/// Runs a whole script against a new bus: its operations, then everything that is still owed, then
/// the teardown in the order that the script asks for.
///
/// # Errors
///
/// The first difference between the bus and the model, with the number of the operation.
pub fn run(script: &Script) -> Result<Coverage, Mismatch> {
    let mut driver = Driver::new(&script.setup)?;
    for (number, op) in script.ops.iter().enumerate() {
        driver.step(op).map_err(|mismatch| mismatch.at(number, op))?;
    }
    driver.finish(script.setup.teardown)
}
