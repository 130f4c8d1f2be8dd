//! A participant: someone registered, with a mask, who receives in its own thread.

#![allow(unsafe_code)]

#[cfg(unix)]
pub(crate) mod descriptor;
mod drain;
pub(crate) mod handle;
pub(crate) mod recv;
pub(crate) mod registration;
#[cfg(feature = "stream")]
pub(crate) mod stream;
pub(crate) mod waiting;

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use crate::bus::Bus;
use crate::class::Class;
use crate::core::Core;
use crate::error::{Lag, LagReason, MaskError, RecvError};
use crate::log::cursor::{Cursor, Cutoff, Found, Look, View};
use crate::message::Message;
use crate::registry::record::Record;
use crate::retained::replay::{Before, Gathering, Replay, State};
use crate::sender::Sender;
use crate::stats::ParticipantStats;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::wait::deadline::Deadline;

#[cfg(unix)]
pub use descriptor::Descriptor;
pub use handle::ParticipantHandle;
pub use recv::Recv;
pub use registration::{Policy, Registration};
#[cfg(feature = "stream")]
pub use stream::Messages;

/// Someone registered, from [`Bus::register`] or [`Bus::participant`]. Dropping it leaves.
///
/// All receiving forms work on one cursor: they can be mixed, one at a time.
///
/// | form | waits | what it is for |
/// |---|---|---|
/// | [`try_recv`](Participant::try_recv) | no | a loop of your own |
/// | [`drain`](Participant::drain) | no | many messages, the cheapest for each |
/// | [`recv_blocking`](Participant::recv_blocking), [`recv_timeout`](Participant::recv_timeout) | the thread sleeps | a thread for this participant |
/// | [`recv_spinning`](Participant::recv_spinning) | the thread spins | latency before processor time |
/// | [`recv`](Participant::recv) | the task sleeps | `async`, on any executor |
/// | `into_descriptor` (Unix) | your poller sleeps | epoll, mio, tokio's `AsyncFd` |
///
/// A lag report comes as an *error* of a receive, in line with the messages; the next receive goes on
/// after it:
///
/// ```
/// use smd_lockfree::{Bus, Class, Policy, RecvError};
///
/// let bus = Bus::new();
/// let latest = bus.participant().mask(Class::METRICS).policy(Policy::Lag).depth(2);
/// let mut latest = latest.register()?;
/// for value in 0..10_u64 {
///     bus.send_value(Class::METRICS, &value)?;
/// }
/// bus.close();
/// let (mut seen, mut lost) = (Vec::new(), 0);
/// loop {
///     match latest.recv_blocking() {
///         Ok(message) => seen.push(message.decode::<u64>()?),
///         Err(RecvError::Lagged(lag)) => lost += lag.count,
///         Err(RecvError::Closed) => break,
///         Err(other) => return Err(other.into()),
///     }
/// }
/// assert_eq!((seen, lost), (vec![8, 9], 8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It can be moved to another thread, not shared:
///
/// ```compile_fail
/// fn shared<T: Sync>() {}
/// shared::<smd_lockfree::Participant>();
/// ```
///
/// ```
/// fn moved<T: Send>() {}
/// moved::<smd_lockfree::Participant>();
/// ```
pub struct Participant {
    pub(crate) core: Arc<Core>,
    pub(crate) record: Arc<Record>,
    cursor: Cursor,
    since: u64,
    mask: Class,
    /// Gathered state that is due at a later number.
    replays: VecDeque<Replay>,
    /// State that is due now.
    states: VecDeque<State>,
    /// A report that ended a drain, for the next call.
    report: Option<Lag>,
    /// The state message that was handed out last.
    showing: Option<State>,
    /// The last drain took few messages: the next one looks where they end, record by record.
    took_few: bool,
    #[cfg(unix)]
    signal: Option<Arc<crate::wait::descriptor::Signal>>,
    not_sync: PhantomData<Cell<()>>,
}

/// What a receive found; the message is built from it with the right borrow.
#[derive(Debug)]
pub(crate) enum Ready {
    Found(Found),
    /// In `showing`.
    State,
}

