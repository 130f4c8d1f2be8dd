//! Total order and linearizability: histories of real runs are accepted, and forbidden ones refused.
//!
//! Random runs take the same plans each time; `SMD_SECONDS` runs others, for so long; `SMD_SEED` runs one.
//! `SMD_DUMP` names a file for a history that is refused.

#![cfg(not(any(smd_loom, smd_shuttle)))]

use smd_lockfree::{Bus, Class, Clock, Lag, LagReason, Policy};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};
use verify::history::{
    By, Choices, Clause, Counts, Delivery, Event, Form, Got, History, Leaving, Outcome, Plan,
    Receiving, Registering, Sending, Span, Take, What, Worker, World, check, merge, run,
};

/// A run that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// As many random runs, unless a time is given.
const RUNS: u64 = 1000;

/// One run, in threads of its own so that a hang fails.
fn run_and_check(plan: Plan) -> Counts {
    let (done, wait) = channel();
    let runner = std::thread::spawn(move || drop(done.send(run(plan))));
    let history = match wait.recv_timeout(PATIENCE) {
        Ok(history) => history,
        Err(RecvTimeoutError::Timeout) => panic!("{plan:?} hangs"),
        Err(RecvTimeoutError::Disconnected) => match runner.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => panic!("{plan:?} ended without a history"),
        },
    };
    match check(&history) {
        Ok(counts) => counts,
        Err(violation) => {
            if let Some(path) = std::env::var_os("SMD_DUMP") {
                let events = history.events.iter().map(|event| format!("{event:?}\n"));
                std::fs::write(path, events.collect::<String>()).expect("the dump is written");
            }
            panic!("{plan:?}\n{violation}")
        }
    }
}

/// Names and values, from the debug form.
fn pairs(counts: &Counts) -> Vec<(String, u64)> {
    let text = format!("{counts:?}");
    let inner = text.trim_start_matches("Counts {").trim_end_matches('}');
    let pair = |field: &str| {
        let (name, value) = field.split_once(':')?;
        Some((name.trim().to_owned(), value.trim().parse().ok()?))
    };
    inner.split(',').filter_map(pair).collect()
}

#[test]
fn random_runs_are_accepted() {
    if let Some(seed) = number("SMD_SEED") {
        println!("{:?}: {:?}", Plan::new(seed), run_and_check(Plan::new(seed)));
        return;
    }
    let start = Instant::now();
    let seconds = number("SMD_SECONDS").map(Duration::from_secs);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let first = seconds.and(now.ok()).map_or(1, |now| now.as_micros() as u64);
    let mut sums: Vec<(String, u64)> = Vec::new();
    let mut runs = 0;
    while runs < RUNS || seconds.is_some_and(|limit| start.elapsed() < limit) {
        let counts = pairs(&run_and_check(Plan::new(first + runs)));
        if sums.is_empty() {
            sums = counts;
        } else {
            sums.iter_mut().zip(counts).for_each(|(sum, (_, more))| sum.1 += more);
        }
        runs += 1;
    }
    println!("{runs} runs from seed {first} in {:.1?}: {sums:?}", start.elapsed());
    for (name, count) in &sums {
        // Both depend on a thread that stands still in one place.
        let rare = ["stalled", "unknown"].contains(&name.as_str());
        assert!(rare || *count > 0, "{name} never happened in {runs} runs");
    }
}

/// All that one thread does.
type Part = fn(&mut Worker);

