//! Questions to the kernel that no library asks safely.

#![allow(unsafe_code)]

use core::ffi::c_int;
use core::mem::size_of;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Whether the reader of a stream socket has read everything that was written (`SIOCOUTQ`). For TCP:
/// whether its system has acknowledged it.
///
/// Linux wakes who waits for a Unix socket while it still counts one byte of what was just read
/// (`sock_wfree`): who asks at once sees that, and is not woken again. So one byte is none; what is unread
/// counts for hundreds, as its bookkeeping is counted with it.
pub(crate) fn is_all_read(socket: impl AsFd) -> io::Result<bool> {
    // `SIOCOUTQ` has the number of `TIOCOUTQ`.
    const SIOCOUTQ: rustix::ioctl::Opcode = libc::TIOCOUTQ as rustix::ioctl::Opcode;
    // SAFETY: the request writes one `int`.
    let request = unsafe { rustix::ioctl::Getter::<SIOCOUTQ, c_int>::new() };
    // SAFETY: the request only reads the state of the socket.
    let bytes = unsafe { rustix::ioctl::ioctl(socket, request) }?;
    Ok(bytes <= 1)
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
    fn what_the_peer_has_not_read_is_known() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        assert!(is_all_read(&ours).unwrap());
        for len in [1, 2, 100] {
            ours.write_all(&[7; 100][..len]).unwrap();
            assert!(!is_all_read(&ours).unwrap());
            theirs.read_exact(&mut [0; 100][..len - 1]).unwrap();
            assert!(!is_all_read(&ours).unwrap(), "one of {len} is left");
            theirs.read_exact(&mut [0; 1]).unwrap();
            assert!(is_all_read(&ours).unwrap());
        }
    }

    /// Now and then the wake-up is seen while the kernel still counts a byte.
    #[test]
    fn who_waits_until_all_is_read_is_woken_in_time() {
        use rustix::event::{Timespec, epoll};
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let reading = std::thread::spawn(move || while theirs.read(&mut [0; 64]).unwrap() > 0 {});
        let set = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let edge = epoll::EventFlags::OUT | epoll::EventFlags::ET;
        epoll::add(&set, &ours, epoll::EventData::new_u64(0), edge).unwrap();
        let patience = Timespec { tv_sec: 20, tv_nsec: 0 };
        for _ in 0..20_000 {
            ours.write_all(&[7; 20]).unwrap();
            while !is_all_read(&ours).unwrap() {
                let mut events = Vec::with_capacity(1);
                let space = rustix::buffer::spare_capacity(&mut events);
                let count = epoll::wait(&set, space, Some(&patience)).unwrap();
                assert!(count > 0 || is_all_read(&ours).unwrap(), "never woken");
            }
        }
        drop(ours);
        reading.join().unwrap();
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
