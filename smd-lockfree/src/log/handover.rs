//! Handing a segment over to one slow participant (rules H1 to H5).

use std::ops::Range;
use std::ptr::NonNull;

use crate::error::LagReason;
use crate::hooks::mark;
use crate::participant::Policy;
use crate::registry::record::{Filter, Record, UNKNOWN};
use crate::sync::atomic::Ordering;
use crate::sync::epoch::Guard;
use crate::sync::slab::UNIT;

use super::frame::{Frame, chunk_tag, segment_tag};
use super::spill::{Gap, Lost, Node, Spill};
use super::tail::{Held, Log};
use super::word::{EXTRA_BYTES, Head};

/// What a participant wants of a segment.
struct Wanted {
    lost: Lost,
    units: u32,
    last_time: u64,
}

/// The chunk that a participant's next copies may still go into. The retirer's own note; the frame
/// may be gone, so it is acquired anew each time.
#[derive(Debug, Default)]
pub(crate) struct OpenChunk {
    /// Everything wanted below this number was handed over: a hand-over that found no room goes on
    /// from here.
    done: u64,
    /// The numbers of the segment that was put into the participant's cell last.
    stood: Range<u64>,
    /// Number of the segment of which something was put into its ring last.
    in_ring: u64,
    frame: Option<Held>,
    index: u64,
    unit: u32,
}

// SAFETY: the pointer is used by rule F2 only.
unsafe impl Send for OpenChunk {}

/// The number of the next chunk's life in this process: only uniqueness matters.
pub(crate) fn next_chunk_number() -> u64 {
    #[cfg(not(any(smd_loom, smd_shuttle)))]
    {
        use crate::sync::atomic::AtomicU64;
        static NEXT: AtomicU64 = AtomicU64::new(1);
        // RELAXED: only uniqueness matters.
        NEXT.fetch_add(1, Ordering::Relaxed)
    }
    #[cfg(any(smd_loom, smd_shuttle))]
    {
        #[allow(clippy::disallowed_types)]
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }
}

/// One hand-over: the retirer, one segment, one participant.
pub(super) struct Handover<'a> {
    pub(super) log: &'a Log,
    pub(super) segment: Held,
    pub(super) record: &'a Record,
    pub(super) open: &'a mut OpenChunk,
    pub(super) guard: &'a Guard,
    /// Messages stamped before this are expired.
    pub(super) cutoff: u64,
}

