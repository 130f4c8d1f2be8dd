//! Laws of the libwebsockets sessions, for streams that nobody wrote down.

mod common;

use common::{Said, drive_client, drive_proxy};
use proptest::collection::vec;
use proptest::prelude::*;
use smd_link::lws::{MAX_UNREAD, Outbox, ToClient, ToProxy, client, proxy};
use smd_lockfree::wire::{Frame, encode_frame};
use smd_lockfree::{Class, Timestamp};

const NOW: Timestamp = Timestamp::from_nanos(5_000_000_000);

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0; body.len() + 3];
    encode_frame(&mut out, kind, &[body]).unwrap();
    out
}

/// `ad` or `55`: now and then without a class, with one too many, too short, or too long.
fn payload(kind: u8) -> impl Strategy<Value = Vec<u8>> {
    let class = prop_oneof![8 => 1..=u64::from(u32::MAX), 1 => Just(0), 1 => any::<u64>()];
    let flags = prop_oneof![8 => Just(3_u32), 1 => any::<u32>()];
    let len = prop_oneof![8 => 0..40_usize, 2 => 360..460_usize, 1 => 0..2000_usize];
    (class, flags, len, 0..=16_usize).prop_map(move |(class, flags, len, header)| {
        let mut body = [&flags.to_be_bytes()[..], &[0; 12], &class.to_be_bytes()].concat();
        body.extend([7; 8]);
        // One in 17 or so is cut inside its header.
        if header < 2 {
            body.truncate(16 + header);
        } else {
            body.resize(32 + len, b'x');
        }
        frame(kind, &body)
    })
}

fn hello() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![8 => Just(b"_lws_smd".to_vec()), 1 => vec(any::<u8>(), 0..40)];
    (any::<u32>(), name).prop_map(|(mask, name)| {
        frame(0xaa, &[&[1, 0, 0, 0, 9], &mask.to_be_bytes()[..], &name].concat())
    })
}

fn state() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![8 => 0..20_u32, 1 => any::<u32>()];
    number.prop_map(|number| match u8::try_from(number) {
        Ok(number) => frame(0x57, &[number, 0, 0, 0, 0]),
        Err(_) => frame(0x57, &[&number.to_be_bytes()[..], &[0; 4]].concat()),
    })
}

/// A frame of any type with a body of any bytes.
fn wild() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![Just(0x5a_u8), 0x55..0x5c_u8, 0xaa..0xb4_u8, any::<u8>()];
    (kind, vec(any::<u8>(), 0..20)).prop_map(|(kind, body)| frame(kind, &body))
}

/// A stream that mostly makes sense: it begins well, and ends with anything.
fn to_proxy() -> impl Strategy<Value = Vec<u8>> {
    let control = prop_oneof![
        Just(frame(0xab, b"")),
        Just(frame(0xaf, &[0; 4])),
        any::<u32>().prop_map(|ms| frame(0xb0, &ms.to_be_bytes())),
        Just(frame(0xb1, &[0; 4])),
        (0..700_usize).prop_map(|len| frame(0x5b, &vec![b' '; len])),
    ];
    let some = prop_oneof![12 => payload(0xad), 4 => control, 1 => wild(), 1 => hello()];
    (hello(), vec(some, 0..12), vec(any::<u8>(), 0..8))
        .prop_map(|(hello, frames, rest)| [hello, frames.concat(), rest].concat())
}

fn to_client() -> impl Strategy<Value = Vec<u8>> {
    let harmless = prop_oneof![
        Just(frame(0x58, &[0; 4])),
        Just(frame(0x59, b"\x01nv")),
        (0..700_usize).prop_map(|len| frame(0x5b, &vec![b' '; len])),
    ];
    let begin = prop_oneof![
        8 => Just([frame(0x56, &[0; 5]), frame(0x57, b"\x06\0\0\0\0")].concat()),
        1 => Just(Vec::new()),
    ];
    let some = prop_oneof![12 => payload(0x55), 4 => harmless, 3 => state(), 1 => wild()];
    (begin, vec(some, 0..12), vec(any::<u8>(), 0..8))
        .prop_map(|(begin, frames, rest)| [begin, frames.concat(), rest].concat())
}

/// The stream in pieces of these lengths, again and again.
fn cut<'a>(stream: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let (mut rest, mut pieces) = (stream, Vec::new());
    for &len in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at(len.min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![1..6_usize, 1..600_usize], 1..8)
}

/// What a proxy said, wants to write and counted, and how its stream ended.
fn at_proxy(pieces: Vec<&[u8]>) -> (Said, Vec<u8>, String) {
    let mut session = proxy::Session::new(NOW);
    let said = drive_proxy(&mut session, NOW, pieces);
    let rest = format!("{:?} {:?} {:?}", session.counts(), session.deadline(), session.finish());
    (said, session.output().to_vec(), rest)
}