/// Does what `before` says, then the parts, each in a thread of its own and begun at once; then
/// everybody receives to the end.
fn race(before: Part, parts: [Part; 2]) -> History {
    let bus = Bus::builder().time_to_live(None).segment_bytes(4096).build().expect("in order");
    let world = World::new(bus, None);
    let barrier = Arc::new(Barrier::new(2));
    let mut first = Worker::new(&world, 0);
    before(&mut first);
    let mut workers = vec![first, Worker::new(&world, 1)];
    let threads: Vec<_> = parts
        .into_iter()
        .zip(workers.drain(..))
        .map(|(part, mut worker)| {
            let barrier = Arc::clone(&barrier);
            std::thread::spawn(move || {
                barrier.wait();
                part(&mut worker);
                worker
            })
        })
        .collect();
    let workers = threads.into_iter().map(|thread| thread.join().expect("no panic"));
    let mut workers: Vec<Worker> = workers.collect();
    workers[1].close();
    for worker in &mut workers {
        (0..worker.members()).for_each(|member| worker.receive_to_the_end(member));
    }
    merge(workers.into_iter().map(Worker::finish).collect(), None, false)
}

fn races(count: u32, before: Part, parts: [Part; 2]) {
    for round in 0..count {
        if let Err(violation) = check(&race(before, parts)) {
            panic!("round {round}: {violation}");
        }
    }
}

const TWO: Class = Class::from_bits(Class::NETWORK.bits() | Class::USER0.bits());

fn choices(mask: Class, policy: Policy, depth: u32) -> Choices {
    Choices { mask, policy, depth, exclude_own: false, retained: true, polled: false }
}

/// A change of mask that is refused because the bus closes must leave what waits alone.
#[test]
fn a_mask_changes_with_its_number_or_not_at_all_when_the_bus_closes() {
    let before: Part = |worker| {
        worker.register(choices(TWO, Policy::Backpressure, 8));
        worker.retain(Class::METRICS, false);
        worker.send_state(0, 16);
        worker.send(Form::Bus, 0, Class::NETWORK, 16);
        worker.send(Form::Bus, 0, Class::USER0, 16);
    };
    let change: Part = |worker| worker.set_mask(0, Class::USER0 | Class::METRICS);
    races(3000, before, [change, Worker::close]);
}

/// An entry that is marked or cleared while somebody widens his mask: what was sent before the number
/// of the widening and after the marking is state, what was sent after the clearing is none.
#[test]
fn state_is_that_of_the_entries_at_the_number() {
    let before: Part = |worker| {
        worker.register(choices(Class::USER0, Policy::Backpressure, 400));
        worker.register(choices(STATE, Policy::Lag, 2));
    };
    let widen: Part = |worker| {
        for _ in 0..20 {
            worker.set_mask(0, Class::USER0 | STATE);
            worker.exhaust(0);
            worker.set_mask(0, Class::USER0);
        }
    };
    let mark: Part = |worker| {
        for _ in 0..10 {
            worker.retain(STATE, false);
            worker.send(Form::Bus, 0, STATE, 16);
            worker.clear(0);
            worker.send(Form::Bus, 0, STATE, 16);
        }
    };
    races(1000, before, [widen, mark]);
}

/// A message that is due as the state of two classes, of which one is given up, comes once, for the other.
#[test]
fn state_that_is_due_twice_comes_for_the_class_that_stays() {
    let all: Part = |worker| {
        worker.register(choices(Class::USER0, Policy::Backpressure, 8));
        worker.retain(Class::NETWORK, false);
        worker.retain(STATE, false);
        worker.send(Form::Bus, 0, Class::NETWORK | STATE, 16);
        worker.set_mask(0, Class::USER0 | Class::NETWORK);
        worker.set_mask(0, Class::USER0 | Class::NETWORK | STATE);
        worker.set_mask(0, Class::USER0 | STATE);
        assert!(matches!(worker.receive(0, Take::Try), Got::State(_)));
        assert_eq!(worker.receive(0, Take::Try), Got::Empty);
    };
    let nothing: Part = |_| {};
    races(1, all, [nothing, nothing]);
}

