//! One order, under loom.
#![cfg(smd_loom)]

use verify::model::Model;
use verify::scenarios::{ONE, TWO, WIDE, order};

#[test]
fn two_senders_in_two_segments() {
    Model::new("two senders in two segments")
        .reaches(&["received while sending"])
        .check(|| order::senders_and_receiver(ONE, 2, 1, 1));
}

#[test]
fn handed_references() {
    Model::new("handed references")
        .reaches(&["received all while sending", "received some while sending"])
        .check(|| order::handed_references(ONE, 2, 1, 3));
}

#[test]
fn handed_references_twice() {
    Model::new("handed references twice").check(|| order::handed_references(TWO, 4, 3, 3));
}

#[test]
fn handed_copies() {
    Model::new("handed copies")
        .reaches(&["received while sending"])
        .check(|| order::handed_copies(2, 2, 2));
}

#[test]
fn lag() {
    Model::new("lag")
        .preemptions(1)
        .reaches(&["delivered", "lost"])
        .check(|| order::lag(ONE, 1, 3, 1, 2, false));
}

#[test]
fn bus_sends() {
    Model::new("sends through the bus").check(|| order::bus_sends(WIDE, 2, 1));
}
