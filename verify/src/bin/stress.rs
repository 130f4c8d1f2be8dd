//! Everything at once, on real threads, for as long as asked: `stress [--seconds N] [--seed S]`.
//!
//! One bus after the other lives for a moment. Threads send in every form, register, leave, change
//! masks, receive in every form, keep, retain, sleep until far behind, and close. A witness that
//! wants everything writes down what was accepted; then each participant's notes are judged by it:
//! every message that it wanted was delivered, or named in a report, or settled, and only one of
//! these (G1), in order, at one time, whole. Who sleeps must be woken: a run that stands still
//! fails. So does one that never came to the rare states that it is there for.
//!
//! A seed repeats the decisions, not the interleaving.

#[cfg(any(smd_loom, smd_shuttle))]
fn main() {
    eprintln!("stress runs on real threads, not in a model");
    std::process::exit(2);
}

#[cfg(not(any(smd_loom, smd_shuttle)))]
fn main() {
    run::main();
}

#[cfg(not(any(smd_loom, smd_shuttle)))]
mod run {
    use smd_lockfree::{
        Bus, BusStats, Class, Event as Served, EventLoop, FullReason, Kept, Lag, LagReason,
        MaskError, Message, Outgoing, Participant, Policy, RecvError, Retained, SendError, Sender,
        Sent,
    };
    use std::collections::{HashMap, VecDeque};
    use std::fmt::Write as _;
    use std::pin::pin;
    use std::process::exit;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
    use std::sync::{Arc, Barrier};
    use std::task::{Context, Poll, Wake, Waker};
    use std::thread::{Thread, park_timeout, sleep, spawn, yield_now};
    use std::time::{Duration, Instant};

    /// How long one bus is sent to.
    const ROUND: Duration = Duration::from_millis(600);
    /// A run in which nothing is received or sent for so long hangs.
    const PATIENCE: Duration = Duration::from_secs(90);
    /// Payloads are this long at least: then a segment of 4 KiB has at most `PER_SEGMENT` messages.
    const SHORTEST: usize = 112;
    const PER_SEGMENT: u64 = 32;
    /// More nodes than this has the ring of no participant of depth 50 (the next power of two above
    /// 8 times the segments of its backlog and 32): who slept through more segments was trimmed.
    const RING: u64 = 128;

    /// The classes of the witness: four common ones, a rare one, a retained one.
    const COMMON: Class = Class::from_bits(0b1111 << 24);
    const RARE: Class = Class::USER4;
    const STATE: Class = Class::USER5;
    const ALL: Class = Class::from_bits(0b11_1111 << 24);
    /// Wanted by nobody.
    const UNWANTED: Class = Class::USER7;

    macro_rules! tally {
        ($($(#[$hard:ident])? $name:ident: $text:literal,)*) => {
            /// What happened, over all rounds.
            #[derive(Default)]
            struct Tally { $($name: AtomicU64,)* }

            impl Tally {
                fn print(&self) {
                    $(println!("  {:>12}  {}", self.$name.load(SeqCst), $text);)*
                }

                /// The states that a run must reach and this one did not.
                fn missed(&self) -> Vec<&'static str> {
                    let mut missed = Vec::new();
                    $($(if stringify!($hard) == "hard" && self.$name.load(SeqCst) == 0 {
                        missed.push($text);
                    })?)*
                    missed
                }
            }
        };
    }

    tally! {
        #[hard] rounds: "buses opened, closed and judged",
        unjudged: "buses whose witness lost something, judged in part",
        #[hard] sent: "messages accepted",
        #[hard] batches: "batches sent",
        #[hard] drafts: "drafts sent",
        #[hard] unwanted: "sends that nobody wanted",
        #[hard] full: "sends refused because a backlog was full",
        stalled: "sends refused because the bus was stalled",
        #[hard] waited: "blocking sends that waited for room and got it",
        #[hard] waited_async: "async sends that waited for room and got it",
        #[hard] delivered: "messages delivered",
        #[hard] sessions: "registrations that ended before the bus",
        #[hard] masks: "masks changed",
        #[hard] masks_refused: "mask changes refused by a close",
        #[hard] overflow: "reports of overflow",
        #[hard] expired: "reports of expiry",
        #[hard] states: "retained messages handed over and judged",
        #[hard] cleared: "retained entries given up",
        #[hard] references: "messages read from segments handed over by reference",
        #[hard] copies: "messages read from segments handed over as copies",
        #[hard] trimmed: "reports of losses that only trimming explains",
        #[hard] woken: "sleepers woken",
        #[hard] cancelled: "async receives dropped while they waited",
        #[hard] outlived: "kept messages read after their bus was gone",
        #[hard] served: "messages served by an event loop",
        #[hard] closed: "buses closed by their last handle",
    }

    fn count(figure: &AtomicU64, more: u64) {
        figure.fetch_add(more, SeqCst);
    }

    /// A generator of its own for each thread.
    struct Dice(u64);

    impl Dice {
        fn new(seed: u64, thread: u64) -> Dice {
            // One step of splitmix64: neighbours become strangers, and never 0.
            let mut x = seed.wrapping_add(thread.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            x = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
            Dice((x ^ x >> 31) | 1)
        }

        fn below(&mut self, limit: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) % limit
        }

        fn one_in(&mut self, chances: u64) -> bool {
            self.below(chances) == 0
        }

        fn class(&mut self) -> Class {
            if self.one_in(40) {
                return RARE;
            }
            let one = Class::from_bits(1 << (24 + self.below(4)));
            let two = Class::from_bits(1 << (24 + self.below(4)));
            if self.one_in(4) { one | two } else { one }
        }

        fn mask(&mut self) -> Class {
            Class::from_bits((self.below(63) as u32 + 1) << 24)
        }
    }

    /// What a payload says: whose own sender sent it (0: nobody's), which stream of sends it belongs
    /// to, and as the how many-th of these.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    struct Mark {
        owner: u64,
        stream: u64,
        count: u64,
    }

