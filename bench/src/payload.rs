//! What every message of a measurement carries, and the one reader that all peers share.
//!
//! A payload is eight words, or another number where sizes are compared; word `i` of message `n` is `n + i`. Several senders number their messages each in a range
//! of its own, which begins at [`first_of`]. The reader learns from the first word whether the message is the next one
//! of its sender, and from the sum of all whether the bytes arrived whole.

/// Bytes of a payload.
pub const LEN: usize = 64;

/// Senders that a reader can tell apart.
pub const SOURCES: usize = 4;

const WORDS: usize = LEN / 8;
const SOURCE_SHIFT: u32 = 56;

/// Number of the first message of a sender, counted from 0.
pub const fn first_of(source: usize) -> u64 {
    (source as u64) << SOURCE_SHIFT
}

/// Writes the payload of message `n`.
#[inline]
pub fn fill<const L: usize>(payload: &mut [u8; L], n: u64) {
    for (word, i) in payload.chunks_exact_mut(8).zip(0..) {
        word.copy_from_slice(&n.wrapping_add(i).to_le_bytes());
    }
}

/// What one receiver got.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Number of the next message of each sender.
    next: [u64; SOURCES],
    /// Words of each payload.
    words: usize,
    sum: u64,
    disorder: u64,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { next: std::array::from_fn(first_of), words: WORDS, sum: 0, disorder: 0 }
    }
}

impl Tally {
    /// For payloads of so many bytes, rounded down to whole words.
    pub fn of_len(len: usize) -> Tally {
        Tally { words: len / 8, ..Tally::default() }
    }

    /// Reads every byte of a payload. Not inlined, so that each peer pays for exactly the same code.
    #[inline(never)]
    pub fn absorb(&mut self, payload: &[u8]) {
        // A length that the compiler knows: eight loads and no loop. The words are added up first: the
        // next message's sum so waits for one addition, not for eight.
        let Ok(whole) = <&[u8; LEN]>::try_from(payload) else { return self.absorb_other(payload) };
        let word = |i: usize| u64::from_le_bytes(std::array::from_fn(|byte| whole[8 * i + byte]));
        let words: [u64; WORDS] = std::array::from_fn(word);
        let next = &mut self.next[(words[0] >> SOURCE_SHIFT) as usize % SOURCES];
        self.disorder += u64::from(words[0] != *next);
        *next += 1;
        let sum = words.iter().fold(0_u64, |sum, word| sum.wrapping_add(*word));
        self.sum = self.sum.wrapping_add(sum);
    }

    /// A payload of another length, which is damage unless it was announced. Without a word there is no number, and it
    /// counts as the first sender's next.
    fn absorb_other(&mut self, payload: &[u8]) {
        let words = payload
            .chunks_exact(8)
            .map(|chunk| u64::from_le_bytes(std::array::from_fn(|byte| chunk[byte])));
        let first = words.clone().next();
        let next = &mut self.next[first.map_or(0, |n| (n >> SOURCE_SHIFT) as usize % SOURCES)];
        let strange = payload.len() != 8 * self.words || first.is_some_and(|n| n != *next);
        self.disorder += u64::from(strange);
        *next += 1;
        self.sum = words.fold(self.sum, u64::wrapping_add);
    }

    /// Messages read.
    pub fn count(&self) -> u64 {
        self.next.iter().zip(0..).map(|(next, source)| next - first_of(source)).sum()
    }

    /// Whether these were messages 0 to `sent - 1`, each once, in order, with all their bytes.
    ///
    /// # Errors
    /// A sentence that says what was wrong.
    pub fn check(&self, sent: u64) -> Result<(), String> {
        self.check_all(&[sent])
    }

    /// The same where several senders sent so many messages each.
    ///
    /// # Errors
    /// A sentence that says what was wrong.
    pub fn check_all(&self, sent: &[u64]) -> Result<(), String> {
        let total: u64 = sent.iter().sum();
        if self.count() != total {
            return Err(format!("{} of {total} messages arrived", self.count()));
        }
        if self.disorder != 0 {
            return Err(format!("{} of {total} messages were out of order or cut", self.disorder));
        }
        let sum = sent.iter().zip(0..).fold(0_u64, |sum, (&sent, source)| {
            // The sum of first .. first + sent, for each of the words, and of what the words add.
            let words = self.words as u64;
            let pairs = (u128::from(sent) * u128::from(sent.saturating_sub(1)) / 2) as u64;
            let firsts = pairs.wrapping_add(sent.wrapping_mul(first_of(source)));
            sum.wrapping_add(firsts.wrapping_mul(words))
                .wrapping_add(sent.wrapping_mul(words * words.saturating_sub(1) / 2))
        });
        if self.sum != sum {
            return Err(format!("the sum is {} and not {sum}", self.sum));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(numbers: &[u64]) -> Tally {
        let mut tally = Tally::default();
        for &n in numbers {
            let mut payload = [0; LEN];
            fill(&mut payload, n);
            tally.absorb(&payload);
        }
        tally
    }

    #[test]
    fn a_whole_run_passes() {
        for sent in 0..10 {
            let numbers: Vec<u64> = (0..sent).collect();
            assert_eq!(read(&numbers).check(sent), Ok(()));
        }
    }

    #[test]
    fn several_senders_may_mix_but_not_reorder() {
        let (b, c) = (first_of(1), first_of(2));
        assert_eq!(read(&[b, 0, 1, c, b + 1, 2]).check_all(&[3, 2, 1]), Ok(()));
        assert!(read(&[b + 1, 0, 1, c, b, 2]).check_all(&[3, 2, 1]).is_err());
        assert!(read(&[b, 0, 1, b + 1, 2]).check_all(&[3, 2, 1]).is_err());
        // As many as there should be, but one of the wrong sender.
        assert!(read(&[b, 0, 1, b + 1, b + 2, 2]).check_all(&[3, 2, 1]).is_err());
    }

    #[test]
    fn other_lengths_are_read_whole_and_not_mistaken() {
        fn read<const L: usize>(tally: &mut Tally, numbers: std::ops::Range<u64>) {
            for n in numbers {
                let mut payload = [0; L];
                fill(&mut payload, n);
                tally.absorb(&payload);
            }
        }
        for (sent, expected) in [(7, Ok(())), (6, Err("7 of 6 messages arrived".to_owned()))] {
            let (mut none, mut large) = (Tally::of_len(0), Tally::of_len(384));
            read::<0>(&mut none, 0..7);
            read::<384>(&mut large, 0..7);
            assert_eq!((none.check(sent), large.check(sent)), (expected.clone(), expected));
        }
        let mut cut = Tally::of_len(384);
        read::<128>(&mut cut, 0..1);
        assert!(cut.check(1).is_err());
        let mut sized = Tally::of_len(16);
        read::<64>(&mut sized, 0..1);
        assert!(sized.check(1).is_err());
    }

    #[test]
    fn loss_disorder_and_damage_are_seen() {
        assert!(read(&[0, 1]).check(3).is_err());
        assert!(read(&[0, 2, 1]).check(3).is_err());
        assert!(read(&[0, 1, 1]).check(3).is_err());
        let mut tally = read(&[0, 1]);
        let mut payload = [0; LEN];
        fill(&mut payload, 2);
        payload[40] ^= 1;
        tally.absorb(&payload);
        assert!(tally.check(3).is_err());
    }
}
