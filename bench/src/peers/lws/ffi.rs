//! libwebsockets, as far as `lws_smd` needs it: a context, its participants, its loop.
//!
//! Rules
//! 1. A context, and what it calls, is used by one thread at a time: whoever has the `&mut`.
//! 2. Participants are called inside `lws_service` only, so on the thread that services, and a delivery is set then.
//! 3. The inboxes lie still, in one box, until their context is destroyed.

#![allow(unsafe_code)]

use std::any::Any;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::marker::{PhantomData, PhantomPinned};
use std::panic::{self, AssertUnwindSafe};
use std::ptr::{self, NonNull};
use std::slice;

use crate::payload::{LEN, fill};
use crate::peers::{CLASS, Seen};

/// Messages that are queued at most: this is compiled into the library.
pub(super) const DEPTH: u64 = 12;

/// A stamp and a payload: the class and a stamp in microseconds travel beside them.
const BODY: usize = 8 + LEN;

#[repr(C)]
struct Opaque {
    _data: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

type Received = extern "C" fn(*mut c_void, u32, i64, *mut c_void, usize) -> c_int;

// The shim compares these declarations with the library's headers.
unsafe extern "C" {
    fn lws_smd_register(
        context: *mut Opaque,
        opaque: *mut c_void,
        flags: c_int,
        class: u32,
        received: Received,
    ) -> *mut Opaque;
    fn lws_smd_msg_alloc(context: *mut Opaque, class: u32, len: usize) -> *mut c_void;
    fn lws_smd_msg_free(payload: *mut *mut c_void);
    fn lws_smd_msg_send(context: *mut Opaque, payload: *mut c_void) -> c_int;
    fn lws_service(context: *mut Opaque, timeout: c_int) -> c_int;
    fn lws_context_destroy(context: *mut Opaque);

    fn smd_lws_open() -> *mut Opaque;
    fn smd_lws_wake_descriptor(context: *mut Opaque) -> c_int;
    safe fn smd_lws_sleep(descriptor: c_int, timeout: c_int);
}

/// A context with its loop, its queue, and participants that all want [`CLASS`].
pub struct Loop {
    context: NonNull<Opaque>,
    inboxes: Box<[Inbox]>,
    /// Messages that it took, and those of them that every participant has had.
    sent: u64,
    delivered: u64,
}

/// One participant.
struct Inbox {
    number: usize,
    received: Cell<u64>,
    /// The [`Delivery`] of the service that runs, or null.
    delivery: Cell<*mut c_void>,
}

/// Who gets the messages of one service.
struct Delivery<'d> {
    each: &'d mut dyn FnMut(usize, &Seen<'_>),
    /// What a call panicked with: it is not for C to see.
    panic: Option<Box<dyn Any + Send>>,
}

// SAFETY: libwebsockets ties a context to no thread; one uses it at a time (rule 1), and so the inboxes (rule 2).
unsafe impl Send for Loop {}

impl Loop {
    /// With so many participants.
    ///
    /// # Errors
    /// What the library refused.
    pub fn open(participants: usize) -> Result<Loop, String> {
        // SAFETY: it asks nothing of its caller.
        let context =
            NonNull::new(unsafe { smd_lws_open() }).ok_or("libwebsockets cannot make a context")?;
        let inbox =
            |number| Inbox { number, received: Cell::new(0), delivery: Cell::new(ptr::null_mut()) };
        let inboxes = (0..participants).map(inbox).collect();
        let opened = Loop { context, inboxes, sent: 0, delivered: 0 };
        for inbox in &opened.inboxes {
            let opaque = ptr::from_ref(inbox).cast_mut().cast();
            // SAFETY: the context is alive; the inbox lies still as long as it is (rule 3).
            let peer =
                unsafe { lws_smd_register(context.as_ptr(), opaque, 0, CLASS.bits(), received) };
            if peer.is_null() {
                return Err(format!("lws_smd refused participant {}", inbox.number));
            }
        }
        Ok(opened)
    }

    /// Sends message `n`, and wakes the loop; `false` if there is no room.
    pub fn send(&mut self, stamp: u64, n: u64) -> bool {
        // It would look itself, but behind an allocation.
        if self.sent - self.delivered >= DEPTH {
            return false;
        }
        self.send_anyway(stamp, n)
    }

    fn send_anyway(&mut self, stamp: u64, n: u64) -> bool {
        let context = self.context.as_ptr();
        // SAFETY: the context is alive, and ours (rule 1).
        let mut body = unsafe { lws_smd_msg_alloc(context, CLASS.bits(), BODY) };
        let Some(start) = NonNull::new(body.cast::<[u8; BODY]>()) else { return false };
        let mut message = [0; BODY];
        if let Some((head, tail)) = message.split_first_chunk_mut::<8>() {
            *head = stamp.to_le_bytes();
            if let Some(payload) = tail.first_chunk_mut::<LEN>() {
                fill(payload, n);
            }
        }
        // SAFETY: as many bytes were asked for, bytes have no alignment, and nobody else knows of them yet.
        unsafe { start.write(message) };
        // SAFETY: the body is of this context and was not sent yet.
        let refused = unsafe { lws_smd_msg_send(context, body) } != 0;
        if refused {
            // SAFETY: a refused body is still its sender's.
            unsafe { lws_smd_msg_free(&raw mut body) };
        }
        self.sent += u64::from(!refused);
        !refused
    }

