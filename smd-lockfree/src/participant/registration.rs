//! The choices of a registration.

use std::collections::VecDeque;
use std::marker::PhantomData;

use crate::bus::Bus;
use crate::class::Class;
use crate::core::Core;
use crate::error::RegisterError;
use crate::hooks::mark;
use crate::limits::Name;
use crate::log::cursor::{Cursor, Cutoff, View};
use crate::registry::ids::SenderId;
use crate::registry::record::{Choices, Record};
use crate::retained::replay::Gathering;
use crate::sync::Arc;
use crate::trace::event;
use crate::wait::waiter::Waiter;

use super::Participant;

/// What happens when a participant's backlog is full.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Policy {
    /// Senders of a class that it wants are refused with [`Full`](crate::SendError::Full), until it
    /// has received, has left, or what fills the backlog has expired.
    #[default]
    Backpressure,
    /// It loses its oldest messages, and is told by [`Lagged`](crate::RecvError::Lagged).
    Lag,
}

/// The choices of a registration, from [`Bus::participant`].
///
/// ```
/// use smd_lockfree::{Bus, Class, Policy, RecvError};
///
/// let bus = Bus::new();
/// let mut latest = bus
///     .participant()
///     .name("latest reading")
///     .mask(Class::METRICS)
///     .policy(Policy::Lag)
///     .depth(1)
///     .register()?;
/// bus.send(Class::METRICS, b"1")?;
/// bus.send(Class::METRICS, b"2")?;
/// assert!(matches!(latest.try_recv(), Err(RecvError::Lagged(lag)) if lag.count == 1));
/// assert_eq!(latest.try_recv()?.bytes(), b"2");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is registered until `register`"]
pub struct Registration<'b> {
    bus: &'b Bus,
    mask: Class,
    name: String,
    depth: u32,
    policy: Policy,
    exclude_own: bool,
    retained: bool,
    bridge: bool,
}

impl<'b> Registration<'b> {
    pub(crate) fn new(bus: &'b Bus) -> Registration<'b> {
        Registration {
            bus,
            mask: Class::NONE,
            name: "participant".to_owned(),
            depth: bus.core().config.depth,
            policy: Policy::default(),
            exclude_own: false,
            retained: true,
            bridge: false,
        }
    }

    /// The classes that it wants; must be set.
    pub fn mask(mut self, mask: Class) -> Self {
        self.mask = mask;
        self
    }

    /// A name for dumps: 1 to 31 bytes of UTF-8 without control characters; default `participant`.
    /// Names need not differ.
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// How many messages may wait for it: 1 to [`MAX_DEPTH`](crate::MAX_DEPTH); by default the
    /// bus's depth.
    pub fn depth(mut self, depth: u32) -> Self {
        self.depth = depth;
        self
    }

    /// What happens when that many wait; by default [`Policy::Backpressure`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Whether to leave out what is sent through senders made from this participant
    /// ([`Participant::sender`]); no by default.
    ///
    /// ```
    /// use smd_lockfree::{Bus, Class, RecvError};
    ///
    /// let bus = Bus::new();
    /// let mut peer = bus.participant().mask(Class::ALL).exclude_own(true).register()?;
    /// let mut other = bus.register(Class::ALL)?;
    /// peer.sender().send(Class::USER0, b"mine")?;
    /// assert_eq!(peer.try_recv().map(|_| ()), Err(RecvError::Empty));
    /// assert_eq!(other.try_recv()?.bytes(), b"mine");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn exclude_own(mut self, exclude: bool) -> Self {
        self.exclude_own = exclude;
        self
    }

    /// Whether to be handed the retained state; yes by default.
    pub fn retained(mut self, retained: bool) -> Self {
        self.retained = retained;
        self
    }