/// A departure holds from its number on, also for a receive that is in progress.
#[test]
fn nothing_comes_from_behind_a_departure() {
    let before: Part = |worker| {
        worker.register(choices(TWO, Policy::Lag, 2));
        worker.register(choices(TWO, Policy::Lag, 8));
        worker.add_sender(None);
    };
    let receive: Part = |worker| {
        for _ in 0..40 {
            worker.send(Form::Sender, 0, Class::USER0, 16);
            worker.receive(0, Take::Try);
            worker.send(Form::Sender, 0, Class::NETWORK, 16);
            worker.receive(0, Take::Drain(usize::MAX));
        }
    };
    let leave: Part = |worker| {
        worker.add_sender(None);
        (0..10).for_each(|_| _ = worker.send(Form::Sender, 0, Class::NETWORK, 16));
        worker.leave_by_handle(0);
        (0..30).for_each(|_| _ = worker.send(Form::Sender, 0, Class::NETWORK, 16));
    };
    races(1000, before, [receive, leave]);
}

// A small recorded history, and mutations of it.

const STATE: Class = Class::METRICS;

/// Recorded on one thread, so that it is the same each time but for payload numbers and stamps.
fn small(expires: bool) -> History {
    let (clock, hand) = Clock::manual();
    let time_to_live = expires.then_some(Duration::from_millis(100));
    let bus = Bus::builder().time_to_live(time_to_live).clock(clock).build();
    let world = World::new(bus.expect("in order"), Some(hand.clone()));
    let mut worker = Worker::new(&world, 0);
    let net = |worker: &mut Worker| worker.send(Form::Bus, 0, Class::NETWORK, 16);
    // Nobody wants it yet. Then participants 0, 1 and 2.
    net(&mut worker);
    worker.register(choices(TWO, Policy::Backpressure, 8));
    worker.register(choices(Class::NETWORK, Policy::Lag, 2));
    worker.register(Choices { retained: false, ..choices(TWO, Policy::Backpressure, 2) });
    worker.add_sender(Some(0));
    (0..2).for_each(|_| _ = worker.send(Form::Sender, 0, Class::NETWORK, 16));
    // Number 3 finds 2 full, and gets room by its departure.
    assert_eq!(net(&mut worker), Outcome::Full);
    worker.leave_by_handle(2);
    worker.receive(2, Take::Try);
    for class in [Class::NETWORK, Class::USER0, Class::NETWORK, Class::USER0, Class::NETWORK] {
        hand.advance(Duration::from_millis(1));
        worker.send(Form::Bus, 0, class, 16);
    }
    // Entries 3 and 4, and their states: numbers 8 to 10.
    worker.retain(STATE, false);
    worker.retain(STATE, true);
    worker.send_state(0, 16);
    worker.send_state(1, 16);
    worker.send(Form::Bus, 0, STATE, 16);
    // A late joiner, 5, and one who takes no state, 6.
    worker.register(choices(STATE | Class::USER1, Policy::Backpressure, 8));
    worker.register(Choices { retained: false, ..choices(STATE, Policy::Backpressure, 8) });
    worker.send(Form::Bus, 0, STATE, 16);
    worker.send(Form::Bus, 0, Class::USER1, 16);
    (0..5).for_each(|member| _ = worker.exhaust(member));
    // What waits of a class is given up.
    worker.send(Form::Bus, 0, Class::USER0, 16);
    worker.send(Form::Bus, 0, Class::NETWORK, 16);
    worker.set_mask(0, Class::NETWORK);
    (0..2).for_each(|member| _ = worker.exhaust(member));
    // Three may expire for 0 and 1.
    if expires {
        (0..3).for_each(|_| _ = net(&mut worker));
    }
    hand.advance(Duration::from_millis(200));
    (0..5).for_each(|member| _ = worker.exhaust(member));
    (0..2).for_each(|_| _ = net(&mut worker));
    worker.close();
    net(&mut worker);
    (0..5).for_each(|member| _ = worker.exhaust(member));
    let time_to_live = time_to_live.map(|of| of.as_nanos() as u64);
    let mut history = merge(vec![worker.finish()], time_to_live, true);
    // Room for calls in between.
    for event in &mut history.events {
        event.span = Span { call: event.span.call * 10, ret: event.span.ret * 10 };
        if let What::Receive(receiving) = &mut event.what {
            receiving.seen *= 10;
        }
    }
    history
}

