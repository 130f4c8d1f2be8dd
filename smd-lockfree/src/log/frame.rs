//! A frame of memory and the counted lives that it leads as segment or chunk.

use crate::sync::CachePadded;
use crate::sync::atomic::{AtomicPtr, AtomicU64, Ordering, acquire_last};
use crate::sync::canary::Canary;
use crate::sync::slab::{Memory, Slab, Spot, UNIT};

use super::word::{Claim, EXTRA_BYTES, Extra, Head};

/// Marks the union of a segment as final: every record was seen published.
const COMPLETE: u64 = 1 << 32;

/// References that one life may have: far below what its 32 bits count, so that no number of threads
/// that add at once goes past them.
const MAX_REFS: u32 = 1 << 31;

/// The number of a chunk, which is no segment: above that of every segment, so that who reads it for
/// that of `low` takes the window for passed, and looks again.
pub(crate) const NO_SEGMENT: u64 = u64::MAX;

/// What changes once per segment or less.
#[derive(Debug)]
struct Life {
    /// Tag of this life (high 32 bits) and references (low 32): rule F1.
    refs: AtomicU64,
    /// The successor in the log: weak, rule F3.
    next: AtomicPtr<Frame>,
    number: AtomicU64,
    base_sequence: AtomicU64,
    base_time: AtomicU64,
}

/// What senders change with every message.
#[derive(Debug)]
struct Hot {
    claim: AtomicU64,
    union: AtomicU64,
}

/// Memory for records, and the words that govern it. See the rules in [`super`].
#[derive(Debug)]
pub(crate) struct Frame {
    hot: CachePadded<Hot>,
    life: CachePadded<Life>,
    slab: Slab,
    canary: Canary,
}

/// The tag of a segment's life in a frame.
#[inline(always)]
pub(crate) fn segment_tag(number: u64) -> u32 {
    (number as u32) << 1
}

/// The tag of a chunk's life in a frame: never equal to a segment's.
pub(crate) fn chunk_tag(number: u64) -> u32 {
    (number as u32) << 1 | 1
}

impl Frame {
    /// A private frame: count 0, everything zero.
    pub(crate) fn new(units: u32) -> Frame {
        Frame {
            hot: CachePadded::new(Hot { claim: AtomicU64::new(0), union: AtomicU64::new(0) }),
            life: CachePadded::new(Life {
                refs: AtomicU64::new(0),
                next: AtomicPtr::new(std::ptr::null_mut()),
                number: AtomicU64::new(0),
                base_sequence: AtomicU64::new(0),
                base_time: AtomicU64::new(0),
            }),
            slab: Slab::new(units),
            canary: Canary::new(),
        }
    }

    /// Frees a frame. The one way to do it: in a model it stays, as one that must not be used.
    ///
    /// # Safety
    /// Made by `Box::into_raw`, private, and nobody can look at it any more.
    pub(crate) unsafe fn free(frame: *mut Frame) {
        // SAFETY: the caller's promise.
        unsafe { Canary::bury(frame, |frame| &frame.canary) };
    }

    /// Bytes of memory that a frame of `units` takes.
    pub(crate) fn footprint(units: u32) -> u64 {
        (size_of::<Frame>() + units as usize * UNIT) as u64
    }

    pub(crate) fn units(&self) -> u32 {
        self.slab.units()
    }

    /// Units that records may take: the last is kept for the END marker.
    #[inline(always)]
    pub(crate) fn capacity(&self) -> u32 {
        self.slab.units() - 1
    }

    #[inline(always)]
    pub(crate) fn slab(&self) -> &Slab {
        &self.slab
    }

    #[inline(always)]
    pub(crate) fn claim(&self) -> &AtomicU64 {
        self.canary.look();
        &self.hot.claim
    }

    pub(crate) fn next(&self) -> &AtomicPtr<Frame> {
        self.canary.look();
        &self.life.next
    }

    // RELAXED (the three below): written while the frame was private; who holds a reference got it
    // by edge `frame.refs` or by the publication of the frame, which carry them. What a reader
    // without a reference makes of them is said where it reads (`Log::low_number`, `next_sequence`).

