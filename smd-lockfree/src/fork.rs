//! Notices that this process is a forked child: its copy of a bus shares nothing with the parent's,
//! and a record that another thread of the parent was filling at the fork stays open for ever.

#[cfg(all(unix, not(any(smd_loom, smd_shuttle, miri))))]
mod watched {
    #![allow(unsafe_code)]
    #![allow(clippy::disallowed_types)]

    use std::sync::Once;
    use std::sync::atomic::{AtomicU32, Ordering};

    static GENERATION: AtomicU32 = AtomicU32::new(0);
    static WATCH: Once = Once::new();

    unsafe extern "C" {
        fn pthread_atfork(
            prepare: Option<unsafe extern "C" fn()>,
            parent: Option<unsafe extern "C" fn()>,
            child: Option<unsafe extern "C" fn()>,
        ) -> std::ffi::c_int;
    }

    unsafe extern "C" fn in_child() {
        // RELAXED: the child has one thread. An atomic addition is allowed between fork and exec.
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn watch() {
        WATCH.call_once(|| {
            // SAFETY: POSIX's function with a handler that only adds to an atomic. It fails for
            // want of memory only; then forks go unnoticed.
            let _ = unsafe { pthread_atfork(None, None, Some(in_child)) };
        });
    }

    #[inline(always)]
    pub(crate) fn generation() -> u32 {
        // RELAXED: changes only in a child that has one thread.
        GENERATION.load(Ordering::Relaxed)
    }
}

#[cfg(any(not(unix), smd_loom, smd_shuttle, miri))]
mod watched {
    pub(crate) fn watch() {}

    #[inline(always)]
    pub(crate) fn generation() -> u32 {
        0
    }
}

pub(crate) use watched::{generation, watch};
