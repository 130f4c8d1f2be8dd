//! One thread sends a burst of 32 and drains all participants, again and again: what a message costs in processor
//! time, whatever the distance of processors. The most stable comparison.

use smd_lockfree::Clock;

use crate::payload::Tally;
use crate::peers::{BURST, Peer};
use crate::recorder::{Contestant, on_this_thread};

/// The workload's name.
pub const NAME: &str = "one thread sends 32, drains 8";

/// Participants that each receive every message.
pub const PARTICIPANTS: usize = 8;

const CAPACITY: u32 = 1024;
const BURSTS_A_STEP: usize = 8;

/// One peer's side.
pub fn contestant<P: Peer>(clock: &Clock) -> Contestant
where
    P::Sender: 'static,
    P::Receiver: 'static,
{
    let (mut sender, receivers) = P::open(clock, PARTICIPANTS, CAPACITY);
    let mut receivers: Vec<_> =
        receivers.into_iter().map(|receiver| (receiver, Tally::default())).collect();
    let mut sent = 0_u64;
    Contestant::new(NAME, P::NAME, move |span| {
        let measured = on_this_thread(span, || {
            let before = sent;
            for _ in 0..BURSTS_A_STEP {
                sent += P::send(&mut sender, sent, BURST) as u64;
                for (receiver, tally) in &mut receivers {
                    P::drain(receiver, tally);
                }
            }
            sent - before
        });
        for (_, tally) in &receivers {
            tally.check(sent)?;
        }
        if sent == 0 {
            return Err("nothing was sent".to_owned());
        }
        Ok(measured)
    })
}
