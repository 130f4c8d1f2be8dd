//! Child processes with a time limit, and several at a time.

use std::collections::VecDeque;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Does `work` for each item on `jobs` threads; the results are in the order of the items.
pub(super) fn all<T: Send, R: Send>(
    items: Vec<T>,
    jobs: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let queue: Mutex<VecDeque<_>> = Mutex::new(items.into_iter().enumerate().collect());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("no panic in here").pop_front();
                    let Some((at, item)) = next else { return };
                    let result = work(&item);
                    done.lock().expect("no panic in here").push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("all threads ended");
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// How a child process ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) success: bool,
    /// `None`: by a signal.
    pub(super) code: Option<i32>,
    pub(super) timed_out: bool,
    /// What it wrote, to both streams.
    pub(super) output: String,
    pub(super) seconds: f64,
}

/// Variables that would replace the flags of a model, or aim a build elsewhere.
const UNWANTED: [&str; 7] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "SMD_MODEL",
    "SMD_PREEMPTIONS",
];

/// Runs a command to its end, at most for `limit`.
pub(super) fn child(
    mut command: Command,
    limit: Duration,
    scratch: &Path,
) -> Result<Ended, String> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    std::fs::create_dir_all(scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
    // RELAXED: only uniqueness matters.
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = scratch.join(format!("{}-{number}", std::process::id()));
    let fail = |error: std::io::Error| format!("{command:?}: {error}", command = path.display());
    let file = File::create(&path).map_err(fail)?;
    command.stdin(Stdio::null()).stderr(file.try_clone().map_err(fail)?).stdout(file);
    let start = Instant::now();
    let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    let mut timed_out = false;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(fail)? {
            break status;
        }
        if start.elapsed() > limit {
            timed_out = true;
            child.kill().map_err(fail)?;
            break child.wait().map_err(fail)?;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let output = std::fs::read(&path).map_err(fail)?;
    std::fs::remove_file(&path).map_err(fail)?;
    Ok(Ended {
        success: status.success() && !timed_out,
        code: status.code(),
        timed_out,
        output: String::from_utf8_lossy(&output).into_owned(),
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// A command without the variables that would change what it builds.
pub(super) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for variable in UNWANTED {
        command.env_remove(variable);
    }
    command
}

/// The same, and without what the cargo that started this process has set for it: for another
/// toolchain.
pub(super) fn detached(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = command(program);
    for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"] {
        command.env_remove(variable);
    }
    command
}