    pub(crate) fn number(&self) -> u64 {
        self.canary.look();
        self.life.number.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn base_sequence(&self) -> u64 {
        self.life.base_sequence.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn base_time(&self) -> u64 {
        self.life.base_time.load(Ordering::Relaxed)
    }

    /// Begins a life with `count` references.
    ///
    /// # Safety
    /// The frame is private: the caller brought its count to 0, or made it (rule F1).
    pub(crate) unsafe fn begin(
        &self,
        tag: u32,
        count: u32,
        number: u64,
        base_sequence: u64,
        base_time: u64,
    ) {
        // RELAXED (all but the last): private until `refs` is stored and the pointer published.
        self.hot.claim.store(0, Ordering::Relaxed);
        self.hot.union.store(0, Ordering::Relaxed);
        self.life.next.store(std::ptr::null_mut(), Ordering::Relaxed);
        self.life.number.store(number, Ordering::Relaxed);
        self.life.base_sequence.store(base_sequence, Ordering::Relaxed);
        self.life.base_time.store(base_time, Ordering::Relaxed);
        // EDGE frame.refs: Release here; Acquire in `acquire` and `acquire_any`. Carries the life's
        // words and the cleared memory to a stale acquirer that counts itself in by the new tag.
        self.life.refs.store(u64::from(tag) << 32 | u64::from(count), Ordering::Release);
    }

    /// Begins the life of a chunk, with one reference: the numbers of its records stand beside them.
    ///
    /// # Safety
    /// As for [`Frame::begin`].
    pub(crate) unsafe fn begin_chunk(&self, tag: u32, sequence: u64) {
        // SAFETY: the caller's promise.
        unsafe { self.begin(tag, 1, NO_SEGMENT, sequence, 0) };
    }

    /// Takes one more reference if the frame still leads the life `tag`.
    pub(crate) fn acquire(&self, tag: u32) -> bool {
        self.canary.look();
        // RELAXED: the compare-and-swap decides.
        let mut refs = self.life.refs.load(Ordering::Relaxed);
        loop {
            if (refs >> 32) as u32 != tag || refs as u32 == 0 {
                return false;
            }
            // EDGE frame.refs: Acquire here; Release in `begin` and `release`.
            match self.life.refs.compare_exchange_weak(
                refs,
                refs + 1,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(actual) => refs = actual,
            }
        }
    }

    /// Takes one more reference on whatever life the frame leads; the caller then looks whether
    /// that is the one it wanted (rule F3).
    pub(crate) fn acquire_any(&self) -> bool {
        self.canary.look();
        // RELAXED: as in `acquire`.
        let mut refs = self.life.refs.load(Ordering::Relaxed);
        loop {
            if refs as u32 == 0 {
                return false;
            }
            // EDGE frame.refs: as in `acquire`.
            match self.life.refs.compare_exchange_weak(
                refs,
                refs + 1,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(actual) => refs = actual,
            }
        }
    }

    /// One more reference for somebody who holds one.
    ///
    /// # Panics
    /// When so many were leaked that one more could run into the tag.
    pub(crate) fn acquire_held(&self) {
        // RELAXED: a reference is held, so the life cannot end; whoever gets this one gets the
        // frame through a published pointer.
        let before = self.life.refs.fetch_add(1, Ordering::Relaxed);
        if before as u32 > MAX_REFS {
            // RELAXED: takes back what was just added.
            self.life.refs.fetch_sub(1, Ordering::Relaxed);
            panic!("more than {MAX_REFS} references on one segment");
        }
    }

    /// Gives one reference back; `true`: it was the last, and the frame is the caller's alone.
    ///
    /// # Safety
    /// The caller holds a reference and, unless it was the last, does not use it afterwards.
    #[must_use = "the last reference owns the frame"]
    pub(crate) unsafe fn release(frame: *const Frame) -> bool {
        // SAFETY: referenced until the subtraction. Behind it another may give the last reference back
        // and free the frame before this returns: so no reference to anything but atomics lives on
        // through it.
        let life: &CachePadded<Life> = unsafe {
            (*frame).canary.look();
            let life = &raw const (*frame).life;
            &*life
        };
        let refs = &life.refs;
        // EDGE frame.last: Release here; Acquire below. Carries everybody's use of the frame
        // to the one who reuses it.
        let before = refs.fetch_sub(1, Ordering::Release);
        debug_assert!(before as u32 > 0, "a reference was released twice");
        if before as u32 != 1 {
            return false;
        }
        // EDGE frame.last: see above.
        acquire_last(refs);
        true
    }

    /// Makes the memory zero for the next life.
    ///
    /// # Safety
    /// The frame is private.
    pub(crate) unsafe fn clear(&self) {
        // RELAXED: private. A chunk does not count its units: it is cleared whole.
        let used = Claim(self.hot.claim.load(Ordering::Relaxed)).units();
        let is_chunk = self.life.refs.load(Ordering::Relaxed) >> 32 & 1 == 1;
        let units = if is_chunk { self.slab.units() } else { used + 1 };
        // SAFETY: private, the caller's promise.
        unsafe { self.slab.clear(units) };
    }

    /// Adds class bits to what the segment holds.
    #[inline]
    pub(crate) fn add_to_union(&self, bits: u32) -> u32 {
        // RELAXED: ordered before the record's publication by edge `log.publish`; read as final
        // only behind COMPLETE.
        (self.hot.union.fetch_or(u64::from(bits), Ordering::Relaxed) as u32) | bits
    }

    /// Says that every record of this sealed segment was seen published.
    pub(crate) fn set_complete(&self) {
        // EDGE log.complete: Release here; Acquire in `complete_union`. Carries the heads that this
        // thread saw published, and so the bits that their senders had added before.
        self.hot.union.fetch_or(COMPLETE, Ordering::Release);
    }

    /// The union of the classes of what was published before this call, at least.
    pub(crate) fn union_so_far(&self) -> u32 {
        // RELAXED: bits are put in before their record is published; who must know of a record knows
        // of its bits.
        self.hot.union.load(Ordering::Relaxed) as u32
    }

    /// The union of all classes, once it is final.
    pub(crate) fn complete_union(&self) -> Option<u32> {
        // EDGE log.complete: Acquire here; Release in `set_complete`.
        let union = self.hot.union.load(Ordering::Acquire);
        (union & COMPLETE != 0).then_some(union as u32)
    }

    /// Its records, for who holds a reference.
    #[inline(always)]
    pub(crate) fn records(&self) -> Records<'_> {
        Records { memory: self.slab.memory(), canary: &self.canary }
    }

    /// Loads the head at `unit`.
    ///
    /// # Safety
    /// As for [`Records::head`].
    #[inline(always)]
    pub(crate) unsafe fn head(&self, unit: u32) -> Head {
        // SAFETY: the caller's promise.
        unsafe { self.records().head(unit) }
    }

    /// Fills the record at `unit`, all but its head.
    ///
    /// # Safety
    /// The caller has claimed the record and not published it, and it is large enough.
    #[inline(always)]
    pub(crate) unsafe fn fill(&self, unit: u32, time: u64, extra: Option<&Extra>, payload: &[u8]) {
        let at = unit as usize * UNIT;
        // SAFETY: inside the claimed record, behind its head.
        unsafe { self.slab.write_word(at + 8, time) };
        let mut body = at + UNIT;
        if let Some(extra) = extra {
            // SAFETY: inside the claimed record, which has room for the extra part.
            unsafe {
                self.slab.write_word(body, extra.time);
                self.slab.write_word(body + 8, extra.sequence);
                self.slab
                    .write_word(body + 16, u64::from(extra.peer) | u64::from(extra.entry) << 32);
            }
            body += EXTRA_BYTES;
        }
        // SAFETY: inside the claimed record.
        unsafe { self.slab.write(body, payload) };
    }

    /// Publishes the record at `unit`.
    ///
    /// # Safety
    /// As for [`Frame::fill`], which has returned.
    #[inline(always)]
    pub(crate) unsafe fn publish(&self, unit: u32, head: Head) {
        // EDGE log.publish: Release here; Acquire in `head`.
        // SAFETY: in bounds: the record was claimed.
        unsafe { self.slab.memory().head(unit) }.store(head.0, Ordering::Release);
    }

    /// Stores the head of a record that nobody can come to before one in front of it is published.
    ///
    /// # Safety
    /// As for [`Frame::fill`], which has returned; the caller has claimed a record in front of it in
    /// the same piece, and publishes that after this.
    #[inline(always)]
    pub(crate) unsafe fn prepare(&self, unit: u32, head: Head) {
        // RELAXED: every reader walks over the record in front, by whose publication it has this.
        // SAFETY: in bounds: the record was claimed.
        unsafe { self.slab.memory().head(unit) }.store(head.0, Ordering::Relaxed);
    }

    /// Puts the END marker behind the last record of a sealed segment; idempotent.
    pub(crate) fn mark_end(&self, sealed: Claim) {
        // EDGE log.end: Release here; Acquire in `head`. Carries SEALED, so that who sees END may
        // take the claim word as final.
        // SAFETY: units of a claim never exceed the capacity, which leaves one unit.
        unsafe { self.slab.memory().head(sealed.units()) }.store(Head::END.0, Ordering::Release);
    }
}

/// The records of a frame: a copy of where they lie, so that a loop over them does not look at the
/// frame again for each.
#[derive(Clone, Copy)]
pub(crate) struct Records<'f> {
    memory: Memory<'f>,
    canary: &'f Canary,
}

