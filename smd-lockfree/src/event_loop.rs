//! Callback participants, served on one thread, one message each in turn.

#![allow(unsafe_code)]

pub(crate) mod context;
#[cfg(any(smd_loom, smd_shuttle))]
pub mod edges;
pub(crate) mod handle;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::bus::Bus;
use crate::core::Core;
use crate::error::{Lag, LoopError, RecvError, RegisterError};
use crate::log::cursor::Awaits;
use crate::message::Message;
use crate::participant::{Participant, Ready, Registration};
use crate::stats::ParticipantStats;
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::wait::deadline::Deadline;
use crate::wait::waiter::Waiter;

pub use context::Context;
pub use handle::LoopHandle;

use handle::Shared;

/// What a callback is given.
#[derive(Debug)]
pub enum Event<'a> {
    /// A message.
    Message(Message<'a>),
    /// A report of messages that this callback was to get and did not.
    Lagged(Lag),
}

/// Names a callback in its loop; never given twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CallbackId(pub(crate) u64);

/// A panic that was contained: its message counts as delivered, the loop goes on, the callback
/// stays unless the loop was told otherwise.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CallbackPanic {
    /// Whose.
    pub id: CallbackId,
    /// The name of its participant.
    pub name: String,
    /// The panic's message, if it was text.
    pub message: String,
}

type Callback = Box<dyn FnMut(Event<'_>, &mut Context<'_>) + Send>;
type Reporter = Box<dyn FnMut(CallbackPanic) + Send>;

/// One callback and its participant.
struct Served {
    id: CallbackId,
    participant: Participant,
    callback: Callback,
    remove_on_panic: bool,
    /// It has received all of a closed bus.
    is_at_end: bool,
}

/// Serves callbacks on one thread.
///
/// A *turn* gives each callback at most one message (or lag report), in the order in which they
/// were added. What a callback sends reaches the callbacks of its loop no sooner than the next
/// turn. A callback may send, register, change its mask, remove itself or others, add callbacks and
/// drop the last handle of the bus; a panic in it is contained. However many callbacks there are,
/// the loop sleeps and is woken as one. It has no thread of its own: call [`EventLoop::run`] on one
/// of yours, or [`EventLoop::turn`] from a loop that you have.
///
/// ```
/// use smd_lockfree::{Bus, Class, Event, EventLoop};
///
/// let bus = Bus::new();
/// let mut events = EventLoop::new(&bus);
/// let (heard, hears) = std::sync::mpsc::channel();
/// events.add(bus.participant().mask(Class::INTERACTION), move |event, context| {
///     if let Event::Message(message) = event {
///         heard.send(message.text().unwrap_or_default().to_owned()).ok();
///         context.leave();
///     }
/// })?;
/// bus.send(Class::INTERACTION, b"click")?;
/// assert_eq!(events.turn(), 1);
/// assert_eq!(hears.recv()?, "click");
/// assert!(events.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct EventLoop {
    core: Arc<Core>,
    shared: Arc<Shared>,
    /// In the order in which they were added; taken out while it runs.
    served: Vec<Option<Served>>,
    next_id: u64,
    reporter: Option<Reporter>,
}

impl EventLoop {
    /// A loop on a bus. It does not keep the bus open.
    pub fn new(bus: &Bus) -> EventLoop {
        EventLoop {
            core: bus.core().clone(),
            shared: Arc::new(Shared::new()),
            served: Vec::new(),
            next_id: 1,
            reporter: None,
        }
    }

    /// Adds a callback, which is served from the next turn on. It is given an [`Event`], which is a
    /// message or a lag report, and a [`Context`] to change itself and the loop. The participant
    /// belongs to the loop: depth, policy and name are those of `registration`.
    ///
    /// # Errors
    /// As for [`Registration::register`]; the callback is dropped then.
    pub fn add(
        &mut self,
        registration: Registration<'_>,
        callback: impl FnMut(Event<'_>, &mut Context<'_>) + Send + 'static,
    ) -> Result<CallbackId, RegisterError> {
        let participant = registration.register_with(self.shared.waiter.clone())?;
        Ok(self.enter(participant, Box::new(callback)))
    }

