//! A policy from values, with the checks that a file gets as well.

use core::fmt;

use super::{MAX_ID, MAX_MODE, PeerPolicy, Rule, Section};
use crate::policy::file::MAX_SECTIONS;
use crate::policy::limit::Limit;

/// Collects a policy; [`build`](PolicyBuilder::build) checks it.
///
/// ```
/// use smd_link::policy::{Limit, PeerPolicy, PolicyBuildError, Rule, Section};
///
/// let rule = Rule::new().limit(Limit::UidConnections, 0);
/// let error = PeerPolicy::builder().uid(1000, rule).build().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "uid-connections in [uid 1000] is 0, out of the limits 1 to 65535"
/// );
/// ```
#[derive(Clone, Debug, Default)]
pub struct PolicyBuilder {
    policy: PeerPolicy,
    rules: Vec<(Section, Rule)>,
}

/// Why no policy was built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PolicyBuildError {
    /// A value is out of its limits.
    OutOfRange {
        /// Where.
        section: Section,
        /// Of which key.
        key: &'static str,
        /// What was given.
        given: u32,
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
    /// A key that this section does not have.
    NotHere {
        /// The section.
        section: Section,
        /// The key.
        key: &'static str,
    },
    /// A rule for a uid or gid says nothing.
    EmptySection {
        /// Which.
        section: Section,
    },
    /// Two rules for one uid, gid, or the default.
    DuplicateSection {
        /// Which.
        section: Section,
    },
    /// There are more rules than a policy may have.
    TooManySections {
        /// The most: [`MAX_SECTIONS`].
        max: usize,
    },
}

impl PolicyBuilder {
    /// Permission bits of the socket file.
    pub fn mode(mut self, mode: u32) -> PolicyBuilder {
        self.policy.mode = mode;
        self
    }

    /// User who is to own the socket file.
    pub fn owner(mut self, uid: u32) -> PolicyBuilder {
        self.policy.owner = Some(uid);
        self
    }

    /// Group of the socket file.
    pub fn group(mut self, gid: u32) -> PolicyBuilder {
        self.policy.group = Some(gid);
        self
    }

    /// Whether METRICS of a peer reach other peers; they do by default.
    pub fn forward_metrics(mut self, forward: bool) -> PolicyBuilder {
        self.policy.forward_metrics = forward;
        self
    }

    /// A limit of all uids together, such as [`Limit::Connections`], or the default of another.
    pub fn limit(mut self, limit: Limit, value: u32) -> PolicyBuilder {
        self.policy.limits.set(limit, value);
        self
    }

    /// For everybody without a rule that says otherwise.
    pub fn default_rule(mut self, rule: Rule) -> PolicyBuilder {
        self.rules.push((Section::Default, rule));
        self
    }

    /// For a user.
    pub fn uid(mut self, uid: u32, rule: Rule) -> PolicyBuilder {
        self.rules.push((Section::Uid(uid), rule));
        self
    }

    /// For a group: `receive` and `send` only.
    pub fn gid(mut self, gid: u32, rule: Rule) -> PolicyBuilder {
        self.rules.push((Section::Gid(gid), rule));
        self
    }

    /// The policy.
    ///
    /// # Errors
    ///
    /// [`PolicyBuildError`], for the first thing that is wrong.
    pub fn build(self) -> Result<PeerPolicy, PolicyBuildError> {
        let PolicyBuilder { mut policy, rules } = self;
        in_range(Section::Top, "mode", policy.mode, (0, MAX_MODE))?;
        in_range(Section::Top, "owner", policy.owner.unwrap_or(0), (0, MAX_ID))?;
        in_range(Section::Top, "group", policy.group.unwrap_or(0), (0, MAX_ID))?;
        for limit in Limit::ALL {
            let section = if limit.is_total() { Section::Top } else { Section::Default };
            limit_in_range(section, limit, policy.limits.get(limit))?;
        }
        let mut default = None;
        for (section, rule) in rules {
            check(section, &rule)?;
            let before = match section {
                Section::Uid(uid) => policy.uids.insert(uid, rule),
                Section::Gid(gid) => policy.gids.insert(gid, rule),
                _ => default.replace(rule),
            };
            if before.is_some() {
                return Err(PolicyBuildError::DuplicateSection { section });
            }
            if policy.uids.len() + policy.gids.len() > MAX_SECTIONS {
                return Err(PolicyBuildError::TooManySections { max: MAX_SECTIONS });
            }
        }
        if let Some(rule) = default {
            policy.receive = rule.receive.unwrap_or(policy.receive);
            policy.send = rule.send.unwrap_or(policy.send);
            for (limit, value) in rule.set_limits() {
                policy.limits.set(limit, value);
            }
        }
        Ok(policy)
    }
}

/// A rule says what its section may say, in the limits.
fn check(section: Section, rule: &Rule) -> Result<(), PolicyBuildError> {
    if let Section::Uid(id) | Section::Gid(id) = section {
        in_range(section, "id", id, (0, MAX_ID))?;
        if *rule == Rule::new() {
            return Err(PolicyBuildError::EmptySection { section });
        }
    }
    for (limit, value) in rule.set_limits() {
        if limit.is_total() || matches!(section, Section::Gid(_)) {
            return Err(PolicyBuildError::NotHere { section, key: limit.key() });
        }
        limit_in_range(section, limit, value)?;
    }
    Ok(())
}

fn limit_in_range(section: Section, limit: Limit, value: u32) -> Result<(), PolicyBuildError> {
    in_range(section, limit.key(), value, (limit.min(), limit.max()))
}

fn in_range(
    section: Section,
    key: &'static str,
    given: u32,
    (min, max): (u32, u32),
) -> Result<(), PolicyBuildError> {
    if (min..=max).contains(&given) {
        return Ok(());
    }
    Err(PolicyBuildError::OutOfRange { section, key, given, min, max })
}

impl fmt::Display for PolicyBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PolicyBuildError::OutOfRange { section, key, given, min, max } if *key == "mode" => {
                write!(
                    f,
                    "mode at {section} is {given:04o}, out of the limits {min:04o} to {max:04o}"
                )
            }
            PolicyBuildError::OutOfRange { section, key, given, min, max } => {
                write!(f, "{key} in {section} is {given}, out of the limits {min} to {max}")
            }
            PolicyBuildError::NotHere { section, key } => {
                write!(f, "{key} cannot be set in {section}")
            }
            PolicyBuildError::EmptySection { section } => write!(f, "{section} says nothing"),
            PolicyBuildError::DuplicateSection { section } => {
                write!(f, "{section} is there twice")
            }
            PolicyBuildError::TooManySections { max } => {
                write!(f, "more than the limit of {max} rules for uids and gids")
            }
        }
    }
}

impl std::error::Error for PolicyBuildError {}
