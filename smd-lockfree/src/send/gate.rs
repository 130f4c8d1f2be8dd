//! Who may claim: the registry as a sender last saw it, and the limits of backpressure (L1, L2).

use std::cell::Cell;

use crate::core::Core;
use crate::error::FullReason;
use crate::hooks::mark;
use crate::log::backlog::Unpublished;
use crate::log::tail::Gate;
use crate::participant::Policy;

/// A sender's copy of what its claims depend on.
#[derive(Debug)]
pub(crate) struct Known {
    /// Of the registry; `None` until it was looked at.
    version: Option<u32>,
    /// Classes that are retained.
    pub(crate) retained: u32,
    limits: [u64; 32],
    /// The classes of the last message, and the least of their limits.
    last: (u32, u64),
}

impl Known {
    pub(crate) fn nothing() -> Known {
        // The first claim refreshes.
        Known { version: None, retained: 0, limits: [0; 32], last: (0, 0) }
    }
}

impl Known {
    /// The number below which no message of these classes can be refused.
    #[inline(always)]
    pub(crate) fn limit_of(&mut self, classes: u32) -> u64 {
        if self.last.0 != classes {
            self.last = (classes, self.least_of(classes));
        }
        self.last.1
    }

    fn least_of(&self, mut classes: u32) -> u64 {
        let mut limit = u64::MAX;
        while classes != 0 {
            limit = limit.min(self.limits[classes.trailing_zeros() as usize]);
            classes &= classes - 1;
        }
        limit
    }
}

/// The gate of one send.
pub(crate) struct SendGate<'a> {
    pub(crate) core: &'a Core,
    pub(crate) known: &'a mut Known,
    pub(crate) classes: u32,
    /// Told whether it was refused for records that nobody can see yet: for who waits for room.
    pub(crate) hole: Option<&'a Cell<bool>>,
}

impl SendGate<'_> {
    /// Counts the backlogs again for every class whose limit stands in the way (rule L2).
    #[cold]
    fn recount(&mut self, first: u64, count: u64, now: u64) -> Result<u64, FullReason> {
        let core = self.core;
        let cutoff = core.cutoff_at(now);
        let unpublished = self.hole.map_or(Unpublished::Wanted, Unpublished::Told);
        let guard = core.log.pin();
        let snapshot = core.registry.snapshot(&guard);
        // A newer registry than the claim will be made under: the claim fails and comes back.
        for class in (0..32).filter(|class| self.classes >> class & 1 == 1) {
            let mut limit = snapshot.limit(class);
            if limit < first + count {
                limit = u64::MAX;
                for entry in snapshot.of_class(class) {
                    let record = entry.record();
                    // Who has left owes nothing, also while its departure is in progress.
                    if record.policy == Policy::Lag || record.has_left() {
                        continue;
                    }
                    let near = record.next_sequence() + record.depth;
                    let of_this = if near >= first + count {
                        near
                    } else {
                        let backlog = core.log.backlog(record, first, cutoff, unpublished);
                        near.max(first + record.depth.saturating_sub(backlog))
                    };
                    limit = limit.min(of_this);
                }
                snapshot.raise_limit(class, limit);
            }
            let known = &mut self.known.limits[class as usize];
            *known = limit.max(*known);
        }
        self.known.last.0 = 0;
        match self.known.limit_of(self.classes).saturating_sub(first) {
            0 => {
                mark("refused full");
                Err(FullReason::Backlog)
            }
            room => Ok(room.min(count)),
        }
    }
}

impl Gate for SendGate<'_> {
    #[inline]
    fn changed(&mut self) {
        // Rule M6 of the registry: the claim word was loaded before.
        if self.known.version == Some(self.core.registry.interest().version()) {
            return;
        }
        let guard = self.core.log.pin();
        let snapshot = self.core.registry.snapshot(&guard);
        self.known.version = Some(snapshot.version);
        self.known.retained = snapshot.retained;
        for class in 0..32 {
            self.known.limits[class as usize] = snapshot.limit(class);
        }
        self.known.last.0 = 0;
    }

    #[inline(always)]
    fn admit(&mut self, first: u64, count: u64, now: u64) -> Result<u64, FullReason> {
        if first + count <= self.known.limit_of(self.classes) {
            return Ok(count);
        }
        self.recount(first, count, now)
    }
}
