//! T10: the memory of messages that wait for somebody.
//!
//! ```text
//!   resident  before | opened, all sent | all drained | trimmed
//!                    `- queued -'         `- kept for the next burst, until it is given back
//! ```
//!
//! In a fresh process: the pages that it has more than before, whatever they are used for, by the number of messages.
//! The bus counts its memory too, and what it says stands beside that. What it gives back to the allocator by a trim is
//! not counted any more, and yet resident until the allocator gives it to the system.

use smd_lockfree::{Bus, Clock};

use super::Context;
use super::fresh::{self, Figures};
use crate::machine;
use crate::payload::Tally;
use crate::peers::{
    ArrayQueues, AsyncBroadcast, BURST, CrossbeamChannels, DisruptorMp, DisruptorSp, KanalChannels,
    Multiqueue2, OneBus, OwnRing, Peer, Seen, SegQueues, Setup, Smd, Tokio,
};
use crate::recorder::{Contestant, Measured};
use crate::side::{Mode, Scenario, Side, Unit};

/// Messages that wait: as many as a participant has room for by default.
pub const BACKLOG: u32 = 4096;

/// A burst far beyond that.
pub const BURST_OF: u32 = 100_000;

/// The variant's name in tables: with [`BACKLOG`] messages that wait.
const A_MESSAGE: &str = "bytes per queued message";

const JOB: &str = "memory";

/// Figures of a job, in bytes.
const QUEUED: &str = "queued";
const QUEUED_COUNTED: &str = "queued, counted";
const DRAINED: &str = "drained";
const TRIMMED: &str = "trimmed";
const TRIMMED_COUNTED: &str = "trimmed, counted";

macro_rules! for_peers {
    ($with:ident) => {
        $with![
            Smd,
            Multiqueue2,
            DisruptorSp,
            DisruptorMp,
            Tokio<false>,
            AsyncBroadcast,
            OneBus,
            CrossbeamChannels,
            ArrayQueues,
            SegQueues,
            KanalChannels,
            OwnRing,
        ]
    };
}

/// Everybody at both depths; the bus also by its own count, and after the burst.
pub fn contestants(_: &Context) -> Vec<Contestant> {
    macro_rules! names {
        ($($peer:ty),+ $(,)?) => { [$(<$peer>::NAME),+] };
    }
    let mut contestants = Vec::new();
    for name in for_peers!(names) {
        contestants.push(contestant(name, BACKLOG, A_MESSAGE.to_owned(), QUEUED));
        contestants.push(contestant(
            name,
            BURST_OF,
            format!("{A_MESSAGE}, {BURST_OF} of them"),
            QUEUED,
        ));
    }
    let counted = format!("{A_MESSAGE}, as it counts");
    contestants.push(contestant(Smd::NAME, BACKLOG, counted, QUEUED_COUNTED));
    for (when, figure) in
        [("drained", DRAINED), ("trimmed", TRIMMED), ("trimmed, as it counts", TRIMMED_COUNTED)]
    {
        let variant = format!("resident after {BURST_OF}, {when}");
        contestants.push(contestant(Smd::NAME, BURST_OF, variant, figure));
    }
    contestants
}

fn contestant(name: &'static str, count: u32, variant: String, figure: &'static str) -> Contestant {
    let side = Side::new(Scenario::T10, name, Mode::Single, 1).variant(variant).unit(Unit::Bytes);
    Contestant::new(side, move |_| {
        let figures = fresh::run(&format!("{JOB} {name} {count}"))?;
        let per_message = |figure: &f64| figure / f64::from(count);
        let asked = figures.get(figure).ok_or_else(|| format!("no figure '{figure}'"))?;
        let drained = figures.get(DRAINED).map(per_message);
        Ok(Measured {
            messages: count.into(),
            figure: Some(per_message(asked)),
            also: drained.map(|bytes| ("drained bytes", bytes)).into_iter().collect(),
            ..Measured::default()
        })
    })
}

/// What is done in a new process.
pub(super) fn job(job: &str) -> Option<Result<Figures, String>> {
    let mut words = job.split(' ');
    let (word, name, count) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
    if word != JOB || words.next().is_some() {
        return None;
    }
    if name == Smd::NAME {
        return Some(fill_and_drain::<Smd>(count, |receiver| Some(receiver.bus())));
    }
    macro_rules! of {
        ($($peer:ty),+ $(,)?) => {{
            $(if name == <$peer>::NAME {
                return Some(fill_and_drain::<$peer>(count, |_| None));
            })+
            None
        }};
    }
    for_peers!(of)
}

