//! What single steps cost on one thread that nobody disturbs.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::{self, black_box};
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Instant;

use smd_lockfree::Clock;

use super::side;
use crate::recorder::{Contestant, on_this_thread};

const STEPS: u64 = 1024;
