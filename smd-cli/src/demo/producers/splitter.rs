//! Bytes into lines, in bounded memory.
//!
//! A line may be as long as its writer likes, but only [`MAX_PAYLOAD`] bytes fit a message. Of a
//! longer one this keeps one byte more than fits, so that the bus itself refuses it, and counts the
//! rest; it is never cut to fit.

use smd_lockfree::MAX_PAYLOAD;

/// One line, without its line end (`\n` or `\r\n`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Its bytes, all of them when they fit a message.
    pub(crate) bytes: &'a [u8],
    /// How long it is.
    pub(crate) length: usize,
}

/// Puts lines together from what each read brings.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    kept: Vec<u8>,
    length: usize,
    /// A carriage return that is part of the line unless a line feed follows.
    held_return: bool,
}

impl Splitter {
    /// Takes what a read brought and calls `each` for every line that it ends.
    pub(crate) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Line<'_>)) {
        let mut parts = bytes.split(|byte| *byte == b'\n');
        // `split` yields at least one part; the last one is a line that goes on.
        let last = parts.next_back().unwrap_or_default();
        for part in parts {
            self.extend(part);
            self.held_return = false;
            self.end(&mut each);
        }
        self.extend(last);
    }

    /// The input has ended; so has a line without a line end.
    pub(crate) fn finish(&mut self, mut each: impl FnMut(Line<'_>)) {
        self.release_return();
        if self.length > 0 {
            self.end(&mut each);
        }
    }

    fn extend(&mut self, part: &[u8]) {
        if part.is_empty() {
            return;
        }
        self.release_return();
        match part.split_last() {
            Some((b'\r', before)) => {
                self.add(before);
                self.held_return = true;
            }
            _ => self.add(part),
        }
    }

    fn release_return(&mut self) {
        if std::mem::take(&mut self.held_return) {
            self.add(b"\r");
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        let room = (MAX_PAYLOAD + 1).saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.length += bytes.len();
    }

    fn end(&mut self, each: &mut impl FnMut(Line<'_>)) {
        each(Line { bytes: &self.kept, length: self.length });
        self.kept.clear();
        self.length = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(reads: &[&[u8]]) -> Vec<(Vec<u8>, usize)> {
        let (mut splitter, mut lines) = (Splitter::default(), Vec::new());
        for read in reads {
            splitter.push(read, |line| lines.push((line.bytes.to_vec(), line.length)));
        }
        splitter.finish(|line| lines.push((line.bytes.to_vec(), line.length)));
        lines
    }

    fn texts(reads: &[&[u8]]) -> Vec<String> {
        lines(reads).into_iter().map(|(bytes, _)| String::from_utf8(bytes).unwrap()).collect()
    }

    #[test]
    fn lines_end_where_they_end_however_they_are_read() {
        assert_eq!(texts(&[b"one\ntwo\n"]), ["one", "two"]);
        assert_eq!(texts(&[b"on", b"e", b"\n", b"two"]), ["one", "two"]);
        assert_eq!(texts(&[b"\n\n"]), ["", ""]);
        assert!(texts(&[b""]).is_empty());
    }

    #[test]
    fn a_return_counts_only_away_from_a_line_end() {
        assert_eq!(texts(&[b"one\r\ntwo\r", b"\nth\rree\r"]), ["one", "two", "th\rree\r"]);
        assert_eq!(texts(&[b"\r\r\n", b"a\r", b"b\n"]), ["\r", "a\rb"]);
    }

    #[test]
    fn invalid_text_passes_as_bytes() {
        assert_eq!(lines(&[b"\xff\xfe\n"]), [(b"\xff\xfe".to_vec(), 2)]);
    }

    #[test]
    fn the_longest_line_is_whole() {
        let text = vec![b'x'; MAX_PAYLOAD];
        assert_eq!(lines(&[&text, b"\r\n"]), [(text, MAX_PAYLOAD)]);
    }

    #[test]
    fn a_line_too_long_keeps_one_byte_too_many_and_its_length() {
        let text = vec![b'x'; 100_000];
        let found = lines(&[&text, &text, b"\nshort\n"]);
        assert_eq!(found[0], (vec![b'x'; MAX_PAYLOAD + 1], 200_000));
        assert_eq!(found[1], (b"short".to_vec(), 5));
    }
}
