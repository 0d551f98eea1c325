//! What is wrong with a configuration, and where.

use std::fmt;
use std::ops::Range;

/// A place in a file: line and column, both from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// Why a file is no configuration: `FILE:LINE:COLUMN: FIELD: what; did you mean 'this'?`
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file, as it was named.
    pub file: String,
    /// Where in it; None if it could not be read at all.
    pub place: Option<Place>,
    /// The field, as `nic[0].mtu`; empty if no field is at fault.
    pub field: String,
    /// What is wrong, and what would do.
    pub what: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some(Place { line, column }) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        if !self.field.is_empty() {
            write!(f, " {}:", self.field)?;
        }
        write!(f, " {}", self.what)
    }
}

/// On one line, and nothing that a terminal would obey: texts of the file are repeated in messages.
pub(super) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            printable.extend(c.escape_default());
        } else {
            printable.push(c);
        }
    }
    printable
}

/// The text that a configuration is read from.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
    /// As [`line_starts`] has them: a file may have a warning on each line.
    pub(super) lines: &'a [usize],
}

/// Where each line of a text begins.
pub(super) fn line_starts(text: &str) -> Vec<usize> {
    let behind = text.match_indices('\n').map(|(newline, _)| newline + 1);
    std::iter::once(0).chain(behind).collect()
}

impl Source<'_> {
    /// The error of what stands at `span`.
    pub(super) fn error(
        &self,
        span: &Range<usize>,
        field: &str,
        what: impl fmt::Display,
    ) -> ConfigError {
        ConfigError {
            file: self.file.to_owned(),
            place: Some(self.place(span.start)),
            field: printable(field),
            what: printable(&what.to_string()),
        }
    }

    /// Line and column of a byte of the text.
    pub(super) fn place(&self, at: usize) -> Place {
        let at = self.text.floor_char_boundary(at);
        let line = self.lines.partition_point(|start| *start <= at);
        let start = line.checked_sub(1).and_then(|line| self.lines.get(line));
        let before = start.and_then(|start| self.text.get(*start..at));
        Place {
            line,
            column: before.unwrap_or_default().chars().count() + 1,
        }
    }
}
