//! T2S for the original: the thread that sends is the one that runs its loop, which is how `lws_smd` is meant to be used.
//!
//! Its queue holds fewer messages than a burst has, so the loop goes round whenever it is full: three times in a burst.

use super::Context;
use crate::payload::Tally;
use crate::peers::{BURST, Loop, LwsSmd, Peer};
use crate::recorder::{Contestant, on_this_thread};
use crate::side::{Mode, Scenario, Side};

/// Messages that its queue holds.
const DEPTH: usize = LwsSmd::DEPTH as usize;

/// One side: no mutex, one stamp for each message.
pub fn contestant(context: &Context, participants: u32) -> Contestant {
    let clock = context.clock.clone();
    let mut opened = None;
    let mut sent = 0;
    let mut tallies = vec![Tally::default(); participants as usize];
    let side = Side::new(Scenario::T2s, LwsSmd::NAME, Mode::Single, participants);
    Contestant::new(side, move |span| {
        let before = sent;
        let lws = match &mut opened {
            Some(lws) => lws,
            none => none.insert(Loop::open(tallies.len())?),
        };
        let measured = on_this_thread(span, || {
            let before = sent;
            for _ in 0..BURST.div_ceil(DEPTH) {
                while sent < before + BURST as u64 && lws.send(clock.now().nanos(), sent) {
                    sent += 1;
                }
                lws.service(&mut |participant, seen| tallies[participant].absorb(seen.payload));
            }
            sent - before
        });
        for tally in &tallies {
            tally.check(sent)?;
        }
        if sent == before { Err("nothing was sent".to_owned()) } else { Ok(measured) }
    })
}
