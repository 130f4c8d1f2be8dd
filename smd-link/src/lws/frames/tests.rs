use super::*;
use crate::lws::State;
use smd_lockfree::wire::{Decoder, WireError};

/// Decodes the one frame that `bytes` are, at byte 100 of its stream.
fn to_proxy(bytes: &[u8]) -> Result<ToProxy<'_>, FrameError> {
    ToProxy::decode(frame(bytes))
}

fn to_client(bytes: &[u8]) -> Result<ToClient<'_>, FrameError> {
    ToClient::decode(frame(bytes))
}

fn frame(bytes: &[u8]) -> Frame<'_> {
    let mut decoder = Decoder::<70_000>::new();
    let mut input = bytes;
    let len = decoder.next(&mut input).unwrap().expect("a whole frame").body.len();
    assert_eq!(len + 3, bytes.len());
    Frame { at: 100, kind: bytes[0], body: &bytes[3..] }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn each_frame_to_a_proxy_has_the_bytes_of_section_2() {
    let message = hex("0000000000000004 0000000000000000 7b7d");
    let payload = Payload {
        flags: flags::WHOLE,
        waited_us: 4,
        time_us: 622_005_907,
        rideshare: b"",
        message: &message,
    };
    let riding = Payload { flags: 35, rideshare: b"ab", message: b"", ..payload };
    let metadata = Metadata { name: b"nm", value: b"value" };
    let hello = StreamType { pid: 11852, mask: 14, name: b"_lws_smd" };
    let ad = "ad 0022 00000003 00000004 0000000025130e93 0000000000000004 0000000000000000 7b7d";
    let known = [
        (ToProxy::StreamType(hello), "aa 0011 01 00002e4c 0000000e 5f6c77735f736d64"),
        (ToProxy::OnwardConnect, "ab 0000"),
        (ToProxy::Destroying, "ac 0000"),
        (ToProxy::TxPayload(payload), ad),
        (ToProxy::TxPayload(riding), "ad 0013 00000023 00000004 0000000025130e93 02 6162"),
        (ToProxy::Metadata(metadata), "ae 0008 02 6e6d 76616c7565"),
        (ToProxy::TxCredit(0x01020304), "af 0004 01020304"),
        (ToProxy::Timeout(TimeoutUpdate::Policy), "b0 0004 00000000"),
        (ToProxy::Timeout(TimeoutUpdate::Start(500)), "b0 0004 000001f4"),
        (ToProxy::Timeout(TimeoutUpdate::Cancel), "b0 0004 ffffffff"),
        (ToProxy::LengthHint(9), "b1 0004 00000009"),
        (ToProxy::Perf(b"{}"), "5b 0002 7b7d"),
    ];
    for (frame, text) in known {
        let (bytes, mut out) = (hex(text), [0xee; 80]);
        assert_eq!(to_proxy(&bytes), Ok(frame), "{text}");
        assert_eq!(frame.encode(&mut out), Ok(bytes.len()), "{text}");
        assert_eq!(out[..bytes.len()], bytes, "{text}");
        assert!(out[bytes.len()..].iter().all(|&byte| byte == 0xee));
    }
}

