//! T5: receivers that sleep. How long until a woken one has the message, what waking it costs the sender, what it
//! costs while nothing comes, and how often it must be woken for many messages.
//!
//! ```text
//!   sender, spins      .-- 1,000 a second --.      idle       .- 32 at once -.    .- 32 at once -.
//!                      |     |     |     |                    |||||||             |||||||
//!   receiver      zzzzz|zzzzz|zzzzz|zzzzz|zzzzzzzzzzzzzzzzzzzz|zzzzzzzzzzzzzzzzzzz|zzzzzzzzzzzzzz
//!                       `- one way: from the stamp until it is seen
//! ```
//!
//! The receiver is observed from outside, by the sender's thread while nothing is sent: how often it went to sleep,
//! and the processor time that it used. The least that this can cost is a bare [`unpark`](Unpark).

#[cfg(target_os = "linux")]
mod alone;
mod bare;
mod peer;
mod round;
mod smd;

#[cfg(target_os = "linux")]
pub use bare::Eventfd;
pub use bare::Unpark;
pub use peer::Blocking;
#[cfg(target_os = "linux")]
pub use smd::Epoll;
pub use smd::{Call, SmdBy, Task, Timed};

use std::thread::Thread;

use smd_lockfree::Clock;

use self::round::{Plan, round};
use super::Context;
use super::pace::Arrival;
use crate::payload::Tally;
use crate::peers::{
    AsyncBroadcast, CrossbeamChannels, KanalChannels, Multiqueue2Asleep, OneBus, Tokio,
};
use crate::recorder::Contestant;
use crate::side::{Mode, Scenario, Side};

/// A sender, and a receiver that sleeps until something comes.
pub trait Sleeper: 'static {
    /// The contender's name in tables.
    const NAME: &'static str;
    /// Which of its ways to wait, if there are several.
    const VARIANT: &'static str = "";
    /// What the sending thread holds.
    type Sender: Send;
    /// What the receiving thread holds.
    type Receiver: Send;

    /// A sender and a receiver.
    ///
    /// # Errors
    /// A sentence that says what failed.
    fn open(clock: &Clock) -> Result<(Self::Sender, Self::Receiver), String>;

    /// The sender learns which thread receives from now on.
    fn meet(_: &mut Self::Sender, _receiver: &Thread) {}

    /// Sends message `n` with a stamp, and wakes the receiver if it sleeps.
    ///
    /// # Errors
    /// A sentence that says what failed.
    fn send(sender: &mut Self::Sender, clock: &Clock, n: u64) -> Result<(), String>;

    /// Writes into `log` what is there; sleeps while nothing is.
    ///
    /// # Errors
    /// A sentence that says what failed.
    fn receive(receiver: &mut Self::Receiver, log: &mut Log<'_>) -> Result<(), String>;

    /// How often the receiver was woken until now, where that is counted; then [`Log::waits`] must count too.
    fn wakes(_: &Self::Sender) -> Option<u64> {
        None
    }
}

/// What a receiver writes down.
#[derive(Debug)]
pub struct Log<'c> {
    clock: &'c Clock,
    tally: Tally,
    heard: u64,
    disorder: u64,
    arrivals: Vec<Arrival>,
    /// How often it found nothing and began to wait.
    pub waits: u64,
}

impl<'c> Log<'c> {
    fn new(clock: &'c Clock) -> Log<'c> {
        let tally = Tally::default();
        Log { clock, tally, heard: 0, disorder: 0, arrivals: Vec::new(), waits: 0 }
    }

    /// A message with a payload.
    #[inline]
    pub fn message(&mut self, stamp: u64, payload: &[u8]) {
        self.arrive(stamp);
        self.tally.absorb(payload);
    }

    /// Message `n` of those that have no payload.
    #[inline]
    pub fn bare(&mut self, stamp: u64, n: u64) {
        self.disorder += u64::from(n != self.heard);
        self.arrive(stamp);
    }

    #[inline]
    fn arrive(&mut self, sent: u64) {
        self.heard += 1;
        self.arrivals.push(Arrival { sent, received: self.clock.now().nanos() });
    }

    fn check(&self, sent: u64) -> Result<(), String> {
        if self.heard != sent || self.disorder != 0 {
            return Err(format!("{} of {sent} messages arrived, in order or not", self.heard));
        }
        // Those without a payload were checked by their number.
        if self.tally.count() == 0 { Ok(()) } else { self.tally.check(sent) }
    }
}

/// The bus in each of its ways, the peers that can sleep, and the bound.
pub fn contestants(context: &Context) -> Vec<Contestant> {
    let Some(cpus) = context.cpus else { return Vec::new() };
    macro_rules! of {
        ($($sleeper:ty),+ $(,)?) => {
            vec![$(contestant::<$sleeper>(&context.clock, cpus)),+]
        };
    }
    let mut contestants = of![
        SmdBy<Call>,
        SmdBy<Timed>,
        SmdBy<Task>,
        Blocking<Multiqueue2Asleep>,
        Blocking<Tokio<true>>,
        Blocking<AsyncBroadcast>,
        Blocking<OneBus>,
        Blocking<CrossbeamChannels>,
        Blocking<KanalChannels>,
        Unpark,
    ];
    #[cfg(target_os = "linux")]
    contestants.extend(of![SmdBy<Epoll>]);
    #[cfg(feature = "lws")]
    contestants.extend(of![Blocking<crate::peers::LwsSmd>]);
    contestants
}

/// A sleeper's side of T5.
pub fn contestant<S: Sleeper>(clock: &Clock, cpus: (usize, usize)) -> Contestant {
    let side = Side::new(Scenario::T5, S::NAME, Mode::Block, 1).variant(S::VARIANT);
    contestant_as::<S>(side, clock, cpus)
}

/// A sleeper under another row. Each round opens it anew.
pub fn contestant_as<S: Sleeper>(side: Side, clock: &Clock, cpus: (usize, usize)) -> Contestant {
    let clock = clock.clone();
    Contestant::new(side, move |span| round::<S>(&clock, cpus, Plan::new(span)))
}

#[cfg(test)]
mod tests;
