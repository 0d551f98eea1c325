//! Captures to files: those that are written, and what came of those that were.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use corelane::stack::NicId;

use super::links::FileCapture;
use crate::cli::Usage;
use crate::config::Config;
use crate::run::{Taken, check_free};

/// The configuration of this file, and the files that it has captures written to.
pub(crate) fn taken<'c>(config: &'c Config, file: &'c Path) -> Vec<Taken<'c>> {
    let mut taken = vec![Taken {
        file,
        holds: "the configuration".to_owned(),
    }];
    let captures = config.nics.iter().filter_map(|nic| {
        let holds = format!("the capture of nic '{}'", nic.name);
        let file = &nic.capture.as_ref()?.file;
        Some(Taken { file, holds })
    });
    taken.extend(captures);
    taken
}

/// No capture is written over the configuration of this file, or over another.
///
/// # Errors
/// Which one would be.
pub(super) fn check_files(config: &Config, file: &Path) -> Result<(), Usage> {
    let mut before = taken(config, file);
    while let Some(last) = before.pop().filter(|_| !before.is_empty()) {
        check_free(&last.holds, last.file, &before)?;
    }
    Ok(())
}

/// The captures of all NICs.
#[derive(Default)]
pub(super) struct Captures {
    written: Vec<(NicId, FileCapture)>,
    /// By file: the next capture to a file is in place of the one before.
    ended: BTreeMap<PathBuf, String>,
}

impl Captures {
    /// One, if there is one, begins on this NIC.
    pub(super) fn begin(&mut self, nic: NicId, capture: Option<FileCapture>) {
        if let Some(capture) = capture {
            self.ended.remove(capture.file());
            self.written.push((nic, capture));
        }
    }

    /// The NIC is gone, and its link is closed: its thread and buffers go now, since NICs may come and go often.
    pub(super) fn end_of(&mut self, nic: NicId) {
        for (_, capture) in self.written.extract_if(.., |(of, _)| *of == nic) {
            let file = capture.file().to_owned();
            let said = capture.end();
            tracing::info!("capture {said}");
            self.ended.insert(file, said);
        }
    }

    /// What came of them all, once every link is closed.
    pub(super) fn end(self) -> Vec<String> {
        let written = self.written.into_iter();
        let now = written.map(|(_, capture)| capture.end());
        self.ended.into_values().chain(now).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_capture_is_written_over_what_is_read_or_over_another() {
        let path = |name: &str| {
            std::env::temp_dir().join(format!("corelane-{}-{name}", std::process::id()))
        };
        let [file, other, to_file, to_other] =
            ["lab.toml", "a.pcapng", "b.pcapng", "c.pcapng"].map(path);
        for (file, link) in [(&file, &to_file), (&other, &to_other)] {
            std::fs::write(file, "").unwrap();
            std::os::unix::fs::symlink(file, link).unwrap();
        }
        let checked = |files: &[&Path]| {
            let nic = |(at, file): (usize, &&Path)| {
                let file = file.display();
                format!("[[nic]]\nname = 'n{at}'\n[nic.capture]\nfile = '{file}'\n")
            };
            let text: String = files.iter().enumerate().map(nic).collect();
            let config = Config::parse("lab.toml", &text).unwrap();
            check_files(&config, &file).map_err(|error| error.to_string())
        };
        assert_eq!(checked(&[&other]), Ok(()));
        let told = checked(&[&other, &to_file]).unwrap_err();
        assert!(
            told.starts_with("the capture of nic 'n1': ")
                && told.contains("over the configuration"),
            "{told}"
        );
        let told = checked(&[&other, &to_other]).unwrap_err();
        assert!(told.contains("over the capture of nic 'n0'"), "{told}");
        for path in [file, other, to_file, to_other] {
            std::fs::remove_file(path).unwrap();
        }
    }
}
