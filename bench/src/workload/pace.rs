//! Paced messages: when each is due, how long its way took, and which ways the host disturbed.
//!
//! ```text
//!   due          sent                    received
//!    |-- waiting --|------ one way --------|
//!    |------------ corrected --------------|
//! ```
//!
//! The times at which messages are due are fixed before the first is sent. Who counts from the moment of the send
//! leaves out the waiting of all messages that a late sender could not send in time ("coordinated omission"); who
//! counts from the moment when the message was due does not. Both are kept.
//!
//! On a virtual machine the host stops a processor now and then, for longer than any message takes. A thread that
//! does nothing long and still finds a gap between two readings of its clock was stopped. No message is left out for
//! it; those that met no such stop are counted a second time, apart, as quiet ones.

use std::time::Duration;

use hdrhistogram::Histogram;
use smd_lockfree::Clock;

use crate::recorder::{Measured, STALL, Stalls};

/// Nanoseconds behind a stop in which its backlog is still being worked off.
const BEHIND: u64 = 10_000;

/// No way takes longer: a round gives up before.
const LONGEST: u64 = 60_000_000_000;

/// A schedule: message `i` is due at `start + i * interval`, in nanoseconds of the one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// When message 0 is due.
    pub start: u64,
    /// Nanoseconds from one message to the next.
    pub interval: u64,
}

impl Pace {
    /// When message `i` is due.
    pub fn due(self, i: u64) -> u64 {
        self.start + i * self.interval
    }

    /// How many messages of this interval are due within `span`, `least` or more.
    pub fn count(interval: u64, span: Duration, least: u64) -> u64 {
        let span = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        (span / interval.max(1)).max(least)
    }
}

/// The sending side of a paced round: spins until each message is due.
#[derive(Debug)]
pub struct Pacer<'c> {
    clock: &'c Clock,
    /// The schedule.
    pub pace: Pace,
    /// The stops of this thread.
    pub watch: Watch,
}

impl<'c> Pacer<'c> {
    /// The first message is due in `lead` from now, on this clock.
    pub fn new(clock: &'c Clock, lead: Duration, interval: u64) -> Pacer<'c> {
        let start = clock.now().nanos() + lead.as_nanos() as u64;
        Pacer { clock, pace: Pace { start, interval }, watch: Watch::new() }
    }

    /// Returns when message `i` is due, with the time that it is then.
    #[inline]
    pub fn wait(&mut self, i: u64) -> u64 {
        let due = self.pace.due(i);
        loop {
            let now = self.now();
            if now >= due {
                return now;
            }
        }
    }

    /// The time now, with a look whether this thread was stopped.
    #[inline]
    pub fn now(&mut self) -> u64 {
        let now = self.clock.now().nanos();
        self.watch.see(now);
        now
    }
}

/// What a receiver writes down of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The stamp that it carried.
    pub sent: u64,
    /// When it was seen.
    pub received: u64,
}

/// A stretch of time in which a thread did not look at its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gap {
    from: u64,
    to: u64,
}

/// Watches the clock of one thread for gaps.
#[derive(Debug, Default)]
pub struct Watch {
    last: Option<u64>,
    gaps: Vec<Gap>,
    stalls: Stalls,
}

impl Watch {
    /// A watch that has seen nothing, with room for the gaps of a bad round.
    pub fn new() -> Watch {
        Watch { gaps: Vec::with_capacity(1024), ..Watch::default() }
    }

    /// The thread read its clock.
    #[inline]
    pub fn see(&mut self, now: u64) {
        let last = self.last.replace(now).unwrap_or(now);
        // Readings of two processors may differ by some nanoseconds, hence no plain subtraction.
        let gap = now.saturating_sub(last);
        if gap > STALL.as_nanos() as u64 {
            self.stalls.see(Duration::from_nanos(gap));
            self.gaps.push(Gap { from: last, to: now });
        }
    }

    /// The thread did something that may take long, until now: no gap.
    pub fn skip(&mut self, now: u64) {
        self.last = Some(now);
    }
}

/// The stops of both threads of a round: together, sorted and without overlaps.
#[derive(Debug, Default)]
pub struct Stops {
    gaps: Vec<Gap>,
    stalls: Stalls,
}

