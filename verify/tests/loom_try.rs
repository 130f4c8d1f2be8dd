#![cfg(smd_loom)]
use verify::model::Model;
use verify::scenarios::room::{Receive, Room};
use verify::scenarios::waiting::Form;
use verify::scenarios::accounting::Role;
use verify::scenarios::*;

#[test]
fn try_one() {
    let text = std::env::var("T").unwrap();
    let mut words = text.split_whitespace();
    let name: &'static str = Box::leak(words.next().unwrap().to_owned().into_boxed_str());
    let a: Vec<usize> = words.map(|w| w.parse().unwrap()).collect();
    let form = |n: usize| Form::ALL[n];
    let roles = |n: usize| [Role::Stay, Role::Leave, Role::Ended, Role::Narrow, Role::Widen, Role::Join, Role::Pass][n];
    Model::new(name).check(move || match name {
        "leave_recv" => membership::leave_against_receive(a[0], a[1], a[2], a[3], a[4], a[5] == 1),
        "widen" => membership::widen_against_send(a[0], a[1], a[2], a[3]),
        "narrow" => membership::narrow_against_send(a[0], a[1], a[2], a[3]),
        "lag" => order::lag(a[0], a[1] as u32, a[2], a[3], a[4], a[5] == 1),
        "copies" => order::handed_copies(a[0], a[1], a[2], a[3]),
        "refs" => order::handed_references(a[0], a[1], a[2], a[3]),
        "several" => order::handed_by_several(a[0], a[1], a[2], a[3], a[4]),
        "stale" => order::stale_sender(a[0], a[1], a[2]),
        "senders" => order::senders_and_receiver(a[0], a[1], a[2], a[3]),
        "trim" => expiry::trim_against_take(a[0], a[1], a[2], a[3]),
        "expiry" => expiry::room_by_expiry(a[0], a[1]),
        "retained" => retained::retained_against_registration(a[0], a[1], a[2], a[3]),
        "full" => room::full_against_drain(a[0], a[1], a[2], a[3], a[4]),
        "departure" => room::room_against_departure(a[0], a[1], a[2], a[3], if a[4] == 1 { Receive::Drain } else { Receive::One }),
        "room" => room::wait_for_room(a[0], a[1], [Room::Drain, Room::Leave, Room::Narrow, Room::Close][a[2]], a[3] == 1),
        "waiting" => waiting::waiting(form(a[0]), a[1], a[2], a[3], a[4]),
        "readable" => waiting::readable(a[0], a[1], a[2]),
        "hole" => waiting::behind_a_hole(form(a[0]), a[1]),
        "passed" => waiting::passed_asleep(a[0], a[1], a[2]),
        "alloc" => membership::interest_against_alloc(a[0], a[1] == 1),
        "last" => lifetime::last_reference(a[0], a[1], a[2]),
        "debts" => lifetime::drop_with_debts(a[0], a[1]),
        "buses" => lifetime::two_buses(a[0], a[1]),
        "changes" => closing::close_against_changes(a[0], a[1]),
        "account" => accounting::accounting(a[0], &a[4..].iter().map(|&n| roles(n)).collect::<Vec<_>>(), a[1], a[2], a[3]),
        "regs" => membership::register_against_send(a[0], a[1], a[2], a[3], a[4]),
        "leave_send" => membership::leave_against_send(a[0], a[1], a[2]),
        other => panic!("{other}"),
    });
}
