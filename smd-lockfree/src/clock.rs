//! Time: nanoseconds of the systemwide monotonic clock, cheap enough to stamp each message.
//!
//! ```text
//!   Clock ── Real ───> System (one in the process) : now = scaled(counter) + offset
//!         └─ Manual ─> one number that a test moves
//! ```
//!
//! The offset is the only thing that ever changes, so a reader needs one load and cannot see half
//! of a correction. `System` has three forms with equal names: `counter` is what ships, `direct`
//! stands in under Miri, which knows no counter, and `model` under the model checkers, where time
//! must stand still.

#![forbid(unsafe_code)]
// The crate takes its atomics from its own door, so that the model checkers see each access. A clock
// is part of no modelled protocol: its words publish nothing, and to a checker that interleaves
// their accesses they would only multiply the executions. Hence the standard types here.
#![allow(clippy::disallowed_types)]

#[cfg(not(any(smd_loom, smd_shuttle, miri)))]
mod counter;
#[cfg(all(miri, not(any(smd_loom, smd_shuttle))))]
mod direct;
#[cfg(any(smd_loom, smd_shuttle))]
mod model;
#[cfg(not(any(smd_loom, smd_shuttle)))]
mod system_time;
#[cfg(test)]
mod tests;

#[cfg(not(any(smd_loom, smd_shuttle, miri)))]
use counter::System;
#[cfg(all(miri, not(any(smd_loom, smd_shuttle))))]
use direct::System;
#[cfg(any(smd_loom, smd_shuttle))]
use model::System;

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where a clock without real time starts: not 0, which no clock returns.
const LOGICAL_START: u64 = 1_000_000_000;

/// A point of systemwide monotonic time, in nanoseconds.
///
/// On Unix it counts as `CLOCK_MONOTONIC` does, so stamps of two processes of one machine compare.
/// On other systems it counts from the first use of a clock in this process, and stamps compare
/// inside the process only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The point that many nanoseconds after the zero of the clock.
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Timestamp {
        Timestamp(nanos)
    }

    /// Nanoseconds since the zero of the clock.
    #[inline]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Whole microseconds since the zero of the clock: the unit of the wire.
    #[inline]
    pub const fn micros(self) -> u64 {
        self.0 / 1000
    }

    /// The time from `earlier` to this point, zero if `earlier` is the later one.
    #[inline]
    pub const fn saturating_since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A source of [`Timestamp`]s; cloning is cheap, and clones are the same clock.
///
/// The real clock is the processor's counter, moved onto the operating system's monotonic clock by
/// the first reading in each 20 ms: it stays within 10 microseconds of it, over hours and after any
/// pause, wherever the counter runs evenly (`results/clock.md` in the repository has a measured hour).
///
/// Between two calls of one thread the real clock normally does not go back, but no clock here
/// promises it: a correction may step back by the drift of 20 ms, or forward by the time that the
/// machine was suspended, and a [`ManualClock`] can be set to any time. The bus does promise it for
/// its messages, and clamps.
///
/// ```
/// use smd_lockfree::Clock;
/// use std::time::Duration;
///
/// let (clock, hand) = Clock::manual();
/// let before = clock.now();
/// hand.advance(Duration::from_secs(2));
/// assert_eq!(clock.now().saturating_since(before), Duration::from_secs(2));
/// ```
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Real(&'static System),
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's monotonic clock.
    ///
    /// The first call in a process calibrates the processor's counter, which may take a noticeable
    /// time on a busy machine; later calls are a load.
    pub fn real() -> Clock {
        Clock(Source::Real(System::shared()))
    }

    /// A clock that moves only by its [`ManualClock`], from 1 s on: for tests and simulations.
    pub fn manual() -> (Clock, ManualClock) {
        let nanos = Arc::new(AtomicU64::new(LOGICAL_START));
        (Clock(Source::Manual(Arc::clone(&nanos))), ManualClock { nanos })
    }

    /// The time now, never 0.
    #[inline]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Real(system) => Timestamp(system.now()),
            Source::Manual(nanos) => read(nanos),
        }
    }
}

/// The hand that moves a manual [`Clock`]; clones move the same clock.
#[derive(Clone, Debug)]
pub struct ManualClock {
    nanos: Arc<AtomicU64>,
}

impl ManualClock {
    /// Moves the clock forward; it stops at the end of the 64-bit nanoseconds (584 years).
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        // RELAXED: the number itself is all there is; who must see it later is ordered by the
        // test's own hand-over. The read-modify-write keeps two hands from losing a step.
        let _ = self.nanos.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |nanos| {
            Some(nanos.saturating_add(by))
        });
    }

    /// Sets the clock, backwards too; 0 is taken as 1 ns, since no clock returns 0.
    pub fn set(&self, to: Timestamp) {
        // RELAXED: as in `advance`.
        self.nanos.store(to.0.max(1), Ordering::Relaxed);
    }

    /// The time that the clock shows.
    pub fn now(&self) -> Timestamp {
        read(&self.nanos)
    }
}

fn read(nanos: &AtomicU64) -> Timestamp {
    // RELAXED: as in `ManualClock::advance`.
    Timestamp(nanos.load(Ordering::Relaxed))
}