/// A sender and a receiver with room for a whole backlog.
struct Channel<P: Peer> {
    sender: P::Sender,
    receiver: P::Receiver,
}

impl<P: Peer> Channel<P> {
    /// Opened, and all sent.
    fn full(clock: &Clock, count: u32) -> Result<Channel<P>, String> {
        // Some have powers of two only; the others get as much.
        let capacity = count.next_power_of_two();
        let setup = Setup { clock, senders: 1, receivers: 1, capacity, stamped: true };
        let (mut senders, mut receivers) = P::open(&setup)?;
        let (Some(mut sender), Some(receiver)) = (senders.pop(), receivers.pop()) else {
            return Err("it opened without a sender or a receiver".to_owned());
        };
        let mut sent = 0;
        while sent < u64::from(count) {
            let burst = BURST.min((u64::from(count) - sent) as usize);
            match P::send(&mut sender, sent, burst) {
                0 => return Err(format!("there was room for {sent} messages, not for {count}")),
                accepted => sent += accepted as u64,
            }
        }
        Ok(Channel { sender, receiver })
    }

    fn drain(&mut self, count: u32) -> Result<(), String> {
        let mut tally = Tally::default();
        let mut each = |seen: &Seen<'_>| tally.absorb(seen.payload);
        while P::drain(&mut self.receiver, &mut each) > 0 {}
        tally.check(count.into())
    }
}

fn fill_and_drain<P: Peer>(
    count: u32,
    bus_of: fn(&P::Receiver) -> Option<Bus>,
) -> Result<Figures, String> {
    let clock = Clock::real();
    // What a first use touches once, and what is never touched again, is there before. It stays: its memory is not
    // used for the second.
    let first = Channel::<P>::full(&clock, count)?;
    let resident =
        || machine::resident_bytes().ok_or_else(|| "this system tells no resident size".to_owned());
    let before = resident()?;
    let more = || Ok::<f64, String>(resident()?.saturating_sub(before) as f64);
    let mut channel = Channel::<P>::full(&clock, count)?;
    // Nothing of ours is allocated in between: it could keep the allocator from giving back what lies before it.
    let queued = more()?;
    let bus = bus_of(&channel.receiver);
    let counted = |bus: &Option<Bus>| bus.as_ref().map(|bus| bus.stats().memory_bytes as f64);
    let queued_counted = counted(&bus);
    channel.drain(count)?;
    let drained = more()?;
    let trimmed = match &bus {
        Some(bus) => {
            bus.trim();
            Some(more()?)
        }
        None => None,
    };
    let trimmed_counted = counted(&bus);
    drop((first.sender, first.receiver, channel.sender));
    let all = [
        (QUEUED, Some(queued)),
        (QUEUED_COUNTED, queued_counted),
        (DRAINED, Some(drained)),
        (TRIMMED, trimmed),
        (TRIMMED_COUNTED, trimmed_counted),
    ];
    let known = all.into_iter().filter_map(|(name, bytes)| Some((name.to_owned(), bytes?)));
    Ok(known.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::LEN;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_backlog_takes_at_least_its_bytes() {
        let figures = fresh::run(&format!("{JOB} {} {BACKLOG}", Smd::NAME)).expect("valid");
        for name in [QUEUED, QUEUED_COUNTED] {
            let bytes = figures.get(name).expect("it is told") / f64::from(BACKLOG);
            assert!((LEN as f64..1_000.0).contains(&bytes), "{name}: {bytes}");
        }
        let left = |name| figures.get(name).copied().expect("it is told");
        assert!(left(TRIMMED_COUNTED) <= left(QUEUED_COUNTED));
    }

    #[test]
    fn other_jobs_are_not_for_here() {
        for other in ["start", "memory", "memory smd", "memory smd x", "memory nobody 1"] {
            assert!(job(other).is_none(), "{other}");
        }
        assert!(job("memory smd 10 more").is_none());
        assert!(job("memory smd 10").is_some());
    }
}
