//! Micro costs of the bus on one thread, with criterion: for comparing one commit with another. Figures beside what a
//! user would pick instead are in the report.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use smd_bench::payload::LEN;
use smd_bench::scene::{OTHER, ROUND, Scene, WANTED, nothing_left};
use smd_lockfree::{Clock, Outgoing, Participant, Sent};

/// Messages in a batch, and in a drain.
const BURST: usize = 32;

fn scene(wanting: usize, others: usize) -> Scene {
    Scene::new(Clock::real(), wanting, others).expect("a bus with its participants")
}

/// Repeats `work`, which does at most `most` operations and says how long they took, until all are done: what it does
/// besides is not measured.
fn in_bursts(all: u64, most: usize, mut work: impl FnMut(usize) -> Duration) -> Duration {
    let mut left = all;
    let mut time = Duration::ZERO;
    while left > 0 {
        let count = left.min(most as u64);
        time += work(count as usize);
        left -= count;
    }
    time
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed())
}

fn unwanted(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("unwanted");
    let Scene { bus, sender, mut others, .. } = scene(0, 1);
    let payload = [0; LEN];
    group.bench_function("Sender::send", |bencher| {
        bencher.iter(|| sender.send(black_box(WANTED), black_box(&payload)));
    });
    group.bench_function("Bus::send", |bencher| {
        bencher.iter(|| bus.send(black_box(WANTED), black_box(&payload)));
    });
    group.bench_function("Sender::alloc", |bencher| {
        bencher.iter(|| black_box(sender.alloc(black_box(WANTED), LEN)).is_ok());
    });
    group.finish();
    nothing_left(&mut others).expect("nobody wanted it");
}

fn send(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("send");
    for others in [0, 1, 1000] {
        let mut scene = scene(1, others);
        group.bench_function(format!("to 1, {others} uninterested"), |bencher| {
            bencher.iter_custom(|iterations| {
                in_bursts(iterations, ROUND, |count| {
                    scene.fill(count);
                    let Scene { sender, payloads, .. } = &scene;
                    let queued =
                        |payload| matches!(sender.send(WANTED, payload), Ok(Sent::Queued(_)));
                    let (all, time) = timed(|| {
                        payloads.iter().take(count).all(|payload| queued(black_box(payload)))
                    });
                    assert!(all, "a message was refused or not wanted");
                    scene.check().expect("all arrive");
                    time
                })
            });
        });
    }
    batch(&mut group);
    group.finish();
}

fn batch(group: &mut BenchmarkGroup<'_, WallTime>) {
    group.throughput(Throughput::Elements(BURST as u64));
    let mut scene = scene(1, 0);
    group.bench_function("to 1, batch of 32", |bencher| {
        bencher.iter_custom(|iterations| {
            in_bursts(iterations, ROUND / BURST, |count| {
                scene.fill(count * BURST);
                let Scene { sender, payloads, .. } = &scene;
                let send = |payloads: &[[u8; LEN]]| {
                    let batch: [Outgoing<'_>; BURST] =
                        std::array::from_fn(|i| Outgoing::new(WANTED, &payloads[i]));
                    sender.send_batch(black_box(&batch)).map_or(0, |sent| sent.queued)
                };
                let (sent, time) =
                    timed(|| payloads.chunks_exact(BURST).take(count).map(send).sum::<usize>());
                assert_eq!(sent, count * BURST);
                scene.check().expect("all arrive");
                time
            })
        });
    });
}

fn receive(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("receive");
    let mut one = scene(1, 0);
    group.bench_function("try_recv", |bencher| {
        bencher.iter_custom(|iterations| {
            in_bursts(iterations, ROUND, |count| {
                one.send(WANTED, count).expect("room");
                let participant = &mut one.wanting[0];
                let mut found =
                    || participant.try_recv().map(|m| black_box(m.bytes()).len()).is_ok();
                let (all, time) = timed(|| (0..count).all(|_| found()));
                assert!(all, "a message was lost");
                time
            })
        });
    });
    for participants in [1, 8] {
        // Several buses, so that a look at the clock is for many drains.
        let mut scenes: Vec<Scene> = (0..8).map(|_| scene(participants, 0)).collect();
        group.throughput(Throughput::Elements((participants * BURST) as u64));
        group.bench_function(format!("drain of 32 by {participants}"), |bencher| {
            bencher.iter_custom(|iterations| {
                in_bursts(iterations, scenes.len(), |count| {
                    let scenes = &mut scenes[..count];
                    for scene in &mut *scenes {
                        scene.send(WANTED, BURST).expect("room");
                    }
                    let all = scenes.iter_mut().flat_map(|scene| &mut scene.wanting);
                    let (drained, time) = timed(|| all.map(drain).sum::<usize>());
                    assert_eq!(drained, count * participants * BURST);
                    time
                })
            });
        });
    }
    let mut missing = scene(1, 1);
    group.throughput(Throughput::Elements(ROUND as u64));
    group.bench_function("256 filter misses", |bencher| {
        bencher.iter_custom(|iterations| {
            in_bursts(iterations, 1, |_| {
                missing.send(OTHER, ROUND).expect("room");
                let (drained, time) = timed(|| missing.wanting[0].drain(|_| ()));
                assert_eq!(drained, Ok(0));
                assert_eq!(missing.others[0].drain(|_| ()), Ok(ROUND));
                time
            })
        });
    });
    group.finish();
}

fn drain(participant: &mut Participant) -> usize {
    let drained = participant.drain(|message| {
        black_box(message.bytes());
    });
    drained.expect("nothing is lost")
}

fn keep(criterion: &mut Criterion) {
    let mut scene = scene(1, 0);
    scene.send(WANTED, 1).expect("room");
    let message = scene.wanting[0].try_recv().expect("a message");
    criterion.bench_function("keep and drop", |bencher| bencher.iter(|| message.keep()));
}

fn register(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("register and leave");
    for others in [0, 100] {
        let Scene { bus, others: kept, .. } = scene(0, others);
        group.bench_function(format!("beside {others}"), |bencher| {
            bencher.iter(|| bus.register(black_box(WANTED)).map(|participant| participant.leave()));
        });
        assert!(bus.register(WANTED).is_ok());
        drop(kept);
    }
    group.finish();
}

fn clock(criterion: &mut Criterion) {
    let clock = Clock::real();
    criterion.bench_function("clock", |bencher| bencher.iter(|| black_box(&clock).now()));
}

criterion_group! {
    name = benches;
    // A minute for all of them.
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(60)
        .nresamples(20_000);
    targets = unwanted, send, receive, keep, register, clock
}
criterion_main!(benches);