    impl Mark {
        fn text(self, dice: &mut Dice) -> String {
            let len = SHORTEST + if dice.one_in(2) { 0 } else { dice.below(272) as usize };
            let fill = char::from(b'a' + (self.count % 26) as u8);
            let mut text = format!("{:016x}{:016x}{:016x}", self.owner, self.stream, self.count);
            text.extend(std::iter::repeat_n(fill, len - text.len()));
            text
        }

        /// Reads a payload, all of it.
        fn read(payload: &[u8]) -> Mark {
            let text = std::str::from_utf8(payload).expect("a payload was torn");
            let word = |at: usize| u64::from_str_radix(&text[at..at + 16], 16).expect("torn");
            let mark = Mark { owner: word(0), stream: word(16), count: word(32) };
            let fill = b'a' + (mark.count % 26) as u8;
            assert!(payload[48..].iter().all(|byte| *byte == fill), "a payload was torn: {text}");
            mark
        }
    }

    /// A message as somebody saw it.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    struct Seen {
        number: u64,
        class: Class,
        nanos: u64,
        mark: Mark,
    }

    impl Seen {
        fn of(message: &Message<'_>) -> Seen {
            Seen {
                number: message.sequence(),
                class: message.class(),
                nanos: message.timestamp().nanos(),
                mark: Mark::read(message),
            }
        }
    }

    #[derive(Debug)]
    enum Event {
        Got(Seen),
        State(Seen),
        Lost(Lag),
        Masked(u64, Class),
    }

    /// One participant from its registration to its end, as it wrote it down.
    #[derive(Debug)]
    struct Session {
        id: u64,
        since: u64,
        mask: Class,
        excludes: bool,
        retained: bool,
        events: Vec<Event>,
        /// It left from this number on; `None`: it drained to the close.
        left: Option<u64>,
    }

    /// What all threads of a round share.
    struct World {
        bus: Bus,
        tally: Arc<Tally>,
        progress: Arc<AtomicU64>,
        ids: AtomicU64,
        /// The highest N of a registration that has returned.
        registered: AtomicU64,
        done: AtomicBool,
        /// All that register for the whole round have done so. Beside other programs, a thread may
        /// begin later than a round is long, and find the bus closed.
        ready: Barrier,
        expires: bool,
        state: Retained,
    }

    /// Who registers for the whole round, and who closes its bus.
    const STAYERS: usize = 6;
    const READY: usize = STAYERS + 2;

    impl World {
        fn is_done(&self) -> bool {
            self.done.load(SeqCst)
        }

        /// Registers, and lets the round begin when all others have, too.
        fn join_to_stay(&self, choices: Choices) -> (Participant, Session) {
            let joined = self.join(choices);
            self.ready.wait();
            joined
        }

        fn id(&self) -> u64 {
            self.ids.fetch_add(1, SeqCst) + 1
        }

        fn join(&self, choices: Choices) -> (Participant, Session) {
            let Choices { mask, policy, depth, excludes, retained } = choices;
            let registration = self.bus.participant().mask(mask).policy(policy).depth(depth);
            let registration = registration.exclude_own(excludes).retained(retained);
            let participant = registration.register().expect("inside the limits, and open");
            let since = participant.since();
            self.registered.fetch_max(since, SeqCst);
            let events = Vec::new();
            let id = self.id();
            let session = Session { id, since, mask, excludes, retained, events, left: None };
            (participant, session)
        }

        /// A message was received, or a loss told of.
        fn note(&self, session: &mut Session, message: &Message<'_>) {
            let seen = Seen::of(message);
            count(&self.progress, 1);
            count(&self.tally.delivered, 1);
            session.events.push(if message.is_retained() {
                Event::State(seen)
            } else {
                Event::Got(seen)
            });
        }

        fn note_loss(&self, session: &mut Session, lag: Lag) {
            count(
                match lag.reason {
                    LagReason::Expired => &self.tally.expired,
                    _ => &self.tally.overflow,
                },
                1,
            );
            session.events.push(Event::Lost(lag));
        }

        /// Notes what a receive gave; `true`: the bus is closed and drained.
        fn take(&self, session: &mut Session, outcome: Result<Message<'_>, RecvError>) -> bool {
            match outcome {
                Ok(message) => self.note(session, &message),
                Err(RecvError::Lagged(lag)) => self.note_loss(session, lag),
                Err(RecvError::Empty | RecvError::Timeout) => {}
                Err(RecvError::Closed) => return true,
                Err(error) => panic!("{error:?}"),
            }
            false
        }
    }

    #[derive(Clone, Copy)]
    struct Choices {
        mask: Class,
        policy: Policy,
        depth: u32,
        excludes: bool,
        retained: bool,
    }

    impl Choices {
        fn plain(mask: Class, policy: Policy, depth: u32) -> Choices {
            Choices { mask, policy, depth, excludes: false, retained: false }
        }
    }

    /// Wakes a thread for a future.
    struct Unpark(Thread, AtomicBool);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.1.store(true, SeqCst);
            self.0.unpark();
        }
    }

    /// Polls until the future is ready or the time is over; who is not woken never polls again.
    fn block_on<F: Future>(future: F, time: Duration) -> Option<F::Output> {
        let unpark = Arc::new(Unpark(std::thread::current(), AtomicBool::new(true)));
        let waker = Waker::from(unpark.clone());
        let end = Instant::now() + time;
        let mut future = pin!(future);
        loop {
            if unpark.1.swap(false, SeqCst)
                && let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker))
            {
                return Some(output);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            park_timeout(left);
        }
    }

    /// One stream of sends: a sender, or a thread that uses the bus itself.
    struct Stream {
        mark: Mark,
        accepted: u64,
    }

    impl Stream {
        fn new(world: &World, owner: u64) -> Stream {
            Stream { mark: Mark { owner, stream: world.id(), count: 0 }, accepted: 0 }
        }

        /// Notes what a send came to. `least` was the highest N before it began.
        fn note(&mut self, world: &World, least: u64, outcome: Result<Sent, SendError>) {
            match outcome {
                Ok(Sent::Queued(number)) => {
                    assert!(number >= least, "{number} was sent after a registration from {least}");
                    self.mark.count += 1;
                    self.accepted += 1;
                    count(&world.progress, 1);
                    count(&world.tally.sent, 1);
                }
                Ok(Sent::Unwanted) => panic!("the witness wants it"),
                Err(SendError::Full(FullReason::Backlog)) => count(&world.tally.full, 1),
                Err(SendError::Full(_)) => {
                    count(&world.tally.stalled, 1);
                    yield_now();
                }
                Err(error) => panic!("{error:?}"),
            }
        }

        /// Sends through a sender in one of its forms.
        fn send(&mut self, world: &World, sender: &mut Sender, dice: &mut Dice) {
            let text = self.mark.text(dice);
            let class = dice.class();
            let least = world.registered.load(SeqCst);
            let time = Duration::from_millis(2);
            let is_full = |sent: &Result<Sent, SendError>| matches!(sent, Err(SendError::Full(_)));
            let outcome = match dice.below(16) {
                0 => sender.send_fmt(class, format_args!("{text}")),
                1 => match sender.alloc(class, text.len()) {
                    Ok(Some(mut draft)) => {
                        draft.copy_from_slice(text.as_bytes());
                        if dice.one_in(8) {
                            // Given up: it costs no number.
                            return;
                        }
                        count(&world.tally.drafts, 1);
                        draft.send().map_err(|back| back.error)
                    }
                    Ok(None) => Ok(Sent::Unwanted),
                    Err(error) => Err(error),
                },
                2 => match sender.send(class, text.as_bytes()) {
                    full if is_full(&full) => {
                        let sent = sender.send_wait(class, text.as_bytes(), Some(time));
                        count(&world.tally.waited, u64::from(sent.is_ok()));
                        sent
                    }
                    sent => sent,
                },
                3 => match sender.send(class, text.as_bytes()) {
                    full if is_full(&full) => {
                        match block_on(sender.send_async(class, text.as_bytes()), time) {
                            Some(sent) => {
                                count(&world.tally.waited_async, u64::from(sent.is_ok()));
                                sent
                            }
                            None => full,
                        }
                    }
                    sent => sent,
                },
                _ => sender.send(class, text.as_bytes()),
            };
            self.note(world, least, outcome);
        }

        fn send_batch(&mut self, world: &World, sender: &Sender, dice: &mut Dice) {
            let first = self.mark;
            let texts: Vec<_> = (0..dice.below(50))
                .map(|more| (dice.class(), Mark { count: first.count + more, ..first }.text(dice)))
                .collect();
            let batch: Vec<_> =
                texts.iter().map(|(class, text)| Outgoing::new(*class, text.as_bytes())).collect();
            let least = world.registered.load(SeqCst);
            let (sent, error) = match sender.send_batch(&batch) {
                Ok(sent) => (sent, None),
                Err(error) => (error.sent, Some(error.error)),
            };
            assert!(sent.first.is_none_or(|number| number >= least));
            assert_eq!(sent.unwanted, 0, "the witness wants it");
            assert_eq!(error.is_none(), sent.queued == batch.len());
            if let Some(error) = error {
                self.note(world, 0, Err(error));
            }
            self.mark.count += sent.queued as u64;
            self.accepted += sent.queued as u64;
            count(&world.tally.sent, sent.queued as u64);
            count(&world.tally.batches, 1);
        }
    }

    /// A thread that sends until the round is over. How many were accepted.
    fn sending(world: &World, mut dice: Dice) -> u64 {
        let mut own = Stream::new(world, 0);
        let mut bus = Stream::new(world, 0);
        let mut state = Stream::new(world, 0);
        let mut sender = world.bus.sender();
        let mut accepted = 0;
        while !world.is_done() {
            match dice.below(400) {
                0..12 => own.send_batch(world, &sender, &mut dice),
                12..40 => {
                    let text = bus.mark.text(&mut dice);
                    let least = world.registered.load(SeqCst);
                    let outcome = world.bus.send(dice.class(), text.as_bytes());
                    bus.note(world, least, outcome);
                }
                40..44 => {
                    let text = state.mark.text(&mut dice);
                    let least = world.registered.load(SeqCst);
                    let outcome = world.state.send(text.as_bytes());
                    state.note(world, least, outcome);
                }
                44 => {
                    // Its payload is judged as any other: keyed state is sent by who retains it.
                    let key = [dice.below(8) as u8 + 1];
                    let entry = world.bus.retain_key(RARE, &key).expect("room and open");
                    let text = bus.mark.text(&mut dice);
                    let least = world.registered.load(SeqCst);
                    match entry.send(text.as_bytes()) {
                        // The other thread gave this key up.
                        Err(SendError::NotRetained) => {}
                        outcome => bus.note(world, least, outcome),
                    }
                    if dice.one_in(3) && entry.clear() {
                        count(&world.tally.cleared, 1);
                    }
                }
                45 => {
                    accepted += own.accepted;
                    sender = world.bus.sender();
                    own = Stream::new(world, 0);
                }
                46 => {
                    assert_eq!(sender.send(UNWANTED, b"nobody"), Ok(Sent::Unwanted));
                    count(&world.tally.unwanted, 1);
                }
                _ => own.send(world, &mut sender, &mut dice),
            }
        }
        accepted + own.accepted + bus.accepted + state.accepted
    }

    /// Receives once, in one of the forms.
    fn receive(
        world: &World,
        participant: &mut Participant,
        session: &mut Session,
        kept: &mut Vec<(Kept, Seen)>,
        dice: &mut Dice,
    ) {
        let nap = Duration::from_micros(300);
        match dice.below(12) {
            0..3 => {
                let most = dice.below(200) as usize;
                let mut seen = 0;
                let outcome = participant.drain_up_to(most, |message| {
                    seen += 1;
                    world.note(session, &message);
                });
                match outcome {
                    Ok(drained) => assert_eq!(drained, seen),
                    Err(RecvError::Lagged(lag)) => world.note_loss(session, lag),
                    Err(error) => panic!("{error:?}"),
                }
            }
            3 => {
                world.take(session, participant.recv_timeout(nap));
            }
            4 => match block_on(participant.recv(), nap) {
                None => count(&world.tally.cancelled, 1),
                Some(outcome) => {
                    world.take(session, outcome);
                }
            },
            5 => match participant.try_recv() {
                Ok(message) => {
                    world.note(session, &message);
                    if kept.len() < 20 {
                        kept.push((message.keep(), Seen::of(&message)));
                    }
                }
                other => {
                    world.take(session, other);
                }
            },
            6 => yield_now(),
            _ => {
                world.take(session, participant.try_recv());
            }
        }
    }

    /// Registers, does this and that, and leaves. How many it had accepted.
    fn visit(world: &World, kept: &mut Vec<(Kept, Seen)>, dice: &mut Dice) -> (Session, u64) {
        let policy = if dice.one_in(2) { Policy::Lag } else { Policy::Backpressure };
        let depth = [1, 3, 50, 2_000][dice.below(4) as usize];
        let (mask, excludes, retained) = (dice.mask(), dice.one_in(2), dice.one_in(2));
        let (mut participant, mut session) =
            world.join(Choices { mask, policy, depth, excludes, retained });
        let mut sender = participant.sender();
        let mut stream = Stream::new(world, session.id);
        for _ in 0..dice.below(300) {
            match dice.below(40) {
                0 => {
                    let mask = dice.mask();
                    let number = participant.set_mask(mask).expect("open");
                    world.registered.fetch_max(number, SeqCst);
                    session.events.push(Event::Masked(number, mask));
                    count(&world.tally.masks, 1);
                }
                1 => stream.send(world, &mut sender, dice),
                2 if world.expires && dice.one_in(8) => sleep(Duration::from_millis(30)),
                _ => receive(world, &mut participant, &mut session, kept, dice),
            }
        }
        session.left = Some(match dice.below(3) {
            0 => participant.leave(),
            1 => participant.handle().leave().expect("registered"),
            _ => {
                drop(participant);
                u64::MAX
            }
        });
        count(&world.tally.sessions, 1);
        (session, stream.accepted)
    }

    type Visits = (Vec<Session>, u64, Vec<(Kept, Seen)>);

    fn visiting(world: &World, mut dice: Dice) -> Visits {
        let (mut sessions, mut accepted, mut kept) = (Vec::new(), 0, Vec::new());
        while !world.is_done() {
            let (session, sent) = visit(world, &mut kept, &mut dice);
            sessions.push(session);
            accepted += sent;
            kept.truncate(dice.below(20) as usize);
        }
        (sessions, accepted, kept)
    }

    /// Stays to the end and blocks for each message.
    fn staying(world: &World, choices: Choices, pause: u64) -> Session {
        let (mut participant, mut session) = world.join_to_stay(choices);
        while !world.take(&mut session, participant.recv_blocking()) {
            (0..pause).for_each(|_| std::hint::spin_loop());
        }
        session
    }

    /// Sleeps until it is far behind, catches up, and again; `far` is told what was read so late
    /// that it must have been handed over.
    fn sleeping(
        world: &World,
        choices: Choices,
        behind: u64,
        mut far: impl FnMut(&Event),
    ) -> Session {
        let (mut participant, mut session) = world.join_to_stay(choices);
        let mut caught_up = session.since;
        loop {
            while !world.is_done() && world.bus.sequence() < caught_up + behind {
                sleep(Duration::from_millis(1));
            }
            // No segment has more messages, and no more segments are in the window.
            let window = (world.bus.stats().segments_live + 1) * PER_SEGMENT;
            let old = world.bus.sequence().saturating_sub(window);
            let end = loop {
                let before = session.events.len();
                let closed = world.take(&mut session, participant.try_recv());
                let Some(event) = session.events[before..].first() else { break closed };
                match event {
                    Event::Got(seen) if seen.number >= old => {}
                    event => far(event),
                }
            };
            caught_up = world.bus.sequence();
            if end {
                return session;
            }
            if world.is_done() {
                yield_now();
            }
        }
    }

    /// Serves two callbacks until the bus is closed. How many messages each had.
    fn serving(world: &World) {
        let mut events = EventLoop::new(&world.bus);
        for policy in [Policy::Lag, Policy::Backpressure] {
            let registration = world.bus.participant().mask(COMMON).policy(policy).depth(500);
            let (tally, mut delivered, mut lost) = (world.tally.clone(), 0, 0);
            let added = events.add(registration, move |event, _| match event {
                Served::Message(message) => {
                    let seen = Seen::of(&message);
                    let (number, is_wanted) = (seen.number, seen.class.intersects(COMMON));
                    assert!(
                        number > delivered.max(lost) && is_wanted,
                        "{seen:?}, {delivered}, {lost}"
                    );
                    delivered = number;
                    count(&tally.served, 1);
                }
                Served::Lagged(lag) => {
                    // In line with messages. Two reports between two messages may overlap: what was
                    // trimmed can have expired, overflowed, and expired again.
                    let in_line = lag.first > delivered && lag.last >= lag.first;
                    let may = policy == Policy::Lag || lag.reason == LagReason::Expired;
                    assert!(in_line && may, "{policy:?}: {lag:?} behind {delivered}");
                    lost = lag.last.max(lost);
                }
            });
            added.expect("room and open");
        }
        world.ready.wait();
        events.run().expect_err("ends with the bus");
    }

    /// Changes its mask until the close refuses it; a refused change has changed nothing.
    fn changing(world: &World, mut dice: Dice) -> Session {
        let (mut participant, mut session) =
            world.join_to_stay(Choices::plain(dice.mask(), Policy::Lag, 200));
        loop {
            if world.take(&mut session, participant.try_recv()) {
                assert_eq!(participant.set_mask(dice.mask()), Err(MaskError::Closed));
                count(&world.tally.masks_refused, 1);
                return session;
            }
            if dice.one_in(20) {
                let mask = dice.mask();
                match participant.set_mask(mask) {
                    Ok(number) => session.events.push(Event::Masked(number, mask)),
                    Err(MaskError::Closed) => count(&world.tally.masks_refused, 1),
                    Err(error) => panic!("{error:?}"),
                }
            } else if dice.one_in(50) {
                yield_now();
            }
        }
    }

    /// What was accepted, and what the witness lost of it.
    #[derive(Default)]
    struct Truth {
        /// At index n - 1: message n; holes only where the witness lost something.
        messages: Vec<Option<Seen>>,
        lost: u64,
    }

    fn witnessing(world: &World, mut participant: Participant) -> Truth {
        let mut truth = Truth::default();
        let mut streams: HashMap<u64, u64> = HashMap::new();
        let mut nanos = 0;
        loop {
            match participant.recv_blocking() {
                Ok(message) => {
                    let seen = Seen::of(&message);
                    let place = seen.number as usize - 1;
                    assert!(place >= truth.messages.len(), "{seen:?} is out of order");
                    truth.messages.resize(place, None);
                    truth.messages.push(Some(seen));
                    assert!(seen.nanos >= nanos, "time went back at {seen:?}");
                    nanos = seen.nanos;
                    let next = streams.entry(seen.mark.stream).or_insert(0);
                    let in_order = seen.mark.count == *next || world.expires;
                    assert!(in_order && seen.mark.count >= *next, "{seen:?}, expected {next}");
                    *next = seen.mark.count + 1;
                    count(&world.progress, 1);
                }
                Err(RecvError::Lagged(lag)) if world.expires => truth.lost += lag.count,
                Err(RecvError::Closed) => return truth,
                Err(error) => panic!("the witness: {error:?}"),
            }
        }
    }

    /// What a session was owed, while its notes are gone through.
    struct Ledger<'a> {
        session: &'a Session,
        /// The note that is being judged.
        at: usize,
        truth: &'a [Option<Seen>],
        /// Number, and the classes it is still wanted for: none, if a narrowing settled it.
        owed: VecDeque<(u64, Class)>,
        next: u64,
        mask: Class,
        /// What the reports since the last message named.
        named: u64,
        first: u64,
        last: u64,
    }

    impl<'a> Ledger<'a> {
        fn new(session: &'a Session, truth: &'a [Option<Seen>]) -> Ledger<'a> {
            let (next, mask) = (session.since, session.mask);
            let owed = VecDeque::new();
            let (named, first, last) = (0, u64::MAX, 0);
            Ledger { session, at: 0, truth, owed, next, mask, named, first, last }
        }

        fn who(&self) -> String {
            let Session { id, since, mask, excludes, left, events, .. } = self.session;
            let last = &events[self.at.saturating_sub(20)..events.len().min(self.at + 2)];
            let last: String = last.iter().map(|event| format!("\n  {event:?}")).collect();
            format!(
                "session {id} since {since} of {mask}, excludes {excludes}, left {left:?}, its notes \
                 around here:{last}\n"
            )
        }

        fn owe_below(&mut self, end: u64) {
            for number in self.next..end {
                let seen = self.truth[number as usize - 1].expect("no holes");
                let own = self.session.excludes && seen.mark.owner == self.session.id;
                let wanted = seen.class & self.mask;
                if !own && !wanted.is_empty() {
                    self.owed.push_back((number, wanted));
                }
            }
            self.next = self.next.max(end);
        }

        /// All below `number` is over: what was owed of it must have been named, each once.
        fn settle_below(&mut self, number: u64) {
            let (mut sure, mut all) = (0, 0);
            while self.owed.front().is_some_and(|owed| owed.0 < number) {
                let Some((gone, wanted)) = self.owed.pop_front() else { break };
                all += 1;
                if !wanted.is_empty() {
                    sure += 1;
                    let is_named = (self.first..=self.last).contains(&gone);
                    assert!(is_named, "{}: {gone} never came (before {number})", self.who());
                }
            }
            let fits = (sure..=all).contains(&self.named);
            assert!(fits, "{}: {sure} to {all} lost, {} named", self.who(), self.named);
            (self.named, self.first, self.last) = (0, u64::MAX, 0);
        }

        fn judge(mut self, end: u64, tally: &Tally) {
            let (session, mut fresh) = (self.session, true);
            let mut state = None;
            for (at, event) in session.events.iter().enumerate() {
                self.at = at;
                match event {
                    Event::Masked(number, mask) => {
                        assert!(*number >= self.next, "{}: {event:?}", self.who());
                        self.owe_below(*number);
                        self.owed.iter_mut().for_each(|owed| owed.1 = owed.1 & *mask);
                        self.mask = *mask;
                        fresh = false;
                    }
                    Event::State(seen) => {
                        assert_eq!(self.truth[seen.number as usize - 1], Some(*seen));
                        assert!(seen.class.intersects(self.mask), "{}: {event:?}", self.who());
                        let due = !fresh || seen.number < session.since;
                        assert!(due && session.retained, "{}: {event:?}", self.who());
                        if fresh && seen.class == STATE {
                            assert_eq!(state.replace(seen.number), None, "{}", self.who());
                        }
                        count(&tally.states, 1);
                    }
                    Event::Got(seen) => {
                        let left = session.left.unwrap_or(end).min(end);
                        assert!(seen.number < left, "{}: {event:?}", self.who());
                        self.owe_below(seen.number + 1);
                        self.settle_below(seen.number);
                        let due = self.owed.pop_front();
                        let wanted = due.is_some_and(|o| o.0 == seen.number && !o.1.is_empty());
                        assert!(wanted, "{}: {event:?} was not wanted, or came twice", self.who());
                        assert_eq!(self.truth[seen.number as usize - 1], Some(*seen));
                        if fresh {
                            // All of its state came before its first live message.
                            self.judge_state(state);
                            fresh = false;
                        }
                    }
                    Event::Lost(lag) => {
                        self.owe_below(lag.last + 1);
                        for edge in [lag.first, lag.last] {
                            let owed = self.owed.iter().any(|owed| owed.0 == edge);
                            assert!(owed, "{}: {lag:?}, {edge} was not owed", self.who());
                        }
                        self.named += lag.count;
                        self.first = self.first.min(lag.first);
                        self.last = self.last.max(lag.last);
                    }
                }
            }
            if session.left.is_none() {
                self.owe_below(end);
                self.settle_below(end);
            }
        }

        /// The retained class has been retained since before the first send: who registers for it
        /// gets the newest below its N.
        fn judge_state(&self, state: Option<u64>) {
            let session = self.session;
            if !session.retained || !session.mask.intersects(STATE) || session.excludes {
                return;
            }
            let before = &self.truth[..session.since as usize - 1];
            let newest = before.iter().rev().flatten().find(|seen| seen.class == STATE);
            assert_eq!(state, newest.map(|seen| seen.number), "{}: its state", self.who());
        }
    }

    /// One bus, from its first send to its judgement; what was kept of it outlives it.
    fn round(seed: u64, tally: &Arc<Tally>, progress: &Arc<AtomicU64>) -> Vec<(Kept, Seen)> {
        let mut dice = Dice::new(seed, 0);
        let expires = dice.one_in(3);
        let by_last_handle = dice.one_in(3);
        let builder =
            Bus::builder().segment_bytes(4096).max_segments([8, 64, 1024][dice.below(3) as usize]);
        let time_to_live = expires.then_some(Duration::from_millis(20));
        let bus = builder.time_to_live(time_to_live).build().expect("in limits");
        let wide = bus.participant().mask(ALL | Class::USER6).depth(1_000_000);
        let witness = wide.register().expect("open");
        let world = World {
            state: bus.retain(STATE).expect("open"),
            tally: tally.clone(),
            progress: progress.clone(),
            ids: AtomicU64::new(0),
            registered: AtomicU64::new(0),
            done: AtomicBool::new(false),
            ready: Barrier::new(READY),
            expires,
            bus,
        };
        let (mut sessions, mut accepted, mut kept) = (Vec::new(), 0, Vec::new());
        let (truth, end) = std::thread::scope(|scope| {
            let world = &world;
            let witness = scope.spawn(|| witnessing(world, witness));
            let senders = [1, 2].map(|n| scope.spawn(move || sending(world, Dice::new(seed, n))));
            let visitors =
                [3, 4, 5].map(|n| scope.spawn(move || visiting(world, Dice::new(seed, n))));
            let lags = Choices::plain(COMMON, Policy::Lag, 20);
            let keeps_up = Choices::plain(ALL, Policy::Backpressure, 3_000);
            let wide = Choices::plain(COMMON, Policy::Backpressure, 4_000);
            let rare = Choices::plain(RARE, Policy::Backpressure, 1_000);
            let trimmed = Choices::plain(COMMON, Policy::Lag, 50);
            let stayers: [_; STAYERS] = [
                scope.spawn(move || staying(world, lags, 500)),
                scope.spawn(move || staying(world, keeps_up, 0)),
                scope.spawn(move || changing(world, Dice::new(seed, 6))),
                scope.spawn(move || {
                    sleeping(world, wide, 2_000, |event| {
                        count(&world.tally.references, u64::from(matches!(event, Event::Got(_))));
                    })
                }),
                scope.spawn(move || {
                    sleeping(world, rare, 4_000, |event| {
                        count(&world.tally.copies, u64::from(matches!(event, Event::Got(_))));
                    })
                }),
                scope.spawn(move || {
                    sleeping(world, trimmed, (RING + 70) * PER_SEGMENT, |event| {
                        let Event::Lost(lag) = event else { return };
                        let many = lag.last - lag.first > (RING + 64) * PER_SEGMENT;
                        count(&world.tally.trimmed, u64::from(many));
                    })
                }),
            ];
            let server = scope.spawn(move || serving(world));
            world.ready.wait();
            sleep(ROUND);
            world.done.store(true, SeqCst);
            accepted += senders.into_iter().map(|s| s.join().expect("sends")).sum::<u64>();
            for visitor in visitors {
                let (visits, sent, keeps) = visitor.join().expect("visits");
                sessions.extend(visits);
                accepted += sent;
                kept.extend(keeps);
            }
            let end = world.bus.close();
            sessions.extend(stayers.map(|stayer| stayer.join().expect("stays")));
            server.join().expect("serves");
            (witness.join().expect("sees all"), end)
        });
        let stats: BusStats = world.bus.stats();
        assert_eq!(accepted, end - 1, "each number went to one accepted message");
        assert_eq!((stats.sent, stats.participants), (end - 1, 0));
        count(&tally.woken, stats.wakes);
        drop(world);
        if by_last_handle {
            ends_with_its_last_handle(tally);
        }
        let seen = truth.messages.iter().flatten().count() as u64;
        assert_eq!(seen + truth.lost, end - 1, "the witness was to get everything");
        if truth.lost > 0 {
            count(&tally.unjudged, 1);
        } else {
            for session in &sessions {
                Ledger::new(session, &truth.messages).judge(end, tally);
            }
        }
        count(&tally.rounds, 1);
        kept
    }

    /// A bus that nobody closes ends with its last handle, for who sleeps on it too.
    fn ends_with_its_last_handle(tally: &Tally) {
        let bus = Bus::builder().segment_bytes(4096).build().expect("in limits");
        let mut sleeper = bus.register(COMMON).expect("open");
        let sleeping = spawn(move || {
            while sleeper.recv_blocking().is_ok() {}
            sleeper.try_recv().map(|_| ())
        });
        let sender = bus.sender();
        let handles = [
            spawn(move || drop(bus)),
            spawn(move || assert!(sender.send(Class::USER0, b"last words").is_ok())),
        ];
        handles.into_iter().for_each(|handle| handle.join().expect("ends"));
        assert_eq!(sleeping.join().expect("ends"), Err(RecvError::Closed));
        count(&tally.closed, 1);
    }

    /// Fails the run when nothing moves any more.
    fn watch(progress: Arc<AtomicU64>, seed: u64) {
        spawn(move || {
            let (mut last, mut since) = (0, Instant::now());
            loop {
                sleep(Duration::from_secs(1));
                let now = progress.load(SeqCst);
                if now != last {
                    (last, since) = (now, Instant::now());
                } else if since.elapsed() > PATIENCE {
                    println!("FAILED: nothing moved for {PATIENCE:?}; seed {seed}");
                    exit(1);
                }
            }
        });
    }

    fn arguments() -> Result<(u64, u64), String> {
        let (mut seconds, mut seed) = (10, None);
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().and_then(|value| value.parse().ok());
            let value = value.ok_or(format!("{name}: a number must follow"))?;
            match name.as_str() {
                "--seconds" => seconds = value,
                "--seed" => seed = Some(value),
                _ => return Err(format!("{name}: unknown; stress [--seconds N] [--seed S]")),
            }
        }
        let random = || {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            since.map_or(1, |time| time.as_nanos() as u64 % 1_000_000_000)
        };
        Ok((seconds, seed.unwrap_or_else(random)))
    }

    pub(super) fn main() {
        let (seconds, seed) = arguments().unwrap_or_else(|error| {
            eprintln!("{error}");
            exit(2);
        });
        println!("stress: seed {seed}, {seconds} s");
        std::panic::set_hook(Box::new(move |panic| {
            let mut text = String::new();
            let _ = writeln!(text, "FAILED: {panic}\nseed {seed}");
            print!("{text}");
            exit(1);
        }));
        let (tally, progress) = (Arc::new(Tally::default()), Arc::new(AtomicU64::new(0)));
        watch(progress.clone(), seed);
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut before: Vec<(Kept, Seen)> = Vec::new();
        let mut number = 0;
        while Instant::now() < end {
            let kept = round(seed.wrapping_add(number), &tally, &progress);
            for (kept, seen) in before.drain(..) {
                assert_eq!((Mark::read(&kept), kept.sequence()), (seen.mark, seen.number));
                count(&tally.outlived, 1);
            }
            before = kept;
            number += 1;
        }
        tally.print();
        let missed = tally.missed();
        if !missed.is_empty() {
            println!("FAILED: never came to: {}; seed {seed}", missed.join("; "));
            exit(1);
        }
        println!("stress: ok, seed {seed}");
    }
}
