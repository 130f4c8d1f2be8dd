//! The latency of the load, with nothing else to do: lags when it is full, so it holds nobody back.
//!
//! With processors to spare it spins, which costs one of them and shows the shortest way a message
//! can go; on a small machine it waits with a time-out instead, for spinning would take the
//! processor from those it waits for.

use std::error::Error;
use std::thread;
use std::time::Duration;

use smd_lockfree::{Participant, Policy};

use super::{Profile, Running, Seat, spawn};
use crate::demo::Stage;
use crate::demo::publisher::LOAD;

/// Processors from which on one may be spent on spinning.
const PROCESSORS_TO_SPIN: usize = 4;

/// The time-out where it does not spin. A message or the end of the bus ends the wait at once.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Registers the participant and starts its thread.
///
/// # Errors
///
/// When the registration or the thread is refused.
pub(crate) fn start(stage: &Stage) -> Result<Running, Box<dyn Error>> {
    let spins =
        thread::available_parallelism().is_ok_and(|count| count.get() >= PROCESSORS_TO_SPIN);
    let wait = if spins { "spinning" } else { "timeout" };
    let seat = Seat::take(stage, Profile::new("latency", LOAD, Policy::Lag, wait), None)?;
    Ok(spawn("latency", move || {
        if spins {
            seat.serve(Participant::recv_spinning, |_| {})
        } else {
            seat.serve(|participant| participant.recv_timeout(TIMEOUT), |_| {})
        }
    })?)
}
