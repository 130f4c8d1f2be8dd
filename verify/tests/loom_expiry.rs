//! Expiry of what is owed, under loom.
#![cfg(smd_loom)]

use verify::model::Model;
use verify::scenarios::{ONE, expiry};

#[test]
#[ignore = "longer than the others together; shuttle plays the same"]
fn trim_against_take() {
    Model::new("trim against take")
        .preemptions(1)
        .reaches(&["delivered", "lost"])
        .check(|| expiry::trim_against_take(ONE, 4, 1, 1));
}
