//! The model checker behind one door: `loom` (`--cfg smd_loom`) or `shuttle` (`--cfg smd_shuttle`).
//!
//! A model fails when an assertion in it fails, when its threads block each other, when a frame is
//! used after it was freed or outlives its bus, when a mark that it must reach was reached by no
//! execution (else a scenario that went past its subject would pass for ever), and when it was cut
//! off by time.

use std::cell::{Cell, RefCell};
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

#[cfg(smd_loom)]
pub use loom::sync;
#[cfg(smd_shuttle)]
use shuttle::scheduler::PctScheduler;
#[cfg(smd_shuttle)]
pub use shuttle::sync;

/// The checker's threads, counted.
pub mod thread {
    #[cfg(smd_loom)]
    pub use loom::thread::*;
    #[cfg(smd_shuttle)]
    pub use shuttle::thread::*;

    use super::THREADS;
    #[cfg(smd_loom)]
    use loom::thread as checker;
    #[cfg(smd_shuttle)]
    use shuttle::thread as checker;

    /// Spawns a thread of the model.
    pub fn spawn<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        THREADS.with(|(now, _)| now.set(now.get() + 1));
        checker::spawn(body)
    }
}

thread_local! {
    /// Marks of the model that runs on this thread, and in how many places of how many executions
    /// they were reached; both checkers run its threads on one.
    static REACHED: RefCell<Vec<(&'static str, u64)>> = const { RefCell::new(Vec::new()) };
    /// Threads of this execution, and the most of any.
    static THREADS: (Cell<usize>, Cell<usize>) = const { (Cell::new(1), Cell::new(1)) };
}

/// Notes that this execution came to a place that the model is about.
pub fn reached(mark: &'static str) {
    add(mark, 1);
}

fn add(mark: &'static str, more: u64) {
    REACHED.with(|marks| {
        let mut marks = marks.borrow_mut();
        match marks.iter_mut().find(|(known, _)| *known == mark) {
            Some((_, count)) => *count += more,
            None => marks.push((mark, more)),
        }
    });
}

/// What a model is to be checked with.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// For the line that it prints.
    pub name: &'static str,
    /// Under loom: how often a thread may be interrupted where it could go on.
    pub preemptions: usize,
    /// The same for a quick run (`SMD_QUICK=1`), where that takes long.
    pub quickly: usize,
    /// It stands beside a smaller size of its scenario that is explored further: a deep run leaves
    /// its bound as it is.
    pub is_larger: bool,
    /// Marks that some execution must reach.
    pub reaches: &'static [&'static str],
}

impl Model {
    /// A model with loom's usual bound and nothing that it must reach.
    #[must_use]
    pub fn new(name: &'static str) -> Model {
        Model { name, preemptions: 2, quickly: usize::MAX, is_larger: false, reaches: &[] }
    }

    /// With another bound.
    #[must_use]
    pub fn preemptions(self, preemptions: usize) -> Model {
        Model { preemptions, ..self }
    }

    /// With another bound in a quick run.
    #[must_use]
    pub fn quickly(self, quickly: usize) -> Model {
        Model { quickly, ..self }
    }

    /// A larger size of a scenario, at one preemption, beside one that is explored at two or more.
    #[must_use]
    pub fn larger(self) -> Model {
        Model { preemptions: 1, is_larger: true, ..self }
    }

