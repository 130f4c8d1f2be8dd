//! What the window passed and one slow participant still wants: a ring of nodes.
//!
//! ```text
//!     taken                    filled
//!       v                        v
//!  ... | ref s7 | chunk s8..12 | (free)        retirer fills, participant takes,
//!        ^ lost totals of what was trimmed      retirer trims, a leaver sweeps
//!          right before this node
//! ```
//!
//! One producer, the retirer; several takers, of whom one exchange on `taken` picks one for each
//! node (rule H2). Rules H1 to H5 of [`super`].

use std::collections::VecDeque;
use std::ptr::NonNull;

use crate::class::Class;
use crate::error::LagReason;
use crate::hooks::mark;
use crate::limits::MAX_DEPTH;
use crate::sync::CachePadded;
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};
use crate::sync::epoch::Guard;

use super::frame::Frame;
use super::tail::{Held, Log};

/// Slots of a ring when it is first needed.
const FIRST_SLOTS: usize = if cfg!(any(smd_loom, smd_shuttle)) { 4 } else { 8 };

/// More slots are never made. The depth is no bound of the nodes: of what a participant gives up
/// behind a message that it does not receive the nodes stay, and it may want the class again.
const MOST_SLOTS: usize = MAX_DEPTH as usize;

/// Messages that a participant lost, added up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Lost {
    pub(crate) count: u64,
    pub(crate) classes: u32,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Lost {
    pub(crate) fn one(sequence: u64, classes: u32) -> Lost {
        Lost { count: 1, classes, first: sequence, last: sequence }
    }

    pub(crate) fn add(&mut self, more: Lost) {
        if more.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = more;
            return;
        }
        self.count += more.count;
        self.classes |= more.classes;
        self.first = self.first.min(more.first);
        self.last = self.last.max(more.last);
    }

    pub(crate) fn classes(&self) -> Class {
        Class::from_bits(self.classes)
    }
}

/// Losses in the order of their numbers, one run for each change of the reason.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Losses(VecDeque<(LagReason, Lost)>);

impl Losses {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, reason: LagReason, more: Lost) {
        match self.0.back_mut() {
            _ if more.count == 0 => {}
            Some((last, lost)) if *last == reason => lost.add(more),
            _ => self.0.push_back((reason, more)),
        }
    }

    /// Adds what was trimmed.
    pub(crate) fn add_gap(&mut self, gap: &Gap) {
        for (reason, lost) in gap.runs() {
            self.add(reason, lost);
        }
    }

    /// Takes the oldest run out.
    pub(crate) fn take(&mut self) -> Option<(LagReason, Lost)> {
        self.0.pop_front()
    }
}

/// What was trimmed right before a node, by the reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Gap {
    overflowed: Lost,
    expired: Lost,
}

impl Gap {
    fn add(&mut self, reason: LagReason, more: Lost) {
        match reason {
            LagReason::Overflow => self.overflowed.add(more),
            _ => self.expired.add(more),
        }
    }

    /// Both runs, the one that begins first in front.
    fn runs(&self) -> [(LagReason, Lost); 2] {
        let mut runs = [(LagReason::Overflow, self.overflowed), (LagReason::Expired, self.expired)];
        runs.sort_by_key(|(_, lost)| lost.first);
        runs
    }
}

/// [`Lost`] in a slot: written by the retirer, read by who takes the node.
#[derive(Debug, Default)]
struct LostCell {
    count: AtomicU64,
    classes: AtomicU32,
    first: AtomicU64,
    last: AtomicU64,
}

impl LostCell {
    // RELAXED (both): ordered by edges `spill.push` and `spill.take`.
    fn store(&self, lost: Lost) {
        self.count.store(lost.count, Ordering::Relaxed);
        self.classes.store(lost.classes, Ordering::Relaxed);
        self.first.store(lost.first, Ordering::Relaxed);
        self.last.store(lost.last, Ordering::Relaxed);
    }

    fn load(&self) -> Lost {
        Lost {
            count: self.count.load(Ordering::Relaxed),
            classes: self.classes.load(Ordering::Relaxed),
            first: self.first.load(Ordering::Relaxed),
            last: self.last.load(Ordering::Relaxed),
        }
    }
}

#[derive(Debug, Default)]
struct Slot {
    frame: AtomicPtr<Frame>,
    tag: AtomicU32,
    chunk: AtomicBool,
    first_segment: AtomicU64,
    /// Behind the last number in the node, for a reference.
    end: AtomicU64,
    /// What the participant wanted of the node when `generation` was its mask's.
    generation: AtomicU64,
    wanted: LostCell,
    last_time: AtomicU64,
    overflowed: LostCell,
    expired: LostCell,
}

