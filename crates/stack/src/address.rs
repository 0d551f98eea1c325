//! Addresses, prefixes and what an address is added with.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

use crate::error::BadAddress;

/// The address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of `address`.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// The length of an address of this family, in bits.
    pub const fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// An address as the endpoint table keys it: 128 bits, IPv4 in the mapped form `::ffff:a.b.c.d`.
///
/// No IPv6 packet may carry a mapped address (RFC 4291 section 2.5.5.2, RFC 5156 section 2.2); the
/// input stage refuses those, so the two families cannot meet under one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The upper 64 bits, in host order.
    pub high: u64,
    /// The lower 64 bits, in host order.
    pub low: u64,
}

/// The upper half of the low word of a mapped IPv4 address.
const MAPPED: u64 = 0xffff << 32;

impl Key {
    /// The key of an IPv4 address in host order.
    #[inline]
    pub const fn v4(address: u32) -> Self {
        Self {
            high: 0,
            low: MAPPED | address as u64,
        }
    }

    /// The key of an IPv6 address in host order.
    #[inline]
    pub const fn v6(address: u128) -> Self {
        Self {
            high: (address >> 64) as u64,
            low: address as u64,
        }
    }

    /// Whether this is the key of an IPv4 address.
    #[inline]
    pub const fn is_v4(self) -> bool {
        (self.high == 0) & (self.low >> 32 == 0xffff)
    }

    /// The family of the address.
    #[inline]
    pub const fn family(self) -> Family {
        if self.is_v4() { Family::V4 } else { Family::V6 }
    }

    /// Whether this is the key of a multicast address.
    #[inline]
    pub const fn is_multicast(self) -> bool {
        // No branch on the family: no IPv4 key has such upper bits.
        (self.high >> 56 == 0xff) | (self.is_v4() & (self.low as u32 >> 28 == 0xe))
    }

    /// Whether this is the key of 255.255.255.255.
    #[inline]
    pub const fn is_limited_broadcast(self) -> bool {
        (self.high == 0) & (self.low == MAPPED | 0xffff_ffff)
    }

    /// Whether a host can have this address as its own.
    pub(crate) fn can_be_local(self) -> bool {
        check_local(self.address()).is_ok()
    }

    /// The 128 bits of the key as one number.
    #[inline]
    pub const fn bits(self) -> u128 {
        (self.high as u128) << 64 | self.low as u128
    }

    /// The address.
    pub const fn address(self) -> IpAddr {
        if self.is_v4() {
            IpAddr::V4(Ipv4Addr::from_bits(self.low as u32))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(self.bits()))
        }
    }
}

impl From<IpAddr> for Key {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(a) => Self::v4(a.to_bits()),
            IpAddr::V6(a) => Self::v6(a.to_bits()),
        }
    }
}

/// An address with a prefix length: a subnet, or an address on its subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    address: IpAddr,
    len: u8,
}

/// Why a text or a pair is not a [`Prefix`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PrefixError {
    /// The part before the slash is not an address.
    #[error("'{0}' is not an IP address")]
    Address(String),
    /// An IPv4 address written as an IPv6 one: the two families would meet.
    #[error("{0} is an IPv4-mapped IPv6 address: write the IPv4 address")]
    Mapped(Ipv6Addr),
    /// The part after the slash is not a length of this family.
    #[error("'{len}' is not a prefix length of 0 to {max}")]
    Length {
        /// What was given.
        len: String,
        /// The longest prefix of the family.
        max: u8,
    },
}

impl Prefix {
    /// A prefix of `len` bits.
    ///
    /// # Errors
    /// [`PrefixError::Length`] if the family has no prefix that long; [`PrefixError::Mapped`].
    pub fn new(address: IpAddr, len: u8) -> Result<Self, PrefixError> {
        check_mapped(address)?;
        let max = Family::of(address).bits();
        if len > max {
            return Err(PrefixError::Length {
                len: len.to_string(),
                max,
            });
        }
        Ok(Self { address, len })
    }

