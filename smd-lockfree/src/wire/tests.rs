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
            assert_eq!(error.at(), len);
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
