//! A file, and what its result is called.

use std::path::PathBuf;
use std::str::FromStr;

use crate::unit::ValueError;

/// `FILE`, or `NAME=FILE`: results with the same name are repetitions of one measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name, if one is given.
    pub name: Option<String>,
    /// The file.
    pub file: PathBuf,
}

impl FromStr for Source {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.split_once('=') {
            // A path that has the sign in it.
            Some((name, _)) if name.contains('/') => Ok(Self {
                name: None,
                file: text.into(),
            }),
            Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok(Self {
                name: Some(name.to_owned()),
                file: file.into(),
            }),
            Some((name, file)) => {
                let name = if name.is_empty() { "before" } else { name };
                let file = if file.is_empty() { "result.json" } else { file };
                Err(ValueError::new(
                    text,
                    "is not FILE or NAME=FILE",
                    format!("{name}={file}"),
                ))
            }
            None => Ok(Self {
                name: None,
                file: text.into(),
            }),
        }
    }
}
