//! The recordings in `tests/vectors`, by connection.

#![allow(dead_code)] // each test file uses a part of it

use smd_link::lws::{client, proxy};
use smd_lockfree::Timestamp;
use std::collections::BTreeMap;

/// One client, read by read: a recording of libwebsockets 5.0.99.
pub(crate) const SINGLE: &str = include_str!("../vectors/raw-single.txt");

/// Four workers and a monitor over one proxy, likewise.
pub(crate) const MULTI: &str = include_str!("../vectors/raw-multi.txt");

/// Who wrote what was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Client,
    Proxy,
}

/// What one read gave, and when.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) at: Timestamp,
    pub(crate) side: Side,
    pub(crate) bytes: Vec<u8>,
}

/// The reads of one connection, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection {
    pub(crate) reads: Vec<Read>,
    /// Whether the recording goes on to the client's close.
    pub(crate) closed: bool,
}

impl Connection {
    /// All bytes of one side.
    pub(crate) fn stream(&self, side: Side) -> Vec<u8> {
        let reads = self.reads.iter().filter(|read| read.side == side);
        reads.flat_map(|read| read.bytes.iter().copied()).collect()
    }
}

/// The connections of a recording: lines of seconds, connection, direction, and hex.
pub(crate) fn connections(recording: &str) -> BTreeMap<&str, Connection> {
    let mut all: BTreeMap<&str, Connection> = BTreeMap::new();
    for line in recording.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let &[seconds, connection, direction, what] = &fields[..] else { panic!("{line}") };
        let connection = all.entry(connection).or_default();
        let side = match (direction, what) {
            ("INFO", "OPEN") => continue,
            ("C>P", "EOF") => {
                connection.closed = true;
                continue;
            }
            ("C>P", _) => Side::Client,
            ("P>C", _) => Side::Proxy,
            _ => panic!("{line}"),
        };
        let at = seconds.parse::<f64>().unwrap();
        let at = Timestamp::from_nanos(1_000_000_000 + (at * 1e6) as u64 * 1000);
        connection.reads.push(Read { at, side, bytes: hex(what) });
    }
    all
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    let pairs = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// Cuts a stream into its frames, head and all; what is left over is none.
pub(crate) fn frames(mut stream: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut frames = Vec::new();
    while let Some(&[_, high, low]) = stream.first_chunk() {
        let len = 3 + usize::from(u16::from_be_bytes([high, low]));
        let Some((frame, rest)) = stream.split_at_checked(len) else { break };
        frames.push(frame);
        stream = rest;
    }
    (frames, stream)
}

/// What a session said to a stream in pieces: all events as text, and the fault that ended it.
pub(crate) type Said = (Vec<String>, Option<String>);

/// Gives the pieces to a proxy.
pub(crate) fn drive_proxy<'a>(
    session: &mut proxy::Session,
    now: Timestamp,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Said {
    let mut events = Vec::new();
    for mut input in pieces {
        loop {
            match session.next(now, &mut input) {
                Ok(Some(event)) => events.push(format!("{event:?}")),
                Ok(None) => break,
                Err(fault) => return (events, Some(format!("{fault:?}"))),
            }
        }
        assert!(input.is_empty(), "all is taken before more is asked for");
    }
    (events, None)
}

/// Gives the pieces to a client.
pub(crate) fn drive_client<'a>(
    session: &mut client::Session,
    now: Timestamp,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Said {
    let mut events = Vec::new();
    for mut input in pieces {
        loop {
            match session.next(now, &mut input) {
                Ok(Some(event)) => events.push(format!("{event:?}")),
                Ok(None) => break,
                Err(fault) => return (events, Some(format!("{fault:?}"))),
            }
        }
        assert!(input.is_empty(), "all is taken before more is asked for");
    }
    (events, None)
}
