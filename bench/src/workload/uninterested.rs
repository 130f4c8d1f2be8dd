//! A send that one participant wants, while others are registered that do not: their number should not matter.
//!
//! Only the sends are timed, in bursts; the clock reads around a burst cost each message less than 0.2 ns, on both
//! sides alike. The uninterested ones look at the bus between the rounds, and must find nothing.

use std::hint::black_box;
use std::time::{Duration, Instant};

use smd_lockfree::{Bus, Class, Clock, Participant, Sent};

use crate::payload::{LEN, Tally, fill};
use crate::peers::CLASS;
use crate::recorder::{Contestant, Measured};

/// The workload's name.
pub const NAME: &str = "a send past the uninterested";

/// Sends between two looks at the clock, far below the backlog that a participant may have.
pub const SENDS_A_BURST: u64 = 256;

const OTHER: Class = Class::METRICS;

/// The side with so many uninterested participants.
pub fn contestant(clock: &Clock, uninterested: usize) -> Contestant {
    let mut scene = Scene::new(clock, uninterested);
    Contestant::new(NAME, side(uninterested), move |span| scene.round(span))
}

/// The name of the side with so many uninterested participants.
pub fn side(uninterested: usize) -> String {
    format!("{uninterested} uninterested")
}

/// One bus with one participant that wants everything sent, and others that want none of it.
#[derive(Debug)]
pub struct Scene {
    sender: smd_lockfree::Sender,
    interested: Participant,
    tally: Tally,
    others: Vec<Participant>,
    sent: u64,
}

impl Scene {
    /// With so many uninterested participants.
    pub fn new(clock: &Clock, uninterested: usize) -> Scene {
        let bus = Bus::builder().clock(clock.clone()).build().expect("a valid bus");
        let register = |mask| bus.register(mask).expect("a valid registration");
        Scene {
            sender: bus.sender(),
            interested: register(CLASS),
            tally: Tally::default(),
            others: (0..uninterested).map(|_| register(OTHER)).collect(),
            sent: 0,
        }
    }

    /// Sends `count` messages, at most [`SENDS_A_BURST`], and returns the time that took; then drains them.
    ///
    /// # Errors
    /// If a message was refused, lost, out of order or damaged.
    pub fn burst(&mut self, count: u64) -> Result<Duration, String> {
        let start = Instant::now();
        for n in self.sent..self.sent + count {
            let mut payload = [0; LEN];
            fill(&mut payload, n);
            match self.sender.send(CLASS, black_box(&payload)) {
                Ok(Sent::Queued(_)) => (),
                other => return Err(format!("message {n}: {other:?}")),
            }
        }
        let time = start.elapsed();
        self.sent += count;
        let tally = &mut self.tally;
        self.interested
            .drain(|message| tally.absorb(message.bytes()))
            .map_err(|error| error.to_string())?;
        tally.check(self.sent)?;
        Ok(time)
    }

    fn round(&mut self, span: Duration) -> Result<Measured, String> {
        let start = Instant::now();
        let mut measured = Measured::default();
        while start.elapsed() < span {
            measured.time += self.burst(SENDS_A_BURST)?;
            measured.messages += SENDS_A_BURST;
        }
        for other in &mut self.others {
            match other.drain(|_| ()) {
                Ok(0) => (),
                got => return Err(format!("an uninterested participant got {got:?}")),
            }
        }
        Ok(measured)
    }
}
