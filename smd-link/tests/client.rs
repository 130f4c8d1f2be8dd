//! The link with real sockets, to a proxy that speaks the libwebsockets protocol.

#![cfg(target_os = "linux")]

mod sockets;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use smd_link::client::{Counts, Link};
use smd_link::server::{Proxy, Snapshot};
use smd_link::{Address, Running};
use smd_lockfree::{Bus, Class, Origin, Participant, RecvError};
use sockets::{fresh, until};

const A: Class = Class::USER0;
const B: Class = Class::USER1;
const C: Class = Class::USER2;

fn proxy(bus: &Bus, address: &Address) -> Running<Snapshot> {
    Proxy::builder(bus).address(address.clone()).build().unwrap().spawn().unwrap()
}

/// A link that asks for `receive`, sends `forward` on, and is connected.
fn link(bus: &Bus, address: &Address, receive: Class, forward: Class) -> Running<Counts> {
    let link = Link::builder(bus).address(address.clone()).receive(receive).forward(forward);
    let link = link.build().unwrap().spawn().unwrap();
    until("connected", || link.snapshot().unwrap().is_connected);
    link
}

fn next(participant: &mut Participant) -> (Class, Vec<u8>, bool) {
    let message = participant.recv_timeout(sockets::PATIENCE).unwrap();
    (message.class(), message.bytes().to_vec(), message.origin() == Origin::Local)
}

#[test]
fn g1_two_processes_hear_of_each_other() {
    let (address, hub, [left, right]) = (fresh(), Bus::new(), [Bus::new(), Bus::new()]);
    let _proxy = proxy(&hub, &address);
    let mut here = hub.register(A | B).unwrap();
    let mut on_left = left.register(A | B).unwrap();
    let mut on_right = right.register(A | B).unwrap();
    let to_left = link(&left, &address, A | B, A);
    let to_right = link(&right, &address, A | B, B);
    left.send(A, b"left").unwrap();
    assert_eq!(next(&mut here), (A, b"left".to_vec(), false));
    assert_eq!(next(&mut on_left), (A, b"left".to_vec(), true));
    assert_eq!(next(&mut on_right), (A, b"left".to_vec(), false));
    right.send(A | B, b"right").unwrap();
    for (participant, is_local) in
        [(&mut here, false), (&mut on_left, false), (&mut on_right, true)]
    {
        assert_eq!(next(participant), (A | B, b"right".to_vec(), is_local));
    }
    // A class that is not forwarded stays where it is.
    left.send(B, b"stays").unwrap();
    assert_eq!(next(&mut on_left).1, b"stays");
    hub.send(A, b"hub").unwrap();
    assert_eq!(next(&mut on_left), (A, b"hub".to_vec(), false));
    assert_eq!(next(&mut on_right), (A, b"hub".to_vec(), false));
    // Its own came back to each, and was left out.
    until("the echoes", || to_left.snapshot().unwrap().echoes == 1);
    until("the echoes", || to_right.snapshot().unwrap().echoes == 1);
    for participant in [&mut on_left, &mut on_right] {
        assert_eq!(participant.try_recv().map(|_| ()), Err(RecvError::Empty));
    }
    assert_eq!(to_left.snapshot().unwrap().sent, 1);
}

#[test]
fn g2_a_burst_comes_whole_and_in_order() {
    const COUNT: u64 = 3_000;
    let (address, hub, left) = (fresh(), Bus::new(), Bus::new());
    let _proxy = proxy(&hub, &address);
    let mut here = hub.participant().mask(A).depth(8000).register().unwrap();
    let link = link(&left, &address, Class::NONE, A);
    for number in 0..COUNT {
        left.send_value(A, &number).unwrap();
    }
    for number in 0..COUNT {
        let message = here.recv_timeout(sockets::PATIENCE).unwrap();
        assert_eq!(message.decode::<u64>().unwrap(), number);
        assert!(
            matches!(message.origin(), Origin::Peer { sequence, .. } if sequence == number + 1)
        );
    }
    assert_eq!(link.snapshot().unwrap().sent, COUNT);
}

