//! A descriptor that is readable while something awaits (rule W4).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::fork;

/// The two ends of a wake-up through the kernel: an event counter on Linux, a pipe elsewhere.
#[derive(Debug)]
pub(crate) struct Signal {
    read: OwnedFd,
    /// `None`: the read end is an event counter and is written itself.
    write: Option<OwnedFd>,
    /// A forked child has the same open file: it leaves that to its parent.
    forks: u32,
}

impl Signal {
    pub(crate) fn new() -> io::Result<Signal> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::event::{EventfdFlags, eventfd};
            let read = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
            Ok(Signal { read, write: None, forks: fork::generation() })
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        {
            use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
            use rustix::io::{FdFlags, fcntl_setfd};
            let (read, write) = rustix::pipe::pipe()?;
            for end in [&read, &write] {
                fcntl_setfl(end, fcntl_getfl(end)? | OFlags::NONBLOCK)?;
                fcntl_setfd(end, FdFlags::CLOEXEC)?;
            }
            Ok(Signal { read, write: Some(write), forks: fork::generation() })
        }
    }

    /// Makes the descriptor readable. A full pipe, or a counter at its top, is readable already.
    pub(crate) fn raise(&self) {
        if self.is_forked() {
            return;
        }
        let end = self.write.as_ref().unwrap_or(&self.read);
        let _ = rustix::io::write(end, &1u64.to_ne_bytes());
    }

    /// Makes it unreadable.
    pub(crate) fn clear(&self) {
        if self.is_forked() {
            return;
        }
        let mut buffer = [0u8; 64];
        while rustix::io::read(&self.read, &mut buffer).is_ok_and(|read| read == buffer.len()) {}
    }

    fn is_forked(&self) -> bool {
        self.forks != fork::generation()
    }
}

impl AsFd for Signal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }
}
