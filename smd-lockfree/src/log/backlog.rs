//! Counting a backlog from outside (rule L2), and walking a segment.

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::ops::Range;
use std::ptr::NonNull;

use crate::hooks::mark;
use crate::registry::record::{Filter, Record};
use crate::sync::atomic::{Ordering, fence};
use crate::sync::epoch::Guard;
use crate::sync::slab::UNIT;

use super::frame::{Frame, segment_tag};
use super::tail::{Held, Log, Next};

/// Whether every record of a segment is published and its end marked; then it is set complete.
pub(super) fn walk_to_end(frame: &Frame) -> bool {
    if frame.complete_union().is_some() {
        return true;
    }
    let mut unit = 0;
    loop {
        // SAFETY: the caller holds the segment; a walk from record to record stays in bounds.
        let head = unsafe { frame.head(unit) };
        if head.0 == 0 {
            return false;
        }
        if head.is_end() {
            frame.set_complete();
            return true;
        }
        unit += head.units();
    }
}

/// What a record counts as that is not published, so that nobody knows yet whether it is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unpublished<'a> {
    /// Nothing: for a loss.
    Ignored,
    /// Wanted: for a limit.
    Wanted,
    /// Wanted, and the cell is told whether there was one: for who goes to sleep for what it counted.
    /// Looks at each record of a segment in progress.
    Told(&'a Cell<bool>),
}

/// One count: what a participant has of wanted, unexpired messages below a number.
struct Count<'a> {
    log: &'a Log,
    record: &'a Record,
    filter: Filter<'a>,
    next: u64,
    cutoff: u64,
    unpublished: Unpublished<'a>,
    guard: &'a Guard,
}

impl Log {
    /// The participant's backlog below number `until`: exact when nothing of it is in progress,
    /// else possibly more, never less.
    pub(crate) fn backlog(
        &self,
        record: &Record,
        until: u64,
        cutoff: u64,
        unpublished: Unpublished<'_>,
    ) -> u64 {
        let guard = self.pin();
        loop {
            let count = Count {
                log: self,
                record,
                filter: record.filter(),
                next: record.next_sequence(),
                cutoff,
                unpublished,
                guard: &guard,
            };
            if count.next >= until {
                return 0;
            }
            let low = self.acquire_low();
            let total = count
                .spill(low)
                .and_then(|spilled| count.window(low, until).map(|window| spilled + window));
            if let Some(total) = total {
                record.saw_depth(total);
                return total;
            }
            mark("backlog counted again");
        }
    }
}

