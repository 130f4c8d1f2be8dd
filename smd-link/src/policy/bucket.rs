//! A rate with a burst, exactly: integers without a rounding anywhere.
//!
//! The level is kept in billionths of a token. A rate of `rate` tokens a second then gains exactly
//! `rate` billionths in each nanosecond, so nothing is ever rounded and nothing drifts, however the
//! time is cut. A level has at most 2^32 x 10^9 billionths, which 64 bits hold; a gain is 128 bits
//! wide before it is cut to the burst, so no pause is too long.

#[cfg(test)]
mod tests;

use smd_lockfree::Timestamp;

/// Billionths in a token, and nanoseconds in a second: that these are one number is the whole
/// trick.
const BILLION: u64 = 1_000_000_000;

/// A token bucket. It begins full.
///
/// Over any stretch of time it gives at most `burst + rate x time` tokens. Who asks for one never
/// sooner than `1/rate` seconds after the one before is never refused; a burst of 2 bears that
/// these times are whole nanoseconds. A time before the latest one seen counts as that one, so a
/// clock that steps back gains nothing and loses nothing.
///
/// ```
/// use smd_link::policy::TokenBucket;
/// use smd_lockfree::Timestamp;
///
/// let at = |nanos| Timestamp::from_nanos(nanos);
/// let mut bucket = TokenBucket::new(3, 2, at(0));
/// assert!(bucket.take(2, at(0)).is_ok());
/// let shortage = bucket.take(1, at(0)).unwrap_err();
/// // A third of a second, rounded up to the first nanosecond at which it is enough.
/// assert_eq!(shortage.retry_at, Some(at(333_333_334)));
/// assert!(bucket.take(1, at(333_333_333)).is_err());
/// assert!(bucket.take(1, at(333_333_334)).is_ok());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenBucket {
    rate: u32,
    burst: u32,
    /// Billionths of a token that are there at `seen`.
    level: u64,
    seen: Timestamp,
}

/// A bucket has too little; nothing was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shortage {
    /// When as much will be there, if nobody takes any before; `None`: never, since it is more than
    /// the burst, the rate is 0, or the clock ends before.
    pub retry_at: Option<Timestamp>,
}

impl TokenBucket {
    /// `rate` tokens a second, at most `burst` at once.
    pub fn new(rate: u32, burst: u32, now: Timestamp) -> TokenBucket {
        TokenBucket { rate, burst, level: u64::from(burst) * BILLION, seen: now }
    }

    /// Takes `count` tokens.
    ///
    /// # Errors
    ///
    /// [`Shortage`] if there are fewer; then none is taken.
    pub fn take(&mut self, count: u32, now: Timestamp) -> Result<(), Shortage> {
        self.check(count, now)?;
        self.level -= u64::from(count) * BILLION;
        Ok(())
    }

    /// Whether [`take`](TokenBucket::take) would pass now: for who needs tokens of two buckets, or
    /// of none.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn check(&mut self, count: u32, now: Timestamp) -> Result<(), Shortage> {
        self.settle(now);
        let need = u64::from(count) * BILLION;
        if need <= self.level {
            return Ok(());
        }
        let retry_at = if count > self.burst { None } else { self.reaches(need) };
        Err(Shortage { retry_at })
    }

    /// Changes rate and burst from `now` on. What is there stays, cut to the new burst.
    pub fn set(&mut self, rate: u32, burst: u32, now: Timestamp) {
        self.settle(now);
        (self.rate, self.burst) = (rate, burst);
        self.level = self.level.min(self.cap());
    }

    /// When it is full again, if nobody takes any: from then on it is as good as a new one. `None`:
    /// never.
    pub fn full_at(&self) -> Option<Timestamp> {
        self.reaches(self.cap())
    }

    fn cap(&self) -> u64 {
        u64::from(self.burst) * BILLION
    }

    fn settle(&mut self, now: Timestamp) {
        let elapsed = now.nanos().saturating_sub(self.seen.nanos());
        let gained = u128::from(elapsed) * u128::from(self.rate);
        let level = gained.saturating_add(u128::from(self.level));
        // What is over the cap is lost; below it the number fits.
        self.level = u64::try_from(level).map_or(self.cap(), |level| level.min(self.cap()));
        self.seen = self.seen.max(now);
    }

    /// The first nanosecond at which the level is `need` or more.
    fn reaches(&self, need: u64) -> Option<Timestamp> {
        let missing = need.saturating_sub(self.level);
        if missing == 0 {
            return Some(self.seen);
        }
        if self.rate == 0 {
            return None;
        }
        let wait = missing.div_ceil(u64::from(self.rate));
        self.seen.nanos().checked_add(wait).map(Timestamp::from_nanos)
    }
}
