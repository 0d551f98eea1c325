//! Link addresses.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// An IEEE 802 link address of six bytes, in the order of the wire.
///
/// Displays as `02:00:5e:10:00:01`; parses the same with `:` or `-` between the bytes.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(transparent)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// `ff:ff:ff:ff:ff:ff`.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// `00:00:00:00:00:00`.
    pub const UNSPECIFIED: Self = Self([0; 6]);

    /// The six bytes in the order of the wire.
    #[inline]
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// Whether it is the broadcast address.
    #[inline]
    pub fn is_broadcast(self) -> bool {
        self == Self::BROADCAST
    }

    /// Whether it names a group: the broadcast address does too.
    #[inline]
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Whether it names one station: neither a group nor all zeros.
    #[inline]
    pub fn is_unicast(self) -> bool {
        !self.is_multicast() && self != Self::UNSPECIFIED
    }

    /// Whether it is locally administered.
    #[inline]
    pub const fn is_local(self) -> bool {
        self.0[0] & 2 != 0
    }

    /// The group address that carries an IPv4 multicast group (RFC 1112 section 6.4): the low 23
    /// bits of `group` below `01:00:5e`.
    pub const fn from_ipv4_multicast(group: Ipv4Addr) -> Self {
        let [_, b, c, d] = group.octets();
        Self([0x01, 0x00, 0x5e, b & 0x7f, c, d])
    }

    /// The group address that carries an IPv6 multicast group (RFC 2464 section 7): the low 32
    /// bits of `group` below `33:33`.
    pub const fn from_ipv6_multicast(group: Ipv6Addr) -> Self {
        let [.., a, b, c, d] = group.octets();
        Self([0x33, 0x33, a, b, c, d])
    }
}

impl From<[u8; 6]> for MacAddr {
    fn from(octets: [u8; 6]) -> Self {
        Self(octets)
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not a link address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a link address is six pairs of hexadecimal digits, such as 02:00:5e:10:00:01")]
pub struct ParseMacError;

impl FromStr for MacAddr {
    type Err = ParseMacError;

    fn from_str(text: &str) -> Result<Self, ParseMacError> {
        let separator = if text.contains('-') { '-' } else { ':' };
        let mut pairs = text.split(separator);
        let mut octets = [0; 6];
        for octet in &mut octets {
            let pair = pairs.next().ok_or(ParseMacError)?;
            // from_str_radix would also take "+f".
            if pair.len() != 2 || !pair.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(ParseMacError);
            }
            *octet = u8::from_str_radix(pair, 16).map_err(|_| ParseMacError)?;
        }
        if pairs.next().is_some() {
            return Err(ParseMacError);
        }
        Ok(Self(octets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parses_both_separators_and_no_mixture() {
        let mac = MacAddr([0x02, 0x00, 0x5e, 0x10, 0xAB, 0x01]);
        assert_eq!("02:00:5e:10:ab:01".parse(), Ok(mac));
        assert_eq!("02-00-5E-10-AB-01".parse(), Ok(mac));
        for bad in [
            "",
            "02:00:5e:10:ab",
            "02:00:5e:10:ab:01:02",
            "02:00:5e:10:ab:+1",
            "2:0:5e:10:ab:1",
            "02:00-5e:10:ab:01",
            "02:00:5e:10:ab:0g",
            "02005e10ab01",
            "é:00:5e:10:ab:01",
        ] {
            assert_eq!(bad.parse::<MacAddr>(), Err(ParseMacError), "{bad:?}");
        }
    }

    #[test]
    fn tells_groups_from_stations() {
        let station = MacAddr([2, 0, 0, 0, 0, 1]);
        assert!(station.is_unicast() && station.is_local() && !station.is_multicast());
        assert!(MacAddr::BROADCAST.is_broadcast() && MacAddr::BROADCAST.is_multicast());
        assert!(!MacAddr::BROADCAST.is_unicast() && !MacAddr::UNSPECIFIED.is_unicast());
    }

    #[test]
    fn maps_multicast_groups() {
        // Two groups that differ only in the bit that is not carried share an address.
        let want = MacAddr([0x01, 0x00, 0x5e, 0x01, 0x02, 0x03]);
        assert_eq!(
            MacAddr::from_ipv4_multicast(Ipv4Addr::new(224, 1, 2, 3)),
            want
        );
        assert_eq!(
            MacAddr::from_ipv4_multicast(Ipv4Addr::new(239, 129, 2, 3)),
            want
        );
        let solicited: Ipv6Addr = "ff02::1:ff28:9c5a".parse().unwrap();
        assert_eq!(
            MacAddr::from_ipv6_multicast(solicited),
            MacAddr([0x33, 0x33, 0xff, 0x28, 0x9c, 0x5a])
        );
    }

    proptest! {
        #[test]
        fn text_round_trips(octets: [u8; 6]) {
            let mac = MacAddr(octets);
            prop_assert_eq!(mac.to_string().parse(), Ok(mac));
            prop_assert_eq!(format!("{mac:?}"), mac.to_string());
        }

        #[test]
        fn any_text_is_an_address_or_an_error(text in "\\PC{0,24}") {
            if let Ok(mac) = text.parse::<MacAddr>() {
                prop_assert_eq!(mac.to_string(), text.to_lowercase().replace('-', ":"));
            }
        }
    }
}
