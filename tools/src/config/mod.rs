//! The configuration of `sim` and `up`: TOML, parsed into types that can hold nothing
//! wrong, with one message that says where and what for a file that does.
//!
//! ```toml
//! workers = 2                    # default: one per core that the process may use
//! seed = 1                       # default 1
//! forwarding = false             # default; true sends on what is for others, by the routes
//! icmp_rate = 1000               # default: ICMP errors sent in a second; 0: none
//! icmp_burst = 50                # default: how many of them in a burst
//! dad_transmits = 1              # default; 0 turns duplicate address detection off
//! dad_retransmit_timer = "1s"    # default; under 1 ms becomes 1 s
//! auto_link_local = false        # default; true gives each NIC an fe80:: address
//! stable_secret = "00112233445566778899aabbccddeeff"  # with it as RFC 7217 says, else EUI-64
//! multicast_loop = false         # default
//! spare_nics = 1                 # default (0 beside AF_XDP); up: NICs that SIGHUP may add: frames are kept for them
//! user = "nobody"                # up: whom it runs as once the links are open
//! socket = "/run/corelane/a.sock"  # up: the control socket
//! socket_mode = "0600"           # default: its permissions
//!
//! [[nic]]
//! name = "wan"
//! link = { kind = "pcap" }       # default; or tap, af_packet, af_xdp with name and queues, and
//!                                # super_frames = true (default but for af_xdp);
//!                                # af_packet with receive_only = true (default false): to listen, by
//!                                # rings that hold more, from which frames come 10 to 20 ms later; what
//!                                # it is to send is dropped, and counted as send_dropped;
//!                                # af_xdp with mode = "auto" (default), "native" or "generic"
//! mac = "02:00:00:00:00:01"      # default: this for the first, and so on; up: the link makes one up
//! mtu = 1500                     # default
//! promiscuous = false            # default
//! spoofing = false               # default
//! forwarding = true              # for what this NIC receives; default: as above
//! enabled = true                 # default
//! igmp = "v3"                    # default; or v2, off
//! mld = "v2"                     # default; or v1, off
//! addresses = ["192.0.2.1/24", { address = "2001:db8::1/64", primary = "first" }]
//! ranges = ["198.51.100.0/24"]
//! groups = ["239.1.2.3"]
//!
//! [nic.faults]                   # what goes wrong on the link of the NIC above, on purpose
//! seed = 1                       # default: the one above, and one more for each NIC
//! rx = { drop = "1/1000", delay = "3ms", jitter = "1ms" }
//! tx = { corrupt = "0.1%", duplicate = "1/500", stall = { lasts = "100ms", every = "1s" } }
//!
//! [nic.capture]                  # up: all that goes by, also what is dropped after
//! file = "wan.pcapng"
//! snap_len = 96                  # default: all of each frame
//! address = "192.0.2.9"          # optional
//! port = 7                       # optional
//!
//! [[route]]
//! to = "0.0.0.0/0"
//! via = "192.0.2.254"            # optional: without it the network is on the NIC's link
//! nic = "wan"
//!
//! [[neighbor]]                   # never asked for
//! nic = "wan"
//! address = "192.0.2.254"
//! mac = "02:00:00:00:00:fe"
//!
//! [[service]]
//! kind = "udp_echo"              # or udp_sink, raw_sink
//! bind = "0.0.0.0:7"             # or an address, any:7, [::]:7; raw_sink: without a port
//! nic = "wan"                    # optional
//! reuse_port = false             # default; true where several have the same bind
//!
//! [[event]]
//! at = "1.5s"
//! nic = "wan"
//! do = "add_address"
//! address = "2001:db8::7/64"
//! ```
//!
//! | `do` | with |
//! |---|---|
//! | `add_address` | `address`; `primary` optional |
//! | `remove_address` | `address` |
//! | `add_range`, `remove_range` | `range` |
//! | `join_group`, `leave_group` | `group` |
//! | `set_promiscuous`, `set_spoofing` | `on` |
//! | `set_forwarding` | `on`; `nic` optional: all of them without |
//! | `add_neighbor` | `address`, `mac` |
//! | `remove_neighbor` | `address` |
//! | `set_link` | `on`, or `state` (`up` or `down`) |
//! | `add_route`, `remove_route` | `to`; `via` optional |
//! | `hold_route` | `name`, and `local`, `remote` or both: without a local address the NIC chooses, without a remote one it is the local one; `nic` optional: without it the routes say which |
//! | `release_route` | `name`; `nic` optional |
//!
//! A share of frames is `"1/N"`, exactly one in N, or `"0.1%"` or `"0.001"`, each with that probability.
//! `rx` and `tx` of `faults` may have, in the order that it happens in: `drop`, `corrupt` (`corrupt_bits`,
//! 1), `duplicate`, `reorder` (overtaken by `reorder_by`, 1; waits for that no longer than `reorder_wait`,
//! 10 ms), which are shares; `delay` and `jitter`; `stall`; and `queue`, the frames held back at most
//! (4096).
//!
//! A table `case` with `description` and `arguments` may stand in the file of a test case; it
//! changes nothing.

