//! A link: this process takes part in another's bus, over a socket. Linux only.
//!
//! ```text
//!   bus of this process                       Link                        a libwebsockets proxy
//!     its participants <--- with origin ---- what the proxy sends  <====
//!     its senders ---> the link's participant ---> what was sent here ====>
//! ```
//!
//! What the proxy sends arrives in this process's bus, so its participants receive it as they receive what
//! is sent here; [`Message::origin`](smd_lockfree::Message::origin) tells. What is sent here, in the classes
//! that the link [forwards](Builder::forward), goes to the proxy. Only what entered *here* is forwarded: with
//! two links on one bus, what comes by one does not leave by the other, so there are no loops.
//!
//! A libwebsockets proxy sends a client its own messages back. The link leaves those out, since the bus had
//! them already; a message of somebody else with the same class and bytes, sent within the same moment, may
//! take the place of the own one.
//!
//! **While there is no connection** it is tried again each second, and what is sent here waits in the bus: as
//! much as the link's depth, for as long as a message lives. What is lost of that is told. What was queued or on
//! its way when a connection ends may be lost untold, since the protocol acknowledges nothing. The link is
//! driven as a [proxy](crate::server) is.
//!
//! ```no_run
//! use smd_link::{Address, client::Link};
//! use smd_lockfree::{Bus, Class};
//!
//! let bus = Bus::new();
//! let mut network = bus.register(Class::NETWORK)?;
//! let link = Link::builder(&bus).receive(Class::NETWORK).forward(Class::INTERACTION);
//! let link = link.address("@proxy.ss.lws".parse()?).build()?.spawn()?;
//! bus.send(Class::INTERACTION, b"pressed")?;
//! println!("{:?}", network.recv_blocking()?);
//! link.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builder;
mod dial;
mod echo;
mod notice;

pub use builder::{Builder, LinkError};
pub use notice::{Lost, Missed, Notice, Rejected};

use core::fmt;
use core::mem::MaybeUninit;
use core::num::NonZeroU32;
use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::epoll::{self, EventData};
use rustix::io::Errno;
use smd_lockfree::{Bus, Class, Descriptor, Origin, RecvError, SendError, Sender, Timestamp};

use crate::address::Address;
use crate::drive::{DriveError, Running, Shared, Stopper, nap};
use crate::lws::client::{Event, RECONNECT_AFTER, Session};
use crate::lws::{self, MAX_MESSAGE_FRAME, after};
use crate::stream::{Gone, Mark, Read, Stream};
use crate::untold::Untold;
use echo::Echoes;

/// Bytes that are read in one turn.
const READ: usize = 16 * 1024;
/// Messages that are taken from the bus in one turn.
const PULLS: u32 = 256;
/// How long a message waits for room where somebody who wants it is full: at a time, and in all.
const NAP: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(2);
/// A link that stops sends what is queued for so long at most.
const GOODBYE: Duration = Duration::from_secs(1);

const SOCKET: u64 = 0;
const WAKE: u64 = 1;
const PARTICIPANT: u64 = 2;

/// A connection to a libwebsockets proxy, made again whenever it is lost. See the [module](self).
pub struct Link {
    bus: Bus,
    address: Address,
    receive: Class,
    epoll: OwnedFd,
    shared: Arc<Shared<Counts>>,
    participant: Option<Descriptor>,
    sender: Sender,
    line: Line,
    /// Read, and not taken.
    input: Vec<u8>,
    held: Option<Held>,
    paused_until: Option<Timestamp>,
    pullable: bool,
    stopping: Option<Timestamp>,
    echoes: Echoes,
    counts: Counts,
    untold: Untold<Rejected, Missed>,
    mark: Mark,
    notices: Box<dyn FnMut(&Notice) + Send>,
}

/// Figures of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Whether messages come and go now.
    pub is_connected: bool,
    /// How often it was connected.
    pub connections: u64,
    /// Messages from the proxy that went into the bus.
    pub received: u64,
    /// Messages from the proxy that nobody here wanted.
    pub unwanted: u64,
    /// Messages from the proxy that were sent by this link.
    pub echoes: u64,
    /// Messages from the proxy that did not go into the bus: see [`Rejected`].
    pub rejected: u64,
    /// Messages that were sent to the proxy.
    pub sent: u64,
    /// Messages that did not go to the proxy: see [`Missed`].
    pub missed: u64,
}

