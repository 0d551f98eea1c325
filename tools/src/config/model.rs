//! A configuration that has been checked.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use corelane::io::af_xdp::XdpMode;
use corelane::io::middleware::FaultPlan;
use corelane::stack::{Prefix, PrimaryEndpointBehavior};
use corelane::wire::{MacAddr, PacketFilter};

/// What a configuration file asks for, with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The file, as it was named.
    pub file: String,
    /// How many workers; None for one per core that the process may use.
    pub workers: Option<usize>,
    /// Whether packets for others are sent on, unless a NIC says otherwise.
    pub forwarding: bool,
    /// ICMP errors sent in a second.
    pub icmp_rate: u32,
    /// How many of them in a burst.
    pub icmp_burst: u32,
    /// What random draws start from.
    pub seed: u64,
    /// Neighbor solicitations sent for an IPv6 address before it is used; 0 turns duplicate
    /// address detection off.
    pub dad_transmits: u8,
    /// The time between two of them, and after the last one.
    pub dad_retransmit_timer: Duration,
    /// Whether each NIC gets an IPv6 link-local address.
    pub auto_link_local: bool,
    /// The secret that link-local addresses are made from as RFC 7217 says; None makes them from
    /// link addresses (modified EUI-64).
    pub stable_secret: Option<[u8; 16]>,
    /// Whether multicast packets that are sent come back to this host.
    pub multicast_loop: bool,
    /// How many NICs `up` keeps frames for that a later configuration may add.
    pub spare_nics: usize,
    /// Whether [`spare_nics`](Self::spare_nics) stands in the file.
    pub spare_nics_given: bool,
    /// Whom `up` runs as once the links are open; None for who started it.
    pub user: Option<String>,
    /// The control socket of `up`; None for the usual place.
    pub socket: Option<PathBuf>,
    /// The permissions of the control socket.
    pub socket_mode: u32,
    /// The NICs.
    pub nics: Vec<NicSetting>,
    /// The routes.
    pub routes: Vec<RouteSetting>,
    /// The static neighbors.
    pub neighbors: Vec<NeighborSetting>,
    /// What answers.
    pub services: Vec<ServiceSetting>,
    /// The changes, by time; those of the same time in the order of the file.
    pub events: Vec<EventSetting>,
    /// What the file is a case of, where it is one.
    pub case: Option<CaseSetting>,
    /// What has no effect, or hardly the wanted one; each names its place in the file.
    pub warnings: Vec<String>,
}

/// A NIC.
#[derive(Clone, Debug, PartialEq)]
pub struct NicSetting {
    /// The name: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// What it sends and receives through.
    pub link: LinkSetting,
    /// Its link address.
    pub mac: MacAddr,
    /// Whether [`mac`](Self::mac) stands in the file.
    pub mac_given: bool,
    /// The largest network packet, in bytes.
    pub mtu: usize,
    /// Whether it takes packets for every address.
    pub promiscuous: bool,
    /// Whether routes may begin at every address.
    pub spoofing: bool,
    /// Whether what it receives for others is sent on.
    pub forwarding: bool,
    /// Whether it is enabled when it is made.
    pub enabled: bool,
    /// Its addresses.
    pub addresses: Vec<AddressSetting>,
    /// The subnets it takes packets for without owning the addresses.
    pub ranges: Vec<Prefix>,
    /// The groups it joins.
    pub groups: Vec<IpAddr>,
    /// How it tells of IPv4 groups.
    pub igmp: IgmpSetting,
    /// How it tells of IPv6 groups.
    pub mld: MldSetting,
    /// What goes wrong on its link, on purpose.
    pub faults: Option<FaultsSetting>,
    /// Where `up` writes down what goes by.
    pub capture: Option<CaptureSetting>,
}

/// What goes wrong on the link of a NIC.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultsSetting {
    /// What random draws begin with.
    pub seed: u64,
    /// What happens to what is received.
    pub rx: FaultPlan,
    /// What happens to what is sent.
    pub tx: FaultPlan,
}