impl Handover<'_> {
    fn frame(&self) -> &Frame {
        // SAFETY: the retirer holds the segment.
        unsafe { self.segment.as_ref() }
    }

    /// Hands over what the participant still wants; `false`: its spill has no room now.
    pub(super) fn run(&mut self) -> bool {
        let record = self.record;
        let next = record.next_sequence().max(self.open.done);
        let claim = self.log.load_claim(self.frame());
        let base = self.frame().base_sequence();
        let end = base + claim.messages();
        if next >= end || record.has_left() {
            return true;
        }
        let generation = record.generation();
        let filter = record.filter();
        let wanted = scan(self.frame(), &filter, next, None);
        if wanted.lost.count == 0 || !record.is_placed() {
            return true;
        }
        self.trim();
        // FENCE spill.stand: `low` against the load of `standing`, here and in `trim`.
        Spill::fence();
        if !record.spill.has_room(self.guard) {
            return false;
        }
        #[cfg(test)]
        if !crate::hooks::has_room(record.name.as_str()) {
            return false;
        }
        let mut whole = true;
        if self.stands_here() && self.leave_stood(end) {
            // In its cell, apart from the ring, which so can always be trimmed (rule H6).
        } else if wanted.units * 4 >= self.frame().capacity() {
            self.frame().acquire_held();
            record.spill.push(&Node {
                index: 0,
                frame: self.segment,
                tag: segment_tag(self.frame().number()),
                chunk: false,
                first_segment: self.frame().number(),
                end,
                generation: record.same_generation(generation),
                wanted: wanted.lost,
                last_time: wanted.last_time,
                gap: Gap::default(),
            });
            mark("handed over by reference");
            self.open.in_ring = self.frame().number();
            self.close();
        } else {
            self.open.in_ring = self.frame().number();
            whole = self.copy(&filter, next, end);
        }
        if whole {
            self.open.done = end;
        }
        self.sweep_if_left() || whole
    }

    /// Behind the move of `low`, for what lies in the ring: who went into the segment before that
    /// finds it in its cell too, so that the ring can be trimmed (rule H6).
    pub(super) fn look_again(mut self) {
        if self.is_in_ring() && self.stands_here() && !self.record.spill.is_empty() {
            let end = self.open.done;
            if self.record.next_sequence() < end && self.leave_stood(end) {
                mark("in the cell too");
                self.sweep_if_left();
            }
        }
    }

    /// Whether something of the segment was put into the participant's ring.
    pub(super) fn is_in_ring(&self) -> bool {
        self.open.in_ring == self.frame().number()
    }

    /// Rule H5, after something was put into the ring or the cell.
    fn sweep_if_left(&self) -> bool {
        // FENCE spill.left: what was filled before against the load of `left`.
        Spill::fence();
        let left = self.record.has_left();
        if left {
            mark("swept by the retirer");
            self.record.spill.sweep(self.log);
            self.clear_stood();
        }
        left
    }

    /// Forgets the open chunk.
    fn close(&mut self) {
        self.open.frame = None;
    }

    /// Whether the participant stands in this segment, or has stood in it or a later one.
    fn stands_here(&self) -> bool {
        // EDGE spill.standing: Acquire here; Release in `Cursor::stand` and `Cursor::take_node`.
        // Carries `next_sequence`.
        self.record.progress.standing.load(Ordering::Acquire) >= self.frame().number()
    }

    /// Puts the segment into the participant's cell; `false` if what lies there was not consumed.
    fn leave_stood(&mut self, end: u64) -> bool {
        let cell = &self.record.progress.stood;
        // EDGE spill.stood: Acquire here; Release below.
        let mut old = cell.load(Ordering::Acquire);
        loop {
            // What lies there is what this retirer, or an earlier one, put there last.
            if !old.is_null() && self.record.next_sequence() < self.open.stood.end {
                mark("the cell is not free");
                return false;
            }
            self.frame().acquire_held();
            // EDGE spill.stood: Release here; Acquire where the participant takes it.
            match cell.compare_exchange(
                old,
                self.segment.as_ptr(),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => break,
                Err(actual) => {
                    self.log.release(self.segment);
                    old = actual;
                }
            }
        }
        if !old.is_null() {
            // SAFETY: the cell's reference on a segment that was consumed.
            unsafe { self.log.arena.release(old) };
        }
        self.open.stood = self.frame().base_sequence()..end;
        mark("handed over in the cell");
        self.close();
        true
    }

    /// Empties the cell: the participant has left.
    fn clear_stood(&self) {
        // EDGE spill.stood: Acquire here; Release in `leave_stood`.
        let old = self.record.progress.stood.swap(std::ptr::null_mut(), Ordering::AcqRel);
        if !old.is_null() {
            // SAFETY: the cell's reference.
            unsafe { self.log.arena.release(old) };
        }
    }

    /// Copies what is wanted into chunks.
    fn copy(&mut self, filter: &Filter<'_>, from: u64, end: u64) -> bool {
        let mut unit = 0;
        let mut sequence = self.frame().base_sequence();
        while sequence < end {
            // SAFETY: held; the walk stays on records that were seen published.
            let head = unsafe { self.frame().head(unit) };
            if sequence >= from && filter.wants(head, sequence) {
                if !self.append(head, unit, sequence) {
                    return false;
                }
                self.open.done = sequence + 1;
            }
            unit += head.units();
            sequence += 1;
        }
        true
    }

    /// Appends one copy to the open chunk, or begins another.
    fn append(&mut self, head: Head, unit: u32, sequence: u64) -> bool {
        let large = match self.append_to_open(head, unit, sequence) {
            Ok(()) => return true,
            Err(was_full) => was_full,
        };
        let record = self.record;
        if !record.spill.has_room(self.guard) {
            return false;
        }
        let arena = &self.log.arena;
        let small = if large { None } else { Some(arena.take_small()) };
        let fits = |frame: *mut Frame| {
            // SAFETY: just taken, private.
            head.units() < unsafe { (*frame).capacity() }
        };
        let frame = match small {
            Some(frame) if fits(frame) => frame,
            Some(frame) => {
                // SAFETY: just taken, private.
                unsafe { arena.give(frame) };
                arena.take()
            }
            None => arena.take(),
        };
        let tag = chunk_tag(next_chunk_number());
        // SAFETY: just taken, private. One reference: the node's.
        unsafe { (*frame).begin_chunk(tag, sequence) };
        // SAFETY: not null.
        let chunk = unsafe { NonNull::new_unchecked(frame) };
        let (time, lost) = self.copy_record(chunk, 0, head, unit, sequence);
        // SAFETY: filled just above; nobody else sees the chunk yet.
        unsafe { chunk.as_ref().publish(0, head) };
        let index = record.spill.push(&Node {
            index: 0,
            frame: chunk,
            tag,
            chunk: true,
            first_segment: self.frame().number(),
            end: sequence + 1,
            // Counted under the mask of a moment: anew before it is trimmed.
            generation: UNKNOWN,
            wanted: lost,
            last_time: time,
            gap: Gap::default(),
        });
        mark("handed over by copy");
        self.open.frame = Some(chunk);
        self.open.index = index;
        self.open.unit = head.units() + 1;
        true
    }

    /// Appends to the open chunk; the error says whether there was one that is full now.
    fn append_to_open(&mut self, head: Head, unit: u32, sequence: u64) -> Result<(), bool> {
        let Some(chunk) = self.open.frame else { return Err(false) };
        let record = self.record;
        let range = record.spill.range();
        let node = record.spill.peek(self.open.index);
        let Some(mut node) = node
            .filter(|node| range.contains(&self.open.index) && node.frame == chunk && node.chunk)
            .filter(|node| self.may_grow(node))
        else {
            self.close();
            return Err(false);
        };
        // SAFETY: the node was in the ring under our pin, so the frame is in memory.
        if !unsafe { chunk.as_ref() }.acquire(node.tag) {
            self.close();
            return Err(false);
        }
        // SAFETY: acquired.
        let frame = unsafe { chunk.as_ref() };
        let at = self.open.unit;
        let full = at + head.units() + 1 > frame.capacity();
        let new = if full { Head::END } else { head };
        if !full {
            let (time, lost) = self.copy_record(chunk, at, head, unit, sequence);
            node.wanted.add(lost);
            node.last_time = time;
            node.end = sequence + 1;
            node.generation = UNKNOWN;
        }
        #[cfg(test)]
        crate::hooks::reached(crate::hooks::Place::Appending);
        // EDGE log.chunk: Release here; Acquire in the participant's exchange and in `Frame::head`.
        // Carries the copied record. RELAXED on failure: the participant closed the chunk.
        // SAFETY: in bounds.
        let done = unsafe { frame.slab().memory().head(at) }
            .compare_exchange(0, new.0, Ordering::Release, Ordering::Relaxed)
            .is_ok();
        if !done {
            mark("chunk closed by its reader");
        }
        if done && !full {
            mark("copy appended");
            record.spill.update(&node);
            self.open.unit = at + head.units() + 1;
        } else {
            self.close();
        }
        self.log.release(chunk);
        if done && !full { Ok(()) } else { Err(done) }
    }

    /// Whether more may go into the chunk of a node (rule H4). The participant may have come through
    /// the node's segments by the window: then the node is never trimmed, and would keep all behind it.
    fn may_grow(&self, node: &Node) -> bool {
        let number = self.frame().number();
        // EDGE spill.standing: Acquire here; Release in `Cursor::stand`. Ordered by the fence in `run`.
        let standing = self.record.progress.standing.load(Ordering::Acquire);
        let grows = node.first_segment == number || standing < node.first_segment;
        if !grows {
            mark("a chunk that was passed is closed");
        }
        grows
    }

    /// Writes a copy of the record at `unit` into a chunk, all but its head.
    fn copy_record(
        &self,
        chunk: Held,
        at: u32,
        head: Head,
        unit: u32,
        sequence: u64,
    ) -> (u64, Lost) {
        let body = unit as usize * UNIT + UNIT;
        let len = head.len() + if head.has_extra() { EXTRA_BYTES } else { 0 };
        // SAFETY: a published record of the held segment.
        let (time, bytes) =
            unsafe { (self.frame().records().time(unit), self.frame().records().bytes(body, len)) };
        let to = at as usize * UNIT;
        // SAFETY: the retirer alone fills a chunk; the place is behind everything published, and
        // the caller saw that the record fits.
        unsafe {
            let slab = chunk.as_ref().slab();
            slab.write_word(to + 8, time);
            slab.write_word(to + UNIT, sequence);
            slab.write(to + 2 * UNIT, bytes);
        }
        (time, Lost::one(sequence, head.bits()))
    }

    /// Trims from the front what is expired, and under policy lag what is over the depth
    /// (rule H3). The last node always stays.
    fn trim(&self) {
        let record = self.record;
        let generation = record.generation();
        if generation == UNKNOWN {
            // Its mask, or its N, is just being changed.
            return;
        }
        let range = record.spill.range();
        // Behind this index stands at least the depth of what is wanted.
        let mut keep_from = range.start;
        if record.policy == Policy::Lag {
            let mut kept = 0;
            for index in range.clone().rev() {
                keep_from = index;
                kept += record.spill.peek(index).map_or(0, |node| self.recount(node).wanted.count);
                if kept >= record.depth {
                    break;
                }
            }
        }
        let mut settled = record.next_sequence();
        if self.open.stood.contains(&settled) {
            // The rest of that segment is in the cell, or was.
            settled = self.open.stood.end;
        }
        // What belongs to the segment in hand is not behind `low` yet.
        let low = self.frame().base_sequence();
        for index in range.start..range.end.saturating_sub(1) {
            let Some(node) = record.spill.peek(index) else { return };
            if node.end > low {
                return;
            }
            let node = self.recount(node);
            if node.generation != generation {
                return;
            }
            if node.end <= settled || node.wanted.count == 0 {
                // Consumed through the window, in the cell, or not wanted any more: nothing is lost
                // with it.
                if !record.spill.trim(&node, None) {
                    return;
                }
                self.log.release(node.frame);
                continue;
            }
            let expired = node.last_time < self.cutoff;
            if !expired && index >= keep_from {
                return;
            }
            // FENCE spill.stand: `low` was stored (for every segment in the ring but the newest
            // node's, which is never trimmed) against the load of `standing`.
            Spill::fence();
            // EDGE spill.standing: Acquire here; Release in `Cursor::stand`. Ordered by the fence.
            if record.progress.standing.load(Ordering::Acquire) >= node.first_segment {
                return;
            }
            let reason = if expired { LagReason::Expired } else { LagReason::Overflow };
            if !record.spill.trim(&node, Some(reason)) {
                return;
            }
            self.log.release(node.frame);
        }
    }

    /// The node, with what the participant wants of it by its mask of now.
    fn recount(&self, mut node: Node) -> Node {
        let record = self.record;
        let generation = record.generation();
        if node.generation == generation && generation != UNKNOWN {
            return node;
        }
        // SAFETY: in the ring under our pin, so in memory; acquired by its tag before use.
        let frame = unsafe { node.frame.as_ref() };
        if !frame.acquire(node.tag) {
            return node;
        }
        let filter = record.filter();
        node.wanted = if node.chunk {
            scan_chunk(frame, &filter)
        } else {
            scan(frame, &filter, frame.base_sequence(), None).lost
        };
        node.generation = record.same_generation(generation);
        self.log.release(node.frame);
        record.spill.update(&node);
        node
    }
}

