use super::*;
use crate::lws::{
    FrameErrorReason, MAX_UNREAD, Metadata, Payload, PushError, STREAM_NAME, StreamType, ToProxy,
};
use core::time::Duration;

const HELLO: &[u8] = b"\xaa\0\x11\x01\0\0\x2e\x4c\0\0\0\x0e_lws_smd";
/// The result and states 1, 6 and 5.
const WELCOME: &[u8] = b"\x56\0\x05\0\0\0\0\0\
    \x57\0\x05\x01\0\0\0\0\x57\0\x05\x06\0\0\0\0\x57\0\x05\x05\0\0\0\0";
const MASK: Class = Class::from_bits(0xe);

fn at(milliseconds: u64) -> Timestamp {
    Timestamp::from_nanos(1_000_000_000 + milliseconds * 1_000_000)
}

fn bytes(frame: ToProxy<'_>) -> Vec<u8> {
    let mut out = [0; 4096];
    let len = frame.encode(&mut out).unwrap();
    out[..len].to_vec()
}

/// A frame with a message of that class and body.
fn ad(class: u64, body: &[u8]) -> Vec<u8> {
    let message = [&class.to_be_bytes()[..], &7u64.to_be_bytes(), body].concat();
    raw_ad(&message)
}

fn raw_ad(message: &[u8]) -> Vec<u8> {
    let (flags, waited_us, time_us) = (3, 5, 9);
    bytes(ToProxy::TxPayload(Payload { flags, waited_us, time_us, rideshare: b"", message }))
}

/// All events of `input` as text, and the fault.
fn drive(session: &mut Session, mut input: &[u8]) -> (Vec<String>, Option<Fault>) {
    let mut events = Vec::new();
    loop {
        match session.next(at(1), &mut input) {
            Ok(Some(event)) => events.push(format!("{event:?}")),
            Ok(None) => {
                assert!(input.is_empty());
                return (events, None);
            }
            Err(fault) => return (events, Some(fault)),
        }
    }
}

fn text(event: Event<'_>) -> String {
    format!("{event:?}")
}

fn fault(at: u64, why: FaultReason) -> Fault {
    Fault { at, why }
}

/// A session that is registered and has written its welcome.
fn registered() -> Session {
    let mut session = Session::new(at(0));
    let (events, fault) = drive(&mut session, HELLO);
    assert_eq!((events.len(), fault), (1, None));
    session.written(WELCOME.len());
    session.peer_read_all();
    session
}

#[test]
fn a_client_registers_and_is_told_three_states_at_once() {
    let mut session = Session::new(at(0));
    assert_eq!((session.output(), session.mask()), (&b""[..], None));
    let mut input = HELLO;
    let event = session.next(at(1), &mut input).unwrap();
    let expected = Event::Registered { mask: MASK, pid: 11852, name: b"_lws_smd" };
    assert_eq!(event, Some(expected));
    assert_eq!(session.output(), WELCOME);
    assert_eq!((session.mask(), session.deadline()), (Some(MASK), None));
}

#[test]
fn silence_ends_after_three_seconds_and_only_by_tick() {
    let mut session = Session::new(at(0));
    assert_eq!(session.deadline(), Some(at(3000)));
    assert_eq!(session.tick(at(2999)), Ok(()));
    assert_eq!(drive(&mut session, &HELLO[..19]), (vec![], None));
    let why = FaultReason::Silent { after: Duration::from_secs(3) };
    assert_eq!(session.tick(at(3000)), Err(fault(19, why)));
    let text = "at byte 19: the peer's first frame did not come within 3s";
    assert_eq!(session.tick(at(3000)).unwrap_err().to_string(), text);
    assert_eq!(drive(&mut session, &HELLO[19..]).1, Some(fault(19, why)));
    assert_eq!((session.deadline(), session.output()), (None, &b""[..]));

    let mut session = Session::new(at(0));
    let mut input = HELLO;
    assert!(session.next(at(9000), &mut input).unwrap().is_some(), "read late, but there");
    assert_eq!(session.tick(at(9000)), Ok(()));
}