fn at_client(pieces: Vec<&[u8]>) -> (Said, Vec<u8>, String) {
    let mut session = client::Session::new(NOW, 1, Class::ALL);
    let said = drive_client(&mut session, NOW, pieces);
    let rest = format!("{:?} {:?} {:?}", session.counts(), session.deadline(), session.finish());
    (said, session.output().to_vec(), rest)
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_cut_gives_the_same_events_at_a_proxy(stream in to_proxy(), lengths in lengths()) {
        prop_assert_eq!(at_proxy(cut(&stream, &lengths)), at_proxy(vec![&stream]));
    }

    #[test]
    fn any_cut_gives_the_same_events_at_a_client(stream in to_client(), lengths in lengths()) {
        prop_assert_eq!(at_client(cut(&stream, &lengths)), at_client(vec![&stream]));
    }

    #[test]
    fn any_bytes_end_in_one_fault_or_none(
        stream in prop_oneof![vec(any::<u8>(), 0..3000), to_proxy(), to_client()],
        lengths in lengths(),
    ) {
        let mut session = proxy::Session::with_queue(NOW, 0);
        let (_, fault) = drive_proxy(&mut session, NOW, cut(&stream, &lengths));
        prop_assert!(session.outbox().queued() <= MAX_UNREAD);
        if let Some(fault) = fault {
            let output = session.output().to_vec();
            for mut input in [&stream[..], b"", b"\xaa"] {
                let before = input;
                let again = session.next(NOW, &mut input).unwrap_err();
                prop_assert_eq!(format!("{again:?}"), &fault[..]);
                prop_assert_eq!(input, before);
                prop_assert!(again.at <= stream.len() as u64);
            }
            prop_assert!(session.tick(NOW).is_err() && session.finish().is_err());
            prop_assert!(session.send(NOW, Class::ALL, 0, b"").is_err());
            prop_assert_eq!(session.output(), output);
            prop_assert_eq!(session.deadline(), None);
        }
        let mut session = client::Session::with_queue(NOW, 1, Class::ALL, 0);
        let (_, fault) = drive_client(&mut session, NOW, cut(&stream, &lengths));
        prop_assert_eq!(session.outbox().queued(), 20);
        if let Some(fault) = fault {
            for mut input in [&stream[..], b"", b"\x56"] {
                let before = input;
                let again = session.next(NOW, &mut input).unwrap_err();
                prop_assert_eq!(format!("{again:?}"), &fault[..]);
                prop_assert_eq!(input, before);
                prop_assert!(again.at <= stream.len() as u64);
            }
            prop_assert!(session.tick(NOW).is_err() && session.finish().is_err());
            prop_assert!(session.send(NOW, Class::ALL, b"").is_err());
            prop_assert_eq!(session.outbox().queued(), 20);
            prop_assert_eq!(session.deadline(), None);
        }
    }

    #[test]
    fn any_frame_that_decodes_goes_back_to_its_bytes(
        kind in prop_oneof![0x55..0x5c_u8, 0xaa..0xb2_u8],
        body in vec(any::<u8>(), 0..60),
    ) {
        let frame = Frame { at: 0, kind, body: &body };
        let whole = self::frame(kind, &body);
        let mut out = [0; 64];
        if let Ok(frame) = ToProxy::decode(frame) {
            let len = frame.encode(&mut out).unwrap();
            prop_assert_eq!(&out[..len], &whole[..]);
        }
        if let Ok(frame) = ToClient::decode(frame) {
            let len = frame.encode(&mut out).unwrap();
            prop_assert_eq!(&out[..len], &whole[..]);
        }
    }

    #[test]
    fn a_peer_that_reads_2048_bytes_at_a_time_reads_whole_frames(
        steps in vec((0..460_usize, any::<bool>(), any::<bool>()), 1..200),
    ) {
        let mut outbox = Outbox::new(4096);
        // What lies between the two: written, and not read.
        let mut pipe: Vec<u8> = Vec::new();
        let (mut pushed, mut read) = (Vec::new(), Vec::new());
        for (len, write, peer_reads) in steps {
            let body = vec![len as u8; len];
            if outbox.push(0xad, &[&body]).is_ok() {
                pushed.extend(frame(0xad, &body));
            }
            if write {
                pipe.extend(outbox.output());
                outbox.written(outbox.output().len());
            }
            prop_assert!(pipe.len() <= MAX_UNREAD);
            if peer_reads {
                let (_, rest) = common::frames(&pipe);
                prop_assert_eq!(rest, b"");
                read.append(&mut pipe);
                outbox.peer_read_all();
            }
        }
        while outbox.queued() > 0 || !pipe.is_empty() {
            read.append(&mut pipe);
            outbox.peer_read_all();
            pipe.extend(outbox.output());
            outbox.written(usize::MAX);
        }
        prop_assert_eq!(read, pushed);
    }
}
