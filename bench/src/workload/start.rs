//! T11: from nothing to the first delivery.
//!
//! In a warm process, where the code is in memory and the clock is calibrated; and in a fresh one, where neither is.
//! The calibration of the clock, which a process pays once, is measured apart.

use std::hint::black_box;
use std::time::{Duration, Instant};

use smd_lockfree::{Bus, Clock};

use super::Context;
use super::fresh::{self, Figures};
use super::pace;
use crate::payload::{LEN, Tally, fill};
use crate::peers::{
    AsyncBroadcast, CAPACITY, CLASS, CrossbeamChannels, DisruptorMp, KanalChannels, Multiqueue2,
    OneBus, Peer, Seen, Setup, Smd, Tokio,
};
use crate::recorder::{Contestant, Measured};
use crate::side::{Mode, Scenario, Side};

const FIRST: &str = "start";
const CLOCK_FIRST: &str = "start, clock first";
/// Figures of the jobs, in nanoseconds.
const DELIVERY: &str = "first delivery";
const CALIBRATION: &str = "calibration";

/// The bus in all ways, and its peers in a warm process.
pub fn contestants(context: &Context) -> Vec<Contestant> {
    let clock = &context.clock;
    macro_rules! of {
        ($($peer:ty),+ $(,)?) => {
            vec![$(warm(<$peer>::NAME, clock, open_and_deliver::<$peer>)),+]
        };
    }
    let mut contestants = of![
        Multiqueue2,
        DisruptorMp,
        Tokio<false>,
        AsyncBroadcast,
        OneBus,
        CrossbeamChannels,
        KanalChannels,
    ];
    contestants.push(warm(Smd::NAME, clock, |_| deliver()));
    contestants.push(in_fresh("fresh process", FIRST, DELIVERY));
    contestants.push(in_fresh("fresh process, clock ready", CLOCK_FIRST, DELIVERY));
    contestants.push(in_fresh("clock", CLOCK_FIRST, CALIBRATION));
    contestants
}

fn side(name: &'static str, variant: &str) -> Side {
    Side::new(Scenario::T11, name, Mode::Single, 1).variant(variant)
}

/// Again and again in this process.
fn warm(
    name: &'static str,
    clock: &Clock,
    start: impl Fn(&Clock) -> Result<Duration, String> + 'static,
) -> Contestant {
    let clock = clock.clone();
    Contestant::new(side(name, "warm"), move |span| {
        let begin = Instant::now();
        let mut times = pace::empty();
        let mut time = Duration::ZERO;
        while times.is_empty() || begin.elapsed() < span {
            let once = start(&clock)?;
            time += once;
            times.saturating_record(once.as_nanos() as u64);
        }
        Ok(Measured {
            messages: times.len(),
            time,
            figure: Some(times.value_at_quantile(0.5) as f64),
            latency: Some(times),
            ..Measured::default()
        })
    })
}

/// Once, in a new process.
fn in_fresh(variant: &str, job: &'static str, figure: &'static str) -> Contestant {
    Contestant::new(side(Smd::NAME, variant), move |_| {
        let figures = fresh::run(job)?;
        let nanos = figures.get(figure).ok_or_else(|| format!("no figure '{figure}'"))?;
        let time = Duration::from_nanos(*nanos as u64);
        Ok(Measured { messages: 1, time, figure: Some(*nanos), ..Measured::default() })
    })
}

/// What is done in a new process.
pub(super) fn job(job: &str) -> Option<Result<Figures, String>> {
    let first = |figures: &[(&str, Duration)]| {
        figures.iter().map(|(name, time)| ((*name).to_owned(), time.as_nanos() as f64)).collect()
    };
    match job {
        FIRST => Some(deliver().map(|delivery| first(&[(DELIVERY, delivery)]))),
        CLOCK_FIRST => {
            let begin = Instant::now();
            black_box(Clock::real());
            let calibration = begin.elapsed();
            let both = |delivery| first(&[(DELIVERY, delivery), (CALIBRATION, calibration)]);
            Some(deliver().map(both))
        }
        _ => None,
    }
}

/// The time from `Bus::new` to the first message in the hands of a participant.
fn deliver() -> Result<Duration, String> {
    let mut payload = [0; LEN];
    fill(&mut payload, 0);
    let mut tally = Tally::default();
    let begin = Instant::now();
    let bus = Bus::new();
    let mut participant = bus.register(CLASS).map_err(|error| error.to_string())?;
    bus.send(CLASS, &payload).map_err(|error| error.to_string())?;
    let message = participant.try_recv().map_err(|error| error.to_string())?;
    tally.absorb(message.bytes());
    let time = begin.elapsed();
    tally.check(1).map(|()| time)
}

/// The same of a peer.
fn open_and_deliver<P: Peer>(clock: &Clock) -> Result<Duration, String> {
    let setup = Setup { clock, senders: 1, receivers: 1, capacity: CAPACITY, stamped: true };
    let mut tally = Tally::default();
    let begin = Instant::now();
    let (mut senders, mut receivers) = P::open(&setup)?;
    let (Some(sender), Some(receiver)) = (senders.first_mut(), receivers.first_mut()) else {
        return Err("it opened without a sender or a receiver".to_owned());
    };
    P::send(sender, 0, 1);
    P::drain(receiver, &mut |seen: &Seen<'_>| tally.absorb(seen.payload));
    let time = begin.elapsed();
    tally.check(1).map(|()| time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{self, Plan};

    #[test]
    fn every_start_delivers() {
        let plan = Plan { turns: 1, warm_up: 0, millis: 1, seed: 1 };
        let rounds =
            recorder::run(plan, &mut contestants(&Context::new(true)), |_| ()).expect("valid");
        assert_eq!(rounds.len(), 11);
        assert!(rounds.iter().all(|round| round.messages > 0 && round.figure > 0.0));
    }

    #[test]
    fn a_job_has_its_figures() {
        let figures = job(CLOCK_FIRST).and_then(Result::ok).expect("its job");
        assert_eq!(figures.keys().collect::<Vec<_>>(), [CALIBRATION, DELIVERY]);
        assert!(job("something else").is_none());
    }
}