/// Where what goes by on the link of a NIC is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureSetting {
    /// The file, pcapng.
    pub file: PathBuf,
    /// Bytes of each frame; all that the link may carry unless said.
    pub snap_len: Option<usize>,
    /// Which frames.
    pub filter: PacketFilter,
}

/// What a NIC sends and receives through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSetting {
    /// The kind.
    pub kind: LinkKind,
    /// The device; empty for captures.
    pub name: String,
    /// How many queues.
    pub queues: usize,
    /// Whether super-frames are taken and given: of 64 KiB, for which the pool's slots have room then.
    pub super_frames: bool,
    /// Whether an AF_PACKET link receives in blocks, and sends nothing.
    pub receive_only: bool,
    /// Where the program of an AF_XDP link runs.
    pub mode: XdpMode,
}

/// Where the program of an AF_XDP link runs, as it is written.
pub(super) const MODE_WORDS: &[(&str, XdpMode)] = &[
    ("auto", XdpMode::Auto),
    ("native", XdpMode::Native),
    ("generic", XdpMode::Generic),
];

/// As where the program of an AF_XDP link runs is written.
pub fn mode_label(mode: XdpMode) -> &'static str {
    label(MODE_WORDS, mode)
}

/// The kinds of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// Capture files, in `sim`.
    Pcap,
    /// A TAP device.
    Tap,
    /// A device through AF_PACKET.
    AfPacket,
    /// A device through AF_XDP.
    AfXdp,
}

impl LinkKind {
    /// The kinds as they are written.
    pub(crate) const WORDS: &'static [(&'static str, Self)] = &[
        ("pcap", Self::Pcap),
        ("tap", Self::Tap),
        ("af_packet", Self::AfPacket),
        ("af_xdp", Self::AfXdp),
    ];

    /// As it is written.
    pub fn label(self) -> &'static str {
        label(Self::WORDS, self)
    }
}

/// An address of a NIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressSetting {
    /// The address and the length of its subnet.
    pub prefix: Prefix,
    /// Its place among the source addresses.
    pub primary: PrimaryEndpointBehavior,
}

/// How the places among the source addresses are written.
pub const PRIMARY_WORDS: &[(&str, PrimaryEndpointBehavior)] = &[
    ("can", PrimaryEndpointBehavior::CanBePrimary),
    ("first", PrimaryEndpointBehavior::FirstPrimary),
    ("never", PrimaryEndpointBehavior::NeverPrimary),
];

/// How a NIC tells of IPv4 groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IgmpSetting {
    /// IGMPv3, and older versions where an older querier asks.
    V3,
    /// IGMPv2.
    V2,
    /// Not at all.
    Off,
}

impl IgmpSetting {
    /// The settings as they are written.
    pub(super) const WORDS: &'static [(&'static str, Self)] =
        &[("v3", Self::V3), ("v2", Self::V2), ("off", Self::Off)];

    /// As it is written.
    pub fn label(self) -> &'static str {
        label(Self::WORDS, self)
    }
}

/// How a NIC tells of IPv6 groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MldSetting {
    /// MLDv2, and the older version where an older querier asks.
    V2,
    /// MLDv1.
    V1,
    /// Not at all.
    Off,
}

impl MldSetting {
    /// The settings as they are written.
    pub(super) const WORDS: &'static [(&'static str, Self)] =
        &[("v2", Self::V2), ("v1", Self::V1), ("off", Self::Off)];

    /// As it is written.
    pub fn label(self) -> &'static str {
        label(Self::WORDS, self)
    }
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RouteSetting {
    /// The destinations.
    pub to: Prefix,
    /// The gateway; None if the destinations are on the link.
    pub via: Option<IpAddr>,
    /// The NIC's name.
    pub nic: String,
}

/// A neighbor whose link address is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NeighborSetting {
    /// The NIC's name.
    pub nic: String,
    /// The neighbor.
    pub address: IpAddr,
    /// Its link address.
    pub mac: MacAddr,
}

