//! Registrations, departures and masks, under loom.
#![cfg(smd_loom)]

use verify::model::Model;
use verify::scenarios::{ONE, WIDE, membership};

#[test]
fn register_against_send() {
    Model::new("register against send")
        .reaches(&["registered first", "registered between"])
        .check(|| membership::register_against_send(WIDE, 0, 2, 1, 1));
}

#[test]
fn register_against_retiring() {
    Model::new("register against retiring")
        .quickly(1)
        .reaches(&["registered first", "segment retired", "installed by the loser"])
        .check(|| membership::register_against_send(ONE, 2, 1, 0, 1));
}

#[test]
fn register_against_limit() {
    Model::new("register against limit")
        .preemptions(3)
        .reaches(&["refused", "refused full"])
        .check(|| membership::register_against_limit(WIDE, 2));
}

#[test]
fn leave_against_send() {
    Model::new("leave against send")
        .reaches(&["handed over in the cell", "swept by the retirer", "segment retired", "left"])
        .check(|| membership::leave_against_send(ONE, 2, 1));
}

#[test]
fn leave_against_receive() {
    Model::new("leave against receive")
        .preemptions(3)
        .reaches(&[
            "left while receiving",
            "node trimmed under its taker",
            "passed by the window",
            "back in the window",
        ])
        .check(|| membership::leave_against_receive(ONE, 4, 1, 0, 2, false));
}

#[test]
fn leave_against_receive_and_send() {
    Model::new("leave against receive and send")
        .larger()
        .reaches(&["left while receiving", "segment retired"])
        .check(|| membership::leave_against_receive(ONE, 2, 0, 1, 2, false));
}

#[test]
fn widen_against_send() {
    Model::new("widen against send")
        .preemptions(3)
        .reaches(&["widened between"])
        .check(|| membership::widen_against_send(WIDE, 0, 2, 0));
}

#[test]
fn widen_against_retiring() {
    Model::new("widen against retiring")
        .quickly(1)
        .reaches(&["segment retired", "installed by the loser"])
        .check(|| membership::widen_against_send(ONE, 2, 1, 0));
}

#[test]
fn narrow_against_send() {
    Model::new("narrow against send")
        .reaches(&["segment full", "installed by the loser"])
        .check(|| membership::narrow_against_send(ONE, 1, 1, 1));
}

#[test]
fn narrow_against_retiring() {
    Model::new("narrow against retiring")
        .quickly(1)
        .reaches(&["segment retired", "handed over in the cell"])
        .check(|| membership::narrow_against_send(ONE, 2, 1, 0));
}

#[test]
fn changes_against_changes() {
    Model::new("changes against changes")
        .reaches(&["registry changed meanwhile"])
        .check(|| membership::changes_against_changes(2));
}

#[test]
fn interest_against_alloc_leave() {
    Model::new("interest against alloc: leave")
        .preemptions(3)
        .reaches(&["refused at allocation", "unwanted when it was sent", "sent"])
        .check(|| membership::interest_against_alloc(2, true));
}

#[test]
fn interest_against_alloc_narrow() {
    Model::new("interest against alloc: narrow")
        .preemptions(3)
        .reaches(&["refused at allocation", "unwanted when it was sent", "sent"])
        .check(|| membership::interest_against_alloc(1, false));
}
