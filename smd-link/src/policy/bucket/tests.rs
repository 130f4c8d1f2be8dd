use super::*;
use proptest::prelude::*;

fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

/// What came over a window: never more than `burst + rate x time`, for every pair of moments.
fn assert_bounded(rate: u32, burst: u32, taken: &[(u64, u32)]) {
    for (first, (from, _)) in taken.iter().enumerate() {
        let mut sum = 0u128;
        for (until, count) in &taken[first..] {
            sum += u128::from(*count);
            let nanos = u128::from(until - from);
            let most = u128::from(burst) * u128::from(BILLION) + nanos * u128::from(rate);
            assert!(
                sum * u128::from(BILLION) <= most,
                "{sum} of {rate}/s and {burst} in {nanos} ns"
            );
        }
    }
}

#[test]
fn a_full_bucket_gives_its_burst_and_then_its_rate() {
    let mut bucket = TokenBucket::new(1000, 3, at(5));
    for _ in 0..3 {
        assert_eq!(bucket.take(1, at(5)), Ok(()));
    }
    let shortage = Shortage { retry_at: Some(at(1_000_005)) };
    assert_eq!(bucket.take(1, at(5)), Err(shortage));
    assert_eq!(bucket.take(1, at(1_000_004)), Err(shortage));
    assert_eq!(bucket.take(1, at(1_000_005)), Ok(()));
    assert_eq!(bucket.take(1, at(1_000_005)), Err(Shortage { retry_at: Some(at(2_000_005)) }));
}

#[test]
fn what_can_never_be_has_no_time() {
    let mut bucket = TokenBucket::new(10, 3, at(0));
    assert_eq!(bucket.take(4, at(u64::MAX)), Err(Shortage { retry_at: None }), "over the burst");
    let mut still = TokenBucket::new(0, 1, at(0));
    assert_eq!(still.take(1, at(0)), Ok(()));
    assert_eq!(still.take(1, at(u64::MAX)), Err(Shortage { retry_at: None }), "no rate");
    assert_eq!(still.full_at(), None);
    let mut late = TokenBucket::new(1, 1, at(u64::MAX - 5));
    assert_eq!(late.take(1, at(u64::MAX - 5)), Ok(()));
    let never = Shortage { retry_at: None };
    assert_eq!(late.take(1, at(u64::MAX)), Err(never), "the clock ends before");
    let mut nothing = TokenBucket::new(u32::MAX, 0, at(0));
    assert_eq!(nothing.take(1, at(u64::MAX)), Err(never));
    assert_eq!(nothing.take(0, at(u64::MAX)), Ok(()));
}

#[test]
fn no_pause_is_too_long() {
    for rate in [1, 7, u32::MAX] {
        let mut bucket = TokenBucket::new(rate, u32::MAX, at(0));
        assert_eq!(bucket.take(u32::MAX, at(0)), Ok(()));
        assert_eq!(bucket.take(u32::MAX, at(u64::MAX)), Ok(()), "584 years at {rate}/s");
        assert!(bucket.take(1, at(u64::MAX)).is_err());
    }
}

#[test]
fn a_clock_that_steps_back_gains_and_loses_nothing() {
    let mut bucket = TokenBucket::new(1, 2, at(10 * BILLION));
    assert_eq!(bucket.take(2, at(10 * BILLION)), Ok(()));
    for nanos in [0, 9 * BILLION, 5 * BILLION, 10 * BILLION] {
        assert!(bucket.take(1, at(nanos)).is_err());
    }
    assert!(bucket.take(1, at(11 * BILLION - 1)).is_err());
    assert_eq!(bucket.take(1, at(11 * BILLION)), Ok(()));
}

#[test]
fn a_change_keeps_what_is_there_up_to_the_new_burst() {
    let mut bucket = TokenBucket::new(10, 10, at(0));
    bucket.set(5, 4, at(0));
    assert_eq!(bucket.take(5, at(0)), Err(Shortage { retry_at: None }));
    assert_eq!(bucket.take(4, at(0)), Ok(()));
    // A second at the old rate, then one at the new one.
    bucket.set(1, 100, at(BILLION));
    assert_eq!(bucket.take(4, at(BILLION)), Ok(()));
    assert!(bucket.take(2, at(2 * BILLION)).is_err());
    assert_eq!(bucket.take(1, at(2 * BILLION)), Ok(()));
    assert_eq!(bucket.full_at(), Some(at(102 * BILLION)));
}

