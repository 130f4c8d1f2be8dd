//! A word in which sleepers announce themselves, and that costs lookers no fence while none has.
//!
//! Who publishes something must then look whether somebody sleeps for it, and who is about to sleep
//! must announce that and then look for something published: a store-then-load race, which wants a
//! fence on both sides. A fence waits until everything before it has left the processor: for who
//! publishes, that is the transfer of the cache line that its reader has just read. So the word has a
//! state in which lookers need none, and a sleeper that finds it so makes up for all of them, by a
//! barrier that reaches every thread of the process (`membarrier` on Linux).
//!
//! ```text
//!   looker:   publish; (light) load word: CALM? -> done.  else FENCE; load word; content? -> wake
//!   sleeper:  word: content |= mine, CALM -> SETTLING; SETTLING? heavy barrier, -> LIVELY : FENCE; look again
//! ```
//!
//! # States
//!
//! | state | means | left by |
//! |---|---|---|
//! | LIVELY | lookers fence | a looker once a segment, if the content is 0, to CALM |
//! | CALM | the content is 0, and lookers do not fence | a sleeper, to SETTLING |
//! | SETTLING | a looker may still act on CALM | the sleeper that announced itself last, through a heavy barrier, to LIVELY |
//!
//! # Rules
//!
//! - **A1** Every announcement counts a version up, so that who clears the content fails when somebody
//!   announced itself meanwhile. (30 bits: they would have to come round within one exchange.)
//! - **A2** In SETTLING every sleeper takes a heavy barrier of its own: that of another may not have
//!   reached a looker yet.
//! - **A3** CALM is entered only from LIVELY, with a content of 0, and only where the heavy barrier
//!   is to be had. Elsewhere the word is always LIVELY. The content of a calm word stays 0.
//! - **A4** SETTLING is left only by the announcement that was the last: who comes through its barrier
//!   late may find the word settling anew, for lookers that its barrier has not reached.
//!
//! # Edges
//!
//! | edge | release end | acquire end | carries |
//! |---|---|---|---|
//! | `alert.calm` (barrier) | a looker's publication, then CALM loaded | SETTLING stored, heavy barrier, then the look for what was published | one of the two sees the other |

use crate::hooks::mark;
use crate::sync::CachePadded;
use crate::sync::asymmetric;
use crate::sync::atomic::{AtomicU64, Ordering, fence};

const CALM: u64 = 1 << 63;
const SETTLING: u64 = 1 << 62;
const VERSION: u64 = 1 << 32;
const VERSIONS: u64 = SETTLING - VERSION;

/// The word; its content is 32 bits, whose meaning is the user's.
#[derive(Debug)]
pub(crate) struct Alert(CachePadded<AtomicU64>);

/// The word as somebody saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seen(u64);

impl Seen {
    pub(crate) fn content(self) -> u32 {
        self.0 as u32
    }

    /// The next version, with another content and in another state.
    fn next(self, state: u64, content: u32) -> u64 {
        state | (self.0.wrapping_add(VERSION) & VERSIONS) | u64::from(content)
    }

    /// The same with another content.
    fn with(self, content: u32) -> u64 {
        self.0 & !u64::from(u32::MAX) | u64::from(content)
    }

    fn version(self) -> u64 {
        self.0 & VERSIONS
    }

    fn state(self) -> u64 {
        self.0 & (CALM | SETTLING)
    }
}

impl Alert {
    pub(crate) fn new() -> Alert {
        Alert(CachePadded::new(AtomicU64::new(0)))
    }

    /// After a publication: the content.
    #[inline(always)]
    pub(crate) fn look(&self) -> u32 {
        // BARRIER alert.calm: our publication and load of the word against a sleeper's exchange and
        // look, between which stands the heavy one.
        asymmetric::light();
        // RELAXED: the barrier orders it where it says CALM; else it is loaded again.
        if self.0.load(Ordering::Relaxed) & CALM != 0 {
            return 0;
        }
        // FENCE wait.park / wait.room: our publication and load of the word against the sleeper's
        // exchange of it and look.
        fence(Ordering::SeqCst);
        // RELAXED: ordered by the fence; who wakes loads it again.
        self.0.load(Ordering::Relaxed) as u32
    }

