//! G9 and G5 with a sender that is stopped inside a send: what no test from outside can arrange.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::log::backlog::Unpublished;
use crate::{
    Bus, Class, Event, EventLoop, FullReason, LoopError, Participant, Policy, RecvError, SendError,
    hooks,
};

const CAP: usize = 8;

/// A bus with one sender stopped between claim and publication of message 1.
struct Stopped {
    bus: Bus,
    go: mpsc::Sender<()>,
    sender: thread::JoinHandle<()>,
}

fn stopped(class: Class, keep: &mut Vec<crate::Participant>) -> Stopped {
    let bus = Bus::builder()
        .segment_bytes(4096)
        .max_segments(CAP)
        .depth(crate::MAX_DEPTH)
        .time_to_live(None)
        .build()
        .expect("inside the limits");
    keep.push(bus.register(Class::ALL).expect("registers"));
    let (go, wait) = mpsc::channel();
    let other = bus.clone();
    let sender = thread::spawn(move || {
        hooks::stop_next_send(wait);
        other.send(class, b"stopped").expect("accepted").sequence().expect("wanted");
    });
    let deadline = Instant::now() + Duration::from_secs(10);
    while bus.sequence() < 2 {
        assert!(Instant::now() < deadline, "the sender never claimed");
        thread::yield_now();
    }
    Stopped { bus, go, sender }
}

fn release(stopped: Stopped) -> Bus {
    stopped.go.send(()).expect("the sender waits");
    stopped.sender.join().expect("the sender ends");
    stopped.bus
}

#[test]
fn g9_others_send_on_behind_a_stopped_sender_up_to_the_cap() {
    let mut participants = Vec::new();
    let stopped = stopped(Class::USER0, &mut participants);
    let participant = &mut participants[0];
    assert!(matches!(participant.try_recv(), Err(RecvError::Empty)));
    let mut accepted = 1;
    let error = loop {
        match stopped.bus.send(Class::USER1, &[7; 64]) {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 10_000, "the cap never came");
    };
    assert_eq!(error, SendError::Full(FullReason::Stalled));
    assert!(accepted >= (CAP as u64 - 1) * 50, "only {accepted} before the cap");
    assert!(stopped.bus.stats().segments_live <= CAP as u64);
    assert!(matches!(participant.try_recv(), Err(RecvError::Empty)));

    let bus = release(stopped);
    let mut next = 1;
    while participant
        .drain(|message| {
            assert_eq!(message.sequence(), next);
            next += 1;
        })
        .expect("open")
        > 0
    {}
    assert_eq!(next, accepted + 1);
    assert!(bus.send(Class::USER1, b"on").expect("accepted again").is_queued());
}

#[test]
fn g9_no_sender_waits_for_one_that_is_stopped_in_front_of_it() {
    let mut participants = Vec::new();
    let stopped = stopped(Class::USER0, &mut participants);
    let bus = stopped.bus.clone();
    let (tell, told) = mpsc::channel();
    // In a thread of its own, so that one that waits fails here and does not hang.
    let sending = thread::spawn(move || {
        let sender = bus.sender();
        for number in 2..12 {
            let sent = sender.send(Class::USER1, b"on").expect("accepted");
            assert_eq!(sent.sequence(), Some(number));
        }
        tell.send(()).expect("the test waits");
    });
    told.recv_timeout(Duration::from_secs(10)).expect("a sender waits for one that is stopped");
    release(stopped);
    sending.join().expect("ends");
}

#[test]
fn g11_a_sleeper_behind_a_hole_hears_of_the_closer_whose_class_it_does_not_want() {
    let mut participants = Vec::new();
    let stopped = stopped(Class::USER0, &mut participants);
    let bus = stopped.bus.clone();
    // It wants only what stands behind the hole; the hole is of a class that it does not want.
    let mut late = bus.participant().mask(Class::USER1).register().expect("registers");
    let mut early = participants.pop().expect("one");
    early.set_mask(Class::USER1).expect("open");
    bus.send(Class::USER1, b"behind").expect("accepted").sequence().expect("wanted");
    assert_eq!(late.try_recv().expect("nothing in front of it").bytes(), b"behind");
    let (heard, hears) = mpsc::channel();
    let sleeper = thread::spawn(move || {
        let message = early.recv_timeout(Duration::from_secs(20)).expect("woken");
        heard.send(message.bytes().to_vec()).expect("the test waits");
    });
    // Gives the sleeper time to fall asleep in front of the hole.
    assert!(hears.recv_timeout(Duration::from_millis(200)).is_err());
    release(stopped);
    let message = hears.recv_timeout(Duration::from_secs(10)).expect("woken by the closer");
    assert_eq!(message, b"behind");
    sleeper.join().expect("ends");
}

