//! The proxy with real sockets: libwebsockets peers, and what a peer may do to it.

#![cfg(target_os = "linux")]

mod sockets;

use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use smd_link::policy::{Limit, PeerPolicy, Rule};
use smd_link::server::{ListenError, Proxy, Snapshot};
use smd_link::{Address, Running, lws};
use smd_lockfree::{Bus, Class, Origin, Participant, Policy, RecvError};
use sockets::{Client, dial, fresh, until};

const A: Class = Class::USER0;
const B: Class = Class::USER1;

/// A proxy at work, and where.
struct At(Running<Snapshot>, Address);

impl At {
    fn address(&self) -> &Address {
        &self.1
    }
}

impl std::ops::Deref for At {
    type Target = Running<Snapshot>;

    fn deref(&self) -> &Running<Snapshot> {
        &self.0
    }
}

fn proxy(bus: &Bus) -> At {
    with(bus, PeerPolicy::default()).0
}

fn with(bus: &Bus, policy: PeerPolicy) -> (At, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let address = fresh();
    let builder = Proxy::builder(bus).address(address.clone()).policy(policy);
    let proxy = builder.notices(move |notice| tell.lock().unwrap().push(notice.to_string()));
    (At(proxy.build().unwrap().spawn().unwrap(), address), told)
}

fn rule(rule: Rule) -> PeerPolicy {
    PeerPolicy::builder().default_rule(rule).build().unwrap()
}

fn next(participant: &mut Participant) -> (Class, Vec<u8>, Origin) {
    let message = participant.recv_timeout(sockets::PATIENCE).unwrap();
    (message.class(), message.bytes().to_vec(), message.origin())
}

#[test]
fn g1_what_a_peer_sends_comes_to_the_bus_and_to_the_other_peers() {
    let bus = Bus::new();
    let mut here = bus.register(A | B).unwrap();
    let proxy = proxy(&bus);
    let mut one = Client::join(proxy.address(), A);
    let mut two = Client::join(proxy.address(), A | B);
    let mut deaf = Client::join(proxy.address(), Class::NONE);
    one.send(A, b"from one");
    let (class, body, origin) = next(&mut here);
    assert_eq!((class, &body[..]), (A, &b"from one"[..]));
    assert!(matches!(origin, Origin::Peer { peer, sequence: 1, .. } if peer.get() == 1));
    // As from the real proxy: to the sender, too.
    assert_eq!(one.take(1)[0].body, b"from one");
    assert_eq!(two.take(1)[0].body, b"from one");
    two.send(B, b"from two");
    deaf.send(A | B, b"from who is deaf");
    let got = two.take(2);
    assert_eq!((&got[0].body[..], &got[1].body[..]), (&b"from two"[..], &b"from who is deaf"[..]));
    assert_eq!(got[1].class, A | B);
    assert_eq!(one.take(1)[0].body, b"from who is deaf");
    bus.send(B, b"from here").unwrap();
    let got = two.take(1);
    assert_eq!((got[0].class, &got[0].body[..]), (B, &b"from here"[..]));
    assert!(got[0].timestamp_us > 0);
    assert!(one.rest().is_empty() && deaf.rest().is_empty());
}

#[test]
fn g2_a_burst_comes_whole_and_in_order_to_all() {
    const COUNT: u32 = 5_000;
    let bus = Bus::new();
    let mut here = bus.participant().mask(A).depth(COUNT + 10).register().unwrap();
    let policy = rule(
        Rule::new()
            .limit(Limit::PeerQueuedMessages, COUNT + 10)
            .limit(Limit::PeerMessagesPerSecond, 1_000_000)
            .limit(Limit::PeerMessageBurst, 1_000_000)
            .limit(Limit::UidMessagesPerSecond, 1_000_000)
            .limit(Limit::UidMessageBurst, 1_000_000),
    );
    let (proxy, _) = with(&bus, policy);
    let mut receivers = [A, A | B].map(|mask| Client::join(proxy.address(), mask));
    let address = proxy.address().clone();
    let sending = std::thread::spawn(move || {
        let mut client = Client::join(&address, Class::NONE);
        for number in 0..COUNT {
            let mut body = number.to_le_bytes().to_vec();
            body.resize(4 + (number % 365) as usize, 7);
            client.send(A, &body);
        }
        client
    });
    let number = |body: &[u8]| u32::from_le_bytes(body[..4].try_into().unwrap());
    for receiver in &mut receivers {
        for (expected, got) in receiver.take(COUNT as usize).iter().enumerate() {
            assert_eq!(number(&got.body), expected as u32);
            assert_eq!(got.body.len(), 4 + expected % 365);
        }
    }
    for expected in 0..COUNT {
        let message = here.recv_timeout(sockets::PATIENCE).unwrap();
        assert_eq!(number(&message), expected);
    }
    drop(sending.join().unwrap());
}