/// Where a participant received this number.
fn came(history: &History, who: u32, number: u64) -> usize {
    let found = history.events.iter().position(|event| match &event.what {
        What::Receive(of) if of.participant == who => {
            matches!(of.got, Got::Message(d) | Got::State(d) if d.number == number)
        }
        _ => false,
    });
    found.expect("it was received")
}

/// The `nth` receive of a participant that came to something like this.
fn got(history: &History, who: u32, nth: usize, like: fn(&Got) -> bool) -> usize {
    let mut all = history.events.iter().enumerate().filter(|(_, event)| {
        matches!(&event.what, What::Receive(of) if of.participant == who && like(&of.got))
    });
    all.nth(nth).expect("there are as many").0
}

fn is_lag(got: &Got) -> bool {
    matches!(got, Got::Lag(_))
}

fn is_left(got: &Got) -> bool {
    *got == Got::Left
}

fn is_empty(got: &Got) -> bool {
    *got == Got::Empty
}

fn is_closed(got: &Got) -> bool {
    *got == Got::Closed
}

/// Where this number was sent.
fn sent(history: &History, number: u64) -> usize {
    let outcome = Outcome::Queued(number);
    let is = |event: &Event| matches!(&event.what, What::Send(of) if of.outcome == outcome);
    history.events.iter().position(is).expect("it was sent")
}

fn got_mut(history: &mut History, index: usize) -> &mut Got {
    match &mut history.events[index].what {
        What::Receive(of) => &mut of.got,
        _ => panic!("no receive"),
    }
}

fn lag_mut(history: &mut History, who: u32) -> &mut Lag {
    let index = got(history, who, 0, is_lag);
    match got_mut(history, index) {
        Got::Lag(lag) => lag,
        _ => panic!("no report"),
    }
}

fn delivery_mut(history: &mut History, who: u32, number: u64) -> &mut Delivery {
    let index = came(history, who, number);
    match got_mut(history, index) {
        Got::Message(delivery) | Got::State(delivery) => delivery,
        _ => panic!("no message"),
    }
}

fn outcome_mut(history: &mut History, index: usize) -> &mut Outcome {
    match &mut history.events[index].what {
        What::Send(of) => &mut of.outcome,
        _ => panic!("no send"),
    }
}

fn registration_mut(history: &mut History, who: u32) -> &mut Registering {
    let mut all = history.events.iter_mut();
    let found = all.find_map(|event| match &mut event.what {
        What::Register(of) if of.participant == who => Some(of),
        _ => None,
    });
    found.expect("it registered")
}

/// Puts a call right behind the one at `index`.
fn insert(history: &mut History, index: usize, what: What) {
    let mut event = history.events[index].clone();
    event.span = Span { call: event.span.ret + 1, ret: event.span.ret + 3 };
    event.clock.call = event.clock.ret;
    event.what = what;
    history.events.insert(index + 1, event);
}

fn insert_send(history: &mut History, index: usize, class: Class, outcome: Outcome) {
    let sending = Sending { class, payload: 7, owner: None, entry: None, outcome };
    insert(history, index, What::Send(sending));
}

fn insert_got(history: &mut History, index: usize, participant: u32, got: Got) {
    let seen = history.events[index].span.ret + 2;
    insert(history, index, What::Receive(Receiving { participant, seen, got }));
}

fn swap(history: &mut History, one: usize, other: usize) {
    let what = history.events[one].what.clone();
    history.events[one].what = std::mem::replace(&mut history.events[other].what, what);
}

