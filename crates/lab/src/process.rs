//! Programs that end, by themselves or not.

use std::io::Read;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// A program that runs beside, killed at the latest when this is dropped.
#[derive(Debug)]
pub struct Background(Child);

impl Background {
    /// Starts it, with nothing to read.
    ///
    /// # Errors
    /// There is no such program.
    pub fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).spawn();
        Ok(Self(child.with_context(|| format!("{command:?}"))?))
    }

    /// Ends it by a signal, and waits for that.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn end(mut self, signal: &str, limit: Duration) -> Result<()> {
        let id = self.0.id().to_string();
        succeed(
            Command::new("kill").args([&format!("-{signal}"), &id]),
            limit,
        )?;
        ensure!(wait(&mut self.0, limit)?, "SIG{signal} did not end it");
        Ok(())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for a child. Whether it ended in time.
///
/// # Errors
/// It cannot be waited for.
pub fn wait(child: &mut Child, limit: Duration) -> Result<bool> {
    let deadline = Instant::now() + limit;
    while child.try_wait()?.is_none() {
        if Instant::now() > deadline {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(true)
}

/// Runs a program to its end, and kills it if that does not come in time.
///
/// # Errors
/// There is no such program, or it did not end; what it had printed by then.
pub fn output(command: &mut Command, limit: Duration) -> Result<Output> {
    let pipes = command.stdin(Stdio::null()).stdout(Stdio::piped());
    let child = pipes.stderr(Stdio::piped()).spawn();
    let mut child = child.with_context(|| format!("{command:?}"))?;
    let reader = |pipe: Option<Box<dyn Read + Send>>| {
        thread::spawn(move || {
            let mut read = Vec::new();
            // What a killed program leaves is what there is.
            let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut read));
            read
        })
    };
    let stdout = reader(child.stdout.take().map(|it| Box::new(it) as _));
    let stderr = reader(child.stderr.take().map(|it| Box::new(it) as _));
    let ended = wait(&mut child, limit)?;
    if !ended {
        child.kill()?;
    }
    let status = child.wait()?;
    let output = Output {
        status,
        stdout: stdout.join().unwrap_or_default(),
        stderr: stderr.join().unwrap_or_default(),
    };
    if !ended {
        bail!("{command:?} did not end in {limit:?}: {}", said(&output));
    }
    Ok(output)
}

/// Likewise, and it has to succeed; what it printed.
///
/// # Errors
/// It fails, and what it said.
pub fn succeed(command: &mut Command, limit: Duration) -> Result<String> {
    let output = output(command, limit)?;
    let told = || format!("{command:?}: {}: {}", output.status, said(&output));
    ensure!(output.status.success(), told());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// All that a program printed.
pub fn said(output: &Output) -> String {
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    format!("{stdout}{stderr}").trim().to_owned()
}