    /// The address as given, host part included.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// The length in bits.
    #[allow(
        clippy::len_without_is_empty,
        reason = "the length of a prefix, not of a collection"
    )]
    pub fn len(self) -> u8 {
        self.len
    }

    /// The same prefix with the host part cleared.
    pub fn network(self) -> Self {
        let key = mask(Key::from(self.address), self.mapped_len());
        Self {
            address: key.address(),
            len: self.len,
        }
    }

    /// The length of the prefix in the 128-bit key.
    pub(crate) fn mapped_len(self) -> u8 {
        match self.address {
            IpAddr::V4(_) => 96 + self.len,
            IpAddr::V6(_) => self.len,
        }
    }

    /// The address that reaches all hosts of an IPv4 subnet (RFC 919); None for IPv6, and for
    /// subnets too small to have one (RFC 3021).
    pub fn broadcast(self) -> Option<Ipv4Addr> {
        match self.address {
            IpAddr::V4(address) if self.len <= 30 => {
                let hosts = u32::MAX.checked_shr(u32::from(self.len)).unwrap_or(0);
                Some(Ipv4Addr::from_bits(address.to_bits() | hosts))
            }
            _ => None,
        }
    }

    /// Whether `address` is inside.
    pub fn contains(self, address: IpAddr) -> bool {
        Family::of(address) == Family::of(self.address)
            && mask(address.into(), self.mapped_len())
                == mask(self.address.into(), self.mapped_len())
    }
}

fn check_mapped(address: IpAddr) -> Result<(), PrefixError> {
    match address {
        IpAddr::V6(mapped) if is_mapped(address) => Err(PrefixError::Mapped(mapped)),
        _ => Ok(()),
    }
}

/// Whether an address is `::ffff:a.b.c.d`: never on the wire, and in the table it would be an IPv4
/// address.
pub(crate) fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(_)) && Key::from(address).is_v4()
}

/// Whether `address` can be a host's own (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5).
pub(crate) fn check_local(address: IpAddr) -> Result<(), BadAddress> {
    match address {
        a if a.is_unspecified() => Err(BadAddress::Unspecified),
        a if a.is_multicast() => Err(BadAddress::Multicast),
        IpAddr::V4(a) if a.is_broadcast() => Err(BadAddress::Broadcast),
        a if is_mapped(a) => Err(BadAddress::Mapped),
        _ => Ok(()),
    }
}

/// `key` with all but the first `len` bits cleared.
#[inline]
pub(crate) fn mask(key: Key, len: u8) -> Key {
    let bits = key.bits() & !host_mask(len);
    Key::v6(bits)
}

/// The bits of a key behind the first `len`.
#[inline]
pub(crate) fn host_mask(len: u8) -> u128 {
    if len == 0 {
        u128::MAX
    } else {
        (1u128 << (128 - u32::from(len))).wrapping_sub(1)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// `ADDRESS/LENGTH`, or `ADDRESS` alone for the full length.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, len) = match text.split_once('/') {
            Some((address, len)) => (address, Some(len)),
            None => (text, None),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| PrefixError::Address(address.to_owned()))?;
        check_mapped(address)?;
        let max = Family::of(address).bits();
        let Some(len) = len else {
            return Ok(Self { address, len: max });
        };
        let wrong = || PrefixError::Length {
            len: len.to_owned(),
            max,
        };
        // Digits alone: a sign or a leading zero is a slip of the pen.
        if len.starts_with('0') && len != "0" || !len.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let len: u8 = len.parse().map_err(|_| wrong())?;
        if len > max {
            Err(wrong())
        } else {
            Ok(Self { address, len })
        }
    }
}

/// Where an address stands among the candidates for a source address (netstack's
/// `PrimaryEndpointBehavior`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PrimaryEndpointBehavior {
    /// Behind those already there.
    #[default]
    CanBePrimary,
    /// In front of those already there.
    FirstPrimary,
    /// Never a source address unless named.
    NeverPrimary,
}

/// What an address is added with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressConfig {
    /// The address and the length of its subnet.
    pub prefix: Prefix,
    /// Where it stands among the source addresses.
    pub primary: PrimaryEndpointBehavior,
}

impl AddressConfig {
    /// The same with another primary behaviour.
    pub fn primary(mut self, primary: PrimaryEndpointBehavior) -> Self {
        self.primary = primary;
        self
    }
}

impl From<IpAddr> for AddressConfig {
    /// The full prefix length, [`PrimaryEndpointBehavior::CanBePrimary`].
    fn from(address: IpAddr) -> Self {
        Prefix {
            address,
            len: Family::of(address).bits(),
        }
        .into()
    }
}