/// What is wanted of a sealed, complete segment from number `from` on.
fn scan(frame: &Frame, filter: &Filter<'_>, from: u64, until: Option<u64>) -> Wanted {
    let mut wanted = Wanted { lost: Lost::default(), units: 0, last_time: 0 };
    let mut unit = 0;
    let mut sequence = frame.base_sequence();
    loop {
        // SAFETY: the caller holds the segment; the walk ends at END.
        let head = unsafe { frame.head(unit) };
        if head.0 == 0 || head.is_end() || until.is_some_and(|until| sequence >= until) {
            return wanted;
        }
        if sequence >= from && filter.wants(head, sequence) {
            wanted.lost.add(Lost::one(sequence, head.bits()));
            wanted.units += head.units();
            // SAFETY: published.
            wanted.last_time = unsafe { frame.records().time(unit) };
        }
        unit += head.units();
        sequence += 1;
    }
}

/// What is wanted of a chunk.
fn scan_chunk(frame: &Frame, filter: &Filter<'_>) -> Lost {
    let mut lost = Lost::default();
    let mut unit = 0;
    loop {
        // SAFETY: the caller holds the chunk; the walk ends at its end.
        let head = unsafe { frame.head(unit) };
        if head.0 == 0 || head.is_end() {
            return lost;
        }
        // SAFETY: published; in a chunk the number stands behind the time.
        let sequence = unsafe { frame.records().word(unit as usize * UNIT + UNIT) };
        if filter.wants(head, sequence) {
            lost.add(Lost::one(sequence, head.bits()));
        }
        unit += head.units() + 1;
    }
}
