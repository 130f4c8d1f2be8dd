//! Which public types may move to another thread and which may be shared, at compile time, with the
//! negatives: a handle that belongs to one thread at a time must not be `Sync`.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

use smd_lockfree::{
    BatchError, BatchSent, BuildError, Builder, Bus, BusStats, CallbackId, CallbackPanic, Class,
    Clock, Context, Draft, Dump, Event, EventLoop, FullReason, InterestObserver, Kept, Lag,
    LagReason, LoopError, LoopHandle, ManualClock, MaskError, Message, NameError, Origin, Outgoing,
    OwnedMessage, ParseClassError, Participant, ParticipantHandle, ParticipantStats, PayloadError,
    Policy, Recv, RecvError, RegisterError, Registration, RetainError, Retained, SendAsync,
    SendError, Sender, SenderStats, Sent, Timestamp,
};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use std::error::Error;
use std::fmt::{Debug, Display};
use std::future::Future;
use std::hash::Hash;
use std::panic::{RefUnwindSafe, UnwindSafe};

// Shared handles.
assert_impl_all!(Bus: Clone, Default, Send, Sync, Debug);
assert_impl_all!(ParticipantHandle: Clone, Send, Sync, Debug);
assert_impl_all!(LoopHandle: Clone, Send, Sync, Debug);
assert_impl_all!(Retained: Clone, Send, Sync, Debug);
assert_impl_all!(Clock: Clone, Send, Sync, Debug);
assert_impl_all!(ManualClock: Clone, Send, Sync, Debug);
assert_impl_all!(InterestObserver: Send, Debug);
assert_impl_all!(Builder: Send, Debug);

// One thread at a time: they have a place in the log that nobody else may move.
assert_impl_all!(Sender: Clone, Send, Debug);
assert_not_impl_any!(Sender: Sync);
assert_impl_all!(Participant: Send, Debug);
assert_not_impl_any!(Participant: Sync, Clone, Copy);
assert_impl_all!(EventLoop: Send, Debug);
assert_not_impl_any!(EventLoop: Sync, Clone);
#[cfg(unix)]
assert_impl_all!(smd_lockfree::Descriptor: Send, Debug, std::os::fd::AsFd, std::os::fd::AsRawFd);
#[cfg(unix)]
assert_not_impl_any!(smd_lockfree::Descriptor: Sync, Clone);
#[cfg(feature = "stream")]
assert_impl_all!(smd_lockfree::Messages: Send, Unpin, Debug);
#[cfg(feature = "stream")]
assert_not_impl_any!(smd_lockfree::Messages: Sync, Clone);
assert_impl_all!(Registration<'static>: Send, Debug);

// Messages: what is kept or copied goes anywhere; a borrowed one is not copied by accident.
assert_impl_all!(Kept: Clone, Send, Sync, Debug);
assert_impl_all!(OwnedMessage: Clone, Send, Sync, Debug);
assert_not_impl_any!(Message<'static>: Clone, Copy);
assert_impl_all!(Message<'static>: Debug);
assert_not_impl_any!(Draft<'static>: Clone, Copy, Sync);
assert_impl_all!(Draft<'static>: Debug);

// Futures: a receive runs on executors that move tasks between threads.
assert_impl_all!(Recv<'static>: Send, Future, Debug);
assert_not_impl_any!(Recv<'static>: Clone);
assert_impl_all!(SendAsync<'static>: Send, Future, Debug);
assert_not_impl_any!(SendAsync<'static>: Clone);

// Plain values.
assert_impl_all!(Class: Copy, Send, Sync, Eq, Hash, Default, Debug, Display, std::str::FromStr);
assert_impl_all!(Timestamp: Copy, Send, Sync, Ord, Hash, Debug);
assert_impl_all!(Sent: Copy, Send, Sync, Eq, Debug);
assert_impl_all!(Policy: Copy, Send, Sync, Eq, Debug);
assert_impl_all!(Lag: Copy, Send, Sync, Eq, Debug);
assert_impl_all!(LagReason: Copy, Send, Sync, Eq, Debug);
assert_impl_all!(FullReason: Copy, Send, Sync, Eq, Debug);
assert_impl_all!(Origin: Copy, Send, Sync, Eq, Debug);
assert_impl_all!(Outgoing<'static>: Copy, Send, Sync, Debug);
assert_impl_all!(BatchSent: Copy, Send, Sync, Debug);
assert_impl_all!(CallbackId: Copy, Send, Sync, Eq, Hash, Debug);
assert_impl_all!(CallbackPanic: Send, Debug);
assert_impl_all!(Event<'static>: Debug);
assert_impl_all!(BusStats: Copy, Send, Sync, Debug);
assert_impl_all!(ParticipantStats: Copy, Send, Sync, Debug);
assert_impl_all!(SenderStats: Copy, Send, Sync, Debug);
assert_impl_all!(Dump<'static>: Display);
assert_not_impl_any!(Context<'static>: Clone, Sync);

// Errors can be passed on with `?` from any thread.
assert_impl_all!(SendError: Error, Copy, Eq, Send, Sync, UnwindSafe, RefUnwindSafe);
assert_impl_all!(RecvError: Error, Copy, Eq, Send, Sync);
assert_impl_all!(RegisterError: Error, Copy, Eq, Send, Sync);
assert_impl_all!(MaskError: Error, Copy, Eq, Send, Sync);
assert_impl_all!(RetainError: Error, Copy, Eq, Send, Sync);
assert_impl_all!(BuildError: Error, Copy, Eq, Send, Sync);
assert_impl_all!(NameError: Error, Copy, Eq, Send, Sync);
assert_impl_all!(PayloadError: Error, Copy, Eq, Send, Sync);
assert_impl_all!(LoopError: Error, Copy, Eq, Send, Sync);
assert_impl_all!(BatchError: Error, Send, Sync);
assert_impl_all!(ParseClassError: Error, Send, Sync);

/// The assertions above are compiled, not run; this shows that the file was part of the run, and
/// that the handles do go where the traits let them.
#[test]
fn handles_move_between_threads() {
    let bus = Bus::new();
    let mut participant = bus.register(Class::USER0).unwrap();
    let sender = bus.sender();
    let sent = std::thread::spawn(move || sender.send(Class::USER0, b"x"));
    assert_eq!(sent.join().unwrap(), Ok(Sent::Queued(1)));
    let kept = std::thread::spawn(move || participant.try_recv().unwrap().keep());
    assert_eq!(kept.join().unwrap().bytes(), b"x");
}
