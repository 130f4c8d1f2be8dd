//! The message inside a payload: what is taken, and what is refused with a count.

use super::MAX_BODY;
use super::fault::{DropReason, SendError};
use super::frames::{Payload, flags, kind};
use smd_lockfree::wire::{HEADER_LEN, Header, MAX_MESSAGE, encode_message};
use smd_lockfree::{Class, MAX_PAYLOAD};

/// A message that a bus can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Opened<'a> {
    /// At least one bit.
    pub(super) class: Class,
    pub(super) timestamp_us: u64,
    /// At most [`MAX_PAYLOAD`] bytes.
    pub(super) body: &'a [u8],
}

/// Takes a message apart that a peer has sent.
pub(super) fn open(message: &[u8]) -> Result<Opened<'_>, DropReason> {
    let len = message.len();
    if len < HEADER_LEN {
        return Err(DropReason::Short { len, min: HEADER_LEN });
    }
    let long = too_long(len - HEADER_LEN);
    let (header, body) = Header::decode(message).map_err(|_| long)?;
    match header.class32() {
        None => Err(DropReason::ClassAbove { class: header.class }),
        Some(class) if class.is_empty() => Err(DropReason::EmptyClass),
        Some(class) => Ok(Opened { class, timestamp_us: header.timestamp_us, body }),
    }
}

/// Why a message with a body of `len` bytes is dropped.
const fn too_long(len: usize) -> DropReason {
    DropReason::Long { len, max: MAX_PAYLOAD }
}

/// Why the message of a frame is dropped that was not kept, with a body of `len` bytes.
pub(super) const fn too_long_frame(len: usize) -> DropReason {
    too_long(len.saturating_sub(kind::PAYLOAD + HEADER_LEN))
}

/// Puts a message for a libwebsockets peer together.
pub(super) fn pack<'o>(
    out: &'o mut [u8; MAX_MESSAGE],
    class: Class,
    timestamp_us: u64,
    body: &[u8],
) -> Result<&'o [u8], SendError> {
    if class.is_empty() {
        return Err(SendError::EmptyClass);
    }
    let too_long = SendError::TooLong { len: body.len(), max: MAX_BODY };
    if body.len() > MAX_BODY {
        return Err(too_long);
    }
    let header = Header { class: class.bits().into(), timestamp_us };
    // With a body that short it cannot fail.
    let len = encode_message(out, header, body).map_err(|_| too_long)?;
    Ok(&out[..len])
}

/// What stands around a message that is written at `time_us` without having waited.
pub(super) const fn payload(time_us: u64, message: &[u8]) -> Payload<'_> {
    Payload { flags: flags::WHOLE, waited_us: 0, time_us, rideshare: &[], message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_or_dropped_for_one_reason() {
        let mut message = vec![0; 16 + 385];
        assert_eq!(open(&message[..0]), Err(DropReason::Short { len: 0, min: 16 }));
        assert_eq!(open(&message[..15]), Err(DropReason::Short { len: 15, min: 16 }));
        assert_eq!(open(&message[..16]), Err(DropReason::EmptyClass));
        message[7] = 4;
        message[15] = 9;
        for len in [0, 1, 368, 369, 383, 384] {
            let opened = open(&message[..16 + len]).unwrap();
            assert_eq!((opened.class, opened.timestamp_us), (Class::NETWORK, 9));
            assert_eq!(opened.body, &message[16..16 + len]);
        }
        assert_eq!(open(&message), Err(DropReason::Long { len: 385, max: 384 }));
        message[3] = 1;
        let class = 1 << 32 | 4;
        assert_eq!(open(&message[..20]), Err(DropReason::ClassAbove { class }));
    }

    #[test]
    fn what_is_packed_opens_and_what_is_long_is_refused() {
        let mut out = [0; MAX_MESSAGE];
        let body = [7; 369];
        for len in [0, 1, 368] {
            let packed = pack(&mut out, Class::ALL, u64::MAX, &body[..len]).unwrap();
            let opened = Opened { class: Class::ALL, timestamp_us: u64::MAX, body: &body[..len] };
            assert_eq!(open(packed), Ok(opened));
        }
        let long = SendError::TooLong { len: 369, max: 368 };
        assert_eq!(pack(&mut out, Class::ALL, 0, &body), Err(long));
        assert_eq!(pack(&mut out, Class::NONE, 0, b""), Err(SendError::EmptyClass));
    }
}