#[test]
fn a_day_at_an_odd_rate_does_not_drift() {
    // The n-th token of seven a second is due after n/7 s, rounded up to a nanosecond. A bucket
    // that rounded each time would lose or gain almost a token in each billion of them, and be off
    // here.
    let mut bucket = TokenBucket::new(7, 3, at(0));
    // Two of three: it is never full again, so nothing is cut off.
    assert_eq!(bucket.take(2, at(0)), Ok(()));
    for n in 1..=7 * 24 * 3600 {
        let due = (n * BILLION).div_ceil(7);
        assert_eq!(bucket.take(1, at(due)), Ok(()), "token {n}");
    }
    // Exactly one is left.
    let end = 24 * 3600 * BILLION;
    assert_eq!(bucket.take(1, at(end)), Ok(()));
    let shortage = Shortage { retry_at: Some(at(end + BILLION.div_ceil(7))) };
    assert_eq!(bucket.take(1, at(end)), Err(shortage));
}

proptest! {
    #[test]
    fn never_more_than_rate_and_burst_over_any_window(
        rate in prop_oneof![0u32..50, 1u32..2_000_000_000],
        burst in 0u32..20,
        asks in prop::collection::vec((0u64..2_000_000_000, 0u32..5), 1..120),
    ) {
        let mut bucket = TokenBucket::new(rate, burst, at(7));
        let (mut now, mut taken) = (7u64, Vec::new());
        for (pause, count) in asks {
            now += pause;
            if bucket.take(count, at(now)).is_ok() {
                taken.push((now, count));
            }
        }
        assert_bounded(rate, burst, &taken);
    }

    #[test]
    fn a_retry_passes_at_its_time_and_not_a_nanosecond_before(
        rate in 1u32..=u32::MAX,
        burst in 1u32..1000,
        count in 1u32..1000,
        start in 0u64..(1 << 62),
    ) {
        let mut bucket = TokenBucket::new(rate, burst, at(start));
        prop_assert_eq!(bucket.take(burst, at(start)), Ok(()));
        match bucket.take(count, at(start)).unwrap_err().retry_at {
            None => prop_assert!(count > burst),
            Some(time) => {
                prop_assert!(bucket.clone().take(count, at(time.nanos() - 1)).is_err());
                prop_assert_eq!(bucket.take(count, time), Ok(()));
            }
        }
    }

    #[test]
    fn who_asks_evenly_is_never_refused(
        rate in 1u32..=1_000_000_000,
        burst in 1u32..4,
        start in 0u64..(1 << 62),
        more in prop::collection::vec(0u64..3, 500),
    ) {
        let step = BILLION.div_ceil(u64::from(rate));
        let (mut even, mut rounded) =
            (TokenBucket::new(rate, burst, at(start)), TokenBucket::new(rate, burst + 1, at(start)));
        let mut now = start;
        for (n, more) in more.into_iter().enumerate() {
            // Never sooner than `1/rate` after the one before.
            prop_assert_eq!(even.take(1, at(now)), Ok(()), "ask {}", n);
            now += step + more;
            // The n-th at `n/rate`, in whole nanoseconds: some are a part of one too soon after the
            // one before, which a burst of two bears.
            let due = (n as u64 * BILLION).div_ceil(u64::from(rate));
            prop_assert_eq!(rounded.take(1, at(start + due)), Ok(()), "ask {}", n);
        }
    }

    #[test]
    fn who_always_asks_gets_all_that_there_is(
        rate in 1u32..=1_000_000_000,
        burst in 2u32..50,
        pauses in prop::collection::vec(any::<prop::sample::Index>(), 1..200),
    ) {
        let mut bucket = TokenBucket::new(rate, burst, at(0));
        let most = u64::from(burst - 1) * BILLION / u64::from(rate);
        let (mut now, mut given) = (0u64, 0u128);
        for pause in pauses {
            while bucket.take(1, at(now)).is_ok() {
                given += 1;
            }
            let all = u128::from(burst) * u128::from(BILLION) + u128::from(now) * u128::from(rate);
            prop_assert_eq!(given, all / u128::from(BILLION));
            // No longer than the burst can hold.
            now += pause.index(most as usize + 1) as u64;
        }
    }

    #[test]
    fn looking_changes_nothing(
        rate in 1u32..1000,
        burst in 1u32..10,
        looks in prop::collection::vec(0u64..10_000_000_000, 0..50),
    ) {
        let end = at(20_000_000_000);
        let mut quiet = TokenBucket::new(rate, burst, at(0));
        prop_assert_eq!(quiet.take(burst, at(0)), Ok(()));
        let mut watched = quiet.clone();
        let mut looks = looks;
        looks.sort_unstable();
        for look in looks {
            let _ = watched.check(1, at(look));
        }
        let _ = (quiet.check(0, end), watched.check(0, end));
        prop_assert_eq!(quiet, watched);
    }
}