impl Participant {
    /// The sequence number from which the registration holds: nothing older was or will be
    /// received, but for retained state.
    pub fn since(&self) -> u64 {
        self.since
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.record.name.as_str()
    }

    /// The classes that it wants.
    pub fn mask(&self) -> Class {
        self.mask
    }

    /// How many messages may wait for it.
    pub fn depth(&self) -> u32 {
        self.record.depth as u32
    }

    /// What happens when that many wait.
    pub fn policy(&self) -> Policy {
        self.record.policy
    }

    /// Changes the mask. Returns the number N from which the change holds: of classes that are new
    /// in the mask, messages from N on are received, after the retained state of these classes,
    /// which comes right before N. Classes that are given up stop at once; what waits of them is
    /// dropped without a report.
    ///
    /// ```
    /// use smd_lockfree::{Bus, Class};
    ///
    /// let bus = Bus::new();
    /// let mut part = bus.register(Class::NETWORK)?;
    /// assert!(!bus.wants(Class::METRICS));
    /// assert_eq!(part.set_mask(Class::METRICS)?, 1);
    /// assert!(bus.wants(Class::METRICS) && !bus.wants(Class::NETWORK));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`MaskError`]: `EmptyMask`, `Left`, `Closed`, `Forked`.
    pub fn set_mask(&mut self, mask: Class) -> Result<u64, MaskError> {
        let shared = self.core.clone();
        let core = &*shared;
        if mask.is_empty() {
            return Err(MaskError::EmptyMask);
        }
        if core.is_forked() {
            return Err(MaskError::Forked);
        }
        if self.record.has_left() {
            return Err(MaskError::Left);
        }
        if core.is_closed() {
            return Err(MaskError::Closed);
        }
        let added = mask.difference(self.mask);
        let takes_state = self.record.retained && !added.is_empty();
        let wanted = self.record.wanted();
        let gives_up = !self.mask.difference(mask).is_empty();
        if self.record.policy == Policy::Lag && gives_up {
            self.shed();
        }
        let consumed = self.cursor.sequence();
        let before = Some(Before { wanted, stays: mask.bits(), consumed });
        let begin = || takes_state.then(|| Gathering::begin(core, added.bits(), before));
        let mut gathering = begin();
        // Rule M4 of the registry: first a lower bound of N, N itself after the touch.
        self.record.set_mask(mask.bits(), added.bits(), core.log.next_sequence(), false);
        let changed = core.registry.change(core.domain(), &self.record, mask.bits());
        self.narrow(mask);
        if changed.is_err() {
            if let Some(gathering) = &mut gathering {
                gathering.release(&core.log);
            }
            self.record.set_mask(mask.bits(), 0, 0, true);
            return Err(MaskError::Left);
        }
        // Where the bus closes meanwhile the change still holds, from the end of the order on: what
        // was given up may have been retired as such.
        let mut since = core.change_point();
        while let Some(held) = &mut gathering
            && !held.set_point(core, since)
        {
            // Gather again, for a later N.
            held.release(&core.log);
            gathering = begin();
            since = core.change_point();
        }
        self.record.set_mask(mask.bits(), added.bits(), since, true);
        self.replays.extend(gathering.and_then(|gathering| gathering.replay));
        // What was given up may have been what filled the backlog.
        core.room.freed(u32::MAX, core.domain());
        core.observers.changed(&core.registry, core.domain());
        // Whoever waits has announced the old mask: a task that another part of the program put to
        // sleep looks again, and a descriptor is armed anew.
        self.record.waiter.rouse();
        self.restore_descriptor(false);
        Ok(since)
    }

