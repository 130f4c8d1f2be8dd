//! The machine under a measurement: its processors, its clocks, and what must be written beside each figure.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs};

use serde::Serialize;

/// The processors on which this thread may run, in order; empty where the system does not say.
pub fn cpus() -> Vec<usize> {
    system::cpus()
}

/// Ties this thread to one processor; `false` where that cannot be done.
pub fn pin(cpu: usize) -> bool {
    system::pin(cpu)
}

/// Whether the processor has a counter that runs evenly, as far as the system tells: without it each stamp asks the
/// system. `None` where the system does not say.
pub fn has_even_counter() -> Option<bool> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").ok()?;
    even_counter(&cpuinfo)
}

fn even_counter(cpuinfo: &str) -> Option<bool> {
    let flags = field(cpuinfo, "flags")?;
    Some(flags.split(' ').any(|flag| flag == "constant_tsc" || flag == "nonstop_tsc"))
}

/// The processor time that this thread has used, where the system counts it.
pub fn thread_time() -> Option<Duration> {
    system::thread_time()
}

/// The system's number of this thread, where it has one.
pub fn thread_id() -> Option<u32> {
    system::thread_id()
}

/// The processor time that a thread of this process has used, exact while that thread sleeps; from outside, so that
/// the thread is not disturbed.
pub fn thread_time_of(thread: u32) -> Option<Duration> {
    let figures = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    Some(Duration::from_nanos(figures.split_whitespace().next()?.parse().ok()?))
}

/// How often a thread of this process has gone to sleep by itself.
pub fn sleeps_of(thread: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/self/task/{thread}/status")).ok()?;
    field(&status, "voluntary_ctxt_switches")?.parse().ok()
}

/// Bytes of this process's own memory, without that of files, that are resident now.
///
/// From the walk over all pages, where the system offers it: the counters in `statm` are kept for each processor, and
/// may be off by dozens of pages.
pub fn resident_bytes() -> Option<u64> {
    let exact = || {
        let rollup = fs::read_to_string("/proc/self/smaps_rollup").ok()?;
        let kibibytes: u64 = field(&rollup, "Anonymous")?.split(' ').next()?.parse().ok()?;
        Some(kibibytes * 1024)
    };
    let quick = || {
        let pages = fs::read_to_string("/proc/self/statm").ok()?;
        let mut pages = pages.split(' ').skip(1).map(str::parse::<u64>);
        let (resident, of_files) = (pages.next()?.ok()?, pages.next()?.ok()?);
        Some(resident.saturating_sub(of_files) * system::page_bytes()?)
    };
    exact().or_else(quick)
}

/// `CLOCK_MONOTONIC`, in nanoseconds.
#[cfg(target_os = "linux")]
pub fn monotonic_nanos() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // Neither is negative for this clock.
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The command of this process, for a benchmark of that name.
pub fn command(bench: &str) -> String {
    let options: Vec<String> =
        env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let separator = if options.is_empty() { "" } else { " -- " };
    format!("cargo bench -p smd-bench --bench {bench}{separator}{}", options.join(" "))
}

/// The command of this process as it was given to its binary, `smd-bench`.
pub fn command_line() -> String {
    let options: Vec<String> = env::args().skip(1).collect();
    format!("cargo run --release -p smd-bench -- {}", options.join(" "))
}

#[cfg(target_os = "linux")]
mod system {
    use std::time::Duration;

    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    use rustix::time::{ClockId, clock_gettime};