    fn enter(&mut self, participant: Participant, callback: Callback) -> CallbackId {
        let id = CallbackId(self.next_id);
        self.next_id += 1;
        self.served.push(Some(Served {
            id,
            participant,
            callback,
            remove_on_panic: false,
            is_at_end: false,
        }));
        id
    }

    /// Removes a callback, whose participant leaves; `false` if it is not there.
    pub fn remove(&mut self, id: CallbackId) -> bool {
        let before = self.served.len();
        self.served.retain(|served| served.as_ref().is_none_or(|served| served.id != id));
        self.served.len() < before
    }

    /// How many callbacks there are.
    pub fn len(&self) -> usize {
        self.served.len()
    }

    /// Whether there is no callback.
    pub fn is_empty(&self) -> bool {
        self.served.is_empty()
    }

    /// Figures of a callback's participant; `None` if it is not there.
    pub fn stats(&self, id: CallbackId) -> Option<ParticipantStats> {
        self.served.iter().flatten().find(|s| s.id == id).map(|s| s.participant.stats())
    }

    /// Says who hears of panics; without it the panic hook alone does.
    pub fn on_panic(&mut self, reporter: impl FnMut(CallbackPanic) + Send + 'static) {
        self.reporter = Some(Box::new(reporter));
    }

    /// Chooses whether a callback is removed after a panic; by default it stays. `false` if it is
    /// not there.
    pub fn remove_on_panic(&mut self, id: CallbackId, remove: bool) -> bool {
        let served = self.served.iter_mut().flatten().find(|served| served.id == id);
        served.map(|served| served.remove_on_panic = remove).is_some()
    }

    /// A handle for other threads.
    pub fn handle(&self) -> LoopHandle {
        LoopHandle::new(&self.shared)
    }

    /// One turn: at most one message for each callback. Never sleeps. Returns how many were served.
    pub fn turn(&mut self) -> usize {
        self.run_jobs();
        self.pass().0
    }

    /// A turn; where there is nothing, sleeps until there is, at most for `timeout`. How many were
    /// served; 0 when the time is over, or the loop was woken by its handle.
    ///
    /// # Errors
    /// `Closed` when the bus is closed and every callback has had everything; `Empty` when there is
    /// no callback.
    pub fn turn_timeout(&mut self, timeout: Option<Duration>) -> Result<usize, LoopError> {
        let deadline = Deadline::after(timeout);
        loop {
            let jobs = self.run_jobs();
            let (served, closed) = self.pass();
            if served > 0 || jobs > 0 || self.shared.is_stopped() {
                return Ok(served);
            }
            if self.served.is_empty() {
                return Err(LoopError::Empty);
            }
            if closed {
                return Err(LoopError::Closed);
            }
            if deadline.is_over() {
                return Ok(0);
            }
            self.sleep(deadline);
        }
    }

    /// Turns until the bus is closed and drained, or the loop is stopped through its handle or a
    /// callback's context: that alone is `Ok`. Sleeps where there is nothing.
    ///
    /// # Errors
    /// `Closed` at the end of the bus, which is how a loop usually ends; `Empty` when the last
    /// callback has gone, or there was none.
    pub fn run(&mut self) -> Result<(), LoopError> {
        while !self.shared.is_stopped() {
            self.turn_timeout(None)?;
        }
        // The next `run` starts afresh; a `stop` from before this one was meant for it.
        self.shared.restart();
        Ok(())
    }

    /// Runs what other threads asked for. How many.
    fn run_jobs(&mut self) -> usize {
        let shared = self.shared.clone();
        let mut count = 0;
        // Bounded: a job that asks for another is served in the next turn.
        for _ in 0..shared.jobs.len() {
            let Some(job) = shared.jobs.pop() else { break };
            count += 1;
            job(self);
        }
        count
    }

