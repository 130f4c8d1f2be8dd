//! Random runs of several threads on one real bus, recorded.

use super::event::{Got, History};
use super::recorder::{Log, merge};
use super::worker::{Choices, Form, Take, Worker, World};
use smd_lockfree::{Bus, Class, Clock, ManualClock, Policy};
use std::sync::{Arc, Barrier};
use std::time::Duration;

/// Few classes, so that messages and masks meet: one of each kind of bit.
const CLASSES: [Class; 5] =
    [Class::INTERACTION, Class::NETWORK, Class::from_bits(1 << 10), Class::USER0, Class::USER7];

/// In the runs in which messages expire.
const TIME_TO_LIVE: Duration = Duration::from_millis(5);

/// Pseudo-random numbers: xorshift64*.
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        // Neighbouring seeds must not give neighbouring numbers; and never 0.
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        dice.below(2);
        dice
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let word = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D);
        ((word >> 33) as usize) % bound
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn class(&mut self) -> Class {
        let one = self.pick(&CLASSES);
        if self.one_in(4) { one | self.pick(&CLASSES) } else { one }
    }

    fn len(&mut self) -> usize {
        if self.one_in(3) { 16 + self.below(369) } else { 16 + self.below(40) }
    }
}

/// What a run is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Everything else follows from it.
    pub seed: u64,
    /// Threads.
    pub threads: usize,
    /// Calls of each thread, more or less.
    pub calls: usize,
    /// Whether segments are as small as can be.
    pub tiny: bool,
    /// Whether the clock is moved by hand.
    pub manual_clock: bool,
    /// Whether messages expire.
    pub expires: bool,
}

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: u64) -> Plan {
        let mut dice = Dice::new(seed ^ 0x5EED);
        let manual_clock = !dice.one_in(3);
        Plan {
            seed,
            threads: 2 + dice.below(5),
            calls: 60 + dice.below(400),
            tiny: !dice.one_in(3),
            manual_clock,
            expires: manual_clock && dice.one_in(2),
        }
    }
}

/// Runs a plan.
///
/// # Panics
///
/// The bus refused what is in order, or a thread panicked.
pub fn run(plan: Plan) -> History {
    let mut builder = Bus::builder().depth(64);
    builder = builder.time_to_live(plan.expires.then_some(TIME_TO_LIVE));
    if plan.tiny {
        builder = builder.segment_bytes(4096).max_segments(12);
    }
    let mut hand: Option<ManualClock> = None;
    if plan.manual_clock {
        let (clock, mover) = Clock::manual();
        builder = builder.clock(clock);
        hand = Some(mover);
    }
    let bus = builder.build().expect("a plan is within the limits");
    let world = World::new(bus, hand);
    let barrier = Arc::new(Barrier::new(plan.threads));
    let threads: Vec<_> = (0..plan.threads)
        .map(|thread| {
            let (world, barrier) = (Arc::clone(&world), Arc::clone(&barrier));
            std::thread::spawn(move || {
                barrier.wait();
                Actor::new(plan, &world, thread).act()
            })
        })
        .collect();
    let logs = threads.into_iter().map(|thread| match thread.join() {
        Ok(log) => log,
        Err(panic) => std::panic::resume_unwind(panic),
    });
    let time_to_live = plan.expires.then_some(TIME_TO_LIVE.as_nanos() as u64);
    merge(logs.collect(), time_to_live, plan.manual_clock)
}

/// One thread of a run.
struct Actor {
    plan: Plan,
    worker: Worker,
    world: Arc<World>,
    dice: Dice,
    /// The one that closes the bus, and so must never sleep without an end.
    closes: bool,
    thread: usize,
}

impl Actor {
    fn new(plan: Plan, world: &Arc<World>, thread: usize) -> Actor {
        let dice = Dice::new(plan.seed.wrapping_mul(31).wrapping_add(thread as u64));
        let worker = Worker::new(world, thread as u32);
        let world = Arc::clone(world);
        Actor { plan, worker, world, dice, closes: thread == 0, thread }
    }

    fn act(mut self) -> Log {
        while self.worker.recorded() < self.plan.calls {
            self.step();
        }
        if self.closes {
            self.worker.close();
        }
        for member in 0..self.worker.members() {
            self.worker.receive_to_the_end(member);
        }
        // After the end nothing goes on.
        let class = self.dice.class();
        self.worker.send(Form::Bus, 0, class, 16);
        self.worker.finish()
    }

