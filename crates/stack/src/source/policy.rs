//! Scopes (RFC 6724 section 3.1) and labels (its default policy table, section 2.1).

/// The scope of a unicast address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Scope {
    LinkLocal,
    SiteLocal,
    Global,
}

impl Scope {
    pub(super) const COUNT: usize = 3;

    const ALL: [Self; Self::COUNT] = [Self::LinkLocal, Self::SiteLocal, Self::Global];

    /// Unique local addresses are global here, and the loopback address is link-local (section 3).
    pub(super) const fn of_source(address: u128) -> Self {
        if starts_with(address, 0xfe80 << 112, 10) || address == 1 {
            Self::LinkLocal
        } else if starts_with(address, 0xfec0 << 112, 10) {
            Self::SiteLocal
        } else {
            Self::Global
        }
    }

    /// The value that a multicast address of this scope has (RFC 4291 section 2.7).
    const fn number(self) -> u8 {
        match self {
            Self::LinkLocal => 0x2,
            Self::SiteLocal => 0x5,
            Self::Global => 0xe,
        }
    }

    /// All scopes, best first for a destination of scope `number`: those that reach it from the
    /// smallest on, then those that do not from the largest on (rule 2).
    pub(super) fn preference(number: u8) -> impl Iterator<Item = Self> {
        let reaches = move |scope: &Self| scope.number() >= number;
        let reaching = Self::ALL.into_iter().filter(reaches);
        let others = Self::ALL.into_iter().rev();
        reaching.chain(others.filter(move |scope| !reaches(scope)))
    }
}

/// The scope of a destination as a number: that of its group, or that of a unicast address.
pub(super) const fn scope(destination: u128) -> u8 {
    if is_multicast(destination) {
        (destination >> 112) as u8 & 0xf
    } else {
        Scope::of_source(destination).number()
    }
}

pub(super) const fn is_multicast(address: u128) -> bool {
    address >> 120 == 0xff
}

/// The policy table, longest prefix first; a label is the index of its line.
const POLICY: [(u128, u8); LABELS] = [
    (1, 128),                // ::1/128
    (0xffff << 32, 96),      // ::ffff:0:0/96
    (0, 96),                 // ::/96
    (0x2001_0000 << 96, 32), // 2001::/32
    (0x2002 << 112, 16),     // 2002::/16
    (0x3ffe << 112, 16),     // 3ffe::/16
    (0xfec0 << 112, 10),     // fec0::/10
    (0xfc00 << 112, 7),      // fc00::/7
    (0, 0),                  // ::/0
];

/// How many labels there are.
pub(super) const LABELS: usize = 9;

/// The label of an address. Every line of the table has a label of its own, and only equality
/// counts, so it is the number of the line.
pub(super) fn label(address: u128) -> usize {
    POLICY
        .iter()
        .position(|(prefix, len)| starts_with(address, *prefix, *len))
        .unwrap_or(LABELS - 1)
}

const fn starts_with(address: u128, prefix: u128, len: u8) -> bool {
    super::trie::common_bits(address, prefix) >= len
}
