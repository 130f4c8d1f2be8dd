//! One order, whatever becomes of the segments that it runs through.

use std::time::Duration;

use smd_lockfree::{Clock, LagReason, Outgoing, Policy};

use super::{
    A, B, Ledger, WIDE, asleep, builder, bus, contiguous, drain, interested, looks, queued, word,
};
use crate::model::{reached, thread};

/// Several senders, one receiver; the clock moves meanwhile, forward and back.
pub fn senders_and_receiver(segment: usize, senders: usize, each: usize, look: usize) {
    let (clock, hand) = Clock::manual();
    let start = hand.now();
    hand.advance(Duration::from_nanos(5));
    let bus = builder(segment).clock(clock).build().expect("a small bus");
    let mut all = bus.register(A).expect("registered");
    let threads: Vec<_> = (0..senders)
        .map(|who| {
            let (sender, hand) = (bus.sender(), hand.clone());
            thread::spawn(move || {
                let mut numbers = Vec::new();
                for index in 0..each {
                    if who % 2 == 0 {
                        hand.advance(Duration::from_nanos(10));
                    } else {
                        hand.set(start);
                    }
                    numbers.push(queued(&sender, A, &word(who, index)));
                }
                numbers
            })
        })
        .collect();
    let mut got = Vec::new();
    looks(&mut all, look, &mut got);
    let early = got.len();
    if early > 0 {
        reached("received while sending");
    }
    let numbers: Vec<_> = threads.into_iter().map(|t| t.join().expect("no panic")).collect();
    drain(&mut all, &mut got);
    contiguous(&got, 1, (senders * each) as u64);
    for (who, numbers) in numbers.iter().enumerate() {
        assert!(numbers.is_sorted(), "one sender's messages keep their order");
        for (index, &number) in numbers.iter().enumerate() {
            assert_eq!(got[number as usize - 1].word, word(who, index));
        }
    }
}

/// A batch of messages of one class and one of different ones, received meanwhile.
pub fn batch(segment: usize, count: usize, look: usize) {
    let bus = bus(segment);
    let mut all = bus.register(A | B).expect("registered");
    let sender = bus.sender();
    let words: Vec<_> = (0..count).map(|index| word(0, index)).collect();
    let thread = thread::spawn(move || {
        let equal = sender.send_equal(A, &words).expect("room for all");
        let mixed: Vec<_> = words.iter().map(|word| Outgoing::new(B, word)).collect();
        let mixed = sender.send_batch(&mixed).expect("room for all");
        assert_eq!((equal.queued, mixed.queued), (count, count));
    });
    let mut got = Vec::new();
    looks(&mut all, look, &mut got);
    if !got.is_empty() {
        reached("received while sending");
    }
    thread.join().expect("no panic");
    drain(&mut all, &mut got);
    contiguous(&got, 1, 2 * count as u64);
    for (index, message) in got.iter().enumerate() {
        assert_eq!(message.word, word(0, index % count));
    }
}

/// One message beside as many of another sender as retire its segment, which is another than the
/// receiver stands in; received at the end.
pub fn retired_beside_its_sender(segment: usize, before: usize, sends: usize) {
    let bus = bus(segment);
    let mut slow = bus.register(A).expect("registered");
    let (one, many) = (bus.sender(), bus.sender());
    for index in 0..before {
        queued(&many, A, &word(2, index));
    }
    let thread = thread::spawn(move || queued(&one, A, &word(0, 0)));
    for index in 0..sends {
        queued(&many, A, &word(1, index));
    }
    let number = thread.join().expect("no panic");
    let mut got = Vec::new();
    drain(&mut slow, &mut got);
    contiguous(&got, 1, (before + 1 + sends) as u64);
    assert_eq!(got[number as usize - 1].word, word(0, 0));
}

/// A slow participant is handed segments by reference while it receives.
pub fn handed_references(segment: usize, before: usize, sends: usize, look: usize) {
    let bus = bus(segment);
    let mut slow = bus.register(A).expect("registered");
    let sender = bus.sender();
    for index in 0..before {
        queued(&sender, A, &word(0, index));
    }
    let thread = thread::spawn(move || {
        for index in 0..sends {
            queued(&sender, A, &word(0, before + index));
        }
    });
    let mut got = Vec::new();
    looks(&mut slow, look, &mut got);
    match got.len() {
        0 => {}
        all if all == before + sends => reached("received all while sending"),
        _ => reached("received some while sending"),
    }
    thread.join().expect("no panic");
    drain(&mut slow, &mut got);
    contiguous(&got, 1, (before + sends) as u64);
    for (index, got) in got.iter().enumerate() {
        assert_eq!(got.word, word(0, index));
    }
}

