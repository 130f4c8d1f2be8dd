//! T1, T2: one sender and one thread that polls all receivers, on two pinned threads, as fast as they can, nothing lost.
//! What counts is the time from the first send to the last receipt.
//!
//! ```text
//!   probe | sender:   32, 32, 32 ... until the time is over, then the total | probe
//!         | receiver: polls all in turn until each has the total            |
//! ```

use std::hint;
use std::time::{Duration, Instant};

use crossbeam_utils::Backoff;

use super::Context;
use super::ending::{Ending, PATIENCE};
use super::flow::{Flow, Inbox, Way};
use super::pair;
use crate::payload::LEN;
use crate::peers::{BURST, CAPACITY, Opened, Peer, Setup};
use crate::recorder::{Contestant, Gaps, Measured, Stalls};
use crate::side::{Scenario, Side};

/// Bursts between two looks at the clock.
const BURSTS: usize = 8;

/// One side: a peer, one way to send, so many receivers on one thread.
pub fn contestant<P: Peer, W: Way<P>>(
    context: &Context,
    scenario: Scenario,
    receivers: u32,
) -> Contestant {
    let side = Side::new(scenario, P::NAME, W::MODE, receivers);
    sized::<P, W>(context, side, LEN, true)
}

/// The same without stamps.
pub fn unstamped<P: Peer, W: Way<P>>(
    context: &Context,
    scenario: Scenario,
    receivers: u32,
) -> Contestant {
    let side = Side::new(scenario, P::NAME, W::MODE, receivers).variant(super::UNSTAMPED);
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
    let open = move || {
        let setup = Setup { clock: &clock, senders: 1, receivers, capacity: CAPACITY, stamped };
        P::open(&setup)
    };
    opened::<P, W>(context, side, len, open)
}

/// A side whose peer is opened in its own way, when its first round comes.
pub fn opened<P: Peer, W: Way<P>>(
    context: &Context,
    side: Side,
    len: usize,
    open: impl Fn() -> Opened<P> + 'static,
) -> Contestant {
    let cpus = context.cpus;
    let mut flow = None;
    Contestant::new(side, move |span| {
        let flow = match &mut flow {
            Some(flow) => flow,
            none => {
                let (senders, receivers) = open()?;
                none.insert(Flow::<P>::of_len(len, senders, receivers))
            }
        };
        round::<P, W>(flow, cpus.ok_or(super::ONE_PROCESSOR)?, span)
    })
}

fn round<P: Peer, W: Way<P>>(
    flow: &mut Flow<P>,
    cpus: (usize, usize),
    span: Duration,
) -> Result<Measured, String> {
    let before = flow.sent();
    let ending = Ending::of(1);
    let Flow { senders, receivers } = flow;
    let [(sender, sent)] = senders.as_mut_slice() else {
        return Err("it opened with more than one sender".to_owned());
    };
    let ending = &ending;
    let pair = pair::run(
        cpus,
        move || Ok(send_for::<P, W>(sender, sent, ending, span)),
        move || match receivers.len() {
            1 => Ok(ending.receive_polling(receivers, Inbox::drain_alone, || (), hint::spin_loop)),
            _ => Ok(ending.receive_polling(receivers, Inbox::drain, || (), hint::spin_loop)),
        },
    )?;
    let ((start, stalls), end) = (pair.first, pair.second);
    let messages = flow.check_since(&before)?;
    Ok(Measured {
        messages,
        time: end.duration_since(start),
        handoff: Some(pair.handoff),
        stalls,
        ..Measured::default()
    })
}

fn send_for<P: Peer, W: Way<P>>(
    sender: &mut P::Sender,
    sent: &mut u64,
    ending: &Ending,
    span: Duration,
) -> (Instant, Stalls) {
    let mut ends = ending.sender();
    let before = *sent;
    let mut next = before;
    let mut gaps = Gaps::start();
    while gaps.look(next - before) < span {
        for _ in 0..BURSTS {
            let accepted = W::send(sender, next, BURST);
            next += accepted as u64;
            if accepted < BURST {
                hint::spin_loop();
            }
        }
    }
    next += u64::from(finish::<P, W>(sender, next));
    *sent = next;
    ends.sent = next;
    (gaps.start, gaps.stalls)
}

/// One message more, and room is waited for: of one that was refused some receivers may have got theirs.
pub(super) fn finish<P: Peer, W: Way<P>>(sender: &mut P::Sender, n: u64) -> bool {
    let start = Instant::now();
    let backoff = Backoff::new();
    while start.elapsed() < PATIENCE {
        if W::send(sender, n, 1) == 1 {
            return true;
        }
        backoff.snooze();
    }
    false
}
