//! A client that speaks the libwebsockets protocol over a real socket, and addresses of one's own.

#![allow(dead_code, reason = "each test file is a crate of its own and uses a part")]

use std::io::{ErrorKind, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use smd_link::Address;
use smd_link::lws::client::{Event, Session};
use smd_lockfree::{Bus, Class, Timestamp};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An abstract name that nobody else has.
pub(crate) fn fresh() -> Address {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Address::name(&format!("smd-test.{}.{number}", std::process::id())).unwrap()
}

/// Connects to a proxy.
pub(crate) fn dial(address: &Address) -> UnixStream {
    let text = address.to_string();
    let at = match text.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name).unwrap(),
        None => SocketAddr::from_pathname(&text).unwrap(),
    };
    UnixStream::connect_addr(&at).unwrap()
}

/// A message as a client got it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Got {
    pub(crate) class: Class,
    pub(crate) timestamp_us: u64,
    pub(crate) body: Vec<u8>,
}

/// A libwebsockets client in miniature.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: UnixStream,
    session: Session,
    clock: Bus,
    /// What came and was not taken.
    early: Vec<Got>,
}

impl Client {
    /// Connects, and waits until it takes part.
    pub(crate) fn join(address: &Address, mask: Class) -> Client {
        let clock = Bus::new();
        let stream = dial(address);
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let session = Session::new(clock.clock().now(), std::process::id(), mask);
        let mut client = Client { stream, session, clock, early: Vec::new() };
        let end = Instant::now() + PATIENCE;
        while !client.session.is_connected() {
            assert!(Instant::now() < end, "no answer");
            let mut early = Vec::new();
            client.turn(&mut early).unwrap();
            client.early.extend(early);
        }
        client
    }

    fn now(&self) -> Timestamp {
        self.clock.clock().now()
    }

    fn flush(&mut self) {
        while !self.session.output().is_empty() {
            let len = self.stream.write(self.session.output()).unwrap();
            self.session.written(len);
        }
        self.session.peer_read_all();
    }

    /// Writes, reads once, and gives what came; `Err`: the other side has closed.
    fn turn(&mut self, got: &mut Vec<Got>) -> Result<(), ()> {
        self.flush();
        let mut buffer = [0; 2048];
        let len = match self.stream.read(&mut buffer) {
            Ok(0) => return Err(()),
            Ok(len) => len,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Err(()),
            Err(error) => panic!("{error}"),
        };
        let now = self.now();
        let mut input = &buffer[..len];
        while let Some(event) = self.session.next(now, &mut input).unwrap() {
            if let Event::Message { class, timestamp_us, body, .. } = event {
                got.push(Got { class, timestamp_us, body: body.to_vec() });
            }
        }
        Ok(())
    }

    pub(crate) fn send(&mut self, class: Class, body: &[u8]) {
        let now = self.now();
        while self.session.send(now, class, body).is_err() {
            self.flush();
        }
        self.flush();
    }

    /// Waits for so many messages.
    pub(crate) fn take(&mut self, count: usize) -> Vec<Got> {
        let mut got = std::mem::take(&mut self.early);
        let end = Instant::now() + PATIENCE;
        while got.len() < count {
            assert!(Instant::now() < end, "{} of {count} came", got.len());
            self.turn(&mut got).unwrap();
        }
        self.early = got.split_off(count);
        got
    }

    /// What comes within a moment.
    pub(crate) fn rest(&mut self) -> Vec<Got> {
        let mut got = std::mem::take(&mut self.early);
        let end = Instant::now() + Duration::from_millis(150);
        while Instant::now() < end && self.turn(&mut got).is_ok() {}
        got
    }

    /// Waits until the other side closes.
    pub(crate) fn until_closed(&mut self) {
        let end = Instant::now() + PATIENCE;
        while self.turn(&mut Vec::new()).is_ok() {
            assert!(Instant::now() < end, "it is not closed");
        }
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
