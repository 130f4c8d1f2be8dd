//! One order, under loom.
#![cfg(smd_loom)]

use verify::model::Model;
use verify::scenarios::{ONE, TWO, WIDE, order};

#[test]
fn two_senders_in_two_segments() {
    Model::new("two senders in two segments")
        .reaches(&["received while sending", "segment full"])
        .check(|| order::senders_and_receiver(ONE, 2, 1, 1));
}

#[test]
fn batch() {
    Model::new("batch").reaches(&["received while sending"]).check(|| order::batch(WIDE, 2, 2));
}

#[test]
fn handed_references() {
    Model::new("handed references")
        .reaches(&[
            "received all while sending",
            "received some while sending",
            "handed over in the cell",
            "segment retired",
        ])
        .check(|| order::handed_references(ONE, 2, 1, 3));
}

#[test]
fn handed_references_twice() {
    Model::new("handed references twice")
        .reaches(&[
            "handed over by reference",
            "handed over in the cell",
            "passed by the window",
            "back in the window",
            "frame reused",
        ])
        .check(|| order::handed_references(TWO, 4, 3, 3));
}

#[test]
fn handed_by_two_retirers() {
    Model::new("handed by two retirers")
        .reaches(&["another retires", "handed over in the cell", "installed by the loser"])
        .check(|| order::handed_by_several(ONE, 1, 2, 1, 0));
}

#[test]
fn handed_copies() {
    Model::new("handed copies")
        .reaches(&[
            "received while sending",
            "handed over by copy",
            "copy appended",
            "chunk closed",
            "passed by the window",
        ])
        .check(|| order::handed_copies(4, 1, 1, 1));
}

#[test]
fn handed_copies_to_a_reader() {
    Model::new("handed copies to a reader")
        .reaches(&["chunk closed by its reader", "copy appended", "copy appended under its reader"])
        .check(|| order::handed_copies(4, 1, 1, 2));
}

#[test]
fn stale_sender() {
    Model::new("stale sender")
        .quickly(1)
        .reaches(&["stale segment given back"])
        .check(|| order::stale_sender(ONE, 1, 1));
}

#[test]
fn stale_sender_of_a_segment_in_the_pool() {
    Model::new("stale sender of a segment in the pool")
        .larger()
        .reaches(&["stale segment in the pool", "frame reused"])
        .check(|| order::stale_sender(ONE, 1, 2));
}

#[test]
fn lag() {
    Model::new("lag").reaches(&["delivered", "lost", "segment retired"]).check(|| {
        order::lag(ONE, 1, 2, 1, 1, false);
    });
}

#[test]
fn bus_sends() {
    Model::new("sends through the bus").check(|| order::bus_sends(WIDE, 2, 1));
}
