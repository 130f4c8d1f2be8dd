//! What outlives what, under loom.
#![cfg(smd_loom)]

use verify::model::Model;
use verify::scenarios::{ONE, WIDE, lifetime};

#[test]
fn kept_outlives() {
    Model::new("kept outlives")
        .reaches(&["received while sending", "segment retired"])
        .check(|| lifetime::kept_outlives(ONE, 2));
}

#[test]
fn last_reference() {
    Model::new("last reference")
        .preemptions(3)
        .reaches(&["segment retired", "frame reused"])
        .check(|| lifetime::last_reference(ONE, 1, 3));
}

#[test]
fn last_reference_of_two() {
    Model::new("last reference of two")
        .preemptions(3)
        .reaches(&["segment retired", "frame reused"])
        .check(|| lifetime::last_reference(ONE, 2, 3));
}

#[test]
fn drop_in_any_order() {
    Model::new("drop in any order")
        .reaches(&["detached", "parked", "woken", "hole closed late"])
        .check(|| lifetime::drop_in_any_order(WIDE, 1));
}

#[test]
fn drop_with_debts() {
    Model::new("drop with debts")
        .reaches(&["left", "segment full"])
        .check(|| lifetime::drop_with_debts(ONE, 1));
}

#[test]
fn two_buses() {
    Model::new("two buses")
        .reaches(&["detached", "parked", "woken", "left"])
        .check(|| lifetime::two_buses(WIDE, 1));
}