#[test]
fn another_stream_is_refused_and_stays_open_for_nothing() {
    let mut session = Session::new(at(0));
    let hello = bytes(ToProxy::StreamType(StreamType { pid: 3, mask: 1, name: b"other" }));
    let (events, ended) = drive(&mut session, &hello);
    assert_eq!(events, [text(Event::Refused { pid: 3, name: b"other" })]);
    assert_eq!((ended, session.mask()), (None, None));
    assert_eq!(session.output(), b"\x56\0\x05\x01\0\0\0\0");
    let refused = Event::Dropped { why: DropReason::Refused, at: 17 };
    assert_eq!(drive(&mut session, &ad(1, b"x")).0, [text(refused)]);
    assert_eq!(drive(&mut session, b"\xab\0\0\xb0\0\x04\0\0\0\x01").0.len(), 2);
    assert_eq!(session.tick(at(9000)), Ok(()), "no time runs out");
    assert_eq!(session.send(at(2), Class::ALL, 0, b""), Err(SendError::NotOpen));
    let long = drive(&mut session, &ad(1, &[0; 2000])).0;
    assert!(long[0].starts_with("Dropped { why: Refused"), "{long:?}");
    assert_eq!(session.output(), b"\x56\0\x05\x01\0\0\0\0");
    assert_eq!(session.counts().dropped, 2);
    let (_, ended) = drive(&mut session, HELLO);
    assert_eq!(ended.unwrap().why, FaultReason::Twice { kind: 0xaa });
}

#[test]
fn a_mask_of_nothing_is_a_client_that_only_sends() {
    let mut session = Session::new(at(0));
    let hello = bytes(ToProxy::StreamType(StreamType { pid: 0, mask: 0, name: STREAM_NAME }));
    let registered = Event::Registered { mask: Class::NONE, pid: 0, name: STREAM_NAME };
    assert_eq!(drive(&mut session, &hello).0, [text(registered)]);
    let (class, mask) = (Class::ALL, Class::NONE);
    let unwanted = SendError::Unwanted { class, mask };
    assert_eq!(session.send(at(1), class, 0, b""), Err(unwanted));
    assert_eq!(session.output(), WELCOME);
}

#[test]
fn messages_are_given_as_they_came() {
    let mut session = registered();
    let body = [9; 384];
    for len in [0, 1, 368, 369, 383, 384] {
        let (events, ended) = drive(&mut session, &ad(4, &body[..len]));
        let message = Event::Message {
            class: Class::NETWORK,
            timestamp_us: 7,
            written_us: 9,
            waited_us: 5,
            body: &body[..len],
        };
        assert_eq!((events, ended), (vec![text(message)], None), "{len} bytes");
    }
    assert_eq!(session.counts().received, 6);
}

#[test]
fn bad_messages_are_dropped_with_a_count_and_the_connection_stays() {
    let mut session = registered();
    let body = [0; 65_000];
    let long = |len| DropReason::Long { len, max: 384 };
    let short = |len| DropReason::Short { len, min: 16 };
    let above = 1 << 63 | 4;
    let cases = [
        (ad(0, b"x"), DropReason::EmptyClass),
        (ad(1 << 32, b"x"), DropReason::ClassAbove { class: 1 << 32 }),
        (ad(above, b"x"), DropReason::ClassAbove { class: above }),
        (ad(4, &body[..385]), long(385)),
        (ad(4, &body[..416]), long(416)),
        (ad(4, &body[..417]), long(417)),
        (ad(4, &body[..2000]), long(2000)),
        (raw_ad(&body[..0]), short(0)),
        (raw_ad(&body[..15]), short(15)),
    ];
    let mut place = HELLO.len() as u64;
    for (frame, why) in &cases {
        let dropped = Event::Dropped { why: *why, at: place };
        assert_eq!(drive(&mut session, frame), (vec![text(dropped)], None));
        place += frame.len() as u64;
    }
    assert_eq!(drive(&mut session, &ad(4, b"x")).0.len(), 1, "and it goes on");
    let counts = session.counts();
    assert_eq!((counts.dropped, counts.received), (cases.len() as u64, 1));
    assert_eq!(session.output(), b"");
}

