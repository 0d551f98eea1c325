//! Links from a configuration.

use std::fmt::Display;

use corelane::engine::link::Link;
use corelane::io::af_packet::{AfPacketConfig, AfPacketLink};
use corelane::io::tap::{TapConfig, TapLink};

use crate::config::{LinkKind, LinkSetting, NicSetting};

/// The link of a NIC. Its device is made, or asked for what it is like, now: whatever takes a
/// privilege is done when this returns.
///
/// # Errors
/// There is no such link here, in words that say what to do.
pub(super) fn link(nic: &NicSetting) -> Result<Box<dyn Link>, String> {
    let LinkSetting { kind, name, queues } = &nic.link;
    let (name, queues) = (name.clone(), *queues);
    let refuse = |what: &dyn Display| Err(format!("nic '{}': {what}", nic.name));
    match kind {
        LinkKind::Tap => match TapLink::new(TapConfig { name, queues }) {
            Ok(link) => Ok(Box::new(link)),
            Err(error) => refuse(&error),
        },
        LinkKind::AfPacket => {
            let config = AfPacketConfig {
                name,
                queues,
                ..AfPacketConfig::default()
            };
            match AfPacketLink::new(config) {
                Ok(link) => Ok(Box::new(link)),
                Err(error) => refuse(&error),
            }
        }
        LinkKind::AfXdp => refuse(
            &"AF_XDP links are not built yet: kind = \"af_packet\" takes the same device, kind = \
              \"tap\" makes one of its own",
        ),
        LinkKind::Pcap => refuse(
            &"a pcap link has no device to be up on: corelane sim plays captures; for up give it \
              link = { kind = \"tap\", name = \"tap0\" }",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn links_that_cannot_be_up_say_what_can() {
        for (link, told) in [
            ("{ kind = 'pcap' }", "corelane sim plays captures"),
            (
                "{ kind = 'af_xdp', name = 'v' }",
                "not built yet: kind = \"af_packet\"",
            ),
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
