//! A bird in each frame: in a model it dies when the frame is freed, and every use looks at it.
//!
//! A model checker sees races on what it tracks; it does not see a look into memory that was given
//! back. So in a model a freed frame is only buried: its memory stays until the thread that runs
//! the model makes its next log, and a use of it panics. What ships has no bird.

#[cfg(not(any(smd_loom, smd_shuttle)))]
pub(crate) use shipped::Canary;
#[cfg(any(smd_loom, smd_shuttle))]
pub(crate) use watched::{Canary, clear_graves, live};

#[cfg(not(any(smd_loom, smd_shuttle)))]
mod shipped {
    /// Nothing.
    #[derive(Debug)]
    pub(crate) struct Canary;

    impl Canary {
        #[inline(always)]
        pub(crate) fn new() -> Canary {
            Canary
        }

        #[inline(always)]
        pub(crate) fn look(&self) {}

        /// Frees the object.
        ///
        /// # Safety
        /// Made by `Box::into_raw`, freed once, and nobody looks at it any more.
        pub(crate) unsafe fn bury<T: 'static>(object: *mut T, _canary: impl Fn(&T) -> &Canary) {
            // SAFETY: the caller's promise.
            drop(unsafe { Box::from_raw(object) });
        }
    }
}

#[cfg(any(smd_loom, smd_shuttle))]
mod watched {
    use std::cell::{Cell, RefCell};
    use std::sync::atomic::{AtomicBool, Ordering};

    thread_local! {
        /// Objects that exist, of all models on this thread: they run one after the other.
        static LIVE: Cell<usize> = const { Cell::new(0) };
        static GRAVES: RefCell<Vec<Box<dyn std::any::Any>>> = const { RefCell::new(Vec::new()) };
    }

    /// How many canaries are alive on this thread.
    pub(crate) fn live() -> usize {
        LIVE.with(Cell::get)
    }

    #[derive(Debug)]
    pub(crate) struct Canary {
        alive: AtomicBool,
    }

    impl Canary {
        pub(crate) fn new() -> Canary {
            LIVE.with(|live| live.set(live.get() + 1));
            Canary { alive: AtomicBool::new(true) }
        }

        #[track_caller]
        pub(crate) fn look(&self) {
            assert!(self.alive.load(Ordering::Relaxed), "freed memory was used");
        }

        /// Marks the object as freed, and keeps its memory.
        ///
        /// # Safety
        /// As in the shipped form.
        pub(crate) unsafe fn bury<T: 'static>(object: *mut T, canary: impl Fn(&T) -> &Canary) {
            // SAFETY: the caller's promise.
            let object = unsafe { Box::from_raw(object) };
            canary(&object).die();
            GRAVES.with(|graves| graves.borrow_mut().push(object));
        }

        fn die(&self) {
            if self.alive.swap(false, Ordering::Relaxed) {
                LIVE.with(|live| live.set(live.get() - 1));
            }
        }
    }

    impl Drop for Canary {
        fn drop(&mut self) {
            self.die();
        }
    }

    /// The memory of earlier models.
    pub(crate) fn clear_graves() {
        let graves = GRAVES.with(|graves| std::mem::take(&mut *graves.borrow_mut()));
        drop(graves);
    }
}