/// Something that takes packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSetting {
    /// What it does with them.
    pub kind: ServiceKind,
    /// Which it takes.
    pub bind: Bind,
    /// The NIC they have to come from; None for any.
    pub nic: Option<String>,
    /// Whether others of its kind may have the same bind.
    pub reuse_port: bool,
}

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceKind {
    /// Sends UDP datagrams back.
    UdpEcho,
    /// Takes UDP datagrams.
    UdpSink,
    /// Sees packets of any protocol, beside whoever takes them.
    RawSink,
}

impl ServiceKind {
    /// The kinds as they are written.
    pub(super) const WORDS: &'static [(&'static str, Self)] = &[
        ("udp_echo", Self::UdpEcho),
        ("udp_sink", Self::UdpSink),
        ("raw_sink", Self::RawSink),
    ];

    /// As it is written.
    pub fn label(self) -> &'static str {
        label(Self::WORDS, self)
    }

    /// Whether it takes UDP datagrams.
    pub fn is_udp(self) -> bool {
        matches!(self, Self::UdpEcho | Self::UdpSink)
    }
}

/// Something that happens at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventSetting {
    /// When.
    pub at: Duration,
    /// What.
    pub change: Change,
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    /// What.
    pub action: Action,
    /// The NIC's name; None for what is not a NIC's.
    pub nic: Option<String>,
}

/// What can happen at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// An address is added.
    AddAddress(AddressSetting),
    /// An address is removed.
    RemoveAddress(IpAddr),
    /// A range is added.
    AddRange(Prefix),
    /// A range is removed.
    RemoveRange(Prefix),
    /// A group is joined.
    JoinGroup(IpAddr),
    /// A group is left.
    LeaveGroup(IpAddr),
    /// Packets for every address are taken, or no longer.
    SetPromiscuous(bool),
    /// Routes may begin at every address, or no longer.
    SetSpoofing(bool),
    /// Packets for others are sent on, or no longer; without a NIC, on all of them.
    SetForwarding(bool),
    /// A route is added.
    AddRoute(RouteSetting),
    /// A route is removed.
    RemoveRoute(RouteSetting),
    /// A neighbor is given its link address.
    AddNeighbor {
        /// The neighbor.
        address: IpAddr,
        /// Its link address.
        mac: MacAddr,
    },
    /// A neighbor is forgotten, static or not.
    RemoveNeighbor(IpAddr),
    /// The NIC is enabled, or disabled.
    SetLink(bool),
    /// A route is taken and kept.
    HoldRoute {
        /// Under which name.
        name: String,
        /// From which local address; None lets the NIC choose.
        local: Option<IpAddr>,
        /// To which address.
        remote: IpAddr,
    },
    /// A route that is kept is let go.
    ReleaseRoute {
        /// Its name.
        name: String,
    },
}

impl Action {
    /// As it is written.
    pub fn label(&self) -> &'static str {
        match self {
            Self::AddAddress(_) => "add_address",
            Self::RemoveAddress(_) => "remove_address",
            Self::AddRange(_) => "add_range",
            Self::RemoveRange(_) => "remove_range",
            Self::JoinGroup(_) => "join_group",
            Self::LeaveGroup(_) => "leave_group",
            Self::SetPromiscuous(_) => "set_promiscuous",
            Self::SetSpoofing(_) => "set_spoofing",
            Self::SetForwarding(_) => "set_forwarding",
            Self::AddRoute(_) => "add_route",
            Self::RemoveRoute(_) => "remove_route",
            Self::AddNeighbor { .. } => "add_neighbor",
            Self::RemoveNeighbor(_) => "remove_neighbor",
            Self::SetLink(_) => "set_link",
            Self::HoldRoute { .. } => "hold_route",
            Self::ReleaseRoute { .. } => "release_route",
        }
    }
}

/// What a configuration is a case of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseSetting {
    /// What it shows.
    pub description: String,
    /// More arguments for `sim`.
    pub arguments: Vec<String>,
}

pub use super::bind::{Bind, BindAddress};

fn label<T: Copy + PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words
        .iter()
        .find(|(_, of)| *of == value)
        .map_or("", |(word, _)| word)
}

/// As a place among the source addresses is written.
pub fn primary_label(primary: PrimaryEndpointBehavior) -> &'static str {
    label(PRIMARY_WORDS, primary)
}
