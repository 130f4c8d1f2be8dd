//! `smd proxy`: a bus for other processes.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use smd_link::policy::{IdKind, PeerPolicy};
use smd_link::server::Proxy;
use smd_lockfree::Bus;

use super::{Outcome, Socket};

/// The arguments of `smd proxy`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    at: Socket,

    /// A file that says who may do what; without it the caller's own user may do all.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// Print the policy as a file, with every key, its limits and what it is, and end.
    #[arg(long)]
    print_policy: bool,

    /// Say nothing of peers that come and go.
    #[arg(long)]
    quiet: bool,
}

pub(crate) fn run(options: &Options) -> Result<Outcome, Box<dyn Error>> {
    let policy = match &options.policy {
        None => PeerPolicy::default(),
        Some(path) => {
            let text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let policy = PeerPolicy::parse(&text, lookup);
            policy.map_err(|error| format!("{}: {error}", path.display()))?
        }
    };
    if options.print_policy {
        // A closed pipe is no error: nobody wants the rest.
        let _ = write!(std::io::stdout(), "{policy}");
        return Ok(Outcome::Done);
    }
    let bus = Bus::new();
    let mut builder = Proxy::builder(&bus).address(options.at.socket.clone()).policy(policy);
    if !options.quiet {
        builder = builder.notices(|notice| {
            let _ = writeln!(std::io::stderr(), "smd: {notice}");
        });
    }
    let mut proxy = builder.build()?;
    let stopper = proxy.stopper();
    // At Ctrl-C, and when the system asks it to end.
    ctrlc::set_handler(move || stopper.stop())?;
    let _ = writeln!(std::io::stderr(), "smd: listening at {}", proxy.address());
    proxy.run()?;
    Ok(Outcome::Done)
}

/// The number of a user or group in the system's own files.
fn lookup(kind: IdKind, name: &str) -> Option<u32> {
    let file = match kind {
        IdKind::User => "/etc/passwd",
        IdKind::Group => "/etc/group",
    };
    id_of(&fs::read_to_string(file).ok()?, name)
}

/// Lines of both files begin with name, password, number.
fn id_of(file: &str, name: &str) -> Option<u32> {
    let mut lines = file.lines().map(|line| line.split(':'));
    let mut fields = lines.find_map(|mut fields| (fields.next()? == name).then_some(fields))?;
    fields.nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_nothing_else_is() {
        let file = "root:x:0:0:root:/root:/bin/bash\n\nhalf:x\nnetd:x:1001:1002::/:\n";
        assert_eq!(id_of(file, "root"), Some(0));
        assert_eq!(id_of(file, "netd"), Some(1001));
        for name in ["half", "", "net", "1001", "x"] {
            assert_eq!(id_of(file, name), None, "{name}");
        }
    }
}
