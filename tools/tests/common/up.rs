//! A host that is up, and what is done to it.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::Scratch;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `ip`.
pub(crate) fn ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {told}");
}

/// Waits until it is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// `corelane up`, ended with the case.
pub(crate) struct Up {
    child: Child,
    stdout: BufReader<ChildStdout>,
    dir: Scratch,
}

impl Up {
    /// With a configuration (its control socket and log are in a directory of the case's own), once it
    /// says that it is up.
    pub(crate) fn start(name: &str, config: &str) -> Self {
        Self::start_in(Scratch::new(name), config, &[], &[])
    }

    pub(crate) fn start_in(
        dir: Scratch,
        config: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let log = std::fs::File::create(dir.path("log")).unwrap();
        let mut child = command(&dir, config)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let up = Self { child, stdout, dir };
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
        let before = self.log().matches("SIGHUP: ").count();
        self.signal("HUP");
        eventually(told, || self.log().matches("SIGHUP: ").count() > before);
        let log = self.log();
        let last = log.lines().rfind(|line| line.contains("SIGHUP: "));
        assert!(last.unwrap().contains(told), "{told}: {log}");
    }

    /// `corelane ctl`.
    pub(crate) fn ctl(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_corelane"))
            .arg("ctl")
            .arg("--socket")
            .arg(self.socket())
            .args(line.split_whitespace())
            .output()
            .unwrap()
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
        let mut text = String::new();
        self.stdout.read_to_string(&mut text).unwrap();
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

fn write_config(dir: &Scratch, config: &str) {
    let socket = dir.path("control.sock");
    let text = format!("socket = '{}'\n{config}", socket.display());
    std::fs::write(dir.path("lab.toml"), text).unwrap();
}

fn command(dir: &Scratch, config: &str) -> Command {
    write_config(dir, config);
    let mut command = Command::new(env!("CARGO_BIN_EXE_corelane"));
    command.arg("up").arg("--config").arg(dir.path("lab.toml"));
    command.env_remove("NOTIFY_SOCKET");
    command
}

/// `corelane up` that does not come up: exit status and what it says.
pub(crate) fn refused(dir: &Scratch, config: &str) -> (Option<i32>, String) {
    let output = command(dir, config)
        .args(["--log", "off"])
        .output()
        .unwrap();
    assert!(output.stdout.is_empty());
    let told = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), told)
}

/// A socket of the kernel's, towards a service.
pub(crate) struct Client {
    socket: UdpSocket,
    to: SocketAddr,
}

impl Client {
    pub(crate) fn new(to: &str, port: u16) -> Self {
        let to: IpAddr = to.parse().unwrap();
        let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(2)))
            .unwrap();
        let to = SocketAddr::new(to, port);
        Self { socket, to }
    }

    /// Whether a datagram comes back as it was sent.
    pub(crate) fn echo(&self, payload: &[u8]) -> bool {
        self.try_echo(payload).is_ok()
    }

    /// Likewise, or what happened instead.
    pub(crate) fn try_echo(&self, payload: &[u8]) -> Result<(), String> {
        let sent = self.socket.send_to(payload, self.to);
        sent.map_err(|error| format!("not sent: {error}"))?;
        let mut back = vec![0; 1 << 16];
        let came = loop {
            // With a timeout the kernel does not go on by itself.
            match self.socket.recv_from(&mut back) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                came => break came,
            }
        };
        let (len, from) = came.map_err(|error| format!("nothing came: {error}"))?;
        if from != self.to || back[..len] != *payload {
            return Err(format!("{len} other bytes from {from}"));
        }
        Ok(())
    }
}

/// Permissions of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
