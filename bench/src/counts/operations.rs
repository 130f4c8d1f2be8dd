//! The operations that are counted, each repeated often enough that what is done once for a segment or once for a
//! drain has its share in the mean.

use std::hint::black_box;

use smd_lockfree::{Bus, Class, Clock, Outgoing, Participant, Sent};

use crate::payload::{LEN, Tally, fill};

/// Messages that are sent before they are drained.
const ROUND: usize = 256;
/// Messages in a batch, and in a drain.
const BURST: usize = 32;
/// Messages in all that count.
const COUNTED: usize = 16 * 1024;
/// Messages before them: the pools are filled and the window has its length.
const WARM_UP: usize = 4 * 1024;

const WANTED: Class = Class::NETWORK;
const OTHER: Class = Class::METRICS;

/// The name by which callgrind knows [`section`].
pub const SECTION: &str = "*instructions_are_counted_here*";

/// One thing that is counted.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Its name in the baseline and on the command line.
    pub name: &'static str,
    /// What one of it is.
    pub what: &'static str,
    run: fn() -> Result<u64, String>,
}

impl Operation {
    const fn new(
        name: &'static str,
        what: &'static str,
        run: fn() -> Result<u64, String>,
    ) -> Operation {
        Operation { name, what, run }
    }

    /// Does it, and returns how often inside the counted section.
    ///
    /// # Errors
    /// If the bus did not do what the operation is about: then there is nothing to count.
    pub fn run(&self) -> Result<u64, String> {
        (self.run)().map_err(|error| format!("{}: {error}", self.name))
    }

    /// The operation of that name.
    pub fn named(name: &str) -> Option<&'static Operation> {
        ALL.iter().find(|operation| operation.name == name)
    }
}

/// All that is counted.
pub const ALL: [Operation; 10] = [
    Operation::new("loop", "a turn of the loop that repeats each of those below", empty),
    Operation::new("send", "Sender::send of 64 bytes that one participant wants", send),
    Operation::new("bus-send", "Bus::send of 64 bytes that one participant wants", bus_send),
    Operation::new("batch", "a message of Sender::send_batch with 32", batch),
    Operation::new("send-unwanted", "Sender::send that nobody wants", send_unwanted),
    Operation::new("bus-send-unwanted", "Bus::send that nobody wants", bus_send_unwanted),
    Operation::new("alloc-unwanted", "Sender::alloc that nobody wants", alloc_unwanted),
    Operation::new("try-recv", "try_recv of a message that is there", try_recv),
    Operation::new("drain", "a message of a drain of 32", drain),
    Operation::new("miss", "a message that a drain steps over, 256 in a row", miss),
];

/// What is inside is counted, what is outside is not. Never inlined, and never left by a jump.
#[inline(never)]
fn instructions_are_counted_here(work: &mut dyn FnMut() -> u64) -> u64 {
    let done = work();
    black_box(done)
}

/// Repeats `work`, which does `each` operations, between an uncounted `before` and `after`.
fn rounds<S>(
    scene: &mut S,
    each: usize,
    mut before: impl FnMut(&mut S) -> Result<(), String>,
    mut work: impl FnMut(&mut S) -> u64,
    mut after: impl FnMut(&mut S) -> Result<(), String>,
) -> Result<u64, String> {
    let mut total = 0;
    for round in 0..(WARM_UP + COUNTED) / each {
        before(scene)?;
        let mut work = || work(scene);
        let done = if round < WARM_UP / each {
            work()
        } else {
            total += each as u64;
            instructions_are_counted_here(&mut work)
        };
        if done != each as u64 {
            return Err(format!("{done} of {each} did what they should"));
        }
        after(scene)?;
    }
    Ok(total)
}

/// A bus whose time stands still, one participant that wants what is sent and one that does not.
struct Scene {
    bus: Bus,
    sender: smd_lockfree::Sender,
    wanting: Participant,
    other: Participant,
    payloads: Box<[[u8; LEN]; ROUND]>,
    sent: u64,
    tally: Tally,
}

impl Scene {
    fn new() -> Result<Scene, String> {
        let (clock, _) = Clock::manual();
        let bus = Bus::builder().clock(clock).build().map_err(|error| error.to_string())?;
        let register = |mask| bus.register(mask).map_err(|error| error.to_string());
        let (wanting, other) = (register(WANTED)?, register(OTHER)?);
        let sender = bus.sender();
        let payloads = Box::new([[0; LEN]; ROUND]);
        Ok(Scene { bus, sender, wanting, other, payloads, sent: 0, tally: Tally::default() })
    }

    /// The next `count` payloads.
    fn fill(&mut self, count: usize) {
        for (payload, n) in self.payloads.iter_mut().take(count).zip(self.sent..) {
            fill(payload, n);
        }
        self.sent += count as u64;
    }

    /// The next `count` messages, sent off the count.
    fn send(&mut self, class: Class, count: usize) -> Result<(), String> {
        self.fill(count);
        for payload in self.payloads.iter().take(count) {
            let sent = self.sender.send(class, payload).map_err(|error| error.to_string())?;
            if !sent.is_queued() {
                return Err("a message was not wanted".to_owned());
            }
        }
        Ok(())
    }

