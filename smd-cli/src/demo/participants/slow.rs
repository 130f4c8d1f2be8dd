//! A participant that is too slow for the load on purpose: it rests after each message, and its
//! backlog is small. It lags, is told so, and nobody else notices.

use std::error::Error;
use std::time::Duration;

use smd_lockfree::Policy;

use super::{Profile, Running, Seat, spawn};
use crate::demo::Stage;
use crate::demo::publisher::LOAD;

/// Messages that may wait for it.
const DEPTH: u32 = 64;

/// Its rest after each message: at most 500 messages a second.
const REST: Duration = Duration::from_millis(2);

/// The time-out of its waits. A message or the end of the bus ends a wait at once.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Registers the participant and starts its thread.
///
/// # Errors
///
/// When the registration or the thread is refused.
pub(crate) fn start(stage: &Stage) -> Result<Running, Box<dyn Error>> {
    let profile = Profile::new("slow", LOAD, Policy::Lag, "timeout");
    let seat = Seat::take(stage, profile, Some(DEPTH))?;
    let stop = stage.stop.clone();
    Ok(spawn("slow", move || {
        seat.serve(
            |participant| participant.recv_timeout(TIMEOUT),
            |_| {
                // At the end of the run it rests no more.
                stop.wait(REST);
            },
        )
    })?)
}
