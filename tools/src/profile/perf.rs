//! Sampling by the program `perf`, attached to this process.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use inferno::collapse::Collapse;
use inferno::collapse::perf::{Folder, Options};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, mkfifo};
use rustc_demangle::try_demangle;
use tempfile::TempDir;

use super::folded::Folded;
use super::sampler::{Sampled, SamplerShare, Unavailable};

/// What a virtual machine often has no counter for: perf then takes the clock of the core itself.
const EVENT: &str = "cycles:u";

/// How much of a stack is kept to be unwound later: what stages have on it is several KiB.
const STACK_DUMP: u32 = 16_384;

/// How long perf may take to attach, and to write what it has.
const PATIENCE: Duration = Duration::from_secs(20);

/// perf, attached.
pub struct PerfRecording {
    perf: Child,
    folder: TempDir,
    frequency: u32,
    stopped: bool,
}

impl PerfRecording {
    /// Attaches perf to all threads of this process.
    ///
    /// # Errors
    /// There is no perf, or the kernel refuses it what it needs.
    pub(super) fn start(frequency: u32) -> Result<Self, Unavailable> {
        let trouble =
            |error: io::Error| Unavailable(format!("perf: no place for its data: {error}"));
        let folder = tempfile::Builder::new()
            .prefix("corelane-profile-")
            .tempdir()
            .map_err(trouble)?;
        let path = |name| folder.path().join(name);
        let pipe = |name| {
            mkfifo(&path(name), nix::sys::stat::Mode::S_IRWXU)?;
            // Open at both ends, so that neither opening nor reading waits for perf.
            let mut options = OpenOptions::new();
            options.read(true).write(true);
            options.custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits());
            options.open(path(name))
        };
        let mut control = pipe("control").map_err(trouble)?;
        let mut answers = pipe("answers").map_err(trouble)?;
        let said = File::create(path("said")).map_err(trouble)?;
        let both = format!(
            "fifo:{},{}",
            path("control").display(),
            path("answers").display()
        );
        let perf = Command::new("perf")
            .env("LC_ALL", "C")
            .args(["record", "--quiet", "--event", EVENT])
            .args(["--freq", &frequency.to_string()])
            .args(["--call-graph", &unwinding_option()])
            .args(["--no-buildid", "--no-buildid-cache"])
            .args(["--pid", &std::process::id().to_string()])
            // Off until it is told.
            .args(["--delay", "-1", "--control", &both])
            .args([OsStr::new("--output"), path("data").as_os_str()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .map_err(|error| missing(&error))?;
        let mut recording = Self {
            perf,
            folder,
            frequency,
            stopped: false,
        };
        control.write_all(b"enable\n").map_err(trouble)?;
        recording.wait_for_answer(&mut answers)?;
        Ok(recording)
    }

    /// Waits until perf says that it does what it was told.
    fn wait_for_answer(&mut self, answers: &mut File) -> Result<(), Unavailable> {
        let start = Instant::now();
        let mut answer = [0; 16];
        loop {
            match answers.read(&mut answer) {
                Ok(n) if answer[..n].starts_with(b"ack") => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(Unavailable(format!("perf: no answer: {error}"))),
            }
            if let Ok(Some(_)) = self.perf.try_wait() {
                self.stopped = true;
                return Err(self.refusal());
            }
            if start.elapsed() > PATIENCE {
                return Err(Unavailable("perf does not answer".to_owned()));
            }
            sleep(Duration::from_millis(2));
        }
    }

    /// What perf said when it gave up, and what to do about it.
    fn refusal(&self) -> Unavailable {
        let said = std::fs::read_to_string(self.folder.path().join("said")).unwrap_or_default();
        let paranoid = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid");
        let paranoid = paranoid.ok().and_then(|text| text.trim().parse().ok());
        Unavailable(explain(&said, paranoid))
    }

    /// Tells perf to end, and waits until it has.
    pub(super) fn stop(&mut self) {
        if self.stopped {
            return;
        }
        self.stopped = true;
        // As Ctrl-C does, which it may have had already.
        if let Ok(pid) = i32::try_from(self.perf.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
        }
        let start = Instant::now();
        while let Ok(None) = self.perf.try_wait() {
            if start.elapsed() > PATIENCE {
                // What it has not written by now, finish() misses and says so.
                let _ = self.perf.kill();
                let _ = self.perf.wait();
                return;
            }
            sleep(Duration::from_millis(2));
        }
    }

    /// What it sampled.
    ///
    /// # Errors
    /// perf cannot read what it wrote.
    pub(super) fn finish(mut self) -> Result<Sampled, Unavailable> {
        self.stop();
        let output = Command::new("perf")
            .env("LC_ALL", "C")
            .args(["script", "--no-inline", "--show-lost-events"])
            .args(["--fields", "comm,tid,time,event,ip,sym,dso"])
            .args([
                OsStr::new("--input"),
                self.folder.path().join("data").as_os_str(),
            ])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| missing(&error))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Unavailable(format!("perf script: {}", said.trim())));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(Sampled {
            folded: fold(&text)?,
            lost: Some(lost(&text)),
            sampler: SamplerShare {
                name: "perf",
                event: event(&text).unwrap_or(EVENT).to_owned(),
                unwinding: UNWINDING,
                frequency_hz: self.frequency,
            },
        })
    }
}

