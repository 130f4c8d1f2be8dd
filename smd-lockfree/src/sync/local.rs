//! A cell that one owner at a time uses, where a `RefCell` would cost on the path of a send.

#[cfg(smd_loom)]
use loom::cell::UnsafeCell;
#[cfg(not(smd_loom))]
use std::cell::UnsafeCell;

/// Interior mutability for a type that is `Send` and not `Sync`, or whose owner is settled by a
/// protocol outside (the retire token, the thread that owns a sender slot). Under loom two owners
/// that nothing orders are reported as the race that they are.
#[derive(Debug)]
pub(crate) struct OwnerCell<T>(UnsafeCell<T>);

impl<T> OwnerCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Lends the content.
    ///
    /// # Safety
    /// The caller is the one owner, and `f` neither reaches this cell again nor runs user code.
    #[inline(always)]
    pub(crate) unsafe fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        #[cfg(smd_loom)]
        let content = self.0.with_mut(|content| content);
        #[cfg(not(smd_loom))]
        let content = self.0.get();
        // SAFETY: the caller vouches that no other borrow of the content exists while `f` runs.
        f(unsafe { &mut *content })
    }
}

// SAFETY: access is by `with`, whose contract excludes two owners at once; moving or sharing the
// cell between threads therefore only ever moves the content.
unsafe impl<T: Send> Sync for OwnerCell<T> {}