    /// With marks that it must reach.
    #[must_use]
    pub fn reaches(self, reaches: &'static [&'static str]) -> Model {
        Model { reaches, ..self }
    }

    /// Runs `scenario` in all executions that the checker chooses.
    ///
    /// # Panics
    /// When the model fails.
    pub fn check(self, scenario: impl Fn() + Send + Sync + 'static) {
        REACHED.with(|marks| marks.borrow_mut().clear());
        let _ = smd_lockfree::__take_marks();
        let executions = StdArc::new(AtomicUsize::new(0));
        let counted = executions.clone();
        let start = Instant::now();
        let cut = self.run(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            THREADS.with(|(now, _)| now.set(1));
            scenario();
            THREADS.with(|(now, most)| most.set(most.get().max(now.get())));
            assert_eq!(smd_lockfree::__live_frames(), 0, "frames outlive their bus");
        });
        let executions = executions.load(Ordering::Relaxed);
        let seconds = start.elapsed().as_secs_f64();
        for (mark, count) in smd_lockfree::__take_marks() {
            add(mark, count);
        }
        REACHED.with(|marks| {
            let mut marks = marks.borrow_mut();
            marks.sort_unstable();
            let marks: Vec<_> = marks.iter().map(|(m, count)| format!("{m} {count}")).collect();
            println!(
                "model {}: {executions} executions in {seconds:.2} s; {}; {} threads; reached {}",
                self.name,
                self.bound(),
                THREADS.with(|(_, most)| most.get()),
                marks.join(", "),
            );
        });
        assert!(!cut, "{} was cut after {seconds:.0} s and {executions} executions", self.name);
        assert!(executions > 0, "{} did not run", self.name);
        REACHED.with(|marks| {
            for mark in self.reaches {
                let marks = marks.borrow();
                let is_reached = marks.iter().any(|(known, _)| known == mark);
                assert!(is_reached, "{}: nothing reached {mark:?}", self.name);
            }
        });
    }

    /// How often a thread is interrupted where it could go on.
    #[cfg(smd_loom)]
    fn preemption_bound(&self) -> usize {
        match number("SMD_PREEMPTIONS", 0) {
            0 if number("SMD_QUICK", 0) != 0 => self.preemptions.min(self.quickly),
            0 if self.is_larger => self.preemptions,
            0 => self.preemptions.max(number("SMD_LEAST_PREEMPTIONS", 0) as usize),
            bound => bound as usize,
        }
    }

    /// What bounds the executions, in words.
    #[cfg(smd_loom)]
    fn bound(&self) -> String {
        format!("{} preemptions, complete", self.preemption_bound())
    }

    /// What bounds the executions, in words.
    #[cfg(smd_shuttle)]
    fn bound(&self) -> String {
        "random and PCT 3".to_owned()
    }

    /// `true`: the run was cut.
    #[cfg(smd_loom)]
    fn run(&self, scenario: impl Fn() + Send + Sync + 'static) -> bool {
        let limit = Duration::from_secs(number("SMD_SECONDS", 120));
        let mut builder = loom::model::Builder::new();
        builder.max_threads = 5;
        builder.max_branches = 1_000_000;
        builder.preemption_bound = Some(self.preemption_bound());
        builder.max_duration = Some(limit);
        builder.checkpoint_interval = 500;
        let start = Instant::now();
        builder.check(scenario);
        // loom ends a run that took too long as a success.
        start.elapsed() >= limit
    }

    #[cfg(smd_shuttle)]
    fn run(&self, scenario: impl Fn() + Send + Sync + 'static) -> bool {
        let iterations = number("SMD_ITERATIONS", 1000) as usize;
        let scenario = StdArc::new(scenario);
        let random = scenario.clone();
        let seed = number("SMD_SEED", 0);
        if seed == 0 {
            shuttle::check_random(move || random(), iterations.div_ceil(2));
            shuttle::check_pct(move || scenario(), iterations.div_ceil(2), 3);
        } else {
            shuttle::check_random_with_seed(move || random(), seed, iterations.div_ceil(2));
            let pct = PctScheduler::new_from_seed(seed, 3, iterations.div_ceil(2));
            shuttle::Runner::new(pct, shuttle::Config::new()).run(move || scenario());
        }
        let _ = Duration::ZERO;
        false
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: StdArc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &StdArc<Self>) {
        self.0.unpark();
    }
}

/// A waker that unparks this thread; each is another to `will_wake`.
#[must_use]
pub fn unparker() -> Waker {
    Waker::from(StdArc::new(Unpark(thread::current())))
}
