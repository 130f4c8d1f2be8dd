//! T8: registering and leaving while messages flow.
//!
//! ```text
//!   one thread       sends 32, drains two participants, and so on   | the same          |
//!   the other        waits                                          | joins and leaves  |
//!                    `- alone                                       `- beside
//! ```
//!
//! The figure is the time of a pair of joining and leaving. What the flow of messages costs beside that, against alone
//! in the same round, stands beside it. Who joins receives nothing, and owes nobody anything when it has left.

use std::hint;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use smd_lockfree::{Class, Clock};

use super::{Context, pair};
use crate::payload::Tally;
use crate::peers::{
    AsyncBroadcast, BURST, CAPACITY, Door, Joins, Peer, Seen, Setup, Smd, Tokio, smd_door,
};
use crate::recorder::{Contestant, Measured};
use crate::side::{Mode, Scenario, Side};

/// Participants that receive everything.
const PARTICIPANTS: usize = 2;

/// Bursts between two looks at the clock.
const BURSTS_A_LOOK: usize = 16;

/// The variant's name in tables: for the class that is sent.
const PAIR: &str = "register and leave";

/// A class that is not sent.
const ELSEWHERE: Class = Class::METRICS;

/// The bus, joined by who wants what is sent and by who does not, and the peers that can be joined from another thread.
/// The receivers of `multiqueue2` that have a stream for themselves make no other streams.
pub fn contestants(context: &Context) -> Vec<Contestant> {
    let Context { clock, cpus, .. } = context;
    let Some(cpus) = *cpus else { return Vec::new() };
    vec![
        contestant::<Smd>(clock, cpus, PAIR, Smd::door),
        contestant::<Smd>(clock, cpus, "register and leave, for another class", |_, receiver| {
            smd_door(receiver, ELSEWHERE)
        }),
        contestant::<Tokio<false>>(clock, cpus, PAIR, Tokio::<false>::door),
        contestant::<AsyncBroadcast>(clock, cpus, PAIR, AsyncBroadcast::door),
    ]
}

type Entrance<P> = fn(&<P as Peer>::Sender, &<P as Peer>::Receiver) -> Door;

fn contestant<P: Peer>(
    clock: &Clock,
    cpus: (usize, usize),
    variant: &str,
    entrance: Entrance<P>,
) -> Contestant {
    let clock = clock.clone();
    let mut scene = None;
    let side = Side::new(Scenario::T8, P::NAME, Mode::Single, PARTICIPANTS as u32).variant(variant);
    Contestant::new(side, move |span| {
        let flow = match &mut scene {
            Some(flow) => flow,
            none => none.insert(Flow::<P>::open(&clock)?),
        };
        round(flow, cpus, span, entrance)
    })
}

/// A sender and the participants that one thread serves.
struct Flow<P: Peer> {
    sender: P::Sender,
    receivers: Vec<(P::Receiver, Tally)>,
    sent: u64,
}

impl<P: Peer> Flow<P> {
    fn open(clock: &Clock) -> Result<Flow<P>, String> {
        let receivers = PARTICIPANTS;
        let setup = Setup { clock, senders: 1, receivers, capacity: CAPACITY, stamped: true };
        let (mut senders, receivers) = P::open(&setup)?;
        let sender = senders.pop().ok_or_else(|| "it opened without a sender".to_owned())?;
        let receivers = receivers.into_iter().map(|receiver| (receiver, Tally::default()));
        Ok(Flow { sender, receivers: receivers.collect(), sent: 0 })
    }

    /// Sends and drains for `span`; nanoseconds of each message.
    fn run(&mut self, span: Duration) -> Result<f64, String> {
        let (start, before) = (Instant::now(), self.sent);
        let time = loop {
            for _ in 0..BURSTS_A_LOOK {
                // Who has just joined may fill the channel for a moment.
                self.sent += P::send(&mut self.sender, self.sent, BURST) as u64;
                for (receiver, tally) in &mut self.receivers {
                    P::drain(receiver, &mut |seen: &Seen<'_>| tally.absorb(seen.payload));
                }
            }
            let elapsed = start.elapsed();
            if elapsed >= span {
                break elapsed;
            }
        };
        for (_, tally) in &self.receivers {
            tally.check(self.sent)?;
        }
        match self.sent - before {
            0 => Err("nothing could be sent".to_owned()),
            messages => Ok(time.as_nanos() as f64 / messages as f64),
        }
    }
}

fn round<P: Peer>(
    flow: &mut Flow<P>,
    cpus: (usize, usize),
    span: Duration,
    entrance: Entrance<P>,
) -> Result<Measured, String> {
    let stop = &AtomicBool::new(false);
    let (give, given) = mpsc::channel();
    let pair = pair::run(
        cpus,
        move || {
            let alone = flow.run(span / 3)?;
            let (receiver, _) = flow.receivers.first().ok_or("it opened without a receiver")?;
            give.send(entrance(&flow.sender, receiver)).map_err(|_| pair::ASK_THE_OTHER)?;
            // Not measured: the other thread wakes, and finds its way.
            flow.run(span / 10)?;
            let beside = flow.run(span / 2);
            // RELAXED: says all there is to say.
            stop.store(true, Ordering::Relaxed);
            Ok((alone, beside?))
        },
        move || {
            let mut door = loop {
                match given.try_recv() {
                    Ok(door) => break door,
                    Err(mpsc::TryRecvError::Empty) => hint::spin_loop(),
                    Err(mpsc::TryRecvError::Disconnected) => {
                        return Err(pair::ASK_THE_OTHER.to_owned());
                    }
                }
            };
            let start = Instant::now();
            let mut pairs = 0;
            // RELAXED: as above.
            while pairs == 0 || !stop.load(Ordering::Relaxed) {
                door()?;
                pairs += 1;
            }
            Ok((pairs, start.elapsed()))
        },
    )?;
    let ((alone, beside), (pairs, time)) = (pair.first, pair.second);
    Ok(Measured {
        messages: pairs,
        time,
        handoff: Some(pair.handoff),
        also: vec![
            ("message alone ns", alone),
            ("message beside ns", beside),
            ("rate kept", alone / beside),
        ],
        ..Measured::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{self, Plan};

    #[test]
    fn a_closed_door_is_told() {
        let closed = |_: &_, _: &_| -> Door { Box::new(|| Err("closed".to_owned())) };
        let mut contestant = [contestant::<Smd>(&Clock::real(), (0, 1), "", closed)];
        let plan = Plan { turns: 1, warm_up: 0, millis: 3, seed: 1 };
        let error = recorder::run(plan, &mut contestant, |_| ()).map(drop);
        assert_eq!(error, Err("T8 smd single to 2: closed".to_owned()));
    }
}
