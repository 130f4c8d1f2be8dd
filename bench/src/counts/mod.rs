//! How many instructions an operation takes: a gate that no noise of the machine can move.
//!
//! ```text
//!   benches/counts.rs     check, write, show
//!        |
//!        v  once more, under valgrind, twice for each operation
//!   callgrind  ------------> operations: rounds of one operation, counted inside `section` only
//!        |
//!        v
//!   baseline   compares with `bench/baseline/instructions.json`: at most 2 % more
//! ```
//!
//! The counts are those of the bench profile, whole-program optimisation and one code generation unit: it is what
//! the figures are measured with, and there a change in one module cannot move the border between two units and
//! so change what is inlined in another. All time is a clock that stands still: the real one corrects itself every
//! 20 ms of real time, so the same program would count differently each time.
//!
//! Counts do not say how long something takes. They say that the work has not grown unnoticed.

pub mod baseline;
pub mod callgrind;
pub mod operations;
