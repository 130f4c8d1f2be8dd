//! A connection to a proxy, begun without waiting.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use crate::address::{Address, Kind, loopback};

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// Begins to connect. `true`: it is connected; `false`: it is writable when it is, or has failed.
pub(super) fn dial(address: &Address) -> rustix::io::Result<(OwnedFd, bool)> {
    let (family, stream) = match address.0 {
        Kind::Tcp(_) => (AddressFamily::INET, SocketType::STREAM),
        _ => (AddressFamily::UNIX, SocketType::STREAM),
    };
    let socket = net::socket_with(family, stream, FLAGS, None)?;
    let begun = match &address.0 {
        Kind::Abstract(name) => {
            net::connect(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)
        }
        Kind::Path(path) => net::connect(&socket, &SocketAddrUnix::new(path.as_path())?),
        Kind::Tcp(port) => net::connect(&socket, &loopback(*port)),
    };
    match begun {
        Ok(()) => Ok((socket, true)),
        Err(Errno::INPROGRESS) => Ok((socket, false)),
        Err(error) => Err(error),
    }
}

/// What became of a connection that was begun.
pub(super) fn outcome(socket: &OwnedFd) -> rustix::io::Result<()> {
    sockopt::socket_error(socket)?
}
