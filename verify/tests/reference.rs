//! Random operations on a real bus beside the sequential reference model.
//!
//! `SMD_CASES` sets the number of scripts, 2,000 unless it says otherwise. A script that fails is
//! shrunk, and its seed is kept in `regressions/reference.txt`.

#![cfg(not(any(smd_loom, smd_shuttle)))]

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, FileFailurePersistence, RngAlgorithm, TestRunner};
use smd_lockfree::{Class, DEFAULT_DEPTH, Policy};
use std::cell::Cell;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use verify::reference::{Coverage, Finish, Op, ReceiveForm, Script, SendForm, Setup, Via, run};

/// A run that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(600);

/// Few classes, so that messages and masks meet: one of each kind of bit.
fn one_class() -> impl Strategy<Value = Class> {
    select(vec![
        Class::INTERACTION,
        Class::NETWORK,
        Class::from_bits(1 << 10),
        Class::USER0,
        Class::USER7,
    ])
}

fn class() -> impl Strategy<Value = Class> {
    prop_oneof![
        60 => one_class(),
        30 => (one_class(), one_class()).prop_map(|(a, b)| a | b),
        3 => Just(Class::ALL),
        1 => Just(Class::NONE),
    ]
}

/// The boundaries of a record and of a payload, and what lies between.
fn len() -> impl Strategy<Value = u16> {
    prop_oneof![
        4 => 0..=40_u16,
        2 => 0..=384_u16,
        2 => select(vec![0, 1, 7, 8, 15, 16, 17, 383, 384]),
        1 => Just(385_u16),
    ]
}

fn via() -> impl Strategy<Value = Via> {
    prop_oneof![1 => Just(Via::Bus), 3 => any::<u8>().prop_map(Via::Sender)]
}

fn depth() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![
        10 => (1..=8_u32).prop_map(Some),
        4 => select(vec![None, Some(40), Some(300)]),
        1 => select(vec![Some(0), Some(smd_lockfree::MAX_DEPTH + 1)]),
    ]
}

fn sending() -> impl Strategy<Value = Op> {
    use SendForm::{Format, From, Plain, Poll, Value, Wait};
    let form = select(vec![Plain, Plain, Plain, From, Format, Value, Wait, Poll]);
    prop_oneof![
        10 => (via(), form, class(), len())
            .prop_map(|(via, form, class, len)| Op::Send { via, form, class, len }),
        4 => (via(), one_class(), len(), prop_oneof![4 => 1..=60_u16, 1 => 60..=400_u16])
            .prop_map(|(via, class, len, count)| Op::SendMany { via, class, len, count }),
        4 => (any::<u8>(), vec((class(), len()), 0..24))
            .prop_map(|(sender, messages)| Op::Batch { sender, messages }),
    ]
}

fn handles() -> impl Strategy<Value = Op> {
    let policy = select(vec![Policy::Backpressure, Policy::Lag]);
    let flags = (any::<bool>(), 0..8_u8, 0..4_u8, any::<bool>());
    let register = (class(), policy, depth(), flags).prop_map(
        |(mask, policy, depth, (exclude_own, retained, bridge, descriptor))| {
            let (retained, bridge) = (retained > 0, bridge == 0);
            Op::Register { mask, policy, depth, exclude_own, retained, bridge, descriptor }
        },
    );
    let of = option::of(any::<u8>());
    prop_oneof![
        8 => register,
        6 => (any::<u8>(), class())
            .prop_map(|(participant, mask)| Op::SetMask { participant, mask }),
        1 => any::<u8>().prop_map(|participant| Op::Leave { participant }),
        1 => any::<u8>().prop_map(|participant| Op::LeaveByHandle { participant }),
        1 => any::<u8>().prop_map(|participant| Op::DropParticipant { participant }),
        3 => of.prop_map(|of| Op::NewSender { of }),
        1 => any::<u8>().prop_map(|sender| Op::CloneSender { sender }),
        1 => any::<u8>().prop_map(|sender| Op::DropSender { sender }),
    ]
}

fn receiving() -> impl Strategy<Value = Op> {
    use ReceiveForm::{Blocking, Poll, Spinning, Timeout, Try};
    let form = select(vec![Try, Try, Timeout, Blocking, Spinning, Poll]);
    prop_oneof![
        10 => (any::<u8>(), form, 0..4_u8).prop_map(|(participant, form, keep)| Op::Receive {
            participant,
            form,
            keep: keep == 0,
        }),
        5 => (any::<u8>(), option::of(0..12_u16))
            .prop_map(|(participant, max)| Op::Drain { participant, max }),
        3 => any::<u8>().prop_map(|participant| Op::Exhaust { participant }),
        1 => any::<u8>().prop_map(|kept| Op::DropKept { kept }),
        4 => (0..13_u8).prop_map(|millis| Op::Advance { millis }),
    ]
}