impl Stops {
    /// What these threads saw.
    pub fn of(watches: impl IntoIterator<Item = Watch>) -> Stops {
        let mut stops = Stops::default();
        for watch in watches {
            stops.stalls.count += watch.stalls.count;
            stops.stalls.nanos += watch.stalls.nanos;
            stops.stalls.longest = stops.stalls.longest.max(watch.stalls.longest);
            stops.gaps.extend(watch.gaps);
        }
        stops.gaps.sort_by_key(|gap| gap.from);
        stops.gaps.dedup_by(|next, gap| {
            let meets = next.from <= gap.to + BEHIND;
            if meets {
                gap.to = gap.to.max(next.to);
            }
            meets
        });
        stops
    }

    /// Whether a stop, or the time right behind one, falls between two moments.
    fn meet(&self, from: u64, to: u64) -> bool {
        // Disjoint and sorted, so both ends of the gaps ascend.
        let next = self.gaps.partition_point(|gap| gap.to + BEHIND < from);
        self.gaps.get(next).is_some_and(|gap| gap.from <= to)
    }
}

/// The ways of the messages of a round, in nanoseconds.
#[derive(Debug)]
pub struct Ways {
    /// From stamp to receipt, of all.
    pub one_way: Histogram<u64>,
    /// From the moment when it was due to receipt, of all.
    pub corrected: Histogram<u64>,
    /// From stamp to receipt, of those that met no stop.
    pub quiet: Histogram<u64>,
}

impl Ways {
    /// Of the messages of `arrivals`, the first of which is message `first` of the schedule.
    pub fn of(pace: Pace, first: u64, arrivals: &[Arrival], stops: &Stops) -> Ways {
        let mut ways = Ways { one_way: empty(), corrected: empty(), quiet: empty() };
        for (arrival, i) in arrivals.iter().zip(first..) {
            let due = pace.due(i);
            let one_way = arrival.received.saturating_sub(arrival.sent);
            ways.one_way.saturating_record(one_way);
            ways.corrected.saturating_record(arrival.received.saturating_sub(due));
            if !stops.meet(due.min(arrival.sent), arrival.received) {
                ways.quiet.saturating_record(one_way);
            }
        }
        ways
    }

    /// As the measurement of a round: the figure is the median one way.
    pub fn measured(self, stops: &Stops, time: Duration, handoff: (f64, f64)) -> Measured {
        let Ways { one_way, corrected, quiet } = self;
        let mut also = Vec::new();
        also.extend(percentiles(
            &corrected,
            ["corrected p50 ns", "corrected p99 ns", "corrected p99.9 ns"],
        ));
        also.extend(percentiles(&quiet, ["p50 quiet ns", "p99 quiet ns", "p99.9 quiet ns"]));
        also.push(("disturbed messages", (one_way.len() - quiet.len()) as f64));
        Measured {
            messages: one_way.len(),
            time,
            figure: (!one_way.is_empty()).then(|| one_way.value_at_quantile(0.5) as f64),
            handoff: Some(handoff),
            latency: Some(one_way),
            corrected: Some(corrected),
            stalls: stops.stalls,
            also,
            ..Measured::default()
        }
    }
}

