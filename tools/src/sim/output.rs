//! Where a report goes.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::cli::Usage;
use crate::run::{Failure, print};

/// Text to standard output and JSON to a file, or JSON to standard output and nothing else.
pub struct Output {
    json: Json,
}

enum Json {
    No,
    Stdout,
    File(File, String),
}

impl Output {
    /// The one that `--json` asks for. The file is made now: a run is too long to find out at its
    /// end that the report cannot be kept.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn new(json: Option<&Path>) -> Result<Self, Failure> {
        let json = match json {
            None => Json::No,
            Some(path) if path == Path::new("-") => Json::Stdout,
            Some(path) => {
                let name = path.display().to_string();
                let file = File::create(path)
                    .map_err(|error| Usage::new(format!("--json: cannot write {name}: {error}")))?;
                Json::File(file, name)
            }
        };
        Ok(Self { json })
    }

    /// Whether nothing but JSON may go to standard output.
    pub fn is_stdout_json(&self) -> bool {
        matches!(self.json, Json::Stdout)
    }

    /// Writes both; the keys of the JSON are in alphabetical order.
    ///
    /// # Errors
    /// It cannot be written. A reader of standard output that has gone away is no error.
    pub fn write(self, text: &str, json: &Value) -> Result<(), Failure> {
        let json = format!("{json:#}\n");
        match self.json {
            Json::No => print(text),
            Json::Stdout => print(&json),
            Json::File(mut file, name) => {
                file.write_all(json.as_bytes())
                    .map_err(|error| Failure::Run(format!("cannot write {name}: {error}")))?;
                print(text)
            }
        }
    }
}
