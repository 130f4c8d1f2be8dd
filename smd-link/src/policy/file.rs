//! The file: bytes in, a policy or an error with its place out.
//!
//! One pass over the lines. Each byte is looked at a fixed number of times, nothing is kept but the
//! policy, and everything that grows has a limit: [`MAX_FILE`], [`MAX_LINE`], [`MAX_SECTIONS`].

mod error;
mod key;
mod print;
#[cfg(test)]
mod tests;

pub use error::{PolicyError, PolicyErrorReason};

use std::collections::BTreeMap;
use std::collections::btree_map;

use smd_lockfree::Class;

use super::limit::ValueError;
use super::rules::{MAX_ID, MAX_MODE, PeerPolicy, Rule, Section};
use key::{Key, Place};

/// Longest file, in bytes. The printed form of every policy is shorter.
pub const MAX_FILE: usize = 1 << 20;

/// Longest line, in bytes, without its end.
pub const MAX_LINE: usize = 1024;

/// Most sections for uids and gids together.
pub const MAX_SECTIONS: usize = 256;

/// What a name in the file stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IdKind {
    /// A user, behind `owner` or in `[uid NAME]`.
    User,
    /// A group, behind `group` or in `[gid NAME]`.
    Group,
}

impl PeerPolicy {
    /// Reads a file. `resolve` gives the id of a user or group by name, `None` if there is none; it
    /// is asked once for each name that is not all digits, in the order of the file.
    ///
    /// ```
    /// use smd_link::policy::{IdKind, PeerPolicy};
    ///
    /// let file = b"group audio\nmode 0660\n";
    /// let policy = PeerPolicy::parse(file, |kind, name| match (kind, name) {
    ///     (IdKind::Group, "audio") => Some(29),
    ///     _ => None,
    /// })?;
    /// assert_eq!((policy.mode(), policy.group()), (0o660, Some(29)));
    ///
    /// let error = PeerPolicy::parse(b"mode 0600\nmoed 1\n", |_, _| None).unwrap_err();
    /// assert_eq!((error.line, error.column), (2, 1));
    /// # Ok::<(), smd_link::policy::PolicyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`PolicyError`], for the first thing that is wrong: nothing is guessed or left out.
    pub fn parse(
        file: &[u8],
        mut resolve: impl FnMut(IdKind, &str) -> Option<u32>,
    ) -> Result<PeerPolicy, PolicyError> {
        if let Some(head) = file.get(..MAX_FILE).filter(|head| head.len() < file.len()) {
            let line = head.iter().filter(|byte| **byte == b'\n').count() + 1;
            let column = head.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
            let reason = PolicyErrorReason::FileTooLong { len: file.len(), max: MAX_FILE };
            return Err(PolicyError { line, column, reason });
        }
        let mut parser = Parser::new(&mut resolve);
        for (index, bytes) in file.split(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            parser.line(number, bytes)?;
        }
        parser.end_section()?;
        Ok(parser.policy)
    }
}

/// A reason and the byte of its line, from 0.
struct At(usize, PolicyErrorReason);

impl At {
    fn in_line(self, line: usize) -> PolicyError {
        PolicyError { line, column: self.0 + 1, reason: self.1 }
    }
}

/// A part of a line, and the byte at which it begins.
#[derive(Clone, Copy)]
struct Part<'a> {
    at: usize,
    text: &'a str,
}

struct Parser<'r> {
    policy: PeerPolicy,
    resolve: &'r mut dyn FnMut(IdKind, &str) -> Option<u32>,
    section: Section,
    /// Of the present section: the line and byte of its head.
    head: (usize, usize),
    rule: Rule,
    /// Lines of the keys of the present section; 0: not seen.
    seen: [usize; Key::COUNT],
    sections: BTreeMap<Section, usize>,
}

