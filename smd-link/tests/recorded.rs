//! Our sessions against what libwebsockets 5.0.99 was recorded to say: every frame, and every
//! connection from both sides.

mod common;

use common::{Connection, MULTI, SINGLE, Side, connections, drive_client, frames, hex};
use smd_link::lws::{CreateResult, StreamType, ToClient, ToProxy, client, proxy};
use smd_lockfree::wire::{Frame, Header};
use smd_lockfree::{Class, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// Decodes a frame of that side, encodes it again, and compares.
fn there_and_back(side: Side, bytes: &[u8]) {
    let mut out = [0; 512];
    let frame = Frame { at: 0, kind: bytes[0], body: &bytes[3..] };
    let len = match side {
        Side::Client => ToProxy::decode(frame).unwrap().encode(&mut out).unwrap(),
        Side::Proxy => ToClient::decode(frame).unwrap().encode(&mut out).unwrap(),
    };
    assert_eq!(&out[..len], bytes);
}

#[test]
fn every_recorded_frame_goes_back_to_its_bytes() {
    for (recording, expected) in [
        (SINGLE, [(0x55, 2937), (0x56, 1), (0x57, 3), (0xaa, 1), (0xad, 5828)]),
        (MULTI, [(0x55, 1300), (0x56, 5), (0x57, 15), (0xaa, 5), (0xad, 260)]),
    ] {
        let mut count = BTreeMap::new();
        for connection in connections(recording).values() {
            for side in [Side::Client, Side::Proxy] {
                let stream = connection.stream(side);
                let (frames, rest) = frames(&stream);
                // These two end between frames; a recording may end inside of one.
                assert_eq!(rest, b"");
                for bytes in frames {
                    there_and_back(side, bytes);
                    *count.entry(bytes[0]).or_insert(0) += 1;
                }
            }
        }
        assert_eq!(count, BTreeMap::from(expected));
    }
}

#[test]
fn the_annotated_recordings_are_the_same_frames() {
    let single = include_str!("vectors/single-session.hex");
    let multi = include_str!("vectors/multi-session.hex");
    for (annotated, raw, expected) in [(single, SINGLE, 27), (multi, MULTI, 1585)] {
        let mut streams: BTreeMap<(&str, &str), Vec<Vec<u8>>> = BTreeMap::new();
        let mut count = 0;
        for line in annotated.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let &[_, connection, direction @ ("C>P" | "P>C"), bytes] = &fields[..] else {
                continue;
            };
            let (side, bytes) = match direction {
                "C>P" => (Side::Client, hex(bytes)),
                _ => (Side::Proxy, hex(bytes)),
            };
            there_and_back(side, &bytes);
            streams.entry((connection, direction)).or_default().push(bytes);
            count += 1;
        }
        assert_eq!(count, expected);
        let raw = connections(raw);
        for ((connection, direction), listed) in streams {
            let side = if direction == "C>P" { Side::Client } else { Side::Proxy };
            let stream = raw[connection].stream(side);
            let mut frames = frames(&stream).0.into_iter();
            // One of them leaves out the middle, none of them changes the order.
            for bytes in listed {
                assert!(frames.any(|frame| frame == bytes), "{connection} {direction}");
            }
        }
    }
}

/// What our proxy has to say where the real one said this: all but the text of the result, which
/// has no meaning (section 3).
fn without_text(bytes: &[u8]) -> Vec<u8> {
    let frame = Frame { at: 0, kind: bytes[0], body: &bytes[3..] };
    let ToClient::CreateResult(result) = ToClient::decode(frame).unwrap() else {
        return bytes.to_vec();
    };
    let mut out = [0; 8];
    let result = ToClient::CreateResult(CreateResult { rideshares: b"", ..result });
    assert_eq!(result.encode(&mut out), Ok(8));
    out.to_vec()
}

/// Messages that were given back to their sender, and those of others.
#[derive(PartialEq, Eq, Debug)]
struct Sent {
    own: usize,
    others: usize,
}

