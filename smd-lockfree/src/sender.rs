//! A sender: the per-thread handle for the hot path.

#![allow(unsafe_code)]

mod batch;

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

pub use batch::{BatchError, BatchSent, Outgoing};

use crate::bus::Bus;
use crate::class::Class;
use crate::core::Core;
use crate::draft::{Draft, Via};
use crate::error::{FullReason, SendError};
use crate::format::format_into;
use crate::limits::MAX_PAYLOAD;
use crate::log::word::Extra;
use crate::message::Origin;
use crate::payload::Payload;
use crate::registry::ids::SenderId;
use crate::send::items::{Equal, Mixed};
use crate::send::slots::{Counters, Slot};
use crate::send::state::Parts;
use crate::stats::SenderStats;
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::sync::thread;
use crate::wait::deadline::Deadline;
use crate::wait::waiter::Waiter;

/// What became of a message that was accepted without an error.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Sent {
    /// It is in the order, with this sequence number.
    Queued(u64),
    /// Nobody wants any of its classes: nothing was stamped, copied or allocated.
    Unwanted,
}

impl Sent {
    /// The sequence number, if the message was queued.
    pub fn sequence(self) -> Option<u64> {
        match self {
            Sent::Queued(sequence) => Some(sequence),
            Sent::Unwanted => None,
        }
    }

    /// Whether the message is in the order.
    pub fn is_queued(self) -> bool {
        matches!(self, Sent::Queued(_))
    }
}

/// Sends from one thread at a time: the cheapest way in.
///
/// It keeps its place in the log and its view of the registry between sends, so that the usual send
/// is one look at the interest, one clock read, one compare-and-swap, a copy and a store. It can be
/// moved to another thread; for several threads, clone it.
///
/// From its first send until it is dropped it holds one segment of the log (32 KiB by default), also
/// when it is idle. It keeps the bus open.
///
/// ```
/// use smd_lockfree::{Bus, Class, Sent};
///
/// let bus = Bus::new();
/// let mut log = bus.register(Class::NETWORK)?;
/// let sender = bus.sender();
/// assert!(sender.send(Class::NETWORK, b"up")?.is_queued());
/// assert_eq!(sender.send(Class::METRICS, b"42")?, Sent::Unwanted);
/// assert_eq!(log.try_recv()?.bytes(), b"up");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It is not shared between threads:
///
/// ```compile_fail
/// fn shared<T: Sync>() {}
/// shared::<smd_lockfree::Sender>();
/// ```
pub struct Sender {
    core: Arc<Core>,
    slot: Arc<Slot>,
    id: Arc<SenderId>,
    not_sync: PhantomData<Cell<()>>,
}

impl Sender {
    pub(crate) fn new(core: &Arc<Core>, id: Arc<SenderId>) -> Sender {
        // RELAXED: made from a handle, so the count is not 0 unless the bus is closed already.
        core.producers.fetch_add(1, Ordering::Relaxed);
        Sender { core: core.clone(), slot: core.slots.take(None), id, not_sync: PhantomData }
    }

    /// Puts one message into the order. `hole` is told whether it was refused for records that are
    /// not published yet.
    #[inline]
    pub(crate) fn put(
        &self,
        class: Class,
        payload: &[u8],
        extra: Option<&Extra>,
        hole: Option<&Cell<bool>>,
    ) -> Result<Sent, SendError> {
        if !self.core.admit(class, payload.len())? {
            Counters::add(&self.slot.counters.unwanted, 1);
            return Ok(Sent::Unwanted);
        }
        self.append(Parts { class, payload, extra, hole })
    }

    /// The wanted half of [`Sender::put`]: apart, so that the other half costs its caller nothing.
    #[inline(never)]
    fn append(&self, parts: Parts<'_>) -> Result<Sent, SendError> {
        // SAFETY: this handle owns the slot and is not `Sync`; appending runs no user code.
        let appended =
            unsafe { self.slot.with(&self.core, self.id.get(), |s| s.append(&self.core, parts)) };
        match appended {
            Ok(sequence) => {
                Counters::add(&self.slot.counters.sent, 1);
                self.core.published(parts.class.bits(), self.id.get());
                Ok(Sent::Queued(sequence))
            }
            Err(error) => {
                Counters::add(&self.slot.counters.refused, 1);
                self.core.refused(&error);
                Err(error)
            }
        }
    }

    /// Sends `payload` with `class`.
    ///
    /// Costs one load if nobody wants it. Never waits, takes no lock, allocates nothing in steady
    /// state; waking a sleeping participant costs a system call.
    ///
    /// # Errors
    /// [`SendError`]: `EmptyClass`, `TooLong` over 384 bytes, `Full` if a participant that wants the
    /// class is full under backpressure or the bus is stalled, `Closed`, `Forked`.
    #[inline]
    pub fn send(&self, class: Class, payload: &[u8]) -> Result<Sent, SendError> {
        self.put(class, payload, None, None)
    }

