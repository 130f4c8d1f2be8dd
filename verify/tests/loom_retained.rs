//! State for late joiners, under loom.
#![cfg(smd_loom)]

use verify::model::Model;
use verify::scenarios::{ONE, WIDE, retained};

#[test]
fn in_one_segment() {
    Model::new("retained in one segment")
        .reaches(&["registered between"])
        .check(|| retained::retained_against_registration(WIDE, 1, 2, 1));
}

#[test]
fn against_retiring() {
    Model::new("retained against retiring")
        .preemptions(1)
        .check(|| retained::retained_against_registration(ONE, 2, 2, 1));
}
