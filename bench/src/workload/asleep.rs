//! T1 with calls that wait: a sender that waits for room, a receiver that sleeps when there is nothing.

use std::time::{Duration, Instant};

use super::Context;
use super::ending::Ending;
use super::flow::Flow;
use super::pair;
use crate::peers::{Blocks, CAPACITY, Setup};
use crate::recorder::{Contestant, Gaps, Measured, Stalls};
use crate::side::{Mode, Scenario, Side};

/// Messages between two looks at the clock.
const MESSAGES: usize = 64;

/// One side.
pub fn contestant<P: Blocks>(context: &Context) -> Contestant {
    let Context { clock, cpus, .. } = context.clone();
    let mut flow = None;
    Contestant::new(Side::new(Scenario::T1, P::NAME, Mode::Block, 1), move |span| {
        let flow = match &mut flow {
            Some(flow) => flow,
            none => {
                let capacity = CAPACITY;
                let setup =
                    Setup { clock: &clock, senders: 1, receivers: 1, capacity, stamped: true };
                let (senders, receivers) = P::open(&setup)?;
                none.insert(Flow::<P>::new(senders, receivers))
            }
        };
        round(flow, cpus.ok_or(super::ONE_PROCESSOR)?, span)
    })
}

fn round<P: Blocks>(
    flow: &mut Flow<P>,
    cpus: (usize, usize),
    span: Duration,
) -> Result<Measured, String> {
    let before = flow.sent();
    let ([(sender, sent)], [inbox]) = (&mut *flow.senders, &mut *flow.receivers) else {
        return Err("it opened with more than one sender or receiver".to_owned());
    };
    let ending = Ending::of(1);
    let ending = &ending;
    let pair = pair::run(
        cpus,
        move || send_for::<P>(sender, sent, ending, span),
        move || Ok(ending.receive_asleep(inbox)),
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

fn send_for<P: Blocks>(
    sender: &mut P::Sender,
    sent: &mut u64,
    ending: &Ending,
    span: Duration,
) -> Result<(Instant, Stalls), String> {
    let before = *sent;
    let mut next = before;
    let mut gaps = Gaps::start();
    while gaps.look(next - before) < span {
        for _ in 0..MESSAGES {
            P::send_blocking(sender, next);
            next += 1;
        }
    }
    let count = next;
    let ended = ending.sender_to_sleepers_ended(count, 1, || {
        P::send_blocking(sender, next);
        next += 1;
    });
    *sent = next;
    ended.map(|()| (gaps.start, gaps.stalls))
}
