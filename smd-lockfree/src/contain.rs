//! Calls of user code whose panics go no further.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls `f`; `false` if it panicked. The panic hook has told of it.
pub(crate) fn call(f: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(()) => true,
        Err(panic) => {
            drop_contained(panic);
            false
        }
    }
}

/// Drops what a panic carried, which is user code too.
pub(crate) fn drop_contained(panic: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        // What panics in its drop for ever is leaked rather than let through.
        std::mem::forget(again);
    }
}
