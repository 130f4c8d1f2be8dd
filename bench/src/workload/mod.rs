//! What is done in a round. Each function gives one or more sides of one workload.

pub mod one_thread;
pub mod two_threads;
pub mod uninterested;
pub mod unwanted;