mod bind;
mod error;
mod event;
mod explain;
mod fields;
mod load;
mod middleware;
mod model;
mod nic;
mod parse;
mod service;

pub use bind::ParseBindError;
pub use error::{ConfigError, Place};
pub use event::{change_keys, change_words};
pub use explain::explain;
pub(crate) use explain::seconds;
pub use load::{LoadProfile, StreamSetting};
pub use model::{
    Action, AddressSetting, Bind, BindAddress, CaptureSetting, CaseSetting, Change, Config,
    EventSetting, FaultsSetting, IgmpSetting, LinkKind, LinkSetting, MldSetting, NeighborSetting,
    NicSetting, PRIMARY_WORDS, RouteSetting, ServiceKind, ServiceSetting, mode_label,
    primary_label,
};

use std::path::Path;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 64 << 20;

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is no configuration.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        read(path, "configuration", parse::parse)
    }

    /// Reads a text; `file` stands for it in messages.
    ///
    /// # Errors
    /// It is no configuration.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let lines = &error::line_starts(text);
        parse::parse(error::Source { file, text, lines })
    }

    /// The NIC of this name.
    pub fn nic(&self, name: &str) -> Option<&NicSetting> {
        self.nics.iter().find(|nic| nic.name == name)
    }
}

/// Reads a file, which is a `noun`, with `parse`.
fn read<T>(
    path: &Path,
    noun: &str,
    parse: impl FnOnce(error::Source<'_>) -> Result<T, ConfigError>,
) -> Result<T, ConfigError> {
    use std::io::Read;
    let file = &path.display().to_string();
    let fail = |what: String| ConfigError {
        file: file.clone(),
        place: None,
        field: String::new(),
        what,
    };
    let unreadable = |error: std::io::Error| fail(format!("cannot read the {noun}: {error}"));
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path).map_err(unreadable)?;
    opened
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(fail(format!("a {noun} has at most {MAX_FILE} bytes")));
    }
    read_bytes(file, &bytes, parse)
}

fn read_bytes<T>(
    file: &str,
    bytes: &[u8],
    parse: impl FnOnce(error::Source<'_>) -> Result<T, ConfigError>,
) -> Result<T, ConfigError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let lines = &error::line_starts(text);
            parse(error::Source { file, text, lines })
        }
        Err(error) => {
            let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let text = &String::from_utf8_lossy(good);
            let lines = &error::line_starts(text);
            let end = text.len()..text.len();
            let source = error::Source { file, text, lines };
            Err(source.error(&end, "", "this is not TOML: it is not UTF-8 from here on"))
        }
    }
}

#[cfg(test)]
mod tests;
