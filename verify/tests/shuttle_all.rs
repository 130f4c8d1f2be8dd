//! The same scenarios with more threads, under shuttle: random and PCT schedules.
//!
//! shuttle knows no orderings, so it looks for what goes wrong under sequential consistency, in
//! sizes that loom cannot finish. `SMD_ITERATIONS` sets how many schedules (1000), `SMD_SEED` where
//! the random ones start.
#![cfg(smd_shuttle)]

use verify::model::Model;
use verify::scenarios::accounting::{Role, accounting};
use verify::scenarios::room::{self, Receive, Room};
use verify::scenarios::waiting::{self, Form};
use verify::scenarios::{ONE, TWO, WIDE, closing, expiry, lifetime, membership, order, retained};

#[test]
fn senders_and_receiver() {
    Model::new("senders and receiver")
        .reaches(&["received while sending"])
        .check(|| order::senders_and_receiver(TWO, 4, 4, 12));
}

#[test]
fn batch() {
    Model::new("batch").reaches(&["received while sending"]).check(|| order::batch(TWO, 6, 8));
}

#[test]
fn retired_beside_its_sender() {
    Model::new("retired beside its sender")
        .reaches(&["segment retired", "handed over by reference"])
        .check(|| order::retired_beside_its_sender(ONE, 1, 4));
}

#[test]
fn handed_references() {
    Model::new("handed references")
        .reaches(&["received some while sending"])
        .check(|| order::handed_references(TWO, 8, 8, 12));
}

#[test]
fn handed_copies() {
    Model::new("handed copies")
        .reaches(&["received while sending", "copy appended"])
        .check(|| order::handed_copies(5, 0, 12, 8));
}

#[test]
fn lag() {
    Model::new("lag")
        .reaches(&["delivered", "lost", "trimmed"])
        .check(|| order::lag(ONE, 2, 6, 8, 8, false));
}

#[test]
fn lag_exact() {
    Model::new("lag, exact").check(|| order::lag(ONE, 2, 6, 8, 8, true));
}

#[test]
fn register_against_send() {
    Model::new("register against send")
        .reaches(&["registered between"])
        .check(|| membership::register_against_send(ONE, 5, 6, 4, 4));
}

#[test]
fn register_against_limit() {
    Model::new("register against limit")
        .reaches(&["refused"])
        .check(|| membership::register_against_limit(ONE, 6));
}

#[test]
fn leave_against_send() {
    Model::new("leave against send").check(|| membership::leave_against_send(ONE, 6, 6));
}

#[test]
fn leave_against_receive() {
    Model::new("leave against receive")
        .reaches(&["left while receiving"])
        .check(|| membership::leave_against_receive(ONE, 6, 0, 4, 8, false));
}

#[test]
fn leave_against_receive_exact() {
    Model::new("leave against receive, exact")
        .check(|| membership::leave_against_receive(ONE, 6, 0, 4, 8, true));
}

#[test]
fn widen_against_send() {
    Model::new("widen against send")
        .reaches(&["widened between"])
        .check(|| membership::widen_against_send(ONE, 6, 6, 4));
}

#[test]
fn narrow_against_send() {
    Model::new("narrow against send").check(|| membership::narrow_against_send(ONE, 6, 6, 4));
}

#[test]
fn changes_against_changes() {
    Model::new("changes against changes").check(|| membership::changes_against_changes(5));
}

#[test]
fn kept_outlives() {
    Model::new("kept outlives")
        .reaches(&["received while sending", "kept in the window"])
        .check(|| lifetime::kept_outlives(ONE, 8));
}

#[test]
fn surplus_frames() {
    Model::new("surplus frames")
        .reaches(&["frame freed", "caught up while sending"])
        .check(|| lifetime::surplus_frames(ONE, 8, 8, 16));
}

#[test]
fn drop_in_any_order() {
    Model::new("drop in any order").check(|| lifetime::drop_in_any_order(ONE, 6));
}

#[test]
fn drop_with_debts() {
    Model::new("drop with debts").check(|| lifetime::drop_with_debts(ONE, 6));
}

/// Every form of waiting, under one name.
#[test]
fn blocking() {
    for form in Form::ALL {
        Model::new("waiting")
            .reaches(&["detached", "woken", "hole closed late", "asleep at a hole"])
            .check(move || waiting::waiting(form, ONE, 4, 0, 3));
    }
}

#[test]
fn awaiting() {
    Model::new("awaiting")
        .reaches(&["detached", "woken"])
        .check(|| waiting::waiting(Form::Async, ONE, 1, 0, 8));
}

#[test]
fn readable() {
    Model::new("readable").reaches(&["detached", "woken"]).check(|| waiting::readable(ONE, 6, 6));
}

