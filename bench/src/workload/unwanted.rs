//! A send that nobody wants: it should cost one load, and allocate nothing.

use std::hint::black_box;

use smd_lockfree::{Bus, Class, Clock, Participant, SendError, Sent};

use crate::payload::LEN;
use crate::recorder::{Contestant, on_this_thread};

/// The workload's name.
pub const NAME: &str = "a send that nobody wants";

/// The side that the target is about: a [`smd_lockfree::Sender`], and one participant that wants another class.
pub const SENDER: &str = "Sender::send";

const SENDS_A_STEP: u64 = 4096;
const OTHER: Class = Class::NETWORK;
const UNWANTED: Class = Class::METRICS;

/// Through a sender of one's own, and through the bus.
pub fn contestants(clock: &Clock) -> Vec<Contestant> {
    let (bus, other) = bus_with_one(clock);
    let sender = bus.sender();
    let by_sender = side(SENDER, other, move |payload| sender.send(black_box(UNWANTED), payload));
    let (bus, other) = bus_with_one(clock);
    let by_bus = side("Bus::send", other, move |payload| bus.send(black_box(UNWANTED), payload));
    vec![by_sender, by_bus]
}

fn bus_with_one(clock: &Clock) -> (Bus, Participant) {
    let bus = Bus::builder().clock(clock.clone()).build().expect("a valid bus");
    let other = bus.register(OTHER).expect("a valid registration");
    (bus, other)
}

fn side(
    name: &str,
    mut other: Participant,
    send: impl Fn(&[u8]) -> Result<Sent, SendError> + 'static,
) -> Contestant {
    let payload = [0; LEN];
    Contestant::new(NAME, name, move |span| {
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
        match other.drain(|_| ()) {
            Ok(0) => Ok(measured),
            got => Err(format!("the other participant got {got:?}")),
        }
    })
}
