//! Folded stacks: a line each, `thread;outermost;...;innermost count`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// How often each stack was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    stacks: BTreeMap<String, u64>,
}

/// A line that is no folded stack.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}; a line is a stack, a space and a count: worker-0;poll;lookup 12")]
pub struct FoldedError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Folded {
    /// Adds samples of a stack, its frames from the outermost.
    pub fn add(&mut self, stack: String, count: u64) {
        if count > 0 {
            let seen = self.stacks.entry(stack).or_default();
            *seen = seen.saturating_add(count);
        }
    }

    /// The stacks, each with its count.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.stacks
            .iter()
            .map(|(stack, &count)| (stack.as_str(), count))
    }

    /// All samples.
    pub fn samples(&self) -> u64 {
        self.stacks
            .values()
            .fold(0, |sum, &count| sum.saturating_add(count))
    }
}

impl FromStr for Folded {
    type Err = FoldedError;

    fn from_str(text: &str) -> Result<Self, FoldedError> {
        let mut folded = Self::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if line.is_empty() {
                continue;
            }
            let wrong = |why| FoldedError { line: at + 1, why };
            let (stack, count) = line.rsplit_once(' ').ok_or(wrong("it has no count"))?;
            let count = count
                .parse()
                .map_err(|_| wrong("what follows its last space is no count"))?;
            if stack.trim().is_empty() {
                return Err(wrong("it has no stack"));
            }
            folded.add(stack.to_owned(), count);
        }
        Ok(folded)
    }
}

impl fmt::Display for Folded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter()
            .try_for_each(|(stack, count)| writeln!(f, "{stack} {count}"))
    }
}
