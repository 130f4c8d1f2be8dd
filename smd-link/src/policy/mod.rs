//! Who may connect, receive and send what, and how much.
//!
//! ```text
//!   bytes of a file ──parse──> PeerPolicy ──permits(Credentials)──> Permits: masks and limits,
//!   builder ──────────build──>     │                                computed once for a connection
//!                                  v
//!   Accounts::connect ──> Connection ──open──> Peer ──charge_send───> may this message go in now?
//!     counts of each uid   drop: given back     │ ───charge_queue──> Queued: drop gives it back
//!                                               └ leave, come_back: the grace time
//! ```
//!
//! Nothing here knows a socket, a file system or a clock. Bytes, [`Credentials`] and times come in,
//! decisions come out. What is refused is named by a [`Refusal`]: which limit, its value, and the
//! key of the file that sets it. The file is described in `POLICY.md` of this crate, and
//! [`PeerPolicy::default`] prints itself as a documented template of it.
//!
//! **Cost.** What a peer may receive and send are two masks: asking for a message is an `and` and a
//! comparison. Rates and queues of a peer take its uid's lock for a few integer operations. A
//! thread that is stopped inside it delays peers of that uid; the table of all uids is locked only
//! where somebody connects, opens or goes. No lock is held over a call of the caller's code.
//!
//! ```
//! use smd_link::policy::{Accounts, Credentials, PeerPolicy};
//! use smd_lockfree::{Class, Timestamp};
//!
//! let file = b"[default]\nreceive NETWORK|METRICS\nsend none\n\n[uid 1000]\nsend NETWORK\n";
//! let policy = PeerPolicy::parse(file, |_kind, _name| None)?;
//!
//! let accounts = Accounts::new();
//! let now = Timestamp::from_nanos(1);
//! let connection = accounts.connect(&policy, &Credentials::new(1000, 1000), now)?;
//! let mut peer = connection.open()?;
//! assert_eq!(peer.permits().grant(Class::ALL)?.granted, Class::NETWORK | Class::METRICS);
//! assert!(peer.charge_send(Class::NETWORK, now).is_ok());
//! let refused = peer.charge_send(Class::METRICS, now).unwrap_err();
//! assert_eq!(refused.key(), Some("send"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accounts;
mod bucket;
mod credentials;
mod file;
mod limit;
mod permits;
mod refusal;
mod rules;

pub use accounts::{Accounts, Connection, MAX_IDLE_ACCOUNTS, Peer, Queued, Usage};
pub use bucket::{Shortage, TokenBucket};
pub use credentials::Credentials;
pub use file::{IdKind, MAX_FILE, MAX_LINE, MAX_SECTIONS, PolicyError, PolicyErrorReason};
pub use limit::{Limit, Unit};
pub use permits::{Entry, Grant, Permits};
pub use refusal::Refusal;
pub use rules::{
    DEFAULT_MODE, MAX_ID, MAX_MODE, PeerPolicy, PolicyBuildError, PolicyBuilder, Rule, Section,
};