    /// Sends what came from elsewhere, and says so: [`Message::origin`](crate::Message::origin) gives
    /// it back. It takes its place and gets its stamp here like any other. For who forwards between
    /// this bus and another process; costs 32 bytes more in the log than [`Sender::send`].
    ///
    /// ```
    /// use std::num::NonZeroU32;
    /// use smd_lockfree::{Bus, Class, Origin, Timestamp};
    ///
    /// let bus = Bus::new();
    /// let mut log = bus.register(Class::NETWORK)?;
    /// let peer = NonZeroU32::new(7).expect("not 0");
    /// let origin = Origin::Peer { peer, timestamp: Timestamp::from_nanos(1_000), sequence: 12 };
    /// bus.sender().send_from(origin, Class::NETWORK, b"up")?;
    /// assert_eq!(log.try_recv()?.origin(), origin);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Sender::send`].
    pub fn send_from(
        &self,
        origin: Origin,
        class: Class,
        payload: &[u8],
    ) -> Result<Sent, SendError> {
        match origin {
            Origin::Local => self.put(class, payload, None, None),
            Origin::Peer { peer, timestamp, sequence } => {
                let (peer, time) = (peer.get(), timestamp.nanos());
                self.put(class, payload, Some(&Extra { time, sequence, peer, entry: 0 }), None)
            }
        }
    }

