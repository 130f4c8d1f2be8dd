//! What kind of message this is: a set of class bits, which is a mask as well.

#![forbid(unsafe_code)]

mod parse;
#[cfg(test)]
mod tests;

pub use parse::ParseClassError;

use core::fmt;
use core::ops::{BitAnd, BitOr, BitOrAssign, Not, Sub};

/// A set of class bits: what a message carries and, as a mask, what a participant wants.
///
/// A message carries one or more bits and reaches everybody whose mask shares at least one of them.
/// The numbers and the names are those of `lws_smd` in libwebsockets: bits 0 to 3 are well known,
/// 4 to 23 are reserved (accepted and delivered, without a name), 24 to 31 belong to the user.
///
/// ```
/// use smd_lockfree::Class;
///
/// let mask = Class::NETWORK | Class::USER0;
/// assert!(mask.intersects(Class::NETWORK));
/// assert_eq!(mask.to_string(), "NETWORK|user0");
/// assert_eq!("network, 24".parse(), Ok(mask));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Class(u32);

/// The first of the eight bits that belong to the user.
const FIRST_USER: u32 = 24;

/// Names of the well-known bits; the position is the bit number.
const WELL_KNOWN: [&str; 4] = ["INTERACTION", "SYSTEM_STATE", "NETWORK", "METRICS"];

impl Class {
    /// No class at all: what neither a message nor a mask may be.
    pub const NONE: Class = Class(0);
    /// Bit 0: what a user does, for example a button press.
    pub const INTERACTION: Class = Class(1 << 0);
    /// Bit 1: a change of the state of the system.
    pub const SYSTEM_STATE: Class = Class(1 << 1);
    /// Bit 2: changes of routes, addresses, reachability.
    pub const NETWORK: Class = Class(1 << 2);
    /// Bit 3: measurements.
    pub const METRICS: Class = Class(1 << 3);
    /// Bit 24, the first for users.
    pub const USER0: Class = Class(1 << 24);
    /// Bit 25, for users.
    pub const USER1: Class = Class(1 << 25);
    /// Bit 26, for users.
    pub const USER2: Class = Class(1 << 26);
    /// Bit 27, for users.
    pub const USER3: Class = Class(1 << 27);
    /// Bit 28, for users.
    pub const USER4: Class = Class(1 << 28);
    /// Bit 29, for users.
    pub const USER5: Class = Class(1 << 29);
    /// Bit 30, for users.
    pub const USER6: Class = Class(1 << 30);
    /// Bit 31, the last for users.
    pub const USER7: Class = Class(1 << 31);
    /// Every bit, the reserved ones too: the mask that misses nothing.
    pub const ALL: Class = Class(u32::MAX);

    /// The set with exactly these bits; every value is one.
    #[inline]
    pub const fn from_bits(bits: u32) -> Class {
        Class(bits)
    }

    /// The bits.
    #[inline]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set of bit number `number` alone, `None` above 31.
    pub const fn bit(number: u32) -> Option<Class> {
        if number < u32::BITS { Some(Class(1 << number)) } else { None }
    }

    /// The user class `number`, which is bit 24 + `number`; `None` above 7.
    pub const fn user(number: u8) -> Option<Class> {
        if number < 8 { Some(Class(1 << (FIRST_USER + number as u32))) } else { None }
    }

    /// Whether no bit is set.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the two share a bit: the test that decides about delivery.
    #[inline]
    pub const fn intersects(self, other: Class) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether all bits of `other` are in this set, which is so for an empty `other`.
    #[inline]
    pub const fn contains(self, other: Class) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both; as `|`, for constants.
    #[inline]
    pub const fn union(self, other: Class) -> Class {
        Class(self.0 | other.0)
    }

    /// The bits that both have; as `&`, for constants.
    #[inline]
    pub const fn intersection(self, other: Class) -> Class {
        Class(self.0 & other.0)
    }

    /// The bits that only this set has; as `-`, for constants.
    #[inline]
    pub const fn difference(self, other: Class) -> Class {
        Class(self.0 & !other.0)
    }

    /// The single bits, the lowest first.
    pub fn iter(self) -> impl Iterator<Item = Class> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let lowest = rest & rest.wrapping_neg();
            rest ^= lowest;
            (lowest != 0).then_some(Class(lowest))
        })
    }

    /// The name if this is exactly one of the four well-known bits, such as `NETWORK`.
    pub fn name(self) -> Option<&'static str> {
        if self.0.is_power_of_two() {
            WELL_KNOWN.get(self.0.trailing_zeros() as usize).copied()
        } else {
            None
        }
    }
}

impl BitOr for Class {
    type Output = Class;
    #[inline]
    fn bitor(self, other: Class) -> Class {
        self.union(other)
    }
}

impl BitOrAssign for Class {
    #[inline]
    fn bitor_assign(&mut self, other: Class) {
        self.0 |= other.0;
    }
}

impl BitAnd for Class {
    type Output = Class;
    #[inline]
    fn bitand(self, other: Class) -> Class {
        self.intersection(other)
    }
}

impl Not for Class {
    type Output = Class;
    #[inline]
    fn not(self) -> Class {
        Class(!self.0)
    }
}

impl Sub for Class {
    type Output = Class;
    #[inline]
    fn sub(self, other: Class) -> Class {
        self.difference(other)
    }
}

/// `NETWORK|bit7|user0`; `none` for the empty set, `all` for every bit. `FromStr` reads it back.
impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Class::NONE => return f.write_str("none"),
            Class::ALL => return f.write_str("all"),
            _ => {}
        }
        for (position, single) in self.iter().enumerate() {
            if position > 0 {
                f.write_str("|")?;
            }
            let number = single.0.trailing_zeros();
            match single.name() {
                Some(name) => f.write_str(name)?,
                None if number >= FIRST_USER => write!(f, "user{}", number - FIRST_USER)?,
                None => write!(f, "bit{number}")?,
            }
        }
        Ok(())
    }
}

/// As `Display`: a mask in a failed assertion should read as words.
impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The bits in hexadecimal: `{:#x}` gives what `FromStr` reads.
impl fmt::LowerHex for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}
