//! T4: how long a message is on its way between two threads that both spin. T4R: how long until the answer is there.
//!
//! ```text
//!   T4   sender, paced ---- message, stamped ----> receiver reads the clock when it sees it
//!
//!   T4R  asks, paced   ----- one channel of the peer ----> answers
//!              ^------------ another of them -----------------'
//! ```
//!
//! 100,000 messages a second, so that each finds the channel empty. How the times are counted is said in
//! [`pace`](super::pace). The first messages of a round find cold caches; they are checked, and not counted.

use std::hint;
use std::time::Duration;

use smd_lockfree::Clock;

use super::pace::{Arrival, Pace, Pacer, Stops, Watch, Ways};
use super::pair;
use crate::payload::Tally;
use crate::peers::{CAPACITY, Peer, Seen, Setup};
use crate::recorder::{Contestant, Measured};
use crate::side::{Mode, Scenario, Side};

/// Nanoseconds between two messages.
pub const INTERVAL: u64 = 10_000;

/// Messages at the begin of a round that are not counted.
const WARM_UP: u64 = 100;

/// Messages of the shortest round.
const LEAST: u64 = WARM_UP + 100;

/// From the end of the probe to the first message.
const LEAD: Duration = Duration::from_micros(100);

/// Looks of a receiver that finds nothing, between two readings of its clock.
const LOOKS: u32 = 4;

/// A round in which nothing comes for so long has lost something.
const PATIENCE: u64 = 1_000_000_000;

/// One way from one thread to another.
pub fn one_way<P: Peer>(clock: &Clock, cpus: (usize, usize)) -> Contestant {
    let clock = clock.clone();
    let mut scene = None;
    Contestant::new(Side::new(Scenario::T4, P::NAME, Mode::Single, 1), move |span| {
        let line = match &mut scene {
            Some(line) => line,
            none => none.insert(Channel::<P>::open(&clock)?),
        };
        one_way_round(line, &clock, cpus, Pace::count(INTERVAL, span, LEAST))
    })
}

/// There and back, over two channels of the same peer.
pub fn round_trip<P: Peer>(clock: &Clock, cpus: (usize, usize)) -> Contestant {
    let clock = clock.clone();
    let mut scene = None;
    Contestant::new(Side::new(Scenario::T4r, P::NAME, Mode::Single, 1), move |span| {
        let (there, back) = match &mut scene {
            Some(lines) => lines,
            none => none.insert((Channel::<P>::open(&clock)?, Channel::<P>::open(&clock)?)),
        };
        round_trip_round(there, back, &clock, cpus, Pace::count(INTERVAL, span, LEAST))
    })
}

/// One channel of a peer, with what went through it.
struct Channel<P: Peer> {
    sender: P::Sender,
    receiver: P::Receiver,
    sent: u64,
    tally: Tally,
}

impl<P: Peer> Channel<P> {
    fn open(clock: &Clock) -> Result<Channel<P>, String> {
        let setup = Setup { clock, senders: 1, receivers: 1, capacity: CAPACITY, stamped: true };
        let (mut senders, mut receivers) = P::open(&setup)?;
        match (senders.pop(), receivers.pop()) {
            (Some(sender), Some(receiver)) => {
                Ok(Channel { sender, receiver, sent: 0, tally: Tally::default() })
            }
            _ => Err("it opened without a sender or a receiver".to_owned()),
        }
    }
}

fn one_way_round<P: Peer>(
    channel: &mut Channel<P>,
    clock: &Clock,
    cpus: (usize, usize),
    count: u64,
) -> Result<Measured, String> {
    let Channel { sender, receiver, sent, tally } = channel;
    let first = *sent;
    let pair = pair::run(
        cpus,
        move || {
            let mut pacer = Pacer::new(clock, LEAD, INTERVAL);
            for i in 0..count {
                pacer.wait(i);
                send_one::<P>(sender, first + i, || pacer.now())?;
            }
            Ok(pacer)
        },
        move || {
            let mut arrivals = Vec::with_capacity(count as usize);
            let mut watch = Watch::new();
            let expected = first + count;
            receive_until(clock, &mut watch, count, || {
                P::drain(receiver, &mut |seen: &Seen<'_>| {
                    arrivals.push(Arrival { sent: seen.stamp, received: clock.now().nanos() });
                    tally.absorb(seen.payload);
                });
                arrivals.len() as u64
            });
            tally.check(expected)?;
            Ok((arrivals, watch))
        },
    )?;
    *sent += count;
    let Pacer { pace, watch, .. } = pair.first;
    let (arrivals, other) = pair.second;
    Ok(counted(pace, &arrivals, Stops::of([watch, other]), pair.handoff))
}

