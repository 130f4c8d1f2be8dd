//! The socket of a connection: reading, and writing to a peer whose reads must not be cut.
//!
//! A libwebsockets peer takes what it sees of a frame for the whole of it (sections 4.8 and 5.8 of
//! `LWS-PROXY.md`). That it has read everything does not mean that its read has returned: the kernel goes on
//! into what is written at that moment, and cuts it where the peer's buffer ends. A read ends behind bytes that
//! came with a descriptor, so each write carries one: the peer, which does not ask for it, never sees it.

use std::fs::File;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::EventFlags;
use rustix::io::{Errno, Result};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, send, sendmsg};
use smd_lockfree::Timestamp;

use crate::lws::{after, client, proxy};
use crate::sys;

/// Where the system does not tell that a peer has read, it is asked again after this.
const ASK_AGAIN: Duration = Duration::from_millis(2);

/// A connected socket, watched for edges: what they said last is remembered until the system says that
/// there is nothing.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) socket: OwnedFd,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// When to ask whether the peer has read, where nothing tells.
    pub(crate) ask_at: Option<Timestamp>,
}

/// What a read gave.
#[derive(Debug)]
pub(crate) enum Read {
    Bytes(usize),
    Nothing,
    End,
}

/// Why there is no connection any more.
#[derive(Debug)]
pub(crate) enum Gone {
    Closed,
    Broken(io::Error),
}

/// What a session has to write, on either side.
pub(crate) trait Outgoing {
    fn output(&self) -> &[u8];
    fn written(&mut self, len: usize);
    fn awaits_peer(&self) -> bool;
    fn peer_read_all(&mut self);
}

macro_rules! outgoing {
    ($session:ty) => {
        impl Outgoing for $session {
            fn output(&self) -> &[u8] {
                <$session>::output(self)
            }

            fn written(&mut self, len: usize) {
                <$session>::written(self, len);
            }

            fn awaits_peer(&self) -> bool {
                self.outbox().awaits_peer()
            }

            fn peer_read_all(&mut self) {
                <$session>::peer_read_all(self);
            }
        }
    };
}

outgoing!(client::Session);
outgoing!(proxy::Session);

impl Stream {
    /// What to watch its socket for.
    pub(crate) const EDGES: EventFlags =
        EventFlags::IN.union(EventFlags::OUT).union(EventFlags::RDHUP).union(EventFlags::ET);

    /// May be tried both ways: nothing is known yet.
    pub(crate) fn new(socket: OwnedFd) -> Stream {
        Stream { socket, readable: true, writable: true, ask_at: None }
    }

    /// Notes what the epoll said.
    pub(crate) fn note(&mut self, flags: EventFlags) {
        let gone = EventFlags::HUP | EventFlags::ERR | EventFlags::RDHUP;
        self.readable |= flags.intersects(EventFlags::IN | gone);
        self.writable |= flags.intersects(EventFlags::OUT | gone);
    }

    /// Reads once.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> std::result::Result<Read, Gone> {
        match rustix::io::read(&self.socket, buffer) {
            Ok(0) => Ok(Read::End),
            Ok(len) => Ok(Read::Bytes(len)),
            Err(Errno::AGAIN) => {
                self.readable = false;
                Ok(Read::Nothing)
            }
            Err(Errno::INTR) => Ok(Read::Nothing),
            Err(error) => Err(Gone::Broken(error.into())),
        }
    }

    /// Writes what the session shows, for as long as the system takes it.
    pub(crate) fn write(
        &mut self,
        session: &mut impl Outgoing,
        mark: &Mark,
        now: Timestamp,
    ) -> std::result::Result<(), Gone> {
        self.ask_at = None;
        loop {
            let output = session.output();
            if output.is_empty() {
                if !session.awaits_peer() {
                    return Ok(());
                }
                if !sys::is_all_read(&self.socket).map_err(Gone::Broken)? {
                    // A Unix socket tells by being writable again; TCP does not.
                    self.ask_at = (!mark.is_unix).then(|| after(now, ASK_AGAIN));
                    return Ok(());
                }
                session.peer_read_all();
                continue;
            }
            if !self.writable {
                return Ok(());
            }
            match mark.write(&self.socket, output) {
                Ok(len) => session.written(len),
                Err(Errno::AGAIN) => self.writable = false,
                Err(Errno::INTR) => {}
                Err(Errno::PIPE | Errno::CONNRESET) => return Err(Gone::Closed),
                Err(error) => return Err(Gone::Broken(error.into())),
            }
        }
    }
}

/// What goes with each write to a Unix socket. One for each thread.
#[derive(Debug)]
pub(crate) struct Mark {
    is_unix: bool,
    /// `None` where it would mean nothing: on TCP, or without `/dev/null`.
    file: Option<File>,
}

impl Mark {
    pub(crate) fn new(is_unix: bool) -> Mark {
        Mark { is_unix, file: if is_unix { File::open("/dev/null").ok() } else { None } }
    }

    /// How many bytes were taken. A read of the peer ends behind them, unless the system has no room for
    /// another descriptor that is on its way: then they go without.
    fn write(&self, socket: &OwnedFd, bytes: &[u8]) -> Result<usize> {
        if let Some(mark) = &self.file {
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
            assert_eq!(len, if mark.file.is_some() { 7 } else { 10 });
            theirs.read_exact(&mut buffer[..14 - len]).unwrap();
        }
    }
}
