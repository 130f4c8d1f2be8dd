//! The close, under loom.
#![cfg(smd_loom)]

use verify::model::Model;
use verify::scenarios::{ONE, TWO, WIDE, closing};

#[test]
fn batch_against_close() {
    Model::new("batch against close")
        .reaches(&["closed in the middle", "segment full"])
        .check(|| closing::batch_against_close(TWO, 3, 1));
}

#[test]
fn closed_at_its_end() {
    Model::new("closed at its end")
        .reaches(&["seen closed"])
        .check(|| closing::closed_at_its_end(WIDE));
}

#[test]
fn close_against_send() {
    Model::new("close against send")
        .quickly(1)
        .reaches(&["send refused", "detached", "woken"])
        .check(|| closing::close_against_all(ONE, 1, false));
}

#[test]
fn close_against_all() {
    Model::new("close against all")
        .reaches(&["registration refused", "detached", "parked", "woken"])
        .check(|| closing::close_against_all(WIDE, 0, true));
}

#[test]
fn close_against_changes() {
    Model::new("close against changes")
        .preemptions(3)
        .reaches(&["change refused", "left"])
        .check(|| closing::close_against_changes(WIDE, 1));
}
