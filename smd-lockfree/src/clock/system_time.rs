//! What the operating system says the time is.

/// `CLOCK_MONOTONIC` in nanoseconds: the same for every process of the machine.
#[cfg(unix)]
pub(super) fn monotonic_nanos() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // Neither is negative for this clock, and the sum lasts for 584 years of uptime.
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

/// Nanoseconds since the first call in this process: the portable clock has no public zero, so
/// here stamps of two processes do not compare.
#[cfg(not(unix))]
pub(super) fn monotonic_nanos() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;

    static ZERO: OnceLock<Instant> = OnceLock::new();
    ZERO.get_or_init(Instant::now).elapsed().as_nanos() as u64
}
