//! Flame graphs.

use std::io::{self, BufReader};

use inferno::differential;
use inferno::flamegraph::{self, Options};

use super::folded::Folded;

/// Draws stacks as SVG; the same stacks give the same bytes.
///
/// # Errors
/// There are no stacks.
pub fn draw(folded: &Folded, title: &str) -> io::Result<Vec<u8>> {
    let mut options = options(title);
    let mut svg = Vec::new();
    let text = folded.to_string();
    flamegraph::from_lines(&mut options, text.lines(), &mut svg)?;
    Ok(svg)
}

/// Draws the stacks of `after`, red where they grew since `before` and blue where they shrank, as if both had as
/// many samples.
///
/// # Errors
/// There are no stacks in one of them.
pub fn draw_difference(before: &Folded, after: &Folded, title: &str) -> io::Result<Vec<u8>> {
    let mut both = Vec::new();
    let normalize = differential::Options {
        normalize: true,
        ..differential::Options::default()
    };
    let (before, after) = (before.to_string(), after.to_string());
    differential::from_readers(normalize, before.as_bytes(), after.as_bytes(), &mut both)?;
    let mut svg = Vec::new();
    flamegraph::from_reader(&mut options(title), BufReader::new(&both[..]), &mut svg)?;
    Ok(svg)
}

/// As wide as the page of `report` has room for.
const WIDTH: usize = 980;

fn options(title: &str) -> Options<'static> {
    let mut options = Options::default();
    title.clone_into(&mut options.title);
    options.deterministic = true;
    options.image_width = Some(WIDTH);
    options
}
