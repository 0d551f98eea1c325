//! Where results go.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::Failure;
use crate::cli::{EngineArgs, Usage};
use crate::report::Report;

/// Where the result goes: text to standard output, JSON to a file, or JSON to standard output and
/// nothing else.
pub struct Output {
    json: Json,
}

enum Json {
    No,
    Stdout,
    File(File, String),
}

impl Output {
    /// The one that the options ask for. The file is made now: a run is too long to find out at its
    /// end that the result cannot be kept.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn new(args: &EngineArgs) -> Result<Self, Failure> {
        let json = match args.json.as_deref() {
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

    /// Writes the result.
    ///
    /// # Errors
    /// It cannot be written. A reader of standard output that has gone away is no error.
    pub fn write(self, report: &Report) -> Result<(), Failure> {
        let json = || {
            report
                .json()
                .map_err(|error| Failure::Run(format!("no JSON: {error}")))
        };
        match self.json {
            Json::No => print(&report.text()),
            Json::Stdout => print(&format!("{}\n", json()?)),
            Json::File(mut file, name) => {
                let json = format!("{}\n", json()?);
                file.write_all(json.as_bytes())
                    .map_err(|error| Failure::Run(format!("cannot write {name}: {error}")))?;
                print(&report.text())
            }
        }
    }
}

/// Prints to standard output.
///
/// # Errors
/// It cannot be written; that its reader has gone away is no error.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::Run(format!(
            "cannot write to standard output: {error}"
        ))),
        Ok(()) => Ok(()),
    }
}