    /// Policy lag, before classes are given up: what is over the depth by the old mask is lost, so
    /// that nothing stays that is older than what was trimmed.
    fn shed(&mut self) {
        // No trimming by the old mask from here on.
        self.record.set_mask(self.mask.bits(), 0, 0, false);
        let cutoff = Cutoff::new(&self.core);
        // State that is due in between comes behind what is lost, as it does where that is trimmed.
        let view = View::whole(&self.core.log, &self.record, &cutoff);
        self.cursor.cut(&view);
        if self.cursor.is_over_depth() {
            let look = self.cursor.look(&view);
            debug_assert!(!matches!(look, Look::Found(_)), "the next wanted one is over the depth");
            self.cursor.publish(&self.record);
        }
    }

    /// Takes the new mask, and drops gathered state of what it gives up.
    fn narrow(&mut self, mask: Class) {
        self.mask = mask;
        self.states.retain_mut(|state| state.narrow(mask.bits()));
        let log = &self.core.log;
        self.replays.retain_mut(|replay| {
            replay.narrow(mask.bits());
            if replay.is_over() {
                replay.release(log);
            }
            !replay.is_over()
        });
    }

    /// How many gatherings of state are kept.
    #[cfg(test)]
    pub(crate) fn replays(&self) -> usize {
        self.replays.len()
    }

    /// Leaves: settles at once what was still owed to it. Returns the number from which it holds.
    pub fn leave(self) -> u64 {
        self.depart()
    }

    /// Ends the registration; the record and the cursor go with the participant.
    pub(crate) fn depart(&self) -> u64 {
        self.core.depart(&self.record).unwrap_or_else(|| self.core.log.next_sequence())
    }

    /// A sender whose messages this participant does not receive, if it excludes its own.
    pub fn sender(&self) -> Sender {
        Sender::new(&self.core, self.record.sender.clone())
    }

    /// A handle for other threads and callbacks: to end the registration, to read its figures.
    pub fn handle(&self) -> ParticipantHandle {
        ParticipantHandle::new(&self.core, &self.record)
    }

    /// A handle of the bus.
    pub fn bus(&self) -> Bus {
        Bus::from_core(self.core.clone())
    }

    /// Figures; counts the backlog for it, which costs more the longer that is.
    pub fn stats(&self) -> ParticipantStats {
        crate::dump::participant_stats(&self.core, &self.record)
    }

