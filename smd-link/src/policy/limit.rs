//! The limits: one table says their keys, ranges and defaults, for all who ask.

#[cfg(test)]
mod tests;

use core::fmt;

/// What is limited. Each has a key in the file, a range, and a default.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Limit {
    /// Connections at a time, of all uids together.
    Connections,
    /// Peers at a time, of all uids together, those included that are away and may come back.
    Peers,
    /// Connections of a uid at a time.
    UidConnections,
    /// Attempts to connect of a uid in a second, in the long run.
    UidConnectsPerSecond,
    /// Attempts to connect of a uid at once.
    UidConnectBurst,
    /// Peers of a uid at a time, those included that are away and may come back.
    UidPeers,
    /// Bytes that wait for the peers of a uid.
    UidQueuedBytes,
    /// Messages that wait for the peers of a uid.
    UidQueuedMessages,
    /// Messages that the peers of a uid send in a second, in the long run.
    UidMessagesPerSecond,
    /// Messages that the peers of a uid send at once.
    UidMessageBurst,
    /// Bytes that wait for a peer.
    PeerQueuedBytes,
    /// Messages that wait for a peer.
    PeerQueuedMessages,
    /// Messages that a peer sends in a second, in the long run.
    PeerMessagesPerSecond,
    /// Messages that a peer sends at once.
    PeerMessageBurst,
    /// The time in which a peer that went away may come back, in milliseconds.
    Grace,
}

/// How a value is written in the file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Unit {
    /// A number: `64`.
    Count,
    /// A number of bytes: `4096`, `4KiB`, `8MiB`, `1GiB`.
    Bytes,
    /// A time: `500ms`, `2s`. The unit must be there; the value is in milliseconds.
    Millis,
}

/// A row of the table.
struct Row {
    limit: Limit,
    key: &'static str,
    unit: Unit,
    min: u32,
    max: u32,
    default: u32,
    meaning: &'static str,
}

const fn row(
    limit: Limit,
    key: &'static str,
    unit: Unit,
    (min, default, max): (u32, u32, u32),
    meaning: &'static str,
) -> Row {
    Row { limit, key, unit, min, max, default, meaning }
}

/// How many limits there are; [`Limit::Grace`] is the last.
pub(super) const COUNT: usize = Limit::Grace as usize + 1;

const KIB: u32 = 1 << 10;
const MIB: u32 = 1 << 20;
const GIB: u32 = 1 << 30;

// Defaults: a peer's queue holds the bus's default depth (4096 messages) of longest messages (400
// bytes), rounded up. A uid has four times what a peer has, so that one busy peer of it leaves room
// for others. The whole has sixteen times the connections of a uid, so that a uid cannot take it.
// Half of all peers may be away, which is what a restart of all clients looks like.
//
// Ranges: no queue is too small for a message and its frame. No value passes 32 bits.
static TABLE: [Row; COUNT] = {
    use Limit::*;
    use Unit::*;
    const RATE: u32 = 100_000_000;
    [
        row(Connections, "connections", Count, (1, 1024, 65_535), "connections at a time, of all"),
        row(Peers, "peers", Count, (1, 2048, 131_070), "peers at a time, of all, also away"),
        row(UidConnections, "uid-connections", Count, (1, 64, 65_535), "connections of a uid"),
        row(
            UidConnectsPerSecond,
            "uid-connects-per-second",
            Count,
            (1, 20, 1_000_000),
            "attempts of a uid to connect, each second in the long run",
        ),
        row(
            UidConnectBurst,
            "uid-connect-burst",
            Count,
            (1, 64, 1_000_000),
            "attempts of a uid to connect, at once",
        ),
        row(UidPeers, "uid-peers", Count, (1, 128, 131_070), "peers of a uid, also away"),
        row(
            UidQueuedBytes,
            "uid-queued-bytes",
            Bytes,
            (4 * KIB, 8 * MIB, GIB),
            "bytes that wait for the peers of a uid",
        ),
        row(
            UidQueuedMessages,
            "uid-queued-messages",
            Count,
            (1, 16_384, 16_777_216),
            "messages that wait for the peers of a uid",
        ),
        row(
            UidMessagesPerSecond,
            "uid-messages-per-second",
            Count,
            (1, 40_000, RATE),
            "messages from the peers of a uid, each second in the long run",
        ),
        row(
            UidMessageBurst,
            "uid-message-burst",
            Count,
            (1, 16_384, RATE),
            "messages from the peers of a uid, at once",
        ),
        row(
            PeerQueuedBytes,
            "peer-queued-bytes",
            Bytes,
            (4 * KIB, 2 * MIB, GIB),
            "bytes that wait for a peer",
        ),
        row(
            PeerQueuedMessages,
            "peer-queued-messages",
            Count,
            (1, 4096, 1_048_576),
            "messages that wait for a peer",
        ),
        row(
            PeerMessagesPerSecond,
            "peer-messages-per-second",
            Count,
            (1, 10_000, RATE),
            "messages from a peer, each second in the long run",
        ),
        row(
            PeerMessageBurst,
            "peer-message-burst",
            Count,
            (1, 4096, RATE),
            "messages from a peer, at once",
        ),
        row(
            Grace,
            "grace",
            Millis,
            (0, 2000, 3_600_000),
            "time in which a peer that went away may come back, 0s: none",
        ),
    ]
};