#[test]
fn each_frame_to_a_client_has_the_bytes_of_section_2() {
    let message = hex("0000000000000004 0000000025130f4a 7b7d");
    let (flags, waited_us, rideshare) = (flags::WHOLE, 0, &b""[..]);
    let payload = Payload { flags, waited_us, time_us: 622_006_093, rideshare, message: &message };
    let result = |result, rideshares| CreateResult { result, client_buffer: 0, rideshares };
    let wide = ConnState { state: State::CONNECTED, ordinal: 7, width: 3 };
    let rx = "55 0022 00000003 00000000 0000000025130f4d 0000000000000004 0000000025130f4a 7b7d";
    let known = [
        (ToClient::RxPayload(payload), rx),
        (ToClient::CreateResult(result(0, b",(null)")), "56 000c 00 00000000 2c286e756c6c29"),
        (ToClient::CreateResult(result(1, b"")), "56 0005 01 00000000"),
        (ToClient::ConnState(ConnState::new(State::CREATING)), "57 0005 01 00000000"),
        (ToClient::ConnState(ConnState::new(State::new(255))), "57 0005 ff 00000000"),
        (ToClient::ConnState(ConnState::new(State::new(1000))), "57 0008 000003e8 00000000"),
        (ToClient::ConnState(wide), "57 0007 000005 00000007"),
        (ToClient::TxCredit(5), "58 0004 00000005"),
        (ToClient::Metadata(Metadata { name: b"", value: b"v" }), "59 0002 00 76"),
        (ToClient::Perf(b""), "5b 0000"),
    ];
    for (frame, text) in known {
        let (bytes, mut out) = (hex(text), [0xee; 80]);
        assert_eq!(to_client(&bytes), Ok(frame), "{text}");
        assert_eq!(frame.encode(&mut out), Ok(bytes.len()), "{text}");
        assert_eq!(out[..bytes.len()], bytes, "{text}");
    }
}

#[test]
fn what_is_no_frame_is_refused_at_its_byte() {
    let length = |len, min, max| FrameErrorReason::Length { len, min, max };
    let name = "61".repeat(32);
    let long = format!("aa 0029 01 00000001 00000001 {name}");
    let cases: [(&str, u64, FrameErrorReason); 17] = [
        ("a9 0000", 0, FrameErrorReason::Type),
        ("b2 0000", 0, FrameErrorReason::Type),
        ("b3 0000", 0, FrameErrorReason::Type),
        ("f0 0000", 0, FrameErrorReason::Type),
        ("55 0000", 0, FrameErrorReason::Type),
        ("aa 0000", 1, length(0, 10, 40)),
        ("aa 0009 01 00000001 00000001", 1, length(9, 10, 40)),
        (&long, 1, length(41, 10, 40)),
        ("aa 000a 02 00000001 00000001 61", 3, FrameErrorReason::Version { version: 2 }),
        ("aa 0001 00", 3, FrameErrorReason::Version { version: 0 }),
        ("aa 000c 01 00000001 00000001 610062", 13, FrameErrorReason::NameNul),
        ("ab 0001 00", 1, length(1, 0, 0)),
        ("ad 000f 00000003 00000000 00000000000000", 1, length(15, 16, 65535)),
        (
            "ad 0010 00000023 00000000 0000000000000000",
            19,
            FrameErrorReason::Inner { need: 1, left: 0 },
        ),
        (
            "ad 0011 00000020 00000000 0000000000000000 00",
            20,
            FrameErrorReason::NameLength { len: 0, max: 31 },
        ),
        ("ae 0003 03 6162", 4, FrameErrorReason::Inner { need: 3, left: 2 }),
        ("b0 0003 000000", 1, length(3, 4, 4)),
    ];
    for (text, at, why) in cases {
        let error = FrameError { at: 100 + at, kind: hex(text)[0], why };
        assert_eq!(to_proxy(&hex(text)), Err(error), "{text}");
    }
    let cases = [
        ("aa 0000", 0, FrameErrorReason::Type),
        ("5a 0000", 0, FrameErrorReason::Type),
        ("56 0004 00 000000", 1, length(4, 5, 65535)),
        ("57 0004 05 000000", 1, length(4, 5, 8)),
        ("57 0009 0000000005 00000000", 1, length(9, 5, 8)),
        ("58 0005 0000000000", 1, length(5, 4, 4)),
    ];
    for (text, at, why) in cases {
        let error = FrameError { at: 100 + at, kind: hex(text)[0], why };
        assert_eq!(to_client(&hex(text)), Err(error), "{text}");
    }
}