impl<'r> Parser<'r> {
    fn new(resolve: &'r mut dyn FnMut(IdKind, &str) -> Option<u32>) -> Parser<'r> {
        Parser {
            policy: PeerPolicy::default(),
            resolve,
            section: Section::Top,
            head: (1, 0),
            rule: Rule::new(),
            seen: [0; Key::COUNT],
            sections: BTreeMap::new(),
        }
    }

    fn line(&mut self, number: usize, bytes: &[u8]) -> Result<(), PolicyError> {
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let text = as_text(bytes).map_err(|at| at.in_line(number))?;
        let line = Part { at: 0, text }.without_comment().trim();
        let done = if line.text.is_empty() {
            Ok(())
        } else if line.text.starts_with('[') {
            self.end_section()?;
            self.open_section(number, line)
        } else {
            self.entry(number, line)
        };
        done.map_err(|at| at.in_line(number))
    }

    fn open_section(&mut self, number: usize, line: Part<'_>) -> Result<(), At> {
        let malformed = At(line.at, PolicyErrorReason::Section { text: line.text.to_owned() });
        let inside = line.text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let Some(text) = inside else { return Err(malformed) };
        let (kind, name) = Part { at: line.at + 1, text }.trim().split_at_blank();
        let section = match (kind.text, name.text) {
            ("default", "") => Section::Default,
            ("uid" | "gid", "") => return Err(malformed),
            ("uid", _) => Section::Uid(self.id(IdKind::User, name)?),
            ("gid", _) => Section::Gid(self.id(IdKind::Group, name)?),
            _ => return Err(malformed),
        };
        let named = self.sections.keys().filter(|known| **known != Section::Default).count();
        match self.sections.entry(section) {
            btree_map::Entry::Occupied(first) => {
                let reason = PolicyErrorReason::DuplicateSection { section, first: *first.get() };
                return Err(At(line.at, reason));
            }
            btree_map::Entry::Vacant(_) if section != Section::Default && named >= MAX_SECTIONS => {
                return Err(At(line.at, PolicyErrorReason::TooManySections { max: MAX_SECTIONS }));
            }
            btree_map::Entry::Vacant(place) => place.insert(number),
        };
        (self.section, self.head) = (section, (number, line.at));
        (self.rule, self.seen) = (Rule::new(), [0; Key::COUNT]);
        Ok(())
    }

    /// Puts what the present section says into the policy.
    fn end_section(&mut self) -> Result<(), PolicyError> {
        match self.section {
            Section::Uid(_) | Section::Gid(_) if self.rule == Rule::new() => {
                let (line, at) = self.head;
                let reason = PolicyErrorReason::EmptySection { section: self.section };
                return Err(At(at, reason).in_line(line));
            }
            Section::Uid(uid) => drop(self.policy.uids.insert(uid, self.rule)),
            Section::Gid(gid) => drop(self.policy.gids.insert(gid, self.rule)),
            _ => {}
        }
        Ok(())
    }

    fn entry(&mut self, number: usize, line: Part<'_>) -> Result<(), At> {
        let (name, value) = line.split_at_blank();
        let place = Place::of(self.section);
        let Some(key) = Key::named(name.text) else {
            let (key, keys) = (name.text.to_owned(), place.keys());
            return Err(At(name.at, PolicyErrorReason::UnknownKey { key, keys }));
        };
        let key_name = key.name();
        if !key.stands_in(place) {
            let (section, keys) = (self.section, place.keys());
            return Err(At(
                name.at,
                PolicyErrorReason::KeyNotHere { key: key_name, section, keys },
            ));
        }
        let seen = &mut self.seen[key.index()];
        if *seen != 0 {
            let reason = PolicyErrorReason::DuplicateKey { key: key_name, first: *seen };
            return Err(At(name.at, reason));
        }
        *seen = number;
        if value.text.is_empty() {
            let at = name.at + name.text.len();
            return Err(At(
                at,
                PolicyErrorReason::NoValue { key: key_name, expected: key.expected() },
            ));
        }
        self.set(key, value)
    }

    fn set(&mut self, key: Key, value: Part<'_>) -> Result<(), At> {
        let malformed = || {
            let (text, expected) = (value.text.to_owned(), key.expected());
            At(value.at, PolicyErrorReason::Value { key: key.name(), text, expected })
        };
        match key {
            Key::Mode => {
                let digits = value.text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
                let mode = digits.then(|| u32::from_str_radix(value.text, 8));
                let mode = mode.ok_or_else(malformed)?.ok().filter(|mode| *mode <= MAX_MODE);
                self.policy.mode = mode.ok_or(At(value.at, PolicyErrorReason::ModeOutOfRange))?;
            }
            Key::Owner => self.policy.owner = Some(self.id(IdKind::User, value)?),
            Key::Group => self.policy.group = Some(self.id(IdKind::Group, value)?),
            Key::ForwardMetrics => {
                self.policy.forward_metrics = match value.text {
                    "on" => true,
                    "off" => false,
                    _ => return Err(malformed()),
                };
            }
            Key::Receive => {
                let classes = classes(value)?;
                self.rule.receive = Some(classes);
                if self.section == Section::Default {
                    self.policy.receive = classes;
                }
            }
            Key::Send => {
                let classes = classes(value)?;
                self.rule.send = Some(classes);
                if self.section == Section::Default {
                    self.policy.send = classes;
                }
            }
            Key::Limit(limit) => {
                let out_of_range = || At(value.at, PolicyErrorReason::OutOfRange { limit });
                let number = limit.unit().parse(value.text).map_err(|error| match error {
                    ValueError::Form => malformed(),
                    ValueError::TooLarge => out_of_range(),
                })?;
                if !(limit.min()..=limit.max()).contains(&number) {
                    return Err(out_of_range());
                }
                self.rule.limits[limit as usize] = Some(number);
                if let Section::Top | Section::Default = self.section {
                    self.policy.limits.set(limit, number);
                }
            }
        }
        Ok(())
    }

    /// A number, or a name that the caller knows.
    fn id(&mut self, kind: IdKind, value: Part<'_>) -> Result<u32, At> {
        let id = if value.text.bytes().all(|byte| byte.is_ascii_digit()) {
            value.text.parse().unwrap_or(u32::MAX)
        } else {
            let name = || value.text.to_owned();
            let unknown = || At(value.at, PolicyErrorReason::UnknownName { kind, name: name() });
            (self.resolve)(kind, value.text).ok_or_else(unknown)?
        };
        let valid = Some(id).filter(|id| *id <= MAX_ID);
        valid.ok_or(At(value.at, PolicyErrorReason::IdOutOfRange { kind, max: MAX_ID }))
    }
}

/// The text of a line, if it is one.
fn as_text(bytes: &[u8]) -> Result<&str, At> {
    if bytes.len() > MAX_LINE {
        let reason = PolicyErrorReason::LineTooLong { len: bytes.len(), max: MAX_LINE };
        return Err(At(MAX_LINE, reason));
    }
    let control = bytes.iter().position(|byte| byte.is_ascii_control() && *byte != b'\t');
    let text = core::str::from_utf8(bytes);
    let valid = text.map_or_else(|error| error.valid_up_to(), str::len);
    match (control, text) {
        (Some(at), _) if at < valid => Err(At(
            at,
            match bytes[at] {
                0 => PolicyErrorReason::Nul,
                byte => PolicyErrorReason::Control { byte },
            },
        )),
        (_, Err(_)) => Err(At(valid, PolicyErrorReason::Utf8)),
        (_, Ok(text)) => Ok(text),
    }
}

fn classes(value: Part<'_>) -> Result<Class, At> {
    value.text.parse().map_err(|error| {
        At(value.at + error::place_in_classes(&error), PolicyErrorReason::Class { cause: error })
    })
}

const BLANKS: [char; 2] = [' ', '\t'];

impl<'a> Part<'a> {
    /// A `#` at the beginning or behind a blank begins a comment.
    fn without_comment(self) -> Part<'a> {
        let bytes = self.text.as_bytes();
        let begins =
            |at: &usize| bytes[*at] == b'#' && (*at == 0 || matches!(bytes[*at - 1], b' ' | b'\t'));
        let end = (0..bytes.len()).find(begins).unwrap_or(bytes.len());
        Part { at: self.at, text: &self.text[..end] }
    }

    fn trim(self) -> Part<'a> {
        let text = self.text.trim_start_matches(BLANKS);
        let at = self.at + self.text.len() - text.len();
        Part { at, text: text.trim_end_matches(BLANKS) }
    }

    /// What stands before the first blank, and what behind it.
    fn split_at_blank(self) -> (Part<'a>, Part<'a>) {
        let end = self.text.find(BLANKS).unwrap_or(self.text.len());
        let (first, rest) = self.text.split_at(end);
        (Part { at: self.at, text: first }, Part { at: self.at + end, text: rest }.trim())
    }
}