    /// Whether it forwards to somewhere else, such as another process, and so wants only what is
    /// wanted there; no by default. Its mask counts in [`Bus::interest`], so that senders send, and
    /// not in [`Bus::local_interest`], which is what a bridge tells the other side: so two bridges
    /// never keep each other's interest alive. A hub with several sides tells each of them that and what
    /// its other sides want.
    ///
    /// ```
    /// use smd_lockfree::{Bus, Class};
    ///
    /// let bus = Bus::new();
    /// let bridge = bus.participant().mask(Class::METRICS).bridge(true).register()?;
    /// assert!(bus.wants(Class::METRICS));
    /// assert!(bus.local_interest().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bridge(mut self, bridge: bool) -> Self {
        self.bridge = bridge;
        self
    }

    /// Registers.
    ///
    /// # Errors
    /// [`RegisterError`] names the limit that a choice is out of, or says that the bus is closed.
    pub fn register(self) -> Result<Participant, RegisterError> {
        self.register_with(Arc::new(Waiter::new()))
    }

    /// Registers with a waiter that others may share.
    pub(crate) fn register_with(self, waiter: Arc<Waiter>) -> Result<Participant, RegisterError> {
        let core = self.bus.core();
        if self.mask.is_empty() {
            return Err(RegisterError::EmptyMask);
        }
        let name = Name::new(&self.name).map_err(RegisterError::Name)?;
        RegisterError::check_depth(self.depth)?;
        if core.is_forked() {
            return Err(RegisterError::Forked);
        }
        if core.is_closed() {
            return Err(RegisterError::Closed);
        }
        let max = core.config.max_participants;
        let sender = if self.exclude_own {
            SenderId::fresh(&core.registry.ids).ok_or(RegisterError::TooManyParticipants { max })?
        } else {
            SenderId::nobody()
        };
        let choices = Choices {
            name,
            depth: u64::from(self.depth),
            policy: self.policy,
            mask: self.mask.bits(),
            exclude_own: self.exclude_own,
            retained: self.retained,
            bridge: self.bridge,
        };
        let record = Record::new(choices, Arc::new(sender), waiter);
        self.enter(core, Arc::new(record), max)
    }

    fn enter(
        self,
        core: &Arc<Core>,
        record: Arc<Record>,
        max: usize,
    ) -> Result<Participant, RegisterError> {
        let (retained, classes) = (self.retained, self.mask.bits());
        let begin = || retained.then(|| Gathering::begin(core, classes, None));
        let mut gathering = begin();
        // Until N is known: a lower bound, so that nobody counts what it will never get.
        record.start_at(core.log.next_sequence());
        if core.registry.add(core.domain(), &record, max).is_err() {
            if let Some(gathering) = &mut gathering {
                gathering.release(&core.log);
            }
            return Err(RegisterError::TooManyParticipants { max });
        }
        #[cfg(test)]
        crate::hooks::reached(crate::hooks::Place::Registered);
        let cutoff = Cutoff::new(core);
        let cursor = loop {
            record.unplace();
            let Ok(point) = core.log.touch(core.now()) else {
                if let Some(gathering) = &mut gathering {
                    gathering.release(&core.log);
                }
                let _ = core.depart(&record);
                return Err(RegisterError::Closed);
            };
            let whole = gathering.as_mut().is_none_or(|held| held.set_point(core, point.sequence));
            // As a widening from nothing, whose number is not settled before the place is: what is
            // handed over for a place that does not hold must not be told as lost (rule M7).
            record.set_mask(classes, classes, point.sequence, false);
            let mut cursor = Cursor::new(point, &record);
            let view = View::whole(&core.log, &record, &cutoff);
            #[cfg(test)]
            crate::hooks::reached(crate::hooks::Place::Touched);
            if whole && record.place() {
                record.settle();
                break cursor;
            }
            #[cfg(test)]
            crate::hooks::reached(crate::hooks::Place::Retrying);
            // The window ran away under it, or an entry came or went, before anything was promised:
            // again, for a later N.
            mark("registration retried");
            // What was handed over meanwhile goes: of a hand-over in progress, one segment at most may
            // come yet, and goes when the cursor comes past it.
            record.unplace();
            record.spill.sweep(&core.log);
            cursor.retire(&view);
            if let Some(held) = &mut gathering {
                held.release(&core.log);
            }
            gathering = begin();
        };
        let since = cursor.sequence();
        let participant = Participant {
            core: core.clone(),
            record,
            cursor,
            since,
            mask: self.mask,
            replays: gathering.and_then(|gathering| gathering.replay).into_iter().collect(),
            states: VecDeque::new(),
            report: None,
            showing: None,
            took_few: false,
            #[cfg(unix)]
            signal: None,
            not_sync: PhantomData,
        };
        // Until N was known it counted from before that, and may have stood in the way of others.
        core.room.freed(classes, core.domain());
        event!(core, "participant registered", name = participant.name(), from = since);
        core.observers.changed(&core.registry, core.domain());
        Ok(participant)
    }
}