#[test]
fn what_the_libwebsockets_proxy_closes_for_is_a_fault_at_its_byte() {
    let frame = |kind, why| FaultReason::Frame { kind, why };
    let length = |len, min, max| FrameErrorReason::Length { len, min, max };
    // Before the hello.
    let early = [
        (ad(4, b"x"), fault(0, FaultReason::TooEarly { kind: 0xad })),
        (ad(4, &[0; 999]), fault(0, FaultReason::TooEarly { kind: 0xad })),
        (vec![0xab, 0, 0], fault(0, FaultReason::TooEarly { kind: 0xab })),
        (vec![0xf0], fault(0, frame(0xf0, FrameErrorReason::Type))),
        (vec![0xaa, 0, 1, 2], fault(3, frame(0xaa, FrameErrorReason::Version { version: 2 }))),
        (vec![0xaa, 0xff, 0xff], fault(1, frame(0xaa, length(65535, 10, 40)))),
        (b"\xaa\0\x0b\x01\0\0\0\0\0\0\0\0a\0".to_vec(), {
            fault(13, frame(0xaa, FrameErrorReason::NameNul))
        }),
    ];
    for (input, expected) in early {
        let mut session = Session::new(at(0));
        assert_eq!(drive(&mut session, &input), (vec![], Some(expected)), "{input:x?}");
        assert_eq!(session.output(), b"", "closed without an answer");
    }
    // After it.
    let metadata = bytes(ToProxy::Metadata(Metadata { name: b"n", value: b"v" }));
    let late = [
        (HELLO.to_vec(), fault(20, FaultReason::Twice { kind: 0xaa })),
        (metadata, fault(20, FaultReason::NotHere { kind: 0xae })),
        (vec![0xae, 0xff, 0xff], fault(20, FaultReason::NotHere { kind: 0xae })),
        (vec![0xac, 0, 0], fault(20, FaultReason::Goodbye)),
        (vec![0xb2], fault(20, frame(0xb2, FrameErrorReason::Type))),
        (vec![0x55], fault(20, frame(0x55, FrameErrorReason::Type))),
        (vec![0xad, 0, 1, 0], fault(21, frame(0xad, length(1, 16, 65535)))),
        (vec![0xb0, 0, 2, 0, 0], fault(21, frame(0xb0, length(2, 4, 4)))),
    ];
    for (input, expected) in late {
        let mut session = registered();
        assert_eq!(drive(&mut session, &input), (vec![], Some(expected)), "{input:x?}");
        let mut more = HELLO;
        assert_eq!(session.next(at(1), &mut more), Err(expected), "a fault is final");
        assert_eq!(more, HELLO);
        assert_eq!(session.tick(at(9)), Err(expected));
        assert_eq!(session.finish(), Err(expected));
        assert_eq!(session.send(at(9), Class::NETWORK, 0, b""), Err(SendError::Ended));
        assert_eq!((session.output(), session.deadline()), (&b""[..], None));
    }
}

#[test]
fn frames_without_a_message_have_no_effect() {
    let mut session = registered();
    let input = b"\xab\0\0\xaf\0\x04\0\0\0\x01\xb1\0\x04\0\0\0\x09\x5b\0\x02{}";
    let expected = [(0xab, 20), (0xaf, 23), (0xb1, 30), (0x5b, 37)];
    let expected = expected.map(|(kind, at)| text(Event::Control { kind, at }));
    assert_eq!(drive(&mut session, input), (expected.to_vec(), None));
    let mut perf = vec![0x5b, 0xff, 0xff];
    perf.resize(3 + 65_535, b' ');
    assert_eq!(drive(&mut session, &perf).0, [text(Event::Control { kind: 0x5b, at: 42 })]);
    assert_eq!((session.output(), session.mask()), (&b""[..], Some(MASK)));
    assert_eq!(session.counts().control, 5);

    let mut session = Session::new(at(0));
    let (events, ended) = drive(&mut session, b"\xb0\0\x04\0\0\0\x01\xaf\0\x04\0\0\0\x01");
    assert_eq!((events.len(), ended), (2, None));
    assert_eq!(session.deadline(), Some(at(3000)), "no stream yet that could run out");
}

#[test]
fn frames_right_behind_the_hello_are_taken_in_order() {
    let mut session = Session::new(at(0));
    let input = [HELLO, b"\xab\0\0", &ad(4, b"x")].concat();
    let (events, ended) = drive(&mut session, &input);
    assert_eq!((events.len(), ended), (3, None));
    assert!(events[0].starts_with("Registered") && events[2].starts_with("Message"), "{events:?}");
    assert_eq!(session.output(), WELCOME);
}