impl<'f> Records<'f> {
    /// Where the record at `unit` lies.
    ///
    /// # Safety
    /// As for [`Records::head`].
    #[inline(always)]
    pub(crate) unsafe fn at(self, unit: u32) -> At<'f> {
        // SAFETY: in bounds, the caller's promise.
        At { spot: unsafe { self.memory.spot(unit) }, canary: self.canary }
    }

    /// The unit of a place in these records.
    #[inline(always)]
    pub(crate) fn unit(self, at: At<'_>) -> u32 {
        self.memory.unit(at.spot)
    }

    /// Loads the head at `unit`.
    ///
    /// # Safety
    /// `unit` is below [`Frame::units`] and the caller holds a reference.
    #[inline(always)]
    pub(crate) unsafe fn head(self, unit: u32) -> Head {
        self.canary.look();
        // EDGE log.publish: Acquire here; Release in `publish`. Carries time, extra and payload.
        // SAFETY: in bounds, the caller's promise.
        Head(unsafe { self.memory.head(unit) }.load(Ordering::Acquire))
    }

    /// The stamp of a published record, in nanoseconds.
    ///
    /// # Safety
    /// The head at `unit` was seen published and the frame is held.
    #[inline(always)]
    pub(crate) unsafe fn time(self, unit: u32) -> u64 {
        // SAFETY: the caller's promise.
        unsafe { self.word(unit as usize * UNIT + 8) }
    }

    /// The extra part of the record whose body begins at `body`.
    ///
    /// # Safety
    /// Its head was seen published and has the extra flag; the frame is held.
    pub(crate) unsafe fn extra(self, body: usize) -> Extra {
        // SAFETY: the caller's promise: the record has these three words.
        unsafe { extra_of([self.word(body), self.word(body + 8), self.word(body + 16)]) }
    }

    /// One word of a published record.
    ///
    /// # Safety
    /// As for `Memory::word`: its head was seen published, and the frame is held.
    #[inline(always)]
    pub(crate) unsafe fn word(self, at: usize) -> u64 {
        // SAFETY: the caller's promise.
        unsafe { self.memory.word(at) }
    }

    /// Bytes of a published record.
    ///
    /// # Safety
    /// As for `Memory::bytes`: its head was seen published, and the frame is held for `'a`.
    #[inline(always)]
    pub(crate) unsafe fn bytes<'a>(self, at: usize, len: usize) -> &'a [u8] {
        // SAFETY: the caller's promise.
        unsafe { self.memory.bytes(at, len) }
    }
}

