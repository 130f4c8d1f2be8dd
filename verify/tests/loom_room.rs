//! Backpressure, under loom.
#![cfg(smd_loom)]

use verify::model::Model;
use verify::scenarios::room::{self, Receive, Room};
use verify::scenarios::{ONE, WIDE};

#[test]
fn full_against_drain() {
    Model::new("full against drain")
        .reaches(&["accepted", "refused"])
        .check(|| room::full_against_drain(WIDE, 1, 1, 2, 2));
}

#[test]
fn full_against_drain_two_senders() {
    Model::new("full against drain, two senders")
        .preemptions(1)
        .reaches(&["accepted", "refused"])
        .check(|| room::full_against_drain(WIDE, 1, 2, 1, 1));
}

#[test]
fn full_against_drain_of_a_spill() {
    Model::new("full against drain of a spill")
        .reaches(&["accepted", "refused"])
        .check(|| room::full_against_drain(ONE, 3, 1, 2, 1));
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
        .reaches(&["accepted", "refused", "refused full", "left", "left while receiving"])
        .check(|| room::room_against_departure(WIDE, 1, 1, 2, Receive::Drain));
}

#[test]
fn wait_for_room_drain() {
    Model::new("wait for room: drain").check(|| room::wait_for_room(WIDE, 1, Room::Drain));
}

#[test]
fn wait_for_room_drain_of_a_spill() {
    Model::new("wait for room: drain of a spill")
        .check(|| room::wait_for_room(ONE, 3, Room::Drain));
}

#[test]
fn wait_for_room_leave() {
    Model::new("wait for room: leave").check(|| room::wait_for_room(WIDE, 1, Room::Leave));
}

#[test]
fn wait_for_room_narrow() {
    Model::new("wait for room: narrow").check(|| room::wait_for_room(WIDE, 1, Room::Narrow));
}

#[test]
fn wait_for_room_close() {
    Model::new("wait for room: close").check(|| room::wait_for_room(WIDE, 1, Room::Close));
}

#[test]
fn both_wait() {
    Model::new("both wait").check(|| room::both_wait(WIDE, 2));
}