/// The state of the connection.
#[derive(Debug)]
enum Line {
    /// Tried again at this time.
    Down(Timestamp),
    /// Begun.
    Dialling(OwnedFd),
    Up(Box<Up>),
}

#[derive(Debug)]
struct Up {
    stream: Stream,
    session: Session,
}

/// A message that came and cannot go into the bus yet.
#[derive(Debug)]
struct Held {
    class: Class,
    origin: Origin,
    body: Vec<u8>,
    until: Timestamp,
}

impl Link {
    /// A link for this bus, which it keeps open.
    pub fn builder(bus: &Bus) -> Builder<'_> {
        Builder::new(bus)
    }

    /// Stops it, from any thread.
    pub fn stopper(&self) -> Stopper {
        self.shared.stopper()
    }

    /// What it did so far.
    pub fn snapshot(&self) -> Counts {
        Counts { is_connected: self.is_connected(), ..self.counts }
    }

    /// Whether messages come and go now.
    pub fn is_connected(&self) -> bool {
        matches!(&self.line, Line::Up(up) if up.session.is_connected())
    }

    /// Works until it is stopped, or the bus is closed and what waited was sent. It hears of a close by what it
    /// forwards, or when something comes: one that only receives is to be stopped.
    ///
    /// # Errors
    /// [`DriveError`] if waiting itself fails; a connection that is lost is made again.
    pub fn run(&mut self) -> Result<(), DriveError> {
        while self.step(None)? {}
        Ok(())
    }

    /// Gives it a thread of its own.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn spawn(mut self) -> io::Result<Running<Counts>> {
        Running::new("smd-link", self.shared.clone(), move || self.run())
    }

    /// Until when [`step`](Link::step) must be called even if the descriptor is not readable.
    pub fn deadline(&self) -> Option<Timestamp> {
        if self.has_more() {
            return Some(self.bus.clock().now());
        }
        let (of_line, ask_at) = match &self.line {
            Line::Down(at) => (Some(*at), None),
            Line::Dialling(_) => (None, None),
            Line::Up(up) => (up.session.deadline(), up.stream.ask_at),
        };
        let each = [of_line, self.paused_until, ask_at, self.stopping, self.untold.tell_at()];
        each.into_iter().flatten().min()
    }

    fn has_more(&self) -> bool {
        let Line::Up(up) = &self.line else { return false };
        self.paused_until.is_none() && (up.stream.readable || !self.input.is_empty())
            || self.pullable
                && up.session.is_connected()
                && up.session.outbox().room() >= MAX_MESSAGE_FRAME
            || up.stream.writable && !up.session.output().is_empty()
    }

    /// Waits for something to do, for `timeout` at most (`None`: however long), and does a bounded amount
    /// of it. `false`: it is over, and needs no more of it.
    ///
    /// # Errors
    /// [`DriveError`] if waiting itself fails.
    pub fn step(&mut self, timeout: Option<Duration>) -> Result<bool, DriveError> {
        let mut space = [const { MaybeUninit::<epoll::Event>::uninit() }; 8];
        let nap = nap(self.bus.clock().now(), self.deadline(), timeout);
        let events = match epoll::wait(&self.epoll, &mut space, nap.as_ref()) {
            Ok((events, _)) => events,
            Err(Errno::INTR) => &mut [],
            Err(error) => return Err(DriveError::Wait(error.into())),
        };
        let now = self.bus.clock().now();
        for event in events {
            let (token, flags) = (event.data.u64(), event.flags);
            match token {
                WAKE => self.shared.cleared(),
                PARTICIPANT => self.pullable = true,
                _ => {
                    if let Line::Up(up) = &mut self.line {
                        up.stream.note(flags);
                    }
                }
            }
        }
        if self.shared.is_stopped() {
            self.stopping.get_or_insert(after(now, GOODBYE));
        }
        if let Err(lost) = self.turn(now) {
            self.lose(lost, now);
        }
        self.tell(now);
        self.shared.answer(|| self.snapshot());
        Ok(!self.is_over(now))
    }

    /// Stopped or closed, and nothing is left to send, or no time.
    fn is_over(&self, now: Timestamp) -> bool {
        let Some(until) = self.stopping else { return false };
        let is_sent = match &self.line {
            Line::Up(up) => !self.pullable && up.session.outbox().queued() == 0,
            _ => true,
        };
        is_sent || now >= until
    }

    fn turn(&mut self, now: Timestamp) -> Result<(), Lost> {
        self.connect(now)?;
        if self.paused_until.is_some_and(|until| now >= until) {
            self.paused_until = None;
        }
        self.take_held(now);
        self.read(now)?;
        if let Line::Up(up) = &mut self.line {
            up.session.tick(now).map_err(Lost::Fault)?;
        }
        self.pull(now);
        if let Line::Up(up) = &mut self.line {
            up.stream.write(&mut up.session, &self.mark, now)?;
        }
        Ok(())
    }

    /// Connects if that is due, and sees what became of it.
    fn connect(&mut self, now: Timestamp) -> Result<(), Lost> {
        let failed = |error: Errno| Lost::Connect(error.into());
        match &self.line {
            Line::Down(at) if now >= *at && self.stopping.is_none() => {
                let (socket, is_connected) = dial::dial(&self.address).map_err(failed)?;
                let watched = EventData::new_u64(SOCKET);
                epoll::add(&self.epoll, &socket, watched, Stream::EDGES).map_err(failed)?;
                self.line = Line::Dialling(socket);
                if is_connected {
                    self.begin(now);
                }
            }
            Line::Dialling(socket) => {
                let mut space = [rustix::event::PollFd::new(socket, rustix::event::PollFlags::OUT)];
                let nothing = rustix::event::Timespec::default();
                if rustix::event::poll(&mut space, Some(&nothing)).map_err(failed)? > 0 {
                    dial::outcome(socket).map_err(failed)?;
                    self.begin(now);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The socket is connected: the session begins.
    fn begin(&mut self, now: Timestamp) {
        let line = core::mem::replace(&mut self.line, Line::Down(now));
        if let Line::Dialling(socket) = line {
            let session = Session::new(now, std::process::id(), self.receive);
            self.echoes.clear();
            let up = Up { stream: Stream::new(socket), session };
            self.line = Line::Up(Box::new(up));
        }
    }

    fn lose(&mut self, why: Lost, now: Timestamp) {
        self.line = Line::Down(after(now, RECONNECT_AFTER));
        self.input.clear();
        (self.notices)(&Notice::Lost(why));
    }

    /// Reads once, and takes what came apart.
    fn read(&mut self, now: Timestamp) -> Result<(), Lost> {
        let Line::Up(up) = &mut self.line else { return Ok(()) };
        if self.paused_until.is_some() {
            return Ok(());
        }
        // What was left over is taken first, and nothing is read on top of it.
        if !self.input.is_empty() {
            let input = core::mem::take(&mut self.input);
            return self.take(&input, now);
        }
        if !up.stream.readable {
            return Ok(());
        }
        let mut buffer = [0; READ];
        match up.stream.read(&mut buffer)? {
            Read::Bytes(len) => self.take(&buffer[..len], now),
            Read::Nothing => Ok(()),
            Read::End => {
                up.session.finish().map_err(Lost::Fault)?;
                Err(Lost::Closed)
            }
        }
    }

    fn take(&mut self, mut input: &[u8], now: Timestamp) -> Result<(), Lost> {
        let Line::Up(up) = &mut self.line else { return Ok(()) };
        while self.paused_until.is_none() {
            let was_connected = up.session.is_connected();
            match up.session.next(now, &mut input).map_err(Lost::Fault)? {
                None => return Ok(()),
                Some(Event::Message { class, timestamp_us, body, .. }) => {
                    let counts = &mut self.counts;
                    if self.echoes.is_own(class, body, now) {
                        counts.echoes += 1;
                        continue;
                    }
                    let timestamp = Timestamp::from_nanos(timestamp_us.saturating_mul(1000));
                    let sequence = counts.received + counts.unwanted + counts.rejected + 1;
                    let origin = Origin::Peer { peer: PROXY, timestamp, sequence };
                    match self.sender.send_from(origin, class, body) {
                        Ok(sent) if sent.is_queued() => counts.received += 1,
                        Ok(_) => counts.unwanted += 1,
                        Err(SendError::Full(_)) => {
                            let (body, until) = (body.to_vec(), after(now, PATIENCE));
                            self.held = Some(Held { class, origin, body, until });
                            self.paused_until = Some(after(now, NAP));
                        }
                        // The bus is closed.
                        Err(_) => {
                            self.stopping.get_or_insert(after(now, GOODBYE));
                            counts.rejected += 1;
                        }
                    }
                }
                Some(Event::Dropped { why, .. }) => {
                    self.counts.rejected += 1;
                    self.untold.reject(Rejected::Malformed(why));
                }
                Some(_) => {
                    if !was_connected && up.session.is_connected() {
                        self.counts.connections += 1;
                        (self.notices)(&Notice::Connected);
                    }
                }
            }
        }
        self.input.extend_from_slice(input);
        Ok(())
    }

    /// Tries again what had to wait for room.
    fn take_held(&mut self, now: Timestamp) {
        if self.paused_until.is_some() {
            return;
        }
        let Some(held) = self.held.take() else { return };
        match self.sender.send_from(held.origin, held.class, &held.body) {
            Ok(sent) if sent.is_queued() => self.counts.received += 1,
            Ok(_) => self.counts.unwanted += 1,
            Err(SendError::Full(_)) if now < held.until => {
                self.held = Some(held);
                self.paused_until = Some(after(now, NAP));
            }
            Err(_) => {
                self.counts.rejected += 1;
                self.untold.reject(Rejected::Full);
            }
        }
    }

    /// Takes what was sent here, as far as the queue to the proxy has room.
    fn pull(&mut self, now: Timestamp) {
        let Some(participant) = &mut self.participant else { return };
        let Line::Up(up) = &mut self.line else { return };
        if !up.session.is_connected() {
            return;
        }
        for _ in 0..PULLS {
            if !self.pullable || up.session.outbox().room() < MAX_MESSAGE_FRAME {
                return;
            }
            match participant.try_recv() {
                // What came by another link does not leave by this one.
                Ok(message) if message.origin() != Origin::Local => {}
                Ok(message) => match up.session.send(now, message.class(), message.bytes()) {
                    Ok(()) => {
                        self.counts.sent += 1;
                        if message.class().intersects(self.receive) {
                            self.echoes.sent(message.class(), message.bytes(), now);
                        }
                    }
                    Err(lws::SendError::TooLong { len, max }) => {
                        self.counts.missed += 1;
                        self.untold.miss(1, Missed::TooLong { len, max });
                    }
                    // There is room, and the session runs: nothing else can be.
                    Err(error) => debug_assert!(false, "{error}"),
                },
                Err(RecvError::Lagged(lag)) => {
                    self.counts.missed += lag.count;
                    self.untold.miss(lag.count, Missed::Lag(lag));
                }
                Err(RecvError::Closed) => {
                    self.pullable = false;
                    self.stopping.get_or_insert(after(now, GOODBYE));
                }
                Err(_) => self.pullable = false,
            }
        }
    }

    /// Tells of what happened to messages, at most once a second.
    fn tell(&mut self, now: Timestamp) {
        let (rejected, missed) = self.untold.take(now, false);
        if let Some((count, why)) = rejected {
            (self.notices)(&Notice::Rejected { count, why });
        }
        if let Some((count, why)) = missed {
            (self.notices)(&Notice::Missed { count, why });
        }
    }
}

impl From<Gone> for Lost {
    fn from(gone: Gone) -> Lost {
        match gone {
            Gone::Closed => Lost::Closed,
            Gone::Broken(error) => Lost::Broken(error),
        }
    }
}

/// The number of the one peer that a link has, as in [`Origin::Peer`].
const PROXY: NonZeroU32 = NonZeroU32::MIN;

impl AsFd for Link {
    /// Readable when there is something to do.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("address", &self.address)
            .field("counts", &self.snapshot())
            .finish_non_exhaustive()
    }
}
