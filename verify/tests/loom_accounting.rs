//! Accounts of each message, under loom.
#![cfg(smd_loom)]

use verify::model::Model;
use verify::scenarios::accounting::{Role, accounting};
use verify::scenarios::{ONE, WIDE};

#[test]
fn stays() {
    Model::new("account of who stays")
        .preemptions(3)
        .reaches(&["delivered", "lagged"])
        .check(|| accounting(WIDE, &[Role::Stay], 1, 2, 1));
}

#[test]
fn leaves() {
    Model::new("account of who leaves")
        .preemptions(3)
        .reaches(&["delivered", "lagged", "settled"])
        .check(|| accounting(WIDE, &[Role::Leave], 1, 2, 1));
}

#[test]
fn leaves_at_retiring() {
    Model::new("account of who leaves at retiring")
        .reaches(&["settled", "segment retired", "handed over in the cell", "swept by the retirer"])
        .check(|| accounting(ONE, &[Role::Leave], 2, 1, 1));
}

#[test]
fn ended() {
    Model::new("account of who is ended")
        .reaches(&["delivered", "settled"])
        .check(|| accounting(WIDE, &[Role::Ended], 1, 2, 1));
}

#[test]
fn narrows() {
    Model::new("account of who narrows")
        .preemptions(3)
        .reaches(&["delivered", "settled"])
        .check(|| accounting(WIDE, &[Role::Narrow], 1, 2, 1));
}

#[test]
fn widens() {
    Model::new("account of who widens")
        .preemptions(3)
        .reaches(&["delivered"])
        .check(|| accounting(WIDE, &[Role::Widen], 1, 2, 1));
}

#[test]
fn joins() {
    Model::new("account of who joins")
        .preemptions(3)
        .reaches(&["delivered"])
        .check(|| accounting(WIDE, &[Role::Join], 1, 2, 1));
}

#[test]
fn passes_by() {
    Model::new("account of who joins and leaves")
        .preemptions(3)
        .reaches(&["delivered", "settled"])
        .check(|| accounting(WIDE, &[Role::Pass], 1, 2, 1));
}
