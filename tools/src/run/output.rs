//! Where results go.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Failure;
use crate::cli::Usage;

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

/// A file that a run reads or writes, and what is in it.
pub struct Taken<'a> {
    /// The file.
    pub file: &'a Path,
    /// What is in it, for a message.
    pub holds: String,
}

impl Output {
    /// The one that `--json` asks for. The file is made now: a run is too long to find out at its
    /// end that the result cannot be kept.
    ///
    /// # Errors
    /// The file cannot be made, or is one of those `taken`.
    pub fn new(json: Option<&Path>, taken: &[Taken<'_>]) -> Result<Self, Failure> {
        let json = match json {
            None => Json::No,
            Some(path) if path == Path::new("-") => Json::Stdout,
            Some(path) => {
                check_free("--json", path, taken)?;
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

    /// Writes the text, and the JSON with the end of a line behind it.
    ///
    /// # Errors
    /// It cannot be written. A reader of standard output that has gone away is no error.
    pub fn write(mut self, text: &str, json: &str) -> Result<(), Failure> {
        self.write_to_reader(text, json).map(drop)
    }

    /// Likewise, for who writes on and on. Returns whether somebody still reads standard output.
    ///
    /// # Errors
    /// Likewise.
    pub fn write_to_reader(&mut self, text: &str, json: &str) -> Result<bool, Failure> {
        match &mut self.json {
            Json::No => print_to_reader(text),
            Json::Stdout => print_to_reader(&format!("{json}\n")),
            Json::File(file, name) => {
                file.write_all(format!("{json}\n").as_bytes())
                    .map_err(|error| Failure::Run(format!("cannot write {name}: {error}")))?;
                print_to_reader(text)
            }
        }
    }
}

/// Checks that `file`, which `option` has written, is none of those `taken`.
///
/// # Errors
/// It is one of them.
pub fn check_free(option: &str, file: &Path, taken: &[Taken<'_>]) -> Result<(), Usage> {
    let other = taken.iter().find(|other| is_same(file, other.file));
    other.map_or(Ok(()), |other| {
        Err(Usage::new(format!(
            "{option}: {} would be written over {}; name another",
            file.display(),
            other.holds
        )))
    })
}

/// Whether what is written to the one file would be in the other. Writing to a device or a pipe writes over nothing.
fn is_same(one: &Path, other: &Path) -> bool {
    let of = |file: &Path| file.metadata().ok();
    match (of(one), of(other)) {
        (Some(one), Some(other)) => {
            one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino())
        }
        (None, None) => resolved(one).is_some_and(|one| resolved(other) == Some(one)),
        _ => false,
    }
}

/// The path, without links and detours, of a file that is not there yet.
fn resolved(file: &Path) -> Option<PathBuf> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or(Path::new(".")).canonicalize().ok()?;
    Some(dir.join(file.file_name()?))
}

/// Prints to standard output.
///
/// # Errors
/// It cannot be written; that its reader has gone away is no error.
pub fn print(text: &str) -> Result<(), Failure> {
    print_to_reader(text).map(drop)
}

/// Likewise, for who prints on and on. Returns whether somebody still reads it.
///
/// # Errors
/// Likewise.
pub fn print_to_reader(text: &str) -> Result<bool, Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::Run(format!(
            "cannot write to standard output: {error}"
        ))),
        Ok(()) => Ok(true),
    }
}

/// Says something on standard error. That nobody reads it any more is no reason to end in a panic, as `eprintln` does.
pub fn say(text: &str) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_by_whatever_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("result"), "what was measured").unwrap();
        std::fs::hard_link(path("result"), path("hard")).unwrap();
        std::os::unix::fs::symlink(path("result"), path("soft")).unwrap();
        std::fs::create_dir(path("dir")).unwrap();
        let (file, not_there) = (path("result"), path("other"));
        let taken = [&file, &not_there].map(|file| Taken {
            file,
            holds: "a result".to_owned(),
        });
        for name in [
            "result",
            "hard",
            "soft",
            "dir/../result",
            "other",
            "dir/../other",
        ] {
            let error = check_free("--json", &path(name), &taken).unwrap_err();
            let said = error.to_string();
            assert!(
                said.ends_with("would be written over a result; name another"),
                "{said}"
            );
        }
        for name in ["new", "dir/result", "dir/new"] {
            assert_eq!(check_free("--json", &path(name), &taken), Ok(()), "{name}");
        }
        // Nothing is kept there that could be lost.
        let file = Path::new("/dev/null");
        let taken = [Taken {
            file,
            holds: "latencies".to_owned(),
        }];
        assert_eq!(check_free("--json", file, &taken), Ok(()));
    }
}
