//! A run as a process of its own.

use std::io::{Error, ErrorKind, Result};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::interrupt::Interrupt;

/// How often it is looked whether somebody interrupts: seldom enough to disturb no run.
const LOOK: Duration = Duration::from_millis(100);

/// How long a run has to end in order; its result is nobody's then.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs it to its end, or until somebody interrupts: then it is asked to end, and made to if it does not.
///
/// It has a group of its own, with whatever it starts: a terminal's Ctrl-C is for this process alone, which hands it on,
/// as it does with a signal that is for it alone. So nobody is left behind either way.
///
/// # Errors
/// It cannot be run, or does not even end when it is made to.
pub(super) fn output(command: &mut Command, interrupt: &Interrupt) -> Result<Output> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let group = Pid::from_raw(child.id().cast_signed());
    let tie = interrupt.tie(group);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    // It may be gone by the time it is told.
    let tell = |signal| {
        let _ = killpg(group, signal);
    };
    let mut asked = None;
    let mut is_made = false;
    let output = loop {
        match receiver.recv_timeout(LOOK) {
            Ok(output) => break output,
            Err(RecvTimeoutError::Disconnected) => {
                break Err(Error::other("nobody waits for it"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        match asked {
            None if interrupt.is_raised() => {
                tell(Signal::SIGINT);
                asked = Some(Instant::now());
            }
            Some(since) if !is_made && since.elapsed() > PATIENCE => {
                tell(Signal::SIGKILL);
                is_made = true;
            }
            Some(since) if since.elapsed() > 2 * PATIENCE => {
                break Err(Error::new(ErrorKind::TimedOut, "it does not end"));
            }
            _ => {}
        }
    };
    drop(tie);
    output
}