#[test]
fn g4_interest_grows_and_shrinks_with_the_peers() {
    let bus = Bus::new();
    let proxy = proxy(&bus);
    assert!(!bus.wants(A));
    let one = Client::join(proxy.address(), A);
    let two = Client::join(proxy.address(), A | B);
    assert_eq!(bus.interest(), A | B);
    assert!(bus.local_interest().is_empty(), "peers are not of this process");
    drop(two);
    until("the interest of who has gone", || bus.interest() == A);
    drop(one);
    until("the interest of who has gone", || bus.interest().is_empty());
    assert!(proxy.snapshot().unwrap().peers.is_empty());
}

#[test]
fn g6_a_peer_that_does_not_read_costs_nobody_anything_and_is_told_of() {
    const COUNT: u64 = 20_000;
    let bus = Bus::new();
    let (proxy, told) = with(&bus, rule(Rule::new().limit(Limit::PeerQueuedMessages, 100)));
    let mut stuck = Client::join(proxy.address(), A);
    let mut here = bus.participant().mask(A).depth(1000).register().unwrap();
    let mut sent = 0;
    while sent < COUNT {
        match bus.send(A, &[7; 100]) {
            Ok(_) => sent += 1,
            Err(error) => panic!("the stuck one refuses others: {error}"),
        }
        while here.try_recv().is_ok() {}
    }
    let backlog = proxy.snapshot().unwrap().peers[0].backlog;
    assert!(backlog <= 100, "{backlog} wait for who does not read");
    // It hears of what it lost, and so does the log, when there is room for it again.
    let got = stuck.rest();
    assert!(!got.is_empty() && got.iter().all(|got| got.body == [7; 100]));
    until("lag was told", || told.lock().unwrap().iter().any(|line| line.contains("too slow")));
    until("each is sent, lost or waits", || {
        let peer = proxy.snapshot().unwrap().peers.remove(0);
        assert!(peer.backlog <= 100, "{peer:?}");
        peer.counts.lagged > 0 && peer.counts.sent + peer.counts.lagged + peer.backlog == COUNT
    });
    drop(stuck);
    until("it has gone", || proxy.snapshot().unwrap().peers.is_empty());
}

#[test]
fn g10_a_peer_that_comes_late_gets_the_state() {
    let bus = Bus::new();
    let state = bus.retain(Class::SYSTEM_STATE).unwrap();
    state.send(b"operational").unwrap();
    let proxy = proxy(&bus);
    let mut late = Client::join(proxy.address(), Class::SYSTEM_STATE);
    assert_eq!(late.take(1)[0].body, b"operational");
}

#[test]
fn g12_what_was_accepted_before_a_close_comes_and_then_the_end() {
    let bus = Bus::new();
    let running = proxy(&bus);
    let mut one = Client::join(running.address(), A);
    for number in 0..100_u8 {
        bus.send(A, &[number; 50]).unwrap();
    }
    bus.close();
    let got = one.take(100);
    assert!(got.iter().enumerate().all(|(at, got)| got.body[0] == at as u8));
    one.until_closed();
    until("it has ended", || !running.is_running());
    running.0.join().unwrap();

    let bus = Bus::new();
    let running = proxy(&bus);
    let mut one = Client::join(running.address(), A);
    bus.send(A, b"last words").unwrap();
    running.0.stop().unwrap();
    assert_eq!(one.take(1)[0].body, b"last words");
    one.until_closed();
    assert!(!bus.is_closed());
}

#[test]
fn who_says_nothing_is_let_go_after_three_seconds_and_who_is_slow_is_not() {
    let bus = Bus::new();
    let proxy = proxy(&bus);
    let began = Instant::now();
    let mut silent = dial(proxy.address());
    let mut slow = dial(proxy.address());
    let hello = b"\xaa\0\x11\x01\0\0\x2e\x4c\x01\0\0\0_lws_smd";
    for byte in hello {
        slow.write_all(&[*byte]).unwrap();
        std::thread::sleep(Duration::from_millis(60));
    }
    let mut answer = [0; 8 + 3 * 8];
    slow.read_exact(&mut answer).unwrap();
    assert_eq!(silent.read(&mut [0; 1]).unwrap(), 0);
    let took = began.elapsed();
    assert!((2900..6000).contains(&took.as_millis()), "{took:?}");
    bus.send(A, b"there").unwrap();
    slow.read_exact(&mut [0; 3 + 32 + 5]).unwrap();
}

