//! The two packed words of the log, as types: bits are private, transitions are verbs.

use crate::class::Class;
use crate::sync::slab::UNIT;

/// The claim word of a segment: how far it is claimed, and whether it may be claimed further.
///
/// ```text
///  63      62      61..50  49..38    37..0
///  SEALED  CLOSED  units   messages  nanoseconds since the segment's base time
/// ```
///
/// The two flags stand above the units, so that one comparison finds a segment that is sealed,
/// closed or too full. The word only ever grows until it is sealed, and never changes after: a
/// compare-and-swap from a word that a sender left there itself proves that nothing was claimed,
/// touched or sealed since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Claim(pub(crate) u64);

const TIME_BITS: u32 = 38;
const MESSAGES_AT: u32 = TIME_BITS;
const UNITS_AT: u32 = 50;
const FIELD: u64 = (1 << 12) - 1;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;
const FLAGS: u64 = Claim::SEALED | Claim::CLOSED;

impl Claim {
    pub(crate) const SEALED: u64 = 1 << 63;
    pub(crate) const CLOSED: u64 = 1 << 62;

    /// The largest number of units that a frame may have: 12 bits of them can be counted.
    pub(crate) const MAX_UNITS: u32 = FIELD as u32 + 1;

    pub(crate) fn units(self) -> u32 {
        (self.0 >> UNITS_AT & FIELD) as u32
    }

    pub(crate) fn messages(self) -> u64 {
        self.0 >> MESSAGES_AT & FIELD
    }

    /// Nanoseconds since the segment's base time.
    pub(crate) fn time(self) -> u64 {
        self.0 & TIME_MASK
    }

    pub(crate) fn is_sealed(self) -> bool {
        self.0 & Self::SEALED != 0
    }

    pub(crate) fn is_closed(self) -> bool {
        self.0 & Self::CLOSED != 0
    }

    /// Whether `units` more fit into `capacity`; never in a sealed or closed segment.
    #[inline(always)]
    pub(crate) fn fits(self, units: u32, capacity: u32) -> bool {
        (self.0 >> UNITS_AT) + u64::from(units) <= u64::from(capacity)
    }

    /// The time that a claim made at `now` (since the base time) gets: it never falls. `None`
    /// when the field cannot hold it: the segment must be sealed.
    #[inline(always)]
    pub(crate) fn time_at(self, now: u64) -> Option<u64> {
        let time = now.max(self.time());
        (time <= TIME_MASK).then_some(time)
    }

    /// This word after a claim of `messages` in `units`, stamped `time`.
    #[inline(always)]
    pub(crate) fn claimed(self, units: u32, messages: u64, time: u64) -> Claim {
        Claim(
            (self.0 & !TIME_MASK)
                + (u64::from(units) << UNITS_AT)
                + (messages << MESSAGES_AT)
                + time,
        )
    }

    /// This word after a touch: only the time moves, so that every claim made before fails.
    pub(crate) fn touched(self) -> Option<Claim> {
        (self.time() < TIME_MASK).then_some(Claim(self.0 + 1))
    }

    /// This word, sealed and closed.
    pub(crate) fn closed(self) -> Claim {
        Claim(self.0 | FLAGS)
    }
}

/// The head of a record, stored once, with release, when the record is complete.
///
/// ```text
///  63..32      31..12  11      10        9..1    0
///  class bits  sender  EXTRA   RETAINED  length  PUBLISHED
/// ```
///
/// 0 means not published. PUBLISHED with class 0 is the END marker of a sealed segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head(pub(crate) u64);

/// Bytes of the optional part between time and payload: [`Extra`].
pub(crate) const EXTRA_BYTES: usize = 32;

/// How many different senders a head can name; 0 names nobody.
pub(crate) const SENDER_IDS: u32 = 1 << 20;

impl Head {
    pub(crate) const END: Head = Head(1);
    const RETAINED: u64 = 1 << 10;
    const EXTRA: u64 = 1 << 11;

    #[inline(always)]
    pub(crate) fn new(class: Class, len: usize, sender: u32, retained: bool, extra: bool) -> Head {
        debug_assert!(sender < SENDER_IDS && len < 512);
        Head(
            1 | (len as u64) << 1
                | if retained { Self::RETAINED } else { 0 }
                | if extra { Self::EXTRA } else { 0 }
                | u64::from(sender) << 12
                | u64::from(class.bits()) << 32,
        )
    }

    #[inline(always)]
    pub(crate) fn bits(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(crate) fn class(self) -> Class {
        Class::from_bits(self.bits())
    }

    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        (self.0 >> 1 & 0x1ff) as usize
    }

    pub(crate) fn sender(self) -> u32 {
        (self.0 >> 12) as u32 & (SENDER_IDS - 1)
    }

    pub(crate) fn is_retained(self) -> bool {
        self.0 & Self::RETAINED != 0
    }

    #[inline(always)]
    pub(crate) fn has_extra(self) -> bool {
        self.0 & Self::EXTRA != 0
    }

    #[inline(always)]
    pub(crate) fn is_end(self) -> bool {
        self.bits() == 0
    }

    /// Units that the record takes in a segment.
    #[inline(always)]
    pub(crate) fn units(self) -> u32 {
        units_for(self.len(), self.has_extra())
    }
}

/// Units that a record with a payload of `len` bytes takes.
#[inline(always)]
pub(crate) fn units_for(len: usize, extra: bool) -> u32 {
    ((UNIT + len + if extra { EXTRA_BYTES } else { 0 }).div_ceil(UNIT)) as u32
}

/// What a record carries beside its payload when it came from a peer or belongs to a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Extra {
    /// The origin's own timestamp in nanoseconds.
    pub(crate) time: u64,
    /// The origin's own sequence number.
    pub(crate) sequence: u64,
    /// Who the origin is; 0: this bus.
    pub(crate) peer: u32,
    /// Number of the retained entry that this message is the state of; 0: none by key.
    pub(crate) entry: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_counts_units_messages_and_time() {
        let word = Claim(0).claimed(5, 1, 70).claimed(3, 2, 90);
        assert_eq!((word.units(), word.messages(), word.time()), (8, 3, 90));
        assert!(word.fits(2, 10) && !word.fits(3, 10));
        assert!(!Claim(word.0 | Claim::SEALED).fits(1, Claim::MAX_UNITS));
        assert!(!word.closed().fits(0, Claim::MAX_UNITS - 1));
    }

    #[test]
    fn time_never_falls_and_says_when_it_is_full() {
        let word = Claim(0).claimed(1, 1, 90);
        assert_eq!(word.time_at(50), Some(90));
        assert_eq!(word.time_at(91), Some(91));
        assert_eq!(word.time_at(1 << 38), None);
        assert_eq!(word.touched().map(Claim::time), Some(91));
        assert_eq!(Claim(TIME_MASK).touched(), None);
    }

    #[test]
    fn a_head_carries_its_fields_apart() {
        let head = Head::new(Class::ALL, 384, SENDER_IDS - 1, true, false);
        assert_eq!((head.bits(), head.len(), head.sender()), (u32::MAX, 384, SENDER_IDS - 1));
        assert!(head.is_retained() && !head.has_extra() && !head.is_end());
        assert!(Head::END.is_end() && Head::END.0 != 0);
        assert_eq!(Head::new(Class::NETWORK, 0, 0, false, false).units(), 1);
        assert_eq!(Head::new(Class::NETWORK, 64, 0, false, false).units(), 5);
        assert_eq!(Head::new(Class::NETWORK, 1, 0, false, true).units(), 4);
    }
}
