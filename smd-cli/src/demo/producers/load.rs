//! The load generator: 64-byte messages that carry a counter, at a chosen rate.
//!
//! It looks at the clock once a millisecond (less often when the rate is lower) and sends what has
//! become due; when that is several messages they go as batches, each with one claim. A machine that
//! cannot keep up gets no burst later: what is overdue by more than 100 ms is given up.

use std::array;
use std::time::{Duration, Instant};

use smd_lockfree::Outgoing;

use crate::demo::publisher::{LOAD, Publisher, SELF_REPORT};
use crate::demo::stop::Stop;

/// Bytes of a message: the counter, little endian, then zeros.
const PAYLOAD: usize = 64;

/// Messages of a batch at most.
const BATCH: usize = 64;

/// The shortest pause.
const TICK: Duration = Duration::from_millis(1);

/// How much of the load may be overdue.
const OVERDUE: Duration = Duration::from_millis(100);

const NANOSECONDS: u128 = 1_000_000_000;

/// Sends `rate` messages a second until the run ends.
pub(crate) fn run(publisher: &Publisher, stop: &Stop, rate: u64) {
    let started = Instant::now();
    let mut pace = Pace { rate, reached: 0 };
    let mut counter = 0;
    loop {
        let mut due = pace.due(started.elapsed());
        while due > 0 && !stop.is_asked() {
            let count = due.min(BATCH as u64);
            send(publisher, counter, count as usize);
            counter += count;
            due -= count;
        }
        // Every outcome is counted by the publisher; nobody wants this class, so there is one.
        let _ = publisher.send_fmt(SELF_REPORT, format_args!(r#"{{"load":{counter}}}"#));
        if stop.wait(pace.pause(started.elapsed())) {
            return;
        }
    }
}

/// Sends `count` messages, the first of which carries `counter`.
fn send(publisher: &Publisher, counter: u64, count: usize) {
    let payload = |index: usize| {
        let mut payload = [0; PAYLOAD];
        payload[..8].copy_from_slice(&(counter + index as u64).to_le_bytes());
        payload
    };
    if count == 1 {
        // A refusal is counted by the publisher, and the load goes on.
        let _ = publisher.send(LOAD, &payload(0));
    } else {
        let payloads: [[u8; PAYLOAD]; BATCH] = array::from_fn(payload);
        let batch: [Outgoing<'_>; BATCH] =
            array::from_fn(|index| Outgoing::new(LOAD, &payloads[index]));
        publisher.send_batch(LOAD, &batch[..count]);
    }
}

/// The counter that a load message carries, if it is one.
pub(crate) fn counter(payload: &[u8]) -> Option<u64> {
    payload.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// How many messages are due, and when the next one is.
#[derive(Debug)]
struct Pace {
    rate: u64,
    /// Messages that were due so far, given up or not.
    reached: u64,
}

impl Pace {
    /// How many became due since the last call, `elapsed` after the start.
    fn due(&mut self, elapsed: Duration) -> u64 {
        let target = self.due_after(elapsed);
        let new = target.saturating_sub(self.reached);
        self.reached = target;
        new.min(self.due_after(OVERDUE).max(1))
    }

    /// How long to pause, `elapsed` after the start.
    fn pause(&self, elapsed: Duration) -> Duration {
        let next = (u128::from(self.reached) + 1) * NANOSECONDS;
        let at = next.div_ceil(u128::from(self.rate));
        Duration::from_nanos(u64::try_from(at).unwrap_or(u64::MAX))
            .saturating_sub(elapsed)
            .max(TICK)
    }

    fn due_after(&self, elapsed: Duration) -> u64 {
        let due = elapsed.as_nanos() * u128::from(self.rate) / NANOSECONDS;
        u64::try_from(due).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_high_rate_is_due_in_portions() {
        let mut pace = Pace { rate: 10_000, reached: 0 };
        assert_eq!(pace.due(Duration::ZERO), 0);
        assert_eq!(pace.due(Duration::from_millis(1)), 10);
        assert_eq!(pace.due(Duration::from_micros(1050)), 0);
        assert_eq!(pace.due(Duration::from_micros(2100)), 11);
        assert_eq!(pace.pause(Duration::from_micros(2100)), TICK);
    }

    #[test]
    fn a_low_rate_sleeps_until_the_next_message() {
        let mut pace = Pace { rate: 2, reached: 0 };
        assert_eq!(pace.pause(Duration::ZERO), Duration::from_millis(500));
        assert_eq!(pace.due(Duration::from_millis(500)), 1);
        assert_eq!(pace.pause(Duration::from_millis(600)), Duration::from_millis(400));
    }

    #[test]
    fn what_is_long_overdue_is_given_up() {
        let mut pace = Pace { rate: 1000, reached: 0 };
        assert_eq!(pace.due(Duration::from_secs(60)), 100);
        assert_eq!(pace.due(Duration::from_millis(60_001)), 1);
        let mut slow = Pace { rate: 1, reached: 0 };
        assert_eq!(slow.due(Duration::from_secs(60)), 1);
    }

    #[test]
    fn the_counter_is_the_first_eight_bytes() {
        assert_eq!(counter(&[7, 1, 0, 0, 0, 0, 0, 0, 9]), Some(263));
        assert_eq!(counter(b"short"), None);
    }
}
