//! The bus: one distribution domain inside a process.

#![allow(unsafe_code)]

use std::fmt;
use std::time::Duration;

use crate::class::Class;
use crate::clock::Clock;
use crate::core::{Config, Core};
use crate::draft::{Draft, Via};
use crate::dump::Dump;
use crate::error::{BuildError, RegisterError, RetainError, SendError};
use crate::fork;
use crate::format::format_into;
use crate::interest::InterestObserver;
use crate::limits::{
    DEFAULT_DEPTH, DEFAULT_RETAINED_LIMIT, DEFAULT_TIME_TO_LIVE, MAX_PARTICIPANTS, MAX_PAYLOAD,
    Name,
};
use crate::log::word::Claim;
use crate::participant::{Participant, Registration};
use crate::payload::Payload;
use crate::registry::ids::SenderId;
use crate::retained::Retained;
use crate::send::slots::Counters;
use crate::sender::{Sender, Sent};
use crate::stats::BusStats;
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::sync::slab::UNIT;
use crate::thread_slots;

/// Default size of a segment in bytes: with 64-byte messages about 400 of them. Small enough that
/// the few segments in use stay in a second-level cache, large enough that what is done once for a
/// segment disappears among its messages.
pub const DEFAULT_SEGMENT_BYTES: usize = 32 * 1024;

/// The smallest segment.
pub const MIN_SEGMENT_BYTES: usize = if cfg!(any(smd_loom, smd_shuttle)) { 64 } else { 4 * 1024 };

/// The largest segment: its units are counted in 12 bits.
pub const MAX_SEGMENT_BYTES: usize = Claim::MAX_UNITS as usize * UNIT;

/// Default cap of live segments: 1,024 of the default size are 32 MiB, some 400,000 messages, so
/// that a sender that loses the processor for a scheduler's tick inside a send stops nobody.
pub const DEFAULT_MAX_SEGMENTS: usize = 1024;

/// The lowest cap of live segments: more than stay in the window behind the tail, or a bus that fills
/// it would refuse for ever.
pub const MIN_MAX_SEGMENTS: usize = if cfg!(any(smd_loom, smd_shuttle)) { 3 } else { 8 };

const _: () = assert!(MIN_MAX_SEGMENTS as u64 > crate::log::retire::KEEP + 1);

/// A system message distribution bus: any part sends, every part that wants this class of message
/// gets it, in one order, with a timestamp.
///
/// Clones are cheap and mean the same bus. It closes when [`Bus::close`] is called, or when the last
/// `Bus` and [`Sender`] are gone; participants may then drain what was accepted before. Participants,
/// event loops, observers and [`Retained`] handles do not keep it open. What it takes of memory is
/// in the [documentation of the crate](crate#memory).
///
/// ```
/// use smd_lockfree::{Bus, Class};
///
/// let bus = Bus::new();
/// let mut network = bus.register(Class::NETWORK)?;
/// bus.send(Class::NETWORK, br#"{"rt":"add"}"#)?;
///
/// let message = network.try_recv()?;
/// assert_eq!(message.text()?, r#"{"rt":"add"}"#);
/// assert_eq!(message.sequence(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Bus {
    core: Arc<Core>,
}

impl Bus {
    /// A bus with the default limits: depth 4096, time to live 2 s, segments of 32 KiB, at most
    /// 1024 of them in the window.
    ///
    /// The first bus of a process calibrates its clock, which takes about a millisecond on a quiet
    /// machine.
    pub fn new() -> Bus {
        match Bus::builder().build() {
            Ok(bus) => bus,
            // The defaults are inside every limit: a test holds that.
            Err(error) => unreachable!("the default limits were refused: {error}"),
        }
    }

    /// Chooses limits and clock.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn from_core(core: Arc<Core>) -> Bus {
        // RELAXED: as in `Sender::new`.
        core.producers.fetch_add(1, Ordering::Relaxed);
        Bus { core }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Sends `payload` with `class`, from any thread, without set-up; a [`Sender`] is some
    /// nanoseconds faster. Never waits, takes no lock and allocates nothing in steady state; waking
    /// a sleeping participant costs a system call.
    ///
    /// # Errors
    /// [`SendError`]: `EmptyClass`, `TooLong` over 384 bytes, `Full` if a participant that wants the
    /// class is full under backpressure or the bus is stalled, `Closed`, `Forked`.
    #[inline]
    pub fn send(&self, class: Class, payload: &[u8]) -> Result<Sent, SendError> {
        thread_slots::put(&self.core, class, payload, None)
    }