impl Slot {
    /// Fills the slot: before it is published by `filled`, or with its ring.
    fn store(&self, node: &Node) {
        // EDGE spill.push: Release here; Acquire in `peek`.
        self.frame.store(node.frame.as_ptr(), Ordering::Release);
        // RELAXED (all): published by `filled`, or with the ring.
        self.tag.store(node.tag, Ordering::Relaxed);
        self.chunk.store(node.chunk, Ordering::Relaxed);
        self.first_segment.store(node.first_segment, Ordering::Relaxed);
        self.store_gap(node.gap);
        self.update(node);
    }

    // RELAXED (all): figures that the retirer reads itself; a taker uses them only behind an
    // exchange of `taken` that the retirer made later.
    fn update(&self, node: &Node) {
        self.end.store(node.end, Ordering::Relaxed);
        self.generation.store(node.generation, Ordering::Relaxed);
        self.wanted.store(node.wanted);
        self.last_time.store(node.last_time, Ordering::Relaxed);
    }

    fn store_gap(&self, gap: Gap) {
        self.overflowed.store(gap.overflowed);
        self.expired.store(gap.expired);
    }
}

/// A node, as its taker sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) index: u64,
    pub(crate) frame: Held,
    pub(crate) tag: u32,
    pub(crate) chunk: bool,
    pub(crate) first_segment: u64,
    pub(crate) end: u64,
    pub(crate) generation: u64,
    /// What was wanted of it, added up as if lost.
    pub(crate) wanted: Lost,
    pub(crate) last_time: u64,
    /// What was trimmed right before it; meant only for a taker who did not take its predecessor.
    pub(crate) gap: Gap,
}

/// The spill of one participant.
#[derive(Debug)]
pub(crate) struct Spill {
    taken: CachePadded<AtomicU64>,
    filled: CachePadded<AtomicU64>,
    ring: AtomicPtr<Box<[Slot]>>,
}

