//! T2S: one thread sends a burst of 32 and drains all participants, again and again: what a message costs in processor
//! time, whatever the distance of processors. The most stable comparison.

use super::Context;
use super::flow::{Flow, Way};
use crate::payload::LEN;
use crate::peers::{BURST, CAPACITY, Peer, Setup};
use crate::recorder::{Contestant, on_this_thread};
use crate::side::{Scenario, Side};

/// Messages between two looks at the clock, as far as whole bursts go, over all participants.
const DELIVERIES: usize = 512;

/// One side.
pub fn contestant<P: Peer, W: Way<P>>(context: &Context, participants: u32) -> Contestant {
    let side = Side::new(Scenario::T2s, P::NAME, W::MODE, participants);
    sized::<P, W>(context, side, LEN, true)
}

/// The same without stamps.
pub fn unstamped<P: Peer, W: Way<P>>(context: &Context, participants: u32) -> Contestant {
    let side = Side::new(Scenario::T2s, P::NAME, W::MODE, participants).variant(super::UNSTAMPED);
    sized::<P, W>(context, side, LEN, false)
}

/// A side of its own name, for a peer whose payloads have so many bytes.
pub fn sized<P: Peer, W: Way<P>>(
    context: &Context,
    side: Side,
    len: usize,
    stamped: bool,
) -> Contestant {
    let clock = context.clock.clone();
    let receivers = side.participants as usize;
    let bursts = (DELIVERIES / BURST / receivers.max(1)).max(1);
    let mut flow = None;
    Contestant::new(side, move |span| {
        let flow = match &mut flow {
            Some(flow) => flow,
            none => {
                let capacity = CAPACITY;
                let setup = Setup { clock: &clock, senders: 1, receivers, capacity, stamped };
                let (senders, receivers) = P::open(&setup)?;
                none.insert(Flow::<P>::of_len(len, senders, receivers))
            }
        };
        let before = flow.sent();
        let Flow { senders, receivers } = &mut *flow;
        let [(sender, sent)] = senders.as_mut_slice() else {
            return Err("it opened with more than one sender".to_owned());
        };
        let measured = on_this_thread(span, || {
            let mut next = *sent;
            for _ in 0..bursts {
                next += W::send(sender, next, BURST) as u64;
                for inbox in receivers.iter_mut() {
                    // A peer may take less at once than there is.
                    let mut left = BURST;
                    while left > 0 {
                        match inbox.drain() {
                            0 => break,
                            drained => left = left.saturating_sub(drained),
                        }
                    }
                }
            }
            let messages = next - *sent;
            *sent = next;
            messages
        });
        flow.check_since(&before)?;
        Ok(measured)
    })
}
