//! Conservation (G1, G6, G7): with real threads that send while others register, leave, change
//! masks and receive, every message comes, for every participant that wanted it, to exactly one of
//! three ends: delivered, named in a report, settled by a departure or a narrowing.
//!
//! Every thread writes down what it did and what came of it; `history.rs` judges afterwards.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![allow(clippy::drop_non_drop, clippy::forget_non_drop, dropping_copy_types)]

#[path = "../common/mod.rs"]
mod common;
mod history;

use common::{join, rounds, small, watched};
use history::{Ending, Event, History, Note, Session};
use smd_lockfree::{
    Bus, Class, FullReason, Outgoing, Participant, Policy, RecvError, SendError, Sender, Sent,
};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A generator of its own for each thread; the seed makes a run of one thread repeatable.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    /// One of the first so many user classes, sometimes two.
    fn class(&mut self, of: u64) -> Class {
        let one = Class::user(self.below(of) as u8).unwrap_or_default();
        let two = Class::user(self.below(of) as u8).unwrap_or_default();
        if self.below(4) == 0 { one | two } else { one }
    }

    /// Any mask but an empty one.
    fn mask(&mut self) -> Class {
        Class::from_bits((self.below(31) as u32 + 1) << 24)
    }
}

/// What the participants that stay want: not all, so that something is unwanted at times.
const MOST: Class = Class::from_bits(0b1111 << 24);

/// What all threads share.
struct World<'a> {
    bus: &'a Bus,
    /// Counts up with each thing written down, so that "returned before" can be told.
    tickets: AtomicU64,
    sessions: AtomicU64,
    done: AtomicBool,
}

impl World<'_> {
    fn ticket(&self) -> u64 {
        self.tickets.fetch_add(1, Ordering::SeqCst)
    }
}

/// The payload says who sent it and as the how many-th.
fn payload(sender: u64, count: u64, dice: &mut Dice) -> Vec<u8> {
    let mut payload = vec![0; 16 + dice.below(80) as usize];
    payload[..8].copy_from_slice(&sender.to_le_bytes());
    payload[8..16].copy_from_slice(&count.to_le_bytes());
    payload
}

/// Sends one message by whatever means, and writes it down.
fn send_one(
    world: &World<'_>,
    sender: &Sender,
    owner: u64,
    dice: &mut Dice,
    notes: &mut Vec<Note>,
) {
    let class = dice.class(5);
    let payload = payload(owner, notes.len() as u64, dice);
    let begun = world.ticket();
    let result = match dice.below(3) {
        0 if owner == 0 => world.bus.send(class, &payload),
        1 => match sender.alloc(class, payload.len()) {
            Ok(Some(mut draft)) => {
                draft.copy_from_slice(&payload);
                draft.send().map_err(|back| back.error)
            }
            Ok(None) => Ok(Sent::Unwanted),
            Err(error) => Err(error),
        },
        _ => sender.send(class, &payload),
    };
    let ended = world.ticket();
    match result {
        Ok(sent) => {
            let number = sent.sequence();
            notes.push(Note { number, class, owner, payload, begun, ended });
        }
        Err(SendError::Full(FullReason::Backlog)) => {}
        Err(SendError::Full(FullReason::Stalled)) => std::thread::yield_now(),
        Err(error) => panic!("{error:?}"),
    }
}

/// Sends a batch. If others send in between, its numbers are not known here: the witness, who
/// receives all of it, is the one to write it down.
fn send_many(sender: &Sender, dice: &mut Dice) {
    let messages: Vec<_> =
        (0..dice.below(40)).map(|count| (dice.class(4), payload(0, count, dice))).collect();
    let batch: Vec<_> =
        messages.iter().map(|(class, payload)| Outgoing::new(*class, payload)).collect();
    let (sent, done) = match sender.send_batch(&batch) {
        Ok(sent) => (sent, batch.len()),
        Err(error) => (error.sent, error.done),
    };
    assert_eq!((sent.queued, sent.unwanted), (done, 0), "the witness wants all of it");
    assert_eq!((sent.first.is_some(), sent.last.is_some()), (done > 0, done > 0));
}

fn sending(world: &World<'_>, seed: u64, batches: bool) -> Vec<Note> {
    let mut dice = Dice(seed);
    let mut notes = Vec::new();
    let sender = world.bus.sender();
    for _ in 0..rounds("SMD_CONSERVATION", 60_000) {
        if batches && dice.below(100) == 0 {
            send_many(&sender, &mut dice);
        } else {
            send_one(world, &sender, 0, &mut dice, &mut notes);
        }
    }
    notes
}

/// Takes what a receive gave, and says whether the bus is closed.
fn take(participant: &mut Participant, session: &mut Session, wait: Duration) -> bool {
    match participant.recv_timeout(wait) {
        Ok(message) => session.events.push(Event::got(&message)),
        Err(RecvError::Lagged(lag)) => session.events.push(Event::Lost(lag)),
        Err(RecvError::Timeout) => {}
        Err(RecvError::Closed) => return true,
        Err(error) => panic!("{error:?}"),
    }
    false
}

