//! A lock-free system message distribution bus.
//!
//! Independent parts of a program need to hear quickly of each other's events and state changes:
//! the network came up, a button was pressed, the system is about to suspend. On this bus any part
//! sends small messages, and every part that wants this *class* of message gets each one, in one
//! order, with a timestamp, without a lock on the way.
//!
//! ```
//! use smd_lockfree::{Bus, Class, Sent};
//!
//! let bus = Bus::new();
//! let mut log = bus.register(Class::NETWORK | Class::METRICS)?;
//! let mut routes = bus.register(Class::NETWORK)?;
//!
//! assert_eq!(bus.send(Class::NETWORK, br#"{"rt":"add"}"#)?, Sent::Queued(1));
//! assert_eq!(bus.send(Class::INTERACTION, b"pressed")?, Sent::Unwanted);
//!
//! assert_eq!(log.try_recv()?.text()?, r#"{"rt":"add"}"#);
//! assert_eq!(routes.try_recv()?.sequence(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The idea
//!
//! **A log.** A send appends once to a log that all participants share, whatever their number.
//! Nothing is copied to anybody and nobody is waited for. The log is a chain of *segments*, pieces
//! of memory of 32 KiB by default; those in which anything can happen are few, and are called the
//! *window*.
//!
//! **Cursors.** Each participant walks the log with a cursor of its own, which nobody else writes.
//! A received [`Message`] is a view into the segment, not a copy.
//!
//! **Classes.** A message carries one or more [`Class`] bits, a participant has a mask of them, and
//! they meet if they share a bit. The union of all masks is the bus's *interest*. A message that
//! nobody wants is refused by one load of it, before anything is formatted, stamped or stored; this
//! is no error but [`Sent::Unwanted`].
//!
//! **One order.** A message gets its sequence number from the compare-and-swap that claims its
//! place in the log. So there is one order, without holes, the same for everybody; timestamps never
//! decrease along it; and registering, changing a mask, leaving and closing happen at one point of
//! it, whose number the call returns.
//!
//! ## Why not an inbox for each participant
//!
//! With a queue for each listener a send costs as much as there are listeners, two listeners may
//! see two messages in different orders, and each push moves memory between processors. In a log a
//! send costs the same for one listener and for a thousand. What inboxes have for free a log must
//! earn: somebody slow, asleep or uninterested must not hold memory or stop the others. Here, when
//! a segment leaves the window, whatever a slow participant still wants of it is *handed over* to
//! that participant, as a counted reference or as a copy; who wants nothing of it is not touched.
//!
//! # The life of a message
//!
//! ```text
//!  sender's thread                                           participant's thread
//!
//!  1 wanted?   interest & class -- no --> Sent::Unwanted
//!  2 room?     a backlog is full -------> Err(Full), under backpressure
//!  3 stamp     one read of the clock
//!  4 claim     one compare-and-swap: place, number, time  .
//!  5 copy      header and payload                         | nothing of yours runs in here
//!  6 publish   one store                                  '
//!                          |
//!                          v               tail
//!     [ segment ]->[ segment ]->[ segment | 41 42 43 ]
//!          ^ low                       ^        ^
//!          |                           |        `- cursor -> 8 borrow: Message
//!          |                           `---- cursor of another       | keep():  a refcount
//!  7 wake  only who sleeps for this class                            | to_owned_message(): a copy
//!          |
//!          `- the oldest segment leaves the window; what a slow participant still wants of it
//!             is handed over to it; the memory is used again when the last reference is gone
//! ```
//!
//! # What is where
//!
//! | you want to | use |
//! |---|---|
//! | make a bus, choose limits and clock | [`Bus::new`], [`Bus::builder`] |
//! | send from anywhere | [`Bus::send`], [`Bus::send_value`], [`smd_format!`], [`Bus::alloc`] |
//! | send on a hot path, in batches, or wait for room | [`Bus::sender`], [`Sender::send_batch`], [`Sender::send_wait`], [`Sender::send_async`] |
//! | receive | [`Bus::register`], [`Bus::participant`] for more choices, then one of the forms of [`Participant`] |
//! | serve many callbacks on one thread | [`EventLoop`] |
//! | wait in epoll, mio or tokio's reactor | [`Participant::into_descriptor`] (Unix) |
//! | hold on to a message | [`Message::keep`], [`Message::to_owned_message`] |
//! | give late joiners the present state | [`Bus::retain`], [`Bus::retain_key`] |
//! | produce only what somebody wants | [`Bus::wants`], [`Bus::observe_interest`] |
//! | write or read messages of `lws_smd` as bytes | [`wire`] |
//! | look inside | [`Bus::stats`], [`Participant::stats`], [`Bus::dump`] |
//! | give memory back after a burst | [`Bus::trim`] |
//! | test without waiting for time to pass | [`Clock::manual`], [`Builder::clock`] |
//! | end | [`Bus::close`], [`Participant::leave`], or drop the handles in any order |
//!
//! # Delivery
//!
//! Each message reaches each participant whose mask meets it *exactly once*, **or** is named in a
//! report to it, **or** was settled because the participant left or narrowed its mask. Never two of
//! these, never none.
//!
//! A participant's *backlog* is what it wants and has not received; its *depth* bounds that. When
//! the backlog is full, its [`Policy`] decides:
//!
//! * **Backpressure**, the default: a send of a class that this participant wants is refused with
//!   [`SendError::Full`]. Sends of other classes notice nothing.
//! * **Lag**: nobody else notices anything. The participant loses its oldest messages and is told
//!   by [`RecvError::Lagged`] with how many, of which classes, the first and the last number, and
//!   why. The report stands where the messages would have been, before what follows them.
//!
//! **Time to live.** A message is expired for a participant if it is older than the bus's time to
//! live (2 s unless the builder says otherwise, or off) at the moment of the receive. It is then
//! not delivered late but reported, with reason [`LagReason::Expired`]. One receive looks at the
//! clock once, a drain once for 64 messages. What has expired fills no backlog, so expiry ends
//! backpressure even if the participant is stuck.
//!
//! **Retained state.** The last message of a retained class, or of a key in a class, is handed to
//! who registers for it, with [`Message::is_retained`]. The call returns a number N. The state
//! is what stood before N, in the order of its numbers; then everything from N on is live, without
//! a gap and without a double. When a mask is *widened*, the state of the new classes comes right
//! before the first message with number N or later, hence after the older backlog. State never
//! expires and counts toward no backlog.
//!
//! **Callbacks.** Nothing of yours runs under a lock, an epoch pin or an unpublished claim:
//! callbacks, closures, formatters, encoders, wakers and observers may all send, register, leave
//! and drop handles. A panic in a callback of an [`EventLoop`] is contained and reported.
//!
//! # Who waits for whom
//!
//! There is no lock on any of these ways. What may still make a thread try again:
//!
//! | who | tries again because | waits for |
//! |---|---|---|
//! | a send | another send claimed; somebody registered, left, or changed a mask or a retained entry (each touches the claim word once); a segment was sealed and replaced | nobody |
//! | a send at a limit of backpressure | a participant that it counts moved on, or the window did | nobody; it is refused |
//! | [`Sender::send_wait`], [`Sender::send_async`] | they were refused and woken | room, because you asked |
//! | registering, leaving, changing a mask | another such call succeeded; a retained entry was marked or cleared; a send claimed; with state to gather, or a thread that is stopped in it: the window moved on by some segments meanwhile | nobody |
//! | a receive | the window moved past it while it crossed into the next segment | the next message, in the forms that wait |
//! | shortening the window | never: one thread does it, the others do not wait for it | nobody |
//!
//! Each retry means that somebody else got on: the bus is lock-free. It is not wait-free: a single
//! send can in theory lose every race.
//!
//! **A thread that is stopped between claim and publication** (steps 4 to 6: a copy of at most 384
//! bytes, no allocation, no system call, nothing of yours) leaves a hole in the order. Delivery
//! stops in front of it, for everybody, until that thread goes on. Other senders go on behind it
//! until the window has as many segments as [`Builder::max_segments`] allows; then they are refused
//! with [`FullReason::Stalled`], and all goes on when the thread does. The cap is reached as well
//! if a thread is stopped while it shortens the window; delivery goes on meanwhile.
//!
//! **Memory** comes from the system's allocator, which may have locks of its own. A send or receive
//! allocates nothing once every backlog has been at its highest.
//!
//! **Waking costs its sender a system call**, or whatever the [`Waker`](std::task::Waker) of a
//! task does, which runs on the sender's thread. It is paid once for each sleep, however many
//! messages come, and only for a message that the sleeper wants. Where nobody sleeps, a send pays a
//! load for it, and a fence as long as somebody slept since the last segment was filled. The first
//! who sleeps after that takes a barrier through all threads of the process instead (`membarrier`
//! on Linux, less than a microsecond when they are idle; where the system has none, every send
//! fences). A sleeping participant uses no processor time and holds no segment.
//!
//! **Waiting for room.** A blocking [`Sender::send_wait`] also looks from time to time for the expiry
//! of what fills the backlog. A future cannot: nobody would wake it, as the bus has no thread and
//! no timer. Combine [`Sender::send_async`] with your executor's time-out wherever a participant
//! may be stuck. While the bus is *stalled* that future asks its executor to poll it again at once.
//!
//! # Memory
//!
//! What flows past makes no difference. At most, in segments of [`Builder::segment_bytes`] (32 KiB
//! by default) where nothing else is said:
//!
//! ```text
//!   window                   normally 2 to 5; behind a stopped sender up to max_segments
//! + participants             1 for each that stands in a segment, so not for one that sleeps
//! + senders                  1 for each Sender that has sent, also an idle or forgotten one; and 1
//!                            for each thread that used Bus::send: when it ends, that one waits
//!                            for the next such thread
//! + kept messages            1 for each segment in which at least one is kept
//! + hand-over                bytes: at most 8 times those of the backlogs, and for each participant
//!                            with a backlog 1 segment more. Usually 4 times at most, as a segment
//!                            is handed over whole only to who wants a quarter of its bytes
//! + rings                    bytes: for each participant that was ever handed something 1.1 KiB,
//!                            doubled when it must be: 144 bytes for each segment or run of copies
//!                            that waits for it
//! + narrowings               for each one of a participant that has not received since: what its
//!                            backlog held of the classes that it gave up, until it receives; and
//!                            under lag, while its thread is stopped inside set_mask or inside
//!                            register, what flows past of what it wants
//! + state                    bytes: a copy of each retained message that is on its way to a
//!                            participant; and the window as it was, while a message in it that
//!                            was claimed before the registration is not published
//! + pool                     free ones: what was in use at once, or asked for by prewarm, but no
//!                            more than 1024, or max_segments if that is more
//! + small frames             1 KiB for each retained entry, and at most 64 free ones
//! ```
//!
//! So a burst leaves up to 32 MiB of free segments behind, for the next one; [`Bus::trim`] gives
//! them back to the allocator. A kept message that outlives its bus holds its own segment.
//!
//! [`BusStats::memory_bytes`] is the sum of all this now, but for the copies of state. A forgotten
//! sender holds one segment and nothing more; a participant that is stuck in the middle of a
//! receive likewise, beside its backlog.
//!
//! # Limits
//!
//! Payloads have 0 to [`MAX_PAYLOAD`] bytes, a depth is 1 to [`MAX_DEPTH`], a bus has at most
//! [`MAX_PARTICIPANTS`] participants, a name has 1 to [`MAX_NAME`] bytes, a key of retained state 1
//! to [`MAX_KEY`]. What is out of limits is refused with a typed error that names the limit.
//!
//! **Forks.** A bus belongs to the process that made it. In a forked child, sends that somebody
//! wants, receives, registrations and mask changes return an error called `Forked`; dropping the
//! handles there is harmless. This is noticed after `fork` of the C library, on Unix.
//!
//! # Features
//!
//! None is on by default, and each only adds.
//!
//! | feature | adds | depends on |
//! |---|---|---|
//! | `serde` | `Json<T>`: any serde value as a [`Payload`], as JSON text | serde, serde_json |
//! | `stream` | `Participant::into_stream`: a `Stream` of kept messages and lag reports | futures-core |
//! | `tracing` | events at debug level when a participant registers or leaves, the bus closes, or sends meet the cap of segments | tracing |
//!
//! Futures need no feature: [`Participant::recv`] and [`Sender::send_async`] run on any executor.
//!
//! # Checking your own code
//!
//! Under `--cfg smd_loom` or `--cfg smd_shuttle` the bus runs on the model checker's atomics and
//! threads, and a module `model` offers the checker, so that a model of your code explores the
//! interleavings inside the bus too: [how to set that up][embedding].
//!
//! [embedding]: https://github.com/smd-lockfree/smd-lockfree/blob/main/verify/EMBEDDING.md
//!
//! # Platforms
//!
//! The crate needs `std` and 64-bit atomics. Linux on x86-64 is where it is run and tested; other
//! systems compile, and the project's README says which were checked. What differs:
//!
//! * A [`Timestamp`] counts as `CLOCK_MONOTONIC` does on Unix, so stamps of two processes of one
//!   machine compare. Elsewhere it counts from the first use in this process.
//! * [`Participant::into_descriptor`] is Unix only: an event counter on Linux and Android, a pipe
//!   elsewhere. All other forms of waiting are everywhere.
//! * Forks are noticed on Unix.
#![deny(unsafe_code)]

