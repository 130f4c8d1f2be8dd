//! Writing to a peer whose reads must not be cut.
//!
//! A libwebsockets peer takes what it sees of a frame for the whole of it (sections 4.8 and 5.8 of
//! `LWS-PROXY.md`). That it has read everything does not mean that its read has returned: the kernel goes on
//! into what is written at that moment, and cuts it where the peer's buffer ends. A read ends behind bytes that
//! came with a descriptor, so each write carries one: the peer, which does not ask for it, never sees it.

use std::fs::File;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::{Errno, Result};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, send, sendmsg};

/// What goes with each write to a Unix socket. One for each thread.
#[derive(Debug)]
pub(crate) struct Mark(Option<File>);

impl Mark {
    /// `None` inside, where it would mean nothing: on TCP, or without `/dev/null`.
    pub(crate) fn new(is_unix: bool) -> Mark {
        Mark(if is_unix { File::open("/dev/null").ok() } else { None })
    }

    /// How many bytes were taken. A read of the peer ends behind them, unless the system has no room for
    /// another descriptor that is on its way: then they go without.
    pub(crate) fn write(&self, socket: &OwnedFd, bytes: &[u8]) -> Result<usize> {
        if let Mark(Some(mark)) = self {
            let descriptors = [mark.as_fd()];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            control.push(SendAncillaryMessage::ScmRights(&descriptors));
            let sent = sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL);
            if !matches!(sent, Err(Errno::TOOMANYREFS | Errno::PERM | Errno::INVAL)) {
                return sent;
            }
        }
        send(socket, bytes, SendFlags::NOSIGNAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_read_ends_with_what_was_written_at_once() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (ours, mut buffer) = (OwnedFd::from(ours), [0; 64]);
        for mark in [Mark::new(true), Mark::new(false)] {
            for bytes in [b"a frame", b"another"] {
                assert_eq!(mark.write(&ours, bytes).unwrap(), 7);
            }
            let len = theirs.read(&mut buffer[..10]).unwrap();
            // Without one it goes on, and ends where the buffer does.
            assert_eq!(len, if mark.0.is_some() { 7 } else { 10 });
            theirs.read_exact(&mut buffer[..14 - len]).unwrap();
        }
    }
}
