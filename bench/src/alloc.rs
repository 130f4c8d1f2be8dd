//! An allocator that counts, so that a measurement can say how often it allocated.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// The system's allocator with a counter of allocations and reallocations, of the whole process.
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: smd_bench::alloc::Counting = smd_bench::alloc::Counting;
///
/// let before = smd_bench::alloc::allocations();
/// drop(std::hint::black_box(Box::new(1_u8)));
/// assert_eq!(smd_bench::alloc::allocations(), before.map(|count| count + 1));
/// ```
#[derive(Debug)]
pub struct Counting;

/// Allocations of the process until now, or `None` if [`Counting`] is not its allocator.
pub fn allocations() -> Option<u64> {
    // RELAXED: both are read by the thread that did the work in question.
    INSTALLED.load(Ordering::Relaxed).then(|| ALLOCATIONS.load(Ordering::Relaxed))
}

fn count() {
    // RELAXED: a counter that orders nothing.
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    INSTALLED.store(true, Ordering::Relaxed);
}

// SAFETY: every call goes to `System` unchanged, which keeps the contract; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's layout, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's layout, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's block, which came from `System` with this layout.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's block, which came from `System` with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}
