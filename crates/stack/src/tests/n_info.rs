//! Section N: counters, and what a NIC says of itself.

use corelane_frame::{Burst, Frame};
use corelane_wire::{IpProtocol, MacAddr};

use crate::testing::*;
use crate::*;

#[test]
fn n1_frames_and_bytes_are_counted_per_worker_and_summed() {
    let bed = bed();
    let mut workers = [bed.nic.datapath(), bed.nic.datapath()];
    let (mut sender, senders_share) = bed.nic.sender_counters();
    for (n, worker) in workers.iter_mut().enumerate() {
        let (_, counters) = worker.load();
        let n = n as u64 + 1;
        counters.add(NicCounter::Received, 10 * n);
        counters.add(NicCounter::ReceivedBytes, 1000 * n);
        counters.add(NicCounter::Delivered, 4 * n);
        counters.add(NicCounter::Consumed, 2 * n);
        counters.add(NicCounter::Forwarded, n);
        counters.add(NicCounter::Drop(DropReason::InvalidAddress), 3 * n);
        counters.add(NicCounter::Looped, n);
        counters.add(NicCounter::Sent, 5 * n);
        counters.add(NicCounter::SentBytes, 500 * n);
    }
    sender.add(NicCounter::Sent, 7);
    sender.add(NicCounter::SentBytes, 700);
    sender.add(NicCounter::SendDropped, 2);
    let totals = bed.nic.counters();
    assert_eq!((totals.received, totals.received_bytes), (30, 3000));
    assert_eq!((totals.sent, totals.sent_bytes), (15 + 7, 1500 + 700));
    assert_eq!(
        (totals.delivered, totals.consumed, totals.forwarded),
        (12, 6, 3)
    );
    assert_eq!((totals.send_dropped, totals.looped), (2, 3));
    assert_eq!(totals.dropped_for(DropReason::InvalidAddress), 9);
    assert_eq!(totals.dropped(), 9);
    assert_eq!(totals.balance(), 0, "every frame has one fate");
    let per_worker = bed.nic.worker_counters();
    assert_eq!(
        per_worker.iter().map(|t| t.received).collect::<Vec<_>>(),
        [10, 20]
    );
    assert_eq!(
        per_worker.iter().map(|t| t.sent).collect::<Vec<_>>(),
        [5, 10]
    );
    assert_eq!(senders_share.value(NicCounter::Sent), 7);
    // A copy is a copy: it does not go on counting, and what came since is the difference.
    workers[0].counters.add(NicCounter::Received, 1);
    assert_eq!(totals.received, 30);
    let since = bed.nic.counters().since(&totals);
    assert_eq!((since.received, since.sent), (1, 0));
    // What a worker counted stays when it goes, and can be read when the NIC is gone.
    drop(workers);
    drop(sender);
    bed.nic.remove().unwrap();
    assert_eq!(bed.nic.counters().received, 31);
}

#[test]
fn n1_only_what_a_link_took_counts_as_sent() {
    let bed = bed();
    bed.add(prefix("192.0.2.1/24"));
    let route = bed.nic.route(None, ip("255.255.255.255")).unwrap();
    route.write_packet(IpProtocol::UDP, &[1; 10], None).unwrap();
    let mut frame = bed.pool.cache().alloc().unwrap();
    frame.set_data(&[1; 60]).unwrap();
    bed.nic.send(frame).unwrap();
    assert_eq!(
        bed.nic.counters(),
        NicTotals::default(),
        "in the queue, not on the link"
    );
    assert_eq!(bed.sent().len(), 2);
}

#[test]
fn n2_counters_are_the_nics_own() {
    let one = bed_of(NicConfig::new("one").igmp(Some(IgmpVersion::V3)));
    let two = bed_of(NicConfig::new("two").igmp(Some(IgmpVersion::V3)));
    let all_zero = |bed: &Bed| {
        let mut counters = ProtocolCounter::ALL.iter();
        counters.all(|counter| bed.nic.protocol_counter(*counter) == 0)
    };
    assert!(all_zero(&one) && all_zero(&two));
    one.nic.join_group(ip("239.1.2.3")).unwrap();
    let mut worker = one.nic.datapath();
    worker.counters.add(NicCounter::Received, 3);
    assert_eq!(one.nic.protocol_counter(ProtocolCounter::IgmpSent), 1);
    assert_eq!(one.nic.counters().received, 3);
    assert!(all_zero(&two));
    assert_eq!(two.nic.counters(), NicTotals::default());
    // A sum over NICs is a sum of copies.
    let sum = one.nic.counters().plus(&two.nic.counters());
    assert_eq!(sum, one.nic.counters());
    // Each has a name and a description for whoever shows it.
    let mut labels: Vec<_> = ProtocolCounter::ALL.iter().map(|c| c.label()).collect();
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), ProtocolCounter::ALL.len());
    assert!(
        ProtocolCounter::ALL
            .iter()
            .all(|c| c.description().ends_with('.'))
    );
}