fn close_mut(history: &mut History) -> (usize, &mut u64) {
    let mut all = history.events.iter_mut().enumerate();
    let found = all.find_map(|(index, event)| match &mut event.what {
        What::Close(number) => Some((index, number)),
        _ => None,
    });
    found.expect("it was closed")
}

/// The history is accepted, and after `mutate` refused by this clause, for this reason.
fn refused_of(expires: bool, clause: Clause, why: &str, mutate: impl FnOnce(&mut History)) {
    let mut history = small(expires);
    if let Err(violation) = check(&history) {
        panic!("what really happened is refused: {violation}");
    }
    mutate(&mut history);
    match check(&history) {
        Ok(_) => panic!("accepted, though {why:?}"),
        Err(violation) => {
            let right = violation.clause == clause && violation.text.contains(why);
            assert!(right, "{clause:?} for {why:?} was expected: {violation}");
        }
    }
}

fn refused(clause: Clause, why: &str, mutate: impl FnOnce(&mut History)) {
    refused_of(true, clause, why, mutate);
}

#[test]
fn each_message_comes_once_to_whom_it_is_for() {
    let g1 = |why: &str, mutate: fn(&mut History)| refused(Clause::G1, why, mutate);
    refused_of(false, Clause::G1, "4 is missing", |history| {
        history.events.remove(came(history, 0, 4));
    });
    g1("4 came twice", |history| {
        let index = came(history, 0, 4);
        let again = *got_mut(history, index);
        insert_got(history, index, 0, again);
    });
    g1("4 came and was not wanted", |history| {
        let wrong = *delivery_mut(history, 0, 4);
        insert_got(history, got(history, 1, 0, is_lag), 1, Got::Message(wrong));
    });
    g1("10 came from before the registration", |history| {
        let old = *delivery_mut(history, 5, 10);
        insert_got(history, came(history, 5, 12), 6, Got::Message(old));
    });
    g1("3 came from behind the departure", |history| {
        // In a receive that was in progress, where Left need not come yet.
        let behind = *delivery_mut(history, 0, 3);
        let index = got(history, 2, 0, is_left);
        let sent = history.events[sent(history, 3)].span;
        let what = Receiving { participant: 2, seen: sent.ret + 1, got: Got::Message(behind) };
        history.events[index].what = What::Receive(what);
        history.events[index].span = Span { call: 141, ret: sent.ret + 2 };
    });
    g1("5 came and is reported lost", |history| {
        let lag = lag_mut(history, 1);
        (lag.count, lag.last) = (4, 5);
    });
    g1("14 came and is reported lost", |history| {
        let lag = lag_mut(history, 0);
        (lag.count, lag.first) = (4, 14);
    });
    g1("13 came after its class was given up", |history| {
        let payload = match &history.events[sent(history, 13)].what {
            What::Send(of) => of.payload,
            _ => 0,
        };
        let like = *delivery_mut(history, 0, 14);
        let late = Delivery { number: 13, class: Class::USER0, payload, ..like };
        let mask = |event: &Event| matches!(event.what, What::Mask(_));
        let index = history.events.iter().position(mask).expect("a change");
        insert_got(history, index, 0, Got::Message(late));
    });
    g1("1 came and was not wanted", |history| registration_mut(history, 0).exclude_own = true);
    g1("never sent as it came", |history| delivery_mut(history, 0, 4).payload += 1 << 20);
    g1("message 5 changed", |history| delivery_mut(history, 1, 5).class = TWO);
    g1("was over before", |history| registration_mut(history, 0).number = Some(2));
}