#[test]
fn the_time_out_tells_state_14_once_and_goes_on() {
    let mut session = registered();
    let control = |session: &mut Session, milliseconds: u32, now| {
        let frame = [&b"\xb0\0\x04"[..], &milliseconds.to_be_bytes()].concat();
        let mut input = &frame[..];
        session.next(now, &mut input).unwrap().unwrap();
    };
    control(&mut session, 0, at(0));
    assert_eq!(session.deadline(), None, "the policy has none");
    control(&mut session, 500, at(0));
    assert_eq!(session.deadline(), Some(at(500)));
    control(&mut session, 0, at(100));
    assert_eq!(session.deadline(), Some(at(500)), "and does not stop one");
    control(&mut session, u32::MAX, at(100));
    assert_eq!(session.deadline(), None);
    control(&mut session, 500, at(100));
    control(&mut session, 500, at(200));
    session.tick(at(699)).unwrap();
    assert_eq!(session.output(), b"");
    session.tick(at(700)).unwrap();
    assert_eq!(session.output(), b"\x57\0\x05\x0e\0\0\0\0");
    session.tick(at(9000)).unwrap();
    assert_eq!((session.output().len(), session.deadline()), (8, None));
    session.send(at(9000), Class::NETWORK, 1, b"x").unwrap();
    assert_eq!(session.output()[8], 0x55);
    control(&mut session, u32::MAX - 1, at(9000));
    assert_eq!(session.deadline(), Some(at(9000 + u64::from(u32::MAX - 1))));
}

#[test]
fn a_time_out_that_finds_the_queue_full_is_told_when_there_is_room() {
    let mut session = Session::with_queue(at(0), 0);
    drive(&mut session, HELLO);
    drive(&mut session, b"\xb0\0\x04\0\0\0\x01");
    let mut sent = 0;
    while session.send(at(1), Class::NETWORK, 1, &[0; 10]).is_ok() {
        sent += 1;
    }
    // 32 bytes of welcome and 45 of each message leave 36; one of 36 leaves none.
    session.send(at(1), Class::NETWORK, 1, b"x").unwrap();
    assert_eq!(session.outbox().room(), 0);
    session.tick(at(5000)).unwrap();
    let len = session.output().len();
    session.written(len);
    session.peer_read_all();
    let last = session.output().to_vec();
    assert!(sent > 40 && last.ends_with(b"\x57\0\x05\x0e\0\0\0\0"), "{sent}, {last:x?}");
}

#[test]
fn a_message_to_the_client_has_both_stamps_and_both_limits() {
    let mut session = registered();
    let body = [1; 369];
    session.send(at(2), Class::NETWORK | Class::USER0, 5, &body[..368]).unwrap();
    let output = session.output().to_vec();
    assert_eq!(output[..11], [0x55, 1, 0x90, 0, 0, 0, 3, 0, 0, 0, 0]);
    assert_eq!(output[11..19], 1_002_000u64.to_be_bytes());
    assert_eq!(output[19..27], 0x0100_0004u64.to_be_bytes());
    assert_eq!(output[27..35], 5u64.to_be_bytes());
    assert_eq!(output[35..], body[..368]);
    let error = session.send(at(2), Class::NETWORK, 5, &body).unwrap_err();
    assert_eq!(error, SendError::TooLong { len: 369, max: 368 });
    let text = "a body of 369 bytes is over the limit of 368 of libwebsockets";
    assert_eq!(error.to_string(), text);
    assert_eq!(session.send(at(2), Class::NONE, 5, b""), Err(SendError::EmptyClass));
    let (class, mask) = (Class::INTERACTION, MASK);
    let unwanted = SendError::Unwanted { class, mask };
    assert_eq!(session.send(at(2), class, 5, b""), Err(unwanted));
    let counts = session.counts();
    assert_eq!((counts.sent, counts.too_long, counts.refused), (1, 1, 2));
    assert_eq!(session.output(), output);
}

#[test]
fn a_client_that_does_not_read_fills_the_queue_and_no_more() {
    let mut session = registered();
    let error = loop {
        if let Err(error) = session.send(at(2), Class::NETWORK, 5, &[0; 100]) {
            break error;
        }
    };
    let SendError::Queue(PushError::Full { need: 135, limit: DEFAULT_QUEUE, .. }) = error else {
        panic!("{error}");
    };
    assert_eq!(session.counts().sent, DEFAULT_QUEUE as u64 / 135);
    assert!(session.output().len() <= MAX_UNREAD && session.output().len().is_multiple_of(135));
}

#[test]
fn the_end_of_the_stream_is_clean_between_frames_only() {
    let mut session = registered();
    assert_eq!(session.finish(), Ok(()));
    drive(&mut session, &[0xad, 0, 40]);
    let cut = fault(23, FaultReason::Cut { need: 40 });
    assert_eq!(session.finish(), Err(cut));
    let text = "at byte 23: the stream ends inside a frame of which 40 bytes are missing";
    assert_eq!(cut.to_string(), text);
}