#[test]
fn a_peer_that_breaks_the_protocol_goes_and_no_other_notices() {
    let bus = Bus::new();
    let (proxy, told) = with(&bus, PeerPolicy::default());
    let mut good = Client::join(proxy.address(), A);
    for bad in [
        &b"\xb2\0\0"[..],
        b"\xad\0\0",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xaa\0\x02\x01\x01",
        &[0; 5000],
    ] {
        let mut stream = dial(proxy.address());
        let _ = stream.write_all(bad);
        let mut rest = Vec::new();
        // It closes, or resets what it did not read.
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty(), "{bad:?}");
    }
    // A malformed message is dropped, and the connection stays.
    let mut odd = Client::join(proxy.address(), A);
    odd.stream.write_all(b"\xad\0\x11\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0!").unwrap();
    odd.send(A, b"well-formed");
    assert_eq!(odd.take(1)[0].body, b"well-formed");
    good.send(A, b"on");
    let bodies: Vec<_> = good.take(2).into_iter().map(|got| got.body).collect();
    assert_eq!(bodies, [&b"well-formed"[..], b"on"]);
    until("all is told", || {
        let told = told.lock().unwrap();
        let count = |text: &str| told.iter().filter(|line| line.contains(text)).count();
        count("has gone: at byte") == 5 && count("messages not sent on") + count("not sent on") >= 1
    });
}

#[test]
fn the_policy_holds_at_registration_and_at_each_message() {
    let bus = Bus::new();
    let mut here = bus.register(Class::ALL).unwrap();
    let policy = rule(Rule::new().receive(A).send(B));
    let (proxy, told) = with(&bus, policy);
    let mut one = Client::join(proxy.address(), A | B);
    assert_eq!(proxy.snapshot().unwrap().peers[0].mask, Some(A));
    one.send(A, b"may not");
    one.send(A | B, b"may not either");
    one.send(B, b"may");
    assert_eq!(next(&mut here).1, b"may");
    bus.send(B, b"not for it").unwrap();
    bus.send(A | B, b"for it").unwrap();
    assert_eq!(one.take(1)[0].body, b"for it");
    until("it was told", || {
        told.lock().unwrap().iter().any(|line| line.contains("may not be sent"))
    });
    let peer = proxy.snapshot().unwrap().peers.remove(0);
    assert_eq!((peer.counts.rejected, peer.counts.received), (2, 1));
    let text = told.lock().unwrap().join("\n");
    assert!(text.contains("gets user0, and may not have user1"), "{text}");
}

#[test]
fn a_rate_slows_a_peer_down_and_loses_nothing() {
    let bus = Bus::new();
    let mut here = bus.participant().mask(A).depth(1000).register().unwrap();
    let limits = Rule::new().limit(Limit::PeerMessagesPerSecond, 200);
    let (proxy, _) = with(&bus, rule(limits.limit(Limit::PeerMessageBurst, 10)));
    let address = proxy.address().clone();
    let began = Instant::now();
    let sending = std::thread::spawn(move || {
        let mut client = Client::join(&address, Class::NONE);
        (0..110_u8).for_each(|number| client.send(A, &[number]));
        client
    });
    for number in 0..110_u8 {
        assert_eq!(next(&mut here).1, [number]);
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(480), "{took:?} for 100 over the burst at 200 a second");
    drop(sending.join().unwrap());
}

#[test]
fn who_wants_it_may_be_full_for_a_while_and_nothing_is_lost() {
    let bus = Bus::new();
    let mut full = bus.participant().mask(A).depth(3).register().unwrap();
    let proxy = proxy(&bus);
    let mut one = Client::join(proxy.address(), Class::NONE);
    (0..30_u8).for_each(|number| one.send(A, &[number]));
    std::thread::sleep(Duration::from_millis(100));
    for number in 0..30_u8 {
        assert_eq!(next(&mut full).1, [number]);
        std::thread::sleep(Duration::from_millis(3));
    }
    assert_eq!(full.try_recv().map(|_| ()), Err(RecvError::Empty));
}

#[test]
fn limits_of_connections_refuse_and_name_the_key() {
    let bus = Bus::new();
    let (proxy, told) = with(&bus, rule(Rule::new().limit(Limit::UidConnections, 2)));
    let one = Client::join(proxy.address(), A);
    let _two = Client::join(proxy.address(), A);
    let mut three = dial(proxy.address());
    assert_eq!(three.read(&mut [0; 1]).unwrap(), 0);
    assert!(told.lock().unwrap().iter().any(|line| line.contains("uid-connections")));
    drop(one);
    until("there is room again", || proxy.snapshot().unwrap().peers.len() == 1);
    let _four = Client::join(proxy.address(), A);
    assert_eq!(proxy.snapshot().unwrap().refused, 1);
}

