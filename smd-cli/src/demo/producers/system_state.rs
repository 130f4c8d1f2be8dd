//! The system states that are true right now, as SYSTEM_STATE: `{"state":"NAME"}`, the last one
//! retained for late joiners.
//!
//! The names are the well-known ones, in the order in which a device reaches them. Only those are
//! published that this process can prove; nothing here says that a policy is valid or that the device
//! is registered.

use std::path::Path;
use std::time::{Duration, SystemTime};

use smd_lockfree::Class;

use super::interfaces;
use crate::demo::console::note;
use crate::demo::publisher::Publisher;
use crate::demo::stop::Stop;

/// A state that can be proven here, in the order in which a device reaches them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// The bus exists.
    ContextCreated,
    /// All parts of this service are started.
    Initialized,
    /// The kernel lists interfaces.
    IfaceColdplug,
    /// An address exists that reaches beyond the link, given by DHCP or otherwise.
    Dhcp,
    /// The clock has been set; see [`time_is_valid`].
    TimeValid,
}

impl State {
    fn payload(self) -> &'static [u8] {
        match self {
            State::ContextCreated => br#"{"state":"CONTEXT_CREATED"}"#,
            State::Initialized => br#"{"state":"INITIALIZED"}"#,
            State::IfaceColdplug => br#"{"state":"IFACE_COLDPLUG"}"#,
            State::Dhcp => br#"{"state":"DHCP"}"#,
            State::TimeValid => br#"{"state":"TIME_VALID"}"#,
        }
    }
}

/// Publishes until the run ends.
pub(crate) fn run(publisher: &Publisher, stop: &Stop, period: Duration) {
    let retained = match publisher.bus().retain(Class::SYSTEM_STATE) {
        Ok(retained) => retained,
        Err(error) => return note(format_args!("no system states: {error}")),
    };
    let mut before = Vec::new();
    loop {
        let now = true_now();
        let states = to_publish(&before, &now);
        if states.iter().all(|state| publisher.send_state(&retained, state.payload()).is_ok()) {
            before = now;
        }
        if stop.wait(period) {
            return;
        }
    }
}

/// The states that are true, in order.
fn true_now() -> Vec<State> {
    let mut states = vec![State::ContextCreated, State::Initialized];
    if !interfaces::links().is_empty() {
        states.push(State::IfaceColdplug);
    }
    if interfaces::addresses().iter().any(interfaces::Address::is_global) {
        states.push(State::Dhcp);
    }
    if time_is_valid() {
        states.push(State::TimeValid);
    }
    states
}

/// Those that became true, in order. The retained one is the last one published, so the highest of
/// all follows when it is another: after a fall back, or when a lower state came late.
fn to_publish(before: &[State], now: &[State]) -> Vec<State> {
    let new = now.iter().filter(|state| !before.contains(state));
    let mut states: Vec<State> = new.copied().collect();
    let highest = now.last().copied();
    let kept = states.last().or(before.last()).copied();
    if kept != highest {
        states.extend(highest);
    }
    states
}

/// Whether the clock has been set.
///
/// The kernel's own flag takes a system call that has no safe wrapper in the crates used here. What
/// stands in for it: systemd's time service leaves a file once it has synchronised the clock, and,
/// as a fallback, a clock that does not lie before the day on which this program was built (its
/// file's date, at least 2024) has been set since the machine's start or by its hardware clock. A
/// clock that was never set starts in 1970 or at its firmware's date.
fn time_is_valid() -> bool {
    /// 2024-01-01T00:00:00Z.
    const FLOOR: Duration = Duration::from_secs(1_704_067_200);

    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return true;
    }
    let now = SystemTime::now();
    let program = std::env::current_exe().and_then(|path| path.metadata()?.modified());
    now >= SystemTime::UNIX_EPOCH + FLOOR && program.is_ok_and(|built| now >= built)
}

#[cfg(test)]
mod tests {
    use super::State::{ContextCreated, Dhcp, IfaceColdplug, Initialized, TimeValid};
    use super::*;

    #[test]
    fn new_states_are_published_in_order_and_once() {
        let now = [ContextCreated, Initialized, IfaceColdplug];
        assert_eq!(to_publish(&[], &now), now);
        assert!(to_publish(&now, &now).is_empty());
        let more = [ContextCreated, Initialized, IfaceColdplug, Dhcp];
        assert_eq!(to_publish(&now, &more), [Dhcp]);
    }

    #[test]
    fn the_last_one_published_is_the_highest() {
        let late = [ContextCreated, Initialized, IfaceColdplug, TimeValid];
        let all = [ContextCreated, Initialized, IfaceColdplug, Dhcp, TimeValid];
        assert_eq!(to_publish(&late, &all), [Dhcp, TimeValid]);
        assert_eq!(to_publish(&all, &all[..4]), [Dhcp]);
        assert!(to_publish(&all, &late).is_empty());
    }

    #[test]
    fn the_payload_is_the_well_known_one() {
        assert_eq!(Dhcp.payload(), br#"{"state":"DHCP"}"#);
        let names = ["CONTEXT_CREATED", "INITIALIZED", "IFACE_COLDPLUG", "DHCP", "TIME_VALID"];
        for (state, name) in
            [ContextCreated, Initialized, IfaceColdplug, Dhcp, TimeValid].into_iter().zip(names)
        {
            let value: serde_json::Value = serde_json::from_slice(state.payload()).unwrap();
            assert_eq!(value, serde_json::json!({ "state": name }));
        }
    }
}
