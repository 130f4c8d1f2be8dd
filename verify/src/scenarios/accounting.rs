//! For each message: delivered + lagged + settled = those who wanted it.

use smd_lockfree::{Class, Participant, Policy, RecvError, Sender};

use super::{A, B, bus, queued, word};
use crate::model::{reached, thread};

/// What one participant wanted, and what it was told.
#[derive(Debug)]
struct Account {
    /// From which number on which mask held; empty: none.
    masks: Vec<(u64, Class)>,
    delivered: Vec<u64>,
    /// First, last and how many.
    lagged: Vec<(u64, u64, u64)>,
    time: u64,
}

impl Account {
    fn new(participant: &Participant) -> Account {
        let masks = vec![(participant.since(), participant.mask())];
        Account { masks, delivered: Vec::new(), lagged: Vec::new(), time: 0 }
    }

    /// One look; `false`: there was nothing.
    fn look(&mut self, participant: &mut Participant) -> bool {
        match participant.try_recv() {
            Ok(message) => {
                let time = message.timestamp().nanos();
                assert!(time >= self.time, "a timestamp fell");
                self.time = time;
                self.delivered.push(message.sequence());
                true
            }
            Err(RecvError::Lagged(lag)) => {
                self.lagged.push((lag.first, lag.last, lag.count));
                true
            }
            Err(RecvError::Empty | RecvError::Left) => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    fn looks(&mut self, participant: &mut Participant, looks: usize) {
        for _ in 0..looks {
            self.look(participant);
        }
    }

    fn settle(&mut self, participant: &mut Participant) {
        while self.look(participant) {}
    }

    /// The mask in force at a number.
    fn mask_at(&self, number: u64) -> Class {
        let held = self.masks.iter().rev().find(|(from, _)| *from <= number);
        held.map_or(Class::NONE, |(_, mask)| *mask)
    }

    /// From which number on a class that was wanted at `number` is given up.
    fn given_up(&self, number: u64, class: Class) -> Option<u64> {
        let later =
            self.masks.iter().find(|(from, mask)| *from > number && !mask.intersects(class));
        later.map(|(from, _)| *from)
    }

    /// What became of the messages, told apart by number and class.
    fn check(&self, messages: &[(u64, Class)]) {
        assert!(self.delivered.is_sorted_by(|a, b| a < b), "in order: {self:?}");
        let mut in_reports = 0;
        for &(number, class) in messages {
            let delivered = self.delivered.contains(&number);
            let is_wanted = self.mask_at(number).intersects(class);
            let is_reported =
                self.lagged.iter().any(|&(first, last, _)| (first..=last).contains(&number));
            let lagged = is_wanted && !delivered && is_reported;
            if !is_wanted {
                assert!(!delivered, "{number} was delivered, and not wanted: {self:?}");
                continue;
            }
            in_reports += u64::from(lagged);
            if delivered {
                reached("delivered");
            } else if lagged {
                reached("lagged");
            } else {
                reached("settled");
                let until = self.given_up(number, class);
                let until = until.unwrap_or_else(|| panic!("{number} is missing: {self:?}"));
                // What a change settles is what waited when it was made: the last of its class.
                for &(later, of) in messages {
                    let of_change = (number..until).contains(&later) && of.intersects(class);
                    assert!(
                        !of_change || !self.delivered.contains(&later),
                        "{number} was left out before {later}: {self:?}"
                    );
                }
            }
        }
        let reported: u64 = self.lagged.iter().map(|(_, _, count)| count).sum();
        assert_eq!(reported, in_reports, "the reports name each that was lost, once: {self:?}");
        let is_known = |number: &u64| messages.iter().any(|(known, _)| known == number);
        assert!(self.delivered.iter().all(is_known), "delivered, and never sent: {self:?}");
    }
}

/// What a participant does while others send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Receives, with policy lag.
    Stay,
    /// Receives, then leaves.
    Leave,
    /// Receives, and is ended from elsewhere.
    Ended,
    /// Receives, gives the second class up, and receives.
    Narrow,
    /// Receives, wants the second class too, and receives.
    Widen,
    /// Registers now, and receives.
    Join,
    /// Registers now, receives, and leaves.
    Pass,
}

/// One sender of both classes, and participants with these roles, each on a thread of its own but
/// for the first. One more, with policy lag and depth 1, wants both and looks at the end. Each plays
/// `looks` looks between its steps; `before` messages are sent before all that.
pub fn accounting(segment: usize, roles: &[Role], before: usize, sends: usize, looks: usize) {
    let bus = bus(segment);
    let lagging = |mask: Class| bus.participant().mask(mask).policy(Policy::Lag).depth(1);
    let mut watcher = lagging(A.union(B)).register().expect("registered");
    let sender = bus.sender();
    let members: Vec<_> = roles
        .iter()
        .map(|role| {
            let registration = match role {
                Role::Stay => lagging(A),
                Role::Leave | Role::Ended | Role::Widen => bus.participant().mask(A),
                Role::Narrow => bus.participant().mask(A.union(B)),
                Role::Join | Role::Pass => return None,
            };
            Some(registration.register().expect("registered"))
        })
        .collect();
    let send = |sender: &Sender, index: usize| {
        let class = if index % 2 == 0 { A } else { B };
        (queued(sender, class, &word(0, index)), class)
    };
    let mut messages: Vec<_> = (0..before).map(|index| send(&sender, index)).collect();
    let sending = thread::spawn(move || {
        (before..before + sends).map(|index| send(&sender, index)).collect::<Vec<_>>()
    });
    let mut plays: Vec<_> = roles
        .iter()
        .zip(members)
        .map(|(&role, member)| {
            let bus = bus.clone();
            move || {
                let member = member.unwrap_or_else(|| bus.register(A).expect("registered"));
                play(role, member, looks)
            }
        })
        .collect();
    let first = plays.remove(0);
    let playing: Vec<_> = plays.into_iter().map(thread::spawn).collect();
    let mut accounts = vec![first()];
    accounts.extend(playing.into_iter().map(|thread| thread.join().expect("no panic")));
    messages.extend(sending.join().expect("no panic"));
    assert!(messages.iter().map(|(number, _)| *number).eq(1..=(before + sends) as u64));
    let mut account = Account::new(&watcher);
    account.settle(&mut watcher);
    account.check(&messages);
    for (mut account, member) in accounts {
        if let Some(mut member) = member {
            account.settle(&mut member);
        }
        account.check(&messages);
    }
}

/// One participant's part; what stays of it is to be settled when all have been sent.
fn play(role: Role, mut member: Participant, looks: usize) -> (Account, Option<Participant>) {
    let mut account = Account::new(&member);
    match role {
        Role::Stay | Role::Join => account.looks(&mut member, looks),
        Role::Leave | Role::Pass => {
            account.looks(&mut member, looks);
            account.masks.push((member.leave(), Class::NONE));
            return (account, None);
        }
        Role::Ended => {
            let handle = member.handle();
            let ending = thread::spawn(move || handle.leave().expect("once"));
            account.looks(&mut member, looks);
            account.masks.push((ending.join().expect("no panic"), Class::NONE));
        }
        Role::Narrow | Role::Widen => {
            account.looks(&mut member, looks);
            let mask = if role == Role::Narrow { A } else { A.union(B) };
            account.masks.push((member.set_mask(mask).expect("open"), mask));
            account.looks(&mut member, looks);
        }
    }
    (account, Some(member))
}
