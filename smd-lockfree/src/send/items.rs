//! What a batch is made of: messages of any kind, or equal ones, through one way into the log.

use std::ops::Range;

use crate::class::Class;
use crate::core::Core;
use crate::error::SendError;
use crate::limits::MAX_PAYLOAD;
use crate::log::word::units_for;
use crate::sender::Outgoing;
use crate::sync::slab::UNIT;

/// Messages in front of a batch that go into the log in one piece.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Run {
    pub(crate) count: usize,
    pub(crate) classes: u32,
    pub(crate) units: u64,
}

/// The messages of a batch. None of its methods runs user code: they are called between claim and
/// publication.
pub(crate) trait Items: Copy {
    /// The message at `index`.
    fn item(&self, index: usize) -> Outgoing<'_>;

    /// How many messages from `from` on are wanted, or with `alike` are wanted and of the same
    /// classes; and what is to be said of the one behind them, if it is not.
    fn run(self, core: &Core, from: usize, alike: bool) -> (Run, Option<Result<bool, SendError>>);

    /// The classes of all in the range.
    fn classes(self, range: Range<usize>) -> u32;

    /// Whether all in the range have the same classes.
    fn are_alike(self, range: Range<usize>) -> bool;
}

/// Messages of any class and length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mixed<'a>(pub(crate) &'a [Outgoing<'a>]);

impl Items for Mixed<'_> {
    #[inline(always)]
    fn item(&self, index: usize) -> Outgoing<'_> {
        self.0[index]
    }

    #[inline(always)]
    fn run(self, core: &Core, from: usize, alike: bool) -> (Run, Option<Result<bool, SendError>>) {
        // No segment holds more: what a claim leaves over is not looked at again and again.
        let most = core.config.segment_bytes / UNIT;
        let messages = &self.0[from..self.0.len().min(from + most)];
        let interest = if core.is_forked() { 0 } else { core.registry.interest().mask() };
        let mut run = Run::default();
        for message in messages {
            let (bits, len) = (message.class.bits(), message.payload.len());
            if bits & interest == 0 || len > MAX_PAYLOAD {
                match core.admit(message.class, len) {
                    Ok(true) => {}
                    other => return (run, Some(other)),
                }
            }
            if alike && bits != messages[0].class.bits() {
                break;
            }
            run.count += 1;
            run.classes |= bits;
            run.units += u64::from(units_for(len, false));
        }
        (run, None)
    }

    #[inline(always)]
    fn classes(self, range: Range<usize>) -> u32 {
        self.0[range].iter().fold(0, |bits, message| bits | message.class.bits())
    }

    fn are_alike(self, range: Range<usize>) -> bool {
        self.0[range].windows(2).all(|pair| pair[0].class == pair[1].class)
    }
}

/// Messages of one class and one length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Equal<'a, const LEN: usize> {
    pub(crate) class: Class,
    pub(crate) payloads: &'a [[u8; LEN]],
}

impl<const LEN: usize> Items for Equal<'_, LEN> {
    #[inline(always)]
    fn item(&self, index: usize) -> Outgoing<'_> {
        Outgoing::new(self.class, &self.payloads[index])
    }

    #[inline(always)]
    fn run(self, core: &Core, from: usize, _: bool) -> (Run, Option<Result<bool, SendError>>) {
        let count = self.payloads.len() - from;
        if count == 0 {
            return (Run::default(), None);
        }
        match core.admit(self.class, LEN) {
            Ok(true) => {
                let units = count as u64 * u64::from(units_for(LEN, false));
                (Run { count, classes: self.class.bits(), units }, None)
            }
            other => (Run::default(), Some(other)),
        }
    }

    #[inline(always)]
    fn classes(self, _: Range<usize>) -> u32 {
        self.class.bits()
    }

    fn are_alike(self, _: Range<usize>) -> bool {
        true
    }
}
