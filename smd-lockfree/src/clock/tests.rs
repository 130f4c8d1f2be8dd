use super::*;

#[test]
fn manual_starts_at_one_second_and_moves_only_by_hand() {
    let (clock, hand) = Clock::manual();
    assert_eq!(clock.now(), Timestamp::from_nanos(1_000_000_000));
    assert_eq!(clock.now(), hand.now());
    hand.advance(Duration::from_micros(3));
    assert_eq!(clock.clone().now().nanos(), 1_000_003_000);
    hand.clone().set(Timestamp::from_nanos(7));
    assert_eq!(clock.now().nanos(), 7);
}

#[test]
fn manual_is_never_zero_and_does_not_wrap() {
    let (clock, hand) = Clock::manual();
    hand.set(Timestamp::from_nanos(0));
    assert_eq!(clock.now().nanos(), 1);
    hand.advance(Duration::MAX);
    hand.advance(Duration::from_secs(1));
    assert_eq!(clock.now().nanos(), u64::MAX);
}

#[test]
fn timestamp_units() {
    let (early, late) = (Timestamp::from_nanos(1_999), Timestamp::from_nanos(5_000));
    assert_eq!((early.micros(), late.micros()), (1, 5));
    assert_eq!(late.saturating_since(early), Duration::from_nanos(3_001));
    assert_eq!(early.saturating_since(late), Duration::ZERO);
    assert!(early < late);
}

#[cfg(any(smd_loom, smd_shuttle))]
#[test]
fn real_time_stands_still_in_a_model() {
    let clock = Clock::real();
    assert_eq!(clock.now().nanos(), LOGICAL_START);
}

#[cfg(not(any(smd_loom, smd_shuttle)))]
mod real {
    use super::*;
    use crate::clock::system_time::monotonic_nanos;

    /// Generous: a busy machine may stop a test between two readings.
    const CLOSE: u64 = 500_000_000;
    /// The same for one step of a clock, and for what it gains in 20 ms.
    const STEP: Duration = Duration::from_millis(5);

    #[test]
    fn agrees_with_the_system() {
        let before = monotonic_nanos();
        let now = Clock::real().now().nanos();
        assert!(now.abs_diff(before) < CLOSE, "{now} against {before}");
    }

    #[test]
    fn goes_forward_and_keeps_pace() {
        let clock = Clock::real();
        let (start, system_start) = (clock.now(), monotonic_nanos());
        let mut last = start;
        while last.saturating_since(start) < Duration::from_millis(20) {
            let now = clock.now();
            // A correction may step back by its own error; along the order the claim words see to it
            // that no stamp does.
            assert!(last.saturating_since(now) < STEP, "{last:?}, then {now:?}");
            last = now;
        }
        let system = monotonic_nanos() - system_start;
        assert!(last.saturating_since(start) <= Duration::from_nanos(system) + STEP);
    }

    #[test]
    fn all_real_clocks_are_one() {
        let (Source::Real(first), Source::Real(second)) = (Clock::real().0, Clock::real().0) else {
            panic!("a real clock is real")
        };
        assert!(core::ptr::eq(first, second));
    }
}
