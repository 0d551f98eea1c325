//! What came of it all: cases × links, figures, and what cannot be had.

use std::error::Error;
use std::fmt;

use crate::link::Kind;
use crate::outcome::Outcome;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// In a line.
pub(crate) fn line(outcome: &Result<Outcome>) -> String {
    match outcome {
        Ok(Outcome::Pass(note)) if note.is_empty() => "ok".to_owned(),
        Ok(Outcome::Pass(note)) => format!("ok: {note}"),
        Ok(Outcome::Cannot(why)) => format!("cannot: {why}"),
        Err(error) => format!("FAILED: {error:#}"),
    }
}

/// What came of all cases, in their order.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<(String, [Option<String>; 4])>,
    /// Figures: what, and what it came to.
    figures: Vec<(String, String)>,
    /// What is told at the end: of what failed and of what cannot be had.
    notes: Vec<String>,
    failed: bool,
    lacks: bool,
}

impl Table {
    /// Adds what came of a case.
    pub(crate) fn add(&mut self, case: &str, kind: Kind, outcome: Result<Outcome>) {
        let cell = match outcome {
            Ok(Outcome::Pass(note)) if note.is_empty() => "pass".to_owned(),
            Ok(Outcome::Pass(note)) => format!("pass: {note}"),
            Ok(Outcome::Cannot(why)) => {
                self.lacks = true;
                format!("cannot [{}]", self.note(format!("cannot: {why}")))
            }
            Err(error) => {
                self.failed = true;
                let why = format!("{case}, {}: FAIL: {error:#}", kind.label());
                format!("FAIL [{}]", self.note(why))
            }
        };
        let at = self.rows.iter().position(|(name, _)| name == case);
        let at = at.unwrap_or_else(|| {
            self.rows.push((case.to_owned(), Default::default()));
            self.rows.len() - 1
        });
        let column = Kind::ALL.iter().position(|&it| it == kind);
        if let (Some((_, cells)), Some(column)) = (self.rows.get_mut(at), column) {
            cells[column] = Some(cell);
        }
    }

    /// Adds a figure.
    pub(crate) fn figure(&mut self, what: impl Into<String>, is: impl Into<String>) {
        self.figures.push((what.into(), is.into()));
    }

    /// A figure that could not be taken, or is far from what it has to be.
    pub(crate) fn fail(&mut self, what: &str, why: impl fmt::Display) {
        self.failed = true;
        let number = self.note(format!("{what}: FAIL: {why}"));
        self.figure(what, format!("FAIL [{number}]"));
    }

    /// The number of a note.
    fn note(&mut self, note: String) -> usize {
        if let Some(at) = self.notes.iter().position(|it| *it == note) {
            return at + 1;
        }
        self.notes.push(note);
        self.notes.len()
    }

    /// Whether something failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether something cannot be had here.
    pub(crate) fn lacks(&self) -> bool {
        self.lacks
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = Kind::ALL.map(|kind| Some(kind.label().to_owned()));
        let all = [("case".to_owned(), head)];
        let all: Vec<_> = all.iter().chain(&self.rows).collect();
        let first = all.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let widths = [0, 1, 2, 3].map(|column| {
            let lens = all
                .iter()
                .map(|(_, cells)| cells[column].as_ref().map_or(1, String::len));
            lens.max().unwrap_or(0)
        });
        if !self.rows.is_empty() {
            for (name, cells) in all {
                let cells: Vec<_> = cells
                    .iter()
                    .zip(widths)
                    .map(|(cell, width)| format!("{:width$}", cell.as_deref().unwrap_or("-")))
                    .collect();
                writeln!(
                    f,
                    "{}",
                    format!("{name:first$}  {}", cells.join("  ")).trim_end()
                )?;
            }
            writeln!(f)?;
        }
        let first = self.figures.iter().map(|(what, _)| what.len()).max();
        let first = first.unwrap_or(0);
        for (what, is) in &self.figures {
            writeln!(f, "{what:first$}  {is}")?;
        }
        for (number, note) in self.notes.iter().enumerate() {
            writeln!(f, "[{}] {note}", number + 1)?;
        }
        Ok(())
    }
}
