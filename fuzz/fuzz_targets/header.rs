//! Laws of the wire codec, for any bytes:
//!
//! 1. taking apart never panics, and succeeds exactly for 16 to 400 bytes;
//! 2. what was taken apart and is put together again gives the same bytes;
//! 3. what was put together and is taken apart gives the same header and body;
//! 4. a refusal names the byte, and leaves the buffer alone;
//! 5. exactly as much room as the message needs is enough, one byte less is not.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smd_lockfree::wire::{HEADER_LEN, Header, MAX_MESSAGE, WireError, encode_message};
use smd_lockfree::{Class, MAX_PAYLOAD};

/// What no law expects to see in a buffer that nobody wrote to.
const UNTOUCHED: u8 = 0xa5;

fuzz_target!(|data: &[u8]| {
    from_bytes(data);
    from_parts(data);
});

/// The input is a whole message.
fn from_bytes(message: &[u8]) {
    match Header::decode(message) {
        Ok((header, body)) => {
            assert!((HEADER_LEN..=MAX_MESSAGE).contains(&message.len()));
            assert_eq!(body, &message[HEADER_LEN..]);
            let mut out = [UNTOUCHED; MAX_MESSAGE];
            let len = encode_message(&mut out, header, body).expect("what decodes has room");
            assert_eq!(&out[..len], message);
            assert!(out[len..].iter().all(|&byte| byte == UNTOUCHED));

            let mut head = [0; HEADER_LEN];
            header.encode(&mut head);
            assert_eq!(head, message[..HEADER_LEN]);

            let lower = Class::from_bits(header.class as u32);
            let fits = header.class <= u64::from(u32::MAX);
            assert_eq!(header.class32(), fits.then_some(lower));
        }
        Err(error @ WireError::Truncated { at, need }) => {
            assert!(message.len() < HEADER_LEN);
            assert_eq!((at, need), (message.len(), HEADER_LEN));
            assert_eq!(error.at(), at as u64);
        }
        Err(error @ WireError::BodyTooLong { len, max }) => {
            assert!(message.len() > MAX_MESSAGE);
            assert_eq!((len, max), (message.len() - HEADER_LEN, MAX_PAYLOAD));
            assert_eq!(error.at(), MAX_MESSAGE as u64);
        }
        Err(other) => panic!("no such refusal when taking apart: {other}"),
    }
}

/// The input is the room (two bytes), a header, and a body of any length.
fn from_parts(data: &[u8]) {
    let Some((room, rest)) = data.split_first_chunk() else { return };
    let Some((class, rest)) = rest.split_first_chunk() else { return };
    let Some((timestamp, body)) = rest.split_first_chunk() else { return };
    let header =
        Header { class: u64::from_ne_bytes(*class), timestamp_us: u64::from_ne_bytes(*timestamp) };
    let need = HEADER_LEN + body.len();
    let any = usize::from(u16::from_le_bytes(*room)) % (MAX_MESSAGE + 2);

    for room in [any, need - 1, need] {
        let mut out = vec![UNTOUCHED; room];
        match encode_message(&mut out, header, body) {
            Ok(len) => {
                assert_eq!(len, need);
                assert!(room >= need && body.len() <= MAX_PAYLOAD);
                assert_eq!(Header::decode(&out[..len]), Ok((header, body)));
                assert!(out[len..].iter().all(|&byte| byte == UNTOUCHED));
            }
            Err(error) => {
                let expected = if body.len() > MAX_PAYLOAD {
                    WireError::BodyTooLong { len: body.len(), max: MAX_PAYLOAD }
                } else {
                    assert!(room < need);
                    WireError::NoRoom { at: room, need }
                };
                assert_eq!(error, expected);
                assert!(out.iter().all(|&byte| byte == UNTOUCHED));
            }
        }
    }
}
