//! Questions to the kernel that no library asks safely.

#![allow(unsafe_code)]

use core::ffi::c_int;
use core::mem::size_of;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Bytes that were written to a stream socket and that its reader has not read (`SIOCOUTQ`). For TCP:
/// that its system has not acknowledged.
pub(crate) fn unread(socket: impl AsFd) -> io::Result<usize> {
    // `SIOCOUTQ` has the number of `TIOCOUTQ`.
    const SIOCOUTQ: rustix::ioctl::Opcode = libc::TIOCOUTQ as rustix::ioctl::Opcode;
    // SAFETY: the request writes one `int`.
    let request = unsafe { rustix::ioctl::Getter::<SIOCOUTQ, c_int>::new() };
    // SAFETY: the request only reads the state of the socket.
    let bytes = unsafe { rustix::ioctl::ioctl(socket, request) }?;
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// Who made the other end of a Unix socket: process, effective user and group, as they were when it
/// connected (`SO_PEERCRED`). No process where it lives in a namespace that this one does not see.
pub(crate) fn peer(socket: impl AsFd) -> io::Result<(Option<u32>, u32, u32)> {
    let socket = socket.as_fd().as_raw_fd();
    let mut who = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut bytes = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: `bytes` is what `who` holds, and both outlive the call; any bytes make a `ucred`.
    let result = unsafe {
        libc::getsockopt(
            socket,
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut who).cast(),
            &raw mut bytes,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((u32::try_from(who.pid).ok().filter(|pid| *pid != 0), who.uid, who.gid))
}

/// The supplementary groups of the peer of a Unix socket, as they were when it connected
/// (`SO_PEERGROUPS`). Empty for a system that cannot say.
pub(crate) fn peer_groups(socket: impl AsFd) -> io::Result<Vec<u32>> {
    let socket = socket.as_fd().as_raw_fd();
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let mut bytes = (groups.len() * size_of::<libc::gid_t>()) as libc::socklen_t;
        // SAFETY: `bytes` is what the buffer holds, and both outlive the call; the kernel writes at
        // most so much, in whole `gid_t`.
        let result = unsafe {
            libc::getsockopt(
                socket,
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut bytes,
            )
        };
        let count = bytes as usize / size_of::<libc::gid_t>();
        if result == 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        match io::Error::last_os_error() {
            // It says how many there are.
            error if error.raw_os_error() == Some(libc::ERANGE) && count > groups.len() => {
                groups.resize(count, 0);
            }
            error if error.raw_os_error() == Some(libc::ENOPROTOOPT) => return Ok(Vec::new()),
            error if error.raw_os_error() == Some(libc::ENODATA) => return Ok(Vec::new()),
            error => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn what_the_peer_has_not_read_is_counted() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        assert_eq!(unread(&ours).unwrap(), 0);
        ours.write_all(&[7; 100]).unwrap();
        // The kernel counts its own overhead with it: 0 or not is what it tells.
        assert!(unread(&ours).unwrap() >= 100);
        theirs.read_exact(&mut [0; 99]).unwrap();
        assert!(unread(&ours).unwrap() > 0);
        theirs.read_exact(&mut [0; 1]).unwrap();
        assert_eq!(unread(&ours).unwrap(), 0);
    }

    #[test]
    fn the_peer_is_this_process() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let (pid, uid, gid) = peer(&ours).unwrap();
        assert_eq!(pid, Some(std::process::id()));
        assert_eq!(uid, rustix::process::geteuid().as_raw());
        assert_eq!(gid, rustix::process::getegid().as_raw());
    }

    #[test]
    fn the_groups_of_the_peer_are_those_of_this_process() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut groups = peer_groups(&ours).unwrap();
        let mut own: Vec<u32> =
            rustix::process::getgroups().unwrap().into_iter().map(|gid| gid.as_raw()).collect();
        groups.sort_unstable();
        own.sort_unstable();
        assert_eq!(groups, own);
    }
}
