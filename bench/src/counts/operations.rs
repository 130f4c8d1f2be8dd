//! The operations that are counted, each repeated often enough that what is done once for a segment or once for a
//! drain has its share in the mean.

use std::hint::black_box;

use smd_lockfree::{Clock, Outgoing, Sent};

use crate::payload::LEN;
use crate::scene::{OTHER, ROUND, Scene, WANTED, nothing_left};

/// Messages in a batch, and in a drain.
const BURST: usize = 32;
/// Messages in all that count.
const COUNTED: usize = 16 * 1024;
/// Messages before them: the pools are filled and the window has its length.
const WARM_UP: usize = 4 * 1024;

/// The name by which callgrind knows `section`.
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

/// A bus whose time stands still, with one participant of either kind.
fn scene() -> Result<Scene, String> {
    let (clock, _) = Clock::manual();
    Scene::new(clock, 1, 1)
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
    rounds(&mut scene()?, ROUND, filled, work, Scene::check)
}

fn bus_send() -> Result<u64, String> {
    let work = |scene: &mut Scene| {
        let queued = |payload| matches!(scene.bus.send(WANTED, payload), Ok(Sent::Queued(_)));
        scene.payloads.iter().map(|payload| u64::from(queued(black_box(payload)))).sum()
    };
    rounds(&mut scene()?, ROUND, filled, work, Scene::check)
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
    rounds(&mut scene()?, BURST, before, work, Scene::check)
}

/// With participants who want something else.
fn unwanted(work: impl FnMut(&mut Scene) -> u64) -> Result<u64, String> {
    let (clock, _) = Clock::manual();
    rounds(&mut Scene::new(clock, 0, 1)?, ROUND, |_| Ok(()), work, Scene::check)
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
        let participant = &mut scene.wanting[0];
        // Never one more than there are: nothing is found in another way.
        let found =
            |_| u64::from(participant.try_recv().map(|m| black_box(m.bytes()).len()).is_ok());
        (0..ROUND).map(found).sum()
    };
    rounds(&mut scene()?, ROUND, |scene| scene.send(WANTED, ROUND), work, received)
}

fn drain() -> Result<u64, String> {
    let work = |scene: &mut Scene| {
        let drained = scene.wanting[0].drain(|message| {
            black_box(message.bytes());
        });
        drained.map_or(0, |drained| drained as u64)
    };
    rounds(&mut scene()?, BURST, |scene| scene.send(WANTED, BURST), work, received)
}

fn received(scene: &mut Scene) -> Result<(), String> {
    nothing_left(&mut scene.wanting)
}

fn miss() -> Result<u64, String> {
    let work = |scene: &mut Scene| match scene.wanting[0].drain(|_| ()) {
        Ok(0) => ROUND as u64,
        _ => 0,
    };
    let after = |scene: &mut Scene| match scene.others[0].drain(|_| ()) {
        Ok(ROUND) => Ok(()),
        other => Err(format!("the others got {other:?} of {ROUND}")),
    };
    rounds(&mut scene()?, ROUND, |scene| scene.send(OTHER, ROUND), work, after)
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