#[test]
fn there_is_one_order() {
    let g2 = |why: &str, mutate: fn(&mut History)| refused(Clause::G2, why, mutate);
    g2("was passed by a later one", |history| {
        let (one, other) = (came(history, 0, 4), came(history, 0, 5));
        swap(history, one, other);
    });
    g2("number 1 was given twice", |history| {
        let index = sent(history, 2);
        *outcome_mut(history, index) = Outcome::Queued(1);
    });
    g2("number 13 is a hole", |history| {
        history.events.remove(sent(history, 13));
    });
    g2("was over before", |history| {
        // Both expired for everybody, so that nobody saw which was which.
        let (one, other) = (sent(history, 15), sent(history, 16));
        *outcome_mut(history, one) = Outcome::Queued(16);
        *outcome_mut(history, other) = Outcome::Queued(15);
    });
    g2("timestamps go back at 5", |history| {
        let earlier = delivery_mut(history, 0, 4).nanos - 1;
        delivery_mut(history, 0, 5).nanos = earlier;
        delivery_mut(history, 1, 5).nanos = earlier;
    });
    g2("message 5 has two timestamps", |history| delivery_mut(history, 1, 5).nanos += 1);
    g2("stamped at a time when it was not sent", |history| {
        delivery_mut(history, 0, 19).nanos += 1_000_000;
        delivery_mut(history, 1, 19).nanos += 1_000_000;
    });
    g2("message 5 came with number 3", |history| delivery_mut(history, 1, 5).number = 3);
}

#[test]
fn what_nobody_wants_is_refused_and_nothing_else() {
    let g4 = |why: &str, mutate: fn(&mut History)| refused(Clause::G4, why, mutate);
    g4("wanted throughout", |history| {
        insert_send(history, sent(history, 5), Class::NETWORK, Outcome::Unwanted);
    });
    g4("wanted throughout", |history| {
        // By the bus itself: it is retained.
        insert_send(history, sent(history, 10), STATE, Outcome::Unwanted);
    });
    g4("nobody wanted", |history| {
        insert_send(history, sent(history, 5), Class::INTERACTION, Outcome::Allocated);
    });
    g4("nobody wanted", |history| {
        // Again, after the last who did has narrowed its mask.
        insert_send(history, came(history, 1, 14), Class::USER0, Outcome::Allocated);
    });
    g4("nobody wanted", |history| *outcome_mut(history, 0) = Outcome::Stalled);
}

#[test]
fn backlogs_are_no_longer_than_their_depth() {
    refused_of(false, Clause::G5, "that waits for 0", |history| {
        registration_mut(history, 0).depth = 6;
    });
    refused_of(false, Clause::G5, "5 came with 2 waiting", |history| {
        registration_mut(history, 1).depth = 1;
    });
    refused(Clause::G5, "stalled behind nobody", |history| {
        insert_send(history, sent(history, 5), Class::NETWORK, Outcome::Stalled);
    });
}

#[test]
fn losses_are_told_exactly() {
    let g6 = |why: &str, mutate: fn(&mut History)| refused(Clause::G6, why, mutate);
    g6("2 are reported", |history| lag_mut(history, 1).count = 2);
    g6("4 are reported", |history| lag_mut(history, 0).count = 4);
    g6("1 is missing, and no report names it", |history| {
        let lag = lag_mut(history, 1);
        (lag.count, lag.first) = (2, 2);
    });
    g6("ends at 4, which was not lost", |history| lag_mut(history, 1).last = 4);
    g6("are reported", |history| lag_mut(history, 1).classes = TWO);
    g6("1 is missing without a report", |history| {
        history.events.remove(got(history, 1, 0, is_lag));
    });
    g6("4 is missing without a report", |history| {
        history.events.remove(came(history, 0, 4));
    });
    g6("newer ones at most", |history| lag_mut(history, 0).reason = LagReason::Overflow);
    g6("newer ones at most", |history| registration_mut(history, 1).depth = 5);
    g6("it was young", |history| lag_mut(history, 1).reason = LagReason::Expired);
    g6("came late", |history| {
        let index = came(history, 0, 14);
        history.events[index].clock.call += 1_000_000_000;
    });
    g6("nobody of user1 was", |history| {
        insert_send(history, sent(history, 11), Class::USER1, Outcome::Full);
    });
}

