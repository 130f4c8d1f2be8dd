//! T6: a send that nobody wants. It should cost one load, and allocate nothing.

use std::hint::black_box;

use smd_lockfree::{Bus, Class, Clock, Participant, SendError, Sent};

use super::Context;
use crate::payload::LEN;
use crate::peers::{CLASS, Peer, Smd};
use crate::recorder::{Contestant, on_this_thread};
use crate::side::{Mode, Scenario, Side};

const SENDS_A_STEP: u64 = 4096;
const UNWANTED: Class = Class::METRICS;

/// Through a sender of one's own, and through the bus.
pub fn contestants(context: &Context) -> Vec<Contestant> {
    let clock = &context.clock;
    let by_sender = side("unwanted Sender::send", clock, |bus| {
        let sender = bus.sender();
        move |payload: &[u8]| sender.send(black_box(UNWANTED), payload)
    });
    let by_bus = side("unwanted Bus::send", clock, |bus| {
        let bus = bus.clone();
        move |payload: &[u8]| bus.send(black_box(UNWANTED), payload)
    });
    vec![by_sender, by_bus]
}

/// One bus, and one participant that wants another class.
fn open(clock: &Clock) -> Result<(Bus, Participant), String> {
    let bus = Bus::builder().clock(clock.clone()).build().map_err(|error| error.to_string())?;
    let other = bus.register(CLASS).map_err(|error| error.to_string())?;
    Ok((bus, other))
}

fn side<S: Fn(&[u8]) -> Result<Sent, SendError> + 'static>(
    variant: &str,
    clock: &Clock,
    way: impl Fn(&Bus) -> S + 'static,
) -> Contestant {
    let clock = clock.clone();
    let mut scene = None;
    let side = Side::new(Scenario::T6, Smd::NAME, Mode::Single, 1).variant(variant);
    Contestant::new(side, move |span| {
        let (send, other) = match &mut scene {
            Some(scene) => scene,
            none => {
                let (bus, other) = open(&clock)?;
                none.insert((way(&bus), other))
            }
        };
        let payload = [0; LEN];
        let mut unwanted = 0_u64;
        let measured = on_this_thread(span, || {
            // A local of the loop: a captured one lives in memory, and its latency would be measured.
            let mut found = 0;
            for _ in 0..SENDS_A_STEP {
                found += u64::from(matches!(send(black_box(&payload)), Ok(Sent::Unwanted)));
            }
            unwanted += found;
            SENDS_A_STEP
        });
        if unwanted != measured.messages {
            return Err(format!("{unwanted} of {} sends were unwanted", measured.messages));
        }
        if let Some(allocations @ 1..) = measured.allocations {
            return Err(format!("{unwanted} unwanted sends allocated {allocations} times"));
        }
        match other.drain(|_| ()) {
            Ok(0) => Ok(measured),
            got => Err(format!("the other participant got {got:?}")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{self, Plan};

    #[test]
    fn both_ways_are_valid() {
        let plan = Plan { turns: 2, warm_up: 1, millis: 1, seed: 1 };
        let rounds = recorder::run(plan, &mut contestants(&Context::new(true)), |_| ());
        let rounds = rounds.expect("valid");
        assert_eq!(rounds.len(), 4);
        assert!(rounds.iter().all(|round| round.messages >= SENDS_A_STEP && round.figure > 0.0));
    }
}