impl From<Ipv4Addr> for AddressConfig {
    fn from(address: Ipv4Addr) -> Self {
        IpAddr::from(address).into()
    }
}

impl From<Ipv6Addr> for AddressConfig {
    fn from(address: Ipv6Addr) -> Self {
        IpAddr::from(address).into()
    }
}

impl From<Prefix> for AddressConfig {
    /// [`PrimaryEndpointBehavior::CanBePrimary`].
    fn from(prefix: Prefix) -> Self {
        Self {
            prefix,
            primary: PrimaryEndpointBehavior::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_parse_and_print() {
        for text in [
            "192.0.2.1/24",
            "0.0.0.0/0",
            "2001:db8::1/64",
            "::/0",
            "10.0.0.1/32",
        ] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), text);
        }
        assert_eq!("10.0.0.1".parse::<Prefix>().unwrap().len(), 32);
        assert_eq!("::1".parse::<Prefix>().unwrap().len(), 128);
        assert!(matches!(
            "10.0.0/8".parse::<Prefix>(),
            Err(PrefixError::Address(_))
        ));
        for text in ["::ffff:1.2.3.4", "::ffff:1.2.3.4/120", "::ffff:0:0/96"] {
            assert!(
                matches!(text.parse::<Prefix>(), Err(PrefixError::Mapped(_))),
                "{text}"
            );
        }
        let mapped = "::ffff:1.2.3.4".parse().unwrap();
        assert!(Prefix::new(mapped, 64).is_err());
        for text in [
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/x",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "::/129",
            "::/-1",
        ] {
            assert!(
                matches!(text.parse::<Prefix>(), Err(PrefixError::Length { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn prefixes_contain_their_own() {
        let p: Prefix = "192.0.2.129/25".parse().unwrap();
        assert_eq!(p.network().to_string(), "192.0.2.128/25");
        assert!(p.contains("192.0.2.255".parse().unwrap()));
        assert!(!p.contains("192.0.2.127".parse().unwrap()));
        let all: Prefix = "::/0".parse().unwrap();
        assert!(all.contains("ff02::1".parse().unwrap()));
        assert!(
            !all.contains("192.0.2.1".parse().unwrap()),
            "the families do not meet"
        );
        let host: Prefix = "2001:db8::7/128".parse().unwrap();
        assert!(host.contains("2001:db8::7".parse().unwrap()));
        assert!(!host.contains("2001:db8::8".parse().unwrap()));
    }

    #[test]
    fn subnets_have_a_broadcast_address() {
        let broadcast = |text: &str| {
            let prefix: Prefix = text.parse().unwrap();
            prefix.broadcast().map(|a| a.to_string())
        };
        assert_eq!(broadcast("192.0.2.129/25").unwrap(), "192.0.2.255");
        assert_eq!(broadcast("10.0.0.1/8").unwrap(), "10.255.255.255");
        assert_eq!(broadcast("10.0.0.1/30").unwrap(), "10.0.0.3");
        assert_eq!(broadcast("10.0.0.1/0").unwrap(), "255.255.255.255");
        for text in ["10.0.0.1/31", "10.0.0.1/32", "2001:db8::1/64"] {
            assert_eq!(broadcast(text), None, "{text}");
        }
    }

    #[test]
    fn keys_tell_groups_and_broadcasts() {
        let key = |text: &str| Key::from(text.parse::<IpAddr>().unwrap());
        for text in ["224.0.0.1", "239.255.255.255", "ff02::1", "ffff::"] {
            assert!(key(text).is_multicast(), "{text}");
        }
        for text in ["223.255.255.255", "240.0.0.0", "255.255.255.255", "fe80::1"] {
            assert!(!key(text).is_multicast(), "{text}");
        }
        assert!(key("255.255.255.255").is_limited_broadcast());
        assert!(!key("255.255.255.254").is_limited_broadcast());
        assert!(!key("::ffff:ffff").is_limited_broadcast());
    }

    #[test]
    fn keys_keep_the_address() {
        for text in [
            "0.0.0.0",
            "255.255.255.255",
            "10.1.2.3",
            "::",
            "2001:db8::1",
            "ff02::1",
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(Key::from(address).address(), address);
            assert_eq!(Key::from(address).family(), Family::of(address));
        }
    }
}
