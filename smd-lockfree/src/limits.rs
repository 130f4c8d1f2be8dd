//! The numbers that bound the bus, each with its source, and the type of a valid name.

#![forbid(unsafe_code)]

use crate::error::NameError;
use core::fmt;
use core::time::Duration;

/// Longest payload of a message, in bytes: `LWS_SMD_MAX_PAYLOAD` of libwebsockets.
pub const MAX_PAYLOAD: usize = 384;

/// Largest depth of a participant, in messages (guarantee G5).
pub const MAX_DEPTH: u32 = 1_048_576;

/// Depth of a participant that asks for none, in messages (guarantee G5).
pub const DEFAULT_DEPTH: u32 = 4096;

/// Most participants of one bus at a time: what sixteen bits count.
pub const MAX_PARTICIPANTS: usize = 65_535;

/// Longest name of a bus or a participant, in bytes of UTF-8: the longest stream name of the
/// libwebsockets proxy protocol.
pub const MAX_NAME: usize = 31;

/// Longest key of a retained message, in bytes (guarantee G10).
pub const MAX_KEY: usize = 32;

/// How long an undelivered message lives unless the builder says otherwise: the value of lws_smd
/// (`smd_ttl_us`).
pub const DEFAULT_TIME_TO_LIVE: Duration = Duration::from_secs(2);

/// Shortest time to live: below it the delay of a wake-up would decide what expires.
pub const MIN_TIME_TO_LIVE: Duration = Duration::from_millis(1);

/// Longest time to live, one day; who wants more switches it off.
pub const MAX_TIME_TO_LIVE: Duration = Duration::from_secs(24 * 60 * 60);

/// How many retained entries a bus keeps unless the builder says otherwise (guarantee G10).
pub const DEFAULT_RETAINED_LIMIT: usize = 1024;

/// Largest limit of retained entries: each may hold a segment (guarantee G8), so this bounds what
/// they hold to 4 GiB at the largest segment size.
pub const MAX_RETAINED_LIMIT: usize = 65_536;

// `Name` counts its bytes in one byte.
const _: () = assert!(MAX_NAME <= u8::MAX as usize);

/// A name that was checked once, at the border, and is valid from then on; stored without a pointer
/// so that a record of a participant needs no second allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    length: u8,
    bytes: [u8; MAX_NAME],
}

impl Name {
    /// Checks and copies.
    ///
    /// # Errors
    ///
    /// [`NameError`] for an empty name, one over [`MAX_NAME`] bytes, or a control character.
    pub(crate) fn new(name: &str) -> Result<Name, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > MAX_NAME {
            return Err(NameError::TooLong { len: name.len(), max: MAX_NAME });
        }
        if name.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        let mut bytes = [0; MAX_NAME];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        Ok(Name { length: name.len() as u8, bytes })
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        // The bytes came from a whole `str`, so this never fails; checking again costs less than
        // an unsafe step would need in words, and no hot path reads a name.
        core::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_limits() {
        let longest = "ä".repeat(15) + "x";
        assert_eq!(longest.len(), MAX_NAME);
        for name in ["x", "two words", &longest] {
            assert_eq!(Name::new(name).unwrap().as_str(), name);
        }
        assert_eq!(Name::new(""), Err(NameError::Empty));
        let long = "x".repeat(MAX_NAME + 1);
        assert_eq!(Name::new(&long), Err(NameError::TooLong { len: 32, max: 31 }));
        for bad in ["a\nb", "\0", "\u{7f}", "\u{85}"] {
            assert_eq!(Name::new(bad), Err(NameError::Control));
        }
        assert_eq!(format!("{:?}", Name::new("a\"b").unwrap()), r#""a\"b""#);
    }
}
