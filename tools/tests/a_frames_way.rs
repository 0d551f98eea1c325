//! The chapter `docs::a_frames_way` shows what `sim --trace` prints.

mod common;

use std::path::Path;

use common::{Scratch, corelane, stderr, stdout};

const CHAPTER: &str = include_str!("../../crates/corelane/src/docs/a_frames_way.rs");

#[test]
fn the_chapter_shows_what_is_printed() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/a-frames-way");
    let file = |name: &str| case.join(name).display().to_string();
    let scratch = Scratch::new("a-frames-way");
    let output = corelane(&[
        "sim",
        "--config",
        &file("case.toml"),
        "--in",
        &format!("wan={}", file("in/wan.txt")),
        "--in",
        &format!("lan={}", file("in/lan.txt")),
        "--out",
        scratch.path("out").to_str().unwrap(),
        "--trace",
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    let (trace, _report) = stdout(&output).split_once("\n\nsim: ").unwrap();
    let printed: Vec<_> = trace.lines().collect();
    let shown = blocks(CHAPTER);
    for (line, (shown, printed)) in shown.iter().zip(&printed).enumerate() {
        assert_eq!(shown, printed, "line {line} of the trace");
    }
    assert_eq!(shown.len(), printed.len(), "one is longer");
}

/// The lines of all blocks of a page.
fn blocks(page: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut is_inside = false;
    for line in page.lines().filter_map(|line| line.strip_prefix("//!")) {
        let line = line.strip_prefix(' ').unwrap_or(line);
        if line.starts_with("```") {
            is_inside = !is_inside;
        } else if is_inside {
            lines.push(line);
        }
    }
    lines
}
