//! The cases: each is to hold on every kind of link.

mod discovery;
mod host;
pub(crate) mod overload;
mod router;

use anyhow::Result;

use crate::link::Kind;
use crate::outcome::Outcome;

type Case = fn(Kind) -> Result<Outcome>;

pub(crate) const ALL: &[(&str, Case)] = &[
    ("host: flood ping, none lost", host::flood_ping),
    (
        "host: ping of 0 to 65,507 bytes, fragments both ways",
        host::ping_sizes,
    ),
    ("host: UDP echo of every size", host::udp_echo_sizes),
    ("host: arping, ndisc6, rdisc6", host::who_has),
    ("host: closed ports: ICMP, reset", host::closed_ports),
    ("host: nmap, hping3, within the ICMP rate", host::scans),
    (
        "host: duplicate addresses, both ways",
        discovery::duplicates,
    ),
    (
        "host: solicitations, as the kernel answers",
        discovery::solicitations,
    ),
    ("router: traceroute, mtr", router::traced),
    ("router: iperf3, losses in the books", router::iperf3),
    ("router: link, MAC, route, address change", router::changes),
    ("router: tcpreplay --topspeed", overload::replay),
    (
        "router: blaster, excess counted, recovers",
        overload::blaster,
    ),
];
