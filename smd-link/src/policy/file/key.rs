//! The keys, and in which sections each may stand.

use crate::policy::limit::{COUNT as LIMITS, Limit};
use crate::policy::rules::Section;

/// A key of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Key {
    Mode,
    Owner,
    Group,
    ForwardMetrics,
    Receive,
    Send,
    Limit(Limit),
}

/// A kind of section, for which keys it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Top,
    /// `[default]` and `[uid]` have the same keys.
    Uid,
    Gid,
}

impl Place {
    pub(super) const fn of(section: Section) -> Place {
        match section {
            Section::Top => Place::Top,
            Section::Default | Section::Uid(_) => Place::Uid,
            Section::Gid(_) | Section::Groups => Place::Gid,
        }
    }

    /// Names of its keys, for an error.
    pub(super) fn keys(self) -> Vec<&'static str> {
        Key::all().filter(|key| key.stands_in(self)).map(Key::name).collect()
    }
}

/// The keys that are no limits; a key's position here is its index.
const PLAIN: [Key; 6] =
    [Key::Mode, Key::Owner, Key::Group, Key::ForwardMetrics, Key::Receive, Key::Send];

impl Key {
    pub(super) const COUNT: usize = PLAIN.len() + LIMITS;

    pub(super) fn all() -> impl Iterator<Item = Key> {
        PLAIN.into_iter().chain(Limit::ALL.map(Key::Limit))
    }

    pub(super) fn named(name: &str) -> Option<Key> {
        Key::all().find(|key| key.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Key::Mode => "mode",
            Key::Owner => "owner",
            Key::Group => "group",
            Key::ForwardMetrics => "forward-metrics",
            Key::Receive => "receive",
            Key::Send => "send",
            Key::Limit(limit) => limit.key(),
        }
    }

    pub(super) fn index(self) -> usize {
        match self {
            Key::Mode => 0,
            Key::Owner => 1,
            Key::Group => 2,
            Key::ForwardMetrics => 3,
            Key::Receive => 4,
            Key::Send => 5,
            Key::Limit(limit) => PLAIN.len() + limit as usize,
        }
    }

    pub(super) fn stands_in(self, place: Place) -> bool {
        match self {
            Key::Mode | Key::Owner | Key::Group | Key::ForwardMetrics => place == Place::Top,
            Key::Receive | Key::Send => place != Place::Top,
            Key::Limit(limit) if limit.is_total() => place == Place::Top,
            Key::Limit(_) => place == Place::Uid,
        }
    }

    /// What its value looks like.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Key::Mode => "an octal mode such as 0660",
            Key::Owner => "the name or the number of a user",
            Key::Group => "the name or the number of a group",
            Key::ForwardMetrics => "on or off",
            Key::Receive | Key::Send => "classes such as NETWORK|user0, all or none",
            Key::Limit(limit) => limit.unit().form(),
        }
    }
}
