//! Counters per class: callbacks in one event loop, which serves them in turn on one thread.
//!
//! The event loop owns its participants, so each callback counts for itself what it is given. What
//! only the bus sees is taken from where it shows here: a wake is a turn of the loop that had to wait,
//! and the depth is that of the class's sends over its receipts, looked at with each message.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use smd_lockfree::{Class, Event, EventLoop, Lag, LagReason, Policy};

use super::{Counts, Outcome, Profile, Running, spawn};
use crate::demo::Stage;
use crate::demo::latency::Latency;
use crate::demo::publisher::{LINES, LOAD};

/// The classes that are counted.
const COUNTED: [Class; 5] = [Class::SYSTEM_STATE, Class::NETWORK, Class::METRICS, LINES, LOAD];

/// Registers a callback for each class and starts the loop's thread.
///
/// # Errors
///
/// When a registration or the thread is refused.
pub(crate) fn start(stage: &Stage) -> Result<Running, Box<dyn Error>> {
    let mut event_loop = EventLoop::new(&stage.bus);
    let mut outcomes = Vec::new();
    for class in COUNTED {
        let profile =
            Profile::new(&format!("count {class}"), class, Policy::Backpressure, "callback");
        let registration = profile.registration(&stage.bus);
        let outcome = Outcome { profile, counts: Counts::default(), latency: Latency::new() };
        let outcome = Arc::new(Mutex::new(outcome));
        outcomes.push(Arc::clone(&outcome));
        let stage = stage.clone();
        event_loop.add(registration, move |event, _| {
            count(&mut outcome.lock().unwrap_or_else(PoisonError::into_inner), &event, &stage);
        })?;
    }
    Ok(spawn("counters", move || {
        let wakes = serve(&mut event_loop);
        let take = |outcome: Arc<Mutex<Outcome>>| {
            let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner).clone();
            outcome.counts.wakes = wakes;
            outcome
        };
        outcomes.into_iter().map(take).collect()
    })?)
}

/// Turns the loop until the bus is closed; how often it had to wait.
fn serve(event_loop: &mut EventLoop) -> u64 {
    let mut wakes = 0;
    loop {
        if event_loop.turn() > 0 {
            continue;
        }
        match event_loop.turn_timeout(None) {
            Ok(_) => wakes += 1,
            Err(_) => return wakes,
        }
    }
}

fn count(outcome: &mut Outcome, event: &Event<'_>, stage: &Stage) {
    let counts = &mut outcome.counts;
    match event {
        Event::Message(message) => {
            counts.delivered += 1;
            outcome.latency.measure(stage.bus.clock(), message);
            let received = counts.delivered + counts.lagged + counts.expired;
            let sent = stage.ledger.counts(outcome.profile.mask).sent;
            // Those waiting, and this one.
            let depth = (sent + 1).saturating_sub(received);
            counts.depth_max = counts.depth_max.max(depth);
        }
        Event::Lagged(Lag { count, reason: LagReason::Expired, .. }) => counts.expired += count,
        Event::Lagged(Lag { count, .. }) => counts.lagged += count,
    }
}
