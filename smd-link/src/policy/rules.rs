//! The policy itself: rules for uids and gids, and one for everybody else.

mod builder;
#[cfg(test)]
mod tests;

pub use builder::{PolicyBuildError, PolicyBuilder};

use core::fmt;
use std::collections::BTreeMap;

use smd_lockfree::Class;

use super::credentials::Credentials;
use super::limit::{COUNT, Limit, Limits};
use super::permits::Permits;
use super::refusal::Refusal;

/// Mode of the socket file unless the policy says otherwise: its owner alone connects. Who opens it
/// to others says so, and then says what they may.
pub const DEFAULT_MODE: u32 = 0o600;

/// The most a mode may have: what is above has no meaning for a socket.
pub const MAX_MODE: u32 = 0o777;

/// The largest id of a user or group; the one above it stands for "none" in the kernel.
pub const MAX_ID: u32 = u32::MAX - 1;

/// A part of the file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Section {
    /// Before the first section.
    Top,
    /// `[default]`, or what holds where nothing is written.
    Default,
    /// `[uid N]`.
    Uid(u32),
    /// `[gid N]`.
    Gid(u32),
    /// The `[gid]` sections of a peer's groups, together.
    Groups,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Section::Top => f.write_str("the top of the file"),
            Section::Default => f.write_str("[default]"),
            Section::Uid(id) => write!(f, "[uid {id}]"),
            Section::Gid(id) => write!(f, "[gid {id}]"),
            Section::Groups => f.write_str("the [gid] sections of its groups"),
        }
    }
}

/// What a section says; what it does not say comes from elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Rule {
    pub(super) receive: Option<Class>,
    pub(super) send: Option<Class>,
    pub(super) limits: [Option<u32>; COUNT],
}

impl Rule {
    /// A rule that says nothing yet.
    pub const fn new() -> Rule {
        Rule { receive: None, send: None, limits: [None; COUNT] }
    }

    /// The classes that may be received.
    pub const fn receive(mut self, classes: Class) -> Rule {
        self.receive = Some(classes);
        self
    }

    /// The classes that may be sent.
    pub const fn send(mut self, classes: Class) -> Rule {
        self.send = Some(classes);
        self
    }

    /// The value of a limit: not in a rule for a gid, and none that counts all uids together.
    pub const fn limit(mut self, limit: Limit, value: u32) -> Rule {
        self.limits[limit as usize] = Some(value);
        self
    }

    /// The limits that it sets.
    pub(super) fn set_limits(&self) -> impl Iterator<Item = (Limit, u32)> {
        Limit::ALL.into_iter().filter_map(|limit| Some((limit, self.limits[limit as usize]?)))
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        map.entries(self.receive.map(|classes| ("receive", classes)));
        map.entries(self.send.map(|classes| ("send", classes)));
        map.entries(self.set_limits().map(|(limit, value)| (limit.key(), value))).finish()
    }
}

/// Who may connect, receive and send what, and how much.
///
/// Made by [`builder`](PeerPolicy::builder), read from a file by [`parse`](PeerPolicy::parse), and
/// printed by `Display` in the normal form of that file. The default is the owner of the socket
/// file alone, who may all.
///
/// **Precedence**, for each of `receive` and `send` on its own:
///
/// 1. what the section of the peer's uid says;
/// 2. else the union of what the sections of its groups say;
/// 3. else what `[default]` says.
///
/// Limits belong to a uid: its section, else `[default]`. Peers of a uid share what is counted for
/// it, so it could not depend on the groups of one of them. Root is a uid like any other.
///
/// ```
/// use smd_link::policy::{Credentials, PeerPolicy, Rule};
/// use smd_lockfree::Class;
///
/// let policy = PeerPolicy::builder()
///     .mode(0o666)
///     .default_rule(Rule::new().receive(Class::SYSTEM_STATE).send(Class::NONE))
///     .gid(29, Rule::new().receive(Class::USER0).send(Class::USER0))
///     .gid(44, Rule::new().receive(Class::USER1))
///     .uid(1000, Rule::new().send(Class::NETWORK))
///     .build()?;
/// let masks = |uid, groups: &[u32]| {
///     let peer = Credentials { groups: groups.to_vec(), ..Credentials::new(uid, 100) };
///     policy.permits(&peer).map(|permits| (permits.receive(), permits.send()))
/// };
/// assert_eq!(masks(7, &[])?, (Class::SYSTEM_STATE, Class::NONE));
/// assert_eq!(masks(7, &[29, 44])?, (Class::USER0 | Class::USER1, Class::USER0));
/// // Its own section says nothing about receiving: there its groups decide.
/// assert_eq!(masks(1000, &[29])?, (Class::USER0, Class::NETWORK));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerPolicy {
    pub(super) mode: u32,
    pub(super) owner: Option<u32>,
    pub(super) group: Option<u32>,
    pub(super) forward_metrics: bool,
    pub(super) receive: Class,
    pub(super) send: Class,
    pub(super) limits: Limits,
    pub(super) uids: BTreeMap<u32, Rule>,
    pub(super) gids: BTreeMap<u32, Rule>,
}

