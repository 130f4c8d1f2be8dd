//! An allocator that counts, so that a measurement can say how often it allocated.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    // Of each thread: a counter that all share would cost an allocation more than some allocators take. It has no
    // destructor, so it can be used at any time in the life of a thread.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

static INSTALLED: AtomicBool = AtomicBool::new(false);

/// The system's allocator with a counter of allocations and reallocations for each thread.
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

/// Allocations of this thread until now, or `None` if [`Counting`] is not its allocator.
pub fn allocations() -> Option<u64> {
    // RELAXED: set by the first allocation of the process, long before the work in question.
    INSTALLED.load(Ordering::Relaxed).then(|| ALLOCATIONS.with(Cell::get))
}

fn count() {
    ALLOCATIONS.with(|count| count.set(count.get() + 1));
    // RELAXED: see `allocations`. Stored once, so that threads do not take the line from each other.
    if !INSTALLED.load(Ordering::Relaxed) {
        INSTALLED.store(true, Ordering::Relaxed);
    }
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
