//! The edges of a loop's handles, for who checks them (see the log's).

use std::sync::Arc as StdArc;

use crate::hooks::Part;
use crate::sync::Arc;

use super::LoopHandle;
use super::handle::Shared;

/// `loop.ended`: a job that comes while its loop ends is dropped by one of the two.
pub fn ended() -> Vec<Part> {
    let shared = Arc::new(Shared::new());
    let handle = LoopHandle::new(&shared);
    let asking = handle.clone();
    let job = StdArc::new(());
    let held = job.clone();
    let end = move || shared.end();
    let ask = move || asking.run(move |_| drop(held));
    let after = move || {
        // Before the last handle goes, and what is queued with it.
        assert_eq!(StdArc::strong_count(&job), 1, "a job outlives its loop");
        drop(handle);
    };
    vec![Box::new(end), Box::new(ask), Box::new(after)]
}
