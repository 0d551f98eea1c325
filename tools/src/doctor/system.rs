//! Reading what the system says about itself.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The files of a system, and its programs.
#[derive(Clone, Debug)]
pub struct System {
    /// Where `/proc` and `/sys` are.
    root: PathBuf,
    /// Where programs are.
    path: Vec<PathBuf>,
}

/// No file that is read here is larger.
const LARGEST: u64 = 1 << 20;

/// How long a program may take to say what it is asked.
const PATIENCE: Duration = Duration::from_secs(10);

impl System {
    /// This one.
    pub fn here() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self {
            root: "/".into(),
            path: std::env::split_paths(&path).collect(),
        }
    }

    /// One whose files are below a directory, and which has the programs of other directories.
    pub fn at(root: impl Into<PathBuf>, path: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            root: root.into(),
            path: path.into_iter().collect(),
        }
    }

    /// The text of a file, without white space around it; None if it cannot be read.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        let file = File::open(self.root.join(path.trim_start_matches('/'))).ok()?;
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// A whole number that is all there is in a file.
    pub(super) fn number(&self, path: &str) -> Option<i64> {
        self.read(path)?.parse().ok()
    }

    /// The value behind `name:` on a line of a file.
    pub(super) fn field(&self, path: &str, name: &str) -> Option<String> {
        let text = self.read(path)?;
        text.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == name).then(|| value.trim().to_owned())
        })
    }

    /// Where a program is.
    pub(super) fn program(&self, name: &str) -> Option<PathBuf> {
        let mut candidates = self.path.iter().map(|dir| dir.join(name));
        candidates.find(|path| path.is_file())
    }

    /// Runs a program to its end; None if it cannot be run, or does not end in time.
    pub(super) fn run(program: &Path, args: &[&str]) -> Option<Output> {
        let mut child = Command::new(program)
            .args(args)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        let start = Instant::now();
        // What is asked for fits a pipe: nobody has to read meanwhile.
        while child.try_wait().ok()?.is_none() {
            if start.elapsed() > PATIENCE {
                // It is not needed any more, however that ends.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        child.wait_with_output().ok()
    }
}

/// What a program said on either stream, its first line.
pub(super) fn first_line(output: &Output) -> String {
    let streams = [&output.stdout, &output.stderr];
    let lines = streams.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let mut lines = lines.iter().flat_map(|text| text.lines());
    lines
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .trim()
        .to_owned()
}
