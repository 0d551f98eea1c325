//! Links of network devices, by trying, in a network namespace of their own.

use std::path::Path;

use corelane::engine::link::Link;
use corelane::frame::{Pool, PoolConfig};
use corelane::io::af_packet::{AfPacketConfig, AfPacketLink};
use corelane::io::af_xdp::{AfXdpConfig, AfXdpLink};
use corelane::io::tap::{TapConfig, TapLink};
use serde::{Deserialize, Serialize};

use super::system::first_line;
use super::{Finding, System};

/// What a process of this program is started with that is to try the links where it is.
pub const PROBE: &str = "--probe-links";

/// What came of trying.
#[derive(Debug, Serialize, Deserialize)]
struct Tried {
    tap: Result<String, String>,
    af_packet: Result<String, String>,
    af_xdp: Result<String, String>,
}

/// Tries the links on a device of its own, and prints what came of it, for the process that asked.
pub fn probe() -> String {
    let tap = TapLink::new(TapConfig::default());
    let tried = match &tap {
        Ok(tap) => Tried {
            tap: Ok("makes devices and attaches to them".to_owned()),
            af_packet: packet(tap.name()),
            af_xdp: xdp(tap.name()),
        },
        // The loopback device is there without the driver, but is not for AF_XDP's frames.
        Err(error) => Tried {
            tap: Err(error.to_string()),
            af_packet: packet("lo"),
            af_xdp: Err("not tried: there is no TAP device to try it on".to_owned()),
        },
    };
    serde_json::to_string(&tried).unwrap_or_default()
}

fn packet(device: &str) -> Result<String, String> {
    let config = AfPacketConfig {
        name: device.to_owned(),
        ..AfPacketConfig::default()
    };
    let link = AfPacketLink::new(config).map_err(|error| error.to_string());
    link.and_then(|link| open(Box::new(link)))?;
    Ok("receives and sends through rings".to_owned())
}

fn xdp(device: &str) -> Result<String, String> {
    // Rings that the smallest pool is enough for.
    let config = AfXdpConfig {
        name: device.to_owned(),
        ring: 64,
        send_ring: 64,
        ..AfXdpConfig::default()
    };
    let link = AfXdpLink::new(config).map_err(|error| error.to_string())?;
    let native = link.is_native();
    open(Box::new(link))?;
    let mode = if native { "natively" } else { "generically" };
    Ok(format!(
        "works ({mode} on TAP; what a NIC's driver can is its own)"
    ))
}

fn open(mut link: Box<dyn Link>) -> Result<(), String> {
    // Beside what the device's rings keep.
    let config = PoolConfig::default();
    let slots = config.slots.saturating_add(link.holds());
    let pool = Pool::new(PoolConfig { slots, ..config }).map_err(|error| error.to_string())?;
    link.open(&pool)
        .map(drop)
        .map_err(|error| error.to_string())
}

/// Whether namespaces are to be had, and what links work in one.
pub(super) fn examine(system: &System) -> [Finding; 4] {
    let (namespaces, tried) = in_a_namespace(system);
    let Some((tried, as_root)) = tried else {
        let untried =
            |name| Finding::limited(name, "not tried: there is no namespace to try it in");
        return [
            namespaces,
            untried("tap"),
            untried("af_packet"),
            untried("af_xdp"),
        ];
    };
    let where_ = if as_root {
        ""
    } else {
        ", in a namespace of your own (unshare -rn)"
    };
    let finding = |name, tried: Result<String, String>, advice: &str| match tried {
        Ok(what) if as_root => Finding::ok(name, what),
        Ok(what) => Finding::limited(name, what + where_)
            .advise("on devices of the machine: root, or CAP_NET_ADMIN and CAP_NET_RAW"),
        Err(why) => Finding::missing(name, why).advise(advice),
    };
    [
        namespaces,
        finding(
            "tap",
            tried.tap,
            "modprobe tun, and /dev/net/tun for who runs it",
        ),
        finding(
            "af_packet",
            tried.af_packet,
            "a kernel with CONFIG_PACKET, and CAP_NET_RAW",
        ),
        finding(
            "af_xdp",
            tried.af_xdp,
            "root (a user namespace cannot give what it takes), and a kernel with CONFIG_XDP_SOCKETS",
        ),
    ]
}

/// What came of trying, and whether that was with the rights of this process rather than with those of
/// a user namespace.
fn in_a_namespace(system: &System) -> (Finding, Option<(Tried, bool)>) {
    const NAME: &str = "namespaces";
    let (Some(unshare), Ok(this)) = (system.program("unshare"), std::env::current_exe()) else {
        let finding = Finding::missing(NAME, "there is no `unshare` to make one with");
        return (finding.advise("apt-get install util-linux"), None);
    };
    let this = this.to_string_lossy().into_owned();
    let attempt = |flags: &str| attempt(&unshare, flags, &this);
    match attempt("-n") {
        Ok(tried) => {
            let finding = Finding::ok(NAME, "network namespaces can be made");
            (finding, Some((tried, true)))
        }
        Err(_) => match attempt("-rn") {
            Ok(tried) => {
                let found = "user and network namespaces can be made: unshare -rn";
                (Finding::ok(NAME, found), Some((tried, false)))
            }
            Err(why) => {
                let finding = Finding::missing(NAME, format!("none can be made: {why}"));
                let advice = "root, or sysctl user.max_user_namespaces and \
                              kernel.apparmor_restrict_unprivileged_userns=0";
                (finding.advise(advice), None)
            }
        },
    }
}

fn attempt(unshare: &Path, flags: &str, this: &str) -> Result<Tried, String> {
    let output = System::run(unshare, &[flags, "--", this, "doctor", PROBE])
        .ok_or_else(|| "unshare does not end".to_owned())?;
    serde_json::from_slice(&output.stdout).map_err(|_| first_line(&output))
}