impl Drop for PerfRecording {
    fn drop(&mut self) {
        self.stop();
    }
}

const UNWINDING: &str = if cfg!(frame_pointers) {
    "frame pointers"
} else {
    "DWARF"
};

fn unwinding_option() -> String {
    if cfg!(frame_pointers) {
        "fp".to_owned()
    } else {
        format!("dwarf,{STACK_DUMP}")
    }
}

fn missing(error: &io::Error) -> Unavailable {
    Unavailable(if error.kind() == ErrorKind::NotFound {
        "perf is not installed (Debian: apt-get install linux-perf; Ubuntu: apt-get install linux-tools-$(uname -r); \
         Fedora: dnf install perf)"
            .to_owned()
    } else {
        format!("perf does not start: {error}")
    })
}

/// Why perf gave up, from what it said and from how much of it the kernel allows.
pub(super) fn explain(said: &str, paranoid: Option<i32>) -> String {
    let first: Vec<_> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && *line != "Error:")
        .take(2)
        .collect();
    let first = first.join(" ");
    let refused = [
        "permission",
        "perf_event_paranoid",
        "not permitted",
        "Access",
    ]
    .iter()
    .any(|word| said.contains(word));
    match paranoid {
        Some(level) if refused && level > 2 => format!(
            "the kernel refuses perf (kernel.perf_event_paranoid is {level}): sysctl kernel.perf_event_paranoid=2 \
             allows it, or run as root"
        ),
        _ if refused => format!(
            "the kernel refuses perf ({first}): run as root or with CAP_PERFMON; in a container, allow \
             perf_event_open in its seccomp profile"
        ),
        _ if said.contains("control") => {
            format!("this perf is too old ({first}): 5.10 or later is needed")
        }
        _ if first.is_empty() => "perf gave up and did not say why".to_owned(),
        _ => format!("perf gave up: {first}"),
    }
}

/// Folds what `perf script` printed.
pub(super) fn fold(text: &str) -> Result<Folded, Unavailable> {
    let mut options = Options::default();
    options.nthreads = 1;
    let mut folded = Vec::new();
    Folder::from(options)
        .collapse(BufReader::new(text.as_bytes()), &mut folded)
        .map_err(|error| Unavailable(format!("perf script: {error}")))?;
    let folded = String::from_utf8_lossy(&folded);
    let read: Folded = folded
        .parse()
        .map_err(|error| Unavailable(format!("perf script: {error}")))?;
    let mut clear = Folded::default();
    for (stack, count) in read.iter() {
        let frames: Vec<_> = stack.split(';').map(demangled).collect();
        clear.add(frames.join(";"), count);
    }
    Ok(clear)
}

/// A function's name as it is in the source; perf knows only the older way to mangle names.
fn demangled(name: &str) -> String {
    match try_demangle(name) {
        Ok(demangled) => format!("{demangled:#}").replace(';', ":"),
        Err(_) => name.to_owned(),
    }
}

/// The event of the first sample.
pub(super) fn event(text: &str) -> Option<&str> {
    let is_header = |line: &&str| !line.starts_with([' ', '\t', '#']) && line.ends_with(':');
    let header = text.lines().map(str::trim_end).find(is_header)?;
    let event = header.split_ascii_whitespace().next_back()?;
    Some(event.trim_end_matches(':'))
}

/// Samples that the kernel could not hand over in time.
pub(super) fn lost(text: &str) -> u64 {
    text.lines()
        .filter(|line| line.contains("PERF_RECORD_LOST"))
        .filter_map(|line| {
            line.split_ascii_whitespace()
                .next_back()?
                .parse::<u64>()
                .ok()
        })
        .sum()
}
