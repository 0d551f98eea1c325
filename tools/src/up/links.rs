//! Links from a configuration.

use std::fmt::Display;

use corelane::engine::link::Link;
use corelane::io::af_packet::{AfPacketConfig, AfPacketLink};
use corelane::io::af_xdp::{AfXdpConfig, AfXdpLink};
use corelane::io::tap::{TapConfig, TapLink};
use serde_json::{Value, json};

use crate::config::{LinkKind, LinkSetting, NicSetting};

/// Reads what a link counts, the kernel's drops among it, also when the link is gone.
pub(super) struct LinkCounters(Box<dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync>);

impl LinkCounters {
    /// The counters by name.
    pub(super) fn read(&self) -> Vec<(&'static str, u64)> {
        (self.0)()
    }

    /// As JSON.
    pub(super) fn json(&self) -> Value {
        let counters = self.read().into_iter();
        Value::Object(
            counters
                .map(|(name, count)| (name.to_owned(), json!(count)))
                .collect(),
        )
    }
}

/// The link of a NIC, and what reads its counters. Its device is made, or asked for what it is like,
/// now: whatever takes a privilege is done when this returns.
///
/// # Errors
/// There is no such link here, in words that say what to do.
pub(super) fn link(nic: &NicSetting) -> Result<(Box<dyn Link>, LinkCounters), String> {
    let LinkSetting {
        kind,
        name,
        queues,
        super_frames,
        mode,
    } = &nic.link;
    let (name, queues) = (name.clone(), *queues);
    let (super_frames, mode) = (*super_frames, *mode);
    let refuse = |what: &dyn Display| format!("nic '{}': {what}", nic.name);
    match kind {
        LinkKind::Tap => {
            let config = TapConfig {
                name,
                queues,
                super_frames,
            };
            let link = TapLink::new(config).map_err(|error| refuse(&error))?;
            let counters = link.counters();
            let read = LinkCounters(Box::new(move || counters.read()));
            Ok((Box::new(link), read))
        }
        LinkKind::AfPacket => {
            let config = AfPacketConfig {
                name,
                queues,
                super_frames,
                ..AfPacketConfig::default()
            };
            let link = AfPacketLink::new(config).map_err(|error| refuse(&error))?;
            let counters = link.counters();
            let read = LinkCounters(Box::new(move || counters.read()));
            Ok((Box::new(link), read))
        }
        LinkKind::AfXdp => {
            let config = AfXdpConfig {
                name,
                queues,
                mode,
                ..AfXdpConfig::default()
            };
            let link = AfXdpLink::new(config).map_err(|error| refuse(&error))?;
            let counters = link.counters();
            let read = LinkCounters(Box::new(move || counters.read()));
            Ok((Box::new(link), read))
        }
        LinkKind::Pcap => Err(refuse(
            &"a pcap link has no device to be up on: corelane sim plays captures; for up give it \
              link = { kind = \"tap\", name = \"tap0\" }",
        )),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn links_that_cannot_be_up_say_what_can() {
        for (link, told) in [
            ("{ kind = 'pcap' }", "corelane sim plays captures"),
            ("{ kind = 'af_xdp', name = 'no-such-dev' }", "nic 'wan': "),
            (
                "{ kind = 'af_packet', name = 'no-such-dev' }",
                "nic 'wan': ",
            ),
        ] {
            let text = format!("[[nic]]\nname = 'wan'\nlink = {link}\n");
            let config = Config::parse("lab.toml", &text).unwrap();
            let error = super::link(&config.nics[0]).err().unwrap();
            assert!(error.contains(told), "{error}");
        }
    }
}
