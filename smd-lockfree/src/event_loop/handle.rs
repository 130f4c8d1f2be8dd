//! A loop, seen from other threads.
//!
//! | edge | release end | acquire end | carries |
//! |---|---|---|---|
//! | `loop.ended` (fence) | `ended` stored, jobs dropped | job pushed, `ended` loaded | no job outlives the loop |

use std::fmt;

use crossbeam_queue::SegQueue;

use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::wait::waiter::Waiter;

use super::{CallbackId, EventLoop};

type Job = Box<dyn FnOnce(&mut EventLoop) + Send>;

/// What other threads ask of a loop, in order. Off the path of a send.
pub(super) type Jobs = SegQueue<Job>;

/// What a loop shares with its handles.
pub(super) struct Shared {
    pub(super) jobs: Jobs,
    pub(super) waiter: Arc<Waiter>,
    pub(super) stopped: AtomicBool,
    ended: AtomicBool,
}

impl Shared {
    pub(super) fn new() -> Shared {
        Shared {
            jobs: SegQueue::new(),
            waiter: Arc::new(Waiter::shared()),
            stopped: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        // RELAXED: a flag; the wake-up that follows it is ordered by `wait.park`.
        self.stopped.load(Ordering::Relaxed)
    }

    pub(super) fn stop(&self) {
        // RELAXED: see `is_stopped`.
        self.stopped.store(true, Ordering::Relaxed);
        self.wake();
    }

    pub(super) fn wake(&self) {
        // FENCE wait.park: the job, or the flag, against the loop's announcement; it looks at both
        // behind its own fence before it sleeps.
        fence(Ordering::SeqCst);
        self.waiter.rouse();
    }

    pub(super) fn end(&self) {
        // RELAXED: the fence orders it.
        self.ended.store(true, Ordering::Relaxed);
        // FENCE loop.ended: `ended` stored and jobs dropped, against a job pushed and `ended` loaded.
        fence(Ordering::SeqCst);
        self.drop_jobs();
    }

    fn drop_jobs(&self) {
        while self.jobs.pop().is_some() {}
    }

    fn has_ended(&self) -> bool {
        // RELAXED: behind a push the fence of `wake` orders it; before one it only spares that.
        self.ended.load(Ordering::Relaxed)
    }
}

/// Wakes, stops or changes a loop from other threads.
#[derive(Clone)]
pub struct LoopHandle(Arc<Shared>);

impl LoopHandle {
    pub(super) fn new(shared: &Arc<Shared>) -> LoopHandle {
        LoopHandle(shared.clone())
    }

    /// Ends [`EventLoop::run`] after the turn that it is in.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Wakes the loop if it sleeps: its `turn_timeout` returns.
    pub fn wake(&self) {
        self.run(|_| ());
    }

    /// Removes a callback, at the loop's next turn.
    pub fn remove(&self, id: CallbackId) {
        self.run(move |events| {
            events.remove(id);
        });
    }

    /// Runs `job` on the loop's thread, at its next turn; dropped unrun if the loop has ended.
    ///
    /// ```
    /// use smd_lockfree::{Bus, Class, EventLoop};
    ///
    /// let bus = Bus::new();
    /// let mut events = EventLoop::new(&bus);
    /// events.add(bus.participant().mask(Class::NETWORK), |_event, _context| ())?;
    /// let handle = events.handle();
    /// let served = std::thread::spawn(move || events.run());
    ///
    /// let other = bus.clone();
    /// handle.run(move |events| {
    ///     let metrics = other.participant().mask(Class::METRICS);
    ///     events.add(metrics, |_event, _context| ()).expect("there is room");
    /// });
    /// handle.stop();
    /// assert!(served.join().unwrap().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run(&self, job: impl FnOnce(&mut EventLoop) + Send + 'static) {
        if self.0.has_ended() {
            return;
        }
        self.0.jobs.push(Box::new(job));
        // FENCE loop.ended: in `wake`: the job against `ended`.
        self.0.wake();
        if self.0.has_ended() {
            // It came behind the loop's last look: a job may hold what holds this.
            self.0.drop_jobs();
        }
    }
}

impl fmt::Debug for LoopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopHandle").field("stopped", &self.0.is_stopped()).finish()
    }
}
