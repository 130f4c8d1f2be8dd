//! Credits for peers that would lose messages: each receiver publishes its position once in a while, and a sender takes
//! credits for several messages at once.
//!
//! ```text
//!   sender takes 32 of: capacity - (taken - slowest position)
//!                                    ^             ^
//!                       all senders share it       each receiver has its own, written once for what it took
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use super::Setup;

/// Credits that a sender takes at once, where the capacity has room for that.
const AT_ONCE: u64 = 32;

#[derive(Debug)]
struct Shared {
    capacity: u64,
    at_once: u64,
    /// Messages that senders have taken credits for.
    taken: CachePadded<AtomicU64>,
    /// What each receiver has received.
    positions: Vec<CachePadded<AtomicU64>>,
}

/// A sender's credits.
#[derive(Debug)]
pub(super) struct Purse {
    shared: Arc<Shared>,
    credits: u64,
    /// The slowest receiver's position as last seen.
    slowest: u64,
}

/// A receiver's position.
#[derive(Debug)]
pub(super) struct Position {
    shared: Arc<Shared>,
    index: usize,
    received: u64,
}

/// For each sender and each receiver.
pub(super) fn open(setup: &Setup<'_>) -> (Vec<Purse>, Vec<Position>) {
    let capacity = u64::from(setup.capacity);
    let shared = Arc::new(Shared {
        capacity,
        at_once: (capacity / (4 * setup.senders.max(1) as u64)).clamp(1, AT_ONCE),
        taken: CachePadded::default(),
        positions: (0..setup.receivers).map(|_| CachePadded::default()).collect(),
    });
    let purse = |_| Purse { shared: Arc::clone(&shared), credits: 0, slowest: 0 };
    let position = |index| Position { shared: Arc::clone(&shared), index, received: 0 };
    ((0..setup.senders).map(purse).collect(), (0..setup.receivers).map(position).collect())
}

impl Purse {
    /// Spends a credit for one message, if there is one.
    #[inline]
    pub(super) fn spend(&mut self) -> bool {
        if self.credits == 0 {
            self.credits = self.take();
        }
        let has = self.credits > 0;
        self.credits -= u64::from(has);
        has
    }

    fn take(&mut self) -> u64 {
        let Shared { capacity, at_once, taken, positions } = &*self.shared;
        // RELAXED: a count of credits; what receivers have done comes by `credits.position`.
        let mut before = taken.load(Ordering::Relaxed);
        loop {
            if before + at_once > self.slowest + capacity {
                // EDGE credits.position: Acquire here; Release in `Position::advance`.
                let seen = positions.iter().map(|position| position.load(Ordering::Acquire));
                self.slowest = seen.min().unwrap_or(before);
                if before + at_once > self.slowest + capacity {
                    return 0;
                }
            }
            let after = before + at_once;
            // RELAXED: as above.
            match taken.compare_exchange(before, after, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return *at_once,
                Err(now) => before = now,
            }
        }
    }
}

impl Position {
    /// So many more were received, and may be overwritten.
    #[inline]
    pub(super) fn advance(&mut self, count: usize) {
        if count > 0 {
            self.received += count as u64;
            // EDGE credits.position: Release here; Acquire in `Purse::take`. Carries that the slots were read.
            self.shared.positions[self.index].store(self.received, Ordering::Release);
        }
    }
}