    /// A draft of `len` zeroed bytes in the caller's own memory, or `None` if nobody wants the class.
    ///
    /// # Errors
    /// As for [`Sender::send`], but for a full backlog, which is met at [`Draft::send`].
    pub fn alloc(&self, class: Class, len: usize) -> Result<Option<Draft<'_>>, SendError> {
        if !self.core.admit(class, len)? {
            Counters::add(&self.slot.counters.unwanted, 1);
            return Ok(None);
        }
        if self.core.is_closed() {
            return Err(SendError::Closed);
        }
        Ok(Some(Draft::new(Via::Sender(self), class, len)))
    }

    /// Sends formatted text; use [`smd_format!`](crate::smd_format), which does not even evaluate
    /// the arguments when nobody listens.
    ///
    /// # Errors
    /// As for [`Sender::send`]; `Format` if an argument fails to format; `TooLong` if the text does
    /// not fit.
    pub fn send_fmt(&self, class: Class, text: fmt::Arguments<'_>) -> Result<Sent, SendError> {
        if !self.core.admit(class, 0)? {
            Counters::add(&self.slot.counters.unwanted, 1);
            return Ok(Sent::Unwanted);
        }
        let mut buffer = [0; MAX_PAYLOAD];
        let len = format_into(&mut buffer, text)?;
        self.put(class, &buffer[..len], None, None)
    }

    /// Sends a value; it is not encoded when nobody listens.
    ///
    /// # Errors
    /// As for [`Sender::send`]; `Encode` if the value cannot be encoded.
    pub fn send_value<T: Payload>(&self, class: Class, value: &T) -> Result<Sent, SendError> {
        if !self.core.admit(class, 0)? {
            Counters::add(&self.slot.counters.unwanted, 1);
            return Ok(Sent::Unwanted);
        }
        let mut buffer = [0; MAX_PAYLOAD];
        let len = value.encode(&mut buffer).map_err(SendError::Encode)?;
        let bytes = buffer.get(..len).ok_or(SendError::TooLong { len, max: MAX_PAYLOAD })?;
        self.put(class, bytes, None, None)
    }

    /// Sends several messages with one stamp, one claim for each segment that they touch and one
    /// look for sleepers. They keep their order; messages of others may stand between them only
    /// where a segment ends or room runs out.
    ///
    /// ```
    /// use smd_lockfree::{Bus, Class, Outgoing};
    ///
    /// let bus = Bus::new();
    /// let mut metrics = bus.register(Class::METRICS)?;
    /// let sent = bus.sender().send_batch(&[
    ///     Outgoing::new(Class::METRICS, b"1"),
    ///     Outgoing::new(Class::NETWORK, b"nobody wants this"),
    ///     Outgoing::new(Class::METRICS, b"2"),
    /// ])?;
    /// assert_eq!((sent.queued, sent.unwanted), (2, 1));
    /// assert_eq!(metrics.drain(|_| ())?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`BatchError`] says how many of the first messages were handled before one was refused; the
    /// batch can go on with `&messages[done..]`.
    pub fn send_batch(&self, messages: &[Outgoing<'_>]) -> Result<BatchSent, BatchError> {
        self.send_items(Mixed(messages))
    }

    /// Sends several messages of the same classes and the same length: [`Sender::send_batch`] where
    /// that is known beforehand, at about half its cost.
    ///
    /// ```
    /// use smd_lockfree::{Bus, Class};
    ///
    /// let bus = Bus::new();
    /// let mut metrics = bus.register(Class::METRICS)?;
    /// let readings = [21_u64, 22, 23].map(u64::to_le_bytes);
    /// assert_eq!(bus.sender().send_equal(Class::METRICS, &readings)?.queued, 3);
    /// assert_eq!(metrics.drain(|_| ())?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Sender::send_batch`].
    #[inline]
    pub fn send_equal<const LEN: usize>(
        &self,
        class: Class,
        payloads: &[[u8; LEN]],
    ) -> Result<BatchSent, BatchError> {
        self.send_items(Equal { class, payloads })
    }

    /// Sends, and where a backlog is full sleeps until there is room: at most `timeout`.
    ///
    /// No `timeout` means for ever, so a stuck participant without a time to live holds it for ever.
    /// It wakes when a participant has received, left or changed its mask, and when the bus is
    /// closed; the expiry of what fills the backlog is looked for every eighth of the time to live.
    ///
    /// ```
    /// use std::time::Duration;
    /// use smd_lockfree::{Bus, Class, FullReason, SendError, Sent};
    ///
    /// let bus = Bus::builder().depth(1).time_to_live(None).build()?;
    /// let mut slow = bus.register(Class::METRICS)?;
    /// let sender = bus.sender();
    /// assert_eq!(sender.send(Class::METRICS, b"1")?, Sent::Queued(1));
    ///
    /// let refused = sender.send_wait(Class::METRICS, b"2", Some(Duration::from_millis(1)));
    /// assert_eq!(refused, Err(SendError::Full(FullReason::Backlog)));
    ///
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| slow.recv_blocking().map(|message| message.sequence()));
    ///     assert_eq!(sender.send_wait(Class::METRICS, b"2", None), Ok(Sent::Queued(2)));
    /// });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Sender::send`]; `Full` when the time is over.
    pub fn send_wait(
        &self,
        class: Class,
        payload: &[u8],
        timeout: Option<Duration>,
    ) -> Result<Sent, SendError> {
        self.wait_for_room(class, timeout, |hole| self.put(class, payload, None, hole))
    }

    /// Tries `send` until it is not refused as full any more (rule W5 of [`crate::wait`]).
    pub(crate) fn wait_for_room(
        &self,
        class: Class,
        timeout: Option<Duration>,
        send: impl Fn(Option<&Cell<bool>>) -> Result<Sent, SendError>,
    ) -> Result<Sent, SendError> {
        let refused = self.refused();
        let first = send(None);
        if !matches!(first, Err(SendError::Full(_))) {
            return first;
        }
        let deadline = Deadline::after(timeout);
        let core = &*self.core;
        let waiter = Arc::new(Waiter::new());
        core.room.enter(&waiter, class.bits(), core.domain());
        let outcome = loop {
            waiter.arm_thread();
            let outcome = core.try_for_room(&waiter, &send);
            let Err(SendError::Full(reason)) = outcome else { break outcome };
            let left = deadline.left();
            if left.is_some_and(|left| left.is_zero()) {
                break outcome;
            }
            self.sleep_for_room(&waiter, reason, left);
            waiter.stop();
        };
        waiter.end();
        core.room.leave(&waiter, core.domain());
        // However often it was tried, it was refused once, or not.
        self.set_refused(refused + u64::from(outcome.is_err()));
        outcome
    }

    fn refused(&self) -> u64 {
        // RELAXED: one writer; statistics.
        self.slot.counters.refused.load(Ordering::Relaxed)
    }

    fn set_refused(&self, refused: u64) {
        // RELAXED: one writer; statistics.
        self.slot.counters.refused.store(refused, Ordering::Relaxed);
    }

    fn sleep_for_room(&self, waiter: &Waiter, reason: FullReason, left: Option<Duration>) {
        let expiry = match reason {
            // Nobody announces the end of a stall: it is looked for.
            FullReason::Stalled => Some(Duration::from_millis(1)),
            FullReason::Backlog => self.core.config.time_to_live.map(|ttl| ttl / 8),
        };
        let nap = match (left, expiry) {
            (Some(left), Some(expiry)) => Some(left.min(expiry)),
            (left, expiry) => left.or(expiry),
        };
        if !waiter.is_waiting() {
            return;
        }
        match nap {
            Some(nap) => thread::park_timeout(nap),
            None => thread::park(),
        }
    }

    /// Sends, and where a backlog is full waits for room without blocking the thread. Cancel safe:
    /// a dropped future has sent nothing.
    ///
    /// It is woken as [`Sender::send_wait`] is, except by expiry, which no executor-free future can
    /// wait for: combine it with your executor's timer where participants may be stuck. The future is
    /// `Send`, and a task that owns its `Sender` may move between threads; one that holds a
    /// `&Sender` across an `await` may not.
    ///
    /// ```
    /// use smd_lockfree::{Bus, Class, SendError, Sent};
    ///
    /// async fn report(bus: &Bus, value: u64) -> Result<Sent, SendError> {
    ///     bus.sender().send_async(Class::METRICS, &value.to_le_bytes()).await
    /// }
    /// # let bus = Bus::new();
    /// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    /// # let sent = std::pin::pin!(report(&bus, 1)).poll(&mut context);
    /// # assert_eq!(sent, std::task::Poll::Ready(Ok(Sent::Unwanted)));
    /// ```
    ///
    /// # Errors
    /// As for [`Sender::send`]; never `Full`.
    pub fn send_async<'a>(&'a mut self, class: Class, payload: &'a [u8]) -> SendAsync<'a> {
        SendAsync { sender: self, class, payload, waiter: None, done: false }
    }

    /// The union of all masks, and of what is retained: one load.
    pub fn interest(&self) -> Class {
        Class::from_bits(self.core.registry.interest().mask())
    }

    /// Whether anybody wants one of these classes: one load.
    #[inline]
    pub fn wants(&self, class: Class) -> bool {
        self.interest().intersects(class)
    }

    /// What a send of `class` says that was found unwanted before: for `smd_format!`.
    #[doc(hidden)]
    pub fn __unwanted(&self, class: Class) -> Result<Sent, SendError> {
        // Whoever became interested since is concurrent: the message was refused before.
        self.core.admit(class, 0)?;
        Counters::add(&self.slot.counters.unwanted, 1);
        Ok(Sent::Unwanted)
    }

    /// A handle of the bus.
    pub fn bus(&self) -> Bus {
        Bus::from_core(self.core.clone())
    }

    /// What this sender did; a sender that reuses another's place goes on counting from there.
    pub fn stats(&self) -> SenderStats {
        let counters = &self.slot.counters;
        // RELAXED (all): statistics.
        SenderStats {
            sent: counters.sent.load(Ordering::Relaxed),
            unwanted: counters.unwanted.load(Ordering::Relaxed),
            refused: counters.refused.load(Ordering::Relaxed),
        }
    }
}

