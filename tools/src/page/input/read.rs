//! Reading results, and saying what is wrong with them.

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Head, Inputs, Named, Profile, Run, Search, Source};
use crate::figures;
use crate::report::SCHEMA;

/// A file that is no result: which, where and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {why}")]
pub struct BadResult {
    file: String,
    why: String,
}

/// The largest file that can be a result: one of many hours has some MB.
const MAX_BYTES: u64 = 256 << 20;

/// What the run of a profile has.
#[derive(Deserialize)]
struct HeadOfBench {
    bench: Head,
}

/// What tells a result's kind.
#[derive(Deserialize)]
struct Kind {
    schema: u64,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    verb: Option<String>,
}

impl Inputs {
    /// Reads results.
    ///
    /// # Errors
    /// The first file that is none.
    pub(in crate::page) fn read(sources: &[Source]) -> Result<Self, BadResult> {
        let mut inputs = Self::default();
        let mut names = HashSet::new();
        for source in sources {
            let file = source.file.display().to_string();
            let text = read_text(&source.file)?;
            let kind: Kind = parse(&file, &text)?;
            if kind.schema > u64::from(SCHEMA) {
                return Err(bad(
                    &file,
                    format!(
                        "its schema is {}, newer than {SCHEMA}, which this version knows; a newer corelane reads it",
                        kind.schema
                    ),
                ));
            }
            if kind.schema == 0 {
                return Err(bad(&file, "schema: there is no version 0".to_owned()));
            }
            let group = source.name.clone();
            let stem = || {
                let stem = source.file.file_stem().unwrap_or(source.file.as_os_str());
                stem.to_string_lossy().into_owned()
            };
            let name = free_name(&group.clone().unwrap_or_else(stem), &mut names);
            match kind.kind.or(kind.verb).as_deref() {
                Some("bench" | "replay") => {
                    let mut result: Run = parse(&file, &text)?;
                    result.head = parse(&file, &text)?;
                    check_flags(&file, &result.head)?;
                    inputs.runs.push(Named::new(name, group, file, result));
                }
                Some("search") => {
                    let mut result: Search = parse(&file, &text)?;
                    result.head = parse(&file, &text)?;
                    inputs.searches.push(Named::new(name, group, file, result));
                }
                Some("profile") => {
                    let mut result: Profile = parse(&file, &text)?;
                    let head: HeadOfBench = parse(&file, &text)?;
                    result.bench.head = head.bench;
                    inputs.profiles.push(Named::new(name, group, file, result));
                }
                Some(other) => {
                    let why = format!(
                        "kind: results of '{other}' have no place in a report; those of bench, replay, search and profile have"
                    );
                    return Err(bad(&file, why));
                }
                None => return Err(bad(&file, "it has neither kind nor verb".to_owned())),
            }
        }
        Ok(inputs)
    }
}

/// What a plot has as its axis is a number.
fn check_flags(file: &str, head: &Head) -> Result<(), BadResult> {
    match head.flags.get("endpoints") {
        None | Some(Value::Null) => Ok(()),
        Some(value) if value.as_u64().is_some_and(|n| n > 0) => Ok(()),
        Some(value) => {
            let why = format!("flags.endpoints: {value} is no number of endpoints");
            Err(bad(file, why))
        }
    }
}

/// The name; with a number if it is taken.
fn free_name(wanted: &str, names: &mut HashSet<String>) -> String {
    let mut name = wanted.to_owned();
    let mut n = 2;
    while !names.insert(name.clone()) {
        name = format!("{wanted} #{n}");
        n += 1;
    }
    name
}

fn read_text(path: &Path) -> Result<String, BadResult> {
    let file = path.display().to_string();
    let size = std::fs::metadata(path).map_err(|error| bad(&file, error.to_string()))?;
    if size.len() > MAX_BYTES {
        return Err(bad(
            &file,
            format!("it has {} bytes: no result is that long", size.len()),
        ));
    }
    let bytes = std::fs::read(path).map_err(|error| bad(&file, error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        bad(&file, format!("it is no text: byte {at} is not UTF-8"))
    })
}

fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, BadResult> {
    figures::parse(text.as_bytes()).map_err(|why| bad(file, why))
}

fn bad(file: &str, why: String) -> BadResult {
    BadResult {
        file: file.to_owned(),
        why,
    }
}

/// Reads an SVG, which is not looked into further: it is shown where it can do nothing.
///
/// # Errors
/// It cannot be read, or is none.
pub(in crate::page) fn read_svg(path: &Path) -> Result<String, BadResult> {
    let text = read_text(path)?;
    if svg_tag(&text).is_none() {
        let file = path.display().to_string();
        return Err(bad(
            &file,
            "it is no SVG: there is no <svg ...> in it".to_owned(),
        ));
    }
    Ok(text)
}

fn svg_tag(text: &str) -> Option<&str> {
    let from = text.find("<svg")?;
    let tag = &text[from..];
    Some(&tag[..tag.find('>')?])
}

/// The height that it asks for, in pixels, within what a page has room for.
pub(in crate::page) fn svg_height(text: &str) -> u32 {
    let asked = svg_tag(text).and_then(|tag| {
        let (_, value) = tag.split_once(" height=\"")?;
        let (value, _) = value.split_once('"')?;
        value.trim_end_matches("px").parse::<f64>().ok()
    });
    asked.unwrap_or(600.0).clamp(100.0, 2000.0) as u32
}
