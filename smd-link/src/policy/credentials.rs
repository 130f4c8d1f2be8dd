//! Who a peer is, as the kernel says.

/// A peer as it was when it connected. The caller has this from the kernel (`SO_PEERCRED` and
/// `SO_PEERGROUPS` on Linux, `getpeereid` elsewhere), never from the peer.
///
/// A user that a user namespace does not map shows up as the kernel's overflow id, usually 65534
/// (`nobody`): a rule for that id holds for all such users together.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Credentials {
    /// Process, `None` where the system does not say. For reports only: ids of processes are used
    /// again, so nothing is decided by it.
    pub pid: Option<u32>,
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// Supplementary groups, in any order; empty where they are not known.
    pub groups: Vec<u32>,
}

impl Credentials {
    /// A user in one group, of an unknown process.
    pub const fn new(uid: u32, gid: u32) -> Credentials {
        Credentials { pid: None, uid, gid, groups: Vec::new() }
    }

    /// All groups, the effective one first; that one may come again.
    pub fn gids(&self) -> impl Iterator<Item = u32> {
        core::iter::once(self.gid).chain(self.groups.iter().copied())
    }
}
