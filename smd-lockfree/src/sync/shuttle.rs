//! The `shuttle` back end: random and PCT schedules, sequentially consistent.

pub(crate) use shuttle::sync::Arc;

pub(crate) mod atomic {
    pub(crate) use shuttle::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };

    pub(crate) fn acquire_last(_count: &AtomicU64) {
        fence(Ordering::Acquire);
    }
}

pub(crate) mod thread {
    pub(crate) use shuttle::thread::{Thread, current, park};

    /// A timed park returns at once, as if its time were over.
    pub(crate) fn park_timeout(_timeout: std::time::Duration) {
        shuttle::thread::yield_now();
    }
}

pub(crate) mod hint {
    /// A spin in a model must let the other threads run.
    pub(crate) fn spin_loop() {
        shuttle::thread::yield_now();
    }

    /// Before a load that must bring something newer than the last one: a model may show the old
    /// value for ever unless it is told that this is no progress.
    pub(crate) fn again() {
        shuttle::thread::yield_now();
    }
}

/// As it ships where the system has a heavy barrier: all is sequentially consistent here.
pub(crate) mod asymmetric {
    pub(crate) fn light() {}

    pub(crate) fn is_available() -> bool {
        true
    }

    pub(crate) fn heavy() {}
}