#[test]
fn g11_a_sleeper_behind_a_hole_hears_of_the_closer_whose_messages_it_excludes() {
    let bus = Bus::new();
    let mut part =
        bus.participant().mask(Class::ALL).exclude_own(true).register().expect("registers");
    let own = part.sender();
    let (go, wait) = mpsc::channel();
    let sender = thread::spawn(move || {
        hooks::stop_next_send(wait);
        own.send(Class::USER0, b"its own").expect("accepted").sequence().expect("wanted");
    });
    while bus.sequence() < 2 {
        thread::yield_now();
    }
    bus.send(Class::USER1, b"behind").expect("accepted").sequence().expect("wanted");
    let (heard, hears) = mpsc::channel();
    let sleeper = thread::spawn(move || {
        let message = part.recv_timeout(Duration::from_secs(20)).expect("woken");
        heard.send(message.bytes().to_vec()).expect("the test waits");
    });
    assert!(hears.recv_timeout(Duration::from_millis(200)).is_err());
    go.send(()).expect("the sender waits");
    sender.join().expect("ends");
    let message = hears.recv_timeout(Duration::from_secs(5)).expect("woken by the closer");
    assert_eq!(message, b"behind");
    sleeper.join().expect("ends");
}

#[test]
fn g10_state_behind_a_hole_is_handed_over_when_it_closes() {
    let bus = Bus::builder().time_to_live(None).build().expect("inside the limits");
    let entry = bus.retain(Class::NETWORK).expect("retained");
    entry.send(b"old").expect("accepted").sequence().expect("retained counts as wanted");
    let (go, wait) = mpsc::channel();
    let other = bus.clone();
    let sender = thread::spawn(move || {
        hooks::stop_next_send(wait);
        other.send(Class::NETWORK, b"new").expect("accepted").sequence().expect("wanted");
    });
    while bus.sequence() < 3 {
        thread::yield_now();
    }
    let mut late = bus.register(Class::NETWORK).expect("registers");
    assert!(matches!(late.try_recv(), Err(RecvError::Empty)));
    go.send(()).expect("the sender waits");
    sender.join().expect("ends");
    let state = late.try_recv().expect("the state is known now");
    assert!(state.is_retained());
    assert_eq!(state.bytes(), b"new");
    assert!(matches!(late.try_recv(), Err(RecvError::Empty)));
}

#[test]
fn g7_a_look_in_progress_delivers_nothing_from_behind_the_departure() {
    let bus = Bus::new();
    let _other = bus.register(Class::ALL).expect("registers");
    let mut part = bus.register(Class::ALL).expect("registers");
    let (handle, sends) = (part.handle(), bus.clone());
    let (tell, told) = mpsc::channel();
    hooks::at_next(hooks::Place::Counted, move || {
        let from = handle.leave().expect("registered");
        let sequence = sends.send(Class::USER0, b"late").expect("accepted").sequence();
        tell.send((from, sequence)).expect("the test waits");
    });
    assert_eq!(part.try_recv().map(|message| message.sequence()), Err(RecvError::Left));
    let (from, sequence) = told.recv().expect("came there");
    assert_eq!(sequence, Some(from));
}

#[test]
fn g6_what_is_trimmed_during_a_look_is_not_dropped_twice() {
    const DEPTH: u64 = 50;
    let bus = Bus::builder().segment_bytes(4096).time_to_live(None).build().expect("inside");
    let register = |class, depth| {
        let lagging = bus.participant().mask(class).policy(crate::Policy::Lag).depth(depth);
        lagging.register().expect("registers")
    };
    let mut part = register(Class::USER0, DEPTH as u32);
    let _other = register(Class::USER1, 1);
    let send = |bus: &Bus, class, count: u64| {
        for _ in 0..count {
            bus.send(class, &[1; 300]).expect("accepted").sequence().expect("wanted");
        }
    };
    let sent = 500;
    send(&bus, Class::USER0, sent);
    let other = bus.clone();
    // All that was in the window is handed over, and so what is over the depth is trimmed.
    hooks::at_next(hooks::Place::Counted, move || send(&other, Class::USER1, 500));
    let (mut delivered, mut lost) = (0, 0);
    loop {
        match part.try_recv() {
            Ok(_) => delivered += 1,
            Err(RecvError::Lagged(lag)) => lost += lag.count,
            Err(_) => break,
        }
    }
    assert_eq!((delivered, delivered + lost), (DEPTH, sent), "only what was over the depth");
}

