//! For models of code that uses the bus: the checker that this crate was compiled for.
//!
//! This module exists only under `--cfg smd_loom` or `--cfg smd_shuttle`, and is no part of what
//! ships. Under these cfgs the bus runs on the checker's atomics and threads, so a model of your
//! code explores the interleavings inside the bus too. `verify/EMBEDDING.md` in the repository says
//! how to set that up.
//!
//! What differs from what ships, beside the checker: the real clock stands still (use
//! [`Clock::manual`](crate::Clock::manual) where time must pass), a timed wait does not sleep, fixed
//! capacities are smaller, and [`Builder::segment_bytes`](crate::Builder::segment_bytes) and
//! [`Builder::max_segments`](crate::Builder::max_segments) may go down to
//! [`MIN_SEGMENT_BYTES`](crate::MIN_SEGMENT_BYTES) and
//! [`MIN_MAX_SEGMENTS`](crate::MIN_MAX_SEGMENTS), which are lower here.

#![forbid(unsafe_code)]

/// The checker: the same version as the bus's own, which it must be. A bus in a model of another
/// copy of the checker panics.
#[cfg(smd_loom)]
pub use loom;

/// The checker: the same version as the bus's own, which it must be. A bus in a model of another
/// copy of the checker panics.
#[cfg(smd_shuttle)]
pub use shuttle;

/// How many frames (segments and small pieces of memory) the buses of this thread's models have.
pub fn live_frames() -> usize {
    crate::sync::canary::live()
}

/// Plays one execution of a model, and holds that it leaves nothing behind.
///
/// Call it in the closure that the checker runs. Every bus, sender, participant and kept message
/// must be gone when `scenario` returns, and every thread that had one must be joined.
///
/// # Panics
/// When memory of a bus outlives the execution.
pub fn execution(scenario: impl FnOnce()) {
    // A model that failed before on this thread may have left something.
    let before = live_frames();
    scenario();
    assert_eq!(live_frames(), before, "memory of a bus outlives the execution");
}
