//! Captures to files: those that are written, and what came of those that were.

use std::collections::BTreeMap;
use std::path::PathBuf;

use corelane::stack::NicId;

use super::links::FileCapture;

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
