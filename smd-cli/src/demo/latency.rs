//! One-way latency: from the bus's timestamp on a message to the moment a participant holds it.
//!
//! Both ends read the bus's own clock, so nothing needs to be synchronised. What a message waited in
//! a backlog is part of it.

use hdrhistogram::Histogram;
use smd_lockfree::{Clock, Message};

/// The longest latency that is told apart, in nanoseconds: one hour. Longer ones count as this.
const LONGEST_NS: u64 = 3_600_000_000_000;

/// Decimal digits that a recorded value keeps.
const DIGITS: u8 = 3;

/// The latencies that one participant saw.
#[derive(Clone, Debug)]
pub(crate) struct Latency(Histogram<u64>);

/// The three quantiles of the report, in nanoseconds; all 0 when nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quantiles {
    /// The median.
    pub(crate) p50_ns: u64,
    /// 99 of 100 are no longer.
    pub(crate) p99_ns: u64,
    /// 999 of 1000 are no longer.
    pub(crate) p999_ns: u64,
}

impl Latency {
    /// Nothing measured yet.
    pub(crate) fn new() -> Latency {
        Latency(Histogram::new_with_bounds(1, LONGEST_NS, DIGITS).expect("constant, valid bounds"))
    }

    /// Measures a message that was just received. One handed over as state is skipped: it is as old
    /// as the state, which says nothing about the way.
    pub(crate) fn measure(&mut self, clock: &Clock, message: &Message<'_>) {
        if !message.is_retained() {
            let one_way = clock.now().saturating_since(message.timestamp());
            self.record(u64::try_from(one_way.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// The quantiles of what was measured.
    pub(crate) fn quantiles(&self) -> Quantiles {
        if self.0.is_empty() {
            return Quantiles::default();
        }
        Quantiles {
            p50_ns: self.0.value_at_quantile(0.5),
            p99_ns: self.0.value_at_quantile(0.99),
            p999_ns: self.0.value_at_quantile(0.999),
        }
    }

    fn record(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_measured_gives_zeros() {
        assert_eq!(Latency::new().quantiles(), Quantiles::default());
    }

    #[test]
    fn quantiles_keep_three_digits() {
        let mut latency = Latency::new();
        (1..=1000).for_each(|microseconds| latency.record(microseconds * 1000));
        let quantiles = latency.quantiles();
        for (found, exact) in
            [(quantiles.p50_ns, 500_000), (quantiles.p99_ns, 990_000), (quantiles.p999_ns, 999_000)]
        {
            assert!(found.abs_diff(exact) <= exact / 500, "{found} is not {exact}");
        }
    }

    #[test]
    fn out_of_range_is_held_at_the_limit() {
        let mut latency = Latency::new();
        latency.record(u64::MAX);
        assert!(latency.quantiles().p50_ns >= LONGEST_NS);
    }
}
