//! No lost wake-up, under loom.
#![cfg(smd_loom)]

use verify::model::Model;
use verify::scenarios::waiting::{self, Form};
use verify::scenarios::{ONE, WIDE};

#[test]
fn blocking_one_sender() {
    Model::new("blocking, one sender")
        .preemptions(3)
        .reaches(&["detached", "parked", "woken", "hole closed late", "found before the sleep"])
        .check(|| waiting::waiting(Form::Blocking, WIDE, 1, 0, 2));
}

#[test]
fn blocking_across_segments() {
    Model::new("blocking across segments")
        .quickly(1)
        .reaches(&["detached", "parked", "woken", "segment full"])
        .check(|| waiting::waiting(Form::Blocking, ONE, 1, 1, 1));
}

#[test]
fn blocking_two_senders() {
    Model::new("blocking, two senders")
        .reaches(&["detached", "parked", "woken", "hole closed late"])
        .check(|| waiting::waiting(Form::Blocking, 2 * WIDE, 2, 1, 1));
}

#[test]
fn timeout() {
    Model::new("timeout")
        .preemptions(3)
        .reaches(&["detached", "parked", "woken", "hole closed late"])
        .check(|| waiting::waiting(Form::Timeout, WIDE, 1, 0, 2));
}

#[test]
fn awaiting() {
    Model::new("awaiting")
        .preemptions(3)
        .reaches(&["detached", "woken", "hole closed late"])
        .check(|| waiting::waiting(Form::Async, WIDE, 1, 0, 2));
}

#[test]
fn descriptor() {
    Model::new("descriptor")
        .reaches(&["detached", "parked", "woken", "hole closed late"])
        .check(|| waiting::waiting(Form::Descriptor, WIDE, 1, 0, 2));
}

#[test]
fn readable() {
    Model::new("readable")
        .reaches(&["detached", "woken", "hole closed late", "asleep at a hole"])
        .check(|| waiting::readable(WIDE, 2, 2));
}

#[test]
fn behind_a_hole() {
    Model::new("behind a hole")
        .quickly(1)
        .reaches(&["parked", "woken", "hole closed late", "asleep at a hole"])
        .check(|| waiting::behind_a_hole(Form::Blocking, 1));
}

#[test]
fn behind_a_hole_timeout() {
    Model::new("behind a hole, timeout")
        .quickly(1)
        .reaches(&["parked", "woken", "hole closed late", "asleep at a hole"])
        .check(|| waiting::behind_a_hole(Form::Timeout, 1));
}

#[test]
fn behind_a_hole_async() {
    Model::new("behind a hole, async")
        .quickly(1)
        .reaches(&["woken", "hole closed late", "asleep at a hole"])
        .check(|| waiting::behind_a_hole(Form::Async, 1));
}

#[test]
fn behind_a_hole_descriptor() {
    Model::new("behind a hole, descriptor")
        .quickly(1)
        .reaches(&["parked", "woken", "hole closed late", "asleep at a hole"])
        .check(|| waiting::behind_a_hole(Form::Descriptor, 1));
}

#[test]
fn passed_asleep() {
    Model::new("passed asleep")
        .quickly(1)
        .reaches(&["detached", "segment retired", "back in the window"])
        .check(|| waiting::passed_asleep(ONE, 1, 1));
}

#[test]
fn two_sleepers() {
    Model::new("two sleepers")
        .quickly(1)
        .reaches(&["detached", "parked", "woken"])
        .check(|| waiting::two_sleepers());
}
