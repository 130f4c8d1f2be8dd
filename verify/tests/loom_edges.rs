//! Single edges, under loom.
#![cfg(smd_loom)]

use smd_lockfree::__edges::{epoch, event_loop, interest, log, registry, retained, send, wait};
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
fn arena_far() {
    Model::new("edge arena.far")
        .preemptions(3)
        .reaches(&["far cells made", "frame reused", "frame freed"])
        .check(|| together(log::far()));
}

#[test]
fn arena_over() {
    Model::new("edge arena.over").preemptions(3).check(|| together(log::over()));
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
fn log_tail_stays() {
    Model::new("the tail stays")
        .preemptions(3)
        .reaches(&["segment retired"])
        .check(|| then(log::tail_stays()));
}

#[test]
fn log_window_end() {
    Model::new("an end of the window")
        .preemptions(3)
        .reaches(&["frame reused", "segment retired"])
        .check(|| together(log::window_end()));
}

/// The collector that ships, in its own form for loom. At 2 preemptions, as in a deep run, it is a
/// quarter of a million executions.
#[test]
fn epoch() {
    Model::new("retiring against a pin, with the shipped collector")
        .preemptions(1)
        .reaches(&["freed by the collector", "found while it was retired"])
        .check(|| together(epoch::retire_against_pin()));
}

#[test]
fn log_surplus() {
    Model::new("surplus frames")
        .preemptions(3)
        .reaches(&["frame freed"])
        .check(|| together(log::surplus()));
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
fn spill_stood() {
    Model::new("edge spill.stood")
        .reaches(&["handed over in the cell"])
        .check(|| then(log::stood()));
}

#[test]
fn spill_stood_counted() {
    Model::new("edge spill.stood, counted")
        .preemptions(3)
        .check(|| then(log::counted_in_its_cell()));
}

#[test]
fn spill_stand() {
    Model::new("edge spill.stand").quickly(1).reaches(&["trimmed"]).check(|| then(log::stand()));
}

#[test]
fn spill_standing() {
    Model::new("edge spill.standing")
        .quickly(1)
        .reaches(&["handed over in the cell"])
        .check(|| then(log::standing()));
}

#[test]
fn stuck_in_a_segment() {
    Model::new("stuck in a segment")
        .reaches(&["in the cell too", "trimmed"])
        .check(|| then(log::stuck_in_a_segment()));
}

#[test]
fn stuck_in_a_copied_segment() {
    Model::new("stuck in a copied segment")
        .reaches(&["in the cell too", "trimmed"])
        .check(|| then(log::stuck_in_a_copied_segment()));
}

#[test]
fn stuck_on_the_way_back() {
    Model::new("stuck on the way back")
        .reaches(&["trimmed"])
        .check(|| then(log::stuck_on_the_way_back()));
}

#[test]
fn overtaken_on_the_way_back() {
    Model::new("overtaken on the way back")
        .quickly(1)
        .reaches(&["in the cell too", "consumed node dropped"])
        .check(|| then(log::overtaken_on_the_way_back()));
}

#[test]
fn registry_progress() {
    Model::new("edge registry.progress").preemptions(3).check(|| then(log::counted_in_its_ring()));
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
fn registry_given() {
    Model::new("edge registry.given")
        .preemptions(3)
        .reaches(&["an identity came again"])
        .check(|| together(registry::given()));
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

#[test]
fn alert_calm() {
    Model::new("edge alert.calm")
        .preemptions(3)
        .reaches(&["calm", "settled"])
        .check(|| then(wait::alert::calm()));
}

#[test]
fn alert_settled() {
    Model::new("settled by one of two sleepers")
        .preemptions(3)
        .reaches(&["calm", "settled"])
        .check(|| then(wait::alert::settling()));
}

#[test]
fn alert_settled_late() {
    Model::new("settled late")
        .reaches(&["calm", "settled"])
        .check(|| then(wait::alert::settled_late()));
}

#[test]
fn alert_calming() {
    Model::new("calming against an announcement")
        .preemptions(3)
        .reaches(&["calm", "settled"])
        .check(|| then(wait::alert::calming()));
}

#[test]
fn wait_end() {
    Model::new("edge wait.end").preemptions(3).reaches(&["woken"]).check(|| then(wait::ended()));
}

#[test]
fn send_thread() {
    Model::new("edge send.thread")
        .preemptions(3)
        .reaches(&["slot taken over"])
        .check(|| then(send::thread()));
}

#[test]
fn retained_list() {
    Model::new("edge retained.list").preemptions(3).check(|| then(retained::list()));
}

#[test]
fn retained_kept() {
    Model::new("edge retained.kept")
        .preemptions(3)
        .reaches(&["state kept"])
        .check(|| then(retained::kept()));
}

#[test]
fn retained_forget() {
    Model::new("edge retained.forget")
        .preemptions(3)
        .reaches(&["state kept"])
        .check(|| then(retained::forgotten()));
}

#[test]
fn loop_ended() {
    Model::new("edge loop.ended").preemptions(3).check(|| then(event_loop::ended()));
}

#[test]
fn interest_list() {
    Model::new("edge interest.list")
        .preemptions(3)
        .reaches(&["observer found"])
        .check(|| then(interest::list()));
}

#[test]
fn interest_told() {
    Model::new("edge interest.told")
        .preemptions(2)
        .reaches(&["left to who tells"])
        .check(|| then(interest::told()));
}
