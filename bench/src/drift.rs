//! How far the bus's clock is from the operating system's, over a time in which it is read densely, rarely, and
//! after pauses.

use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use smd_lockfree::{Bus, Class, Clock};

use crate::machine::{Provenance, monotonic_nanos};

/// No reading may be further from the system's clock, in nanoseconds, beside what its own two neighbours leave open.
pub const LIMIT: u64 = 10_000;

/// A reading that took longer between its two neighbours tells nothing: the thread was stopped.
const WIDEST: u64 = 2_000;

/// Readings until one is narrow enough.
const TRIES: usize = 200;

/// What goes between two readings, again and again: dense, rare, and a pause of a whole second.
const GAPS: [(usize, Duration); 4] = [
    (200, Duration::from_millis(1)),
    (100, Duration::from_millis(10)),
    (10, Duration::from_millis(150)),
    (1, Duration::from_secs(1)),
];

/// A longer pause in runs that have the time, after this part of an hour.
const LONG_PAUSE: Duration = Duration::from_secs(60);
const LONG_PAUSE_EACH: Duration = Duration::from_secs(600);

/// One look at both clocks.
#[derive(Clone, Copy, Debug)]
struct Look {
    /// The bus's clock less the system's, in nanoseconds.
    deviation: i64,
    /// Between the two readings of the system's clock around it.
    width: u64,
}

impl Look {
    fn once(clock: &Clock) -> Look {
        let before = monotonic_nanos();
        let now = clock.now().nanos();
        let after = monotonic_nanos();
        let width = after - before;
        Look { deviation: now.wrapping_sub(before + width / 2) as i64, width }
    }

    /// By how much it is off whatever happened between its neighbours.
    fn surely(self) -> u64 {
        self.deviation.unsigned_abs().saturating_sub(self.width.div_ceil(2))
    }
}

/// What was seen in ten seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Seconds since the start.
    pub at: u64,
    /// Looks that were narrow enough.
    pub looks: u64,
    /// The least and the greatest deviation, in nanoseconds.
    pub least: i64,
    /// See `least`.
    pub greatest: i64,
}

/// All that a run found.
#[derive(Debug, Serialize)]
pub struct Drift {
    /// Where it comes from.
    pub provenance: Provenance,
    /// Nanoseconds that the first clock of the process took to make, and the second.
    pub creation: [u64; 2],
    /// Nanoseconds of the first send of the process, whose bus and clock were there, and of the hundredth.
    pub sends: [u64; 2],
    /// Seconds.
    pub seconds: u64,
    /// What a counter that is scaled once would have drifted, in billionth parts.
    pub uncorrected: i64,
    /// The most that a look was surely off, in nanoseconds.
    pub worst: u64,
    /// The most that the stamp of a message was surely off, in nanoseconds.
    pub worst_stamp: u64,
    /// Looks that were thrown away because the thread was stopped in them.
    pub wide: u64,
    /// Messages whose stamps were looked at.
    pub messages: u64,
    /// By ten seconds.
    pub windows: Vec<Window>,
}

/// Measures for a time.
///
/// # Errors
/// A stamp fell, a message was lost, or no reading was narrow enough.
pub fn measure(seconds: u64, command: String) -> Result<Drift, String> {
    let provenance = Provenance::collect(command, &["smd-lockfree", "quanta"]);
    let timed = || {
        let start = Instant::now();
        let clock = Clock::real();
        (clock, start.elapsed().as_nanos() as u64)
    };
    let ((clock, first), (_, second)) = (timed(), timed());
    let bus = Bus::builder().clock(clock.clone()).build().map_err(|error| error.to_string())?;
    let mut all = bus.register(Class::ALL).map_err(|error| error.to_string())?;
    let sender = bus.sender();
    let send = || {
        let start = Instant::now();
        let sent = sender.send(Class::METRICS, b"tick");
        (sent, start.elapsed().as_nanos() as u64)
    };
    let mut sends = [0; 2];
    for n in 0..100 {
        let (sent, nanos) = send();
        sent.map_err(|error| error.to_string())?;
        sends[usize::from(n > 0)] = nanos;
    }
    let mut last_stamp = 0;
    all.drain(|message| last_stamp = message.timestamp().nanos())
        .map_err(|error| error.to_string())?;
    let counter = quanta::Clock::new();
    let (raw, system) = (counter.raw(), monotonic_nanos());
    let mut drift = Drift {
        provenance,
        creation: [first, second],
        sends,
        seconds,
        uncorrected: 0,
        worst: 0,
        worst_stamp: 0,
        wide: 0,
        messages: 0,
        windows: Vec::new(),
    };
    let start = Instant::now();
    let limit = Duration::from_secs(seconds);
    let mut next_pause = LONG_PAUSE_EACH;
    'run: loop {
        for (count, gap) in GAPS {
            for _ in 0..count {
                if start.elapsed() >= limit {
                    break 'run;
                }
                thread::sleep(gap);
                drift.look(&clock, start.elapsed().as_secs())?;
                // And a stamp, between two readings of the system's clock.
                let before = monotonic_nanos();
                send().0.map_err(|error| error.to_string())?;
                let after = monotonic_nanos();
                let mut stamp = 0;
                let count = all
                    .drain(|message| stamp = message.timestamp().nanos())
                    .map_err(|error| error.to_string())?;
                if count != 1 || stamp < last_stamp {
                    return Err(format!("{count} messages, {stamp} behind {last_stamp}"));
                }
                last_stamp = stamp;
                drift.messages += 1;
                let early = before.saturating_sub(stamp);
                drift.worst_stamp = drift.worst_stamp.max(early.max(stamp.saturating_sub(after)));
            }
        }
        if start.elapsed() >= next_pause && start.elapsed() + LONG_PAUSE < limit {
            thread::sleep(LONG_PAUSE);
            next_pause += LONG_PAUSE_EACH;
        }
    }
    let passed = monotonic_nanos() - system;
    let scaled = counter.delta_as_nanos(raw, counter.raw());
    drift.uncorrected = ((i128::from(scaled) - i128::from(passed)) * 1_000_000_000
        / i128::from(passed.max(1))) as i64;
    Ok(drift)
}

