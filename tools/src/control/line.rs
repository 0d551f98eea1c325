//! Lines of bounded length, from somebody who may send anything at any pace.

use std::io::{self, ErrorKind, Read};
use std::time::{Duration, Instant};

/// The longest request, in bytes.
pub const MAX_LINE: usize = 1 << 16;

/// How long a line may take from its first byte to its end.
const LINE_TIME: Duration = Duration::from_secs(10);

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, without its end.
    Whole(Vec<u8>),
    /// The sender is done. What it began and did not end is no line.
    End,
    /// More than [`MAX_LINE`] bytes, or a line that does not come to its end.
    TooLong,
}

/// Reads lines.
pub(super) struct Lines<R> {
    from: R,
    /// What was read and is no whole line yet.
    rest: Vec<u8>,
    /// How much of it has no end of a line.
    searched: usize,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(from: R) -> Self {
        Self {
            from,
            rest: Vec::new(),
            searched: 0,
        }
    }

    /// The next line, waiting for it.
    ///
    /// # Errors
    /// Nothing can be read, or nothing came in the time that the source has for it.
    pub(super) fn next(&mut self) -> io::Result<Line> {
        let mut began = (!self.rest.is_empty()).then(Instant::now);
        loop {
            let new = self.rest.get(self.searched..).unwrap_or_default();
            if let Some(at) = new.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<_> = self.rest.drain(..=self.searched + at).collect();
                self.searched = 0;
                line.pop();
                return Ok(Line::Whole(line));
            }
            self.searched = self.rest.len();
            let is_late = began.is_some_and(|began| began.elapsed() > LINE_TIME);
            if self.rest.len() > MAX_LINE || is_late {
                return Ok(Line::TooLong);
            }
            let mut chunk = [0; 4096];
            match self.from.read(&mut chunk) {
                Ok(0) => return Ok(Line::End),
                Ok(len) => self.rest.extend(chunk.iter().take(len)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            began.get_or_insert_with(Instant::now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives so many bytes at once.
    struct Chunks<'a>(&'a [u8], usize);

    impl Read for Chunks<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let len = self.1.min(to.len()).min(self.0.len());
            let (now, later) = self.0.split_at(len);
            to[..len].copy_from_slice(now);
            self.0 = later;
            Ok(len)
        }
    }

    fn lines(text: &[u8], chunk: usize) -> Vec<Line> {
        let mut lines = Lines::new(Chunks(text, chunk));
        let mut all = Vec::new();
        loop {
            let line = lines.next().unwrap();
            let is_last = !matches!(line, Line::Whole(_));
            all.push(line);
            if is_last {
                return all;
            }
        }
    }

    #[test]
    fn lines_are_whole_however_they_come() {
        let whole = |text: &str| Line::Whole(text.into());
        for chunk in [1, 2, 3, 5, 4096] {
            assert_eq!(
                lines(b"one\n\ntwo\nthr", chunk),
                [whole("one"), whole(""), whole("two"), Line::End],
                "what has no end is no line, by {chunk}"
            );
        }
    }

    #[test]
    fn a_line_without_an_end_is_given_up() {
        let longest = vec![b'a'; MAX_LINE];
        let fits = [&longest[..], b"\nnext\n"].concat();
        assert_eq!(
            lines(&fits, 1000),
            [
                Line::Whole(longest.clone()),
                Line::Whole("next".into()),
                Line::End
            ]
        );
        let endless = vec![b'a'; 100 * MAX_LINE];
        let mut source = Lines::new(Chunks(&endless, 4096));
        assert_eq!(source.next().unwrap(), Line::TooLong);
        assert!(source.rest.len() < 2 * MAX_LINE, "no more is kept");
    }
}
