//! What outlives what, under loom.
#![cfg(smd_loom)]

use verify::model::Model;
use verify::scenarios::{ONE, WIDE, lifetime};

#[test]
fn kept_outlives() {
    Model::new("kept outlives")
        .reaches(&["received while sending", "kept in the window"])
        .check(|| lifetime::kept_outlives(ONE, 2));
}

#[test]
fn drop_in_any_order() {
    Model::new("drop in any order").check(|| lifetime::drop_in_any_order(WIDE, 1));
}

#[test]
fn drop_with_debts() {
    Model::new("drop with debts").check(|| lifetime::drop_with_debts(ONE, 2));
}