    pub(super) fn cpus() -> Vec<usize> {
        let set = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
        (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect()
    }

    pub(super) fn pin(cpu: usize) -> bool {
        let mut set = CpuSet::new();
        set.set(cpu);
        sched_setaffinity(None, &set).is_ok()
    }

    pub(super) fn thread_id() -> Option<u32> {
        u32::try_from(rustix::thread::gettid().as_raw_nonzero().get()).ok()
    }

    pub(super) fn page_bytes() -> Option<u64> {
        u64::try_from(rustix::param::page_size()).ok()
    }

    pub(super) fn thread_time() -> Option<Duration> {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::time::Duration;

    pub(super) fn cpus() -> Vec<usize> {
        Vec::new()
    }

    pub(super) fn pin(_: usize) -> bool {
        false
    }

    pub(super) fn thread_id() -> Option<u32> {
        None
    }

    pub(super) fn page_bytes() -> Option<u64> {
        None
    }

    pub(super) fn thread_time() -> Option<Duration> {
        None
    }
}

/// Where a figure comes from: without this beside it, it is not a figure.
#[derive(Clone, Debug, Serialize)]
pub struct Provenance {
    /// Day and time of the run, UTC.
    pub date: String,
    /// The command that repeats it.
    pub command: String,
    /// The commit; `-dirty` if files outside `results` differed from it.
    pub commit: String,
    /// The processor's name.
    pub processor: String,
    /// How many processors the process may use.
    pub processors: usize,
    /// Whether this is a virtual machine, as far as the processor's flags tell.
    pub virtual_machine: bool,
    /// System and kernel.
    pub system: String,
    /// Load average when the run began, as the system writes it.
    pub load: String,
    /// The compiler.
    pub compiler: String,
    /// What was measured, with its version.
    pub versions: Vec<(String, String)>,
}

impl Provenance {
    /// Asks the machine, and the lock file for the versions of `packages`.
    pub fn collect(command: String, packages: &[&str]) -> Provenance {
        let root = workspace();
        let processor = read("/proc/cpuinfo");
        let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
        Provenance {
            date: date(SystemTime::now()),
            command,
            commit: commit(&root),
            processor: field(&processor, "model name").unwrap_or("unknown").to_owned(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            virtual_machine: field(&processor, "flags")
                .is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
            system: format!("{} {}", env::consts::OS, read("/proc/sys/kernel/osrelease").trim()),
            load: read("/proc/loadavg").trim().to_owned(),
            compiler: output(&root, "rustc", &["--version"]).unwrap_or_else(|| "unknown".into()),
            versions: packages
                .iter()
                .map(|&name| {
                    (name.to_owned(), version(&lock, name).unwrap_or("unknown").to_owned())
                })
                .collect(),
        }
    }
}

impl Provenance {
    /// Names and values, for a page.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let versions: Vec<String> =
            self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        let virtual_machine = if self.virtual_machine { ", virtual machine" } else { "" };
        let machine =
            format!("{} processors of {}{virtual_machine}", self.processors, self.processor);
        vec![
            ("command", format!("`{}`", self.command)),
            ("date", self.date.clone()),
            ("commit", self.commit.clone()),
            ("machine", machine),
            ("system", self.system.clone()),
            ("load at the start", self.load.clone()),
            ("compiler", self.compiler.clone()),
            ("versions", versions.join(", ")),
        ]
    }
}

/// The top of the workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The first `name : value` line's value.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

/// The version that a lock file gives to a package.
fn version<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = lock.lines();
    lines.find(|line| line.strip_prefix("name = ") == Some(&format!("\"{name}\"")))?;
    lines.next()?.strip_prefix("version = ").map(|version| version.trim_matches('"'))
}

fn commit(root: &Path) -> String {
    let Some(commit) = output(root, "git", &["rev-parse", "HEAD"]) else {
        return "unknown".to_owned();
    };
    match output(root, "git", &["status", "--porcelain", "--", ".", ":!results"]).as_deref() {
        Some("") => commit,
        _ => commit + "-dirty",
    }
}

fn output(directory: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).current_dir(directory).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Day and time of day, UTC.
fn date(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    // Days to civil date in the proleptic Gregorian calendar: eras of 400 years that begin on 1 March.
    let shifted = day + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let day = of_year - (153 * march + 2) / 5 + 1;
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_civil() {
        let at = |seconds| date(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01 00:00 UTC");
        assert_eq!(at(951_825_599), "2000-02-29 11:59 UTC");
        assert_eq!(at(1_767_225_599), "2025-12-31 23:59 UTC");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_sleeping_thread_uses_no_time_and_is_seen_asleep() {
        let (tell, told) = std::sync::mpsc::channel();
        let (wake, woken) = std::sync::mpsc::channel::<()>();
        let sleeper = std::thread::spawn(move || {
            tell.send(thread_id()).expect("somebody listens");
            assert!(woken.recv().is_err());
        });
        let thread = told.recv().ok().flatten().expect("a thread of Linux has a number");
        let mut before = (thread_time_of(thread), sleeps_of(thread));
        // Until it sleeps, however long that takes on a busy machine.
        let asleep = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            let now = (thread_time_of(thread), sleeps_of(thread));
            std::mem::replace(&mut before, now) == now
        });
        assert!(asleep && before.0.is_some_and(|time| !time.is_zero()));
        assert!(before.1.is_some_and(|sleeps| sleeps >= 1));
        drop(wake);
        sleeper.join().expect("it ends");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn resident_memory_grows_by_what_is_written() {
        const BYTES: usize = 64 << 20;
        let before = resident_bytes().expect("Linux tells");
        let block = std::hint::black_box(vec![1_u8; BYTES]);
        let grown = resident_bytes().expect("Linux tells").saturating_sub(before);
        assert_eq!(block.len(), BYTES);
        // Other tests run beside it.
        assert!(grown > BYTES as u64 * 3 / 4, "{grown}");
    }

    #[test]
    fn an_uneven_counter_is_told() {
        let flags = |flags: &str| format!("processor\t: 0\nflags\t\t: {flags}\n");
        assert_eq!(even_counter(&flags("fpu tsc constant_tsc sse")), Some(true));
        assert_eq!(even_counter(&flags("fpu tsc sse")), Some(false));
        assert_eq!(even_counter("processor\t: 0\nFeatures\t: fp\n"), None);
    }

    #[test]
    fn a_version_is_that_of_the_named_package() {
        let lock = "[[package]]\nname = \"tokio-util\"\nversion = \"0.7.0\"\n\n\
                    [[package]]\nname = \"tokio\"\nversion = \"1.54.1\"\n";
        assert_eq!(version(lock, "tokio"), Some("1.54.1"));
        assert_eq!(version(lock, "toki"), None);
    }
}
