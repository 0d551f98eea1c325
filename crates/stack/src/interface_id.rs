//! Link-local addresses that a NIC makes for itself, and the interface identifiers in them.

use std::fmt;
use std::net::Ipv6Addr;

use corelane_wire::MacAddr;
use hmac_sha256::HMAC;

/// How many other identifiers are tried when one turns out to be a duplicate (RFC 7217 section 7).
pub(crate) const IDGEN_RETRIES: u32 = 3;

/// `fe80::/64`.
const LINK_LOCAL: u64 = 0xfe80 << 48;

/// The link-local address that a NIC makes for itself when it is enabled.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum LinkLocal {
    /// None.
    #[default]
    None,
    /// `fe80::/64` with the modified EUI-64 of the NIC's MAC address (RFC 4291 appendix A). A NIC
    /// without a unicast MAC address makes none.
    Eui64,
    /// `fe80::/64` with an identifier that stays the same on this network and tells nothing about
    /// the NIC (RFC 7217). Of one that turns out to be a duplicate, others are tried.
    StableOpaque {
        /// What nobody else knows.
        secret: [u8; 16],
        /// What names the network, such as its SSID; empty if nothing does.
        network_id: Vec<u8>,
    },
}

impl fmt::Debug for LinkLocal {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Eui64 => f.write_str("Eui64"),
            Self::StableOpaque { network_id, .. } => f
                .debug_struct("StableOpaque")
                .field("network_id", network_id)
                .finish_non_exhaustive(),
        }
    }
}

/// A link-local address, and the number of the attempt that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generated {
    pub(crate) address: Ipv6Addr,
    /// If the address is a duplicate, the next attempt has this number and one.
    pub(crate) dad_counter: u32,
}

impl LinkLocal {
    /// The address of the attempt `dad_counter`, from 0, or of the next one that makes an acceptable
    /// address, for the NIC called `name`. `None` if none is asked for or there is nothing to make
    /// it of, and when no attempts are left: a modified EUI-64 has one, opaque identifiers have
    /// [`IDGEN_RETRIES`] more.
    pub(crate) fn generate(
        &self,
        name: &str,
        mac: Option<MacAddr>,
        dad_counter: u32,
    ) -> Option<Generated> {
        match self {
            Self::None => None,
            Self::Eui64 if dad_counter > 0 => None,
            Self::Eui64 => Some(Generated {
                address: eui64(mac?)?,
                dad_counter,
            }),
            Self::StableOpaque { secret, network_id } => first_acceptable(dad_counter, |counter| {
                opaque_id(LINK_LOCAL, name, network_id, counter, secret)
            }),
        }
    }
}

/// The link-local address with the modified EUI-64 of `mac` (RFC 4291 appendix A): `ff:fe` in the
/// middle, and the universal/local bit inverted. `None` if `mac` names no single station.
pub(crate) fn eui64(mac: MacAddr) -> Option<Ipv6Addr> {
    if !mac.is_unicast() {
        return None;
    }
    let [a, b, c, d, e, f] = mac.octets();
    let id = u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f]);
    Some(address(LINK_LOCAL, id))
}

/// The first address whose identifier is not reserved, of the attempts from `dad_counter` on.
fn first_acceptable(dad_counter: u32, id: impl Fn(u32) -> u64) -> Option<Generated> {
    (dad_counter..=IDGEN_RETRIES)
        .map(|counter| (counter, id(counter)))
        .find(|(_, id)| !is_reserved(*id))
        .map(|(dad_counter, id)| Generated {
            address: address(LINK_LOCAL, id),
            dad_counter,
        })
}