#[test]
fn what_comes_by_one_link_does_not_leave_by_another() {
    let (hubs, addresses) = ([Bus::new(), Bus::new()], [fresh(), fresh()]);
    let _proxies = [proxy(&hubs[0], &addresses[0]), proxy(&hubs[1], &addresses[1])];
    // Two processes, each with a link to both proxies: a ring, if anything went on.
    let buses = [Bus::new(), Bus::new()];
    let mut lists = buses.each_ref().map(|bus| bus.register(A).unwrap());
    let mut at_hubs = hubs.each_ref().map(|hub| hub.register(A).unwrap());
    let links: Vec<_> = buses
        .iter()
        .flat_map(|bus| addresses.iter().map(move |address| link(bus, address, A, A)))
        .collect();
    buses[0].send(A, b"once").unwrap();
    for at_hub in &mut at_hubs {
        assert_eq!(next(at_hub).1, b"once");
    }
    assert!(next(&mut lists[0]).2, "it was sent here");
    // By each of the two ways once: no more is promised where there are two.
    assert!(!next(&mut lists[1]).2 && !next(&mut lists[1]).2);
    std::thread::sleep(Duration::from_millis(150));
    for list in lists.iter_mut().chain(&mut at_hubs) {
        assert_eq!(list.try_recv().map(|_| ()), Err(RecvError::Empty));
    }
    drop(links);
}

#[test]
fn a_proxy_that_comes_later_or_again_is_found_and_what_waited_is_sent() {
    let (address, left) = (fresh(), Bus::builder().time_to_live(None).build().unwrap());
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let link = Link::builder(&left).address(address.clone()).forward(A).depth(10);
    let link = link.notices(move |notice| tell.lock().unwrap().push(notice.to_string()));
    let link = link.build().unwrap().spawn().unwrap();
    for number in 0..15_u8 {
        left.send(A, &[number]).unwrap();
    }
    until("it was refused", || told.lock().unwrap().iter().any(|line| line.contains("refused")));
    let hub = Bus::new();
    let mut here = hub.register(A).unwrap();
    let began = Instant::now();
    let first = proxy(&hub, &address);
    for number in 5..15_u8 {
        assert_eq!(next(&mut here).1, [number]);
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    first.stop().unwrap();
    until("it is lost", || !link.snapshot().unwrap().is_connected);
    left.send(A, b"meanwhile").unwrap();
    let _second = proxy(&hub, &address);
    assert_eq!(next(&mut here).1, b"meanwhile");
    let counts = link.snapshot().unwrap();
    assert_eq!((counts.connections, counts.sent, counts.missed), (2, 11, 5));
    until("the loss was told", || {
        told.lock().unwrap().iter().any(|l| l.contains("waited too long"))
    });
}

#[test]
fn g12_a_link_ends_with_its_bus_or_when_it_is_stopped() {
    let (address, hub) = (fresh(), Bus::new());
    let _proxy = proxy(&hub, &address);
    let mut here = hub.register(A).unwrap();
    let left = Bus::new();
    let first = link(&left, &address, A, A);
    left.send(A, b"last words").unwrap();
    left.close();
    assert_eq!(next(&mut here).1, b"last words");
    first.join().unwrap();
    let left = Bus::new();
    let second = link(&left, &address, C, A);
    left.send(A, b"before it stops").unwrap();
    second.stop().unwrap();
    assert_eq!(next(&mut here).1, b"before it stops");
    assert!(!left.is_closed());
    // Without a proxy there is nothing to wait for.
    let nowhere = Link::builder(&left).address(fresh()).forward(A).build().unwrap();
    let began = Instant::now();
    nowhere.spawn().unwrap().stop().unwrap();
    assert!(began.elapsed() < Duration::from_secs(1));
}
