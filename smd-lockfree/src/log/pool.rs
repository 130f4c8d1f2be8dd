//! Frames of one size that wait for their next life, in cells.
//!
//! ```text
//!   near   [f f f . ... .]      there from the start
//!   far    null, or [. . ...]   made when the near ones were full once, and kept
//! ```
//!
//! Most buses never have more than a few frames at a time, so they pay for a few cells only. Taking
//! looks at the cell that was filled last first: that frame's lines are the warmest. Neither putting
//! nor taking waits for anybody.

use crate::hooks::mark;
use crate::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::frame::Frame;

/// Cells that there are from the start; a bus in a model has no more.
const NEAR: usize = if cfg!(any(smd_loom, smd_shuttle)) { 2 } else { 64 };

type Cell = AtomicPtr<Frame>;

/// The pool. Its frames belong to it: they were given up by who owned them.
#[derive(Debug)]
pub(super) struct Pool {
    /// Units of each frame.
    pub(super) units: u32,
    near: Box<[Cell]>,
    /// Null until it is needed.
    far: AtomicPtr<Box<[Cell]>>,
    far_len: usize,
    /// Where the next frame probably goes; only a hint.
    top: AtomicUsize,
}

impl Pool {
    pub(super) fn new(units: u32, cells: usize) -> Pool {
        let near = cells.min(NEAR);
        Pool {
            units,
            near: empty(near),
            far: AtomicPtr::new(std::ptr::null_mut()),
            far_len: cells - near,
            top: AtomicUsize::new(0),
        }
    }

    /// Frames that it takes.
    pub(super) fn capacity(&self) -> usize {
        self.near.len() + self.far_len
    }

    /// Puts a frame in; `false`: every cell is taken.
    pub(super) fn put(&self, frame: *mut Frame) -> bool {
        let far = self.far();
        self.put_into(far, frame)
            || far.is_empty() && self.far_len > 0 && self.put_into(self.make_far(), frame)
    }

    fn put_into(&self, far: &[Cell], frame: *mut Frame) -> bool {
        let len = self.near.len() + far.len();
        // RELAXED (top, here and below): a hint; a wrong one costs a few more looks.
        let top = self.top.load(Ordering::Relaxed).min(len);
        for at in (top..len).chain((0..top).rev()) {
            let cell = self.cell(far, at);
            // RELAXED (the load): the compare-and-swap decides.
            if !cell.load(Ordering::Relaxed).is_null() {
                continue;
            }
            // EDGE arena.pool: Release here; Acquire in `take`. Hands the private frame over.
            let put = cell.compare_exchange(
                std::ptr::null_mut(),
                frame,
                Ordering::Release,
                Ordering::Relaxed,
            );
            if put.is_ok() {
                self.top.store(at + 1, Ordering::Relaxed);
                return true;
            }
        }
        false
    }

    pub(super) fn take(&self) -> Option<*mut Frame> {
        let far = self.far();
        let len = self.near.len() + far.len();
        let top = self.top.load(Ordering::Relaxed).min(len);
        for at in (0..top).rev().chain(top..len) {
            let cell = self.cell(far, at);
            if cell.load(Ordering::Relaxed).is_null() {
                continue;
            }
            // EDGE arena.pool: Acquire here; Release in `put`.
            let frame = cell.swap(std::ptr::null_mut(), Ordering::Acquire);
            if !frame.is_null() {
                self.top.store(at, Ordering::Relaxed);
                return Some(frame);
            }
        }
        None
    }

    pub(super) fn len(&self) -> usize {
        // RELAXED: statistics.
        let is_full = |cell: &&Cell| !cell.load(Ordering::Relaxed).is_null();
        self.near.iter().chain(self.far()).filter(is_full).count()
    }

    fn cell<'p>(&'p self, far: &'p [Cell], at: usize) -> &'p Cell {
        self.near.get(at).unwrap_or_else(|| &far[at - self.near.len()])
    }

    /// The far cells, as far as there are any.
    fn far(&self) -> &[Cell] {
        if self.far_len == 0 {
            return &[];
        }
        // EDGE arena.far: Acquire here; Release in `make_far`. Carries the empty cells.
        let far = self.far.load(Ordering::Acquire);
        // SAFETY: made by `Box::into_raw`, never replaced, and freed with the pool.
        if far.is_null() { &[] } else { unsafe { &*far } }
    }

    /// Makes the far cells, unless somebody did meanwhile.
    #[cold]
    fn make_far(&self) -> &[Cell] {
        let cells = Box::into_raw(Box::new(empty(self.far_len)));
        // EDGE arena.far: Release here; Acquire in `far`. RELAXED on failure: looked at again below.
        let made = self.far.compare_exchange(
            std::ptr::null_mut(),
            cells,
            Ordering::Release,
            Ordering::Relaxed,
        );
        if made.is_ok() {
            mark("far cells made");
        } else {
            // SAFETY: made above, and published nowhere.
            drop(unsafe { Box::from_raw(cells) });
        }
        self.far()
    }
}

fn empty(cells: usize) -> Box<[Cell]> {
    (0..cells).map(|_| AtomicPtr::new(std::ptr::null_mut())).collect()
}

impl Drop for Pool {
    fn drop(&mut self) {
        // RELAXED: exclusive.
        let far = self.far.load(Ordering::Relaxed);
        if !far.is_null() {
            // SAFETY: made by `Box::into_raw`, and nobody is left who looks at it.
            drop(unsafe { Box::from_raw(far) });
        }
    }
}
