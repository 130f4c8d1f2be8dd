use super::*;
use crate::class::Class;
use crate::clock::Timestamp;

/// Values whose eight bytes all differ, and the borders.
const VALUES: [u64; 6] = [0, 1, u32::MAX as u64, 1 << 32, 0x0102_0304_0506_0708, u64::MAX];

fn body(len: usize) -> Vec<u8> {
    (0..len).map(|position| position as u8 ^ (position >> 8) as u8).collect()
}

#[test]
fn known_bytes() {
    // Of a session recorded with libwebsockets: class NETWORK at 622006090 µs.
    let bytes = [0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0x25, 0x13, 0x0f, 0x4a];
    let header = Header { class: 4, timestamp_us: 622_006_090 };
    let mut out = [0xee; HEADER_LEN];
    header.encode(&mut out);
    assert_eq!(out, bytes);
    assert_eq!(Header::decode(&bytes), Ok((header, &[][..])));
    assert_eq!(header, Header::new(Class::NETWORK, Timestamp::from_nanos(622_006_090_999)));
}

#[test]
fn each_length_of_a_message_is_either_taken_apart_or_refused_with_its_byte() {
    // Miri takes long for all of them, and there is nothing unsafe for it to find.
    let step = if cfg!(miri) { 16 } else { 1 };
    for len in (0..=MAX_MESSAGE + 17).step_by(step) {
        let message = body(len);
        let result = Header::decode(&message);
        if len < HEADER_LEN {
            let error = WireError::Truncated { at: len, need: 16 };
            assert_eq!(result, Err(error));
            assert_eq!(error.at(), len as u64);
        } else if len <= MAX_MESSAGE {
            let (_, rest) = result.unwrap();
            assert_eq!(rest, &message[16..], "length {len}");
        } else {
            let error = WireError::BodyTooLong { len: len - 16, max: 384 };
            assert_eq!(result, Err(error));
            assert_eq!(error.at(), 400);
        }
    }
}

#[test]
fn what_is_encoded_decodes_to_itself() {
    for len in [0, 1, 15, 16, 17, 383, 384] {
        let step = if cfg!(miri) { 4 } else { 1 };
        for class in VALUES.into_iter().step_by(step) {
            for timestamp_us in VALUES.into_iter().step_by(step) {
                let (header, body) = (Header { class, timestamp_us }, body(len));
                let mut out = [0xee; MAX_MESSAGE + 1];
                assert_eq!(encode_message(&mut out, header, &body), Ok(16 + len));
                assert!(out[16 + len..].iter().all(|&byte| byte == 0xee));
                assert_eq!(Header::decode(&out[..16 + len]), Ok((header, &body[..])));
            }
        }
    }
}

#[test]
fn what_is_decoded_encodes_to_itself() {
    for len in [16, 17, 31, 32, 399, 400] {
        let message = body(len);
        let (header, body) = Header::decode(&message).unwrap();
        let mut out = vec![0xee; len];
        assert_eq!(encode_message(&mut out, header, body), Ok(len));
        assert_eq!(out, message);
    }
}

#[test]
fn too_long_or_no_room_leaves_the_buffer_alone() {
    let header = Header { class: u64::MAX, timestamp_us: u64::MAX };
    let mut out = [0; 1024];
    for len in [385, 386, 1000] {
        let error = WireError::BodyTooLong { len, max: 384 };
        assert_eq!(encode_message(&mut out, header, &body(len)), Err(error));
    }
    for len in [0, 1, 15, 16, 383, 384] {
        for room in [0, 1, 15, 15 + len] {
            let result = encode_message(&mut out[..room], header, &body(len));
            assert_eq!(result, Err(WireError::NoRoom { at: room, need: 16 + len }));
        }
    }
    assert_eq!(out, [0; 1024]);
}

#[test]
fn upper_class_bits_survive_and_are_told() {
    for number in 0..64 {
        let header = Header { class: 1 << number, timestamp_us: 0 };
        let mut out = [0; HEADER_LEN];
        header.encode(&mut out);
        let (decoded, _) = Header::decode(&out).unwrap();
        assert_eq!(decoded.class, 1 << number);
        assert_eq!(decoded.class32(), Class::bit(number));
    }
    assert_eq!(Header::default().class32(), Some(Class::NONE));
    let mixed = Header { class: 1 << 32 | 4, timestamp_us: 0 };
    assert_eq!(mixed.class32(), None);
}

