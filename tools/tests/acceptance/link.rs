//! The kinds of links, and what a device needs for each.

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
}
