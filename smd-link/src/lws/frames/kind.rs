//! The first byte of each frame, and how long its body may be (section 2).

use smd_lockfree::MAX_NAME;

pub(in crate::lws) const STREAM_TYPE: u8 = 0xaa;
pub(in crate::lws) const ONWARD_CONNECT: u8 = 0xab;
pub(in crate::lws) const DESTROYING: u8 = 0xac;
pub(in crate::lws) const TX_PAYLOAD: u8 = 0xad;
pub(in crate::lws) const TX_METADATA: u8 = 0xae;
pub(in crate::lws) const TX_CREDIT: u8 = 0xaf;
pub(in crate::lws) const TIMEOUT: u8 = 0xb0;
pub(in crate::lws) const LENGTH_HINT: u8 = 0xb1;

pub(in crate::lws) const RX_PAYLOAD: u8 = 0x55;
pub(in crate::lws) const CREATE_RESULT: u8 = 0x56;
pub(in crate::lws) const CONN_STATE: u8 = 0x57;
pub(in crate::lws) const RX_CREDIT: u8 = 0x58;
pub(in crate::lws) const RX_METADATA: u8 = 0x59;
pub(in crate::lws) const PERF: u8 = 0x5b;

/// Bytes before the name of `aa`: version, pid, mask.
pub(in crate::lws) const HELLO: usize = 1 + 4 + 4;
/// Bytes before the message of `ad` and `55`: flags, waited, time.
pub(in crate::lws) const PAYLOAD: usize = 4 + 4 + 8;

const ANY: usize = u16::MAX as usize;

/// The least and the most bytes of the body of a frame with this type; `None` for a type that the
/// side does not take.
pub(in crate::lws) type Lengths = fn(u8) -> Option<(usize, usize)>;

/// What a proxy takes.
pub(in crate::lws) fn to_proxy(kind: u8) -> Option<(usize, usize)> {
    Some(match kind {
        STREAM_TYPE => (HELLO + 1, HELLO + MAX_NAME),
        ONWARD_CONNECT | DESTROYING => (0, 0),
        TX_PAYLOAD => (PAYLOAD, ANY),
        TX_METADATA => (1, ANY),
        TX_CREDIT | TIMEOUT | LENGTH_HINT => (4, 4),
        PERF => (0, ANY),
        _ => return None,
    })
}

/// What a client takes.
pub(in crate::lws) fn to_client(kind: u8) -> Option<(usize, usize)> {
    Some(match kind {
        RX_PAYLOAD => (PAYLOAD, ANY),
        CREATE_RESULT => (5, ANY),
        // One to four bytes of state: section 5.9.
        CONN_STATE => (5, 8),
        RX_CREDIT => (4, 4),
        RX_METADATA => (1, ANY),
        PERF => (0, ANY),
        _ => return None,
    })
}
