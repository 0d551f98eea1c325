//! Link addresses that need no resolution.

use std::net::IpAddr;

use corelane_wire::MacAddr;

use crate::address::Key;

/// The link address of groups and of the limited broadcast, which nobody has to be asked for
/// (BEHAVIOURS O2).
pub(crate) fn static_link_address(key: Key) -> Option<MacAddr> {
    if key.is_limited_broadcast() {
        return Some(MacAddr::BROADCAST);
    }
    if !key.is_multicast() {
        return None;
    }
    Some(match key.address() {
        IpAddr::V4(group) => MacAddr::from_ipv4_multicast(group),
        IpAddr::V6(group) => MacAddr::from_ipv6_multicast(group),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o2_groups_and_broadcasts_need_no_resolution() {
        let of = |address: &str| {
            let address: IpAddr = address.parse().unwrap();
            static_link_address(address.into()).map(|mac| mac.to_string())
        };
        assert_eq!(of("255.255.255.255").unwrap(), "ff:ff:ff:ff:ff:ff");
        assert_eq!(of("192.0.2.255"), None);
        assert_eq!(of("239.129.2.3").unwrap(), "01:00:5e:01:02:03");
        assert_eq!(of("ff02::1:ff28:9c5a").unwrap(), "33:33:ff:28:9c:5a");
        assert_eq!(of("2001:db8::1"), None);
        assert_eq!(of("0.0.0.0"), None);
        assert_eq!(of("::"), None);
    }
}