/// The median, p99 and p99.9 under these names; none of an empty histogram.
fn percentiles(
    histogram: &Histogram<u64>,
    names: [&'static str; 3],
) -> impl Iterator<Item = (&'static str, f64)> {
    let quantiles = names.into_iter().zip([0.5, 0.99, 0.999]);
    let some = !histogram.is_empty();
    quantiles
        .filter(move |_| some)
        .map(|(name, quantile)| (name, histogram.value_at_quantile(quantile) as f64))
}

/// For nanoseconds, with three digits.
pub fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 3).expect("these bounds are valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { start: 1_000_000, interval: 10_000 };

    fn watch(readings: &[u64]) -> Watch {
        let mut watch = Watch::new();
        readings.iter().for_each(|&now| watch.see(now));
        watch
    }

    fn one(i: u64, sent: u64, received: u64, stops: &Stops) -> (u64, u64, u64) {
        let ways = Ways::of(PACE, i, &[Arrival { sent, received }], stops);
        (ways.one_way.max(), ways.corrected.max(), ways.quiet.len())
    }

    #[test]
    fn the_schedule_is_fixed_in_advance() {
        assert_eq!(PACE.due(0), 1_000_000);
        assert_eq!(PACE.due(7), 1_070_000);
        assert_eq!(Pace::count(10_000, Duration::from_millis(50), 1), 5_000);
        assert_eq!(Pace::count(10_000, Duration::from_micros(5), 3), 3);
        assert_eq!(Pace::count(0, Duration::from_nanos(5), 0), 5);
    }

    #[test]
    fn a_pacer_returns_when_a_message_is_due() {
        let clock = Clock::real();
        let mut pacer = Pacer::new(&clock, Duration::from_micros(10), 1_000);
        let times: Vec<u64> = (0..20).map(|i| pacer.wait(i)).collect();
        for (time, i) in times.into_iter().zip(0..) {
            assert!(time >= pacer.pace.due(i));
        }
        assert!(clock.now().nanos() >= pacer.pace.start + 19_000);
    }

    #[test]
    fn a_late_send_counts_in_the_corrected_way_only() {
        let quiet = Stops::default();
        assert_eq!(one(2, PACE.due(2), PACE.due(2) + 120, &quiet), (120, 120, 1));
        assert_eq!(one(2, PACE.due(2) + 400, PACE.due(2) + 500, &quiet), (100, 500, 1));
        // A clock may step back by a little: no way is shorter than nothing.
        assert_eq!(one(0, PACE.due(0), PACE.due(0) - 5, &quiet), (0, 0, 1));
    }

    #[test]
    fn a_gap_of_more_than_a_stall_is_one() {
        let watch = watch(&[0, 50_000, 100_001, 100_010, 400_010, 400_000, 410_000]);
        assert_eq!(
            watch.gaps,
            [Gap { from: 50_000, to: 100_001 }, Gap { from: 100_010, to: 400_010 },]
        );
        assert_eq!(watch.stalls, Stalls { count: 2, nanos: 350_001, longest: 300_000 });
        let mut watch = watch;
        watch.skip(900_000);
        watch.see(900_010);
        assert_eq!(watch.gaps.len(), 2);
    }

    #[test]
    fn stops_of_two_threads_are_one_list() {
        let stops = Stops::of([watch(&[0, 60_000, 60_001, 500_000]), watch(&[20_000, 90_000])]);
        assert_eq!(stops.gaps, [Gap { from: 0, to: 500_000 }]);
        assert_eq!(stops.stalls.count, 3);
        let apart = Stops::of([watch(&[800_000, 900_000]), watch(&[100_000, 200_000])]);
        assert_eq!(apart.gaps.len(), 2);
        assert!(!apart.meet(0, 99_999));
        assert!(apart.meet(0, 100_000) && apart.meet(150_000, 150_001));
        assert!(apart.meet(210_000, 210_001), "right behind the stop");
        assert!(!apart.meet(210_001, 799_999));
        assert!(apart.meet(210_001, 800_000) && apart.meet(0, u64::MAX));
        assert!(!apart.meet(910_001, u64::MAX));
    }

    #[test]
    fn a_disturbed_message_stays_in_the_main_histogram() {
        // The sender is stopped while messages 1 to 6 are due, and sends them late; message 9 is on time.
        let stops = Stops::of([watch(&[PACE.due(1) - 1, PACE.due(6) + 1])]);
        let late = |i: u64| Arrival { sent: PACE.due(6) + i, received: PACE.due(6) + i + 90 };
        let mut arrivals: Vec<Arrival> = (1..=6).map(late).collect();
        let on_time = |i| Arrival { sent: PACE.due(i), received: PACE.due(i) + 100 };
        arrivals.extend((7..=9).map(on_time));
        let ways = Ways::of(PACE, 1, &arrivals, &stops);
        assert_eq!((ways.one_way.len(), ways.corrected.len()), (9, 9));
        // Message 7 is due within the time behind the stop.
        assert_eq!(ways.quiet.len(), 2);
        assert!(ways.corrected.max() >= 50_000);
        let measured = ways.measured(&stops, Duration::from_millis(1), (40.0, 41.0));
        assert_eq!(measured.messages, 9);
        assert_eq!(measured.figure, Some(90.0));
        assert_eq!(measured.stalls.count, 1);
        assert!(measured.also.contains(&("disturbed messages", 7.0)));
        assert!(measured.also.contains(&("p99 quiet ns", 100.0)));
    }

    #[test]
    fn nothing_measured_is_no_figure() {
        let ways = Ways::of(PACE, 0, &[], &Stops::default());
        let measured = ways.measured(&Stops::default(), Duration::ZERO, (40.0, 40.0));
        assert_eq!(measured.figure, None);
        assert_eq!(measured.also, [("disturbed messages", 0.0)]);
    }
}