impl Clone for Sender {
    /// A sender of its own, with the same identity.
    fn clone(&self) -> Sender {
        Sender::new(&self.core, self.id.clone())
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // SAFETY: this handle owns the slot and is going; the core is alive.
        unsafe { self.slot.give_up(&self.core) };
        self.core.producer_gone();
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("bus", &self.core.config.name).finish_non_exhaustive()
    }
}

/// The future of [`Sender::send_async`].
#[must_use = "futures do nothing unless polled"]
#[derive(Debug)]
pub struct SendAsync<'a> {
    sender: &'a mut Sender,
    class: Class,
    payload: &'a [u8],
    waiter: Option<Arc<Waiter>>,
    done: bool,
}

impl Future for SendAsync<'_> {
    type Output = Result<Sent, SendError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        assert!(!this.done, "a finished send was polled again");
        let core = &*this.sender.core;
        // However often it is tried, it counts as refused once.
        let mut refused = this.sender.refused();
        if this.waiter.is_none() {
            let first = this.sender.send(this.class, this.payload);
            if !matches!(first, Err(SendError::Full(_))) {
                this.done = true;
                return Poll::Ready(first);
            }
            let waiter = Arc::new(Waiter::new());
            core.room.enter(&waiter, this.class.bits(), core.domain());
            this.waiter = Some(waiter);
            refused += 1;
        }
        let Some(waiter) = &this.waiter else { return Poll::Pending };
        waiter.arm_waker(context.waker());
        let outcome = core
            .try_for_room(waiter, &|hole| this.sender.put(this.class, this.payload, None, hole));
        match outcome {
            Err(SendError::Full(FullReason::Backlog)) => {
                this.sender.set_refused(refused);
                Poll::Pending
            }
            Err(SendError::Full(_)) => {
                // Nobody announces the end of a stall: let the executor come back.
                this.sender.set_refused(refused);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            _ => {
                this.done = true;
                this.sender.set_refused(refused);
                Poll::Ready(outcome)
            }
        }
    }
}

impl Drop for SendAsync<'_> {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            waiter.end();
            self.sender.core.room.leave(&waiter, self.sender.core.domain());
        }
    }
}
