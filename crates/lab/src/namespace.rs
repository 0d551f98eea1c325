//! Network namespaces, by name.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, setns};

use crate::{kernel, process};

/// Where `ip netns` has them.
const FOLDER: &str = "/run/netns";

/// A mount namespace's own place for names: whoever is in it alone sees them, and they go with it.
///
/// # Errors
/// This process has no mount namespace of its own, or may not mount.
pub fn own_names() -> Result<()> {
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "corelane", "/run"]);
    process::succeed(&mut mount, Duration::from_secs(5))?;
    Ok(())
}

/// A namespace with its loopback device up, gone when this is dropped (and what is in it, when the
/// last process leaves).
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes it.
    ///
    /// # Errors
    /// `ip` says why not.
    pub fn new(name: &str) -> Result<Self> {
        kernel::ip(&format!("netns add {name}"))?;
        let name = name.to_owned();
        let namespace = Self { name };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` on it.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn ip(&self, words: &str) -> Result<String> {
        kernel::ip(&format!("-n {} {words}", self.name))
    }

    /// A program, to be run in it.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]);
        command.arg(program.as_ref());
        command
    }

    /// Runs a line of words in it; it may end as it likes.
    ///
    /// # Errors
    /// There is no such program, or it does not end in time.
    pub fn run(&self, line: &str, limit: Duration) -> Result<Output> {
        process::output(&mut self.line(line), limit)
    }

    /// Likewise, and it has to succeed; what it printed.
    ///
    /// # Errors
    /// It fails, and what it said.
    pub fn succeed(&self, line: &str, limit: Duration) -> Result<String> {
        process::succeed(&mut self.line(line), limit)
    }

    /// A line of words as a program.
    pub fn line(&self, line: &str) -> Command {
        let mut words = line.split_whitespace();
        let mut command = self.command(words.next().unwrap_or_default());
        command.args(words);
        command
    }

    /// Does something in it: sockets and links that are made there stay there.
    ///
    /// # Errors
    /// It cannot be entered.
    pub fn enter<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> Result<T> {
        let file = File::open(Path::new(FOLDER).join(&self.name))
            .with_context(|| format!("namespace {}", self.name))?;
        let done = thread::scope(|scope| {
            let there = scope.spawn(move || -> Result<T> {
                setns(file, CloneFlags::CLONE_NEWNET)?;
                Ok(inside())
            });
            there.join()
        });
        done.map_err(|_| anyhow!("it panicked in namespace {}", self.name))?
    }

    /// A file of this thread's `/proc/net` in it.
    ///
    /// # Errors
    /// There is none.
    pub fn proc_net(&self, name: &str) -> Result<String> {
        let path = format!("/proc/thread-self/net/{name}");
        let read = self.enter(|| fs::read_to_string(&path))?;
        read.with_context(|| path)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // It goes with the mount namespace at the latest.
        let _ = kernel::ip(&format!("netns del {}", self.name));
    }
}