    /// The word, for who will clear what it has served.
    pub(crate) fn load(&self) -> Seen {
        // EDGE wait.announce: Acquire here; Release in `announce`.
        Seen(self.0.load(Ordering::Acquire))
    }

    /// Changes the content; what is looked at afterwards is what a looker published that did not see
    /// this.
    pub(crate) fn announce(&self, change: impl Fn(u32) -> u32) {
        let mine = self.enter(change);
        if mine.state() == 0 {
            // FENCE wait.park / wait.room: see `look`.
            fence(Ordering::SeqCst);
        } else {
            // BARRIER alert.calm: see `look`.
            asymmetric::heavy();
            self.settle(mine);
        }
    }

    /// The exchange of an announcement.
    pub(super) fn enter(&self, change: impl Fn(u32) -> u32) -> Seen {
        // RELAXED: the exchange decides.
        let mut word = Seen(self.0.load(Ordering::Relaxed));
        loop {
            // Rule A2.
            let state = if word.state() == 0 { 0 } else { SETTLING };
            let new = word.next(state, change(word.content()));
            // EDGE wait.announce: Release here; Acquire in `load`. Carries state and slot.
            match self.0.compare_exchange_weak(word.0, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Seen(new),
                Err(actual) => word = Seen(actual),
            }
        }
    }

    /// Behind the heavy barrier: lookers need fence no more than they do (rule A4).
    pub(super) fn settle(&self, mine: Seen) {
        // RELAXED: the exchange decides.
        let mut word = Seen(self.0.load(Ordering::Relaxed));
        while word.state() == SETTLING && word.version() == mine.version() {
            let settled = word.0 & !SETTLING;
            // RELAXED: who finds it settled fences, and our heavy barrier ended with a fence; it was
            // the last, so it has reached every looker that may act on CALM.
            match self.0.compare_exchange_weak(
                word.0,
                settled,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    mark("settled");
                    return;
                }
                Err(actual) => word = Seen(actual),
            }
        }
    }

    /// Takes content away; who looks then finds less.
    pub(crate) fn withdraw(&self, change: impl Fn(u32) -> u32) {
        // RELAXED: the exchange decides.
        let mut word = Seen(self.0.load(Ordering::Relaxed));
        loop {
            let new = word.with(change(word.content()));
            // RELAXED: a look at somebody who is gone does no harm.
            match self.0.compare_exchange_weak(word.0, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(actual) => word = Seen(actual),
            }
        }
    }

    /// Puts another content in the place of what was seen, unless somebody announced itself since.
    pub(crate) fn clear(&self, seen: Seen, content: u32) {
        if seen.state() == CALM {
            // Whoever is about to announce itself does so after this (rule A3).
            return;
        }
        let new = seen.with(content);
        // RELAXED: an announcement since makes this fail, and its bits stay; who announced before was
        // seen by the Acquire of `load`.
        let _ = self.0.compare_exchange(seen.0, new, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Lets lookers do without a fence from here on, if nobody is announced (rule A3): once a segment,
    /// so that a heavy barrier is at most as frequent.
    #[cold]
    pub(crate) fn calm(&self) {
        // RELAXED: the exchange decides.
        let word = Seen(self.0.load(Ordering::Relaxed));
        if word.content() == 0 && word.state() == 0 && asymmetric::is_available() {
            let new = word.next(CALM, 0);
            // RELAXED: it says nothing of what was published before; whoever announces itself later
            // takes the heavy barrier.
            let done = self.0.compare_exchange(word.0, new, Ordering::Relaxed, Ordering::Relaxed);
            if done.is_ok() {
                mark("calm");
            }
        }
    }
}
