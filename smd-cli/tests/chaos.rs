//! Processes that are killed, stopped and starved: the others notice nothing, or are told.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use smd_link::Running;
use smd_link::client::{Counts, Link};
use smd_lockfree::{Bus, Class, Participant};

const A: Class = Class::USER0;
const PATIENCE: Duration = Duration::from_secs(60);

/// An abstract name that nobody else has, without the `@`.
fn fresh() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("smd-chaos.{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A process that is killed at the end.
struct Process(Child);

impl Process {
    /// Starts it and waits until it says `ready` on standard error.
    fn start(command: &mut Command, ready: &str) -> Process {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains(ready)));
        assert!(said.is_some(), "never said: {ready}");
        std::thread::spawn(move || lines.for_each(drop));
        Process(child)
    }

    fn smd(arguments: &[&str], ready: &str) -> Process {
        Process::start(Command::new(env!("CARGO_BIN_EXE_smd")).args(arguments), ready)
    }

    fn proxy(name: &str) -> Process {
        Process::smd(&["proxy", "--socket", &format!("@{name}")], "listening")
    }

    fn listener(name: &str) -> Process {
        Process::smd(&["listen", "--socket", &format!("@{name}")], "connected")
    }

    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }
}

/// By SIGKILL.
impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A part of this process with a bus of its own, linked to the proxy.
struct Part {
    bus: Bus,
    list: Participant,
    link: Running<Counts>,
}

impl Part {
    fn new(name: &str, receive: Class, forward: Class) -> Part {
        let bus = Bus::builder().time_to_live(None).build().unwrap();
        let list = bus.participant().mask(Class::ALL).depth(100_000).register().unwrap();
        let link = Link::builder(&bus).address(format!("@{name}").parse().unwrap());
        let link = link.receive(receive).forward(forward).depth(100_000).build().unwrap();
        let part = Part { bus, list, link: link.spawn().unwrap() };
        until("connected", || part.link.snapshot().unwrap().is_connected);
        part
    }

    /// Takes so many numbers, which must be those from `first` on.
    fn takes(&mut self, first: u64, count: u64) {
        for expected in first..first + count {
            let message = self.list.recv_timeout(PATIENCE).unwrap_or_else(|error| {
                panic!("{expected} never came: {error:?}");
            });
            assert_eq!(message.decode::<u64>().unwrap(), expected);
        }
    }
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn clients_that_are_killed_cost_the_others_nothing() {
    const KILLS: u64 = 50;
    const EACH: u64 = 200;
    let name = fresh();
    let _proxy = Process::proxy(&name);
    let sender = Part::new(&name, Class::NONE, A);
    let mut survivor = Part::new(&name, A, Class::NONE);
    for kill in 0..KILLS {
        let victim = Process::listener(&name);
        for number in 0..EACH {
            sender.bus.send_value(A, &(kill * EACH + number)).unwrap();
            if number == EACH / 2 {
                victim.signal("KILL");
            }
        }
    }
    survivor.takes(0, KILLS * EACH);
    assert_eq!(survivor.link.snapshot().unwrap().connections, 1);
}

#[test]
fn a_client_that_is_stopped_costs_the_others_nothing_and_goes_on_later() {
    const COUNT: u64 = 20_000;
    let name = fresh();
    let _proxy = Process::proxy(&name);
    let sender = Part::new(&name, Class::NONE, A);
    let mut survivor = Part::new(&name, A, Class::NONE);
    let mut stopped = Process::listener(&name);
    stopped.signal("STOP");
    for number in 0..COUNT {
        sender.bus.send_value(A, &number).unwrap();
    }
    survivor.takes(0, COUNT);
    stopped.signal("CONT");
    stopped.signal("INT");
    let end = Instant::now() + PATIENCE;
    while stopped.0.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "it does not go on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_proxy_that_is_killed_and_comes_again_is_found() {
    let name = fresh();
    let first = Process::proxy(&name);
    let sender = Part::new(&name, Class::NONE, A);
    let mut list = Part::new(&name, A, Class::NONE);
    sender.bus.send_value(A, &0_u64).unwrap();
    list.takes(0, 1);
    drop(first);
    let lost = |part: &Part| !part.link.snapshot().unwrap().is_connected;
    until("both have noticed", || lost(&sender) && lost(&list));
    let _second = Process::proxy(&name);
    until("both are back", || !lost(&sender) && !lost(&list));
    sender.bus.send_value(A, &1_u64).unwrap();
    list.takes(1, 1);
}

#[test]
fn without_a_descriptor_left_newcomers_are_turned_away_and_the_others_stay() {
    let name = fresh();
    let limited =
        format!("ulimit -n 20; exec {} proxy --socket @{name}", env!("CARGO_BIN_EXE_smd"));
    let _proxy = Process::start(Command::new("sh").args(["-c", &limited]), "listening");
    let sender = Part::new(&name, Class::NONE, A);
    let mut list = Part::new(&name, A, Class::NONE);
    let at = SocketAddr::from_abstract_name(&name).unwrap();
    let mut turned_away = 0;
    // Idle ones are let go after three seconds; so many at once are too many.
    let mut crowd: Vec<_> = (0..30).map(|_| UnixStream::connect_addr(&at).unwrap()).collect();
    for stream in &mut crowd {
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        turned_away += u32::from(matches!(stream.read(&mut [0; 1]), Ok(0)));
    }
    assert!(turned_away > 5, "{turned_away} of 30 were turned away");
    for number in 0..100_u64 {
        sender.bus.send_value(A, &number).unwrap();
    }
    list.takes(0, 100);
    drop(crowd);
    let mut late = Part::new(&name, A, Class::NONE);
    sender.bus.send_value(A, &100_u64).unwrap();
    list.takes(100, 1);
    late.takes(100, 1);
}