/// The interface identifier of RFC 7217 section 5: the last 64 bits of a pseudorandom function of
/// all that it depends on, here HMAC-SHA-256. What has no fixed length goes in behind its length,
/// so that no two inputs are one text.
fn opaque_id(
    prefix: u64,
    name: &str,
    network_id: &[u8],
    dad_counter: u32,
    secret: &[u8; 16],
) -> u64 {
    let mut mac = HMAC::new(secret);
    mac.update(prefix.to_be_bytes());
    for field in [name.as_bytes(), network_id] {
        mac.update((field.len() as u64).to_be_bytes());
        mac.update(field);
    }
    mac.update(dad_counter.to_be_bytes());
    let [.., a, b, c, d, e, f, g, h] = mac.finalize();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Whether an interface identifier is reserved (RFC 5453, and the registry it made).
const fn is_reserved(id: u64) -> bool {
    matches!(
        id,
        // The subnet routers' anycast address.
        0
        // IANA's own Ethernet block, of which one is taken by Proxy Mobile IPv6.
        | 0x0200_5eff_fe00_0000..=0x0200_5eff_feff_ffff
        // The subnet anycast addresses (RFC 2526).
        | 0xfdff_ffff_ffff_ff80..=0xfdff_ffff_ffff_ffff
    )
}

fn address(prefix: u64, id: u64) -> Ipv6Addr {
    Ipv6Addr::from_bits(u128::from(prefix) << 64 | u128::from(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddr = MacAddr([0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde]);

    fn opaque(secret: u8, network_id: &[u8]) -> LinkLocal {
        LinkLocal::StableOpaque {
            secret: [secret; 16],
            network_id: network_id.to_vec(),
        }
    }

    fn text(link_local: &LinkLocal, mac: MacAddr) -> Option<String> {
        let generated = link_local.generate("eth0", Some(mac), 0)?;
        assert_eq!(generated.dad_counter, 0);
        Some(generated.address.to_string())
    }

    #[test]
    fn g15_a_link_local_address_has_the_modified_eui64() {
        let vectors = [
            // RFC 4291 appendix A, and RFC 2464 section 4.
            (MAC, "fe80::3656:78ff:fe9a:bcde"),
            // The bit is inverted, not set: a local address loses it.
            ([2, 2, 3, 4, 5, 6].into(), "fe80::2:3ff:fe04:506"),
            ([0, 0, 0, 0, 0, 1].into(), "fe80::200:ff:fe00:1"),
            (
                [0xfc, 0xff, 0xff, 0xff, 0xff, 0xff].into(),
                "fe80::feff:ffff:feff:ffff",
            ),
        ];
        for (mac, address) in vectors {
            assert_eq!(text(&LinkLocal::Eui64, mac).as_deref(), Some(address));
        }
    }

    #[test]
    fn g15_no_link_local_address_without_a_unicast_mac() {
        for mac in [
            MacAddr::UNSPECIFIED,
            MacAddr::BROADCAST,
            MacAddr([1, 0, 0x5e, 0, 0, 1]),
            MacAddr([0x33, 0x33, 0, 0, 0, 1]),
        ] {
            assert_eq!(text(&LinkLocal::Eui64, mac), None, "{mac}");
        }
        assert_eq!(LinkLocal::Eui64.generate("eth0", None, 0), None);
        assert_eq!(text(&LinkLocal::None, MAC), None);
        assert_eq!(LinkLocal::default(), LinkLocal::None);
    }

    #[test]
    fn a_modified_eui64_is_tried_once() {
        assert_eq!(LinkLocal::Eui64.generate("eth0", Some(MAC), 1), None);
    }

    #[test]
    fn an_opaque_identifier_is_stable() {
        let link_local = opaque(7, b"home");
        let first = link_local.generate("eth0", Some(MAC), 0).unwrap();
        assert_eq!(first.address.octets()[..8], LINK_LOCAL.to_be_bytes());
        for mac in [None, Some(MacAddr([0; 6])), Some(MAC)] {
            assert_eq!(
                opaque(7, b"home").generate("eth0", mac, 0),
                Some(first),
                "whatever the hardware"
            );
        }
        // What it is in this version it must be in the next. From another implementation of HMAC.
        assert_eq!(first.address.to_string(), "fe80::7652:5bea:88ee:63fa");
    }

    #[test]
    fn an_opaque_identifier_depends_on_each_input() {
        let secret = [7; 16];
        let mut ids = vec![
            opaque_id(LINK_LOCAL, "eth0", b"home", 0, &secret),
            opaque_id(LINK_LOCAL + 1, "eth0", b"home", 0, &secret),
            opaque_id(LINK_LOCAL, "eth1", b"home", 0, &secret),
            opaque_id(LINK_LOCAL, "eth0", b"work", 0, &secret),
            opaque_id(LINK_LOCAL, "eth0", b"", 0, &secret),
            opaque_id(LINK_LOCAL, "eth0", b"home", 1, &secret),
            opaque_id(LINK_LOCAL, "eth0", b"home", 0, &[8; 16]),
            // The same bytes, parted otherwise.
            opaque_id(LINK_LOCAL, "eth0h", b"ome", 0, &secret),
            opaque_id(LINK_LOCAL, "eth0home", b"", 0, &secret),
        ];
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all);
    }

    #[test]
    fn an_opaque_duplicate_gets_another_identifier_a_few_times() {
        let link_local = opaque(1, b"");
        let mut addresses = Vec::new();
        let mut next = 0;
        while let Some(generated) = link_local.generate("eth0", None, next) {
            assert!(!addresses.contains(&generated.address));
            addresses.push(generated.address);
            next = generated.dad_counter + 1;
        }
        assert_eq!(addresses.len() as u32, 1 + IDGEN_RETRIES);
        assert_eq!(link_local.generate("eth0", None, u32::MAX), None);
    }

    #[test]
    fn reserved_identifiers_are_skipped() {
        let reserved = [
            0,
            0x0200_5eff_fe00_0000,
            0x0200_5eff_fe00_5213,
            0x0200_5eff_feff_ffff,
            0xfdff_ffff_ffff_ff80,
            0xfdff_ffff_ffff_ffff,
        ];
        let free = [
            1,
            0x0200_5eff_fdff_ffff,
            0x0200_5eff_ff00_0000,
            0xfdff_ffff_ffff_ff7f,
            0xfe00_0000_0000_0000,
        ];
        for reserved in reserved {
            for free in free {
                let ids = [reserved, reserved, free, reserved];
                let found = first_acceptable(0, |counter| ids[counter as usize]).unwrap();
                assert_eq!(found.address, address(LINK_LOCAL, free));
                assert_eq!(found.dad_counter, 2);
                assert_eq!(first_acceptable(3, |counter| ids[counter as usize]), None);
            }
            assert_eq!(first_acceptable(0, |_| reserved), None, "not for ever");
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        let shown = format!("{:?}", opaque(0xab, b"x"));
        assert_eq!(shown, "StableOpaque { network_id: [120], .. }");
    }
}
