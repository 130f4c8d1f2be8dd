//! State for late joiners, under loom.
#![cfg(smd_loom)]

use verify::model::Model;
use verify::scenarios::{ONE, WIDE, retained};

#[test]
fn in_one_segment() {
    Model::new("retained in one segment")
        .preemptions(3)
        .reaches(&["registered between"])
        .check(|| retained::retained_against_registration(WIDE, 1, 2, 1));
}

#[test]
fn against_retiring() {
    Model::new("retained against retiring")
        .quickly(1)
        .reaches(&["state kept", "segment retired", "installed by the loser"])
        .check(|| retained::retained_against_registration(ONE, 2, 1, 1));
}

#[test]
fn against_two_retired() {
    Model::new("retained against two retired")
        .larger()
        .reaches(&["state kept", "segment retired", "frame reused"])
        .check(|| retained::retained_against_registration(ONE, 2, 2, 1));
}