fn retaining() -> impl Strategy<Value = Op> {
    let key = prop_oneof![
        3 => Just(None),
        3 => (1..=3_u8).prop_map(Some),
        1 => select(vec![Some(0), Some(32), Some(33)]),
    ];
    let entry = || any::<u8>();
    prop_oneof![
        3 => (prop_oneof![12 => one_class().boxed(), 1 => class().boxed()], key)
            .prop_map(|(class, key)| Op::Retain { class, key }),
        5 => (entry(), len()).prop_map(|(entry, len)| Op::RetainedSend { entry, len }),
        1 => entry().prop_map(|entry| Op::RetainedClear { entry }),
        1 => entry().prop_map(|entry| Op::DropRetained { entry }),
    ]
}

fn flat() -> impl Strategy<Value = Op> {
    prop_oneof![
        160 => sending(),
        100 => handles(),
        200 => receiving(),
        50 => retaining(),
        // After it little happens, so rarely.
        1 => select(vec![Op::Close, Op::DropBus, Op::DropBus]),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let finish = select(vec![Finish::Send, Finish::Send, Finish::Drop, Finish::Forget]);
    let draft = (via(), class(), len(), option::of(0..400_u16), vec(flat(), 0..4), finish)
        .prop_map(|(via, class, len, truncate, between, finish)| Op::Draft {
            via,
            class,
            len,
            truncate,
            between,
            finish,
        });
    prop_oneof![14 => flat().boxed(), 1 => draft.boxed()]
}

fn script() -> impl Strategy<Value = Script> {
    let setup = (
        select(vec![1, 2, 3, 8, 64, DEFAULT_DEPTH]),
        any::<bool>(),
        8..=16_usize,
        1..=6_usize,
        1..=6_usize,
        any::<u8>(),
    );
    let setup = setup.prop_map(
        |(depth, expires, max_segments, retained_limit, max_participants, teardown)| Setup {
            depth,
            expires,
            max_segments,
            retained_limit,
            max_participants,
            teardown,
        },
    );
    (setup, vec(op(), 1..200)).prop_map(|(setup, ops)| Script { setup, ops })
}

fn cases() -> u32 {
    std::env::var("SMD_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000)
}

fn add(sum: &Cell<Coverage>, one: Coverage) {
    let mut all = sum.get();
    all.queued += one.queued;
    all.unwanted += one.unwanted;
    all.full += one.full;
    all.delivered += one.delivered;
    all.overflows += one.overflows;
    all.expiries += one.expiries;
    all.state += one.state;
    all.kept += one.kept;
    all.bytes += one.bytes;
    sum.set(all);
}

fn random_scripts() {
    let persistence = FileFailurePersistence::Direct("regressions/reference.txt");
    let config = Config {
        cases: cases(),
        failure_persistence: Some(Box::new(persistence)),
        max_shrink_iters: 20_000,
        // ChaCha without optimisation takes longer than all the buses together.
        rng_algorithm: RngAlgorithm::XorShift,
        ..Config::default()
    };
    let sum = Cell::new(Coverage::default());
    let result = TestRunner::new(config).run(&script(), |script| {
        let coverage = run(&script).map_err(|mismatch| TestCaseError::fail(mismatch.0))?;
        add(&sum, coverage);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    // A run in which the rare things did not happen has tested little.
    let sum = sum.get();
    let cases = u64::from(cases());
    println!("scripts: {cases} {sum:?}");
    for (what, count) in [
        ("queued", sum.queued / 20),
        ("unwanted", sum.unwanted / 10),
        ("full", sum.full),
        ("delivered", sum.delivered / 10),
        ("overflows", sum.overflows),
        ("expiries", sum.expiries),
        ("state", sum.state),
        ("kept", sum.kept),
        ("segments", sum.bytes / 4096 / 4),
    ] {
        assert!(count * 4 >= cases, "{what} happened too rarely in {cases} scripts: {sum:?}");
    }
}

/// Runs it in a thread of its own, so that a hang fails.
fn with_patience(body: fn()) {
    let (done, wait) = channel();
    let runner = std::thread::spawn(move || {
        body();
        // Nobody listens after a time-out; the test has failed by then.
        let _ = done.send(());
    });
    match wait.recv_timeout(PATIENCE) {
        Err(RecvTimeoutError::Timeout) => panic!("it hangs"),
        _ => runner.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
    }
}

#[test]
fn the_bus_does_what_the_model_says() {
    with_patience(random_scripts);
}

#[test]
fn scripts_from_bytes_run_as_well() {
    with_patience(|| {
        println!("scripts: 300");
        let mut word = 1_u64;
        for seed in 0..300_u64 {
            let bytes: Vec<u8> = (0..900)
                .map(|_| {
                    word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed | 1);
                    (word >> 56) as u8
                })
                .collect();
            let script = Script::from_bytes(&bytes);
            assert!(script.ops.len() > 50, "{} operations only", script.ops.len());
            if let Err(mismatch) = run(&script) {
                panic!("seed {seed}: {mismatch}\n{script:#?}");
            }
        }
    });
}