impl Default for PeerPolicy {
    fn default() -> PeerPolicy {
        PeerPolicy {
            mode: DEFAULT_MODE,
            owner: None,
            group: None,
            forward_metrics: true,
            receive: Class::ALL,
            send: Class::ALL,
            limits: Limits::default(),
            uids: BTreeMap::new(),
            gids: BTreeMap::new(),
        }
    }
}

impl PeerPolicy {
    /// A policy that begins as the default one.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::default()
    }

    /// Permission bits of the socket file, at most [`MAX_MODE`]. Whoever may write may connect;
    /// some systems other than Linux look at the directory only. They must hold before anybody can
    /// connect, so the caller sets them, and owner and group, between `bind` and `listen`.
    pub fn mode(&self) -> u32 {
        self.mode
    }

    /// User who is to own the socket file; `None`: as it is made.
    pub fn owner(&self) -> Option<u32> {
        self.owner
    }

    /// Group of the socket file; `None`: as it is made.
    pub fn group(&self) -> Option<u32> {
        self.group
    }

    /// Whether METRICS of a peer reach other peers. If not, they reach participants of this
    /// process.
    pub fn forwards_metrics(&self) -> bool {
        self.forward_metrics
    }

    /// Whether a peer may connect to a socket that is no file, by the permissions that the file would
    /// have: `owner` and `group` are whose it would be if the policy does not say so. As with a file, root
    /// always may. For a file the system asks this itself.
    ///
    /// # Errors
    ///
    /// [`Refusal::Mode`].
    pub fn may_connect(&self, peer: &Credentials, owner: u32, group: u32) -> Result<(), Refusal> {
        const WRITE: u32 = 0o2;
        let (owner, group) = (self.owner.unwrap_or(owner), self.group.unwrap_or(group));
        let shift = if peer.uid == owner {
            6
        } else if peer.gids().any(|gid| gid == group) {
            3
        } else {
            0
        };
        if peer.uid == 0 || self.mode >> shift & WRITE != 0 {
            return Ok(());
        }
        Err(Refusal::Mode { uid: peer.uid, mode: self.mode })
    }

    /// What a peer may: to be asked once, when it connects. [`Accounts::connect`] does, and counts.
    ///
    /// Cost: a look-up for its uid and for each of its groups.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoAccess`] if it may neither receive nor send anything.
    ///
    /// [`Accounts::connect`]: super::Accounts::connect
    pub fn permits(&self, peer: &Credentials) -> Result<Permits, Refusal> {
        let own = self.uids.get(&peer.uid);
        let (receive, receive_section) = self.decide(peer, own, |rule| rule.receive, self.receive);
        let (send, send_section) = self.decide(peer, own, |rule| rule.send, self.send);
        if receive.is_empty() && send.is_empty() {
            return Err(Refusal::NoAccess { uid: peer.uid, section: receive_section });
        }
        let (mut limits, mut limits_of_uid) = (self.limits, 0);
        for (limit, value) in own.into_iter().flat_map(Rule::set_limits) {
            limits.set(limit, value);
            limits_of_uid |= 1 << limit as u32;
        }
        Ok(Permits {
            uid: peer.uid,
            receive,
            send,
            withheld: if self.forward_metrics { Class::NONE } else { Class::METRICS },
            receive_section,
            send_section,
            limits,
            limits_of_uid,
        })
    }

    /// The order of precedence, for one of the two masks.
    fn decide(
        &self,
        peer: &Credentials,
        own: Option<&Rule>,
        mask: impl Fn(&Rule) -> Option<Class>,
        default: Class,
    ) -> (Class, Section) {
        if let Some(classes) = own.and_then(&mask) {
            return (classes, Section::Uid(peer.uid));
        }
        // Most policies have none, and then a peer in thousands of groups costs nothing.
        let gids = (!self.gids.is_empty()).then(|| peer.gids()).into_iter().flatten();
        let said = gids.filter_map(|gid| self.gids.get(&gid).and_then(&mask));
        match said.reduce(Class::union) {
            Some(classes) => (classes, Section::Groups),
            None => (default, Section::Default),
        }
    }
}
