use super::*;
use crate::lws::{
    ConnState, CreateResult, FrameErrorReason, MAX_UNREAD, Metadata, Payload, PushError, ToClient,
};

fn at(milliseconds: u64) -> Timestamp {
    Timestamp::from_nanos(1_000_000_000 + milliseconds * 1_000_000)
}

fn bytes(frame: ToClient<'_>) -> Vec<u8> {
    let mut out = [0; 4096];
    let len = frame.encode(&mut out).unwrap();
    out[..len].to_vec()
}

fn result(result: u8, rideshares: &[u8]) -> Vec<u8> {
    bytes(ToClient::CreateResult(CreateResult { result, client_buffer: 0, rideshares }))
}

fn state(number: u32) -> Vec<u8> {
    bytes(ToClient::ConnState(ConnState::new(State::new(number))))
}

fn rx(class: u64, body: &[u8]) -> Vec<u8> {
    let message = [&class.to_be_bytes()[..], &7u64.to_be_bytes(), body].concat();
    let (flags, waited_us, time_us) = (0, 0, 9);
    let message = &message[..];
    bytes(ToClient::RxPayload(Payload { flags, waited_us, time_us, rideshare: b"", message }))
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

fn told(number: u32) -> String {
    text(Event::State { state: State::new(number), ordinal: 0 })
}

/// A session that has written its hello and heard these states after the result; what else it
/// wrote is in its output.
fn linked(states: &[u32]) -> Session {
    let mut session = Session::new(at(0), 1, Class::NETWORK);
    session.written(20);
    session.peer_read_all();
    let states: Vec<u8> = states.iter().flat_map(|&number| state(number)).collect();
    let (_, fault) = drive(&mut session, &[result(0, b",(null)"), states].concat());
    assert_eq!(fault, None);
    session
}

#[test]
fn nothing_follows_the_hello_before_the_result() {
    let mut session = Session::new(at(0), 11852, Class::from_bits(0xe));
    let hello = b"\xaa\0\x11\x01\0\0\x2e\x4c\0\0\0\x0e_lws_smd";
    assert_eq!(session.output(), hello);
    assert_eq!(session.send(at(0), Class::NETWORK, b""), Err(SendError::NotOpen));
    assert_eq!(session.connect(), Err(SendError::NotOpen));
    assert_eq!(session.output(), hello);
    session.written(20);
    assert_eq!(drive(&mut session, &result(0, b"")).1, None);
    assert_eq!(session.send(at(0), Class::NETWORK, b""), Err(SendError::NotOpen), "not connected");
    assert_eq!(session.output(), b"");
}

#[test]
fn a_recorded_beginning_leads_to_connected() {
    let mut session = Session::new(at(0), 1, Class::NONE);
    let input = [result(0, b",(null)"), state(1), state(6), state(5)].concat();
    let created = Event::Created { client_buffer: 0, rideshares: b",(null)" };
    let skipped = Event::Skipped { kind: 0x57, at: 15 };
    let events = vec![text(created), text(skipped), told(6), told(5)];
    assert_eq!(drive(&mut session, &input), (events, None));
    assert!(session.is_connected());
    assert_eq!(session.deadline(), None);
    assert_eq!(session.tick(at(9000)), Ok(()));
}

#[test]
fn without_a_result_it_ends_after_three_seconds() {
    let mut session = Session::new(at(0), 1, Class::NETWORK);
    assert_eq!(session.deadline(), Some(at(3000)));
    drive(&mut session, b"\x56\0");
    session.tick(at(2999)).unwrap();
    let why = FaultReason::Silent { after: Duration::from_secs(3) };
    let fault = Fault { at: 2, why };
    assert_eq!(session.tick(at(3000)), Err(fault));
    assert_eq!(session.finish(), Err(fault));
    assert_eq!(session.deadline(), None);
    assert_eq!(reconnect_at(at(3000)), at(4000));
}

#[test]
fn a_refused_stream_ends_and_is_sent_nothing() {
    let mut session = Session::new(at(0), 1, Class::NETWORK);
    session.written(20);
    let input = [result(1, b""), state(6), state(5)].concat();
    let fault = Fault { at: 0, why: FaultReason::Refused { result: 1 } };
    assert_eq!(drive(&mut session, &input), (vec![], Some(fault)));
    assert_eq!(session.send(at(1), Class::NETWORK, b"x"), Err(SendError::Ended));
    assert_eq!(session.connect(), Err(SendError::Ended));
    assert!(!session.is_connected() && session.output().is_empty());
    assert_eq!(fault.to_string(), "at byte 0: the proxy refused the stream with 1");
}

#[test]
fn messages_come_from_the_result_on_and_go_when_connected() {
    let mut session = linked(&[]);
    let class = Class::NETWORK;
    let message = Event::Message { class, timestamp_us: 7, written_us: 9, body: b"hello" };
    assert_eq!(drive(&mut session, &rx(4, b"hello")).0, [text(message)]);
    drive(&mut session, &[state(6), state(5)].concat());
    session.send(at(2), class, &[1; 368]).unwrap();
    let output = session.output().to_vec();
    assert_eq!(output[..11], [0xad, 1, 0x90, 0, 0, 0, 3, 0, 0, 0, 0]);
    assert_eq!(output[11..19], 1_002_000u64.to_be_bytes());
    assert_eq!(output[19..27], 4u64.to_be_bytes());
    assert_eq!(output[27..35], [0; 8], "the proxy stamps");
    let long = SendError::TooLong { len: 369, max: 368 };
    assert_eq!(session.send(at(2), class, &[1; 369]), Err(long));
    assert_eq!(session.send(at(2), Class::NONE, b""), Err(SendError::EmptyClass));
    let counts = session.counts();
    assert_eq!((counts.sent, counts.too_long, counts.refused), (1, 1, 1));
}

#[test]
fn the_queue_is_bounded_and_written_in_batches() {
    let mut session = linked(&[6, 5]);
    let error = loop {
        if let Err(error) = session.send(at(2), Class::NETWORK, &[0; 100]) {
            break error;
        }
    };
    let SendError::Queue(PushError::Full { need: 135, limit: DEFAULT_QUEUE, .. }) = error else {
        panic!("{error}");
    };
    let batch = MAX_UNREAD / 135 * 135;
    assert_eq!(session.output().len(), batch);
    session.written(batch);
    assert!(session.output().is_empty() && session.outbox().awaits_peer());
    session.peer_read_all();
    assert_eq!(session.output().len(), batch);
}

#[test]
fn a_lost_link_stops_messages_until_the_proxy_has_it_again() {
    for lost in [2, 3] {
        let mut session = linked(if lost == 3 { &[6] } else { &[6, 5] });
        assert_eq!(drive(&mut session, &state(lost)).0, [told(lost)]);
        assert_eq!(session.send(at(1), Class::NETWORK, b""), Err(SendError::NotOpen));
        session.connect().unwrap();
        session.connect().unwrap();
        assert_eq!(session.output(), b"\xab\0\0", "asked once");
        assert_eq!(drive(&mut session, &[state(6), state(5)].concat()).0, [told(6), told(5)]);
        assert!(session.is_connected());
        session.connect().unwrap();
        assert_eq!(session.output(), b"\xab\0\0");
    }
}

#[test]
fn states_that_are_unknown_repeated_or_the_users_change_nothing() {
    let mut session = linked(&[6, 5]);
    for number in [0, 1, 5, 17, 18, 99, 999] {
        let (events, fault) = drive(&mut session, &state(number));
        assert!(events[0].starts_with("Skipped { kind: 87"), "{number}: {events:?}");
        assert_eq!(fault, None);
    }
    for number in [1000, u32::MAX] {
        assert_eq!(drive(&mut session, &state(number)).0, [told(number)]);
    }
    assert!(session.is_connected());
    assert_eq!(drive(&mut session, &state(14)).0, [told(14)]);
    assert!(session.is_connected(), "a time-out changes nothing");
    assert_eq!(session.counts().control, 7);
}

#[test]
fn a_state_that_may_not_follow_ends_the_session() {
    // (the states before, the one that may not follow)
    let cases: [(&[u32], u32); 4] = [(&[], 5), (&[], 2), (&[6, 5], 3), (&[6, 5, 7], 6)];
    for (before, number) in cases {
        let mut session = linked(before);
        let from = State::new(*before.last().unwrap_or(&1));
        let why = FaultReason::Transition { from, to: State::new(number) };
        let (events, fault) = drive(&mut session, &state(number));
        assert_eq!((events.len(), fault.unwrap().why), (0, why));
        assert!(!session.is_connected());
    }
}

#[test]
fn harmless_frames_are_skipped_at_any_time() {
    let long = vec![b' '; 3000];
    let metadata = Metadata { name: b"n", value: &long };
    let frames = [
        bytes(ToClient::TxCredit(9)),
        bytes(ToClient::Metadata(Metadata { name: b"n", value: b"v" })),
        bytes(ToClient::Metadata(metadata)),
        bytes(ToClient::Perf(b"{}")),
        bytes(ToClient::Perf(&long)),
    ];
    for mut session in [Session::new(at(0), 1, Class::NETWORK), linked(&[6, 5])] {
        let before = session.counts().control;
        let (events, fault) = drive(&mut session, &frames.concat());
        assert!(events.iter().all(|event| event.starts_with("Skipped")), "{events:?}");
        assert_eq!((events.len(), fault), (5, None));
        assert_eq!(session.counts().control, before + 5);
    }
}

#[test]
fn bad_messages_are_dropped_with_a_count() {
    let mut session = linked(&[6, 5]);
    let begin = session.input.position();
    let frames = [rx(0, b""), rx(1 << 40, b""), rx(4, &[0; 385]), rx(4, &[0; 1300])];
    let short = b"\x55\0\x10\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0";
    let (events, fault) = drive(&mut session, &[&frames.concat(), &short[..]].concat());
    let dropped = [
        (DropReason::EmptyClass, 0),
        (DropReason::ClassAbove { class: 1 << 40 }, 35),
        (DropReason::Long { len: 385, max: 384 }, 70),
        (DropReason::Long { len: 1300, max: 384 }, 490),
        (DropReason::Short { len: 0, min: 16 }, 1825),
    ];
    let dropped = dropped.map(|(why, at)| text(Event::Dropped { why, at: begin + at }));
    assert_eq!((events, fault), (dropped.to_vec(), None));
    assert_eq!(session.counts().dropped, 5);
}

#[test]
fn what_a_libwebsockets_client_closes_for_is_a_fault() {
    let frame = |kind, why| FaultReason::Frame { kind, why };
    let early = [
        (rx(4, b""), FaultReason::TooEarly { kind: 0x55 }),
        (rx(4, &[0; 999]), FaultReason::TooEarly { kind: 0x55 }),
        (state(6), FaultReason::TooEarly { kind: 0x57 }),
        (vec![0x5a], frame(0x5a, FrameErrorReason::Type)),
        (vec![0xaa], frame(0xaa, FrameErrorReason::Type)),
    ];
    for (input, why) in early {
        let mut session = Session::new(at(0), 1, Class::NETWORK);
        let (events, fault) = drive(&mut session, &input);
        assert_eq!((events.len(), fault), (0, Some(Fault { at: 0, why })));
        let mut more = &result(0, b"")[..];
        assert!(session.next(at(1), &mut more).is_err() && more.len() == 8, "a fault is final");
    }
    let length = |len, min, max| FrameErrorReason::Length { len, min, max };
    let late = [
        (result(0, b""), 0, FaultReason::Twice { kind: 0x56 }),
        (vec![0x57, 0, 4, 0, 0, 0, 0], 1, frame(0x57, length(4, 5, 8))),
        (vec![0x57, 0xff, 0], 1, frame(0x57, length(0xff00, 5, 8))),
        (vec![0x00], 0, frame(0, FrameErrorReason::Type)),
    ];
    for (input, place, why) in late {
        let mut session = linked(&[6, 5]);
        let begin = session.input.position();
        let (_, fault) = drive(&mut session, &input);
        assert_eq!(fault, Some(Fault { at: begin + place, why }));
    }
    let mut session = Session::new(at(0), 1, Class::NETWORK);
    let fault = drive(&mut session, &result(0, &[b','; 2000])).1.unwrap();
    assert_eq!(fault.why, frame(0x56, length(2005, 5, 448)));
}

#[test]
fn the_end_of_the_stream_is_clean_between_frames_only() {
    let mut session = linked(&[6, 5]);
    assert_eq!(session.finish(), Ok(()));
    drive(&mut session, &[0x55]);
    assert_eq!(session.finish().unwrap_err().why, FaultReason::Cut { need: 2 });
}
