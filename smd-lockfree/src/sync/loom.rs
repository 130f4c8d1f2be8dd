//! The `loom` back end: every ordering is explored as written.

pub(crate) use loom::sync::Arc;

pub(crate) mod atomic {
    pub(crate) use loom::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };

    pub(crate) fn acquire_last(_count: &AtomicU64) {
        fence(Ordering::Acquire);
    }
}

pub(crate) mod thread {
    pub(crate) use loom::thread::{Thread, current, park};

    /// loom has no clock: a timed park returns at once, as if its time were over.
    pub(crate) fn park_timeout(_timeout: std::time::Duration) {
        loom::thread::yield_now();
    }
}

pub(crate) mod hint {
    /// A spin in a model must let the other threads run.
    pub(crate) fn spin_loop() {
        loom::thread::yield_now();
    }

    /// Before a load that must bring something newer than the last one: a model may show the old
    /// value for ever unless it is told that this is no progress.
    pub(crate) fn again() {
        loom::thread::yield_now();
    }
}

/// As it ships where the system has no heavy barrier, but for models that ask for it.
///
/// There a light barrier is a read-modify-write of a word that no other thread's light barrier
/// touches, and a heavy one is one of each such word. Those of one word are in one order, so a light
/// barrier stands before or behind a heavy one, and whichever comes second sees what stands before
/// the first: that, and no order between two light ones, is what ships. (Two heavy ones are ordered
/// here by these words; what ships has a fence at both ends of each for that.)
pub(crate) mod asymmetric {
    use std::cell::Cell;

    use loom::sync::atomic::{AtomicU64, Ordering, fence};

    /// Threads that may use the light one, in a model.
    const LANES: usize = 3;

    std::thread_local! {
        /// Of the model that runs on this thread of the system, which plays all of its threads.
        static LANES_TAKEN: Cell<Option<usize>> = const { Cell::new(None) };
    }

    loom::lazy_static! {
        static ref WORDS: [AtomicU64; LANES] = std::array::from_fn(|_| AtomicU64::new(0));
    }

    loom::thread_local! {
        static LANE: Cell<usize> = Cell::new(usize::MAX);
    }

    /// In this execution there is a heavy barrier.
    pub(crate) fn enable() {
        LANES_TAKEN.with(|taken| taken.set(Some(0)));
    }

    pub(crate) fn is_available() -> bool {
        LANES_TAKEN.with(|taken| taken.get().is_some())
    }

    pub(crate) fn light() {
        let Some(taken) = LANES_TAKEN.with(Cell::get) else { return };
        let lane = LANE.with(|lane| {
            if lane.get() == usize::MAX {
                assert!(
                    taken < LANES,
                    "more threads with a light barrier than the model has words"
                );
                lane.set(taken);
                LANES_TAKEN.with(|count| count.set(Some(taken + 1)));
            }
            lane.get()
        });
        WORDS[lane].fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn heavy() {
        fence(Ordering::SeqCst);
        for word in WORDS.iter() {
            word.fetch_add(1, Ordering::AcqRel);
        }
        fence(Ordering::SeqCst);
    }
}
