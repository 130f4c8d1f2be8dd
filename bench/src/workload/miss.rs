//! T6: messages that a participant steps over because it does not want them.
//!
//! ```text
//!   log   b b b b A b b b b A b b b b A        A: wanted by the one who is timed
//!         `--63--'                             b: wanted by somebody else
//! ```
//!
//! The log is filled off the clock; then one drain is timed. The figure is the time of the whole drain for each message
//! that it stepped over: what it delivers, and the call itself, are in it, as they are in a program.

use std::time::{Duration, Instant};

use smd_lockfree::{Bus, Class, Clock, Participant, Sender, Sent};

use super::Context;
use crate::payload::{LEN, Tally, fill};
use crate::peers::{CLASS, Peer, Smd};
use crate::recorder::{Contestant, Measured};
use crate::side::{Mode, Scenario, Side};

/// Messages in the log when a drain begins: far below a backlog, and in segments that are not full of others.
const LOG: u64 = 1024;

const OTHER: Class = Class::METRICS;

/// With one wanted of 64, and with none.
pub fn contestants(context: &Context) -> Vec<Contestant> {
    let clock = &context.clock;
    vec![
        contestant(clock, "filter miss", Some(64)),
        contestant(clock, "filter miss, none wanted", None),
    ]
}

fn contestant(clock: &Clock, variant: &str, every: Option<u64>) -> Contestant {
    let clock = clock.clone();
    let mut scene = None;
    let side = Side::new(Scenario::T6, Smd::NAME, Mode::Single, 1).variant(variant);
    Contestant::new(side, move |span| {
        let scene = match &mut scene {
            Some(scene) => scene,
            none => none.insert(Scene::new(&clock, every)?),
        };
        let start = Instant::now();
        let mut measured = Measured::default();
        while measured.messages == 0 || start.elapsed() < span {
            let (time, missed) = scene.turn()?;
            measured.time += time;
            measured.messages += missed;
        }
        Ok(measured)
    })
}

/// A participant, what it has seen of its own messages, and how many there were.
struct Reader {
    participant: Participant,
    class: Class,
    tally: Tally,
    sent: u64,
}

impl Reader {
    fn new(bus: &Bus, class: Class) -> Result<Reader, String> {
        let participant = bus.register(class).map_err(|error| error.to_string())?;
        Ok(Reader { participant, class, tally: Tally::default(), sent: 0 })
    }

    /// One drain: how long it took. It must bring all that was sent to this reader.
    fn drain(&mut self) -> Result<Duration, String> {
        let tally = &mut self.tally;
        let start = Instant::now();
        let drained = self.participant.drain(|message| tally.absorb(message.bytes()));
        let time = start.elapsed();
        drained.map_err(|error| error.to_string())?;
        self.tally.check(self.sent).map(|()| time)
    }
}

struct Scene {
    sender: Sender,
    picky: Reader,
    other: Reader,
    every: Option<u64>,
}

impl Scene {
    fn new(clock: &Clock, every: Option<u64>) -> Result<Scene, String> {
        let bus = Bus::builder().clock(clock.clone()).build().map_err(|error| error.to_string())?;
        let (picky, other) = (Reader::new(&bus, CLASS)?, Reader::new(&bus, OTHER)?);
        Ok(Scene { sender: bus.sender(), picky, other, every })
    }

    /// Fills the log and drains it: the time of the drain that steps over most of it, and over how many.
    fn turn(&mut self) -> Result<(Duration, u64), String> {
        let mut missed = 0;
        for i in 0..LOG {
            let wanted = self.every.is_some_and(|every| i % every == every - 1);
            missed += u64::from(!wanted);
            let reader = if wanted { &mut self.picky } else { &mut self.other };
            let mut payload = [0; LEN];
            fill(&mut payload, reader.sent);
            match self.sender.send(reader.class, &payload) {
                Ok(Sent::Queued(_)) => reader.sent += 1,
                other => return Err(format!("message {i} of a turn: {other:?}")),
            }
        }
        let time = self.picky.drain()?;
        self.other.drain()?;
        Ok((time, missed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{self, Plan};

    #[test]
    fn both_logs_are_valid() {
        let plan = Plan { turns: 2, warm_up: 0, millis: 1, seed: 1 };
        let rounds =
            recorder::run(plan, &mut contestants(&Context::new(true)), |_| ()).expect("valid");
        assert_eq!(rounds.len(), 4);
        for round in rounds {
            let a_turn =
                if round.side.variant.ends_with("none wanted") { LOG } else { LOG / 64 * 63 };
            assert!(round.messages >= a_turn && round.messages.is_multiple_of(a_turn));
            assert!(round.figure > 0.0);
        }
    }

    #[test]
    fn who_wants_nothing_gets_nothing() {
        let mut scene = Scene::new(&Clock::real(), None).expect("a valid bus");
        assert!(scene.turn().is_ok_and(|(_, missed)| missed == LOG));
        // Not what the reader was told to expect: it is noticed.
        scene.picky.sent += 1;
        assert!(scene.turn().is_err());
    }
}
