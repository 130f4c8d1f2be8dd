//! The socket that peers connect to: made so that nobody gets in before its permissions are set, and
//! taken away by nobody but its owner.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use rustix::process::{getegid, geteuid};

use super::ListenError;
use crate::address::{Address, Kind, loopback};
use crate::policy::{Credentials, PeerPolicy, Refusal};
use crate::sys;

/// Connections that may wait to be accepted: the kernel cuts it to its own limit.
const BACKLOG: i32 = 128;
const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);
/// User and group of a peer of which the kernel says nothing, as of users that a namespace does not map.
const NOBODY: u32 = 65_534;

#[derive(Debug)]
pub(super) struct Listener {
    socket: OwnedFd,
    address: Address,
    /// The file, and which one it was: removed at the end if it still is that.
    file: Option<(PathBuf, u64, u64)>,
}

impl Listener {
    pub(super) fn new(address: &Address, policy: &PeerPolicy) -> Result<Listener, ListenError> {
        match &address.0 {
            Kind::Abstract(name) => {
                let socket = unix()?;
                let unix = SocketAddrUnix::new_abstract_name(name.as_bytes())?;
                bind(&socket, &unix, address)?;
                net::listen(&socket, BACKLOG)?;
                Ok(Listener { socket, address: address.clone(), file: None })
            }
            Kind::Path(path) => Listener::on_file(address, path, policy),
            Kind::Tcp(port) => {
                let (inet, stream) = (AddressFamily::INET, SocketType::STREAM);
                let socket = net::socket_with(inet, stream, FLAGS, None)?;
                // A restarted proxy need not wait for the connections of the last one to be forgotten.
                sockopt::set_socket_reuseaddr(&socket, true)?;
                bind(&socket, &loopback(*port), address)?;
                net::listen(&socket, BACKLOG)?;
                let port = match net::getsockname(&socket)?.try_into() {
                    Ok(std::net::SocketAddr::V4(bound)) => bound.port(),
                    _ => *port,
                };
                Ok(Listener { socket, address: Address::tcp(port), file: None })
            }
        }
    }

    /// Until `listen` nobody can connect, so the permissions are there before anybody is.
    fn on_file(
        address: &Address,
        path: &Path,
        policy: &PeerPolicy,
    ) -> Result<Listener, ListenError> {
        let unix_address = SocketAddrUnix::new(path)?;
        let socket = unix()?;
        if let Err(error) = bind(&socket, &unix_address, address) {
            if !matches!(error, ListenError::InUse(_)) {
                return Err(error);
            }
            remove_stale(address, path, &unix_address)?;
            bind(&socket, &unix_address, address)?;
        }
        let made = fs::symlink_metadata(path)?;
        let file = Some((path.to_owned(), made.dev(), made.ino()));
        let listener = Listener { socket, address: address.clone(), file };
        if policy.owner().is_some() || policy.group().is_some() {
            std::os::unix::fs::lchown(path, policy.owner(), policy.group())?;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(policy.mode()))?;
        net::listen(&listener.socket, BACKLOG)?;
        Ok(listener)
    }

    /// Where it listens: for TCP with the port that the system chose.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// The next connection, and who it is, as the kernel says.
    pub(super) fn accept(&self) -> rustix::io::Result<OwnedFd> {
        net::accept_with(&self.socket, FLAGS)
    }

    pub(super) fn credentials(&self, socket: &OwnedFd) -> io::Result<Credentials> {
        if self.address.port().is_some() {
            return Ok(Credentials::new(NOBODY, NOBODY));
        }
        let (pid, uid, gid) = sys::peer(socket)?;
        Ok(Credentials { pid, uid, gid, groups: sys::peer_groups(socket)? })
    }

    /// Whether somebody may connect at all. Of a file the system has asked that; other addresses have no
    /// permissions, so they are held to those that the file would have.
    pub(super) fn permits(&self, policy: &PeerPolicy, who: &Credentials) -> Result<(), Refusal> {
        if self.file.is_some() {
            return Ok(());
        }
        let (owner, group) = (geteuid().as_raw(), getegid().as_raw());
        policy.may_connect(who, owner, group)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let Some((path, dev, ino)) = &self.file else { return };
        // Another proxy may have put its own there.
        let ours = fs::symlink_metadata(path).is_ok_and(|is| (is.dev(), is.ino()) == (*dev, *ino));
        if ours {
            // Nobody is left to tell of a failure.
            let _ = fs::remove_file(path);
        }
    }
}

fn unix() -> rustix::io::Result<OwnedFd> {
    net::socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)
}

fn bind(
    socket: &OwnedFd,
    to: &impl net::addr::SocketAddrArg,
    address: &Address,
) -> Result<(), ListenError> {
    net::bind(socket, to).map_err(|error| match error {
        Errno::ADDRINUSE => ListenError::InUse(address.clone()),
        other => other.into(),
    })
}

/// Removes a socket file on which nobody listens. Two proxies that find the same stale file at the same
/// moment may both do so: then the later one has the name.
fn remove_stale(address: &Address, path: &Path, at: &SocketAddrUnix) -> Result<(), ListenError> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(ListenError::NoSocket(path.to_owned()));
    }
    match net::connect(&unix()?, at) {
        Err(Errno::CONNREFUSED) => Ok(fs::remove_file(path)?),
        // Its last owner is just going.
        Err(Errno::NOENT) => Ok(()),
        // Connected, or its queue is full, or not permitted: somebody listens.
        _ => Err(ListenError::InUse(address.clone())),
    }
}
