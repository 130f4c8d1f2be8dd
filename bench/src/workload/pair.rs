//! A round over two pinned threads, framed by two probes of their distance.
//!
//! Both threads are new and end with the round: the thread of the caller stays where it may run, and nothing that is
//! started from it inherits a place.

use std::thread;
use std::time::Duration;

use crate::machine;
use crate::probe::{self, Line};
use crate::recorder::panicked;

/// What a round over two threads brought.
#[derive(Debug)]
pub struct Pair<A, B> {
    /// What the first thread returned.
    pub first: A,
    /// What the second thread returned.
    pub second: B,
    /// Nanoseconds of the probes before and after.
    pub handoff: (f64, f64),
}

/// What a thread says that cannot go on for a reason which the other one knows.
pub const ASK_THE_OTHER: &str = "the other thread does not go on";

/// The two processors for a round over two threads, or `None` where this process has only one.
pub fn processors() -> Option<(usize, usize)> {
    match machine::cpus()[..] {
        [first, second, ..] => Some((first, second)),
        _ => None,
    }
}

/// Runs `first` and `second` at the same time, each on its processor, between two probes of [`probe::SPAN`].
///
/// # Errors
/// What either says, or that a thread panicked or did not answer a probe.
pub fn run<A: Send, B: Send>(
    cpus: (usize, usize),
    first: impl FnOnce() -> Result<A, String> + Send,
    second: impl FnOnce() -> Result<B, String> + Send,
) -> Result<Pair<A, B>, String> {
    run_for(probe::SPAN, cpus, first, second)
}

/// As [`run`], with probes of another length.
///
/// # Errors
/// As for [`run`].
pub fn run_for<A: Send, B: Send>(
    span: Duration,
    cpus: (usize, usize),
    first: impl FnOnce() -> Result<A, String> + Send,
    second: impl FnOnce() -> Result<B, String> + Send,
) -> Result<Pair<A, B>, String> {
    let (mut first, mut second) = (Once::new(first), Once::new(second));
    let handoff = framed(span, cpus, &mut || first.run(), &mut || second.run())?;
    Ok(Pair { first: first.outcome()?, second: second.outcome()?, handoff })
}

/// One side's work, and what it returned: threads and probes are compiled once, not for every kind of work.
struct Once<F, T> {
    work: Option<F>,
    outcome: Option<T>,
}

impl<T, F: FnOnce() -> Result<T, String>> Once<F, T> {
    fn new(work: F) -> Once<F, T> {
        Once { work: Some(work), outcome: None }
    }

    fn run(&mut self) -> Result<(), String> {
        if let Some(work) = self.work.take() {
            self.outcome = Some(work()?);
        }
        Ok(())
    }

    fn outcome(self) -> Result<T, String> {
        self.outcome.ok_or_else(|| "a thread did nothing".to_owned())
    }
}

/// What one thread does.
type Work<'w> = &'w mut (dyn FnMut() -> Result<(), String> + Send);

/// Runs both at the same time between two probes, whose figures it returns.
fn framed(
    span: Duration,
    cpus: (usize, usize),
    first: Work<'_>,
    second: Work<'_>,
) -> Result<(f64, f64), String> {
    // Tests of the crate run side by side; pairs that spin on the same two processors only hinder each other.
    #[cfg(test)]
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (before, after) = (Line::new(), Line::new());
    let (before, after) = (&before, &after);
    let (first, second) = thread::scope(|scope| {
        let first = scope.spawn(move || {
            machine::pin(cpus.0);
            let before = before.ping(span)?;
            or_abandon(after, first)?;
            Ok((before, after.ping(span)?))
        });
        let second = scope.spawn(move || {
            machine::pin(cpus.1);
            before.pong()?;
            or_abandon(after, second)?;
            after.pong()
        });
        (first.join(), second.join())
    });
    // Where one fails the other misses it in the second probe: the cause is told, and not the consequence.
    let first: Result<_, String> = first.unwrap_or_else(|panic| Err(panicked(&*panic)));
    let second: Result<_, String> = second.unwrap_or_else(|panic| Err(panicked(&*panic)));
    match (first, second) {
        (Ok(handoff), Ok(())) => Ok(handoff),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
        (Err(told), Err(cause)) if [probe::NO_ANSWER, ASK_THE_OTHER].contains(&&*told) => {
            Err(cause)
        }
        (Err(cause), Err(_)) => Err(cause),
    }
}

#[cfg(test)]
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Runs one side; if that fails or panics, the other side does not wait in the second probe.
fn or_abandon(after: &Line, side: Work<'_>) -> Result<(), String> {
    struct Abandons<'l>(Option<&'l Line>);
    impl Drop for Abandons<'_> {
        fn drop(&mut self) {
            if let Some(line) = self.0 {
                line.abandon();
            }
        }
    }
    let mut abandons = Abandons(Some(after));
    side()?;
    abandons.0 = None;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPUS: (usize, usize) = (0, 1);

    #[test]
    fn both_run_between_two_probes() {
        let pair = run_for(Duration::from_micros(100), CPUS, || Ok(1), || Ok("two"));
        let Ok(Pair { first, second, handoff }) = pair else { panic!("{pair:?}") };
        assert_eq!((first, second), (1, "two"));
        assert!(handoff.0 > 0.0 && handoff.1 > 0.0);
    }

    #[test]
    fn the_cause_of_a_failure_is_told() {
        let bad = || Err::<(), _>("lost".to_owned());
        for outcome in [run(CPUS, bad, || Ok(())), run(CPUS, || Ok(()), bad)] {
            assert_eq!(outcome.map(drop), Err("lost".to_owned()));
        }
        let outcome = run(CPUS, || Ok(()), || -> Result<(), String> { panic!("no message {}", 7) });
        assert_eq!(outcome.map(drop), Err("a thread panicked: no message 7".to_owned()));
    }
}
