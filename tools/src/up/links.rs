//! Links from a configuration.

use corelane::engine::link::Link;

use crate::config::{LinkKind, NicSetting};

/// The link of a NIC, which opens when the NIC is enabled.
///
/// # Errors
/// There is no such link here, in words that say what to do.
pub(super) fn link(nic: &NicSetting) -> Result<Box<dyn Link>, String> {
    let refuse = |what: &str| Err(format!("nic '{}': {what}", nic.name));
    match nic.link.kind {
        LinkKind::Pcap => refuse(
            "a pcap link has no device to be up on: corelane sim plays captures; for up, give it \
             link = { kind = \"tap\", name = \"tap0\" }",
        ),
        LinkKind::Tap | LinkKind::AfPacket => refuse("not yet"),
        LinkKind::AfXdp => refuse(
            "AF_XDP links are not built yet: kind = \"af_packet\" takes the same device, \
             kind = \"tap\" makes one of its own",
        ),
    }
}