#[test]
fn behind_a_hole() {
    for form in Form::ALL {
        Model::new("behind a hole")
            .reaches(&["hole closed late", "asleep at a hole"])
            .check(move || waiting::behind_a_hole(form, 3));
    }
}

#[test]
fn passed_asleep() {
    Model::new("passed asleep")
        .reaches(&["detached", "back in the window"])
        .check(|| waiting::passed_asleep(ONE, 2, 6));
}

#[test]
fn full_against_drain() {
    Model::new("full against drain")
        .reaches(&["accepted", "refused"])
        .check(|| room::full_against_drain(ONE, 6, 3, 4, 6, false));
}

#[test]
fn wait_behind_a_hole() {
    for is_async in [false, true] {
        Model::new("wait behind a hole")
            .reaches(&["refused full", "no room behind a hole", "room told"])
            .check(move || room::wait_behind_a_hole(ONE, is_async));
    }
}

#[test]
fn wait_for_a_registration() {
    for is_async in [false, true] {
        Model::new("wait for a registration")
            .reaches(&["refused full", "room told"])
            .check(move || room::wait_for_a_registration(ONE, is_async));
    }
}

#[test]
fn room_against_departure() {
    for form in [Receive::One, Receive::Drain] {
        Model::new("room against departure")
            .reaches(&["accepted", "refused", "left while receiving"])
            .check(move || room::room_against_departure(ONE, 3, 4, 6, form));
    }
}

#[test]
fn wait_for_room() {
    for how in [Room::Drain, Room::Leave, Room::Narrow, Room::Close] {
        for is_async in [false, true] {
            Model::new("wait for room")
                .reaches(&["refused full", "room told"])
                .check(move || room::wait_for_room(ONE, 6, how, is_async));
        }
    }
}

#[test]
fn both_wait() {
    Model::new("both wait").check(|| room::both_wait(ONE, 6));
}

#[test]
fn batch_against_close() {
    Model::new("batch against close")
        .reaches(&["closed in the middle"])
        .check(|| closing::batch_against_close(TWO, 10, 6));
}

#[test]
fn close_against_all() {
    Model::new("close against all")
        .reaches(&["send refused", "registration refused"])
        .check(|| closing::close_against_all(ONE, 5, true));
}

#[test]
fn retained() {
    Model::new("retained")
        .reaches(&["registered between"])
        .check(|| retained::retained_against_registration(ONE, 6, 6, 4));
}

#[test]
fn expiry() {
    Model::new("expiry")
        .reaches(&["lost", "trimmed"])
        .check(|| expiry::trim_against_take(ONE, 8, 4, 6));
}

#[test]
fn wide_segments() {
    Model::new("wide segments").check(|| order::senders_and_receiver(WIDE, 5, 3, 10));
}

#[test]
fn handed_by_several() {
    Model::new("handed by several")
        .reaches(&["another retires", "installed by the loser", "handed over by reference"])
        .check(|| order::handed_by_several(ONE, 3, 3, 4, 8));
}

#[test]
fn stale_sender() {
    Model::new("stale sender")
        .reaches(&["stale segment given back", "frame reused"])
        .check(|| order::stale_sender(ONE, 1, 8));
}

#[test]
fn interest_against_alloc() {
    for leaves in [false, true] {
        Model::new("interest against alloc")
            .reaches(&["refused at allocation", "unwanted when it was sent", "sent"])
            .check(move || membership::interest_against_alloc(6, leaves));
    }
}

#[test]
fn room_by_expiry() {
    Model::new("room by expiry")
        .reaches(&["refused full"])
        .check(|| expiry::room_by_expiry(ONE, 4));
}

#[test]
fn last_reference() {
    Model::new("last reference")
        .reaches(&["frame reused", "segment retired"])
        .check(|| lifetime::last_reference(ONE, 3, 6));
}

#[test]
fn two_buses() {
    Model::new("two buses").reaches(&["woken"]).check(|| lifetime::two_buses(ONE, 4));
}

#[test]
fn close_against_changes() {
    Model::new("close against changes")
        .reaches(&["change refused"])
        .check(|| closing::close_against_changes(ONE, 3));
}

#[test]
fn accounts() {
    const ROLES: [Role; 7] =
        [Role::Stay, Role::Leave, Role::Ended, Role::Narrow, Role::Widen, Role::Join, Role::Pass];
    Model::new("accounts of all")
        .reaches(&["delivered", "lagged", "settled", "left", "segment retired"])
        .check(|| accounting(ONE, &ROLES, 2, 6, 3));
    for role in ROLES {
        Model::new("accounts")
            .reaches(&["delivered", "segment retired"])
            .check(move || accounting(ONE, &[role], 3, 5, 4));
    }
}
