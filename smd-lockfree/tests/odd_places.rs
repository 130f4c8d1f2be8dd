//! Use from places where little works: a thread-local destructor, and a child after `fork`.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

mod common;

use common::{A, B, bus, number, numbers, watched};
use smd_lockfree::{Bus, Participant, SendError, Sender, Sent};
use std::cell::RefCell;
use std::sync::{Arc, Mutex};

/// Sends and registers while its thread ends.
struct Late {
    bus: Bus,
    sender: Option<Sender>,
    participant: Option<Participant>,
    results: Arc<Mutex<Vec<Result<Sent, SendError>>>>,
}

impl Drop for Late {
    fn drop(&mut self) {
        let mut results = self.results.lock().unwrap();
        results.push(self.bus.send(A, b"bus"));
        results.push(self.bus.alloc(A, 5).map(|draft| {
            let sent = draft.unwrap().send();
            sent.unwrap()
        }));
        if let Some(sender) = &self.sender {
            results.push(sender.send(A, b"sender"));
        }
        results.push(self.bus.sender().send(A, b"new sender"));
        if let Some(participant) = &mut self.participant {
            assert_eq!(numbers(participant).len(), results.len());
        }
        drop(self.bus.register(B).unwrap());
    }
}

thread_local! {
    static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
}

#[test]
fn sending_from_a_thread_local_destructor() {
    watched(|| {
        // What the bus keeps in the thread may be destroyed before, after, or be made only then.
        for used_before in [None, Some(true), Some(false)] {
            let bus = bus();
            let mut participant = bus.register(A).unwrap();
            let results = Arc::new(Mutex::new(Vec::new()));
            let late = Late {
                bus: bus.clone(),
                sender: Some(bus.sender()),
                participant: None,
                results: Arc::clone(&results),
            };
            let thread = std::thread::spawn(move || {
                let mut late = late;
                let bus = late.bus.clone();
                if used_before == Some(true) {
                    number(bus.send(A, b"before"));
                }
                late.participant = used_before.is_none().then(|| bus.register(A).unwrap());
                LATE.set(Some(late));
                if used_before == Some(false) {
                    number(bus.send(A, b"after"));
                }
            });
            thread.join().unwrap();
            let mut results = results.lock().unwrap().clone();
            assert_eq!(results.len(), 4);
            // An extra one, of before, that was sent while the thread still ran.
            let extra = usize::from(used_before.is_some());
            results.retain(|result| result.is_ok_and(|sent| sent.is_queued()));
            assert_eq!(results.len(), 4, "nothing stands in the way of a send");
            assert_eq!(numbers(&mut participant).len(), 4 + extra);
            assert_eq!(bus.stats().participants, 1);
            drop(bus);
            assert!(participant.bus().is_closed(), "the thread left nothing behind");
        }
    });
}

#[cfg(unix)]
mod fork {
    use super::*;
    use smd_lockfree::{Descriptor, MaskError, RecvError, RegisterError, RetainError};
    use std::future::Future;

    /// Runs this in a forked child, which has one thread and must not touch the harness.
    fn in_child(check: impl FnOnce() -> bool) {
        // SAFETY: the child calls only `check`, whose work is the point of the test, and `_exit`.
        let child = unsafe { libc::fork() };
        assert!(child >= 0, "fork failed");
        if child == 0 {
            // A panic would unwind into the harness, of which the child is a copy.
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
            let code = match outcome {
                Ok(true) => 0,
                Ok(false) => 1,
                Err(_) => 2,
            };
            // SAFETY: ends the child without running anything of the parent's.
            unsafe { libc::_exit(code) }
        }
        let mut status = 0;
        // SAFETY: `status` is valid for the call, `child` is ours and was not waited for.
        let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(waited, child);
        assert!(libc::WIFEXITED(status), "the child crashed: {status:#x}");
        assert_eq!(libc::WEXITSTATUS(status), 0, "1 is a wrong result, 2 a panic");
    }

