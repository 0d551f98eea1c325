//! What can be shown.

/// A list of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// The NICs.
    Nics,
    /// Every endpoint.
    Addresses,
    /// The route table.
    Routes,
    /// The neighbors.
    Neighbors,
    /// The groups that NICs are in.
    Groups,
    /// The ranges of NICs.
    Ranges,
    /// The routes that are kept, by name.
    Holds,
    /// What NICs counted: frames, drops by reason, ICMP messages, protocols; and their links.
    Counters,
    /// The threads that poll: workers and distributors.
    Workers,
    /// The services, which take what arrives for a port, and what they counted.
    Sockets,
}

impl Listing {
    /// As they are written.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("nics", Self::Nics),
        ("addresses", Self::Addresses),
        ("routes", Self::Routes),
        ("neighbors", Self::Neighbors),
        ("groups", Self::Groups),
        ("ranges", Self::Ranges),
        ("holds", Self::Holds),
        ("counters", Self::Counters),
        ("workers", Self::Workers),
        ("sockets", Self::Sockets),
    ];

    /// As it is written.
    pub fn label(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, listing)| *listing == self);
        found.map_or("", |(word, _)| word)
    }

    /// The fields of a row that a table shows, in order; the JSON has all.
    pub(super) fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Nics => &[
                "nic",
                "link",
                "device",
                "mode",
                "zero_copy",
                "state",
                "mac",
                "mtu",
                "enabled",
                "promiscuous",
                "spoofing",
                "forwarding",
                "received",
                "sent",
                "dropped",
            ],
            Self::Addresses => &["nic", "address", "prefix_len", "kind", "primary"],
            Self::Routes => &["to", "via", "nic"],
            Self::Neighbors => &[
                "nic", "address", "mac", "state", "age_s", "router", "gateway",
            ],
            Self::Groups => &["nic", "group", "joins", "own"],
            Self::Ranges => &["nic", "range"],
            Self::Holds => &["name", "nic", "local", "remote", "next_hop"],
            Self::Counters => &["nic", "kind", "counter", "value"],
            Self::Workers => &[
                "thread",
                "core",
                "packets",
                "bytes",
                "polls",
                "empty_polls",
                "busy_ratio",
            ],
            Self::Sockets => &[
                "kind",
                "bind",
                "nic",
                "received",
                "bytes",
                "answered",
                "checksum_errors",
            ],
        }
    }
}
