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

/// Two barriers that order against each other, and nothing else: a light one, which costs nothing, and
/// a heavy one, in which every thread of the process passes a full barrier. What a thread did before
/// a light barrier is visible behind a heavy one, or it sees behind the light one what was done
/// before the heavy one.
pub(crate) mod asymmetric {
    use std::sync::atomic::{Ordering, compiler_fence, fence};

    #[inline(always)]
    pub(crate) fn light() {
        compiler_fence(Ordering::SeqCst);
    }

    /// Whether there is a heavy barrier. The first call asks the system for it.
    pub(crate) fn is_available() -> bool {
        system::is_available()
    }

    pub(crate) fn heavy() {
        fence(Ordering::SeqCst);
        system::heavy();
        fence(Ordering::SeqCst);
    }

    #[cfg(all(target_os = "linux", not(miri)))]
    mod system {
        use std::sync::atomic::{AtomicU8, Ordering};
        use std::time::Duration;

        use rustix::thread::{MembarrierCommand, MembarrierQuery, membarrier, membarrier_query};

        /// Far longer than any processor keeps a store to itself: what is left when a barrier fails.
        const DRAINED: Duration = Duration::from_millis(1);

        const UNKNOWN: u8 = 0;
        const THERE: u8 = 1;
        const NOT_THERE: u8 = 2;

        // Not a lock: a fork while one thread asks must not leave a child that waits for it. To ask
        // twice does no harm.
        static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);

        pub(super) fn is_available() -> bool {
            // RELAXED (all): the word says nothing of any other.
            match STATE.load(Ordering::Relaxed) {
                UNKNOWN => {
                    let state = if ask() { THERE } else { NOT_THERE };
                    STATE.store(state, Ordering::Relaxed);
                    state == THERE
                }
                state => state == THERE,
            }
        }

        fn ask() -> bool {
            let both =
                MembarrierQuery::PRIVATE_EXPEDITED | MembarrierQuery::REGISTER_PRIVATE_EXPEDITED;
            membarrier_query().contains(both)
                && membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
        }

        pub(super) fn heavy() {
            if membarrier(MembarrierCommand::PrivateExpedited).is_err() {
                // The system has taken back what it had granted: a filter of system calls that was
                // set since. From here on there is none; what may still rely on it is waited for.
                STATE.store(NOT_THERE, Ordering::Relaxed);
                std::thread::sleep(DRAINED);
            }
        }
    }

    #[cfg(not(all(target_os = "linux", not(miri))))]
    mod system {
        pub(super) fn is_available() -> bool {
            false
        }

        pub(super) fn heavy() {}
    }
}