    /// The next message, if there is one.
    ///
    /// # Errors
    /// [`RecvError`]: `Empty`; `Lagged` with a report, after which it goes on; for good `Left`,
    /// `Closed` and `Forked`.
    #[inline]
    pub fn try_recv(&mut self) -> Result<Message<'_>, RecvError> {
        let ready = self.try_advance(u64::MAX)?;
        Ok(self.message(ready))
    }

    /// The next message; the thread sleeps until there is one.
    ///
    /// # Errors
    /// As for [`Participant::try_recv`]; never `Empty`.
    pub fn recv_blocking(&mut self) -> Result<Message<'_>, RecvError> {
        let ready = self.block(None)?;
        Ok(self.message(ready))
    }

    /// The next message; the thread sleeps until there is one, at most for `timeout`.
    ///
    /// # Errors
    /// As for [`Participant::try_recv`], with `Timeout` instead of `Empty`.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Message<'_>, RecvError> {
        let ready = self.block(Some(timeout))?;
        Ok(self.message(ready))
    }

    /// The next message; spins until there is one. Its sender pays for no wake-up; this thread takes
    /// a core.
    ///
    /// # Errors
    /// As for [`Participant::try_recv`]; never `Empty`.
    pub fn recv_spinning(&mut self) -> Result<Message<'_>, RecvError> {
        let ready = loop {
            match self.advance(u64::MAX) {
                Err(RecvError::Empty) => crate::sync::hint::spin_loop(),
                other => break other?,
            }
        };
        Ok(self.message(ready))
    }

    /// The next message, as a future that borrows it: no executor is assumed. Cancel safe: a
    /// dropped future has received nothing. The message itself stays on its thread: to carry it
    /// across an `await` in a task that may move, [`Message::keep`] it. [`Recv`] has an example.
    ///
    /// # Errors
    /// As for [`Participant::try_recv`]; never `Empty`.
    pub fn recv(&mut self) -> Recv<'_> {
        Recv::new(self)
    }

    /// Receives what is there when it is called: the cheapest form, one look at the clock for 64
    /// messages. Returns how many. What it takes makes room for senders after 64 messages, and at
    /// its end.
    ///
    /// A lag report ends a run; it comes as the error of the next call. So does the end of the
    /// registration: after that `f` is given nothing more. A panic in `f` goes through; its message
    /// counts as delivered.
    ///
    /// ```
    /// use smd_lockfree::{Bus, Class};
    ///
    /// let bus = Bus::new();
    /// let mut metrics = bus.register(Class::METRICS)?;
    /// for value in 1..=3_u64 {
    ///     bus.send_value(Class::METRICS, &value)?;
    /// }
    /// let mut sum = 0;
    /// let count = metrics.drain(|message| sum += message.decode::<u64>().unwrap_or(0))?;
    /// assert_eq!((count, sum), (3, 6));
    /// assert_eq!(metrics.drain(|_| ())?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`RecvError`] for a lag report and for the end; nothing there is `Ok(0)`.
    pub fn drain(&mut self, f: impl FnMut(Message<'_>)) -> Result<usize, RecvError> {
        self.drain_up_to(usize::MAX, f)
    }

    /// As [`Participant::drain`], for a thread that serves a stream as fast as it can: where nothing is
    /// there, it spins for `pause` without a look at anything but the end of the registration and of the
    /// bus, and then receives what came meanwhile.
    ///
    /// A look at the place where the next message will be takes that cache line from its sender, who
    /// then waits for it. So a thread that looks all the time slows down who it waits for. A few
    /// microseconds, in which some dozens of messages come, cost latency and bring throughput.
    ///
    /// ```
    /// use smd_lockfree::{Bus, Class};
    /// use std::time::Duration;
    ///
    /// let bus = Bus::new();
    /// let mut metrics = bus.register(Class::METRICS)?;
    /// bus.send_value(Class::METRICS, &1_u64)?;
    /// assert_eq!(metrics.drain_paced(Duration::from_micros(2), |_| ())?, 1);
    /// assert_eq!(metrics.drain_paced(Duration::from_micros(2), |_| ())?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Participant::drain`].
    pub fn drain_paced(
        &mut self,
        pause: Duration,
        mut f: impl FnMut(Message<'_>),
    ) -> Result<usize, RecvError> {
        match self.drain_with(usize::MAX, &mut f)? {
            0 => {
                let deadline = Deadline::after(Some(pause));
                while !deadline.is_over() && !self.record.has_left() && !self.core.is_closed() {
                    crate::sync::hint::spin_loop();
                }
                self.drain_with(usize::MAX, &mut f)
            }
            drained => Ok(drained),
        }
    }

    /// As [`Participant::drain`], at most `max` messages.
    ///
    /// # Errors
    /// As for [`Participant::drain`].
    pub fn drain_up_to(
        &mut self,
        max: usize,
        mut f: impl FnMut(Message<'_>),
    ) -> Result<usize, RecvError> {
        self.drain_with(max, &mut f)
    }

    /// The number before which nothing of the gathered state is due.
    fn state_at(&self) -> u64 {
        self.replays.front().map_or(u64::MAX, |replay| replay.at)
    }

    /// One step for a receive: what it found, progress published.
    pub(crate) fn advance(&mut self, until: u64) -> Result<Ready, RecvError> {
        let core = &*self.core;
        if core.is_forked() {
            return Err(RecvError::Forked);
        }
        if !self.record.has_left()
            && let Some(lag) = self.report.take()
        {
            return Err(RecvError::Lagged(lag));
        }
        loop {
            if self.record.has_left() {
                return Err(RecvError::Left);
            }
            if let Some(state) = self.states.pop_front() {
                self.showing = Some(state);
                Self::count(&self.record.progress.delivered, 1);
                return Ok(Ready::State);
            }
            let cutoff = Cutoff::new(core);
            let view = View {
                state_at: self.state_at(),
                until,
                ..View::whole(&core.log, &self.record, &cutoff)
            };
            if self.record.policy == Policy::Lag {
                self.cursor.cut(&view);
            }
            #[cfg(test)]
            crate::hooks::reached(crate::hooks::Place::Counted);
            let look = self.cursor.look(&view);
            // Whoever sees a message from behind a departure sees the departure. Before the progress:
            // what is not delivered makes no room (G5).
            if self.record.has_left() {
                return Err(RecvError::Left);
            }
            self.cursor.publish(&self.record);
            let result = match look {
                Look::Found(found) => {
                    Self::count(&self.record.progress.delivered, 1);
                    Ok(Ready::Found(found))
                }
                Look::Lost => match take_report(&mut self.cursor, &self.record) {
                    Some(lag) => Err(RecvError::Lagged(lag)),
                    None => continue,
                },
                Look::Nothing => Err(RecvError::Empty),
                Look::Closed => Err(RecvError::Closed),
                Look::State => {
                    let due = self.replays.front_mut().and_then(|replay| replay.finish(&core.log));
                    if let Some(states) = due {
                        self.replays.pop_front();
                        self.states.extend(states);
                        continue;
                    }
                    Err(RecvError::Empty)
                }
            };
            if self.record.policy == Policy::Backpressure {
                core.room.freed(self.mask.bits(), core.domain());
            }
            return result;
        }
    }

    /// Counts in a figure that only this participant writes.
    fn count(figure: &AtomicU64, more: u64) {
        // RELAXED: one writer; statistics.
        figure.store(figure.load(Ordering::Relaxed) + more, Ordering::Relaxed);
    }

    /// The message that the last step found.
    #[inline(always)]
    pub(crate) fn message(&mut self, ready: Ready) -> Message<'_> {
        match ready {
            // SAFETY: the borrow of this participant keeps the cursor where it is.
            Ready::Found(found) => unsafe { Message::found(found, &self.core.log.arena) },
            Ready::State => {
                let state = self.showing.as_ref().expect("a state was taken for this call");
                Message::state(state.meta, &state.bytes)
            }
        }
    }

    /// A message that does not borrow the participant: for the event loop, whose callbacks may
    /// change the mask meanwhile.
    ///
    /// # Safety
    /// The message's frame stays referenced while the message lives: the cursor does not move, or
    /// the caller has a reference of its own.
    pub(crate) unsafe fn detached<'m>(
        ready: &Ready,
        arena: &'m Arc<crate::log::arena::Arena>,
        state: &'m Option<State>,
    ) -> Option<Message<'m>> {
        match ready {
            // SAFETY: the caller's promise.
            Ready::Found(found) => Some(unsafe { Message::found(*found, arena) }),
            Ready::State => state.as_ref().map(|state| Message::state(state.meta, &state.bytes)),
        }
    }

    pub(crate) fn take_showing(&mut self) -> Option<State> {
        self.showing.take()
    }
}

/// Takes the oldest run of losses out of the cursor, as a report.
fn take_report(cursor: &mut Cursor, record: &Record) -> Option<Lag> {
    let (reason, lost) = cursor.losses.take()?;
    let figure = match reason {
        LagReason::Overflow => &record.progress.lagged,
        LagReason::Expired => &record.progress.expired,
    };
    Participant::count(figure, lost.count);
    let (count, first, last) = (lost.count, lost.first, lost.last);
    Some(Lag { count, classes: lost.classes(), first, last, reason })
}

impl Drop for Participant {
    fn drop(&mut self) {
        let core = &*self.core;
        // `None`: it was ended before, by `leave` or through a handle.
        let _ = core.depart(&self.record);
        core.departed.add(&self.record);
        self.record.waiter.end();
        let cutoff = Cutoff::new(core);
        let view = View::whole(&core.log, &self.record, &cutoff);
        self.cursor.retire(&view);
        for replay in &mut self.replays {
            replay.release(&core.log);
        }
    }
}

impl fmt::Debug for Participant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Participant")
            .field("name", &self.record.name)
            .field("mask", &self.mask)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}