/// State that had to wait for a hole was once told to nobody who sleeps in an event loop: the closer
/// of the hole is of a class that the callback does not want.
#[test]
fn g10_state_behind_a_hole_comes_to_a_callback_that_sleeps() {
    let mut participants = Vec::new();
    let stopped = stopped(Class::USER0, &mut participants);
    let bus = stopped.bus.clone();
    let entry = bus.retain(Class::NETWORK).expect("retained");
    entry.send(b"state").expect("accepted").sequence().expect("retained counts as wanted");
    let mut events = EventLoop::new(&bus);
    let (heard, hears) = mpsc::channel();
    events
        .add(bus.participant().mask(Class::NETWORK), move |event, context| {
            let Event::Message(message) = event else { panic!("nothing was lost") };
            heard.send((message.is_retained(), message.bytes().to_vec())).expect("the test waits");
            context.leave();
        })
        .expect("registers");
    let serving = thread::spawn(move || events.turn_timeout(Some(Duration::from_secs(20))));
    // Gives the loop time to fall asleep in front of the hole.
    assert!(hears.recv_timeout(Duration::from_millis(200)).is_err());
    release(stopped);
    let message = hears.recv_timeout(Duration::from_secs(10)).expect("woken by the closer");
    assert_eq!(message, (true, b"state".to_vec()));
    assert_eq!(serving.join().expect("ends"), Ok(1));
}

/// A registration at the cap installs a segment by force; senders once went on in it, and so beyond
/// the cap, for as long as somebody registered.
#[test]
fn g5_registrations_at_the_cap_let_no_sender_past_it() {
    let mut participants = Vec::new();
    let stopped = stopped(Class::USER0, &mut participants);
    let bus = &stopped.bus;
    let sender = bus.sender();
    let stalled = Err(SendError::Full(FullReason::Stalled));
    let mut accepted = 1;
    while bus.send(Class::USER1, &[7; 300]) != stalled {
        accepted += 1;
        assert!(accepted < 10_000, "the cap never came");
    }
    for _ in 0..if cfg!(miri) { 2 } else { 50 } {
        let mut late = bus.register(Class::USER1).expect("a registration is never refused as full");
        assert_eq!(bus.send(Class::USER1, &[7; 300]), stalled);
        assert_eq!(sender.send(Class::USER1, b"short"), stalled);
        assert_eq!(bus.sender().send(Class::USER1, b"one that has never sent"), stalled);
        late.set_mask(Class::USER2).expect("nor is a change");
        assert_eq!(sender.send(Class::USER2, b"x"), stalled);
        assert!(matches!(late.try_recv(), Err(RecvError::Empty)));
        // One more than the cap: the one that the first registration needed.
        assert!(bus.stats().segments_live <= CAP as u64 + 1);
        late.leave();
    }
    assert_eq!(bus.sequence(), accepted + 1);
    let bus = release(stopped);
    assert_eq!(bus.send(Class::USER1, b"on").expect("goes on").sequence(), Some(accepted + 1));
    let mut count = 0;
    while participants[0].drain(|_| count += 1).expect("open") > 0 {}
    assert_eq!(count, accepted + 1);
}

