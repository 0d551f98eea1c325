//! `iperf3` between the client and the server of a router.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use corelane_lab::namespace::Namespace;
use corelane_lab::process::{Background, output, said};
use serde_json::Value;

use crate::common::Scratch;

/// What it measured.
pub(crate) struct Measured {
    /// Of what arrived.
    pub(crate) gigabits: f64,
    /// Datagrams that did not arrive.
    pub(crate) lost: u64,
    /// Bits per second that arrived in the last second.
    pub(crate) last: f64,
}

/// A server that is there until it is dropped.
pub(crate) struct Server(#[expect(dead_code, reason = "it is there")] Background);

impl Server {
    pub(crate) fn start(on: &Namespace) -> Result<Self> {
        let mut command = on.line("iperf3 -s");
        command.stdout(Stdio::null());
        Background::start(&mut command).map(Self)
    }
}

/// Runs a client for a time.
pub(crate) fn run(on: &Namespace, arguments: &str, time: Duration) -> Result<Measured> {
    let seconds = time.as_secs_f64().ceil();
    run_to_end(on, &format!("{arguments} -t {seconds}"), time)
}

/// Runs a client whose arguments say when it ends, after about that time.
pub(crate) fn run_to_end(on: &Namespace, arguments: &str, time: Duration) -> Result<Measured> {
    let line = format!("iperf3 -J {arguments}");
    let limit = time + Duration::from_secs(20);
    let begin = Instant::now();
    let said = loop {
        let output = output(&mut on.line(&line), limit)?;
        let said = said(&output);
        // The server may not listen yet, or be busy with the last one's end.
        let is_early = said.contains("Connection refused") || said.contains("server is busy");
        if !is_early || begin.elapsed() > limit {
            break said;
        }
        thread::sleep(Duration::from_millis(50));
    };
    let report: Value = serde_json::from_str(&said).with_context(|| format!("{line}: {said}"))?;
    if let Some(error) = report["error"].as_str() {
        bail!("{line}: {error}");
    }
    Measured::of(&report).with_context(|| format!("{line}: {said}"))
}

impl Measured {
    /// From a client's report.
    fn of(report: &Value) -> Option<Self> {
        let end = &report["end"];
        let ends = ["sum_received", "sum_sent", "sum"].map(|key| &end[key]["bits_per_second"]);
        let bits = ends
            .iter()
            .find_map(|it| it.as_f64().filter(|&bits| bits > 0.0));
        let last = report["intervals"].as_array()?.last()?;
        Some(Self {
            gigabits: bits.unwrap_or(0.0) / 1e9,
            lost: end["sum"]["lost_packets"].as_u64().unwrap_or(0),
            last: last["sum"]["bits_per_second"].as_f64()?,
        })
    }
}

/// A client that sends until it is told to end.
pub(crate) struct Flow {
    client: Background,
    dir: Scratch,
}

impl Flow {
    pub(crate) fn start(on: &Namespace, arguments: &str) -> Result<Self> {
        // The server listens: a client that does nothing was there.
        run_to_end(on, &format!("{arguments} -n 1K"), Duration::from_secs(1))?;
        let dir = Scratch::new("iperf3");
        let log = dir.path("log").display().to_string();
        let line = format!("iperf3 -J --logfile {log} {arguments} -t 3600");
        let client = Background::start(on.line(&line).stderr(Stdio::null()))?;
        Ok(Self { client, dir })
    }

    /// Lets it send for a second more, and ends it.
    pub(crate) fn end(self) -> Result<Measured> {
        thread::sleep(Duration::from_millis(1500));
        self.client.end("INT", Duration::from_secs(10))?;
        let said = std::fs::read_to_string(self.dir.path("log"))?;
        let report: Value = serde_json::from_str(&said).with_context(|| said.clone())?;
        Measured::of(&report).context(said)
    }
}