    /// A draft of `len` zeroed bytes, or `None` if nobody wants the class: then nothing is
    /// allocated, and one load says so.
    ///
    /// # Errors
    /// As for [`Bus::send`], but for a full backlog, which is met at [`Draft::send`].
    pub fn alloc(&self, class: Class, len: usize) -> Result<Option<Draft<'_>>, SendError> {
        if !self.core.admit(class, len)? {
            self.count_unwanted();
            return Ok(None);
        }
        if self.core.is_closed() {
            return Err(SendError::Closed);
        }
        Ok(Some(Draft::new(Via::Bus(self), class, len)))
    }

    /// Sends formatted text; use [`smd_format!`](crate::smd_format), which does not even evaluate
    /// the arguments when nobody listens.
    ///
    /// # Errors
    /// As for [`Bus::send`]; `Format` if an argument fails to format; `TooLong` if the text does
    /// not fit.
    pub fn send_fmt(&self, class: Class, text: fmt::Arguments<'_>) -> Result<Sent, SendError> {
        if !self.core.admit(class, 0)? {
            self.count_unwanted();
            return Ok(Sent::Unwanted);
        }
        let mut buffer = [0; MAX_PAYLOAD];
        let len = format_into(&mut buffer, text)?;
        self.send(class, &buffer[..len])
    }

    /// Sends a value; it is not encoded when nobody listens.
    ///
    /// # Errors
    /// As for [`Bus::send`]; `Encode` if the value cannot be encoded.
    pub fn send_value<T: Payload>(&self, class: Class, value: &T) -> Result<Sent, SendError> {
        if !self.core.admit(class, 0)? {
            self.count_unwanted();
            return Ok(Sent::Unwanted);
        }
        let mut buffer = [0; MAX_PAYLOAD];
        let len = value.encode(&mut buffer).map_err(SendError::Encode)?;
        let bytes = buffer.get(..len).ok_or(SendError::TooLong { len, max: MAX_PAYLOAD })?;
        self.send(class, bytes)
    }

    fn count_unwanted(&self) {
        thread_slots::with(&self.core, |slot| Counters::add(&slot.counters.unwanted, 1));
    }

    /// What a send of `class` says that was found unwanted before: for `smd_format!`.
    #[doc(hidden)]
    pub fn __unwanted(&self, class: Class) -> Result<Sent, SendError> {
        self.core.admit(class, 0)?;
        self.count_unwanted();
        Ok(Sent::Unwanted)
    }

    /// A sender for one thread's hot path. It is one more handle that keeps the bus open, and holds
    /// a segment from its first send on.
    pub fn sender(&self) -> Sender {
        Sender::new(&self.core, Arc::new(SenderId::nobody()))
    }

    /// Registers a participant for `mask`, with the bus's depth and policy backpressure.
    ///
    /// Costs a few allocations and a copy of the list of participants: something for the slow path.
    ///
    /// # Errors
    /// [`RegisterError`]: `EmptyMask`, `TooManyParticipants`, `Closed`, `Forked`.
    pub fn register(&self, mask: Class) -> Result<Participant, RegisterError> {
        self.participant().mask(mask).register()
    }

    /// Registers a participant with more choices: name, depth, policy; see [`Registration`].
    pub fn participant(&self) -> Registration<'_> {
        Registration::new(self)
    }

    /// The union of all masks, and of what is retained.
    pub fn interest(&self) -> Class {
        Class::from_bits(self.core.registry.interest().mask())
    }

    /// The union of the masks of all but bridges ([`Registration::bridge`](crate::Registration::bridge)),
    /// and of what is retained: what this process wants for itself. Cost: a look at each participant.
    pub fn local_interest(&self) -> Class {
        Class::from_bits(self.core.registry.interests(self.core.domain()).local)
    }

    /// Whether anybody wants one of these classes: one load. To be asked before work that only a
    /// listener needs; a send asks by itself.
    #[inline]
    pub fn wants(&self, class: Class) -> bool {
        self.interest().intersects(class)
    }

    /// Calls `observer` with the new interest after each change of it, on the thread that made the
    /// change. It is never called twice at once: of changes that come while it is called, also by
    /// itself, it is told what they came to, by the thread that called it. So what it was told last
    /// is how it is. One that blocks holds up the thread that called it, and the observers that this
    /// thread has not come to; changes of other threads are told to these. A panic in it is contained, and the panic hook reports it.
    ///
    /// ```
    /// use smd_lockfree::{Bus, Class};
    ///
    /// let bus = Bus::new();
    /// let (tell, told) = std::sync::mpsc::channel();
    /// let observer = bus.observe_interest(move |interest| drop(tell.send(interest)));
    /// let part = bus.register(Class::METRICS)?;
    /// assert_eq!(told.try_recv()?, Class::METRICS);
    /// drop(part);
    /// assert_eq!(told.try_recv()?, Class::NONE);
    /// drop(observer);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn observe_interest(
        &self,
        observer: impl Fn(Class) + Send + Sync + 'static,
    ) -> InterestObserver {
        InterestObserver::new(&self.core, false, observer)
    }

    /// As [`Bus::observe_interest`], for [`Bus::local_interest`].
    pub fn observe_local_interest(
        &self,
        observer: impl Fn(Class) + Send + Sync + 'static,
    ) -> InterestObserver {
        InterestObserver::new(&self.core, true, observer)
    }

    /// Marks a class as retained: its last message is kept and handed to every participant that
    /// registers for it, or widens its mask to it, later. Any send of the class is its new state.
    /// Marking it again gives another handle of the same entry.
    ///
    /// ```
    /// use smd_lockfree::{Bus, Class};
    ///
    /// let bus = Bus::new();
    /// let state = bus.retain(Class::SYSTEM_STATE)?;
    /// // Nobody listens, and yet it is wanted: by the bus itself.
    /// assert!(bus.send(Class::SYSTEM_STATE, b"operational")?.is_queued());
    /// assert_eq!(bus.register(Class::SYSTEM_STATE)?.try_recv()?.bytes(), b"operational");
    /// assert!(state.clear());
    /// assert!(!bus.wants(Class::SYSTEM_STATE));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`RetainError`]: `EmptyClass`, `NotOneClass`, `TooMany`, `Closed`, `Forked`.
    pub fn retain(&self, class: Class) -> Result<Retained, RetainError> {
        Retained::new(&self.core, class, None)
    }

    /// Marks a key within a class as retained; its messages are those sent through the handle.
    /// Keys of 1 to [`MAX_KEY`](crate::MAX_KEY) bytes; one entry each. [`Retained`] has an example.
    ///
    /// # Errors
    /// As for [`Bus::retain`]; `Key` if the key is empty or too long.
    pub fn retain_key(&self, class: Class, key: &[u8]) -> Result<Retained, RetainError> {
        Retained::new(&self.core, class, Some(key))
    }

    /// Closes the bus: later sends and registrations are refused, everybody who waits is woken, and
    /// participants drain what was accepted before. Returns the first sequence number that will
    /// never be given; closing again returns it again.
    ///
    /// ```
    /// use smd_lockfree::{Bus, Class, RecvError, SendError};
    ///
    /// let bus = Bus::new();
    /// let mut part = bus.register(Class::ALL)?;
    /// bus.send(Class::USER0, b"last words")?;
    /// assert_eq!(bus.close(), 2);
    /// assert_eq!(bus.send(Class::USER0, b"too late"), Err(SendError::Closed));
    /// assert_eq!(part.try_recv()?.bytes(), b"last words");
    /// assert_eq!(part.try_recv().map(|_| ()), Err(RecvError::Closed));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&self) -> u64 {
        self.core.close()
    }

    /// Whether the bus is closed.
    pub fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.core.config.name.as_str()
    }

    /// Its clock: the one that stamps the messages.
    pub fn clock(&self) -> &Clock {
        &self.core.clock
    }

    /// The number that the next message would get.
    pub fn sequence(&self) -> u64 {
        self.core.log.next_sequence()
    }

    /// Gives the free segments that a burst has left in the pool back to the allocator: at most
    /// 1024, or [`Builder::max_segments`] if that is more. Those that are in use stay, and the next
    /// burst allocates again.
    ///
    /// ```
    /// use smd_lockfree::{Bus, Class};
    ///
    /// let bus = Bus::builder().prewarm(100).build()?;
    /// bus.trim();
    /// assert_eq!(bus.stats().segments_pooled, 0);
    /// # Ok::<(), smd_lockfree::BuildError>(())
    /// ```
    pub fn trim(&self) {
        self.core.log.arena.trim();
    }

    /// Figures, summed up now: some microseconds.
    pub fn stats(&self) -> BusStats {
        crate::dump::stats(&self.core)
    }

    /// A text picture for bug reports: figures of the bus, a line for each participant. The text is
    /// for people and may change.
    ///
    /// ```
    /// let bus = smd_lockfree::Bus::builder().name("device").build()?;
    /// assert!(bus.dump().to_string().starts_with("bus \"device\": next 1"));
    /// # Ok::<(), smd_lockfree::BuildError>(())
    /// ```
    pub fn dump(&self) -> Dump<'_> {
        Dump::new(&self.core)
    }
}

