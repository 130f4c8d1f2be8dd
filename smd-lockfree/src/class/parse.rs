//! From text to a [`Class`]: what a command line or a configuration file says.

use super::{Class, FIRST_USER, WELL_KNOWN};
use core::fmt;
use core::str::FromStr;

/// Why a text is no [`Class`]; `at` is the byte position of the offending part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ParseClassError {
    /// There is nothing between two separators, or no text at all.
    Empty {
        /// Byte position in the text.
        at: usize,
    },
    /// Neither a name nor a number.
    Unknown {
        /// Byte position in the text.
        at: usize,
    },
    /// A bit number above 31, a user class above 7 or a mask above 0xffffffff.
    OutOfRange {
        /// Byte position in the text.
        at: usize,
    },
}

impl fmt::Display for ParseClassError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseClassError::Empty { at } => write!(f, "no class name at byte {at}"),
            ParseClassError::Unknown { at } => write!(
                f,
                "unknown class at byte {at}: expected INTERACTION, SYSTEM_STATE, NETWORK, METRICS, \
                 user0 to user7, a bit number 0 to 31, a mask 0x.., all or none"
            ),
            ParseClassError::OutOfRange { at } => write!(
                f,
                "class out of range at byte {at}: bit numbers end at 31, user classes at 7, \
                 masks at 0xffffffff"
            ),
        }
    }
}

impl std::error::Error for ParseClassError {}

/// Parts joined by `|` or `,`, blanks around them ignored, upper or lower case alike. A part is a
/// well-known name, `user0` to `user7`, a bit number (`24` or `bit24`), a mask in hexadecimal
/// (`0x1000000`), `all` or `none`.
impl FromStr for Class {
    type Err = ParseClassError;

    fn from_str(text: &str) -> Result<Class, ParseClassError> {
        let mut set = Class::NONE;
        let mut start = 0;
        for part in text.split(['|', ',']) {
            let blanks = part.len() - part.trim_start().len();
            set |= parse_part(part.trim(), start + blanks)?;
            // Both separators are one byte long.
            start += part.len() + 1;
        }
        Ok(set)
    }
}

fn parse_part(part: &str, at: usize) -> Result<Class, ParseClassError> {
    if part.is_empty() {
        return Err(ParseClassError::Empty { at });
    }
    if let Some(number) = WELL_KNOWN.iter().position(|name| name.eq_ignore_ascii_case(part)) {
        return Ok(Class(1 << number));
    }
    if part.eq_ignore_ascii_case("all") {
        return Ok(Class::ALL);
    }
    if part.eq_ignore_ascii_case("none") {
        return Ok(Class::NONE);
    }
    if let Some(digits) = strip_prefix(part, "0x") {
        return parse_digits(digits, 16, at).map(Class);
    }
    let (digits, first, count) = if let Some(digits) = strip_prefix(part, "user") {
        (digits, FIRST_USER, u32::BITS - FIRST_USER)
    } else {
        (strip_prefix(part, "bit").unwrap_or(part), 0, u32::BITS)
    };
    match parse_digits(digits, 10, at)? {
        number if number < count => Ok(Class(1 << (first + number))),
        _ => Err(ParseClassError::OutOfRange { at }),
    }
}

fn strip_prefix<'t>(part: &'t str, prefix: &str) -> Option<&'t str> {
    let (head, rest) = part.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Digits only: the standard parser would let a sign through.
fn parse_digits(digits: &str, radix: u32, at: usize) -> Result<u32, ParseClassError> {
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(ParseClassError::Unknown { at });
    }
    u32::from_str_radix(digits, radix).map_err(|_| ParseClassError::OutOfRange { at })
}
