//! The registry's edges one by one, for who checks them (see the log's).

use crate::hooks::Part;
use crate::limits::Name;
use crate::participant::Policy;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::epoch::Domain;
use crate::sync::local::OwnerCell;
use crate::wait::waiter::Waiter;

use super::Registry;
use super::ids::{SenderId, SenderIds};
use super::record::{Choices, Record, UNKNOWN};

/// A record of a participant that wants `mask`.
pub(crate) fn record(mask: u32, waiter: Arc<Waiter>) -> Arc<Record> {
    record_with(mask, waiter, 4, Policy::Backpressure)
}

/// The same, with a depth and what happens there.
pub(crate) fn record_with(
    mask: u32,
    waiter: Arc<Waiter>,
    depth: u64,
    policy: Policy,
) -> Arc<Record> {
    let choices = Choices {
        name: Name::new("model").expect("a short name"),
        depth,
        policy,
        mask,
        exclude_own: false,
        retained: false,
        bridge: false,
    };
    Arc::new(Record::new(choices, Arc::new(SenderId::nobody()), waiter))
}

/// `registry.interest`: who sees the interest of a version finds the snapshot of that version.
pub fn interest() -> Vec<Part> {
    let (registry, domain) = (Arc::new(Registry::new()), Domain::new());
    let (adding, pinning) = (registry.clone(), domain.clone());
    let registrar = move || {
        let record = record(1, Arc::new(Waiter::new()));
        adding.add(&pinning, &record, 8).expect("there is room");
    };
    let sender = move || {
        if registry.interest().version() == 1 {
            let guard = domain.pin();
            assert_eq!(registry.snapshot(&guard).version, 1, "interest before its snapshot");
        }
    };
    vec![Box::new(registrar), Box::new(sender)]
}

/// `registry.mask`: mask and numbers that were read under one generation belong together.
pub fn mask() -> Vec<Part> {
    let record = record(1, Arc::new(Waiter::new()));
    record.set_mask(1, 1, 1, true);
    let first = record.generation();
    let changing = record.clone();
    let participant = move || changing.set_mask(2, 2, 5, true);
    let retirer = move || {
        let generation = record.generation();
        let mask = record.mask();
        if generation != UNKNOWN && record.same_generation(generation) == generation {
            let expected = if generation == first { 1 } else { 2 };
            assert_eq!(mask, expected, "the mask of another generation");
        }
    };
    vec![Box::new(participant), Box::new(retirer)]
}

/// `registry.placed`: a registration is told of what it missed, or is handed over to.
pub fn placed() -> Vec<Part> {
    let record = record(1, Arc::new(Waiter::new()));
    record.unplace();
    let (missing, placing) = (record.clone(), record.clone());
    let (content, handed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (is_content, is_handed) = (content.clone(), handed.clone());
    vec![
        Box::new(move || content.store(placing.place(), Ordering::Relaxed)),
        Box::new(move || handed.store(missing.is_placed(), Ordering::Relaxed)),
        Box::new(move || {
            let (content, handed) =
                (is_content.load(Ordering::Relaxed), is_handed.load(Ordering::Relaxed));
            assert!(!content || handed, "placed, and not handed over to, and not told");
        }),
    ]
}

/// `registry.ids`: two identities are never the same.
pub fn ids() -> Vec<Part> {
    let ids = Arc::new(SenderIds::default());
    let mut parts: Vec<Part> = Vec::new();
    let taken: Vec<_> = (0..2).map(|_| Arc::new(OwnerCell::new(None))).collect();
    for cell in &taken {
        let (ids, cell) = (ids.clone(), cell.clone());
        // SAFETY: this thread's own until it has ended.
        parts.push(Box::new(move || unsafe { cell.with(|cell| *cell = SenderId::fresh(&ids)) }));
    }
    parts.push(Box::new(move || {
        // SAFETY: the threads have ended.
        let numbers = taken.iter().map(|cell| unsafe {
            cell.with(|cell| cell.as_ref().expect("there are enough").get())
        });
        let numbers: Vec<_> = numbers.collect();
        assert_ne!(numbers[0], numbers[1], "two senders of one identity");
    }));
    parts
}

/// `registry.given`: who gets an identity finds done what was done with it before.
pub fn given() -> Vec<Part> {
    let ids = Arc::new(SenderIds::default());
    let first = SenderId::fresh(&ids).expect("there are enough");
    let number = first.get();
    let sent = Arc::new(OwnerCell::new(false));
    let sending = sent.clone();
    let giving = move || {
        // SAFETY: of who has the identity.
        unsafe { sending.with(|sent| *sent = true) };
        drop(first);
    };
    let taking = move || {
        let next = SenderId::fresh(&ids).expect("there are enough");
        if next.get() == number {
            crate::hooks::mark("an identity came again");
            // SAFETY: of who has the identity.
            assert!(unsafe { sent.with(|sent| *sent) });
        }
    };
    vec![Box::new(giving), Box::new(taking)]
}

/// Rule M1: of two changes none is lost.
pub fn changes() -> Vec<Part> {
    let (registry, domain) = (Arc::new(Registry::new()), Domain::new());
    let count = Arc::new(AtomicU64::new(0));
    let mut parts: Vec<Part> = Vec::new();
    for mask in [1, 2] {
        let (registry, domain, count) = (registry.clone(), domain.clone(), count.clone());
        parts.push(Box::new(move || {
            let record = record(mask, Arc::new(Waiter::new()));
            registry.add(&domain, &record, 8).expect("there is room");
            count.fetch_add(1, Ordering::Relaxed);
        }));
    }
    parts.push(Box::new(move || {
        assert_eq!(registry.interest().mask(), 3, "interest is the union of the masks");
        let guard = domain.pin();
        let entries = registry.snapshot(&guard).entries().len();
        assert_eq!(entries as u64, count.load(Ordering::Relaxed), "a change was lost");
    }));
    parts
}