impl Default for Bus {
    fn default() -> Bus {
        Bus::new()
    }
}

impl Clone for Bus {
    fn clone(&self) -> Bus {
        Bus::from_core(self.core.clone())
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.core.producer_gone();
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("name", &self.core.config.name).finish_non_exhaustive()
    }
}

/// The choices for a bus.
///
/// ```
/// use std::time::Duration;
/// use smd_lockfree::Bus;
///
/// let bus = Bus::builder().name("device").depth(256).time_to_live(None).build()?;
/// assert_eq!(bus.name(), "device");
/// assert!(Bus::builder().time_to_live(Some(Duration::ZERO)).build().is_err());
/// # Ok::<(), smd_lockfree::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    name: String,
    depth: u32,
    time_to_live: Option<Duration>,
    segment_bytes: usize,
    max_segments: usize,
    retained_limit: usize,
    max_participants: usize,
    prewarm: usize,
    clock: Option<Clock>,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder {
            name: "bus".to_owned(),
            depth: DEFAULT_DEPTH,
            time_to_live: Some(DEFAULT_TIME_TO_LIVE),
            segment_bytes: DEFAULT_SEGMENT_BYTES,
            max_segments: DEFAULT_MAX_SEGMENTS,
            retained_limit: DEFAULT_RETAINED_LIMIT,
            max_participants: MAX_PARTICIPANTS,
            prewarm: 0,
            clock: None,
        }
    }
}