/// Plays a connection to our proxy: what its client has sent, when it did. What the real proxy has
/// sent of the client's own messages must be what ours has received; the rest came from others.
fn play(connection: &Connection) -> Sent {
    let mut session = proxy::Session::new(connection.reads[0].at);
    let mut own: VecDeque<(Class, Vec<u8>)> = VecDeque::new();
    let (mut mask, mut sent) = (Class::NONE, Sent { own: 0, others: 0 });
    let (mut said, mut expected, mut partial) = (Vec::new(), Vec::new(), Vec::new());
    for read in &connection.reads {
        session.tick(read.at).unwrap();
        if read.side == Side::Client {
            let mut input = &read.bytes[..];
            while let Some(event) = session.next(read.at, &mut input).unwrap() {
                match event {
                    proxy::Event::Registered { mask: wanted, .. } => mask = wanted,
                    proxy::Event::Message { class, timestamp_us, body, .. } => {
                        assert_eq!(timestamp_us, 0, "clients leave the stamp to the proxy");
                        if class.intersects(mask) {
                            own.push_back((class, body.to_vec()));
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
            flush(&mut session, &mut said);
            continue;
        }
        partial.extend(&read.bytes);
        let (whole, rest) = frames(&partial);
        for bytes in whole {
            expected.extend(without_text(bytes));
            let frame = Frame { at: 0, kind: bytes[0], body: &bytes[3..] };
            let ToClient::RxPayload(payload) = ToClient::decode(frame).unwrap() else { continue };
            let (header, body) = Header::decode(payload.message).unwrap();
            let class = header.class32().unwrap();
            if own.front().is_some_and(|front| *front == (class, body.to_vec())) {
                own.pop_front();
                sent.own += 1;
            } else {
                sent.others += 1;
            }
            let now = Timestamp::from_nanos(payload.time_us * 1000);
            session.send(now, class, header.timestamp_us, body).unwrap();
            flush(&mut session, &mut said);
        }
        partial = rest.to_vec();
        assert_eq!(said, expected);
    }
    assert!(own.is_empty(), "the real proxy lost none of these");
    assert!(connection.closed && session.finish().is_ok());
    sent
}

fn flush(session: &mut proxy::Session, said: &mut Vec<u8>) {
    said.extend(session.output());
    session.written(usize::MAX);
    session.peer_read_all();
}

#[test]
fn our_proxy_says_what_the_recorded_one_said() {
    let single = connections(SINGLE);
    assert_eq!(play(&single["conn1"]), Sent { own: 2937, others: 0 });
    let multi = connections(MULTI);
    assert_eq!(multi.len(), 5);
    for (name, connection) in &multi {
        // The third is the monitor, which sends nothing.
        let own = if *name == "conn3" { 0 } else { 65 };
        assert_eq!(play(connection), Sent { own, others: 260 - own }, "{name}");
    }
}

/// A client as the recorded one was at its start, and that one's hello.
fn client_of(connection: &Connection) -> (client::Session, Vec<u8>) {
    let stream = connection.stream(Side::Client);
    let hello = frames(&stream).0[0];
    let frame = Frame { at: 0, kind: hello[0], body: &hello[3..] };
    let ToProxy::StreamType(StreamType { pid, mask, .. }) = ToProxy::decode(frame).unwrap() else {
        panic!("{hello:x?}");
    };
    let now = connection.reads[0].at;
    (client::Session::new(now, pid, Class::from_bits(mask)), hello.to_vec())
}

#[test]
fn our_client_takes_what_the_recorded_proxy_said_in_any_cut() {
    let mut messages = 0;
    for recording in [SINGLE, MULTI] {
        for connection in connections(recording).values() {
            let stream = connection.stream(Side::Proxy);
            let now = connection.reads[0].at;
            let reads = connection.reads.iter().filter(|read| read.side == Side::Proxy);
            let as_recorded: Vec<&[u8]> = reads.map(|read| &read.bytes[..]).collect();
            let (mut session, _) = client_of(connection);
            let expected = drive_client(&mut session, now, as_recorded);
            assert_eq!(expected.1, None);
            // The result, state 1 which says nothing new, states 6 and 5, then messages.
            assert_eq!(expected.0.len(), frames(&stream).0.len());
            let counts = session.counts();
            assert_eq!((counts.dropped, counts.control), (0, 1));
            assert_eq!(counts.received + 4, expected.0.len() as u64);
            assert!(session.is_connected() && session.finish().is_ok());
            messages += counts.received;

            let cuts: [Vec<&[u8]>; 2] = [stream.chunks(1).collect(), vec![&stream]];
            for pieces in cuts {
                let (mut session, _) = client_of(connection);
                assert_eq!(drive_client(&mut session, now, pieces), expected);
                assert_eq!(session.counts(), counts);
            }
        }
    }
    assert_eq!(messages, 2937 + 1300);
}

#[test]
fn our_client_says_what_the_recorded_one_said() {
    let mut sent = 0;
    for recording in [SINGLE, MULTI] {
        for connection in connections(recording).values() {
            let (mut session, hello) = client_of(connection);
            assert_eq!(session.output(), hello);
            session.written(usize::MAX);
            session.peer_read_all();
            let mut partial = Vec::new();
            for read in &connection.reads {
                if read.side == Side::Proxy {
                    drive_client(&mut session, read.at, [&read.bytes[..]]);
                    continue;
                }
                partial.extend(&read.bytes);
                let (whole, rest) = frames(&partial);
                for bytes in whole.iter().filter(|bytes| bytes[0] == 0xad) {
                    let frame = Frame { at: 0, kind: bytes[0], body: &bytes[3..] };
                    let ToProxy::TxPayload(payload) = ToProxy::decode(frame).unwrap() else {
                        panic!("{bytes:x?}");
                    };
                    let (header, body) = Header::decode(payload.message).unwrap();
                    let now = Timestamp::from_nanos(payload.time_us * 1000);
                    session.send(now, header.class32().unwrap(), body).unwrap();
                    // How long a message had waited at the client is its own affair.
                    let ours = session.output();
                    assert_eq!((&ours[..7], &ours[11..]), (&bytes[..7], &bytes[11..]));
                    session.written(usize::MAX);
                    session.peer_read_all();
                    sent += 1;
                }
                partial = rest.to_vec();
            }
        }
    }
    assert_eq!(sent, 5828 + 260);
}
