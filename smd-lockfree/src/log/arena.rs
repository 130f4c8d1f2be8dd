//! Where frames come from and go to: a pool of cells, and behind it the allocator.
//!
//! A frame whose count fell to 0 belongs to who brought it there (rule F1); it goes into a free
//! cell of the pool, or, when every cell is taken, back to the allocator through the epoch, since
//! somebody pinned may still look at its `refs`. Behind the bus that is gone nothing is pooled.

use crate::hooks::mark;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::epoch::Domain;

use super::frame::Frame;
use super::pool::Pool;

/// Units of a small chunk: 1 KiB, for participants that want little of much.
const SMALL_UNITS: u32 = if cfg!(smd_loom) { 8 } else { 64 };

/// Cells for small chunks.
const SMALL_CELLS: usize = if cfg!(smd_loom) { 1 } else { 64 };

/// All frames of one bus.
#[derive(Debug)]
pub(crate) struct Arena {
    pub(crate) domain: Domain,
    segments: Pool,
    small: Pool,
    bytes: AtomicU64,
    /// The bus is gone; kept messages are all that is left.
    over: AtomicBool,
}

impl Arena {
    pub(crate) fn new(segment_units: u32, cells: usize) -> Arena {
        #[cfg(any(smd_loom, smd_shuttle))]
        crate::sync::canary::clear_graves();
        Arena {
            domain: Domain::new(),
            segments: Pool::new(segment_units, cells),
            small: Pool::new(SMALL_UNITS.min(segment_units), SMALL_CELLS),
            bytes: AtomicU64::new(0),
            over: AtomicBool::new(false),
        }
    }

    /// Memory of every frame that exists, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        // RELAXED: statistics.
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn pooled(&self) -> usize {
        self.segments.len() + self.small.len()
    }

    /// A private, cleared frame for a segment or a large chunk.
    pub(crate) fn take(&self) -> *mut Frame {
        self.take_from(&self.segments)
    }

    /// A private, cleared frame for a small chunk.
    pub(crate) fn take_small(&self) -> *mut Frame {
        self.take_from(&self.small)
    }

    fn take_from(&self, pool: &Pool) -> *mut Frame {
        match pool.take() {
            Some(frame) => {
                mark("frame reused");
                // SAFETY: what lay in the pool is private to who took it (rule F1).
                unsafe { (*frame).clear() };
                frame
            }
            None => {
                // RELAXED: statistics.
                self.bytes.fetch_add(Frame::footprint(pool.units), Ordering::Relaxed);
                Box::into_raw(Box::new(Frame::new(pool.units)))
            }
        }
    }

    /// Gives one reference back, and the frame to the pool if it was the last.
    ///
    /// # Safety
    /// The caller holds a reference on `frame` and does not use it afterwards.
    pub(crate) unsafe fn release(&self, frame: *const Frame) {
        // SAFETY: the caller's reference.
        if unsafe { Frame::release(frame) } {
            // SAFETY: the last reference makes it private.
            unsafe { self.give(frame.cast_mut()) };
        }
    }

    /// Takes a private frame back.
    ///
    /// # Safety
    /// `frame` is private: its count is 0 and the caller brought it there or never published it.
    pub(crate) unsafe fn give(&self, frame: *mut Frame) {
        // SAFETY: private, so alive.
        let units = unsafe { (*frame).units() };
        let pool = if units == self.segments.units { &self.segments } else { &self.small };
        // EDGE arena.over: Acquire here; Release in `end`. Carries that nobody looks at frames any
        // more.
        if self.over.load(Ordering::Acquire) {
            // SAFETY: private, made by `Box::into_raw`, and without a bus nobody is pinned for it.
            unsafe { Frame::free(frame) };
            return;
        }
        if pool.put(frame) {
            return;
        }
        // RELAXED: statistics.
        self.bytes.fetch_sub(Frame::footprint(units), Ordering::Relaxed);
        let guard = self.domain.pin();
        // SAFETY: nobody can reach a frame at count 0 to use it, only look at its words while
        // pinned; it was made by `Box::into_raw`.
        unsafe { guard.retire(frame, |frame| Frame::free(frame)) };
        mark("frame freed");
    }

    /// Gives what lies in the pools back to the allocator.
    pub(crate) fn trim(&self) {
        let guard = self.domain.pin();
        for pool in [&self.segments, &self.small] {
            while let Some(frame) = pool.take() {
                // RELAXED: statistics.
                self.bytes.fetch_sub(Frame::footprint(pool.units), Ordering::Relaxed);
                // SAFETY: private, as in `give`.
                unsafe { guard.retire(frame, |frame| Frame::free(frame)) };
            }
        }
    }

    /// The bus goes: frees what lies in the pools, and from here on every frame with its last
    /// reference, so that a kept message holds its own segment and nothing else.
    pub(crate) fn end(&self) {
        // EDGE arena.over: Release here; Acquire in `give`.
        self.over.store(true, Ordering::Release);
        self.free_pools();
        self.domain.collect();
    }

    /// Frees what lies in the pools, at once.
    fn free_pools(&self) {
        for pool in [&self.segments, &self.small] {
            while let Some(frame) = pool.take() {
                // SAFETY: private, made by `Box::into_raw`; the bus is gone, so nobody is pinned for
                // it.
                unsafe { Frame::free(frame) };
            }
        }
    }

    /// Allocates frames ahead, so that the first messages find them.
    pub(crate) fn prewarm(&self, frames: usize) {
        let frames = frames.min(self.segments.capacity());
        let taken: Vec<_> = (0..frames).map(|_| self.take()).collect();
        for frame in taken {
            // SAFETY: just taken, never published.
            unsafe { self.give(frame) };
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.free_pools();
    }
}
