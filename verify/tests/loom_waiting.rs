//! No lost wake-up, under loom.
#![cfg(smd_loom)]

use verify::model::Model;
use verify::scenarios::{ONE, WIDE, waiting};

#[test]
fn blocking_one_sender() {
    Model::new("blocking, one sender")
        .reaches(&["woken"])
        .preemptions(3)
        .check(|| waiting::blocking(WIDE, 1, 2));
}

#[test]
fn blocking_across_segments() {
    Model::new("blocking across segments")
        .preemptions(1)
        .reaches(&["woken"])
        .check(|| waiting::blocking(ONE, 1, 2));
}

#[test]
fn blocking_two_senders() {
    Model::new("blocking, two senders")
        .preemptions(1)
        .reaches(&["woken"])
        .check(|| waiting::blocking(WIDE, 2, 1));
}

#[test]
fn awaiting() {
    Model::new("awaiting").reaches(&["woken"]).preemptions(3).check(|| waiting::awaiting(WIDE, 2));
}

#[test]
fn behind_a_hole() {
    Model::new("behind a hole").reaches(&["woken"]).check(|| waiting::behind_a_hole(1));
}

#[test]
fn passed_asleep() {
    Model::new("passed asleep").preemptions(1).check(|| waiting::passed_asleep(ONE, 2));
}

#[test]
fn two_sleepers() {
    Model::new("two sleepers").check(waiting::two_sleepers);
}