impl Builder {
    /// A name for dumps: 1 to 31 bytes without control characters; default `bus`.
    pub fn name(mut self, name: &str) -> Builder {
        name.clone_into(&mut self.name);
        self
    }

    /// Depth of participants that do not choose their own: 1 to
    /// [`MAX_DEPTH`](crate::MAX_DEPTH) messages; default 4096.
    pub fn depth(mut self, depth: u32) -> Builder {
        self.depth = depth;
        self
    }

    /// How long a message may wait for a participant: 1 ms to 1 day, or `None` for ever; default
    /// 2 s. What is older when it is received is reported as lost instead
    /// ([`LagReason::Expired`](crate::LagReason::Expired)).
    pub fn time_to_live(mut self, time_to_live: Option<Duration>) -> Builder {
        self.time_to_live = time_to_live;
        self
    }

    /// Size of a segment in bytes: 4 KiB to 64 KiB, rounded down to a multiple of 16; default
    /// 32 KiB.
    pub fn segment_bytes(mut self, bytes: usize) -> Builder {
        self.segment_bytes = bytes;
        self
    }

    /// Cap of live segments, at least 8; default 1024. It is reached only behind a thread that was
    /// stopped inside a send, or while it shortened the window; then sends are refused as
    /// [`Stalled`](crate::FullReason::Stalled). A change of the registry meanwhile may add one
    /// segment above it.
    pub fn max_segments(mut self, segments: usize) -> Builder {
        self.max_segments = segments;
        self
    }

    /// How many retained entries there may be: 0 to
    /// [`MAX_RETAINED_LIMIT`](crate::MAX_RETAINED_LIMIT); default 1024.
    pub fn retained_limit(mut self, entries: usize) -> Builder {
        self.retained_limit = entries;
        self
    }

    /// How many participants there may be at a time: 1 to 65,535, which is the default.
    pub fn max_participants(mut self, participants: usize) -> Builder {
        self.max_participants = participants;
        self
    }

    /// Segments to allocate up front, so that the first messages find them: 0, which is the default,
    /// to [`Builder::max_segments`].
    pub fn prewarm(mut self, segments: usize) -> Builder {
        self.prewarm = segments;
        self
    }

    /// The clock that stamps the messages: the real one by default, a manual one for tests.
    pub fn clock(mut self, clock: Clock) -> Builder {
        self.clock = Some(clock);
        self
    }

    /// Builds the bus.
    ///
    /// # Errors
    /// [`BuildError`] names the limit that a choice is out of.
    pub fn build(self) -> Result<Bus, BuildError> {
        let name = Name::new(&self.name).map_err(BuildError::Name)?;
        BuildError::check_depth(self.depth)?;
        if let Some(time_to_live) = self.time_to_live {
            BuildError::check_time_to_live(time_to_live)?;
        }
        BuildError::check_retained_limit(self.retained_limit)?;
        BuildError::check_participants(self.max_participants)?;
        let given = self.segment_bytes;
        if !(MIN_SEGMENT_BYTES..=MAX_SEGMENT_BYTES).contains(&given) {
            let (min, max) = (MIN_SEGMENT_BYTES, MAX_SEGMENT_BYTES);
            return Err(BuildError::SegmentBytes { given, min, max });
        }
        let given = self.max_segments;
        if given < MIN_MAX_SEGMENTS {
            return Err(BuildError::MaxSegments { given, min: MIN_MAX_SEGMENTS });
        }
        if self.prewarm > self.max_segments {
            return Err(BuildError::Prewarm { given: self.prewarm, max: self.max_segments });
        }
        fork::watch();
        let config = Config {
            name,
            depth: self.depth,
            time_to_live: self.time_to_live,
            segment_bytes: self.segment_bytes,
            max_segments: self.max_segments,
            retained_limit: self.retained_limit,
            max_participants: self.max_participants,
            prewarm: self.prewarm,
        };
        let clock = self.clock.unwrap_or_else(Clock::real);
        Ok(Bus { core: Arc::new(Core::new(config, clock)) })
    }
}