fn round_trip_round<P: Peer>(
    there: &mut Channel<P>,
    back: &mut Channel<P>,
    clock: &Clock,
    cpus: (usize, usize),
    count: u64,
) -> Result<Measured, String> {
    let first = there.sent;
    let Channel { sender: ask, receiver: asked, tally: heard, .. } = there;
    let Channel { sender: answer, receiver: answered, tally, .. } = back;
    let pair = pair::run(
        cpus,
        move || {
            let mut arrivals = Vec::with_capacity(count as usize);
            let mut pacer = Pacer::new(clock, LEAD, INTERVAL);
            for i in 0..count {
                let sent = pacer.wait(i);
                send_one::<P>(ask, first + i, || pacer.now())?;
                let mut received = None;
                receive_until(clock, &mut pacer.watch, 1, || {
                    P::drain(answered, &mut |seen: &Seen<'_>| {
                        received = Some(clock.now().nanos());
                        tally.absorb(seen.payload);
                    });
                    u64::from(received.is_some())
                });
                let received = received.ok_or_else(|| format!("no answer to {}", first + i))?;
                pacer.watch.see(received);
                arrivals.push(Arrival { sent, received });
            }
            tally.check(first + count)?;
            Ok((pacer, arrivals))
        },
        move || {
            let mut watch = Watch::new();
            let mut outcome = Ok(());
            let mut next = first;
            receive_until(clock, &mut watch, count, || {
                P::drain(asked, &mut |seen: &Seen<'_>| {
                    heard.absorb(seen.payload);
                    if outcome.is_ok() {
                        outcome = send_one::<P>(answer, next, || clock.now().nanos());
                    }
                    next += 1;
                });
                // Who cannot answer need not wait for more.
                if outcome.is_ok() { next - first } else { count }
            });
            outcome?;
            heard.check(first + count)?;
            Ok(watch)
        },
    )?;
    there.sent += count;
    let (Pacer { pace, watch, .. }, arrivals) = pair.first;
    Ok(counted(pace, &arrivals, Stops::of([watch, pair.second]), pair.handoff))
}

/// What a round measured, without its warm-up.
fn counted(pace: Pace, arrivals: &[Arrival], stops: Stops, handoff: (f64, f64)) -> Measured {
    let counted = &arrivals[(WARM_UP as usize).min(arrivals.len())..];
    let time = Duration::from_nanos(pace.interval * counted.len() as u64);
    Ways::of(pace, WARM_UP, counted, &stops).measured(&stops, time, handoff)
}

/// Sends message `n`, again and again until there is room for it.
#[inline]
fn send_one<P: Peer>(
    sender: &mut P::Sender,
    n: u64,
    mut now: impl FnMut() -> u64,
) -> Result<(), String> {
    let mut since = None;
    while P::send(sender, n, 1) == 0 {
        let now = now();
        if now.saturating_sub(*since.get_or_insert(now)) > PATIENCE {
            return Err(format!("there is no room for message {n}"));
        }
        hint::spin_loop();
    }
    Ok(())
}

/// Looks until so many messages were heard, which `look` counts, or none came for too long: the check then finds what
/// is missing.
#[inline]
fn receive_until(clock: &Clock, watch: &mut Watch, count: u64, mut look: impl FnMut() -> u64) {
    let mut progress = (0, clock.now().nanos());
    watch.see(progress.1);
    loop {
        let mut heard = 0;
        for _ in 0..LOOKS {
            heard = look();
            if heard >= count {
                return;
            }
        }
        let now = clock.now().nanos();
        watch.see(now);
        if heard != progress.0 {
            progress = (heard, now);
        } else if now.saturating_sub(progress.1) > PATIENCE {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::{Opened, Smd};
    use crate::recorder::{self, Plan};

    const PLAN: Plan = Plan { turns: 1, warm_up: 0, millis: 4, seed: 1 };

    #[test]
    fn both_ways_are_valid() {
        let clock = Clock::real();
        let mut both = [one_way::<Smd>(&clock, (0, 1)), round_trip::<Smd>(&clock, (0, 1))];
        for round in recorder::run(PLAN, &mut both, |_| ()).expect("valid") {
            let label = round.side.label();
            let counted = round.messages;
            assert_eq!(counted, 400 - WARM_UP, "{label}");
            let (latency, corrected) =
                (round.latency.expect("ways"), round.corrected.expect("ways"));
            assert_eq!((latency.len(), corrected.len()), (counted, counted), "{label}");
            assert_eq!(round.figure, latency.value_at_quantile(0.5) as f64, "{label}");
            assert!(round.figure > 0.0, "{label}");
        }
    }

    /// A peer that loses every hundredth message.
    struct Leaky;

    impl Peer for Leaky {
        const NAME: &'static str = "leaky";
        const SEVERAL_SENDERS: bool = true;
        type Sender = <Smd as Peer>::Sender;
        type Receiver = <Smd as Peer>::Receiver;

        fn open(setup: &Setup<'_>) -> Opened<Self> {
            Smd::open(setup)
        }

        fn send(sender: &mut Self::Sender, first: u64, count: usize) -> usize {
            if first % 100 == 99 { count } else { Smd::send(sender, first, count) }
        }

        fn drain(receiver: &mut Self::Receiver, each: &mut impl FnMut(&Seen<'_>)) -> usize {
            Smd::drain(receiver, each)
        }
    }

    #[test]
    fn what_is_lost_is_told() {
        for contestant in
            [one_way::<Leaky>(&Clock::real(), (0, 1)), round_trip::<Leaky>(&Clock::real(), (0, 1))]
        {
            let error = recorder::run(PLAN, &mut [contestant], |_| ()).map(drop);
            let error = error.expect_err("messages are missing");
            assert!(error.contains("messages arrived") || error.contains("no answer"), "{error}");
        }
    }
}