#[test]
fn a_body_that_is_too_long_for_a_peer_is_counted_and_told() {
    let bus = Bus::new();
    let (proxy, told) = with(&bus, PeerPolicy::default());
    let mut one = Client::join(proxy.address(), A);
    for len in [lws::MAX_BODY + 1, lws::MAX_BODY] {
        bus.send(A, &vec![7; len]).unwrap();
    }
    assert_eq!(one.take(1)[0].body.len(), lws::MAX_BODY);
    until("it was told", || told.lock().unwrap().iter().any(|line| line.contains("369 bytes")));
    assert_eq!(proxy.snapshot().unwrap().peers[0].counts.too_long, 1);
}

#[test]
fn a_socket_file_has_the_mode_of_the_policy_and_goes_with_the_proxy() {
    let directory = std::env::temp_dir().join(format!("smd-link.{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("bus");
    let address = Address::path(&path).unwrap();
    let bus = Bus::new();
    let listen = || Proxy::builder(&bus).address(address.clone()).build();
    let first = listen().unwrap();
    let made = std::fs::symlink_metadata(&path).unwrap();
    assert!(made.file_type().is_socket());
    assert_eq!(made.permissions().mode() & 0o777, 0o600);
    // A second one on the same name.
    assert!(matches!(listen(), Err(ListenError::InUse(at)) if at == address));
    let running = first.spawn().unwrap();
    let mut one = Client::join(&address, A);
    bus.send(A, b"by file").unwrap();
    assert_eq!(one.take(1)[0].body, b"by file");
    running.stop().unwrap();
    assert!(!path.exists());
    // A stale one: its owner died.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    drop(listen().unwrap());
    assert!(!path.exists());
    // Something else of that name is left alone.
    std::fs::write(&path, "mine").unwrap();
    assert!(matches!(listen(), Err(ListenError::NoSocket(at)) if at == path));
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(matches!(listen(), Err(ListenError::System(_))));
    let name = fresh();
    let listen = || Proxy::builder(&bus).address(name.clone()).build();
    let first = listen().unwrap();
    assert!(matches!(listen(), Err(ListenError::InUse(_))));
    drop(first);
    drop(listen().unwrap());
}

#[test]
fn a_proxy_can_be_driven_by_a_loop_of_ones_own_and_over_loopback() {
    let bus = Bus::new();
    let mut here = bus.participant().mask(A).policy(Policy::Lag).register().unwrap();
    let everybody = PeerPolicy::builder().mode(0o666).build().unwrap();
    let builder = Proxy::builder(&bus).address(Address::tcp(0)).policy(everybody);
    let mut proxy = builder.build().unwrap();
    let port = proxy.address().port().unwrap();
    assert_ne!(port, 0);
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"\xaa\0\x11\x01\0\0\x2e\x4c\x01\0\0\0_lws_smd").unwrap();
    let end = Instant::now() + sockets::PATIENCE;
    let mut answer = [0; 32];
    stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    while stream.read_exact(&mut answer).is_err() {
        assert!(Instant::now() < end && proxy.step(Some(Duration::from_millis(5))).unwrap());
    }
    let message =
        b"\xad\0\x22\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0hi";
    stream.write_all(message).unwrap();
    while here.try_recv().is_err() {
        assert!(Instant::now() < end && proxy.step(Some(Duration::from_millis(5))).unwrap());
    }
    let snapshot = proxy.snapshot();
    assert_eq!((snapshot.peers.len(), snapshot.peers[0].who.uid), (1, 65_534));
    proxy.stopper().stop();
    while proxy.step(Some(Duration::from_millis(5))).unwrap() {}
}

/// Addresses that are no file are held to the permissions that the file would have.
#[test]
fn who_may_not_write_to_the_file_may_not_connect_where_there_is_none() {
    let bus = Bus::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let builder = Proxy::builder(&bus).address(Address::tcp(0));
    let proxy = builder.notices(move |notice| tell.lock().unwrap().push(notice.to_string()));
    let proxy = proxy.build().unwrap();
    let port = proxy.address().port().unwrap();
    let running = proxy.spawn().unwrap();
    // Nobody, as everybody is over TCP.
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(running.snapshot().unwrap().refused, 1);
    let told = told.lock().unwrap().join("\n");
    assert!(told.contains("uid 65534 may not connect to a socket of mode 0600"), "{told}");
}

#[test]
fn who_asks_for_another_stream_is_told_and_let_go() {
    let bus = Bus::new();
    let (proxy, told) = with(&bus, PeerPolicy::default());
    let mut stream = dial(proxy.address());
    stream.write_all(b"\xaa\0\x0d\x01\0\0\0\x07\x01\0\0\0test").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"\x56\0\x05\x01\0\0\0\0");
    until("it was told", || told.lock().unwrap().iter().any(|line| line.contains("is not here")));
}