    #[test]
    fn use_in_a_forked_child() {
        watched(|| {
            let bus = bus();
            let mut participant = bus.register(A).unwrap();
            let sender = bus.sender();
            let state = bus.retain(B).unwrap();
            let draft = bus.alloc(A, 1).unwrap().unwrap();
            number(bus.send(A, b"1"));
            in_child(|| {
                let forked = Err(SendError::Forked);
                bus.send(A, b"x") == forked
                    && sender.send(A, b"x") == forked
                    && sender.send_wait(A, b"x", None) == forked
                    && state.send(b"x") == forked
                    && matches!(bus.alloc(A, 1), Err(SendError::Forked))
                    && draft.send().is_err_and(|back| back.error == SendError::Forked)
                    && matches!(participant.try_recv(), Err(RecvError::Forked))
                    && matches!(participant.recv_blocking(), Err(RecvError::Forked))
                    && participant.set_mask(B) == Err(MaskError::Forked)
                    && matches!(bus.register(A), Err(RegisterError::Forked))
                    && matches!(bus.retain(A), Err(RetainError::Forked))
            });
            // The parent knows nothing of it.
            number(bus.send(A, b"2"));
            assert_eq!(numbers(&mut participant), [1, 2]);
        });
    }

    #[test]
    fn dropping_in_a_forked_child() {
        watched(|| {
            let bus = bus();
            let mut participant = bus.register(A).unwrap();
            number(bus.send(A, b"1"));
            // A copy of the parent's handles, dropped as the child ends by itself.
            let (copy, sender) = (bus.clone(), bus.sender());
            let other = bus.register(A).unwrap();
            in_child(move || {
                drop((copy, sender, other));
                true
            });
            number(bus.send(A, b"2"));
            assert_eq!(numbers(&mut participant), [1, 2]);
        });
    }

    /// The child has the same event counter as its parent: it once cleared it, or made it readable.
    #[test]
    fn a_descriptor_in_a_forked_child() {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        watched(|| {
            let bus = bus();
            let mut part = bus.register(A).unwrap().into_descriptor().unwrap();
            let readable = |part: &Descriptor| {
                poll(&mut [PollFd::new(part, PollFlags::IN)], Some(&Timespec::default())).unwrap()
            };
            let forked = |part: &mut Descriptor| {
                let polled = std::pin::pin!(part.recv())
                    .poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
                    .map(|outcome| outcome.map(|_| ()));
                polled == std::task::Poll::Ready(Err(RecvError::Forked))
                    && matches!(part.try_recv(), Err(RecvError::Forked))
                    && matches!(part.recv_blocking(), Err(RecvError::Forked))
                    && matches!(
                        part.recv_timeout(std::time::Duration::ZERO),
                        Err(RecvError::Forked)
                    )
            };
            assert!(part.try_recv().is_err());
            assert_eq!(readable(&part), 0);
            in_child(|| forked(&mut part));
            let copy = std::mem::ManuallyDrop::new(part);
            in_child(|| {
                bus.close();
                // SAFETY: the child's copy, which its parent does not see.
                drop(unsafe { std::ptr::read(&raw const *copy) });
                true
            });
            let mut part = std::mem::ManuallyDrop::into_inner(copy);
            assert_eq!(readable(&part), 0, "nothing awaits");
            number(bus.send(A, b"1"));
            assert_eq!(readable(&part), 1);
            in_child(|| forked(&mut part));
            assert_eq!(readable(&part), 1, "something awaits");
            assert!(part.try_recv().is_ok());
        });
    }

    #[test]
    fn a_new_bus_in_a_forked_child() {
        watched(|| {
            let parents = bus();
            let _participant = parents.register(A).unwrap();
            number(parents.send(A, b"this thread has sent before"));
            in_child(|| {
                let own = common::bus();
                let mut participant = own.register(A).unwrap();
                own.send(A, b"x") == Ok(Sent::Queued(1)) && participant.try_recv().is_ok()
            });
        });
    }
}
