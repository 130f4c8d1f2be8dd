//! Micro costs of the bus on one thread, with criterion: for comparing one commit with another. What a user would
//! pick instead is measured in `figures`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smd_bench::payload::{LEN, Tally};
use smd_bench::peers::{BURST, Peer, Smd, SmdBatch};

use smd_lockfree::{Bus, Class, Clock};

fn unwanted(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("unwanted");
    let payload = [0; LEN];
    let bus = Bus::new();
    let other = bus.register(Class::NETWORK).expect("a valid registration");
    let sender = bus.sender();
    group.bench_function("Sender::send", |bencher| {
        bencher.iter(|| sender.send(black_box(Class::METRICS), black_box(&payload)));
    });
    group.bench_function("Bus::send", |bencher| {
        bencher.iter(|| bus.send(black_box(Class::METRICS), black_box(&payload)));
    });
    group.bench_function("Sender::alloc", |bencher| {
        bencher.iter(|| black_box(sender.alloc(black_box(Class::METRICS), LEN)).is_ok());
    });
    group.finish();
    drop(other);
}

fn send(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("send");
    let clock = Clock::real();
    for others in [0, 1, 1000] {
        let mut scene = Scene::new(&clock, others);
        group.bench_function(format!("{others} uninterested"), |bencher| {
            // Sends only: each burst is drained off the clock.
            bencher.iter_custom(|iterations| {
                let mut left = iterations;
                let mut time = Duration::ZERO;
                while left > 0 {
                    let burst = left.min(SENDS_A_BURST);
                    time += scene.burst(burst).expect("all arrive");
                    left -= burst;
                }
                time
            });
        });
    }
    group.finish();
}

fn send_and_drain<P: Peer>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("send and drain");
    group.throughput(Throughput::Elements(BURST as u64));
    for participants in [1, 8] {
        let (mut sender, mut receivers) = P::open(&Clock::real(), participants, 1024);
        let mut tallies = vec![Tally::default(); participants];
        let mut sent = 0;
        group.bench_function(format!("{} to {participants}", P::NAME), |bencher| {
            bencher.iter_custom(|iterations| {
                let start = Instant::now();
                for _ in 0..iterations {
                    sent += P::send(&mut sender, sent, BURST) as u64;
                    for (receiver, tally) in receivers.iter_mut().zip(&mut tallies) {
                        P::drain(receiver, tally);
                    }
                }
                start.elapsed()
            });
        });
        for tally in &tallies {
            tally.check(sent).expect("all arrive");
        }
    }
    group.finish();
}

criterion_group!(benches, unwanted, send, send_and_drain::<Smd>, send_and_drain::<SmdBatch>);
criterion_main!(benches);
