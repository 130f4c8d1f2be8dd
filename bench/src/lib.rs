//! Measurements of the bus beside what a user would pick instead, in one process.
//!
//! ```text
//!   src/main.rs           `smd-bench quick`          benches/report.rs   the full run
//!         `-------------- driver: what runs, and for how long -----------'
//!                            |
//!   workload/             what is done in a round; `workload::all` is the table of it
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
//! Two peers are behind features, since they are heavy or want something installed: `iceoryx2`, and `lws`, which is
//! `lws_smd` of libwebsockets (on Debian: `apt-get install -y gcc libwebsockets-dev`).

#![deny(unsafe_code)]

pub mod alloc;
pub mod counts;
#[cfg(target_os = "linux")]
pub mod drift;
pub mod driver;
pub mod limits;
pub mod machine;
pub mod payload;
pub mod peers;
pub mod probe;
pub mod readme;
pub mod recorder;
pub mod report;
pub mod scene;
pub mod side;
pub mod workload;