/// The place of a record: [`Records`] and unit in one, for a walk from record to record.
#[derive(Clone, Copy)]
pub(crate) struct At<'f> {
    spot: Spot<'f>,
    canary: &'f Canary,
}

impl At<'_> {
    /// Loads the head.
    ///
    /// # Safety
    /// As for [`Records::head`].
    #[inline(always)]
    pub(crate) unsafe fn head(self) -> Head {
        self.canary.look();
        // EDGE log.publish: Acquire here; Release in `publish`. Carries time, extra and payload.
        Head(self.spot.head().load(Ordering::Acquire))
    }

    /// The place of the record that begins so many units further on.
    ///
    /// # Safety
    /// It is below [`Frame::units`], and the caller holds a reference.
    #[inline(always)]
    pub(crate) unsafe fn further(self, units: usize) -> Self {
        // SAFETY: in bounds, the caller's promise.
        At { spot: unsafe { self.spot.further(units) }, ..self }
    }

    /// The stamp, in nanoseconds.
    ///
    /// # Safety
    /// The head was seen published, and the frame is held.
    #[inline(always)]
    pub(crate) unsafe fn time(self) -> u64 {
        // SAFETY: the caller's promise.
        unsafe { self.spot.word(8) }
    }

    /// The extra part of a record of a segment.
    ///
    /// # Safety
    /// The head was seen published and has the extra flag; the frame is held.
    #[inline(always)]
    pub(crate) unsafe fn extra(self) -> Extra {
        // SAFETY: the caller's promise: the record has these three words.
        unsafe {
            extra_of([self.spot.word(UNIT), self.spot.word(UNIT + 8), self.spot.word(UNIT + 16)])
        }
    }

    /// The payload of a record of a segment.
    ///
    /// # Safety
    /// `head` was seen here, published, and the frame is held for `'a`.
    #[inline(always)]
    pub(crate) unsafe fn payload<'a>(self, head: Head) -> &'a [u8] {
        let offset = if head.has_extra() { UNIT + EXTRA_BYTES } else { UNIT };
        // SAFETY: the caller's promise.
        unsafe { self.spot.bytes(offset, head.len()) }
    }
}

/// The extra part from its three words.
#[inline(always)]
fn extra_of([time, sequence, ids]: [u64; 3]) -> Extra {
    Extra { time, sequence, peer: ids as u32, entry: (ids >> 32) as u32 }
}

#[cfg(all(test, not(any(smd_loom, smd_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn g8_leaked_references_never_run_into_the_tag() {
        let frame = Frame::new(4);
        // SAFETY: private.
        unsafe { frame.begin(segment_tag(1), MAX_REFS, 1, 1, 0) };
        frame.acquire_held();
        let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (0..2).for_each(|_| frame.acquire_held());
        }));
        assert!(refused.is_err(), "the count went on");
        assert!(frame.acquire(segment_tag(1)), "and the life is the same");
    }
}