    /// Lets the loop go round once, without waiting; `each` gets the participant's number and the message. Returns how
    /// many messages all participants have had now.
    pub fn service(&mut self, each: &mut dyn FnMut(usize, &Seen<'_>)) -> u64 {
        let mut delivery = Delivery { each, panic: None };
        self.set_delivery(ptr::from_mut(&mut delivery).cast());
        // SAFETY: the context is alive, and ours (rule 1).
        let outcome = unsafe { lws_service(self.context.as_ptr(), -1) };
        self.set_delivery(ptr::null_mut());
        if let Some(panic) = delivery.panic {
            panic::resume_unwind(panic);
        }
        assert!(outcome >= 0, "the loop of libwebsockets has ended");
        let received = self.inboxes.iter().map(|inbox| inbox.received.get());
        self.delivered = received.min().unwrap_or(self.sent);
        self.delivered
    }

    fn set_delivery(&self, delivery: *mut c_void) {
        for inbox in &self.inboxes {
            inbox.delivery.set(delivery);
        }
    }

    /// What becomes readable when a message is sent.
    ///
    /// # Errors
    /// If there is no such thing.
    pub fn alarm(&mut self) -> Result<Alarm, String> {
        // SAFETY: the context is alive, and ours (rule 1); with nothing queued nobody is called.
        match unsafe { smd_lws_wake_descriptor(self.context.as_ptr()) } {
            descriptor if descriptor >= 0 => Ok(Alarm(descriptor)),
            _ => {
                Err("this libwebsockets wakes its loop in a way that is not known here".to_owned())
            }
        }
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        // SAFETY: nobody uses it after this; the inboxes go later (rule 3).
        unsafe { lws_context_destroy(self.context.as_ptr()) };
    }
}

/// By what a sleeping loop is woken.
#[derive(Clone, Copy, Debug)]
pub struct Alarm(c_int);

impl Alarm {
    /// Sleeps until the loop has something to do.
    pub fn sleep(self) {
        smd_lws_sleep(self.0, -1);
    }

    /// The same, for so many milliseconds at most.
    pub fn sleep_for(self, millis: u16) {
        smd_lws_sleep(self.0, c_int::from(millis));
    }
}

extern "C" fn received(
    opaque: *mut c_void,
    class: u32,
    _micros: i64,
    body: *mut c_void,
    len: usize,
) -> c_int {
    // SAFETY: what was registered, and lies still (rule 3).
    let inbox = unsafe { &*opaque.cast::<Inbox>() };
    // SAFETY: the delivery of the service that calls this, which nobody else uses meanwhile (rule 2); or null.
    let Some(delivery) = (unsafe { inbox.delivery.get().cast::<Delivery<'_>>().as_mut() }) else {
        return 0;
    };
    // SAFETY: the library lends these bytes for the time of the call.
    let body = unsafe { slice::from_raw_parts(body.cast::<u8>(), len) };
    inbox.received.set(inbox.received.get() + 1);
    let Delivery { each, panic } = delivery;
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
        // What is of another class or length has lost its payload on the way, and the reader sees that.
        let (stamp, payload) = body.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        let payload = if class == CLASS.bits() { payload } else { &[] };
        each(inbox.number, &Seen { stamp: u64::from_le_bytes(*stamp), payload });
    }));
    if let Err(error) = outcome {
        panic.get_or_insert(error);
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Tally;

    #[test]
    fn the_queue_holds_as_many_as_it_is_said_to() {
        let mut lws = Loop::open(1).expect("a context");
        let mut tally = Tally::default();
        for round in 0..3 {
            for n in 0..DEPTH {
                assert!(lws.send_anyway(1, round * DEPTH + n));
            }
            assert!(!lws.send_anyway(1, 0));
            assert!(!lws.send(1, 0));
            lws.service(&mut |_, seen| tally.absorb(seen.payload));
            assert_eq!(tally.check((round + 1) * DEPTH), Ok(()));
        }
    }

    #[test]
    fn every_participant_gets_every_message_and_what_is_left_goes_with_the_loop() {
        let mut lws = Loop::open(3).expect("a context");
        let mut tallies = vec![Tally::default(); 3];
        for n in 0..5 {
            assert!(lws.send(7, n));
        }
        let delivered = lws.service(&mut |participant, seen| {
            assert_eq!(seen.stamp, 7);
            tallies[participant].absorb(seen.payload);
        });
        assert_eq!(delivered, 5);
        for tally in &tallies {
            assert_eq!(tally.check(5), Ok(()));
        }
        assert!(lws.send(7, 5));
    }

    #[test]
    fn a_panic_passes_the_library_by() {
        let mut lws = Loop::open(1).expect("a context");
        assert!(lws.send(1, 0) && lws.send(1, 1));
        let mut called = 0;
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            lws.service(&mut |_, _| {
                called += 1;
                panic!("on purpose")
            })
        }));
        assert_eq!(
            outcome.map_err(|panic| panic.downcast_ref::<&str>().copied()),
            Err(Some("on purpose"))
        );
        assert_eq!(called, 2);
        assert!(lws.send(1, 2));
        assert_eq!(lws.service(&mut |_, _| ()), 3);
    }
}
