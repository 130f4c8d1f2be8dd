use super::*;
use crate::limits::*;
use std::error::Error;

#[test]
fn texts_name_the_limit() {
    let names = |error: &dyn Error, limit: &str| {
        let text = error.to_string();
        assert!(text.contains(limit), "{text} does not name {limit}");
    };
    names(&SendError::check_len(MAX_PAYLOAD + 1).unwrap_err(), "384");
    names(&RegisterError::check_depth(0).unwrap_err(), "1 to 1048576");
    names(&RegisterError::TooManyParticipants { max: MAX_PARTICIPANTS }, "65535");
    names(&RetainError::check_key(&[0; MAX_KEY + 1]).unwrap_err(), "1 to 32");
    names(&RetainError::TooMany { max: DEFAULT_RETAINED_LIMIT }, "1024");
    names(&NameError::TooLong { len: 32, max: MAX_NAME }, "31");
    names(&BuildError::check_depth(MAX_DEPTH + 1).unwrap_err(), "1 to 1048576");
    names(&BuildError::check_time_to_live(Duration::ZERO).unwrap_err(), "1ms to 86400s");
    names(&BuildError::check_participants(0).unwrap_err(), "1 to 65535");
    names(&BuildError::check_retained_limit(usize::MAX).unwrap_err(), "65536");
    names(&BuildError::SegmentBytes { given: 1, min: 4096, max: 65_536 }, "4096 to 65536");
}

#[test]
fn limits_are_inclusive() {
    assert_eq!(SendError::check_len(MAX_PAYLOAD), Ok(()));
    for depth in [1, MAX_DEPTH] {
        assert_eq!(
            (RegisterError::check_depth(depth), BuildError::check_depth(depth)),
            (Ok(()), Ok(()))
        );
    }
    for key in [&[0; 1][..], &[0; MAX_KEY]] {
        assert_eq!(RetainError::check_key(key), Ok(()));
    }
    assert_eq!(RetainError::check_key(&[]), Err(RetainError::Key { len: 0, max: MAX_KEY }));
    for time in [MIN_TIME_TO_LIVE, MAX_TIME_TO_LIVE] {
        assert_eq!(BuildError::check_time_to_live(time), Ok(()));
    }
    let over = MAX_TIME_TO_LIVE + Duration::from_nanos(1);
    assert!(BuildError::check_time_to_live(over).is_err());
    for number in [1, MAX_PARTICIPANTS] {
        assert_eq!(BuildError::check_participants(number), Ok(()));
    }
    for number in [0, MAX_RETAINED_LIMIT] {
        assert_eq!(BuildError::check_retained_limit(number), Ok(()));
    }
}

#[test]
fn retained_state_belongs_to_one_class() {
    let both = Class::NETWORK | Class::METRICS;
    assert_eq!(RetainError::check_class(Class::USER7), Ok(()));
    assert_eq!(RetainError::check_class(Class::NONE), Err(RetainError::EmptyClass));
    assert_eq!(RetainError::check_class(both), Err(RetainError::NotOneClass { class: both }));
}

#[test]
fn causes_are_sources_and_not_said_twice() {
    let error = SendError::Encode(PayloadError::Truncated);
    let cause = error.source().expect("a cause").to_string();
    assert_eq!(cause, PayloadError::Truncated.to_string());
    assert!(!error.to_string().contains(&cause));
    assert!(RegisterError::from(NameError::Empty).source().is_some());
    assert!(BuildError::from(NameError::Control).source().is_some());
    assert!(SendError::Closed.source().is_none());
}

#[test]
fn a_lag_reads_as_a_sentence() {
    let classes = Class::NETWORK | Class::USER0;
    let lag = Lag { count: 3, classes, first: 5, last: 9, reason: LagReason::Expired };
    assert_eq!(
        RecvError::Lagged(lag).to_string(),
        "lost 3 messages of NETWORK|user0, numbers 5 to 9: older than the time to live"
    );
}
