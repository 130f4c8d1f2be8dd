//! T6: a send that one participant wants, while others are registered that do not: their number should not matter.
//!
//! Only the sends are timed, in bursts; the clock reads around a burst cost each message less than 0.2 ns, on all
//! sides alike. The uninterested ones look at the bus between the rounds, and must find nothing.

use std::hint::black_box;
use std::time::{Duration, Instant};

use smd_lockfree::{Bus, Class, Clock, Participant, Sender, Sent};

use super::Context;
use crate::payload::{LEN, Tally, fill};
use crate::peers::{CLASS, Peer, Smd};
use crate::recorder::{Contestant, Measured};
use crate::side::{Mode, Scenario, Side};

/// How many uninterested participants there are; without any is what the others are compared with.
pub const NUMBERS: [usize; 5] = [0, 1, 10, 100, 1000];

/// Sends between two looks at the clock, far below the backlog that a participant may have.
pub const SENDS_A_BURST: u64 = 256;

const OTHER: Class = Class::METRICS;

/// With each number of uninterested participants.
pub fn contestants(context: &Context) -> Vec<Contestant> {
    let clock = &context.clock;
    NUMBERS.iter().map(|&uninterested| contestant(clock, uninterested)).collect()
}

fn contestant(clock: &Clock, uninterested: usize) -> Contestant {
    let clock = clock.clone();
    let mut scene = None;
    let side = Side::new(Scenario::T6, Smd::NAME, Mode::Single, 1)
        .variant(format!("{uninterested} uninterested"));
    Contestant::new(side, move |span| {
        let scene = match &mut scene {
            Some(scene) => scene,
            none => none.insert(Scene::new(&clock, uninterested)?),
        };
        scene.round(span)
    })
}

/// One bus with one participant that wants everything sent, and others that want none of it.
#[derive(Debug)]
pub struct Scene {
    sender: Sender,
    interested: Participant,
    tally: Tally,
    others: Vec<Participant>,
    sent: u64,
}

impl Scene {
    /// With so many uninterested participants.
    ///
    /// # Errors
    /// What the bus says.
    pub fn new(clock: &Clock, uninterested: usize) -> Result<Scene, String> {
        let bus = Bus::builder().clock(clock.clone()).build().map_err(|error| error.to_string())?;
        let register = |mask| bus.register(mask).map_err(|error| error.to_string());
        Ok(Scene {
            sender: bus.sender(),
            interested: register(CLASS)?,
            tally: Tally::default(),
            others: (0..uninterested).map(|_| register(OTHER)).collect::<Result<_, _>>()?,
            sent: 0,
        })
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
        while measured.messages == 0 || start.elapsed() < span {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{self, Plan};

    #[test]
    fn every_number_is_valid() {
        let plan = Plan { turns: 2, warm_up: 0, millis: 1, seed: 1 };
        let rounds = recorder::run(plan, &mut contestants(&Context::new(true)), |_| ());
        let rounds = rounds.expect("valid");
        assert_eq!(rounds.len(), 2 * NUMBERS.len());
        assert!(rounds.iter().all(|round| round.messages >= SENDS_A_BURST && round.figure > 0.0));
    }
}