#[test]
fn errors_say_where_and_why() {
    let text = |error: WireError| error.to_string();
    let short = text(Header::decode(&[0; 3]).unwrap_err());
    assert_eq!(short, "the message ends at byte 3, inside its header of 16 bytes");
    let long = text(Header::decode(&[0; 401]).unwrap_err());
    assert_eq!(long, "at byte 400: a body of 385 bytes is over the limit of 384");
    let room = text(encode_message(&mut [0; 17], Header::default(), b"ab").unwrap_err());
    assert_eq!(room, "the buffer ends at byte 17, the message needs 18");
}

/// Place, kind and body of a frame.
type Owned = (u64, u8, Vec<u8>);

/// The frames of a stream that is given in these pieces, and what was refused.
fn in_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Result<Owned, WireError>> {
    let mut decoder = Decoder::<{ FRAME_HEAD + 8 }>::new();
    let mut seen = Vec::new();
    for mut input in pieces {
        loop {
            match decoder.next(&mut input) {
                Ok(None) => break,
                Ok(Some(frame)) => seen.push(Ok((frame.at, frame.kind, frame.body.to_vec()))),
                Err(error) => seen.push(Err(error)),
            }
        }
        assert!(input.is_empty(), "all is taken before more is asked for");
    }
    if let Err(error) = decoder.finish() {
        seen.push(Err(error));
    }
    seen
}

/// Bodies of 0, 8 and 9 bytes (one too many), one of 1, and a frame that is cut.
fn stream() -> Vec<u8> {
    let mut stream = Vec::new();
    let mut out = [0; 16];
    for (kind, body) in [(1, &b""[..]), (2, b"12345678"), (3, b"123456789"), (4, b"x")] {
        let len = encode_frame(&mut out, kind, &[body]).unwrap();
        stream.extend(&out[..len]);
    }
    stream.extend([5, 0, 2, b'y']);
    stream
}

#[test]
fn any_cut_of_a_stream_gives_the_same_frames() {
    let stream = stream();
    let whole = in_pieces(core::iter::once(&stream[..]));
    let too_long = WireError::FrameTooLong { at: 14, kind: 3, len: 9, max: 8 };
    let expected = [
        Ok((0, 1, vec![])),
        Ok((3, 2, b"12345678".to_vec())),
        Err(too_long),
        Ok((26, 4, b"x".to_vec())),
        Err(WireError::FrameCut { at: 34, need: 1 }),
    ];
    assert_eq!(whole, expected);
    for len in 1..=stream.len() {
        assert_eq!(in_pieces(stream.chunks(len)), expected, "in pieces of {len}");
    }
    for cut in 0..=stream.len() {
        let (a, b) = stream.split_at(cut);
        assert_eq!(in_pieces([a, b].into_iter()), expected, "cut at {cut}");
    }
}

#[test]
fn a_stream_that_ends_inside_a_frame_says_what_is_missing() {
    let stream = stream();
    let borders = [0, 3, 14, 26, 30];
    for len in 0..stream.len() {
        let last = in_pieces(core::iter::once(&stream[..len])).pop();
        if borders.contains(&len) {
            assert!(!matches!(last, Some(Err(WireError::FrameCut { .. }))), "{len}: {last:?}");
        } else {
            let begin = borders.iter().rev().find(|border| **border < len).unwrap();
            let end = borders.iter().find(|border| **border > len).copied().unwrap_or(35);
            let need = if len - begin < FRAME_HEAD { begin + FRAME_HEAD } else { end } - len;
            let cut = WireError::FrameCut { at: len as u64, need };
            assert_eq!(last, Some(Err(cut)), "{len}");
        }
    }
}

#[test]
fn a_frame_that_lies_whole_in_the_input_is_lent_from_it() {
    let stream = stream();
    let mut input = &stream[..];
    let mut decoder = Decoder::<64>::new();
    assert_eq!(decoder.next(&mut input).unwrap().unwrap().body, b"");
    let frame = decoder.next(&mut input).unwrap().unwrap();
    assert!(core::ptr::eq(frame.body, &stream[6..14]));
}

#[test]
fn a_frame_longer_than_a_head_can_say_or_the_buffer_is_refused() {
    let long = vec![0; 65_536];
    let mut out = vec![0xee; 65_540];
    let error = WireError::FrameTooLong { at: 0, kind: 9, len: 65_536, max: 65_535 };
    assert_eq!(encode_frame(&mut out, 9, &[&long[..1], &long[1..]]), Err(error));
    assert_eq!(
        encode_frame(&mut out[..5], 9, &[b"abc"]),
        Err(WireError::NoRoom { at: 5, need: 6 })
    );
    assert!(out.iter().all(|&byte| byte == 0xee));
    assert_eq!(encode_frame(&mut out, 9, &[&long[1..]]), Ok(65_538));
    let mut decoder = Decoder::<65_538>::new();
    assert_eq!(decoder.next(&mut &out[..65_538]).unwrap().unwrap().body.len(), 65_535);
}