impl Spill {
    /// An empty spill; the ring is allocated when the first node is pushed, and grows as the nodes
    /// do.
    pub(crate) fn new() -> Spill {
        Spill {
            taken: CachePadded::new(AtomicU64::new(0)),
            filled: CachePadded::new(AtomicU64::new(0)),
            ring: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    fn slots(&self) -> Option<&[Slot]> {
        // EDGE spill.ring: Acquire here; Release in `has_room`. Carries the zeroed slots.
        let ring = self.ring.load(Ordering::Acquire);
        // SAFETY: freed through the epoch when it is replaced, and with the spill; who calls this is
        // pinned, or is the retirer, who alone replaces it.
        (!ring.is_null()).then(|| unsafe { &**ring })
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.slots().map_or(0, |slots| size_of_val(slots) as u64)
    }

    /// Indices of the first node and behind the last.
    pub(crate) fn range(&self) -> std::ops::Range<u64> {
        // EDGE spill.take: Acquire here; Release in `take`. Loaded first: nodes only move away.
        let taken = self.taken.load(Ordering::Acquire);
        // EDGE spill.push: Acquire here; Release in `push`. Carries the slots.
        let filled = self.filled.load(Ordering::Acquire);
        taken..filled.max(taken)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.range().is_empty()
    }

    /// The node at `index`, if its slot still holds it; only a successful [`Spill::take`], or a
    /// frame acquired by its tag, proves that it does.
    pub(crate) fn peek(&self, index: u64) -> Option<Node> {
        let slots = self.slots()?;
        let slot = &slots[index as usize & (slots.len() - 1)];
        // RELAXED (all): ordered by `spill.push` (the caller got `index` from `range`); what a
        // reuse of the slot would mix up is refused by `take` or by the tag.
        // EDGE spill.push: Acquire: a reused slot may show its next frame before `filled` says so.
        let frame = NonNull::new(slot.frame.load(Ordering::Acquire))?;
        Some(Node {
            index,
            frame,
            tag: slot.tag.load(Ordering::Relaxed),
            chunk: slot.chunk.load(Ordering::Relaxed),
            first_segment: slot.first_segment.load(Ordering::Relaxed),
            end: slot.end.load(Ordering::Relaxed),
            generation: slot.generation.load(Ordering::Relaxed),
            wanted: slot.wanted.load(),
            last_time: slot.last_time.load(Ordering::Relaxed),
            gap: Gap { overflowed: slot.overflowed.load(), expired: slot.expired.load() },
        })
    }

    /// The first node, if there is one; as with [`Spill::peek`].
    pub(crate) fn first(&self) -> Option<Node> {
        let range = self.range();
        if range.is_empty() { None } else { self.peek(range.start) }
    }

    /// Takes the node at `index`; `true`: its reference is the caller's.
    pub(crate) fn take(&self, index: u64) -> bool {
        // EDGE spill.take: Release half: what the retirer wrote into the next node before it trims
        // this one, and what the participant stored before; Acquire half: the same, received.
        self.taken.compare_exchange(index, index + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Whether a node can be pushed; makes the ring larger if need be. The retirer alone.
    ///
    /// Who looks at the ring that was is pinned; what it finds there of nodes that are not taken is
    /// what the new one holds, and who sees a node trimmed sees the new ring (it was published
    /// before).
    pub(super) fn has_room(&self, guard: &Guard) -> bool {
        let range = self.range();
        let used = (range.end - range.start) as usize;
        let len = self.slots().map_or(0, <[Slot]>::len);
        if used < len {
            return true;
        }
        if len >= MOST_SLOTS {
            return false;
        }
        let ring: Box<[Slot]> = (0..(2 * len).max(FIRST_SLOTS)).map(|_| Slot::default()).collect();
        for node in range.filter_map(|index| self.peek(index)) {
            ring[node.index as usize & (ring.len() - 1)].store(&node);
        }
        // EDGE spill.ring: Release here; Acquire in `slots`. Carries the slots.
        let old = self.ring.swap(Box::into_raw(Box::new(ring)), Ordering::AcqRel);
        if !old.is_null() {
            mark("ring replaced");
            // SAFETY: replaced, made by `Box::into_raw`; who looks at it is pinned.
            unsafe { guard.retire(old, |old| drop(Box::from_raw(old))) };
        }
        true
    }

    /// Pushes a node; its reference goes with it. The retirer alone, and only with room.
    pub(super) fn push(&self, node: &Node) -> u64 {
        let slots = self.slots().expect("there is room");
        // RELAXED: written by this thread, or by an earlier retirer (edge `log.retire`).
        let index = self.filled.load(Ordering::Relaxed);
        let slot = &slots[index as usize & (slots.len() - 1)];
        slot.store(node);
        slot.store_gap(Gap::default());
        // EDGE spill.push: Release here; Acquire in `range`.
        self.filled.store(index + 1, Ordering::Release);
        index
    }

    /// Writes what is known of a node's content anew: the retirer alone.
    pub(super) fn update(&self, node: &Node) {
        if let Some(slots) = self.slots() {
            slots[node.index as usize & (slots.len() - 1)].update(node);
        }
    }

    /// Trims the oldest node, which the caller has peeked: writes what is lost with it into the
    /// node that follows, then takes it (rule H3). The retirer alone, and never the last node.
    pub(super) fn trim(&self, node: &Node, lost_by: Option<LagReason>) -> bool {
        let Some(slots) = self.slots() else { return false };
        let following = &slots[(node.index + 1) as usize & (slots.len() - 1)];
        let mut gap = node.gap;
        if let Some(reason) = lost_by {
            gap.add(reason, node.wanted);
        }
        following.store_gap(gap);
        if self.take(node.index) {
            mark(if lost_by.is_some() { "trimmed" } else { "consumed node dropped" });
            return true;
        }
        mark("taken under a trim");
        // The participant took the node: nothing is lost before the one that follows. (It ignores
        // these words anyway when it takes the two in a row.)
        following.store_gap(Gap::default());
        false
    }

    /// Takes and releases everything: at departure (rule H5).
    pub(crate) fn sweep(&self, log: &Log) {
        let _guard = log.pin();
        while let Some(node) = self.first() {
            if self.take(node.index) {
                log.release(node.frame);
            }
        }
    }

    /// The two ends of rule H5 and of rule H3 fence between their store and their load.
    pub(crate) fn fence() {
        // FENCE spill.stand / spill.left: `standing` (or `left`) against `low` (or `filled`).
        fence(Ordering::SeqCst);
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        // RELAXED: exclusive.
        let ring = self.ring.load(Ordering::Relaxed);
        if !ring.is_null() {
            // SAFETY: made by `Box::into_raw` in `has_room`, freed once; the nodes' references were
            // swept at departure.
            drop(unsafe { Box::from_raw(ring) });
        }
    }
}
