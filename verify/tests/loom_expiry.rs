//! Expiry of what is owed, under loom.
#![cfg(smd_loom)]

use verify::model::Model;
use verify::scenarios::{ONE, WIDE, expiry};

#[test]
fn expired_against_retiring() {
    Model::new("expired against retiring")
        .quickly(1)
        .reaches(&["delivered", "lost", "segment retired"])
        .check(|| expiry::trim_against_take(ONE, 2, 1, 1));
}

#[test]
fn room_by_expiry() {
    Model::new("room by expiry")
        .preemptions(3)
        .reaches(&["refused full"])
        .check(|| expiry::room_by_expiry(WIDE, 1));
}
