//! Links on devices.

use corelane::engine::link::Link;
use corelane::io::af_packet::{AfPacketConfig, AfPacketError, AfPacketLink};
use corelane::io::af_xdp::{AfXdpConfig, AfXdpCounters, AfXdpError, AfXdpLink, XdpMode};
use corelane::io::middleware::FaultsCounters;
use corelane::io::tap::{TapConfig, TapError, TapLink};
use serde_json::{Value, json};

use crate::config::{LinkKind, LinkSetting, mode_label};

/// What is wrong with a pcap link, which is what a NIC has that says nothing.
pub(crate) const NO_DEVICE: &str = "a pcap link has no device to be up on: corelane sim plays captures; for up give it \
                                    link = { kind = \"tap\", name = \"tap0\" }";

type Counters = Vec<(String, u64)>;

/// Reads what a link counts, the kernel's drops among it, also when the link is gone.
pub(crate) struct LinkCounters(Box<dyn Fn() -> Counters + Send + Sync>);

impl LinkCounters {
    fn new(read: impl Fn() -> Vec<(&'static str, u64)> + Send + Sync + 'static) -> Self {
        let named = |(name, count): (&'static str, u64)| (name.to_owned(), count);
        Self(Box::new(move || read().into_iter().map(named).collect()))
    }

    /// These, and what is done to frames on purpose.
    pub(crate) fn with_faults(self, faults: FaultsCounters) -> Self {
        Self(Box::new(move || {
            let mut all = self.read();
            for (direction, counts) in [("rx", faults.rx()), ("tx", faults.tx())] {
                let named = counts.named().into_iter();
                all.extend(
                    named.map(|(name, count)| (format!("faults_{direction}_{name}"), count)),
                );
            }
            all
        }))
    }

    /// The counters by name.
    pub(crate) fn read(&self) -> Counters {
        (self.0)()
    }

    /// As JSON.
    pub(crate) fn json(&self) -> Value {
        let counters = self.read().into_iter();
        Value::Object(counters.map(|(name, count)| (name, json!(count))).collect())
    }
}

/// How an AF_XDP link works.
#[derive(Clone, Debug)]
pub(crate) struct XdpWork {
    is_native: bool,
    counters: AfXdpCounters,
}

impl XdpWork {
    /// Where its program runs, as that is written.
    pub(crate) fn mode(&self) -> &'static str {
        mode_label(if self.is_native {
            XdpMode::Native
        } else {
            XdpMode::Generic
        })
    }

    /// Whether the driver works on the frame pool itself; None before the link is open.
    pub(crate) fn is_zero_copy(&self) -> Option<bool> {
        self.counters.is_zero_copy()
    }
}

/// The link on a device.
pub(crate) struct OnDevice {
    pub(crate) link: Box<dyn Link>,
    pub(crate) counters: LinkCounters,
    /// Of an AF_XDP link.
    pub(crate) xdp: Option<XdpWork>,
}

/// How a link works, if its kind works in several ways: `native` or `generic`, or `receive_only`.
pub(crate) fn mode(link: &LinkSetting, xdp: Option<&XdpWork>) -> Option<&'static str> {
    let only = link.receive_only.then_some("receive_only");
    xdp.map(XdpWork::mode).or(only)
}

/// Why a link is not to be had, in words that say what to do.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct NoLink {
    what: String,
    /// Whether it is a privilege that is missing.
    pub(crate) lacks_privilege: bool,
}

impl From<TapError> for NoLink {
    fn from(error: TapError) -> Self {
        Self {
            what: error.to_string(),
            lacks_privilege: matches!(
                error,
                TapError::Permission { .. } | TapError::DriverPermission { .. }
            ),
        }
    }
}

impl From<AfPacketError> for NoLink {
    fn from(error: AfPacketError) -> Self {
        Self {
            what: error.to_string(),
            lacks_privilege: matches!(error, AfPacketError::Permission { .. }),
        }
    }
}

impl From<AfXdpError> for NoLink {
    fn from(error: AfXdpError) -> Self {
        Self {
            what: error.to_string(),
            lacks_privilege: matches!(error, AfXdpError::Permission { .. }),
        }
    }
}

/// The link on a device, and what reads its counters. The device is made, or asked for what it is like,
/// now: whatever takes a privilege is done when this returns.
///
/// # Errors
/// There is no such link here.
pub(crate) fn open(link: &LinkSetting) -> Result<OnDevice, NoLink> {
    let LinkSetting {
        kind,
        name,
        queues,
        super_frames,
        receive_only,
        mode,
    } = link.clone();
    match kind {
        LinkKind::Tap => {
            let config = TapConfig {
                name,
                queues,
                super_frames,
            };
            let link = TapLink::new(config)?;
            let counters = link.counters();
            Ok(OnDevice {
                link: Box::new(link),
                counters: LinkCounters::new(move || counters.read()),
                xdp: None,
            })
        }
        LinkKind::AfPacket => {
            let config = AfPacketConfig {
                name,
                queues,
                super_frames,
                receive_only,
                ..AfPacketConfig::default()
            };
            let link = AfPacketLink::new(config)?;
            let counters = link.counters();
            Ok(OnDevice {
                link: Box::new(link),
                counters: LinkCounters::new(move || counters.read()),
                xdp: None,
            })
        }
        LinkKind::AfXdp => {
            let config = AfXdpConfig {
                name,
                queues,
                mode,
                ..AfXdpConfig::default()
            };
            let link = AfXdpLink::new(config)?;
            let counters = link.counters();
            let xdp = XdpWork {
                is_native: link.is_native(),
                counters: counters.clone(),
            };
            Ok(OnDevice {
                link: Box::new(link),
                counters: LinkCounters::new(move || counters.read()),
                xdp: Some(xdp),
            })
        }
        LinkKind::Pcap => Err(NoLink {
            what: NO_DEVICE.to_owned(),
            lacks_privilege: false,
        }),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn links_that_cannot_be_opened_say_what_can() {
        for (link, told) in [
            ("{ kind = 'pcap' }", "corelane sim plays captures"),
            ("{ kind = 'af_xdp', name = 'no-such-dev' }", "no-such-dev"),
            (
                "{ kind = 'af_packet', name = 'no-such-dev' }",
                "no-such-dev",
            ),
        ] {
            let text = format!("[[nic]]\nname = 'wan'\nlink = {link}\n");
            let config = Config::parse("lab.toml", &text).unwrap();
            let error = super::open(&config.nics[0].link).err().unwrap();
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
