//! What every message of a measurement carries, and the one reader that all peers share.
//!
//! A payload is eight words; word `i` of message `n` is `n + i`. The reader learns from the first word whether the
//! message is the next one, and from the sum of all whether the bytes arrived whole.

/// Bytes of a payload.
pub const LEN: usize = 64;

const WORDS: u64 = LEN as u64 / 8;

/// Writes the payload of message `n`.
#[inline]
pub fn fill(payload: &mut [u8; LEN], n: u64) {
    for (word, i) in payload.chunks_exact_mut(8).zip(0..) {
        word.copy_from_slice(&n.wrapping_add(i).to_le_bytes());
    }
}

/// What one receiver got.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    count: u64,
    sum: u64,
    disorder: u64,
}

impl Tally {
    /// Reads every byte of a payload. Not inlined, so that each peer pays for exactly the same code.
    #[inline(never)]
    pub fn absorb(&mut self, payload: &[u8]) {
        // A length that the compiler knows: eight loads and no loop. The words are added up first: the
        // next message's sum so waits for one addition, not for eight.
        let whole = <&[u8; LEN]>::try_from(payload).unwrap_or(&[u8::MAX; LEN]);
        let word = |i: usize| u64::from_le_bytes(std::array::from_fn(|byte| whole[8 * i + byte]));
        let words: [u64; WORDS as usize] = std::array::from_fn(word);
        self.disorder += u64::from(words[0] != self.count);
        let sum = words.iter().fold(0_u64, |sum, word| sum.wrapping_add(*word));
        self.sum = self.sum.wrapping_add(sum);
        self.count += 1;
    }

    /// Messages read.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether these were messages 0 to `sent - 1`, each once, in order, with all their bytes.
    ///
    /// # Errors
    /// A sentence that says what was wrong.
    pub fn check(&self, sent: u64) -> Result<(), String> {
        let pairs = (u128::from(sent) * u128::from(sent.saturating_sub(1)) / 2) as u64;
        let sum =
            pairs.wrapping_mul(WORDS).wrapping_add(sent.wrapping_mul(WORDS * (WORDS - 1) / 2));
        if self.count != sent {
            return Err(format!("{} of {sent} messages arrived", self.count));
        }
        if self.disorder != 0 {
            return Err(format!("{} of {sent} messages were out of order", self.disorder));
        }
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
