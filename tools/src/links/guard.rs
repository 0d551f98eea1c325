//! What links are not to be measured on (RFC 6815: benchmarks are for isolated networks).

use std::fs;

/// The destination and the mask of an IPv4 default route in `/proc/net/route`, and of an IPv6 one in
/// `/proc/net/ipv6_route`.
const NOWHERE_V4: &str = "00000000";
const NOWHERE_V6: &str = "00000000000000000000000000000000";

/// The flag of a route that refuses (`RTF_REJECT`).
const REJECT: u32 = 0x200;

/// Whether the way to everywhere else leads over this device.
pub(super) fn has_default_route(device: &str) -> bool {
    let read = |file| fs::read_to_string(file).unwrap_or_default();
    in_v4(&read("/proc/thread-self/net/route"), device)
        || in_v6(&read("/proc/thread-self/net/ipv6_route"), device)
}

fn in_v4(table: &str, device: &str) -> bool {
    table.lines().any(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        matches!(&columns[..], [name, NOWHERE_V4, _, _, _, _, _, NOWHERE_V4, ..] if *name == device)
    })
}

fn in_v6(table: &str, device: &str) -> bool {
    table.lines().any(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let refuses = |flags: &str| {
            let flags = u32::from_str_radix(flags, 16);
            flags.is_ok_and(|flags| flags & REJECT != 0)
        };
        // A route that refuses is at the loopback device: it leads nowhere.
        matches!(&columns[..], [NOWHERE_V6, "00", .., flags, name] if *name == device && !refuses(flags))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_routes_are_found() {
        let v4 = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                  eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                  eth1\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        assert!(in_v4(v4, "eth0"));
        assert!(!in_v4(v4, "eth1"));
        let v6 = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
                  fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n\
                  fe800000000000000000000000000000 40 00000000000000000000000000000000 00 \
                  00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth1\n";
        assert!(in_v6(v6, "eth0"));
        let refusing = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
                        00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n";
        assert!(!in_v6(refusing, "lo"));
        assert!(!in_v6(v6, "eth1"));
    }
}
