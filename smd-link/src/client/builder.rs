//! The choices of a link.

use core::fmt;
use std::io;
use std::sync::Arc;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use smd_lockfree::{Bus, Class, Policy, RegisterError};

use super::echo::Echoes;
use super::{Counts, Line, Link, Notice, PARTICIPANT, WAKE};
use crate::address::Address;
use crate::drive::Shared;
use crate::stream::Mark;
use crate::untold::Untold;

/// The choices of a link, from [`Link::builder`].
#[must_use = "nothing is linked until `build`"]
pub struct Builder<'b> {
    bus: &'b Bus,
    address: Address,
    receive: Class,
    forward: Class,
    depth: Option<u32>,
    notices: Box<dyn FnMut(&Notice) + Send>,
}

impl<'b> Builder<'b> {
    pub(super) fn new(bus: &'b Bus) -> Builder<'b> {
        Builder {
            bus,
            address: Address::default(),
            receive: Class::NONE,
            forward: Class::NONE,
            depth: None,
            notices: Box::new(|_| ()),
        }
    }

    /// Where the proxy listens; by default where libwebsockets' does.
    pub fn address(mut self, address: Address) -> Self {
        self.address = address;
        self
    }

    /// The classes that are asked for; none by default. The protocol has no way to change them later.
    pub fn receive(mut self, classes: Class) -> Self {
        self.receive = classes;
        self
    }

    /// The classes that are sent on from this process's bus; none by default. They count as wanted here, since
    /// the protocol does not tell what others want.
    pub fn forward(mut self, classes: Class) -> Self {
        self.forward = classes;
        self
    }

    /// How many messages may wait for the proxy; by default the bus's depth. More lose the oldest.
    pub fn depth(mut self, depth: u32) -> Self {
        self.depth = Some(depth);
        self
    }

    /// Is told what happens, for a log; on the link's thread, which it holds up.
    pub fn notices(mut self, notices: impl FnMut(&Notice) + Send + 'static) -> Self {
        self.notices = Box::new(notices);
        self
    }

    /// Makes the link; it connects with its first step.
    ///
    /// # Errors
    /// [`LinkError`]: the bus refuses its participant, or the system a descriptor.
    pub fn build(self) -> Result<Link, LinkError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let shared = Arc::new(Shared::new()?);
        epoll::add(&epoll, shared.descriptor(), EventData::new_u64(WAKE), EventFlags::IN)?;
        let (mut participant, mut sender) = (None, self.bus.sender());
        if !self.forward.is_empty() {
            let mut registration = self.bus.participant().name("link").mask(self.forward);
            registration = registration.policy(Policy::Lag).exclude_own(true).bridge(true);
            if let Some(depth) = self.depth {
                registration = registration.depth(depth);
            }
            let registered = registration.register().map_err(LinkError::Register)?;
            sender = registered.sender();
            let descriptor = registered.into_descriptor()?;
            let edge = EventFlags::IN | EventFlags::ET;
            epoll::add(&epoll, &descriptor, EventData::new_u64(PARTICIPANT), edge)?;
            participant = Some(descriptor);
        }
        let now = self.bus.clock().now();
        Ok(Link {
            bus: self.bus.clone(),
            mark: Mark::new(self.address.port().is_none()),
            address: self.address,
            receive: self.receive,
            epoll,
            shared,
            pullable: participant.is_some(),
            participant,
            sender,
            line: Line::Down(now),
            input: Vec::new(),
            held: None,
            paused_until: None,
            stopping: None,
            echoes: Echoes::default(),
            counts: Counts::default(),
            untold: Untold::new(now),
            notices: self.notices,
        })
    }
}

/// Why there is no link.
#[derive(Debug)]
#[non_exhaustive]
pub enum LinkError {
    /// The bus refuses its participant.
    Register(RegisterError),
    /// What the system says.
    System(io::Error),
}

impl fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("address", &self.address)
            .field("receive", &self.receive)
            .field("forward", &self.forward)
            .finish_non_exhaustive()
    }
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> LinkError {
        LinkError::System(error)
    }
}

impl From<Errno> for LinkError {
    fn from(error: Errno) -> LinkError {
        LinkError::System(error.into())
    }
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkError::Register(error) => error.fmt(f),
            LinkError::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LinkError {}
