//! Real links, and link addresses, on a command line.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use corelane::io::af_xdp::XdpMode;
use corelane::wire::MacAddr;

use super::{ValueError, nearest};
use crate::config::{LinkKind, LinkSetting};

/// A device, and what it is opened through: `af_packet:veth0`, or `af_packet:veth0:receive_only`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkName {
    /// What it is opened through.
    pub kind: LinkKind,
    /// The device.
    pub device: String,
    /// Whether it receives in blocks, and sends nothing; of AF_PACKET alone.
    pub receive_only: bool,
}

/// What stands behind a device that is to receive only.
const RECEIVE_ONLY: &str = "receive_only";

/// How devices can be called.
pub(crate) const DEVICE_NAMES: &str =
    "1 to 15 characters, no space, no '/', no ':', not '.' or '..'";

/// Whether a device can be called so.
pub(crate) fn is_device_name(name: &str) -> bool {
    // IFNAMSIZ with its NUL.
    let has_room = (1..=15).contains(&name.len());
    let fits = |b: u8| b.is_ascii_graphic() && !matches!(b, b'/' | b':');
    has_room && name.bytes().all(fits) && !matches!(name, "." | "..")
}

/// Kinds that have a device.
const KINDS: [LinkKind; 3] = [LinkKind::Tap, LinkKind::AfPacket, LinkKind::AfXdp];

impl LinkName {
    /// As a configuration would have it, for frames one by one.
    pub fn setting(&self) -> LinkSetting {
        LinkSetting {
            kind: self.kind,
            name: self.device.clone(),
            queues: 1,
            super_frames: false,
            receive_only: self.receive_only,
            mode: XdpMode::Auto,
        }
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.label(), self.device)?;
        if self.receive_only {
            write!(f, ":{RECEIVE_ONLY}")?;
        }
        Ok(())
    }
}

impl FromStr for LinkName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let Some((word, rest)) = text.split_once(':') else {
            let device = if text.is_empty() { "veth0" } else { text };
            let meant = format!("af_packet:{device}");
            return Err(ValueError::new(text, "is not KIND:DEVICE", meant));
        };
        let (device, more) = match rest.split_once(':') {
            Some((device, more)) => (device, Some(more)),
            None => (rest, None),
        };
        let kind = KINDS.into_iter().find(|kind| kind.label() == word);
        let Some(kind) = kind else {
            let labels = KINDS.map(LinkKind::label);
            let meant = nearest(word, labels).unwrap_or("af_packet");
            let what = "has no kind of link that is known: tap, af_packet or af_xdp";
            return Err(ValueError::new(text, what, format!("{meant}:{device}")));
        };
        if !is_device_name(device) {
            let what = format!("has no name of a device: {DEVICE_NAMES}");
            return Err(ValueError::new(text, what, format!("{word}:veth0")));
        }
        let receive_only = match more {
            None => false,
            Some(RECEIVE_ONLY) if kind == LinkKind::AfPacket => true,
            Some(_) => {
                let what = "has more than a device: an af_packet link may have ':receive_only' there, no other";
                let meant = match kind {
                    LinkKind::AfPacket => format!("{word}:{device}:{RECEIVE_ONLY}"),
                    _ => format!("{word}:{device}"),
                };
                return Err(ValueError::new(text, what, meant));
            }
        };
        Ok(Self {
            kind,
            device: device.to_owned(),
            receive_only,
        })
    }
}

/// The link address of a device under test, or an address of it that it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceMac {
    /// This one.
    Mac(MacAddr),
    /// Who has this address.
    Of(IpAddr),
}

impl fmt::Display for DeviceMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) => mac.fmt(f),
            Self::Of(address) => address.fmt(f),
        }
    }
}

impl FromStr for DeviceMac {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = |what, meant| Err(ValueError::new(text, what, meant));
        if let Ok(mac) = text.parse::<MacAddr>() {
            return if mac.is_unicast() {
                Ok(Self::Mac(mac))
            } else {
                wrong(
                    "is the link address of no single device",
                    "02:00:00:00:00:02",
                )
            };
        }
        match text.parse::<IpAddr>() {
            Ok(address) if address.is_unspecified() || address.is_multicast() => {
                wrong("is the address of no single device", "192.0.2.1")
            }
            Ok(address) => Ok(Self::Of(address)),
            Err(_) => wrong(
                "is no link address, and no address to ask for one",
                "02:00:00:00:00:02",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_and_written() {
        for (text, receive_only) in [
            ("tap:t0", false),
            ("af_packet:veth0", false),
            ("af_packet:veth0:receive_only", true),
            ("af_xdp:enp3s0f1", false),
        ] {
            let link: LinkName = text.parse().unwrap();
            assert_eq!(
                (link.to_string(), link.receive_only),
                (text.to_owned(), receive_only)
            );
            assert_eq!(link.setting().receive_only, receive_only);
        }
        for (text, told) in [
            ("veth0", "did you mean 'af_packet:veth0'?"),
            ("", "did you mean 'af_packet:veth0'?"),
            ("af_paket:veth0", "did you mean 'af_packet:veth0'?"),
            ("pcap:x", "did you mean 'tap:x'?"),
            ("tap:", "no name of a device"),
            ("tap:a/b", "no name of a device"),
            ("tap:..", "no name of a device"),
            ("af_packet::receive_only", "no name of a device"),
            (
                "af_packet:veth0:receive-only",
                "did you mean 'af_packet:veth0:receive_only'?",
            ),
            ("tap:t0:receive_only", "did you mean 'tap:t0'?"),
            ("af_xdp:veth0:", "did you mean 'af_xdp:veth0'?"),
            ("tap:a-name-that-is-too-long", "no name of a device"),
        ] {
            let error = text.parse::<LinkName>().unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn the_address_of_a_device_is_either() {
        let mac: DeviceMac = "02:00:00:00:00:09".parse().unwrap();
        assert_eq!(mac, DeviceMac::Mac(MacAddr([2, 0, 0, 0, 0, 9])));
        for text in ["192.0.2.1", "2001:db8::1"] {
            let of: DeviceMac = text.parse().unwrap();
            assert_eq!(of, DeviceMac::Of(text.parse().unwrap()));
        }
        for text in [
            "",
            "x",
            "0.0.0.0",
            "::",
            "239.1.1.1",
            "01:00:5e:00:00:01",
            "ff:ff:ff:ff:ff:ff",
        ] {
            let error = text.parse::<DeviceMac>().unwrap_err().to_string();
            assert!(error.contains("did you mean"), "{error}");
        }
    }
}