    /// One pass over the callbacks. How many were served, and whether all of them are at the end
    /// of a closed bus.
    fn pass(&mut self) -> (usize, bool) {
        // What is sent in this turn is served in the next.
        let until = self.core.log.next_sequence();
        let mut count = 0;
        let mut all_closed = true;
        let present = self.served.len();
        for at in 0..present {
            let Some(mut served) = self.served[at].take() else { continue };
            let outcome = self.serve(&mut served, until);
            let keep = match outcome {
                Outcome::Done(keep) => {
                    count += 1;
                    all_closed = false;
                    keep
                }
                Outcome::Nothing => {
                    all_closed = false;
                    true
                }
                Outcome::Closed => {
                    served.is_at_end = true;
                    true
                }
                Outcome::Gone => false,
            };
            if keep {
                self.served[at] = Some(served);
            }
        }
        // Callbacks that left, or were removed by others.
        self.served.retain(Option::is_some);
        (count, all_closed && present > 0)
    }

    /// Serves one callback.
    fn serve(&mut self, served: &mut Served, until: u64) -> Outcome {
        let step = served.participant.advance(until);
        let arena = self.core.log.arena.clone();
        let state = served.participant.take_showing();
        let event = match &step {
            Ok(ready) => {
                // SAFETY: the cursor moves with the next `advance`, or with a change of the mask by
                // the callback, before which its context takes a reference of its own; the message
                // does not outlive the callback.
                let message = unsafe { Participant::detached(ready, &arena, &state) };
                Event::Message(message.expect("a state was taken for this call"))
            }
            Err(RecvError::Lagged(lag)) => Event::Lagged(*lag),
            Err(RecvError::Empty) => return Outcome::Nothing,
            Err(RecvError::Left | RecvError::Forked) => return Outcome::Gone,
            Err(_) => return Outcome::Closed,
        };
        let lent = match &step {
            Ok(Ready::Found(found)) => Some(found.frame),
            _ => None,
        };
        let Served { id, participant, callback, remove_on_panic, .. } = served;
        let mut context = Context::new(self, *id, participant, lent);
        let call = AssertUnwindSafe(|| callback(event, &mut context));
        let outcome = catch_unwind(call);
        let mut keep = !context.has_left();
        drop(context);
        if let Err(panic) = outcome {
            let message = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            crate::contain::drop_contained(panic);
            let report = CallbackPanic { id: *id, name: participant.name().to_owned(), message };
            self.report(report);
            keep &= !*remove_on_panic;
        }
        Outcome::Done(keep)
    }

    /// Tells of a panic; one in the reporter goes no further either.
    fn report(&mut self, panic: CallbackPanic) {
        if let Some(mut reporter) = self.reporter.take()
            && crate::contain::call(|| reporter(panic))
            && self.reporter.is_none()
        {
            self.reporter = Some(reporter);
        }
    }

    /// Sleeps until a callback has something, a job comes, or the time is over.
    fn sleep(&mut self, deadline: Deadline) {
        let (mut mask, mut hole) = (0, false);
        for served in self.served.iter_mut().flatten() {
            match served.participant.awaits() {
                Awaits::Something => return,
                Awaits::End if served.is_at_end => {}
                Awaits::End => return,
                Awaits::Hole if served.participant.finish_state() => return,
                Awaits::Hole => hole = true,
                Awaits::Nothing => mask |= served.participant.mask().bits(),
            }
        }
        let waiter: &Arc<Waiter> = &self.shared.waiter;
        waiter.arm_thread();
        self.core.waiters.announce(waiter, mask, hole);
        let found =
            self.served.iter_mut().flatten().any(|served| match served.participant.awaits() {
                Awaits::Something => true,
                Awaits::End => !served.is_at_end,
                Awaits::Hole => !hole || served.participant.finish_state(),
                Awaits::Nothing => false,
            });
        if !found && self.shared.jobs.is_empty() && !self.shared.is_stopped() {
            for served in self.served.iter_mut().flatten() {
                served.participant.go_away();
            }
            crate::participant::waiting::sleep(&self.shared.waiter, deadline);
        }
        self.shared.waiter.stop();
    }
}

/// What serving one callback came to.
enum Outcome {
    /// It was called; whether it stays.
    Done(bool),
    Nothing,
    Closed,
    Gone,
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoop")
            .field("bus", &self.core.config.name)
            .field("callbacks", &self.served.len())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn restart(&self) {
        // RELAXED: a flag of the loop's own.
        self.stopped.store(false, Ordering::Relaxed);
    }
}
