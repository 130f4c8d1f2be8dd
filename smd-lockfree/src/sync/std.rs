//! What ships: the standard library under the shim's names.
//!
//! Types are aliases and functions wrappers, not re-exports: the lint that guards this door follows a
//! re-export to what it names, and would report every use of it.

pub(crate) type Arc<T> = std::sync::Arc<T>;

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::Ordering;

    pub(crate) type AtomicBool = std::sync::atomic::AtomicBool;
    pub(crate) type AtomicPtr<T> = std::sync::atomic::AtomicPtr<T>;
    pub(crate) type AtomicU32 = std::sync::atomic::AtomicU32;
    pub(crate) type AtomicU64 = std::sync::atomic::AtomicU64;
    pub(crate) type AtomicUsize = std::sync::atomic::AtomicUsize;

    #[inline(always)]
    pub(crate) fn fence(order: Ordering) {
        std::sync::atomic::fence(order);
    }

    /// The Acquire end of a count that reached 0 by Release subtractions.
    ///
    /// The thread sanitizer keeps no account of fences: for it (`--cfg smd_tsan`) this is a load of
    /// the word, which acquires the same. Nowhere else does a fence guard plain memory, so nowhere
    /// else does the sanitizer miss one.
    #[inline(always)]
    pub(crate) fn acquire_last(count: &AtomicU64) {
        if cfg!(smd_tsan) {
            count.load(Ordering::Acquire);
        } else {
            fence(Ordering::Acquire);
        }
    }
}

pub(crate) mod thread {
    pub(crate) use std::thread::Thread;

    #[inline]
    pub(crate) fn current() -> Thread {
        std::thread::current()
    }

    #[inline]
    pub(crate) fn park() {
        std::thread::park();
    }

    #[inline]
    pub(crate) fn park_timeout(timeout: std::time::Duration) {
        std::thread::park_timeout(timeout);
    }
}

pub(crate) mod hint {
    #[inline(always)]
    pub(crate) fn spin_loop() {
        std::hint::spin_loop();
    }

    /// Nothing: a load brings what is there. A model must be told (see its back end).
    #[inline(always)]
    pub(crate) fn again() {}
}