mod bus;
mod class;
mod clock;
mod contain;
mod core;
mod draft;
mod dump;
mod error;
mod event_loop;
mod fork;
mod format;
mod hooks;
mod interest;
mod limits;
mod log;
mod message;
#[cfg(any(smd_loom, smd_shuttle))]
pub mod model;
mod participant;
mod payload;
#[cfg(test)]
mod progress_tests;
mod registry;
mod retained;
mod send;
mod sender;
mod stats;
mod sync;
mod thread_slots;
mod trace;
mod wait;
pub mod wire;

pub use bus::*;
pub use class::*;
pub use clock::*;
pub use draft::*;
pub use dump::Dump;
pub use error::*;
pub use event_loop::{CallbackId, CallbackPanic, Context, Event, EventLoop, LoopHandle};
pub use interest::InterestObserver;
pub use limits::*;
pub use message::*;
pub use participant::*;
pub use payload::*;
pub use retained::Retained;
pub use sender::*;
pub use stats::*;

/// How many frames exist in the models of this thread: for the crate that checks this one.
#[cfg(any(smd_loom, smd_shuttle))]
#[doc(hidden)]
pub fn __live_frames() -> usize {
    model::live_frames()
}

/// Models of single edges, for the crate that checks this one.
#[cfg(any(smd_loom, smd_shuttle))]
#[doc(hidden)]
pub mod __edges {
    pub use crate::event_loop::edges as event_loop;
    pub use crate::interest::edges as interest;
    pub use crate::log::edges as log;
    pub use crate::registry::edges as registry;
    pub use crate::retained::edges as retained;
    pub use crate::send::edges as send;
    #[cfg(smd_loom)]
    pub use crate::sync::epoch::edges as epoch;
    pub use crate::wait::edges as wait;
}

/// The rare states that the models of this thread came through, each with how often; empties the
/// list. For the crate that checks this one.
#[cfg(any(smd_loom, smd_shuttle))]
#[doc(hidden)]
pub fn __take_marks() -> Vec<(&'static str, u64)> {
    hooks::take_marks()
}
