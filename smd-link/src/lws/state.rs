//! The states of a stream as a client is told of them, and which may follow which.

use core::fmt;

/// The state of a stream (section 2, "State numbers").
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct State(u32);

/// What may follow, as a set of bits, by the number of the last state; 0 is the beginning. Section
/// 5.4.
const MAY_FOLLOW: [u32; 17] = [
    set(&[1, 7]),
    set(&[6, 14, 8, 16, 7]),
    set(&[6, 5, 14, 8, 7, 3]),
    set(&[9, 14, 8, 3, 6, 5, 7]),
    set(&[9, 14, 6, 7]),
    set(&[16, 15, 4, 10, 11, 12, 13, 2, 14, 6, 8, 7]),
    set(&[3, 4, 6, 5, 10, 11, 14, 8, 9, 2, 7]),
    set(&[]),
    set(&[6, 14, 9, 7]),
    set(&[6, 8, 14, 3, 7]),
    set(&[2, 14, 6, 10, 11, 7]),
    set(&[2, 14, 10, 11, 7]),
    set(&[2, 14, 7]),
    set(&[7, 14]),
    set(&[6, 5, 10, 11, 8, 14, 2, 3, 7]),
    set(&[2, 14, 15, 7]),
    set(&[16, 15, 14, 2, 7]),
];

const fn set(states: &[u32]) -> u32 {
    let (mut bits, mut next) = (0, 0);
    while next < states.len() {
        bits |= 1 << states[next];
        next += 1;
    }
    bits
}

const NAMES: [&str; 17] = [
    "none",
    "creating",
    "disconnected",
    "unreachable",
    "authentication failed",
    "connected",
    "connecting",
    "destroying",
    "poll",
    "all retries failed",
    "acknowledged remotely",
    "refused remotely",
    "acknowledged locally",
    "refused locally",
    "time-out",
    "server transaction",
    "server upgrade",
];

impl State {
    /// The stream was made.
    pub const CREATING: State = State(1);
    /// The link behind the proxy is gone; the socket stays.
    pub const DISCONNECTED: State = State(2);
    /// The link behind the proxy cannot be made.
    pub const UNREACHABLE: State = State(3);
    /// The proxy was refused.
    pub const AUTH_FAILED: State = State(4);
    /// Messages may be sent.
    pub const CONNECTED: State = State(5);
    /// Comes before [`CONNECTED`](State::CONNECTED), always.
    pub const CONNECTING: State = State(6);
    /// The stream ends.
    pub const DESTROYING: State = State(7);
    /// The time-out that the client has set has come; nothing else changes.
    pub const TIMEOUT: State = State(14);
    /// The first of those that belong to the user.
    pub const USER: State = State(1000);

    /// The state with this number; every number is one.
    pub const fn new(number: u32) -> State {
        State(number)
    }

    /// The number.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Whether it belongs to the user: such a state changes nothing and may come at any time.
    pub const fn is_user(self) -> bool {
        self.0 >= State::USER.0
    }

    /// Whether a proxy may tell of it: 1 to 16.
    pub const fn is_known(self) -> bool {
        1 <= self.0 && self.0 < MAY_FOLLOW.len() as u32
    }

    /// Whether a client may be told of this state after `last`, or as the first one. A state that
    /// is not known, and one that belongs to the user, follows none and is followed by none.
    pub fn may_follow(self, last: Option<State>) -> bool {
        let last = last.map_or(0, State::number);
        let followers = usize::try_from(last).ok().and_then(|last| MAY_FOLLOW.get(last));
        self.is_known() && followers.is_some_and(|set| set >> self.0 & 1 == 1)
    }
}

/// `connected (5)`; `user (1000)` and `unknown (99)` for those without a name.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = usize::try_from(self.0).ok().and_then(|number| NAMES.get(number));
        let name = known.copied().unwrap_or(if self.is_user() { "user" } else { "unknown" });
        write!(f, "{name} ({})", self.0)
    }
}

/// As `Display`.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_is_what_section_5_4_says() {
        // Each line of the section, from the text.
        let lines: [(u32, &[u32]); 8] = [
            (0, &[1, 7]),
            (1, &[6, 14, 8, 16, 7]),
            (6, &[3, 4, 6, 5, 10, 11, 14, 8, 9, 2, 7]),
            (5, &[16, 15, 4, 10, 11, 12, 13, 2, 14, 6, 8, 7]),
            (2, &[6, 5, 14, 8, 7, 3]),
            (3, &[9, 14, 8, 3, 6, 5, 7]),
            (14, &[6, 5, 10, 11, 8, 14, 2, 3, 7]),
            (7, &[]),
        ];
        for (last, next) in lines {
            let before = (last > 0).then_some(State::new(last));
            for number in (0..100).chain([999, 1000, 1001, u32::MAX]) {
                let state = State::new(number);
                assert_eq!(state.may_follow(before), next.contains(&number), "{last} -> {number}");
            }
        }
        for last in [17, 18, 99, 1000, u32::MAX] {
            assert!(!State::CONNECTING.may_follow(Some(State::new(last))), "{last}");
        }
    }

    #[test]
    fn every_known_state_but_the_last_may_end_or_run_into_its_time_out() {
        for number in (1..17).filter(|&number| number != 7) {
            for next in [State::DESTROYING, State::TIMEOUT] {
                assert!(next.may_follow(Some(State::new(number))), "{number} -> {next}");
            }
        }
    }

    #[test]
    fn states_have_names() {
        assert_eq!(State::CONNECTED.to_string(), "connected (5)");
        assert_eq!(format!("{:?}", State::TIMEOUT), "time-out (14)");
        assert_eq!(State::new(99).to_string(), "unknown (99)");
        assert_eq!(State::new(1007).to_string(), "user (1007)");
        let known: Vec<u32> = (0..2000).filter(|&n| State::new(n).is_known()).collect();
        assert_eq!(known, (1..17).collect::<Vec<_>>());
    }
}