#[test]
fn n3_what_a_nic_says_of_itself() {
    let bed = bed_of(NicConfig::new("eth7").disabled());
    assert_eq!((bed.nic.id(), bed.nic.name()), (NicId(1), "eth7"));
    assert_eq!((bed.nic.mac(), bed.nic.mtu()), (MAC, 1500));
    assert!(!bed.nic.is_loopback());
    assert_eq!(bed.nic.protocols(), Protocols::Both);
    let flags = || {
        let nic = &bed.nic;
        (
            nic.is_enabled(),
            nic.is_promiscuous(),
            nic.is_spoofing(),
            nic.is_gone(),
        )
    };
    assert_eq!(flags(), (false, false, false, false));
    bed.nic.enable().unwrap();
    bed.nic.set_promiscuous(true).unwrap();
    assert_eq!(flags(), (true, true, false, false));
    bed.nic.set_promiscuous(false).unwrap();
    bed.nic.set_spoofing(true).unwrap();
    assert_eq!(flags(), (true, false, true, false));
    bed.add(prefix("192.0.2.1/24"));
    assert_eq!(bed.primary(Family::V4), ["192.0.2.1"]);
    bed.nic.disable().unwrap();
    assert_eq!(flags(), (false, false, true, false));
    bed.nic.remove().unwrap();
    assert_eq!(flags(), (false, false, false, true));
    assert_eq!(
        (bed.nic.id(), bed.nic.name(), bed.nic.mtu()),
        (NicId(1), "eth7", 1500)
    );
    let debug = format!("{:?}", bed.nic);
    assert!(debug.contains("eth7"), "{debug}");
    assert!(bed_on(NicConfig::new("lo"), true).nic.is_loopback());
}

/// There is no option that is not a method, nor a value that is not of its type: neither compiles.
#[test]
fn n4_configuration_is_typed() {
    let own = MacAddr([2, 0, 0, 0, 0, 0x42]);
    let config = NicConfig::new("test")
        .mac(own)
        .mtu(1280)
        .protocols(Protocols::V6)
        .ndp(NdpConfig::default())
        .igmp(None)
        .mld(Some(MldVersion::V1))
        .link_local(LinkLocal::None)
        .multicast_loop(true)
        .disabled();
    assert_eq!((config.name(), config.is_enabled()), ("test", false));
    let bed = bed_of(config);
    assert_eq!((bed.nic.mac(), bed.nic.mtu()), (own, 1280));
    assert_eq!(bed.nic.protocols(), Protocols::V6);
    assert!(!bed.nic.is_enabled());
    // A value that is out of bounds is brought within them: the link's MTU is the most there is.
    assert_eq!(bed_of(NicConfig::new("test").mtu(9000)).nic.mtu(), 1500);
    // The hop limit is 64 unless said.
    let bed = self::bed();
    bed.add(prefix("192.0.2.1/24"));
    bed.add(prefix("2001:db8::1/64"));
    for (remote, at) in [("255.255.255.255", 14 + 8), ("ff02::5", 14 + 7)] {
        let route = bed.nic.route(None, ip(remote)).unwrap();
        route.write_packet(IpProtocol::UDP, &[], None).unwrap();
        route.write_packet(IpProtocol::UDP, &[], Some(255)).unwrap();
        let hops: Vec<u8> = bed.sent().iter().map(|frame| frame[at]).collect();
        assert_eq!(hops, [64, 255]);
    }
}

/// Takes every packet and keeps what it was.
#[derive(Default)]
struct Keeper(Vec<(IpProtocol, Vec<u8>, bool)>);

impl Handler for Keeper {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        let is_udp = packet.udp().is_some();
        self.0
            .push((packet.protocol(), packet.payload().to_vec(), is_udp));
    }
}

#[test]
fn n5_a_packet_of_any_transport_goes_to_the_handler() {
    let bed = bed();
    bed.add(ip("192.0.2.1"));
    let protocols = [
        IpProtocol::TCP,
        IpProtocol(132),
        IpProtocol(253),
        IpProtocol(200),
    ];
    let mut worker = bed.nic.datapath();
    let mut packets = PacketBurst::default();
    let mut frames: Vec<Frame> = Vec::new();
    for (n, protocol) in protocols.into_iter().enumerate() {
        let mut frame = bed.pool.cache().alloc().unwrap();
        frame.set_data(&[n as u8; 60]).unwrap();
        frames.push(frame);
        let flags = PacketFlags::default().with(PacketFlags::V4, true);
        let inbound = Inbound {
            frame: n as u8,
            ports: [0; 4],
            protocol,
            flags,
            network: 14,
            transport: 34,
            end: 44,
        };
        packets.push(ip("192.0.2.1").into(), inbound);
    }
    let (view, _) = worker.load();
    view.lookup(&mut packets);
    let mut outbox = Burst::new();
    let mut keeper = Keeper::default();
    keeper.burst(&mut Delivery::new(
        view,
        &mut frames,
        &packets,
        0,
        &mut outbox,
    ));
    let expected = protocols.into_iter().enumerate();
    let expected: Vec<_> = expected
        .map(|(n, protocol)| (protocol, vec![n as u8; 10], false))
        .collect();
    assert_eq!(keeper.0, expected);
}
