//! A router between two links in memory: a packet for another host goes in at one link and comes out
//! at the other, once the next hop has told its link address.

use std::error::Error;

use corelane::prelude::*;
use corelane::wire::build::{build_arp, build_udp_ipv4};
use corelane::wire::{ArpPacket, EtherType, parse_arp, parse_ethernet, parse_ipv4};

const CLIENT: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const SERVER: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

fn main() -> Result<(), Box<dyn Error>> {
    let (lan, mut client) = memory_link(MemoryConfig::default())?;
    let (wan, mut server) = memory_link(MemoryConfig::default())?;
    let mut builder = Engine::builder();
    let forwarding = |name| NicConfig::new(name).forwarding(Forwarding::ON);
    let lan = builder.nic(forwarding("lan"), Box::new(lan));
    let wan = builder.nic(forwarding("wan"), Box::new(wan));
    let engine = builder.build()?;

    let nics = engine.nics();
    nics[0].add_address("192.0.2.1/24".parse::<Prefix>()?)?;
    nics[1].add_address("198.51.100.1/24".parse::<Prefix>()?)?;
    for (to, via, nic) in [
        ("192.0.2.0/24", None, lan),
        ("198.51.100.0/24", None, wan),
        ("0.0.0.0/0", Some("198.51.100.254".parse()?), wan),
    ] {
        let to = to.parse()?;
        engine.stack().add_route(RouteSpec {
            to,
            via,
            nic,
            metric: 0,
        })?;
    }
    let mut cache = engine.pool().cache();
    let router = nics[0].mac();
    let running = engine.start()?;

    // The client sends to a host behind the gateway.
    let spec = FrameSpec {
        source_mac: CLIENT,
        destination_mac: router,
        source: "192.0.2.9".parse()?,
        destination: "203.0.113.7".parse()?,
        ttl: 64,
    };
    let (source, destination) = (4000, 53);
    let ports = Ports {
        source,
        destination,
    };
    let mut frame = cache.alloc().ok_or("no free frame")?;
    let len = build_udp_ipv4(frame.spare_mut(), &spec, ports, b"hello")?;
    frame.set_len(len)?;
    client.send(0, &mut Burst::from_iter([frame]));

    // The gateway is asked for its link address, answers, and gets the packet.
    let mut burst = Burst::new();
    loop {
        server.recv(&mut burst);
        for frame in burst.drain(..) {
            let ethernet = parse_ethernet(frame.data())?;
            match ethernet.header.ethertype() {
                EtherType::ARP => {
                    let asked = parse_arp(ethernet.payload)?;
                    println!("who has {}?", asked.target_ip());
                    let answer = ArpPacket::reply(
                        (SERVER, asked.target_ip()),
                        (asked.sender_mac, asked.sender_ip()),
                    );
                    let mut reply = cache.alloc().ok_or("no free frame")?;
                    let len = build_arp(reply.spare_mut(), asked.sender_mac, &answer)?;
                    reply.set_len(len)?;
                    server.send(0, &mut Burst::from_iter([reply]));
                }
                EtherType::IPV4 => {
                    let packet = parse_ipv4(ethernet.payload)?;
                    let (from, to) = (packet.source(), packet.destination());
                    println!("{from} > {to}, {} hops left", packet.header.ttl);
                    assert_eq!(packet.header.ttl, 63);
                    running.stop();
                    return Ok(());
                }
                _ => {}
            }
        }
    }
}
