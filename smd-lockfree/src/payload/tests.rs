use super::*;
use crate::limits::MAX_PAYLOAD;
use core::fmt::Debug;

fn round_trip<T: Payload + PartialEq + Debug>(value: T, len: usize) {
    let mut out = [0xee; MAX_PAYLOAD];
    assert_eq!(value.encode(&mut out), Ok(len));
    assert!(out[len..].iter().all(|&byte| byte == 0xee), "wrote past its length");
    assert_eq!(T::decode(&out[..len]).as_ref(), Ok(&value));
    if len > 0 {
        let max = len - 1;
        assert_eq!(value.encode(&mut out[..max]), Err(PayloadError::TooLong { max }));
    }
}

#[test]
fn values_come_back() {
    round_trip((), 0);
    round_trip(true, 1);
    round_trip(false, 1);
    round_trip(0xa5u8, 1);
    round_trip(0xa5b6u16, 2);
    round_trip(u32::MAX - 1, 4);
    round_trip(u64::MAX - 1, 8);
    round_trip(i8::MIN, 1);
    round_trip(-2i16, 2);
    round_trip(i32::MIN, 4);
    round_trip(i64::MIN + 1, 8);
    round_trip(-0.1f64, 8);
    round_trip(String::new(), 0);
    round_trip("grüße".to_owned(), 7);
    round_trip(vec![7u8; MAX_PAYLOAD], MAX_PAYLOAD);
    round_trip([9u8; 33], 33);
}

#[test]
fn numbers_are_little_endian() {
    let mut out = [0; 4];
    assert_eq!(0x0102_0304u32.encode(&mut out), Ok(4));
    assert_eq!(out, [4, 3, 2, 1]);
}

#[test]
fn wrong_bytes_are_refused() {
    assert_eq!(u32::decode(&[1, 2, 3]), Err(PayloadError::Truncated));
    assert!(matches!(u32::decode(&[0; 5]), Err(PayloadError::Invalid(_))));
    assert!(matches!(<()>::decode(&[0]), Err(PayloadError::Invalid(_))));
    assert!(matches!(bool::decode(&[2]), Err(PayloadError::Invalid(_))));
    assert_eq!(bool::decode(&[]), Err(PayloadError::Truncated));
    assert_eq!(String::decode(&[0xff]), Err(PayloadError::Invalid("not UTF-8")));
    let long = vec![0; MAX_PAYLOAD + 1];
    let error = long.encode(&mut [0; MAX_PAYLOAD]).unwrap_err();
    assert!(error.to_string().contains("384"), "{error}");
}

#[cfg(feature = "serde")]
#[test]
fn json() {
    round_trip(Json(vec![1u32, 22, 333]), 10);
    assert_eq!(Json::<Vec<u8>>::decode(b"[1,2"), Err(PayloadError::Truncated));
    assert!(matches!(Json::<u8>::decode(b"\"x\""), Err(PayloadError::Invalid(_))));
    assert!(matches!(Json::<u8>::decode(b"]"), Err(PayloadError::Invalid(_))));
    assert!(matches!(Json::<u8>::decode(b"1 1"), Err(PayloadError::Invalid(_))));
    let keyed = std::collections::BTreeMap::from([(vec![1u8], 1u8)]);
    // A map whose keys are no text has no JSON form, and that is no want of room.
    assert!(matches!(Json(keyed).encode(&mut [0; MAX_PAYLOAD]), Err(PayloadError::Invalid(_))));
}