    fn step(&mut self) {
        match self.dice.below(100) {
            0..42 => self.send(),
            42..48 => self.batch(),
            48..82 => self.receive(),
            82..86 => self.register(),
            86..90 => self.set_mask(),
            90..92 => self.depart(),
            92..96 => self.state(),
            96..98 => self.sender(),
            _ => self.advance(),
        }
    }

    fn send(&mut self) {
        use Form::{Bus, Draft, Format, Poll, Sender, Value, Wait};
        let form = self.dice.pick(&[Bus, Bus, Sender, Sender, Value, Format, Wait, Poll, Draft]);
        let sender = self.dice.below(3);
        let (class, len) = (self.dice.class(), self.dice.len());
        self.worker.send(form, sender, class, len);
    }

    fn batch(&mut self) {
        if self.worker.senders() == 0 {
            return self.sender();
        }
        let sender = self.dice.below(self.worker.senders());
        let most = if self.dice.one_in(4) { 40 } else { 6 };
        let count = 1 + self.dice.below(most);
        let all: Vec<_> = (0..count).map(|_| (self.dice.class(), self.dice.len())).collect();
        self.worker.batch(sender, &all);
    }

    fn receive(&mut self) {
        if self.worker.members() == 0 {
            return self.register();
        }
        let member = self.dice.below(self.worker.members());
        let form = match self.dice.below(40) {
            0..16 => Take::Try,
            16..20 => Take::Poll,
            20..24 => Take::Timeout,
            24..30 => Take::Drain(usize::MAX),
            30..34 => Take::Drain(1 + self.dice.below(9)),
            34 if !self.closes => Take::Blocking,
            35 if !self.closes => Take::Spinning,
            _ => {
                self.worker.exhaust(member);
                return;
            }
        };
        if self.worker.receive(member, form) == Got::Left {
            self.worker.drop_member(member);
        }
    }

    fn register(&mut self) {
        if self.worker.members() >= 3 {
            return;
        }
        let choices = Choices {
            mask: self.dice.class() | self.dice.class(),
            policy: self.dice.pick(&[Policy::Backpressure, Policy::Lag]),
            depth: self.dice.pick(&[1, 2, 3, 8, 64, 400]),
            exclude_own: self.dice.one_in(2),
            retained: !self.dice.one_in(4),
            polled: self.dice.one_in(4),
        };
        self.worker.register(choices);
    }

    fn set_mask(&mut self) {
        if self.worker.members() > 0 {
            let member = self.dice.below(self.worker.members());
            let mask = self.dice.class() | self.dice.class();
            self.worker.set_mask(member, mask);
        }
    }

    fn depart(&mut self) {
        let members = self.worker.members();
        match self.dice.below(4) {
            0 if members > 0 => self.worker.leave(self.dice.below(members)),
            1 if members > 0 => self.worker.drop_member(self.dice.below(members)),
            2 => self.worker.leave_by_handle(self.dice.below(64)),
            _ => {}
        }
    }

    fn state(&mut self) {
        let entries = self.worker.entries();
        match self.dice.below(8) {
            // A whole class is kept by one thread alone, so that it knows what it clears.
            0 if !self.worker.retains_class() && self.thread < CLASSES.len() => {
                self.worker.retain(CLASSES[self.thread], false);
            }
            1 if entries < 4 => {
                let class = self.dice.pick(&CLASSES);
                self.worker.retain(class, true);
            }
            2 if entries > 0 && self.dice.one_in(2) => {
                self.worker.clear(self.dice.below(entries));
            }
            3.. if entries > 0 => {
                let (entry, len) = (self.dice.below(entries), self.dice.len());
                self.worker.send_state(entry, len);
            }
            _ => {}
        }
    }

    fn sender(&mut self) {
        if self.worker.senders() >= 3 {
            return self.worker.drop_sender(self.dice.below(3));
        }
        let members = self.worker.members();
        let of = (members > 0 && !self.dice.one_in(3)).then(|| self.dice.below(members));
        self.worker.add_sender(of);
    }

    fn advance(&mut self) {
        if let Some(hand) = &self.world.hand {
            hand.advance(Duration::from_micros(self.dice.below(3000) as u64));
        }
    }
}
