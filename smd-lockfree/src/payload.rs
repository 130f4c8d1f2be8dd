//! Values as payloads: how a type becomes the bytes of a message and comes back.

#![forbid(unsafe_code)]

#[cfg(feature = "serde")]
mod json;
#[cfg(test)]
mod tests;

#[cfg(feature = "serde")]
pub use json::Json;

use core::fmt;

/// A value that fits into a message.
///
/// The caller offers all the bytes that a message may have, and `encode` says how many it used.
/// It runs before the message is claimed, so it may be slow, fail or panic without delaying anybody.
///
/// Numbers are little endian. Implemented for `()`, `bool`, the integers up to 64 bits, `f64`,
/// `String`, `Vec<u8>` and byte arrays, and with the feature `serde` for `Json<T>`.
///
/// ```
/// use smd_lockfree::{Payload, PayloadError};
///
/// struct Button {
///     number: u8,
///     pressed: bool,
/// }
///
/// impl Payload for Button {
///     fn encode(&self, out: &mut [u8]) -> Result<usize, PayloadError> {
///         [self.number, u8::from(self.pressed)].encode(out)
///     }
///
///     fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
///         let [number, pressed] = <[u8; 2]>::decode(bytes)?;
///         Ok(Button { number, pressed: bool::decode(&[pressed])? })
///     }
/// }
///
/// let mut out = [0; smd_lockfree::MAX_PAYLOAD];
/// let used = Button { number: 3, pressed: true }.encode(&mut out)?;
/// assert_eq!(out[..used], [3, 1]);
/// assert_eq!(Button::decode(&out[..used])?.number, 3);
/// # Ok::<(), PayloadError>(())
/// ```
pub trait Payload: Sized {
    /// Writes the value to the start of `out` and returns how many bytes it took.
    ///
    /// # Errors
    ///
    /// [`PayloadError::TooLong`] if `out` is too short, [`PayloadError::Invalid`] if this value has
    /// no encoding.
    fn encode(&self, out: &mut [u8]) -> Result<usize, PayloadError>;

    /// Reads the value from all of `bytes`.
    ///
    /// # Errors
    ///
    /// [`PayloadError::Truncated`] if bytes are missing, [`PayloadError::Invalid`] if they are no
    /// such value, bytes too many among the reasons.
    fn decode(bytes: &[u8]) -> Result<Self, PayloadError>;
}

/// Why a value did not become bytes, or bytes no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PayloadError {
    /// The value needs more bytes than a message has.
    TooLong {
        /// Bytes that there were to write to.
        max: usize,
    },
    /// The bytes end before the value does.
    Truncated,
    /// The bytes are no such value, or the value has no encoding; the text says why.
    Invalid(&'static str),
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PayloadError::TooLong { max } => {
                write!(f, "the encoded value is over the limit of {max} bytes")
            }
            PayloadError::Truncated => f.write_str("the payload ends before the value does"),
            PayloadError::Invalid(why) => write!(f, "invalid payload: {why}"),
        }
    }
}

impl std::error::Error for PayloadError {}

/// The one check of room for all that writes whole slices.
fn put(bytes: &[u8], out: &mut [u8]) -> Result<usize, PayloadError> {
    let max = out.len();
    let room = out.get_mut(..bytes.len()).ok_or(PayloadError::TooLong { max })?;
    room.copy_from_slice(bytes);
    Ok(bytes.len())
}

impl<const N: usize> Payload for [u8; N] {
    fn encode(&self, out: &mut [u8]) -> Result<usize, PayloadError> {
        put(self, out)
    }

    fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
        if bytes.len() < N {
            return Err(PayloadError::Truncated);
        }
        bytes.try_into().map_err(|_| PayloadError::Invalid("more bytes than the value has"))
    }
}

impl Payload for Vec<u8> {
    fn encode(&self, out: &mut [u8]) -> Result<usize, PayloadError> {
        put(self, out)
    }

    fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
        Ok(bytes.to_vec())
    }
}

impl Payload for String {
    fn encode(&self, out: &mut [u8]) -> Result<usize, PayloadError> {
        put(self.as_bytes(), out)
    }

    fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
        match core::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(PayloadError::Invalid("not UTF-8")),
        }
    }
}

impl Payload for () {
    fn encode(&self, _out: &mut [u8]) -> Result<usize, PayloadError> {
        Ok(0)
    }

    fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
        <[u8; 0]>::decode(bytes).map(|_| ())
    }
}

/// One byte, 0 or 1; any other is refused, so that a wrong type shows early.
impl Payload for bool {
    fn encode(&self, out: &mut [u8]) -> Result<usize, PayloadError> {
        u8::from(*self).encode(out)
    }

    fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
        match u8::decode(bytes)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(PayloadError::Invalid("a bool is 0 or 1")),
        }
    }
}

macro_rules! little_endian {
    ($($number:ty),*) => {$(
        impl Payload for $number {
            fn encode(&self, out: &mut [u8]) -> Result<usize, PayloadError> {
                put(&self.to_le_bytes(), out)
            }

            fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
                Payload::decode(bytes).map(<$number>::from_le_bytes)
            }
        }
    )*};
}

little_endian!(u8, u16, u32, u64, i8, i16, i32, i64, f64);
