//! `corelane up`: a host or router that is up, and what is done to it.

use std::io::{BufRead, BufReader, PipeWriter};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use corelane_lab::namespace::Namespace;
use corelane_lab::process;
use crossbeam::channel::{Receiver, unbounded};
use serde_json::Value;

use super::Scratch;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The built binary.
pub(crate) const CORELANE: &str = env!("CARGO_BIN_EXE_corelane");

/// Waits until it is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    corelane_lab::eventually(what, PATIENCE, || Ok(is_so())).unwrap();
}

/// `corelane up`, ended with the case.
pub(crate) struct Up {
    child: Child,
    /// What it prints, read as it comes.
    stdout: Receiver<String>,
    dir: Scratch,
}

impl Up {
    /// With a configuration (its control socket and log are in a directory of the case's own), once it
    /// says that it is up.
    pub(crate) fn start(name: &str, config: &str) -> Self {
        Self::start_in(Scratch::new(name), config, &[], &[])
    }

    /// Likewise, in another namespace.
    pub(crate) fn start_on(
        namespace: &Namespace,
        name: &str,
        config: &str,
        arguments: &[&str],
    ) -> Self {
        let dir = Scratch::new(name);
        let mut command = command(Some(namespace), &dir, config);
        command.args(arguments);
        Self::start_command(command, dir)
    }

    pub(crate) fn start_in(
        dir: Scratch,
        config: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let mut command = command(None, &dir, config);
        command.args(arguments).envs(environment.iter().copied());
        Self::start_command(command, dir)
    }

    /// Likewise, with its log into this pipe.
    pub(crate) fn start_logging_to(log: PipeWriter, name: &str, config: &str) -> Self {
        let dir = Scratch::new(name);
        let command = command(None, &dir, config);
        Self::start_logged(command, dir, Some(log))
    }

    fn start_command(command: Command, dir: Scratch) -> Self {
        Self::start_logged(command, dir, None)
    }

    fn start_logged(mut command: Command, dir: Scratch, pipe: Option<PipeWriter>) -> Self {
        let log = std::fs::File::create(dir.path("log")).unwrap();
        let log = pipe.map_or_else(|| Stdio::from(log), Stdio::from);
        let command = command.stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let up = Self { child, stdout, dir };
        let line = up.stdout.recv_timeout(PATIENCE).unwrap_or_default();
        assert!(line.starts_with("corelane: up: "), "'{line}': {}", up.log());
        up
    }

    pub(crate) fn dir(&self) -> &Scratch {
        &self.dir
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path("control.sock")
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path("log")).unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
    }

    /// Has it read another configuration, and waits for what it says to that.
    pub(crate) fn reload(&self, config: &str, told: &str) {
        write_config(&self.dir, config);
        let is_answer = |line: &&str| line.contains("SIGHUP: ");
        let before = self.log().lines().filter(is_answer).count();
        self.signal("HUP");
        // What failed or is skipped is told before.
        eventually(told, || {
            let log = self.log();
            let mut answers = log.lines().filter(is_answer).skip(before);
            answers.any(|line| line.contains(told))
        });
    }

    /// `corelane ctl`.
    pub(crate) fn ctl(&self, line: &str) -> Output {
        process::output(&mut self.ctl_command(line), PATIENCE).unwrap()
    }

    /// The same, to be started.
    pub(crate) fn ctl_command(&self, line: &str) -> Command {
        let mut ctl = Command::new(CORELANE);
        ctl.arg("ctl").arg("--socket").arg(self.socket());
        ctl.args(line.split_whitespace());
        ctl
    }

    /// A change that is made.
    pub(crate) fn change(&self, line: &str) {
        let output = self.ctl(line);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {told}");
        assert!(output.stdout.is_empty(), "{line}");
    }

    /// The rows of a listing.
    pub(crate) fn show(&self, what: &str) -> Vec<Value> {
        let output = self.ctl(&format!("show {what} --json -"));
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{what}: {told}");
        let mut answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["schema"], 1);
        match answer["rows"].take() {
            Value::Array(rows) => rows,
            other => panic!("{what}: {other}"),
        }
    }

    /// The texts in a column of a listing.
    pub(crate) fn column(&self, what: &str, column: &str) -> Vec<String> {
        let rows = self.show(what).into_iter();
        rows.map(|row| row[column].as_str().unwrap_or("-").to_owned())
            .collect()
    }

    /// Whether an address is there and nobody else's.
    pub(crate) fn has(&self, address: &str) -> bool {
        let rows = self.show("addresses");
        rows.iter()
            .any(|row| row["address"] == address && row["kind"] == "permanent")
    }

    /// Ends it by a signal; its exit status and the rest of its standard output.
    pub(crate) fn end(mut self, signal: &str) -> (Option<i32>, String) {
        self.signal(signal);
        assert!(
            process::wait(&mut self.child, PATIENCE).unwrap(),
            "SIG{signal} did not end it"
        );
        let text = self.stdout.iter().collect();
        let status = self.child.wait().unwrap();
        (status.code(), text)
    }

    /// Ends it at once.
    pub(crate) fn kill(mut self) -> Scratch {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.dir, Scratch::new("unused"))
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // It has ended, as a rule.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// Lines as they are printed, each with its end.
fn lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, lines) = unbounded();
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        while stdout.read_line(&mut line).is_ok_and(|len| len > 0) {
            // Whoever wanted them may be gone.
            let _ = sender.send(std::mem::take(&mut line));
        }
    });
    lines
}

fn write_config(dir: &Scratch, config: &str) {
    let socket = dir.path("control.sock");
    let text = format!("socket = '{}'\n{config}", socket.display());
    std::fs::write(dir.path("lab.toml"), text).unwrap();
}

fn command(namespace: Option<&Namespace>, dir: &Scratch, config: &str) -> Command {
    write_config(dir, config);
    let mut command = match namespace {
        Some(namespace) => namespace.command(CORELANE),
        None => Command::new(CORELANE),
    };
    command.arg("up").arg("--config").arg(dir.path("lab.toml"));
    command.env_remove("NOTIFY_SOCKET");
    command
}

/// `corelane up` that does not come up: exit status and what it says.
pub(crate) fn refused(dir: &Scratch, config: &str) -> (Option<i32>, String) {
    let mut up = command(None, dir, config);
    let output = process::output(up.args(["--log", "off"]), PATIENCE).unwrap();
    assert!(output.stdout.is_empty());
    let told = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), told)
}
