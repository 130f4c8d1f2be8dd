//! Measurements of the bus beside what a user would pick instead, in one process.
//!
//! ```text
//!   src/main.rs           `smd-bench quick`          benches/report.rs   the full run
//!         `-------------- driver: what runs, and for how long -----------'
//!                            |
//!   workload/             what is done in a round; `workload::all` is the table of it
//!   limits/               what the machine allows, as one scenario more of that table
//!        |        \
//!   peers/         recorder    one trait per rival; rounds in random order
//!        |            |
//!   payload, probe, machine, alloc        report: rows, targets, pages, plots, JSON
//!
//!   benches/clock.rs      drift: the bus's clock beside the system's
//!   benches/counts.rs     counts: instructions under valgrind, beside the stored ones
//! ```
//!
//! The same workload runs over every peer, with the same payload, the same stamp and the same reader, and every
//! round checks that nothing was lost, that the order was right and that the bytes were right. Rounds are short and
//! take turns in random order, so that what the host does to the machine falls on all sides alike. A round over two
//! threads is framed by two probes of the distance between the two processors; see [`probe`].
//!
//! Without the feature `peers`, which is on by default, there is only what looks at the bus alone: `counts`, `drift` and
//! their benches. Two peers are behind features of their own, since they are heavy or want something installed:
//! `iceoryx2`, and `lws`, which is `lws_smd` of libwebsockets (on Debian: `apt-get install -y gcc libwebsockets-dev`).

#![deny(unsafe_code)]

pub mod alloc;
pub mod counts;
#[cfg(target_os = "linux")]
pub mod drift;
#[cfg(feature = "peers")]
pub mod driver;
#[cfg(feature = "peers")]
pub mod limits;
pub mod machine;
pub mod payload;
#[cfg(feature = "peers")]
pub mod peers;
#[cfg(feature = "peers")]
pub mod probe;
#[cfg(feature = "peers")]
pub mod readme;
#[cfg(feature = "peers")]
pub mod recorder;
#[cfg(feature = "peers")]
pub mod report;
pub mod scene;
#[cfg(feature = "peers")]
pub mod side;
#[cfg(feature = "peers")]
pub mod workload;