/// Several senders, each of whom may find that it is to retire, while a slow participant receives.
pub fn handed_by_several(segment: usize, before: usize, senders: usize, each: usize, look: usize) {
    let bus = bus(segment);
    let mut slow = bus.register(A).expect("registered");
    let own = bus.sender();
    for index in 0..before {
        queued(&own, A, &word(0, index));
    }
    let send = |who: usize, sender: smd_lockfree::Sender| {
        move || {
            let send = |index| (queued(&sender, A, &word(who, index)), word(who, index));
            (0..each).map(send).collect::<Vec<_>>()
        }
    };
    let mut threads: Vec<_> =
        (1..senders).map(|who| thread::spawn(send(who, bus.sender()))).collect();
    // Without a look of its own, this thread is one of the senders.
    let mut got = Vec::new();
    let mut sent = Vec::new();
    if look == 0 {
        sent = send(0, own)();
    } else {
        threads.push(thread::spawn(send(0, own)));
    }
    looks(&mut slow, look, &mut got);
    if !got.is_empty() {
        reached("received while sending");
    }
    sent.extend(threads.into_iter().flat_map(|thread| thread.join().expect("no panic")));
    drain(&mut slow, &mut got);
    contiguous(&got, 1, (before + senders * each) as u64);
    for (number, word) in sent {
        assert_eq!(got[number as usize - 1].word, word);
    }
}

/// A sender that is new looks for the tail, while another runs so far ahead that the segment that it
/// finds there is retired, and used again.
pub fn stale_sender(segment: usize, before: usize, sends: usize) {
    let bus = bus(segment);
    let (mut keeper, sender) = interested(&bus, A);
    // Nobody else holds a segment: each that is retired goes to the pool.
    asleep(&mut keeper);
    for index in 0..before {
        queued(&sender, A, &word(0, index));
    }
    let thread = thread::spawn(move || {
        (0..sends).map(|index| queued(&sender, A, &word(0, index))).collect::<Vec<_>>()
    });
    let own = queued(&bus.sender(), A, &word(1, 0));
    let mut numbers = thread.join().expect("no panic");
    let mut got = Vec::new();
    drain(&mut keeper, &mut got);
    contiguous(&got, own, own);
    assert_eq!(got[0].word, word(1, 0), "what the new sender sent, and nothing else");
    numbers.push(own);
    numbers.sort_unstable();
    let all = before as u64 + 1..=(before + sends) as u64 + 1;
    assert!(numbers.into_iter().eq(all), "each number once");
}

/// A slow participant that wants little of each segment is handed copies while it receives. Before
/// that `before` segments are sent, and `early` messages received; then so many messages are sent, a
/// large one of the other class and a small one in turn.
pub fn handed_copies(before: usize, early: usize, sends: usize, look: usize) {
    let bus = bus(WIDE);
    let (keeper, sender) = interested(&bus, B);
    let mut slow = bus.register(A).expect("registered");
    let send = move |index: usize| match index % 2 {
        0 => {
            queued(&sender, B, &[7; 80]);
            None
        }
        _ => Some(queued(&sender, A, b"")),
    };
    let mut wanted: Vec<_> = (0..2 * before).filter_map(&send).collect();
    let mut got = Vec::new();
    looks(&mut slow, early, &mut got);
    let thread = thread::spawn(move || (0..sends).filter_map(send).collect::<Vec<_>>());
    looks(&mut slow, look, &mut got);
    if got.len() > early {
        reached("received while sending");
    }
    wanted.extend(thread.join().expect("no panic"));
    drain(&mut slow, &mut got);
    let numbers: Vec<_> = got.iter().map(|got| got.sequence).collect();
    assert_eq!(numbers, wanted, "each wanted message once and in order");
    drop(keeper);
}

/// Policy lag: what is over the depth is trimmed while the participant receives. Where `exact`, it
/// loses no more than what is over the depth.
pub fn lag(segment: usize, depth: u32, before: usize, sends: usize, look: usize, exact: bool) {
    let bus = bus(segment);
    let slow = bus.participant().mask(A).policy(Policy::Lag).depth(depth);
    let mut slow = slow.register().expect("registered");
    let sender = bus.sender();
    for index in 0..before {
        queued(&sender, A, &word(0, index));
    }
    let thread = thread::spawn(move || {
        for index in 0..sends {
            queued(&sender, A, &word(0, before + index));
        }
    });
    let mut ledger = Ledger::new(LagReason::Overflow);
    for _ in 0..look {
        if ledger.look(&mut slow) {
            reached("a look while sending");
        }
    }
    thread.join().expect("no panic");
    ledger.settle(&mut slow, (before + sends) as u64);
    assert!(
        !exact || ledger.delivered >= u64::from(depth).min((before + sends) as u64),
        "more was lost than was over the depth: {ledger:?}"
    );
}

/// Threads send through the bus itself, which lends each of them a sender of its own.
pub fn bus_sends(segment: usize, senders: usize, each: usize) {
    let bus = bus(segment);
    let mut all = bus.register(A).expect("registered");
    let send = |who: usize| {
        let bus = bus.clone();
        move || {
            for index in 0..each {
                bus.send(A, &word(who, index)).expect("accepted");
            }
        }
    };
    let threads: Vec<_> = (1..senders).map(|who| thread::spawn(send(who))).collect();
    send(0)();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    let mut got = Vec::new();
    drain(&mut all, &mut got);
    contiguous(&got, 1, (senders * each) as u64);
}
