//! Backpressure, under loom.
#![cfg(smd_loom)]

use verify::model::Model;
use verify::scenarios::room::{self, Receive, Room};
use verify::scenarios::{ONE, WIDE};

#[test]
fn full_against_drain() {
    Model::new("full against drain")
        .preemptions(3)
        .reaches(&["accepted", "refused", "refused full"])
        .check(|| room::full_against_drain(WIDE, 1, 1, 2, 2, false));
}

#[test]
fn full_against_drain_two_senders() {
    Model::new("full against drain, two senders")
        .quickly(1)
        .reaches(&["accepted", "refused", "refused full"])
        .check(|| room::full_against_drain(WIDE, 2, 2, 1, 1, true));
}

#[test]
fn full_against_drain_of_a_spill() {
    Model::new("full against drain of a spill")
        .quickly(1)
        .reaches(&[
            "accepted",
            "refused",
            "handed over by reference",
            "passed by the window",
            "back in the window",
        ])
        .check(|| room::full_against_drain(ONE, 3, 1, 1, 2, false));
}

#[test]
fn room_against_departure() {
    Model::new("room against departure")
        .preemptions(3)
        .reaches(&["accepted", "refused", "refused full", "left"])
        .check(|| room::room_against_departure(WIDE, 1, 1, 1, Receive::One));
}

#[test]
fn room_against_departure_drained() {
    Model::new("room against departure, drained")
        .preemptions(3)
        .reaches(&["accepted", "refused", "refused full", "left", "left while receiving"])
        .check(|| room::room_against_departure(WIDE, 1, 1, 2, Receive::Drain));
}

#[test]
fn wait_for_room_drain() {
    Model::new("wait for room: drain")
        .preemptions(3)
        .reaches(&["refused full", "room told", "woken"])
        .check(|| room::wait_for_room(WIDE, 1, Room::Drain, false));
}

#[test]
fn wait_for_room_leave() {
    Model::new("wait for room: leave")
        .preemptions(3)
        .reaches(&["refused full", "room told", "woken"])
        .check(|| room::wait_for_room(WIDE, 1, Room::Leave, false));
}

#[test]
fn wait_for_room_narrow() {
    Model::new("wait for room: narrow")
        .preemptions(3)
        .reaches(&["refused full", "room told", "woken"])
        .check(|| room::wait_for_room(WIDE, 1, Room::Narrow, false));
}

#[test]
fn wait_for_room_close() {
    Model::new("wait for room: close")
        .preemptions(3)
        .reaches(&["refused full", "room told", "woken"])
        .check(|| room::wait_for_room(WIDE, 1, Room::Close, false));
}

#[test]
fn wait_for_room_async_drain() {
    Model::new("wait for room, async: drain")
        .preemptions(3)
        .reaches(&["refused full", "room told", "woken"])
        .check(|| room::wait_for_room(WIDE, 1, Room::Drain, true));
}

#[test]
fn wait_for_room_async_leave() {
    Model::new("wait for room, async: leave")
        .preemptions(3)
        .reaches(&["refused full", "room told", "woken"])
        .check(|| room::wait_for_room(WIDE, 1, Room::Leave, true));
}

#[test]
fn wait_for_room_async_narrow() {
    Model::new("wait for room, async: narrow")
        .preemptions(3)
        .reaches(&["refused full", "room told", "woken"])
        .check(|| room::wait_for_room(WIDE, 1, Room::Narrow, true));
}

#[test]
fn wait_for_room_async_close() {
    Model::new("wait for room, async: close")
        .preemptions(3)
        .reaches(&["refused full", "room told", "woken"])
        .check(|| room::wait_for_room(WIDE, 1, Room::Close, true));
}

#[test]
fn wait_for_room_drain_of_a_spill() {
    Model::new("wait for room: drain of a spill")
        .preemptions(3)
        .reaches(&["refused full", "room told", "woken", "handed over by reference"])
        .check(|| room::wait_for_room(ONE, 3, Room::Drain, false));
}

#[test]
fn both_wait() {
    Model::new("both wait")
        .reaches(&["refused full", "room told", "parked", "woken", "asleep at a hole"])
        .check(|| room::both_wait(WIDE, 2));
}

#[test]
fn wait_behind_a_hole() {
    Model::new("wait behind a hole")
        .reaches(&["refused full", "no room behind a hole", "room told", "woken"])
        .check(|| room::wait_behind_a_hole(WIDE, false));
}

#[test]
fn wait_behind_a_hole_async() {
    Model::new("wait behind a hole, async")
        .reaches(&["refused full", "no room behind a hole", "room told", "woken"])
        .check(|| room::wait_behind_a_hole(WIDE, true));
}

#[test]
fn wait_for_a_registration() {
    Model::new("wait for a registration")
        .quickly(1)
        .reaches(&["refused full", "room told", "woken"])
        .check(|| room::wait_for_a_registration(WIDE, false));
}
