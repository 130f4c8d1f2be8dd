//! What single steps cost on one thread that nobody disturbs.

// The allocator is asked as the standard library asks it, but without the counter of this crate.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::{self, black_box};
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Instant;

use smd_lockfree::Clock;

use crate::recorder::{Contestant, on_this_thread};
use crate::side::{Mode, Scenario, Side};

/// Steps between two looks at the clock.
const STEPS: u64 = 1024;

/// Bytes of a message with its header, and some room.
const BLOCK: usize = 128;

pub(super) fn contestants(clock: &Clock) -> Vec<Contestant> {
    let clock = clock.clone();
    let counter = quanta::Clock::new();
    let (word, other) = (AtomicU64::new(0), AtomicU64::new(0));
    let fenced = AtomicU64::new(0);
    vec![
        cost("clock-now", move |_| {
            black_box(clock.now());
        }),
        cost("clock-raw", move |_| {
            black_box(counter.raw());
        }),
        cost("clock-system", |_| {
            black_box(Instant::now());
        }),
        cost("cas", move |_| {
            // RELAXED: nobody else looks at it; the claim of a message is such a step.
            let seen = word.load(Ordering::Relaxed);
            let swapped =
                word.compare_exchange(seen, seen + 1, Ordering::AcqRel, Ordering::Relaxed);
            black_box(swapped.is_ok());
        }),
        cost("fence", move |n| {
            // RELAXED: nobody else looks at them; what a sender does before it looks for sleepers.
            fenced.store(n, Ordering::Release);
            // FENCE limits.cost: nothing stands against it here; it is what is measured.
            fence(Ordering::SeqCst);
            // RELAXED: as above.
            black_box(other.load(Ordering::Relaxed));
        }),
        cost("pause", |_| hint::spin_loop()),
        cost("malloc", |_| {
            let layout = Layout::new::<[u8; BLOCK]>();
            // SAFETY: the layout has a size.
            let block = black_box(unsafe { System.alloc(layout) });
            if !block.is_null() {
                // SAFETY: a block of that layout from just now.
                unsafe { System.dealloc(block, layout) };
            }
        }),
    ]
}

/// Processor time of one step.
fn cost(name: &'static str, step: impl Fn(u64) + 'static) -> Contestant {
    let side = Side::new(Scenario::Limit, name, Mode::Single, 1);
    Contestant::new(side, move |span| {
        Ok(on_this_thread(span, || {
            (0..STEPS).for_each(&step);
            STEPS
        }))
    })
}