impl Drift {
    /// The first reading after a gap is the one that counts, if the thread was not stopped in it.
    fn look(&mut self, clock: &Clock, second: u64) -> Result<(), String> {
        let narrow = (0..TRIES).map(|_| Look::once(clock)).find(|look| {
            self.wide += u64::from(look.width > WIDEST);
            look.width <= WIDEST
        });
        let look = narrow.ok_or("no reading of both clocks was narrow enough")?;
        self.worst = self.worst.max(look.surely());
        let at = second / 10 * 10;
        if self.windows.last().is_none_or(|window| window.at != at) {
            let (least, greatest) = (look.deviation, look.deviation);
            self.windows.push(Window { at, looks: 0, least, greatest });
        }
        if let Some(window) = self.windows.last_mut() {
            window.looks += 1;
            window.least = window.least.min(look.deviation);
            window.greatest = window.greatest.max(look.deviation);
        }
        Ok(())
    }

    /// Whether every reading and every stamp was near enough.
    pub fn is_near(&self) -> bool {
        self.worst <= LIMIT && self.worst_stamp <= LIMIT
    }

    /// The figures, a line each.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let looks: u64 = self.windows.iter().map(|window| window.looks).sum();
        let least = self.windows.iter().map(|window| window.least).min().unwrap_or(0);
        let greatest = self.windows.iter().map(|window| window.greatest).max().unwrap_or(0);
        let ppm = self.uncorrected as f64 / 1e3;
        vec![
            ("time", format!("{} s", self.seconds)),
            (
                "readings",
                format!(
                    "{looks}, and {} in which the thread was stopped and that do not count",
                    self.wide
                ),
            ),
            ("deviation from the system's clock", format!("{least} to {greatest} ns")),
            (
                "the worst, beside what the reading itself leaves open",
                format!("{} ns of {LIMIT}", self.worst),
            ),
            (
                "the same for the stamps of messages, none of which fell",
                format!("{} ns of {} messages", self.worst_stamp, self.messages),
            ),
            ("the counter alone, scaled once", format!("{ppm:.3} millionth parts off")),
            (
                "making the first clock of the process, and the second",
                format!("{} and {} ns", self.creation[0], self.creation[1]),
            ),
            (
                "the first send of the process, and the hundredth",
                format!("{} and {} ns", self.sends[0], self.sends[1]),
            ),
        ]
    }

    /// The page as markdown.
    pub fn page(&self) -> String {
        let mut page = String::from(
            "# The clock beside the system's\n\nWritten by the benchmark; do not edit. The bus's clock against \
             `CLOCK_MONOTONIC`, read each millisecond, each ten, and after pauses of 0.15 s, a second and, in a long \
             run, a minute. Raw data by ten seconds: `clock.json`.\n\n",
        );
        for (name, value) in self.provenance.rows() {
            let _ = writeln!(page, "* {name}: {value}");
        }
        page.push_str("\n| what | measured |\n|---|---|\n");
        for (name, value) in self.lines() {
            let _ = writeln!(page, "| {name} | {value} |");
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reading_leaves_open_does_not_count() {
        assert_eq!(Look { deviation: -700, width: 301 }.surely(), 549);
        assert_eq!(Look { deviation: 100, width: 300 }.surely(), 0);
    }

    #[test]
    fn a_clock_that_is_off_is_seen() {
        let (clock, hand) = Clock::manual();
        hand.set(smd_lockfree::Timestamp::from_nanos(monotonic_nanos() + 1_000_000_000));
        assert!(Look::once(&clock).surely() > LIMIT);
    }
}
