//! Whoever hears of a version finds that version, or a later one: in every execution with few
//! preemptions under loom, in some thousand schedules under shuttle.
#![cfg(any(smd_loom, smd_shuttle))]

use std::panic::{UnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use smd_embedder_example::sync::thread;
use smd_embedder_example::{Announcer, Cache, Config, Worker};
use smd_lockfree::{Bus, model};

/// Runs `scenario` in all executions that the checker chooses, and counts them.
fn check(name: &str, scenario: impl Fn() + Send + Sync + 'static) {
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = executions.clone();
    let start = std::time::Instant::now();
    explore(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model::execution(&scenario);
    });
    let executions = executions.load(Ordering::Relaxed);
    println!("model {name}: {executions} executions in {:.2} s", start.elapsed().as_secs_f64());
    assert!(executions > 1, "{name}: nothing was explored");
}

#[cfg(smd_loom)]
fn explore(execution: impl Fn() + Send + Sync + 'static) {
    let limit = std::time::Duration::from_secs(120);
    let mut builder = model::loom::model::Builder::new();
    builder.max_branches = 100_000;
    // Every execution in which threads are interrupted at most that often where they could go on.
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.max_duration = Some(limit);
    let start = std::time::Instant::now();
    builder.check(execution);
    // loom ends a run that it cut as a success.
    assert!(start.elapsed() < limit, "cut after {limit:?}");
}

#[cfg(smd_shuttle)]
fn explore(execution: impl Fn() + Send + Sync + 'static) {
    let execution = Arc::new(execution);
    let random = execution.clone();
    model::shuttle::check_random(move || random(), 2000);
    model::shuttle::check_pct(move || execution(), 2000, 3);
}

/// The bus of the models: segments of a few messages.
fn bus() -> Bus {
    let clock = smd_lockfree::Clock::manual().0;
    Bus::builder().segment_bytes(128).depth(4).clock(clock).build().expect("a small bus")
}

fn config(version: u64) -> Config {
    Config { interval_ms: version as u32 * 10, log_level: version as u32 }
}

/// A worker on a thread of its own hears of each version that this thread publishes.
///
/// The thread that sleeps on the bus does nothing else that blocks: under loom a wake-up that comes
/// late would end its `join` too soon, which loom takes for an error.
fn hears(versions: u64, publish: fn(&mut Announcer, &Cache, u64)) {
    let bus = bus();
    let cache = Cache::new();
    let mut worker = Worker::new(&bus, cache.clone()).expect("there is room");
    let working = thread::spawn(move || {
        for announced in 1..=versions {
            let update = worker.wait().expect("open");
            assert_eq!(update.announced, announced);
            assert!(update.version >= announced, "stale version: {update:?}");
            let level = u64::from(update.config.log_level);
            assert!(level >= announced, "stale configuration: {update:?}");
        }
    });
    let mut announcer = Announcer::new(&bus, cache.clone());
    for version in 1..=versions {
        publish(&mut announcer, &cache, version);
    }
    working.join().expect("no panic");
}

fn store_then_announce(announcer: &mut Announcer, _: &Cache, version: u64) {
    assert_eq!(announcer.publish(config(version)), Ok(version));
}

/// Wrong on purpose.
fn announce_then_store(announcer: &mut Announcer, cache: &Cache, version: u64) {
    announcer.announce(version).expect("room");
    cache.store(version, config(version));
}

#[test]
fn a_worker_finds_what_was_announced() {
    check("one version", || hears(1, store_then_announce));
    check("two versions", || hears(2, store_then_announce));
}

/// What the checker says of a scenario that must fail.
fn failure(name: &'static str, scenario: impl Fn() + Send + Sync + UnwindSafe + 'static) -> String {
    let panic = catch_unwind(|| check(name, scenario)).expect_err("the error was not found");
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

/// A model that cannot fail proves nothing.
#[test]
fn announcing_before_storing_is_found() {
    let found = failure("announced too early", || hears(1, announce_then_store));
    assert!(found.contains("stale version"), "found something else: {found}");
}

/// A reader that does not ask the bus has no order to rely on: the stores are relaxed.
fn peeks() {
    let cache = Cache::new();
    let reader = cache.clone();
    let reading = thread::spawn(move || {
        let (version, config) = (reader.version(), reader.config());
        assert!(u64::from(config.log_level) >= version, "stale configuration: {config:?}");
    });
    cache.store(1, config(1));
    reading.join().expect("no panic");
}

/// loom explores orderings; shuttle runs everything as if it were sequentially consistent.
#[test]
fn peeking_past_the_bus_is_found_by_loom_alone() {
    if cfg!(smd_loom) {
        let found = failure("peeked", peeks);
        assert!(found.contains("stale configuration"), "found something else: {found}");
    } else {
        check("peeked", peeks);
    }
}
