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
        .reaches(&["registered first"])
        .check(|| membership::register_against_send(ONE, 2, 1, 0, 1));
}

#[test]
fn register_against_limit() {
    Model::new("register against limit")
        .reaches(&["refused"])
        .check(|| membership::register_against_limit(WIDE, 2));
}

#[test]
fn leave_against_send() {
    Model::new("leave against send").check(|| membership::leave_against_send(ONE, 2, 1));
}

#[test]
fn leave_against_receive() {
    Model::new("leave against receive")
        .reaches(&["left while receiving"])
        .preemptions(1)
        .check(|| membership::leave_against_receive(ONE, 2, 1, 2, false));
}

#[test]
fn widen_against_send() {
    Model::new("widen against send")
        .reaches(&["widened between"])
        .check(|| membership::widen_against_send(WIDE, 0, 2, 0));
}

#[test]
fn widen_against_retiring() {
    Model::new("widen against retiring")
        .preemptions(1)
        .check(|| membership::widen_against_send(ONE, 2, 2, 0));
}

#[test]
fn narrow_against_send() {
    Model::new("narrow against send")
        .preemptions(1)
        .check(|| membership::narrow_against_send(ONE, 2, 1, 1));
}

#[test]
fn changes_against_changes() {
    Model::new("changes against changes").check(|| membership::changes_against_changes(2));
}
