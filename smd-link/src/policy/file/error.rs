//! What can be wrong with a file, and where.

use core::fmt;

use smd_lockfree::ParseClassError;

use super::IdKind;
#[cfg(doc)]
use super::{MAX_FILE, MAX_LINE, MAX_SECTIONS};
use crate::policy::limit::Limit;
#[cfg(doc)]
use crate::policy::rules::MAX_ID;
use crate::policy::rules::{MAX_MODE, Section};

/// Why a file is no policy, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PolicyError {
    /// The line, from 1.
    pub line: usize,
    /// The byte of that line, from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: PolicyErrorReason,
}

/// What is wrong with a file.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PolicyErrorReason {
    /// The file is too long.
    FileTooLong {
        /// Bytes that it has.
        len: usize,
        /// Bytes that it may have: [`MAX_FILE`].
        max: usize,
    },
    /// The line is too long.
    LineTooLong {
        /// Bytes that it has.
        len: usize,
        /// Bytes that it may have: [`MAX_LINE`].
        max: usize,
    },
    /// A byte 0.
    Nul,
    /// A control character other than a tab or the end of a line.
    Control {
        /// The byte.
        byte: u8,
    },
    /// Bytes that are no UTF-8.
    Utf8,
    /// A line that begins as a section and is none.
    Section {
        /// The line.
        text: String,
    },
    /// A section that was there before, perhaps by another name.
    DuplicateSection {
        /// Which.
        section: Section,
        /// The line of the first.
        first: usize,
    },
    /// More sections than a file may have.
    TooManySections {
        /// Sections for uids and gids that it may have: [`MAX_SECTIONS`].
        max: usize,
    },
    /// A section for a uid or gid without a key: it would change nothing, though it looks as if.
    EmptySection {
        /// Which.
        section: Section,
    },
    /// No such key.
    UnknownKey {
        /// What was given.
        key: String,
        /// The keys of this section.
        keys: Vec<&'static str>,
    },
    /// A key of another section.
    KeyNotHere {
        /// The key.
        key: &'static str,
        /// This section.
        section: Section,
        /// The keys of this section.
        keys: Vec<&'static str>,
    },
    /// A key that was there before in this section.
    DuplicateKey {
        /// The key.
        key: &'static str,
        /// The line of the first.
        first: usize,
    },
    /// A key without a value.
    NoValue {
        /// The key.
        key: &'static str,
        /// What a value looks like.
        expected: &'static str,
    },
    /// A value of another form.
    Value {
        /// The key.
        key: &'static str,
        /// What was given.
        text: String,
        /// What a value looks like.
        expected: &'static str,
    },
    /// No classes.
    Class {
        /// Why. Its byte counts in the value; the column of the error says the same place.
        cause: ParseClassError,
    },
    /// The value of a limit is too small or too large.
    OutOfRange {
        /// Which; it says the range.
        limit: Limit,
    },
    /// A mode above [`MAX_MODE`].
    ModeOutOfRange,
    /// A number above [`MAX_ID`], or a name that stands for one.
    IdOutOfRange {
        /// Of what.
        kind: IdKind,
        /// The largest.
        max: u32,
    },
    /// A name that nobody has.
    UnknownName {
        /// Of what.
        kind: IdKind,
        /// The name.
        name: String,
    },
}

/// The byte of a text at which it is no class.
pub(super) fn place_in_classes(error: &ParseClassError) -> usize {
    match *error {
        ParseClassError::Empty { at }
        | ParseClassError::Unknown { at }
        | ParseClassError::OutOfRange { at } => at,
        _ => 0,
    }
}

impl fmt::Display for IdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IdKind::User => "user",
            IdKind::Group => "group",
        })
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.reason)
    }
}

impl fmt::Display for PolicyErrorReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use PolicyErrorReason::*;
        match self {
            FileTooLong { len, max } => {
                write!(f, "the file of {len} bytes is over the limit of {max}")
            }
            LineTooLong { len, max } => {
                write!(f, "the line of {len} bytes is over the limit of {max}")
            }
            Nul => f.write_str("a byte 0 in the text"),
            Control { byte } => write!(f, "a control character {byte:#04x} in the text"),
            Utf8 => f.write_str("the text is no valid UTF-8"),
            Section { text } => write!(
                f,
                "{text:?} is no section: expected [default], [uid NAME] or [gid NAME], or a number \
                 in place of the name"
            ),
            DuplicateSection { section, first } => {
                write!(f, "{section} is there already, in line {first}")
            }
            TooManySections { max } => {
                write!(f, "more than the limit of {max} sections for uids and gids")
            }
            EmptySection { section } => {
                write!(f, "{section} says nothing: at least one key is needed")
            }
            UnknownKey { key, keys } => {
                write!(f, "unknown key {key:?}: expected one of {}", keys.join(", "))
            }
            KeyNotHere { key, section, keys } => {
                write!(f, "{key} cannot be set in {section}: expected one of {}", keys.join(", "))
            }
            DuplicateKey { key, first } => write!(f, "{key} is there already, in line {first}"),
            NoValue { key, expected } => write!(f, "{key} has no value: expected {expected}"),
            Value { key, text, expected } => {
                write!(f, "{text:?} is no value of {key}: expected {expected}")
            }
            // Without the byte that the cause names: the column says it.
            Class { cause } => f.write_str(match cause {
                ParseClassError::Empty { .. } => "no class name between two separators",
                ParseClassError::OutOfRange { .. } => {
                    "class out of range: bit numbers end at 31, user classes at 7, masks at \
                     0xffffffff"
                }
                _ => {
                    "unknown class: expected INTERACTION, SYSTEM_STATE, NETWORK, METRICS, user0 to \
                     user7, a bit number 0 to 31, a mask 0x.., all or none"
                }
            }),
            OutOfRange { limit } => write!(
                f,
                "{} is out of the limits {} to {}",
                limit.key(),
                limit.unit().show(limit.min()),
                limit.unit().show(limit.max())
            ),
            ModeOutOfRange => write!(f, "mode is out of the limits 0 to {MAX_MODE:04o}"),
            IdOutOfRange { kind, max } => {
                write!(f, "the id of the {kind} is out of the limits 0 to {max}")
            }
            UnknownName { kind, name } => write!(f, "no {kind} has the name {name:?}"),
        }
    }
}

impl std::error::Error for PolicyErrorReason {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            PolicyErrorReason::Class { cause } => Some(cause),
            _ => None,
        }
    }
}

impl std::error::Error for PolicyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.reason)
    }
}
