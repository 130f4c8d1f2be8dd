//! The latest configuration of a service: stored by one thread, announced on the bus, applied by
//! others. It is an example of code with shared state of its own that is checked together with the
//! bus; `verify/EMBEDDING.md` walks through it.
//!
//! ```
//! use smd_embedder_example::{Announcer, Cache, Config, Worker};
//! use smd_lockfree::Bus;
//!
//! let bus = Bus::new();
//! let cache = Cache::new();
//! let mut worker = Worker::new(&bus, cache.clone())?;
//! let mut announcer = Announcer::new(&bus, cache);
//!
//! announcer.publish(Config { interval_ms: 250, log_level: 3 })?;
//! assert_eq!(worker.wait()?.config.interval_ms, 250);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod sync;

use smd_lockfree::{Bus, Class, Participant, RecvError, RegisterError, SendError, Sender, Sent};

use sync::Arc;
use sync::atomic::{AtomicU64, Ordering};

/// The class of the announcements.
pub const CONFIG: Class = Class::USER0;

/// What a service can be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Config {
    /// Time between two measurements.
    pub interval_ms: u32,
    /// 0: silent.
    pub log_level: u32,
}

/// The latest configuration; clones are the same.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    version: AtomicU64,
    /// Both numbers in one word, so that nobody sees half of a configuration.
    config: AtomicU64,
}

impl Cache {
    /// Version 0, the default configuration.
    #[must_use]
    pub fn new() -> Cache {
        Cache(Arc::new(Shared { version: AtomicU64::new(0), config: AtomicU64::new(0) }))
    }

    /// Replaces the configuration.
    ///
    /// Relaxed stores are enough: whoever hears of the version on the bus sees what its announcer
    /// stored before the send.
    pub fn store(&self, version: u64, config: Config) {
        let word = u64::from(config.interval_ms) << 32 | u64::from(config.log_level);
        self.0.config.store(word, Ordering::Relaxed);
        self.0.version.store(version, Ordering::Relaxed);
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.0.version.load(Ordering::Relaxed)
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> Config {
        let word = self.0.config.load(Ordering::Relaxed);
        Config { interval_ms: (word >> 32) as u32, log_level: word as u32 }
    }
}

impl Default for Cache {
    fn default() -> Cache {
        Cache::new()
    }
}

/// The side of the thread that reads the configuration.
#[derive(Debug)]
pub struct Announcer {
    cache: Cache,
    sender: Sender,
    version: u64,
}

impl Announcer {
    /// The only announcer of a cache.
    #[must_use]
    pub fn new(bus: &Bus, cache: Cache) -> Announcer {
        Announcer { cache, sender: bus.sender(), version: 0 }
    }

    /// Stores a configuration, then tells the workers. Its version.
    ///
    /// # Errors
    /// As for [`Sender::send`]; the configuration is stored even so.
    pub fn publish(&mut self, config: Config) -> Result<u64, SendError> {
        self.version += 1;
        self.cache.store(self.version, config);
        self.announce(self.version)?;
        Ok(self.version)
    }

    /// Tells the workers of a version, which must have been stored.
    ///
    /// # Errors
    /// As for [`Sender::send`].
    pub fn announce(&self, version: u64) -> Result<Sent, SendError> {
        self.sender.send(CONFIG, &version.to_le_bytes())
    }
}

/// What a worker was told, and what it found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Update {
    /// The version that was announced; 0 if the announcement itself was lost.
    pub announced: u64,
    /// The version of the cache after that: the announced one or a later one.
    pub version: u64,
    /// The configuration of that version or a later one.
    pub config: Config,
}

/// The side of a thread that applies the configuration.
#[derive(Debug)]
pub struct Worker {
    cache: Cache,
    news: Participant,
}

impl Worker {
    /// A worker that hears of every version from now on.
    ///
    /// # Errors
    /// As for [`Bus::register`].
    pub fn new(bus: &Bus, cache: Cache) -> Result<Worker, RegisterError> {
        Ok(Worker { cache, news: bus.register(CONFIG)? })
    }

    /// Sleeps until there is news.
    ///
    /// # Errors
    /// As for [`Participant::recv_blocking`], but for lost announcements: the cache has what they
    /// were about.
    pub fn wait(&mut self) -> Result<Update, RecvError> {
        let announced = match self.news.recv_blocking() {
            Ok(message) => message.bytes().try_into().map_or(0, u64::from_le_bytes),
            Err(RecvError::Lagged(_)) => 0,
            Err(error) => return Err(error),
        };
        let version = self.cache.version();
        Ok(Update { announced, version, config: self.cache.config() })
    }
}

#[cfg(all(test, not(any(smd_loom, smd_shuttle))))]
mod tests {
    use super::*;

    fn config(version: u64) -> Config {
        Config { interval_ms: version as u32 * 10, log_level: version as u32 }
    }

    #[test]
    fn a_worker_finds_what_was_announced() {
        let bus = Bus::new();
        let cache = Cache::new();
        let mut worker = Worker::new(&bus, cache.clone()).expect("there is room");
        let mut announcer = Announcer::new(&bus, cache);
        for version in 1..=3 {
            assert_eq!(announcer.publish(config(version)), Ok(version));
        }
        for announced in 1..=3 {
            let update = Update { announced, version: 3, config: config(3) };
            assert_eq!(worker.wait(), Ok(update));
        }
    }

    #[test]
    fn a_thousand_versions_between_two_threads() {
        let bus = Bus::new();
        let cache = Cache::new();
        let mut worker = Worker::new(&bus, cache.clone()).expect("there is room");
        let mut announcer = Announcer::new(&bus, cache);
        let publishing = sync::thread::spawn(move || {
            for version in 1..=1000 {
                announcer.publish(config(version)).expect("1000 are below the depth");
            }
        });
        for announced in 1..=1000 {
            let update = worker.wait().expect("open");
            assert_eq!(update.announced, announced);
            assert!(update.version >= announced && update.config.log_level as u64 >= announced);
        }
        publishing.join().expect("no panic");
    }

    #[test]
    fn lost_announcements_lose_no_configuration() {
        let (clock, hand) = smd_lockfree::Clock::manual();
        let bus = Bus::builder().clock(clock).build().expect("the defaults");
        let cache = Cache::new();
        let mut worker = Worker::new(&bus, cache.clone()).expect("there is room");
        let mut announcer = Announcer::new(&bus, cache);
        announcer.publish(config(1)).expect("room");
        announcer.publish(config(2)).expect("room");
        hand.advance(smd_lockfree::DEFAULT_TIME_TO_LIVE * 2);
        let update = Update { announced: 0, version: 2, config: config(2) };
        assert_eq!(worker.wait(), Ok(update));
    }
}