/// Where one participant had no room for a segment, the others were handed it again at the next try:
/// what waited for them was counted twice, and lost twice.
#[test]
#[cfg_attr(miri, ignore = "a long walk of one thread; tests/small.rs goes the same ways")]
fn g1_a_segment_handed_over_again_comes_once() {
    for rare in [false, true] {
        let bus = Bus::builder().segment_bytes(4096).max_segments(CAP).time_to_live(None).build();
        let bus = bus.expect("inside the limits");
        let join = |name: &str, mask| {
            let part = bus.participant().name(name).mask(mask).depth(100_000);
            part.register().expect("registers")
        };
        // In the order of the registrations: one before and one behind the one without room. Of a
        // rare class segments are handed over as copies, else as references.
        let mask = if rare { Class::USER1 } else { Class::ALL };
        let mut others = [join("before", mask), join("full", Class::ALL), join("behind", mask)];
        let lags = bus.participant().mask(mask).policy(Policy::Lag).depth(100);
        let mut lags = lags.register().expect("registers");
        let send = |n: u64| {
            let class = if n.is_multiple_of(10) { Class::USER1 } else { Class::USER0 };
            bus.send(class, &[1; 60])
        };
        let mut sent = 0;
        while sent < 300 {
            assert!(send(sent).expect("room").is_queued());
            sent += 1;
        }
        hooks::give_no_room_to(Some("full"));
        while send(sent).is_ok() {
            sent += 1;
        }
        // Each of these tries to hand over the same segment again.
        for _ in 0..5 {
            assert_eq!(send(sent), Err(SendError::Full(FullReason::Stalled)));
        }
        hooks::give_no_room_to(None);
        for _ in 0..300 {
            assert!(send(sent).expect("room again").is_queued());
            sent += 1;
        }
        let step = if rare { 10 } else { 1 };
        let wanted = sent.div_ceil(step);
        let (mut received, mut lost) = (0, 0);
        loop {
            match lags.drain(|_| received += 1) {
                Ok(0) => break,
                Ok(_) => {}
                Err(RecvError::Lagged(lag)) => lost += lag.count,
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!((received, received + lost), (wanted.min(100), wanted));
        for other in &mut others {
            let step = if other.name() == "full" { 1 } else { step };
            assert_eq!(other.stats().depth_now, sent.div_ceil(step), "{}", other.name());
            let mut next = 1;
            while other
                .drain(|message| {
                    assert_eq!(message.sequence(), next, "each once, in order");
                    next += step;
                })
                .expect("nothing is lost")
                > 0
            {}
            assert!(next > sent, "{}: up to {next} of {sent}", other.name());
        }
    }
}

/// Counting up to a number that the participant has passed once went below zero.
#[test]
#[cfg_attr(miri, ignore = "a long walk of one thread; tests/small.rs goes the same ways")]
fn g5_a_backlog_below_where_its_participant_is_counts_as_nothing() {
    let bus = Bus::builder().segment_bytes(4096).time_to_live(None).build().expect("the limits");
    let mut part =
        bus.participant().mask(Class::USER0).policy(Policy::Lag).depth(500).register().expect("in");
    for _ in 0..200 {
        bus.send(Class::USER0, &[1; 100]).expect("accepted").sequence().expect("wanted");
    }
    let log = &bus.core().log;
    for received in 0..=200_u64 {
        for until in [0, 1, received, received + 1, 200, 201] {
            let exact = u64::saturating_sub(until, received + 1);
            assert_eq!(
                log.backlog(&part.record, until, 0, Unpublished::Wanted),
                exact,
                "{received}, {until}"
            );
        }
        assert_eq!(part.try_recv().is_ok(), received < 200);
    }
}

/// Does something once when it is woken, and tells when it is dropped while this thread may not run
/// user code.
struct Watched {
    once: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Watched {
    fn waker(once: impl FnOnce() + Send + 'static) -> (Arc<Watched>, Waker) {
        let watched = Arc::new(Watched { once: Mutex::new(Some(Box::new(once))) });
        (watched.clone(), Waker::from(watched))
    }
}

impl Wake for Watched {
    fn wake(self: Arc<Self>) {
        let once = self.once.lock().expect("no panic").take();
        if let Some(once) = once {
            once();
        }
    }
}

/// What wakes a participant was once dropped with its record, inside the collection of an epoch.
#[test]
fn g3_a_waker_is_dropped_with_its_participant_and_not_with_an_epoch() {
    let bus = Bus::new();
    let mut part = bus.register(Class::USER0).expect("registers");
    let (watched, waker) = Watched::waker(|| ());
    // While this guard lives, nothing that waits for an epoch is freed.
    let guard = bus.core().domain().pin();
    assert!(pin!(part.recv()).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    assert!(Arc::strong_count(&watched) > 1, "the participant has it");
    drop(part);
    assert_eq!(Arc::strong_count(&watched), 1, "a participant that goes");

    let mut full = bus.participant().mask(Class::USER0).depth(1).register().expect("registers");
    bus.send(Class::USER0, b"1").expect("accepted").sequence().expect("wanted");
    let mut sender = bus.sender();
    let (watched, waker) = Watched::waker(|| ());
    {
        let mut send = pin!(sender.send_async(Class::USER0, b"2"));
        assert!(send.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        assert!(Arc::strong_count(&watched) > 1, "the send has it");
        assert!(full.try_recv().is_ok());
    }
    assert_eq!(Arc::strong_count(&watched), 1, "a send that is given up");
    drop(guard);
}

/// The same where the wake-up itself drops what waited: the waker is in use then, and is not put back
/// to where only an epoch would drop it.
#[test]
fn g3_a_waker_that_drops_what_it_wakes_is_not_left_to_an_epoch() {
    let bus = Bus::new();
    let slot: Arc<Mutex<Option<Participant>>> = Arc::default();
    let taken = slot.clone();
    let (watched, waker) = Watched::waker(move || drop(taken.lock().expect("no panic").take()));
    let mut part = bus.register(Class::USER0).expect("registers");
    let guard = bus.core().domain().pin();
    // Never dropped: it goes on waiting.
    let mut wait = std::mem::ManuallyDrop::new(part.recv());
    assert!(pin!(&mut *wait).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    *slot.lock().expect("no panic") = Some(part);
    bus.send(Class::USER0, b"wakes it").expect("accepted").sequence().expect("wanted");
    assert!(slot.lock().expect("no panic").is_none(), "it was dropped inside the wake-up");
    assert_eq!(Arc::strong_count(&watched), 1);
    drop(guard);
}

#[test]
fn g5_state_that_was_given_up_again_keeps_no_memory() {
    let bus = Bus::new();
    let entry = bus.retain(Class::NETWORK).expect("retained");
    entry.send(b"up").expect("accepted").sequence().expect("retained counts as wanted");
    let mut part = bus.register(Class::METRICS).expect("registers");
    for _ in 0..100 {
        part.set_mask(Class::NETWORK).expect("open");
        part.set_mask(Class::METRICS).expect("open");
    }
    assert_eq!(part.replays(), 0, "for nobody");
    part.set_mask(Class::NETWORK).expect("open");
    assert!(part.try_recv().expect("the state").is_retained());
}

#[test]
fn g3_a_dump_is_written_unpinned() {
    use std::fmt::Write;
    struct Watches(Bus, usize);
    impl Write for Watches {
        fn write_str(&mut self, _: &str) -> std::fmt::Result {
            self.1 += 1;
            assert!(!self.0.core().domain().is_pinned(), "user code under a pin");
            Ok(())
        }
    }
    let bus = Bus::new();
    let _part = bus.register(Class::ALL).expect("registers");
    let mut watches = Watches(bus.clone(), 0);
    write!(watches, "{}", bus.dump()).expect("it writes");
    assert!(watches.1 > 0, "nothing was written");
}

/// A bus with a participant of class USER0 and depth 1, and one of class USER1.
fn narrow() -> (Bus, Participant, Participant) {
    let bus = Bus::builder().time_to_live(None).build().expect("inside the limits");
    let narrow = bus.participant().mask(Class::USER0).depth(1).register().expect("registers");
    let other = bus.register(Class::USER1).expect("registers");
    (bus, narrow, other)
}

/// A thread that is stopped in a send of `class`, the first of its bus; what is returned lets it go on.
fn stop_a_send(bus: &Bus, class: Class) -> impl FnOnce() {
    let (go, wait) = mpsc::channel();
    let sends = bus.clone();
    let sender = thread::spawn(move || {
        hooks::stop_next_send(wait);
        sends.send(class, b"stopped").expect("accepted").sequence().expect("wanted");
    });
    while bus.sequence() < 2 {
        thread::yield_now();
    }
    move || {
        go.send(()).expect("the sender waits");
        sender.join().expect("ends");
    }
}

/// A thread that sends one message of class USER0 when there is room, and tells; asleep when this
/// returns.
fn waits_for_room(bus: &Bus) -> (thread::JoinHandle<()>, mpsc::Receiver<()>) {
    let (tell, told) = mpsc::channel();
    let sender = bus.sender();
    let waiting = thread::spawn(move || {
        let sent = sender.send_wait(Class::USER0, b"waits", Some(Duration::from_secs(20)));
        sent.expect("there is room").sequence().expect("wanted");
        tell.send(()).expect("the test waits");
    });
    assert!(told.recv_timeout(Duration::from_millis(200)).is_err(), "there is no room yet");
    (waiting, told)
}

/// A message that is not published yet counts as wanted by everybody, and so may fill a backlog. When
/// it turned out to be of another class, the sender that waited for room was told by nobody.
#[test]
fn g6_a_sender_that_waits_hears_of_what_turns_out_not_to_stand_in_its_way() {
    let (bus, mut narrow, _other) = narrow();
    let go_on = stop_a_send(&bus, Class::USER1);
    let (waiting, told) = waits_for_room(&bus);
    // Somebody who calms the word of the sleepers forgets nobody who waits for room.
    let core = bus.core();
    core.waiters.calm(&core.registry, &core.room, core.domain());
    go_on();
    told.recv_timeout(Duration::from_secs(10)).expect("told by who published");
    waiting.join().expect("ends");
    assert_eq!(narrow.try_recv().expect("sent").bytes(), b"waits");
}

#[test]
fn g6_a_task_that_waits_hears_of_what_turns_out_not_to_stand_in_its_way() {
    let (bus, mut narrow, _other) = narrow();
    let go_on = stop_a_send(&bus, Class::USER1);
    let (tell, told) = mpsc::channel();
    let (_watched, waker) = Watched::waker(move || tell.send(()).expect("the test waits"));
    let mut context = Context::from_waker(&waker);
    let mut own = bus.sender();
    let mut send = pin!(own.send_async(Class::USER0, b"waits"));
    assert!(send.as_mut().poll(&mut context).is_pending());
    go_on();
    told.recv_timeout(Duration::from_secs(10)).expect("woken by who published");
    assert!(send.as_mut().poll(&mut context).is_ready());
    assert_eq!(narrow.try_recv().expect("sent").bytes(), b"waits");
}

/// Until its N was known, a registration counted what came before it; the sender that this refused was
/// told by nobody that it did not count.
#[test]
fn g6_a_sender_that_waits_hears_of_the_end_of_a_registration() {
    let bus = Bus::builder().time_to_live(None).build().expect("inside the limits");
    let _other = bus.register(Class::USER0).expect("registers");
    let sends = bus.clone();
    let (hand, handed) = mpsc::channel();
    hooks::at_next(hooks::Place::Registered, move || {
        sends.send(Class::USER0, b"before N").expect("accepted").sequence().expect("wanted");
        hand.send(waits_for_room(&sends)).expect("the test waits");
    });
    let mut late = bus.participant().mask(Class::USER0).depth(1).register().expect("registers");
    let (waiting, told) = handed.recv().expect("came there");
    told.recv_timeout(Duration::from_secs(10)).expect("told by who registered");
    waiting.join().expect("ends");
    assert_eq!(late.try_recv().expect("sent").bytes(), b"waits");
}

/// The place of a registration did not hold, since the window ran away under it, and it was handed over
/// to until it looked for another N. What was trimmed of that was told as lost, though it came before N.
#[test]
fn g6_nothing_is_told_as_lost_that_came_before_a_registration() {
    let builder = Bus::builder().segment_bytes(4096).max_segments(64).time_to_live(None);
    let bus = builder.build().expect("inside the limits");
    // More than the window of some segments holds, ten to a segment.
    let send = |bus: &Bus| {
        for _ in 0..200 {
            bus.send(Class::USER0, &[1; 300]).expect("accepted").sequence().expect("wanted");
        }
    };
    let (first, again) = (bus.clone(), bus.clone());
    let (tell, told) = mpsc::channel();
    hooks::at_next(hooks::Place::Touched, move || {
        send(&first);
        hooks::at_next(hooks::Place::Retrying, move || {
            send(&again);
            tell.send(()).expect("the test waits");
        });
    });
    let lagging = bus.participant().mask(Class::USER0).policy(crate::Policy::Lag).depth(1);
    let mut part = lagging.register().expect("registers");
    assert_eq!(told.try_recv(), Ok(()), "the window has run away");
    assert_eq!(part.since(), 401);
    send(&bus);
    let (mut delivered, mut lost) = (0, 0);
    loop {
        match part.try_recv() {
            Ok(_) => delivered += 1,
            Err(RecvError::Lagged(lag)) => {
                assert!(lag.first >= part.since(), "{lag:?} is not what it was to get");
                lost += lag.count;
            }
            Err(RecvError::Empty) => break,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!((delivered, lost), (1, 199));
}

/// Single messages that few want, each in front of many others.
fn send_sparsely(bus: &Bus, groups: usize, others: usize) {
    for _ in 0..groups {
        bus.send(Class::USER1, b"rare").expect("accepted").sequence().expect("wanted");
        for _ in 0..others {
            bus.send(Class::USER0, &[1; 300]).expect("accepted").sequence().expect("wanted");
        }
    }
}

/// A bus of small segments, somebody who wants most of what is sent, and one who wants little of it.
fn sparse() -> (Bus, [Participant; 2]) {
    let bus = Bus::builder().segment_bytes(4096).time_to_live(None).build().expect("inside");
    let lagging = |class| {
        let lagging = bus.participant().mask(class).policy(Policy::Lag).depth(1);
        lagging.register().expect("registers")
    };
    let both = [lagging(Class::USER0), lagging(Class::USER1)];
    (bus, both)
}

fn nodes(participant: &Participant) -> usize {
    participant.record.spill.range().count()
}

/// Runs `step` when this thread has handed something over to the participant, and `low` has not moved.
fn when_handed(participant: Arc<Mutex<Participant>>, step: impl FnOnce() + 'static) {
    hooks::at_next(hooks::Place::HandedOver, move || {
        let handed = nodes(&participant.lock().expect("one thread")) > 0;
        if handed { step() } else { when_handed(participant, step) }
    });
}

/// A copy was made for a participant that came through the segment by the window meanwhile. What was copied
/// later went into the same chunk, and the chunk could never be trimmed, nor anything behind it.
#[test]
fn g5_a_chunk_that_was_passed_keeps_nothing() {
    // Miri takes its time for each.
    const MORE: u64 = if cfg!(miri) { 40 } else { 400 };
    let (bus, [_most, little]) = sparse();
    let little = Arc::new(Mutex::new(little));
    for _ in 0..15 {
        bus.send(Class::USER0, &[1; 300]).expect("accepted").sequence().expect("wanted");
    }
    let passing = little.clone();
    when_handed(little.clone(), move || {
        let mut passing = passing.lock().expect("one thread");
        assert_eq!(passing.try_recv().expect("one").bytes(), b"rare");
        assert!(matches!(passing.try_recv(), Err(RecvError::Empty)), "at the tail");
    });
    send_sparsely(&bus, 1, 100);
    assert_eq!(bus.stats().delivered, 1, "it came through while that was handed over");
    send_sparsely(&bus, MORE as usize, 20);
    let mut little = little.lock().expect("one thread");
    assert!(nodes(&little) <= 3, "{} nodes are kept of a backlog of one", nodes(&little));
    let lag = RecvError::Lagged(crate::Lag {
        count: MORE - 1,
        classes: Class::USER1,
        first: 117,
        last: 117 + (MORE - 2) * 21,
        reason: crate::LagReason::Overflow,
    });
    assert_eq!(little.try_recv().map(|_| ()), Err(lag));
    assert_eq!(little.try_recv().expect("the last").sequence(), 117 + (MORE - 1) * 21);
}

/// The participant comes to the end of a chunk while a copy is appended, and looks on when `low` has moved.
#[test]
fn g1_a_copy_at_the_end_of_a_chunk_that_is_closed_just_then_comes() {
    let (bus, [_most, _]) = sparse();
    let mut part = bus.participant().mask(Class::USER1).depth(100).register().expect("registers");
    for _ in 0..15 {
        bus.send(Class::USER0, &[1; 300]).expect("accepted").sequence().expect("wanted");
    }
    send_sparsely(&bus, 1, 100);
    assert_eq!(nodes(&part), 1, "the first is a copy");
    let [(begin, begun), (close, closed), (go, gone)] = [(); 3].map(|()| mpsc::channel());
    let reading = thread::spawn(move || {
        hooks::at_next(hooks::Place::ChunkClosed, move || {
            close.send(()).expect("the retirer waits");
            gone.recv().expect("the test tells");
        });
        begun.recv().expect("the retirer tells");
        (0..2).map(|_| part.try_recv().map(|message| message.sequence())).collect::<Vec<_>>()
    });
    hooks::at_next(hooks::Place::Appending, move || {
        begin.send(()).expect("the reader waits");
        closed.recv().expect("it comes to the end");
    });
    send_sparsely(&bus, 1, 100);
    go.send(()).expect("the reader waits");
    assert_eq!(reading.join().expect("ends"), [Ok(16), Ok(117)], "each wanted message comes");
}

/// What a registration was handed over, whose place did not hold, once stayed until it received.
#[test]
fn g5_a_registration_keeps_nothing_from_before_it() {
    let (bus, _others) = sparse();
    let (first, again) = (bus.clone(), bus.clone());
    hooks::at_next(hooks::Place::Touched, move || {
        send_sparsely(&first, 1, 100);
        hooks::at_next(hooks::Place::Retrying, move || send_sparsely(&again, 20, 100));
    });
    let lagging = bus.participant().mask(Class::USER1).policy(Policy::Lag).depth(1);
    let late = lagging.register().expect("registers");
    assert_eq!(late.since(), 101 + 20 * 101 + 1, "the window has run away");
    assert_eq!(nodes(&late), 0, "nodes are kept from before it");
}

/// Who was stopped in its departure owes nothing any more, and refuses nobody.
#[test]
fn g7_a_departure_in_progress_refuses_no_sender() {
    let bus = Bus::builder().time_to_live(None).build().expect("inside the limits");
    let _other = bus.register(Class::USER0).expect("registers");
    let full = bus.participant().mask(Class::USER0).depth(1).register().expect("registers");
    bus.send(Class::USER0, b"fills it").expect("accepted").sequence().expect("wanted");
    let sends = bus.clone();
    let (tell, told) = mpsc::channel();
    let refused = bus.send(Class::USER0, b"too much").map(|_| ());
    assert_eq!(refused, Err(SendError::Full(FullReason::Backlog)));
    hooks::at_next(hooks::Place::Leaving, move || {
        tell.send(sends.send(Class::USER0, b"goes").map(|_| ())).expect("the test waits");
    });
    full.leave();
    assert_eq!(told.try_recv(), Ok(Ok(())));
}

/// State that waits for a hole in front of it, and a message behind it that does not: every form but
/// `try_recv` once looked for it without an end.
#[test]
fn g11_a_message_behind_state_that_is_not_known_yet_keeps_nobody_busy() {
    let mut participants = Vec::new();
    let stopped = stopped(Class::USER0, &mut participants);
    let entry = stopped.bus.retain(Class::NETWORK).expect("retained");
    entry.send(b"state").expect("accepted").sequence().expect("retained counts as wanted");
    let mut late = stopped.bus.register(Class::NETWORK).expect("registers");
    stopped.bus.send(Class::NETWORK, b"live").expect("accepted").sequence().expect("wanted");
    let (tell, told) = mpsc::channel();
    let polling = thread::spawn(move || {
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(late.recv()).poll(&mut context).is_pending());
        tell.send(None).expect("the test waits");
        for _ in 0..2 {
            let message = late.recv_timeout(Duration::from_secs(20)).expect("woken");
            let message = (message.is_retained(), message.bytes().to_vec());
            tell.send(Some(message)).expect("the test waits");
        }
    });
    let hears = |time| told.recv_timeout(Duration::from_millis(time));
    assert_eq!(hears(10_000), Ok(None), "a poll ends");
    assert!(hears(200).is_err(), "nothing comes before the state");
    release(stopped);
    assert_eq!(hears(10_000), Ok(Some((true, b"state".to_vec()))));
    assert_eq!(hears(10_000), Ok(Some((false, b"live".to_vec()))));
    polling.join().expect("ends");
}

/// A loop of which one callback was at the end of a closed bus looked at it again and again while
/// another's hole stayed open.
#[test]
#[cfg(unix)]
#[cfg_attr(miri, ignore = "Miri has no clock of a thread's processor time")]
fn g11_a_callback_at_the_end_keeps_no_loop_busy() {
    use rustix::time::{ClockId, clock_gettime};
    let bus = Bus::new();
    let _other = bus.register(Class::USER1).expect("registers");
    let mut events = EventLoop::new(&bus);
    let add = |events: &mut EventLoop| {
        let registration = bus.participant().mask(Class::USER0);
        events.add(registration, |_, _| panic!("nothing comes for it")).expect("registers");
    };
    add(&mut events);
    let go_on = stop_a_send(&bus, Class::USER1);
    // This one begins behind the hole.
    add(&mut events);
    bus.close();
    let cpu = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let before = cpu();
    assert_eq!(events.turn_timeout(Some(Duration::from_millis(300))), Ok(0));
    let used = cpu() - before;
    assert!(used < Duration::from_millis(100), "{used:?} of 300 ms");
    go_on();
    assert_eq!(events.turn_timeout(None), Err(LoopError::Closed));
}

/// After 2^32 entries their numbers come again; 0 once stood for an entry and for none.
#[test]
fn g10_numbers_of_entries_come_again_and_never_twice_at_once() {
    let bus = Bus::new();
    let first = bus.retain_key(Class::NETWORK, b"first").expect("retained");
    let table = &bus.core().retained;
    table.skip_to(u32::MAX);
    let keys: [&[u8]; 3] = [b"a", b"b", b"c"];
    let entries = keys.map(|key| bus.retain_key(Class::NETWORK, key).expect("retained"));
    for (entry, key) in entries.iter().zip(keys).chain([(&first, b"first".as_slice())]) {
        entry.send(key).expect("accepted").sequence().expect("wanted");
    }
    let mut late = bus.register(Class::NETWORK).expect("registers");
    for key in [b"a".as_slice(), b"b", b"c", b"first"] {
        assert_eq!(late.try_recv().expect("its state").bytes(), key);
    }
    assert!(matches!(late.try_recv(), Err(RecvError::Empty)));
}

/// A batch is looked at for one segment at a time.
#[test]
fn g2_a_batch_of_more_than_a_segment_comes_whole() {
    let bus = Bus::builder().segment_bytes(4096).time_to_live(None).build().expect("the limits");
    let mut part = bus.register(Class::USER0).expect("registers");
    let batch = vec![crate::Outgoing::new(Class::USER0, b""); 3000];
    let sent = bus.sender().send_batch(&batch).expect("there is room");
    assert_eq!((sent.first, sent.queued, sent.unwanted), (Some(1), 3000, 0));
    let mut count = 0;
    while part.drain(|_| count += 1).expect("open") > 0 {}
    assert_eq!(count, 3000);
}

/// Of many senders that wait each is told of room once; those in front are not told again and again.
#[test]
fn g6_of_many_senders_that_wait_each_gets_room() {
    // Miri takes seconds for each of them.
    const SENDERS: usize = if cfg!(miri) { 4 } else { 20 };
    const TIME: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 20 });
    let (bus, mut narrow, _other) = narrow();
    bus.send(Class::USER0, b"first").expect("accepted").sequence().expect("wanted");
    let waiting: Vec<_> = (0..SENDERS)
        .map(|_| {
            let sender = bus.sender();
            thread::spawn(move || sender.send_wait(Class::USER0, b"waits", Some(TIME)))
        })
        .collect();
    for _ in 0..=SENDERS {
        narrow.recv_timeout(TIME).expect("somebody got room");
    }
    for sender in waiting {
        sender.join().expect("no panic").expect("there was room").sequence().expect("wanted");
    }
}
