//! Single edges, under loom.
#![cfg(smd_loom)]

use smd_lockfree::__edges::{log, registry, wait};
use verify::model::Model;
use verify::scenarios::edge::{then, together};

#[test]
fn arena_pool() {
    Model::new("edge arena.pool")
        .preemptions(3)
        .reaches(&["frame reused"])
        .check(|| together(log::pool()));
}

#[test]
fn frame_last() {
    Model::new("edge frame.last").preemptions(3).check(|| together(log::last_reference()));
}

#[test]
fn frame_refs() {
    Model::new("edge frame.refs").preemptions(3).check(|| then(log::new_life()));
}

#[test]
fn log_end() {
    Model::new("edge log.end").preemptions(3).check(|| then(log::end()));
}

#[test]
fn log_complete() {
    Model::new("edge log.complete").preemptions(3).check(|| then(log::complete()));
}

#[test]
fn log_install() {
    Model::new("edge log.install")
        .preemptions(3)
        .reaches(&["installed by the loser"])
        .check(|| then(log::install()));
}

#[test]
fn log_low() {
    Model::new("edge log.low").preemptions(3).check(|| then(log::low()));
}

#[test]
fn log_retire() {
    Model::new("edge log.retire").reaches(&["segment retired"]).check(|| then(log::retirers()));
}

#[test]
fn spill_push() {
    Model::new("edge spill.push").preemptions(3).check(|| then(log::push()));
}

#[test]
fn spill_take() {
    Model::new("edge spill.take").preemptions(3).reaches(&["trimmed"]).check(|| then(log::trim()));
}

#[test]
fn trim_against_take() {
    Model::new("trim against take")
        .preemptions(3)
        .reaches(&["trimmed", "taken under a trim", "node trimmed under its taker"])
        .check(|| then(log::trim_against_take()));
}

#[test]
fn spill_ring() {
    Model::new("edge spill.ring").reaches(&["ring replaced"]).check(|| then(log::ring()));
}

#[test]
fn spill_takers() {
    Model::new("two takers").preemptions(3).check(|| then(log::takers()));
}

#[test]
fn registry_interest() {
    Model::new("edge registry.interest").preemptions(3).check(|| together(registry::interest()));
}

#[test]
fn registry_mask() {
    Model::new("edge registry.mask").preemptions(3).check(|| together(registry::mask()));
}

#[test]
fn registry_placed() {
    Model::new("edge registry.placed").preemptions(3).check(|| then(registry::placed()));
}

#[test]
fn registry_ids() {
    Model::new("edge registry.ids").preemptions(3).check(|| then(registry::ids()));
}

#[test]
fn registry_changes() {
    Model::new("two changes")
        .reaches(&["registry changed meanwhile"])
        .check(|| then(registry::changes()));
}

#[test]
fn wait_state() {
    Model::new("edge wait.state").preemptions(3).check(|| together(wait::notified()));
}

#[test]
fn wait_announce() {
    Model::new("edge wait.announce").preemptions(3).check(|| then(wait::announced()));
}

#[test]
fn wait_announced_meanwhile() {
    Model::new("announced meanwhile").preemptions(3).check(|| then(wait::announced_meanwhile()));
}