// A limit is its own index into the table.
const _: () = {
    let mut index = 0;
    while index < COUNT {
        assert!(TABLE[index].limit as usize == index);
        assert!(TABLE[index].min <= TABLE[index].default);
        assert!(TABLE[index].default <= TABLE[index].max);
        index += 1;
    }
};

impl Limit {
    /// Every limit, in the order of the file's template.
    pub const ALL: [Limit; COUNT] = {
        let mut all = [Limit::Connections; COUNT];
        let mut index = 0;
        while index < COUNT {
            all[index] = TABLE[index].limit;
            index += 1;
        }
        all
    };

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The key of the file that sets it.
    pub fn key(self) -> &'static str {
        self.row().key
    }

    /// How its value is written.
    pub fn unit(self) -> Unit {
        self.row().unit
    }

    /// The least value that may be set.
    pub fn min(self) -> u32 {
        self.row().min
    }

    /// The largest value that may be set.
    pub fn max(self) -> u32 {
        self.row().max
    }

    /// The value where nobody sets one.
    pub fn default_value(self) -> u32 {
        self.row().default
    }

    /// What it counts, in a few words.
    pub fn meaning(self) -> &'static str {
        self.row().meaning
    }

    /// Whether it is for all uids together: it stands at the top of the file, not in a section.
    pub const fn is_total(self) -> bool {
        matches!(self, Limit::Connections | Limit::Peers)
    }
}

/// A value for each limit.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Limits([u32; COUNT]);

impl Limits {
    pub(super) fn get(&self, limit: Limit) -> u32 {
        self.0[limit as usize]
    }

    pub(super) fn set(&mut self, limit: Limit, value: u32) {
        self.0[limit as usize] = value;
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits(Limit::ALL.map(Limit::default_value))
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(Limit::ALL.map(|limit| (limit.key(), self.get(limit)))).finish()
    }
}

/// Why a text is no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ValueError {
    /// No number, or not the unit.
    Form,
    /// More than 32 bits.
    TooLarge,
}

impl Unit {
    /// Suffixes and what they multiply by, the largest last.
    const fn suffixes(self) -> &'static [(&'static str, u32)] {
        match self {
            Unit::Count => &[("", 1)],
            Unit::Bytes => &[("", 1), ("KiB", KIB), ("MiB", MIB), ("GiB", GIB)],
            Unit::Millis => &[("ms", 1), ("s", 1000)],
        }
    }

    /// What a value looks like, for an error.
    pub(super) const fn form(self) -> &'static str {
        match self {
            Unit::Count => "a number such as 64",
            Unit::Bytes => "a number of bytes such as 4096, 64KiB or 2MiB",
            Unit::Millis => "a time such as 500ms or 2s",
        }
    }

    /// Digits and a suffix, with nothing between them.
    pub(super) fn parse(self, text: &str) -> Result<u32, ValueError> {
        let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
        let (digits, suffix) = text.split_at(end);
        let known = self.suffixes().iter().find(|(name, _)| *name == suffix);
        let (_, factor) = known.filter(|_| !digits.is_empty()).ok_or(ValueError::Form)?;
        let number: u32 = digits.parse().map_err(|_| ValueError::TooLarge)?;
        number.checked_mul(*factor).ok_or(ValueError::TooLarge)
    }

    /// The value as [`Unit::parse`] reads it, with the largest suffix that loses nothing.
    pub(super) fn show(self, value: u32) -> impl fmt::Display {
        Shown { unit: self, value }
    }
}

struct Shown {
    unit: Unit,
    value: u32,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffixes = self.unit.suffixes();
        let whole = |(_, factor): &&(&str, u32)| self.value.is_multiple_of(*factor);
        let fit = suffixes.iter().rev().find(whole);
        let (suffix, factor) = fit.copied().unwrap_or(suffixes[0]);
        write!(f, "{}{suffix}", self.value / factor)
    }
}
