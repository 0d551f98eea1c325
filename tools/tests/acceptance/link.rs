//! The kinds of links, and what a device needs for each.

use anyhow::Result;
use corelane::engine::link::Link;
use corelane::io::af_packet::{AfPacketConfig, AfPacketLink};
use corelane::io::af_xdp::{AfXdpConfig, AfXdpLink, XdpMode};
use corelane::io::tap::{TapConfig, TapLink};

/// A kind of link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tap,
    Packet,
    XdpNative,
    XdpGeneric,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Tap, Self::Packet, Self::XdpNative, Self::XdpGeneric];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Tap => "tap",
            Self::Packet => "af_packet",
            Self::XdpNative => "af_xdp native",
            Self::XdpGeneric => "af_xdp generic",
        }
    }

    pub(crate) fn is_xdp(self) -> bool {
        matches!(self, Self::XdpNative | Self::XdpGeneric)
    }

    /// A device that the engine makes, whose other end is the kernel; otherwise it takes one that is
    /// there, with the kernel's device at the other end of a wire.
    pub(crate) fn is_made_by_engine(self) -> bool {
        self == Self::Tap
    }

    /// What the kernel's device at the other end must not leave undone to hardware that is not there, as
    /// `ethtool -K` has it. The only place that says so: what a link learns to take is crossed out here.
    pub(crate) fn offloads_off(self) -> &'static [&'static str] {
        match self {
            Self::Tap | Self::Packet => &[],
            Self::XdpNative | Self::XdpGeneric => &["tx"],
        }
    }

    /// As a configuration has it.
    pub(crate) fn setting(self, device: &str) -> String {
        let more = match self {
            Self::Tap => "kind = 'tap'",
            Self::Packet => "kind = 'af_packet'",
            Self::XdpNative => "kind = 'af_xdp', mode = 'native'",
            Self::XdpGeneric => "kind = 'af_xdp', mode = 'generic'",
        };
        format!("{{ {more}, name = '{device}' }}")
    }

    /// A link of this kind, of one queue, on a device of this thread's namespace.
    pub(crate) fn link(self, name: String) -> Result<Box<dyn Link>> {
        let xdp = |mode| AfXdpConfig {
            mode,
            ..AfXdpConfig::default()
        };
        let queues = 1;
        Ok(match self {
            Self::Tap => Box::new(TapLink::new(TapConfig {
                name,
                queues,
                super_frames: true,
            })?),
            Self::Packet => Box::new(AfPacketLink::new(AfPacketConfig {
                name,
                queues,
                ..AfPacketConfig::default()
            })?),
            Self::XdpNative => Box::new(AfXdpLink::new(AfXdpConfig {
                name,
                ..xdp(XdpMode::Native)
            })?),
            Self::XdpGeneric => Box::new(AfXdpLink::new(AfXdpConfig {
                name,
                ..xdp(XdpMode::Generic)
            })?),
        })
    }
}
