//! What the cases are made of: devices, the kernel's end of them, and who talks to a service.

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use corelane::io::af_xdp::{AfXdpConfig, AfXdpError, AfXdpLink, XdpMode, queues_of};
use corelane::io::pcap::{Capture, PcapEnd};
use corelane_lab::{echo, harness, kernel};

use super::common::up::eventually;

/// Runs `ip`.
pub(crate) fn ip(words: &str) {
    kernel::ip(words).unwrap();
}

/// A socket of the kernel's, towards a service.
pub(crate) struct Client(echo::Client);

impl Client {
    pub(crate) fn new(to: &str, port: u16) -> Self {
        let to: IpAddr = to.parse().unwrap();
        Self(echo::Client::new((to, port).into()).unwrap())
    }

    /// Whether a datagram comes back as it was sent.
    pub(crate) fn echo(&self, payload: &[u8]) -> bool {
        self.try_echo(payload).is_ok()
    }

    /// Likewise, or what happened instead.
    pub(crate) fn try_echo(&self, payload: &[u8]) -> anyhow::Result<()> {
        self.0.echo(payload)
    }
}

/// Permissions of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

pub(crate) const ECHO: &str = "[[service]]\nkind = 'udp_echo'\nbind = 'any:7'\n";

/// A NIC on a TAP, with these addresses.
pub(crate) fn nic(device: &str, addresses: &str) -> String {
    format!(
        "dad_retransmit_timer = '100ms'\n[[nic]]\nname = 'wan'\n\
         link = {{ kind = 'tap', name = '{device}' }}\naddresses = [{addresses}]\n"
    )
}

/// The kernel's end of a device.
pub(crate) fn kernel_end(device: &str, network: u8) {
    ip(&format!("addr add 192.0.{network}.1/24 dev {device}"));
    ip(&format!(
        "addr add 2001:db8:{network}::1/64 dev {device} nodad"
    ));
}

/// How many users the namespace has a number for.
pub(crate) fn users() -> u64 {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    let counts = map
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2));
    counts.filter_map(|count| count.parse::<u64>().ok()).sum()
}

/// Whether AF_XDP takes a privilege that is missing here, which is said; where the cases are required, that fails.
pub(crate) fn has_no_xdp(device: &str) -> bool {
    let tried = AfXdpLink::new(AfXdpConfig {
        name: device.to_owned(),
        queues: queues_of(device).unwrap(),
        mode: XdpMode::Generic,
        ..AfXdpConfig::default()
    });
    match tried {
        Err(error @ AfXdpError::Permission { .. }) => {
            assert!(!harness::cannot_run("A CASE OF AF_XDP", &error.to_string()));
            true
        }
        tried => {
            tried.unwrap();
            false
        }
    }
}

/// Whether a tool is not here that cases of AF_XDP take, which is said; where the cases are required, that fails.
pub(crate) fn has_no_ethtool() -> bool {
    let tried = Command::new("ethtool").arg("--version").output();
    tried.is_err_and(|error| {
        let why = format!("ethtool: {error}");
        assert!(!harness::cannot_run("A CASE OF AF_XDP", &why));
        true
    })
}

/// Stops whoever watches it.
pub(crate) struct Stop<'a>(pub(crate) &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends datagrams that come back, until it is dropped.
pub(crate) fn with_echoes<R>(address: &str, run: impl FnOnce() -> R) -> R {
    let (stop, came, lost) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let result = thread::scope(|scope| {
        let stopping = Stop(&stop);
        scope.spawn(|| {
            let client = Client::new(address, 7);
            while !stop.load(Ordering::Relaxed) {
                match client.try_echo(b"again and again") {
                    Ok(()) => came.fetch_add(1, Ordering::Relaxed),
                    Err(why) => {
                        eprintln!("{why}");
                        lost.fetch_add(1, Ordering::Relaxed)
                    }
                };
            }
        });
        eventually("echoes come", || came.load(Ordering::Relaxed) > 0);
        let result = run();
        drop(stopping);
        result
    });
    assert_eq!(lost.into_inner(), 0, "of {}", came.into_inner());
    result
}

/// What `tshark` makes of a capture, if it is there: a line of these fields for each frame.
pub(crate) fn tshark(file: &Path, fields: &[&str]) -> Option<Vec<String>> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-T", "fields"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("\n!!! CAPTURES WERE NOT READ BY tshark: {error}\n");
            assert!(!harness::is_required(), "tshark has to be there");
            return None;
        }
    };
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}

/// The frames of a capture: length and whether it is cut.
pub(crate) fn frames_of(file: &Path) -> Vec<(usize, bool)> {
    let capture = Capture::open(file).unwrap();
    assert_eq!(capture.end(), PcapEnd::Complete);
    let frames = capture.packets();
    frames
        .map(|frame| (frame.len(), frame.is_snap_truncated()))
        .collect()
}