impl Count<'_> {
    /// The spill, below the base of `low`. `None`: the participant moved on meanwhile.
    fn spill(&self, low: Held) -> Option<u64> {
        let spill = &self.record.spill;
        // SAFETY: held by the caller.
        let below = unsafe { low.as_ref() }.base_sequence();
        if self.next >= below {
            return Some(0);
        }
        let progress = &self.record.progress;
        // In the order in which a segment moves (rule H6): the ring, the cell, the participant.
        let range = spill.range();
        // EDGE spill.stood: Acquire here; AcqRel where the participant takes it out.
        let stood = progress.stood.load(Ordering::Acquire);
        #[cfg(test)]
        crate::hooks::reached(crate::hooks::Place::CellSeen);
        // What lies in the cell may lie in the ring too (rule H6): it is counted here.
        let in_cell = NonNull::new(stood).and_then(|frame| self.stood(frame, below));
        let (mut total, end) = in_cell.unwrap_or_default();
        let from = self.next.max(end);
        for node in range.clone().filter_map(|index| spill.peek(index)) {
            total += self.node(node.frame, node.tag, from..below);
        }
        // EDGE registry.progress: both were stored before the exchange that took the node, and
        // `range` loaded `taken` with Acquire. Torn only while the next node is being taken, and
        // then the look at `taken` below says so, or the ring had it.
        let current = progress.current.load(Ordering::Relaxed);
        let tag = progress.current_tag.load(Ordering::Relaxed);
        #[cfg(test)]
        crate::hooks::reached(crate::hooks::Place::CurrentSeen);
        if let Some(current) = NonNull::new(current)
            && range.clone().filter_map(|index| spill.peek(index)).all(|node| node.frame != current)
        {
            total += self.node(current, tag, from..below);
        }
        // Keeps the second looks behind the looks above.
        fence(Ordering::Acquire);
        // RELAXED: for its coherence alone.
        let same = progress.stood.load(Ordering::Relaxed) == stood;
        if !same || spill.range().start != range.start {
            self.log.release(low);
            return None;
        }
        Some(total)
    }

    /// The segment in the cell of who stands in it: its share, and its end; `None` if it is there no
    /// more.
    fn stood(&self, frame: Held, below: u64) -> Option<(u64, u64)> {
        // SAFETY: read from the cell under our pin, when it was referenced.
        let life = unsafe { frame.as_ref() };
        if !life.acquire_any() {
            return None;
        }
        // EDGE spill.stood: as in `spill`.
        let still = self.record.progress.stood.load(Ordering::Acquire) == frame.as_ptr();
        let counted = still.then(|| {
            let end = life.base_sequence() + self.log.load_claim(life).messages();
            (self.segment(life, self.next..below), end)
        });
        self.log.release(frame);
        counted
    }

    /// One node of the spill; 0 if it is gone.
    fn node(&self, frame: Held, tag: u32, numbers: Range<u64>) -> u64 {
        // SAFETY: read from a slot or from `current` under our pin, when it was referenced.
        let life = unsafe { frame.as_ref() };
        if !life.acquire(tag) {
            return 0;
        }
        let total =
            if tag & 1 == 1 { self.chunk(life, numbers) } else { self.segment(life, numbers) };
        self.log.release(frame);
        total
    }

    fn chunk(&self, frame: &Frame, numbers: Range<u64>) -> u64 {
        let mut unit = 0;
        let mut total = 0;
        loop {
            // SAFETY: acquired; the walk ends at the chunk's end.
            let head = unsafe { frame.head(unit) };
            if head.0 == 0 || head.is_end() {
                return total;
            }
            // SAFETY: published; the number stands behind the time.
            let (sequence, time) = unsafe {
                (frame.records().word(unit as usize * UNIT + UNIT), frame.records().time(unit))
            };
            if sequence >= numbers.end {
                return total;
            }
            total += u64::from(
                sequence >= numbers.start
                    && time >= self.cutoff
                    && self.filter.wants(head, sequence),
            );
            unit += head.units() + 1;
        }
    }

    /// A segment's share of these numbers; what is not published counts as wanted.
    fn segment(&self, frame: &Frame, numbers: Range<u64>) -> u64 {
        let claim = self.log.load_claim(frame);
        let base = frame.base_sequence();
        let until = numbers.end.min(base + claim.messages());
        let from = numbers.start.max(base);
        if from >= until {
            return 0;
        }
        let union = frame.complete_union();
        if union.is_some_and(|union| union & self.filter.mask == 0) {
            return 0;
        }
        // Where what is not published counts as wanted, a union that may still grow is as good: what
        // is missing in it belongs to records that are not published, or not before this count.
        let union = union.or_else(|| {
            matches!(self.unpublished, Unpublished::Wanted).then(|| frame.union_so_far())
        });
        if union.is_some_and(|union| self.filter.covers(union, from)) && self.is_fresh(frame) {
            return until - from;
        }
        let mut unit = 0;
        let mut sequence = base;
        let mut total = 0;
        while sequence < until {
            // SAFETY: referenced; `until` bounds the walk.
            let head = unsafe { frame.head(unit) };
            if head.0 == 0 || head.is_end() {
                return total + self.hole(until - sequence.max(from));
            }
            // SAFETY: published.
            if sequence >= from
                && self.filter.wants(head, sequence)
                // SAFETY: published.
                && unsafe { frame.records().time(unit) } >= self.cutoff
            {
                total += 1;
            }
            unit += head.units();
            sequence += 1;
        }
        total
    }

    /// What records count as that begin with one that is not published.
    fn hole(&self, count: u64) -> u64 {
        match self.unpublished {
            Unpublished::Ignored => return 0,
            Unpublished::Wanted => {}
            Unpublished::Told(cell) => cell.set(true),
        }
        count
    }

    /// Whether nothing in a segment has expired: its first record is the oldest.
    fn is_fresh(&self, frame: &Frame) -> bool {
        // SAFETY: referenced.
        let head = unsafe { frame.head(0) };
        // SAFETY: published.
        self.cutoff == 0 || head.0 != 0 && unsafe { frame.records().time(0) } >= self.cutoff
    }

    /// The window from `low` on, hand over hand; gives `low` back. `None`: passed meanwhile.
    fn window(&self, low: Held, until: u64) -> Option<u64> {
        let mut held = low;
        let mut total = 0;
        loop {
            // SAFETY: held.
            let frame = unsafe { held.as_ref() };
            total += self.segment(frame, self.next..until);
            let claim = self.log.load_claim(frame);
            let end = frame.base_sequence() + claim.messages();
            if !claim.is_sealed() || end >= until {
                self.log.release(held);
                return Some(total);
            }
            debug_assert_eq!(segment_tag(frame.number()) & 1, 0);
            match self.log.acquire_next(held, self.guard) {
                Next::Held(next) => {
                    self.log.release(held);
                    held = next;
                }
                Next::Missing => {
                    self.log.release(held);
                    return Some(total);
                }
                Next::Passed => {
                    self.log.release(held);
                    return None;
                }
            }
        }
    }
}