#[test]
fn who_left_is_gone() {
    let g7 = |why: &str, mutate: fn(&mut History)| refused(Clause::G7, why, mutate);
    g7("2 had left, and refuses all the same", |history| {
        insert_send(history, sent(history, 3), Class::NETWORK, Outcome::Full);
    });
    g7("2 had left and received", |history| {
        let index = got(history, 2, 1, is_left);
        *got_mut(history, index) = Got::Empty;
    });
    g7("5 had not left", |history| {
        let index = got(history, 5, 0, is_empty);
        *got_mut(history, index) = Got::Left;
    });
    g7("2 left twice", |history| {
        let leaving = Leaving { participant: 2, number: Some(4), by: By::Handle };
        insert(history, sent(history, 3), What::Leave(leaving));
    });
}

#[test]
fn state_is_handed_over_once_and_fresh() {
    let g10 = |why: &str, mutate: fn(&mut History)| refused(Clause::G10, why, mutate);
    g10("before state Some(10)", |history| {
        history.events.remove(came(history, 5, 10));
    });
    g10("state 10 came before 9", |history| {
        history.events.remove(came(history, 5, 9));
    });
    g10("state 10 came again", |history| {
        let index = came(history, 5, 10);
        let again = *got_mut(history, index);
        insert_got(history, index, 5, again);
    });
    g10("state 8 came and is not due", |history| {
        let payload = match &history.events[sent(history, 8)].what {
            What::Send(of) => of.payload,
            _ => 0,
        };
        let nanos = delivery_mut(history, 5, 9).nanos;
        *delivery_mut(history, 5, 10) = Delivery { number: 8, class: STATE, nanos, payload };
    });
    g10("state 10 came before 9", |history| {
        let (one, other) = (came(history, 5, 9), came(history, 5, 10));
        swap(history, one, other);
    });
    g10("11 came before state Some(10)", |history| {
        let (one, other) = (came(history, 5, 10), came(history, 5, 11));
        swap(history, one, other);
    });
    g10("state 9 came and is not due", |history| {
        // To one who takes none.
        let state = *delivery_mut(history, 5, 9);
        insert_got(history, came(history, 5, 12), 6, Got::State(state));
    });
    g10("nothing, though state 9 is due", |history| {
        let index = came(history, 5, 9);
        *got_mut(history, index) = Got::Empty;
    });
}

#[test]
fn the_close_is_one_point() {
    let g12 = |why: &str, mutate: fn(&mut History)| refused(Clause::G12, why, mutate);
    g12("accepted after the close", |history| {
        let (index, _) = close_mut(history);
        *outcome_mut(history, index + 1) = Outcome::Queued(20);
    });
    g12("accepted after the close", |history| {
        let (index, _) = close_mut(history);
        *outcome_mut(history, index + 1) = Outcome::Full;
    });
    g12("accepted after the close", |history| {
        let (index, _) = close_mut(history);
        let late = Registering {
            participant: 99,
            number: Some(20),
            ..registration_mut(history, 0).clone()
        };
        insert(history, index, What::Register(late));
    });
    g12("19 are accepted", |history| *close_mut(history).1 = 19);
    g12("closed at two numbers", |history| {
        let (index, _) = close_mut(history);
        insert(history, index, What::Close(21));
    });
    g12("closed before the close", |history| {
        insert_send(history, sent(history, 5), Class::NETWORK, Outcome::Closed);
    });
    g12("closed before the close", |history| {
        let index = got(history, 5, 0, is_empty);
        *got_mut(history, index) = Got::Closed;
    });
    g12("19 is missing", |history| {
        history.events.remove(came(history, 0, 19));
    });
    g12("though the bus was closed", |history| {
        let index = got(history, 5, 0, is_closed);
        *got_mut(history, index) = Got::Empty;
    });
}
