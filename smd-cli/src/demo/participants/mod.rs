//! The participants: each has its own mask, policy and way of waiting, and all of them measure
//! one-way latency.
//!
//! They are registered before the first producer starts, so each of them is to get every message of
//! its mask; only [`late`] joins while the service runs. Each lives in its own thread until the bus
//! is closed, takes what was accepted before that, and ends with its [`Outcome`].

mod counters;
pub(crate) mod late;
mod latency;
mod log;
mod rate_limit;
mod slow;
#[cfg(unix)]
mod watch;

use std::error::Error;
use std::thread::JoinHandle;

use smd_lockfree::{
    Bus, Class, Message, Participant, ParticipantStats, Policy, RecvError, RegisterError,
    Registration,
};

use super::latency::Latency;
use super::{Stage, spawn};

/// A participant's thread. An event loop's gives an outcome for each of its callbacks.
pub(crate) type Running = JoinHandle<Vec<Outcome>>;

/// Registers and starts all participants but the late one.
///
/// # Errors
///
/// When a registration or a thread is refused.
pub(crate) fn start(stage: &Stage) -> Result<Vec<Running>, Box<dyn Error>> {
    Ok(vec![
        log::start(stage)?,
        counters::start(stage)?,
        latency::start(stage)?,
        #[cfg(unix)]
        watch::start(stage)?,
        slow::start(stage)?,
    ])
}

/// What a participant asks for.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    /// Its name on the bus.
    pub(crate) name: String,
    /// The classes that it wants.
    pub(crate) mask: Class,
    /// What happens when it is full.
    pub(crate) policy: Policy,
    /// How it waits, in a word.
    pub(crate) wait: &'static str,
}

impl Profile {
    fn new(name: &str, mask: Class, policy: Policy, wait: &'static str) -> Profile {
        Profile { name: name.to_owned(), mask, policy, wait }
    }

    /// The registration that this profile describes.
    fn registration<'b>(&self, bus: &'b Bus) -> Registration<'b> {
        bus.participant().name(&self.name).mask(self.mask).policy(self.policy)
    }

    /// The policy as the report shows it.
    pub(crate) fn policy_text(&self) -> &'static str {
        match self.policy {
            Policy::Backpressure => "backpressure",
            Policy::Lag => "lag",
        }
    }
}

/// What became of the messages that a participant was to get.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) delivered: u64,
    pub(crate) expired: u64,
    pub(crate) lagged: u64,
    pub(crate) wakes: u64,
    pub(crate) depth_max: u64,
}

impl From<ParticipantStats> for Counts {
    fn from(stats: ParticipantStats) -> Counts {
        let ParticipantStats { delivered, expired, lagged, wakes, depth_max, .. } = stats;
        Counts { delivered, expired, lagged, wakes, depth_max }
    }
}

/// How a participant ended.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) profile: Profile,
    pub(crate) counts: Counts,
    pub(crate) latency: Latency,
}

/// A registered participant and what it measures.
#[derive(Debug)]
struct Seat {
    profile: Profile,
    participant: Participant,
    bus: Bus,
    latency: Latency,
}

impl Seat {
    /// Registers a participant by its profile, with a depth of its own or the bus's.
    fn take(stage: &Stage, profile: Profile, depth: Option<u32>) -> Result<Seat, RegisterError> {
        let mut registration = profile.registration(&stage.bus);
        if let Some(depth) = depth {
            registration = registration.depth(depth);
        }
        let participant = registration.register()?;
        Ok(Seat { profile, participant, bus: stage.bus.clone(), latency: Latency::new() })
    }

    /// Receives one by one, by `receive`, until the bus is closed and nothing is left; each message
    /// is measured, then given to `each`.
    fn serve(
        mut self,
        receive: impl for<'p> Fn(&'p mut Participant) -> Result<Message<'p>, RecvError>,
        mut each: impl FnMut(&Message<'_>),
    ) -> Vec<Outcome> {
        loop {
            match receive(&mut self.participant) {
                Ok(message) => {
                    self.latency.measure(self.bus.clock(), &message);
                    each(&message);
                }
                Err(error) if is_the_end(&error) => return self.leave(),
                // A lag report (the statistics count it), or a time-out.
                Err(_) => {}
            }
        }
    }

    fn leave(self) -> Vec<Outcome> {
        let counts = self.participant.stats().into();
        vec![Outcome { profile: self.profile, counts, latency: self.latency }]
    }
}

/// Whether nothing can follow this error.
fn is_the_end(error: &RecvError) -> bool {
    !matches!(error, RecvError::Empty | RecvError::Timeout | RecvError::Lagged(_))
}
