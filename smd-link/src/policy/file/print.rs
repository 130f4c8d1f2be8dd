//! A policy as the file that gives it back: every key with its value, and a comment that says what
//! it is. Of the default policy that is the template which an administrator begins with.

use core::fmt;

use super::key::Key;
use crate::policy::limit::Limit;
use crate::policy::rules::{PeerPolicy, Rule, Section};

const HEAD: &str = "\
# Who may connect to this bus, receive and send what, and how much.
#
# Lines are `key value`. `#` at the beginning of a line or behind a blank begins a comment. Users
# and groups are names or numbers. Classes are INTERACTION, SYSTEM_STATE, NETWORK, METRICS, user0
# to user7, bit numbers 0 to 31, masks 0x.., all, none, joined by `|` or `,`.
";

const DEFAULT: &str = "\
# For everybody, where no section below says otherwise. A message of several classes needs all of
# them permitted to its sender, and one of them to its receiver.
";

const SECTIONS: &str = "\
# Sections for users and groups. For each of `receive` and `send` the section of the user decides;
# if it says nothing, all that the sections of its groups permit together; else [default]. Limits
# can be set for users only. For example:
#
#   [uid 1000]
#   send NETWORK|user0
#   peer-messages-per-second 100
#
#   [gid audio]
#   receive user1
";

/// The normal form of the file: ids as numbers, sections of users first, the smallest number first.
/// [`PeerPolicy::parse`] gives an equal policy back, and needs no names for it.
impl fmt::Display for PeerPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        writeln!(f, "\n# Permissions of the socket file, octal: who may write may connect.")?;
        writeln!(f, "mode {:04o}", self.mode)?;
        id(f, "Owner", Key::Owner, self.owner)?;
        id(f, "Group", Key::Group, self.group)?;
        writeln!(
            f,
            "\n# Whether METRICS of a peer reach other peers, or this process only: on or off."
        )?;
        writeln!(f, "forward-metrics {}", if self.forward_metrics { "on" } else { "off" })?;
        for limit in Limit::ALL.into_iter().filter(|limit| limit.is_total()) {
            limit_line(f, limit, self.limits.get(limit))?;
        }
        write!(f, "\n{DEFAULT}[default]\n")?;
        writeln!(f, "receive {}\nsend {}", self.receive, self.send)?;
        for limit in Limit::ALL.into_iter().filter(|limit| !limit.is_total()) {
            limit_line(f, limit, self.limits.get(limit))?;
        }
        write!(f, "\n{SECTIONS}")?;
        for (uid, rule) in &self.uids {
            section(f, Section::Uid(*uid), rule)?;
        }
        for (gid, rule) in &self.gids {
            section(f, Section::Gid(*gid), rule)?;
        }
        Ok(())
    }
}

/// A line for an id; where there is none the line is a comment.
fn id(f: &mut fmt::Formatter<'_>, what: &str, key: Key, id: Option<u32>) -> fmt::Result {
    let (key, expected) = (key.name(), key.expected());
    writeln!(f, "\n# {what} of the socket file, {expected}; without a line: as it is made.")?;
    match id {
        Some(id) => writeln!(f, "{key} {id}"),
        None => writeln!(f, "# {key} root"),
    }
}

fn limit_line(f: &mut fmt::Formatter<'_>, limit: Limit, value: u32) -> fmt::Result {
    let unit = limit.unit();
    let (min, max) = (unit.show(limit.min()), unit.show(limit.max()));
    writeln!(f, "\n# Limit, {min} to {max}: {}.", limit.meaning())?;
    writeln!(f, "{} {}", limit.key(), unit.show(value))
}

fn section(f: &mut fmt::Formatter<'_>, section: Section, rule: &Rule) -> fmt::Result {
    writeln!(f, "\n{section}")?;
    if let Some(classes) = rule.receive {
        writeln!(f, "receive {classes}")?;
    }
    if let Some(classes) = rule.send {
        writeln!(f, "send {classes}")?;
    }
    for (limit, value) in rule.set_limits() {
        writeln!(f, "{} {}", limit.key(), limit.unit().show(value))?;
    }
    Ok(())
}
