//! The checks of the plain limits, so that each is compared in one place only.

use super::*;
use crate::limits::{
    MAX_DEPTH, MAX_KEY, MAX_PARTICIPANTS, MAX_PAYLOAD, MAX_RETAINED_LIMIT, MAX_TIME_TO_LIVE,
    MIN_TIME_TO_LIVE,
};

impl SendError {
    /// # Errors
    ///
    /// `TooLong` above [`MAX_PAYLOAD`] bytes.
    #[inline]
    pub(crate) const fn check_len(len: usize) -> Result<(), SendError> {
        if len > MAX_PAYLOAD {
            return Err(SendError::TooLong { len, max: MAX_PAYLOAD });
        }
        Ok(())
    }
}

impl RegisterError {
    /// # Errors
    ///
    /// `Depth` unless it is 1 to [`MAX_DEPTH`].
    pub(crate) const fn check_depth(depth: u32) -> Result<(), RegisterError> {
        match depth {
            1..=MAX_DEPTH => Ok(()),
            _ => Err(RegisterError::Depth { depth, max: MAX_DEPTH }),
        }
    }
}

impl RetainError {
    /// # Errors
    ///
    /// `EmptyClass` or `NotOneClass` unless exactly one bit is set.
    pub(crate) const fn check_class(class: Class) -> Result<(), RetainError> {
        match class.bits().count_ones() {
            0 => Err(RetainError::EmptyClass),
            1 => Ok(()),
            _ => Err(RetainError::NotOneClass { class }),
        }
    }

    /// # Errors
    ///
    /// `Key` unless it has 1 to [`MAX_KEY`] bytes.
    pub(crate) const fn check_key(key: &[u8]) -> Result<(), RetainError> {
        match key.len() {
            1..=MAX_KEY => Ok(()),
            len => Err(RetainError::Key { len, max: MAX_KEY }),
        }
    }
}

impl BuildError {
    /// # Errors
    ///
    /// `TimeToLive` unless it is [`MIN_TIME_TO_LIVE`] to [`MAX_TIME_TO_LIVE`].
    pub(crate) fn check_time_to_live(given: Duration) -> Result<(), BuildError> {
        let (min, max) = (MIN_TIME_TO_LIVE, MAX_TIME_TO_LIVE);
        if given < min || given > max {
            return Err(BuildError::TimeToLive { given, min, max });
        }
        Ok(())
    }

    /// # Errors
    ///
    /// `Depth` unless it is 1 to [`MAX_DEPTH`].
    pub(crate) const fn check_depth(depth: u32) -> Result<(), BuildError> {
        match RegisterError::check_depth(depth) {
            Ok(()) => Ok(()),
            Err(_) => Err(BuildError::Depth { depth, max: MAX_DEPTH }),
        }
    }

    /// # Errors
    ///
    /// `MaxParticipants` unless it is 1 to [`MAX_PARTICIPANTS`].
    pub(crate) const fn check_participants(given: usize) -> Result<(), BuildError> {
        match given {
            1..=MAX_PARTICIPANTS => Ok(()),
            _ => Err(BuildError::MaxParticipants { given, max: MAX_PARTICIPANTS }),
        }
    }

    /// # Errors
    ///
    /// `RetainedLimit` above [`MAX_RETAINED_LIMIT`]; 0 is allowed and keeps nothing.
    pub(crate) const fn check_retained_limit(given: usize) -> Result<(), BuildError> {
        if given > MAX_RETAINED_LIMIT {
            return Err(BuildError::RetainedLimit { given, max: MAX_RETAINED_LIMIT });
        }
        Ok(())
    }
}
