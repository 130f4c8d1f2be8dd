//! One edge alone: a few threads on the shipped types, nothing around them.
//!
//! In a whole send the fences and edges of one step often order what the edge of the next one must
//! order too, so that a bus may hold although an edge is gone. Here it cannot.

use crate::model::thread;

/// What one thread does.
type Part = Box<dyn FnOnce() + Send>;

/// The parts at the same time, the first of them on this thread.
pub fn together(parts: Vec<Part>) {
    let mut parts = parts.into_iter();
    let own = parts.next().expect("at least one part");
    let others: Vec<_> = parts.map(thread::spawn).collect();
    own();
    others.into_iter().for_each(|thread| thread.join().expect("no panic"));
}

/// The parts at the same time, but for the last, which looks at what they did.
pub fn then(mut parts: Vec<Part>) {
    let last = parts.pop().expect("at least one part");
    together(parts);
    last();
}