    /// Whether all that was sent arrives, and nothing else.
    fn check(&mut self) -> Result<(), String> {
        let Scene { wanting, other, tally, sent, .. } = self;
        let receive = |participant: &mut Participant, tally: &mut Tally| {
            participant.drain(|message| tally.absorb(message.bytes())).map(drop)
        };
        receive(wanting, tally).and_then(|()| receive(other, tally)).map_err(|e| e.to_string())?;
        tally.check(*sent)
    }
}

fn empty() -> Result<u64, String> {
    let ok = |(): &mut ()| Ok(());
    let work = |(): &mut ()| (0..ROUND).map(|_| u64::from(black_box(true))).sum();
    rounds(&mut (), ROUND, ok, work, ok)
}

fn send() -> Result<u64, String> {
    let work = |scene: &mut Scene| {
        let queued = |payload| matches!(scene.sender.send(WANTED, payload), Ok(Sent::Queued(_)));
        scene.payloads.iter().map(|payload| u64::from(queued(black_box(payload)))).sum()
    };
    rounds(&mut Scene::new()?, ROUND, filled, work, Scene::check)
}

fn bus_send() -> Result<u64, String> {
    let work = |scene: &mut Scene| {
        let queued = |payload| matches!(scene.bus.send(WANTED, payload), Ok(Sent::Queued(_)));
        scene.payloads.iter().map(|payload| u64::from(queued(black_box(payload)))).sum()
    };
    rounds(&mut Scene::new()?, ROUND, filled, work, Scene::check)
}

fn filled(scene: &mut Scene) -> Result<(), String> {
    scene.fill(ROUND);
    Ok(())
}

fn batch() -> Result<u64, String> {
    let before = |scene: &mut Scene| {
        scene.fill(BURST);
        Ok(())
    };
    let work = |scene: &mut Scene| {
        let Scene { sender, payloads, .. } = scene;
        let batch: [Outgoing<'_>; BURST] =
            std::array::from_fn(|i| Outgoing::new(WANTED, &payloads[i]));
        sender.send_batch(black_box(&batch)).map_or(0, |sent| sent.queued as u64)
    };
    rounds(&mut Scene::new()?, BURST, before, work, Scene::check)
}

/// With one participant, who wants something else.
fn unwanted(work: impl FnMut(&mut Scene) -> u64) -> Result<u64, String> {
    let mut scene = Scene::new()?;
    scene.wanting.set_mask(OTHER).map_err(|error| error.to_string())?;
    rounds(&mut scene, ROUND, |_| Ok(()), work, Scene::check)
}

fn send_unwanted() -> Result<u64, String> {
    unwanted(|scene| {
        let unwanted = |payload| matches!(scene.sender.send(WANTED, payload), Ok(Sent::Unwanted));
        scene.payloads.iter().map(|payload| u64::from(unwanted(black_box(payload)))).sum()
    })
}

fn bus_send_unwanted() -> Result<u64, String> {
    unwanted(|scene| {
        let unwanted = |payload| matches!(scene.bus.send(WANTED, payload), Ok(Sent::Unwanted));
        scene.payloads.iter().map(|payload| u64::from(unwanted(black_box(payload)))).sum()
    })
}

fn alloc_unwanted() -> Result<u64, String> {
    unwanted(|scene| {
        let unwanted = |len| matches!(scene.sender.alloc(WANTED, len), Ok(None));
        (0..ROUND).map(|_| u64::from(unwanted(black_box(LEN)))).sum()
    })
}

fn try_recv() -> Result<u64, String> {
    let work = |scene: &mut Scene| {
        let mut received = 0;
        while let Ok(message) = scene.wanting.try_recv() {
            black_box(message.bytes());
            received += 1;
            // What is not there takes another way.
            if received == ROUND as u64 {
                break;
            }
        }
        received
    };
    rounds(&mut Scene::new()?, ROUND, |scene| scene.send(WANTED, ROUND), work, nothing_left)
}

fn drain() -> Result<u64, String> {
    let work = |scene: &mut Scene| {
        let drained = scene.wanting.drain(|message| {
            black_box(message.bytes());
        });
        drained.map_or(0, |drained| drained as u64)
    };
    rounds(&mut Scene::new()?, BURST, |scene| scene.send(WANTED, BURST), work, nothing_left)
}

fn nothing_left(scene: &mut Scene) -> Result<(), String> {
    match scene.wanting.drain(|_| ()) {
        Ok(0) => Ok(()),
        other => Err(format!("there was more: {other:?}")),
    }
}

fn miss() -> Result<u64, String> {
    let work = |scene: &mut Scene| match scene.wanting.drain(|_| ()) {
        Ok(0) => ROUND as u64,
        _ => 0,
    };
    rounds(&mut Scene::new()?, ROUND, |scene| scene.send(OTHER, ROUND), work, Scene::check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_does_what_it_says() {
        for operation in ALL {
            assert_eq!(operation.run(), Ok(COUNTED as u64));
        }
    }

    #[test]
    fn names_are_their_own() {
        for operation in &ALL {
            assert!(Operation::named(operation.name).is_some_and(|o| o.what == operation.what));
        }
        assert!(Operation::named("no such").is_none());
    }

    #[test]
    fn an_operation_that_does_nothing_is_refused() {
        let ok = |(): &mut ()| Ok(());
        let counted = rounds(&mut (), ROUND, ok, |()| ROUND as u64 - 1, ok);
        assert_eq!(counted, Err("255 of 256 did what they should".to_owned()));
    }
}
