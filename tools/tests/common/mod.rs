//! What the tests that run the binary share.
#![allow(dead_code, reason = "each test takes what it needs")]

pub(crate) mod up;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use corelane::io::pcap::{Capture, PcapWriter};
use corelane_tools::sim::frame_text::{self, TimedFrame};

/// Runs the binary.
pub(crate) fn corelane<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_corelane"))
        .args(args)
        .output()
        .unwrap()
}

/// What it wrote to standard error.
pub(crate) fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// What it wrote to standard output.
pub(crate) fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

/// A directory of a test's own, removed at its end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// An empty one; `name` is no other test's.
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("corelane-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The path of a file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file in it with this text.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind where it cannot be removed: no test is about that.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Writes frames as a capture.
pub(crate) fn write_capture(path: &Path, frames: &[TimedFrame]) {
    frame_text::write_capture(PcapWriter::create(path).unwrap(), frames).unwrap();
}

/// Reads a capture.
pub(crate) fn read_capture(path: &Path) -> Vec<TimedFrame> {
    let capture = Capture::open(path).unwrap();
    let frame = |packet: corelane::io::pcap::Packet<'_>| TimedFrame {
        at_ns: u64::try_from(packet.time_ns()).unwrap(),
        frame: packet.payload().to_vec(),
    };
    capture.packets().map(frame).collect()
}