#[test]
fn every_type_and_length_is_refused_or_goes_back_to_its_bytes() {
    let (mut out, mut sound, mut refused) = ([0; 64], 0, 0);
    for kind in 0..=u8::MAX {
        for len in 0..48u8 {
            for fill in [0, 1, 0x20, 0xff] {
                let mut bytes = vec![kind, 0, len];
                bytes.resize(3 + usize::from(len), fill);
                let encoded = (
                    to_proxy(&bytes).map(|frame| frame.encode(&mut out)),
                    to_client(&bytes).map(|frame| frame.encode(&mut out)),
                );
                for result in [encoded.0, encoded.1] {
                    match result {
                        Ok(encoded) => {
                            assert_eq!(encoded, Ok(bytes.len()), "{bytes:x?}");
                            assert_eq!(out[..bytes.len()], bytes);
                            sound += 1;
                        }
                        Err(error) => {
                            let end = 100 + bytes.len() as u64;
                            assert!((100..=end).contains(&error.at), "{bytes:x?}: {error}");
                            assert_eq!(error.kind, kind);
                            refused += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(sound > 500 && refused > 90_000, "{sound} sound, {refused} refused");
}

#[test]
fn what_no_frame_can_hold_is_not_written() {
    let mut out = [0xee; 128];
    let long = [b'a'; 256];
    let (kind, waited_us, time_us) = (0xad, 0, 0);
    let payload = |flags, rideshare| {
        ToProxy::TxPayload(Payload { flags, waited_us, time_us, rideshare, message: b"" })
    };
    let hello = |name| ToProxy::StreamType(StreamType { pid: 0, mask: 0, name });
    let name = |len| FrameErrorReason::NameLength { len, max: 31 };
    let cases = [
        (hello(b""), FrameError { at: 12, kind: 0xaa, why: name(0) }),
        (hello(&long[..32]), FrameError { at: 12, kind: 0xaa, why: name(32) }),
        (hello(b"a\0"), FrameError { at: 13, kind: 0xaa, why: FrameErrorReason::NameNul }),
        (payload(3, b"a"), FrameError { at: 19, kind, why: FrameErrorReason::Rideshare }),
        (payload(32, b""), FrameError { at: 20, kind, why: name(0) }),
        (
            ToProxy::Metadata(Metadata { name: &long, value: b"" }),
            FrameError {
                at: 3,
                kind: 0xae,
                why: FrameErrorReason::NameLength { len: 256, max: 255 },
            },
        ),
    ];
    for (frame, error) in cases {
        assert_eq!(frame.encode(&mut out), Err(error));
    }
    for (state, width) in [(5, 0), (5, 5), (256, 1), (1 << 24, 3)] {
        let told = ConnState { state: State::new(state), ordinal: 0, width };
        let why = FrameErrorReason::StateWidth { state, width };
        let error = FrameError { at: 3, kind: 0x57, why };
        assert_eq!(ToClient::ConnState(told).encode(&mut out), Err(error));
    }
    let why = FrameErrorReason::Wire(WireError::NoRoom { at: 6, need: 7 });
    let credit = ToProxy::TxCredit(1).encode(&mut out[..6]);
    assert_eq!(credit, Err(FrameError { at: 6, kind: 0xaf, why }));
    assert_eq!(out, [0xee; 128]);
}

#[test]
fn errors_say_where_and_why() {
    let text = |bytes: &str| to_proxy(&hex(bytes)).unwrap_err().to_string();
    let name = text("aa 000c 01 00000001 00000001 610062");
    assert_eq!(name, "at byte 113, in a frame of type 0xaa: a name with a byte of 0");
    let length = text("b0 0003 000000");
    let expected = "at byte 101, in a frame of type 0xb0: a body of 3 bytes, where 4 to 4 may be";
    assert_eq!(length, expected);
}

#[test]
fn a_frame_at_the_end_of_all_streams_is_refused_as_any_other() {
    let frame = Frame { at: u64::MAX, kind: 0xaa, body: b"\x01\0\0\0\0\0\0\0\0a\0" };
    assert_eq!(ToProxy::decode(frame).unwrap_err().at, u64::MAX);
}