/// Registers, does this and that, and leaves.
fn visit(world: &World<'_>, dice: &mut Dice, notes: &mut Vec<Note>) -> Session {
    let id = world.sessions.fetch_add(1, Ordering::SeqCst) + 1;
    let policy = if dice.below(2) == 0 { Policy::Lag } else { Policy::Backpressure };
    let depth = [1, 3, 50, 2_000][dice.below(4) as usize];
    let (mask, excludes) = (dice.mask(), dice.below(2) == 0);
    let registration = world.bus.participant().mask(mask).policy(policy).depth(depth);
    let mut participant = registration.exclude_own(excludes).register().unwrap();
    let mut session = Session::new(id, excludes, participant.since(), mask, world.ticket());
    let sender = participant.sender();
    let end = dice.below(200);
    for _ in 0..end {
        match dice.below(60) {
            0 => {
                let mask = dice.mask();
                let begun = world.ticket();
                let number = participant.set_mask(mask).unwrap();
                session.events.push(Event::Masked { number, mask, begun, ended: world.ticket() });
            }
            1..=3 => send_one(world, &sender, id, dice, notes),
            4..=6 => {
                let most = dice.below(100) as usize;
                let into = &mut session.events;
                match participant.drain_up_to(most, |message| into.push(Event::got(&message))) {
                    Ok(_) => {}
                    Err(RecvError::Lagged(lag)) => session.events.push(Event::Lost(lag)),
                    Err(error) => panic!("{error:?}"),
                }
            }
            7 => std::thread::yield_now(),
            8 => {
                take(&mut participant, &mut session, Duration::from_micros(100));
            }
            _ => {
                take(&mut participant, &mut session, Duration::ZERO);
            }
        }
    }
    let begun = world.ticket();
    let number = match dice.below(3) {
        0 => Some(participant.leave()),
        1 => participant.handle().leave(),
        _ => {
            drop(participant);
            None
        }
    };
    session.ending = Ending::Left { number, begun };
    session
}

fn visiting(world: &World<'_>, seed: u64) -> (Vec<Session>, Vec<Note>) {
    let mut dice = Dice(seed);
    let (mut sessions, mut notes) = (Vec::new(), Vec::new());
    while !world.done.load(Ordering::SeqCst) || sessions.len() < 30 {
        sessions.push(visit(world, &mut dice, &mut notes));
    }
    (sessions, notes)
}

/// Stays to the end and receives everything.
fn staying(world: &World<'_>, policy: Policy, depth: u32, pause: u64) -> Session {
    let id = world.sessions.fetch_add(1, Ordering::SeqCst) + 1;
    let mut participant = join(world.bus, MOST, policy, depth);
    let mut session = Session::new(id, false, participant.since(), MOST, world.ticket());
    while !take(&mut participant, &mut session, Duration::from_secs(100)) {
        (0..pause).for_each(|_| std::hint::spin_loop());
    }
    session.ending = Ending::Closed;
    session
}

fn run(seed: u64, time_to_live: Option<Duration>) {
    let bus = small().time_to_live(time_to_live).build().unwrap();
    let world = World {
        bus: &bus,
        tickets: AtomicU64::new(0),
        sessions: AtomicU64::new(0),
        done: AtomicBool::new(false),
    };
    let mut witness = join(&bus, MOST, Policy::Backpressure, 1_000_000);
    let mut history = History::default();
    let expires = time_to_live.is_some();
    std::thread::scope(|scope| {
        let world = &world;
        let senders: Vec<_> = (1..=4)
            .map(|n| scope.spawn(move || sending(world, seed * 100 + n, !expires)))
            .collect();
        let visitors: Vec<_> =
            (5..=7).map(|n| scope.spawn(move || visiting(world, seed * 100 + n))).collect();
        let stayers = [
            scope.spawn(move || staying(world, Policy::Lag, 20, 500)),
            scope.spawn(move || staying(world, Policy::Backpressure, 3_000, 0)),
        ];
        let reading = scope.spawn(move || {
            loop {
                match witness.recv_blocking() {
                    Ok(message) => history.witness(&message),
                    Err(RecvError::Closed) => return history,
                    Err(RecvError::Lagged(lag)) if expires => history.lost += lag.count,
                    Err(error) => panic!("{error:?}"),
                }
            }
        });
        let mut notes: Vec<Note> =
            senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect();
        world.done.store(true, Ordering::SeqCst);
        let mut sessions = Vec::new();
        for visitor in visitors {
            let (visits, sent) = visitor.join().unwrap();
            sessions.extend(visits);
            notes.extend(sent);
        }
        let end = world.bus.close();
        sessions.extend(stayers.map(|stayer| stayer.join().unwrap()));
        reading.join().unwrap().judge(&sessions, notes, end, &world.bus.stats());
    });
}

#[test]
fn every_message_comes_to_one_of_three_ends_for_everyone_who_wanted_it() {
    watched(|| (1..=3).for_each(|seed| run(seed, None)));
}

#[test]
fn and_so_it_does_while_messages_expire() {
    watched(|| run(4, Some(Duration::from_millis(2))));
}
