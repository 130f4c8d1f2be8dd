//! Figures and a text picture of a bus, put together when they are asked for.

use std::fmt;

use crate::class::Class;
use crate::core::Core;
use crate::limits::Name;
use crate::log::backlog::Unpublished;
use crate::participant::Policy;
use crate::stats::{BusStats, ParticipantStats};
use crate::sync::atomic::Ordering;

use crate::registry::record::Record;

/// Sums up a bus.
pub(crate) fn stats(core: &Core) -> BusStats {
    let (_, unwanted, refused, senders) = core.slots.totals();
    // RELAXED (all): statistics.
    let mut stats = BusStats {
        sent: core.log.next_sequence() - 1,
        unwanted,
        refused,
        senders,
        delivered: core.departed.delivered.load(Ordering::Relaxed),
        expired: core.departed.expired.load(Ordering::Relaxed),
        lagged: core.departed.lagged.load(Ordering::Relaxed),
        wakes: core.waiters.wakes(),
        segments_live: core.log.window(),
        segments_pooled: core.log.arena.pooled() as u64,
        memory_bytes: core.log.arena.bytes(),
        retained: core.retained.len(core.domain()) as u64,
        ..BusStats::default()
    };
    let guard = core.log.pin();
    for entry in core.registry.snapshot(&guard).entries() {
        let record = entry.record();
        stats.participants += 1;
        stats.delivered += record.progress.delivered.load(Ordering::Relaxed);
        stats.expired += record.progress.expired.load(Ordering::Relaxed);
        stats.lagged += record.progress.lagged.load(Ordering::Relaxed);
        stats.memory_bytes += record.spill.bytes();
    }
    stats
}

/// Sums up a participant.
pub(crate) fn participant_stats(core: &Core, record: &Record) -> ParticipantStats {
    let progress = &record.progress;
    let depth_now = if record.has_left() {
        0
    } else {
        // Under policy lag what is over the depth is lost already, only not reported yet.
        let until = core.log.next_sequence();
        core.log.backlog(record, until, core.cutoff(), Unpublished::Wanted).min(record.depth)
    };
    // RELAXED (all): statistics.
    ParticipantStats {
        delivered: progress.delivered.load(Ordering::Relaxed),
        expired: progress.expired.load(Ordering::Relaxed),
        lagged: progress.lagged.load(Ordering::Relaxed),
        wakes: record.waiter.wakes(),
        depth_now,
        depth_max: record.depth_max.load(Ordering::Relaxed),
    }
}

/// A text picture of a bus, from [`Bus::dump`](crate::Bus::dump).
pub struct Dump<'b>(&'b Core);

impl<'b> Dump<'b> {
    pub(crate) fn new(core: &'b Core) -> Dump<'b> {
        Dump(core)
    }
}

impl fmt::Debug for Dump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Dump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let core = self.0;
        let stats = stats(core);
        let config = &core.config;
        writeln!(
            f,
            "bus {:?}: next {}, interest {}, {}",
            config.name.as_str(),
            stats.sent + 1,
            Class::from_bits(core.registry.interest().mask()),
            if core.is_closed() { "closed" } else { "open" },
        )?;
        writeln!(
            f,
            "  sent {} unwanted {} refused {} delivered {} expired {} lagged {} wakes {}",
            stats.sent,
            stats.unwanted,
            stats.refused,
            stats.delivered,
            stats.expired,
            stats.lagged,
            stats.wakes,
        )?;
        writeln!(
            f,
            "  segments {} of {} x {} bytes, pooled {}, memory {} bytes, senders {}, retained {}",
            stats.segments_live,
            config.max_segments,
            config.segment_bytes,
            stats.segments_pooled,
            stats.memory_bytes,
            stats.senders,
            stats.retained,
        )?;
        // What is written to is the user's: the figures first, then, unpinned, the lines.
        let lines: Vec<_> = {
            let guard = core.log.pin();
            let entries = core.registry.snapshot(&guard).entries();
            entries.iter().map(|entry| Line::new(core, entry.record(), entry.mask)).collect()
        };
        lines.iter().try_for_each(|line| line.fmt(f))
    }
}

/// One participant in a dump.
struct Line {
    name: Name,
    mask: Class,
    policy: Policy,
    depth: u64,
    next: u64,
    figures: ParticipantStats,
}

impl Line {
    fn new(core: &Core, record: &Record, mask: u32) -> Line {
        Line {
            name: record.name,
            mask: Class::from_bits(mask),
            policy: record.policy,
            depth: record.depth,
            next: record.next_sequence(),
            figures: participant_stats(core, record),
        }
    }

    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = &self.figures;
        writeln!(
            f,
            "  participant {:?}: mask {}, {:?} at {}, next {}, backlog {} (highest {}), \
             delivered {} expired {} lagged {} wakes {}",
            self.name.as_str(),
            self.mask,
            self.policy,
            self.depth,
            self.next,
            figures.depth_now,
            figures.depth_max,
            figures.delivered,
            figures.expired,
            figures.lagged,
            figures.wakes,
        )
    }
}
