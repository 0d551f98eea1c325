use super::*;

/// Each is written as it would be described.
const LINES: &[&str] = &[
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 192.0.2.1 / udp 4000 > 7 / \"hello\"",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 192.0.2.1 ttl=1 tos=192 id=7 df / \
     udp 4000 > 7 checksum=0x0000 / 00ff",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 pad=60 / ip4 192.0.2.9 > 192.0.2.1 / udp 1 > 2",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 192.0.2.1 checksum=0xbad1 / \
     echo request id=1 seq=2 / \"a \\\"b\\\" # c\"",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 192.0.2.1 total=99 / icmp 3 code=3 / \
     0000",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 192.0.2.1 mf offset=2 proto=17 / 0102",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip6 2001:db8::9 > 2001:db8::1 hop=9 class=1 flow=5 / \
     udp 4000 > 7 / \"hello\"",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip6 2001:db8::9 > 2001:db8::1 length=99 next=6 / 01",
    "eth 02:00:00:00:00:09 > 33:33:ff:00:00:01 / ip6 :: > ff02::1:ff00:1 hop=255 / ns 2001:db8::1 \
     nonce=010203040506",
    "eth 02:00:00:00:00:09 > 33:33:ff:00:00:01 / ip6 fe80::9 > ff02::1:ff00:1 hop=254 / ns 2001:db8::1 \
     slla=02:00:00:00:00:09 option=fd01000000000000 code=1 checksum=0x1234",
    "eth 02:00:00:00:00:09 > 33:33:ff:00:00:01 / ip6 :: > ff02::1:ff00:1 hop=255 / ns 2001:db8::1 \
     option=0100",
    "eth 02:00:00:00:00:01 > 33:33:00:00:00:01 / ip6 2001:db8::1 > ff02::1 hop=255 / na 2001:db8::1 \
     flags=SO tlla=02:00:00:00:00:01",
    "eth 02:00:00:00:00:01 > 01:00:5e:00:00:16 / ip4 192.0.2.1 > 224.0.0.22 ttl=1 tos=192 alert / \
     igmp3 report to_ex=239.1.2.3 allow=239.1.2.4,192.0.2.5,192.0.2.6",
    "eth 02:00:00:00:00:09 > 01:00:5e:00:00:01 / ip4 192.0.2.9 > 224.0.0.1 ttl=1 alert / igmp3 query \
     any s max=100 qqic=60 source=192.0.2.5",
    "eth 02:00:00:00:00:09 > 01:00:5e:00:00:01 / ip4 192.0.2.9 > 224.0.0.1 ttl=1 options=01010101 / \
     igmp2 query 239.1.2.3 max=10",
    "eth 02:00:00:00:00:09 > 01:00:5e:00:00:01 / ip4 192.0.2.9 > 224.0.0.1 ttl=1 / igmp1 query any",
    "eth 02:00:00:00:00:09 > 01:00:5e:00:00:01 / ip4 192.0.2.9 > 224.0.0.2 ttl=1 / igmp2 leave \
     239.1.2.3 checksum=0x0000",
    "eth 02:00:00:00:00:01 > 33:33:00:00:00:16 / ip6 fe80::1 > ff02::16 hop=1 / alert / mld2 report \
     is_ex=ff02::1:ff00:1 block=ff05::1,2001:db8::5",
    "eth 02:00:00:00:00:09 > 33:33:00:00:00:01 / ip6 fe80::9 > ff02::1 hop=1 / alert / mld2 query any \
     max=1000",
    "eth 02:00:00:00:00:09 > 33:33:00:00:00:01 / ip6 fe80::9 > ff02::1 hop=1 / alert value=1 / mld1 \
     query ff05::1 max=1000",
    "eth 02:00:00:00:00:09 > 33:33:00:00:00:02 / ip6 fe80::9 > ff02::2 hop=1 / alert / mld1 done ff05::1",
    "eth 02:00:00:00:00:09 > ff:ff:ff:ff:ff:ff / arp request 02:00:00:00:00:09 192.0.2.9 > \
     00:00:00:00:00:00 192.0.2.1",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.1 > 192.0.2.9 tos=192 / unreachable port / ip4 192.0.2.9 > 192.0.2.1 / udp 4000 > 9 / \"hello\"",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.1 > 192.0.2.9 / unreachable too-big mtu=1400 / ip4 192.0.2.9 > 198.51.100.2 df total=1428 / udp 4000 > 9 length=1408 checksum=0x1234 / \"hello\"",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.1 > 192.0.2.9 / unreachable 5 checksum=0xbad1",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.1 > 192.0.2.9 / exceeded hops / ip4 192.0.2.9 > 198.51.100.2 ttl=1 / echo request id=1 seq=2 / \"ping\"",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.1 > 192.0.2.9 / exceeded reassembly / ip4 192.0.2.9 > 192.0.2.1 id=7 mf proto=17 / 0fa00007",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.1 > 192.0.2.9 / problem pointer=21 / ip4 192.0.2.9 > 192.0.2.1 options=07010000 / udp 4000 > 9",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.1 > 192.0.2.9 / exceeded hops / ip4 192.0.2.9 > 198.51.100.2 / icmp 3 code=3 / 0000000001020304",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.1 > 192.0.2.9 / unreachable host / 01020304",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 192.0.2.1 id=7 offset=185 proto=17 / \"the end\"",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip6 2001:db8::1 > 2001:db8::9 / unreachable no-route / ip6 2001:db8::9 > 2001:db8:1::2 / udp 4000 > 9 / \"hello\"",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip6 2001:db8::1 > 2001:db8::9 / too-big mtu=1280 / ip6 2001:db8::9 > 2001:db8:1::2 length=1400 next=17 / 0fa0",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip6 2001:db8::1 > 2001:db8::9 / exceeded hops / ip6 2001:db8::9 > 2001:db8:1::2 hop=1 / echo request id=1 / \"ping\"",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip6 2001:db8::1 > 2001:db8::9 / problem pointer=42 code=2 / ip6 2001:db8::9 > 2001:db8::1 / dstopts option=820400000000 / udp 4000 > 9",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip6 2001:db8::9 > 2001:db8::1 / hopopts option=05020000 option=1e0100 / dstopts / routing 0 left=1 data=0000000020010db8000000000000000000000007 / fragment id=7 / dstopts option=00 option=3e0109 / udp 4000 > 7 / \"hello\"",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip6 2001:db8::9 > 2001:db8::1 / hopopts option=00 option=00 option=00 option=00 option=00 next=0",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip6 2001:db8::9 > 2001:db8::1 / routing 4 / echo request / \"ping\"",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip6 2001:db8::9 > 2001:db8::1 / fragment id=305419896 mf next=17 / 0fa0000700100000",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip6 2001:db8::9 > 2001:db8::1 / dstopts / fragment id=7 offset=2 next=17 / \"the end\"",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip6 2001:db8::9 > 2001:db8::1 / dstopts next=59",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / arp reply 02:00:00:00:00:09 192.0.2.9 > \
     02:00:00:00:00:01 192.0.2.1",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 192.0.2.1 / tcp 4000 > 80 flags=S \
     seq=7 window=65535 options=020405b4",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip6 2001:db8::9 > 2001:db8::1 / tcp 80 > 4000 flags=RA \
     ack=8 urgent=1 reserved=1 checksum=0x1234 / \"x\"",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 192.0.2.1 / udp 4000 > 7 / fill 1400",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 192.0.2.1 mf proto=17 / 0fa00007 / \
     fill 32 from=9 step=255",
    "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 192.0.2.1 mf proto=17 / fill 99 from=7 \
     step=0",
    "eth 02:00:00:00:00:09 > ff:ff:ff:ff:ff:ff type=0x0800 / \"x\"",
    "eth 02:00:00:00:00:09 > ff:ff:ff:ff:ff:ff / \"x\"",
    "010203",
];

#[test]
fn frames_are_described_as_they_are_written() {
    for line in LINES {
        let frame = build(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(describe(&frame), *line);
    }
}

#[test]
fn checksums_and_lengths_are_right() {
    use corelane::wire::{parse_ethernet, parse_ipv4, parse_ipv6, parse_udp};
    let frame = build(LINES[0]).unwrap();
    let packet = parse_ipv4(parse_ethernet(&frame).unwrap().payload).unwrap();
    let datagram = parse_udp(packet.payload).unwrap();
    assert_eq!(datagram.payload, b"hello");
    let verified = datagram.verify_checksum_ipv4(packet.source(), packet.destination());
    verified.unwrap();
    let frame = build(LINES[6]).unwrap();
    let packet = parse_ipv6(parse_ethernet(&frame).unwrap().payload).unwrap();
    let datagram = parse_udp(packet.payload).unwrap();
    let (source, destination) = (packet.header.source(), packet.header.destination());
    datagram.verify_checksum_ipv6(source, destination).unwrap();
}

#[test]
fn the_stack_reads_what_is_written() {
    use corelane::wire::{
        ExtensionEnd, ExtensionWalk, Icmpv4Problem, Icmpv6Problem, IpProtocol, parse_ethernet,
        parse_icmp_error_ipv4, parse_icmp_error_ipv6, parse_icmpv4, parse_icmpv6, parse_ipv4,
        parse_ipv6,
    };
    let frame = build(
        "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 192.0.2.1 / \
                       problem pointer=21 / ip4 192.0.2.1 > 192.0.2.9 / udp 7 > 9",
    );
    let frame = frame.unwrap();
    let packet = parse_ipv4(parse_ethernet(&frame).unwrap().payload).unwrap();
    let message = parse_icmpv4(packet.payload).unwrap();
    let (problem, quoted) = parse_icmp_error_ipv4(&message).unwrap();
    let want = Icmpv4Problem::ParameterProblem {
        code: 0,
        pointer: 21,
    };
    assert_eq!(problem, want);
    assert_eq!(quoted.ports.map(|ports| ports.destination), Some(9));

    let frame = build(
        "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip6 2001:db8::9 > 2001:db8::1 / \
                       too-big mtu=1280 / ip6 2001:db8::1 > 2001:db8::9 / fragment mf / udp 7 > 9",
    );
    let frame = frame.unwrap();
    let packet = parse_ipv6(parse_ethernet(&frame).unwrap().payload).unwrap();
    let (source, destination) = (packet.source(), packet.destination());
    let message = parse_icmpv6(packet.payload, source, destination).unwrap();
    let (problem, quoted) = parse_icmp_error_ipv6(&message).unwrap();
    assert_eq!(problem, Icmpv6Problem::PacketTooBig { mtu: 1280 });
    assert_eq!(quoted.ports.map(|ports| ports.destination), Some(9));

    let frame = build(
        "eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip6 2001:db8::9 > 2001:db8::1 / \
                       hopopts option=1e0100 / dstopts / routing 0 / fragment / udp 7 > 9",
    );
    let frame = frame.unwrap();
    let packet = parse_ipv6(parse_ethernet(&frame).unwrap().payload).unwrap();
    let Ok(ExtensionEnd::UpperLayer(upper)) = ExtensionWalk::new(&packet).end() else {
        panic!("no upper layer");
    };
    assert_eq!((upper.protocol, upper.payload.len()), (IpProtocol::UDP, 8));
}

#[test]
fn what_the_rules_do_not_make_is_written_as_bytes() {
    // Bytes that are not zero behind the packet.
    let mut frame = build(LINES[0]).unwrap();
    frame.push(1);
    assert_eq!(build(&describe(&frame)).unwrap(), frame);
    assert!(!describe(&frame).contains(' '), "{}", describe(&frame));
}

#[test]
fn any_frame_survives() {
    // Every prefix, and every byte changed, of every frame.
    for line in LINES {
        let frame = build(line).unwrap();
        for len in 1..frame.len() {
            let cut = &frame[..len];
            assert_eq!(build(&describe(cut)).unwrap(), cut, "{line} cut to {len}");
        }
        for at in 0..frame.len() {
            for flip in [1, 0x80, 0xff] {
                let mut changed = frame.clone();
                changed[at] ^= flip;
                let text = describe(&changed);
                assert_eq!(build(&text).unwrap(), changed, "{line}, byte {at}: {text}");
            }
        }
    }
}

#[test]
fn texts_of_frames() {
    let text = "# a comment\n\n0s  010203 # another\n1.5s \"x#y\"\n";
    let frames = parse_frames(text).unwrap();
    assert_eq!(frames.len(), 2);
    assert_eq!(
        (frames[1].at_ns, &frames[1].frame[..]),
        (1_500_000_000, &b"x#y"[..])
    );
    assert_eq!(parse_frames(&write_frames(&frames)).unwrap(), frames);
    let late = TimedFrame {
        at_ns: 1_234_567_890_123_456_789,
        frame: vec![1],
    };
    assert_eq!(
        write_frames(std::slice::from_ref(&late)),
        "1234567890.123456789s 01\n"
    );
    assert_eq!(
        parse_frames(&write_frames(std::slice::from_ref(&late))).unwrap(),
        [late]
    );
    for (text, ns) in [
        ("1s", 1_000_000_000),
        ("0.5s", 500_000_000),
        ("5us", 5000),
        ("2", 2_000_000_000),
    ] {
        assert_eq!(nanoseconds(text), Ok(ns), "{text}");
    }
    for (text, error) in [
        ("0s", "line 1: a time and a frame are wanted"),
        ("\nx 01", "line 2: 'x' is not a time"),
        (
            "0s 012",
            "line 1: '012' is neither a layer nor hexadecimal bytes",
        ),
        (
            "0s eth x > y",
            "line 1: eth: 'x' where a link address is wanted",
        ),
        (
            "0s ip4 192.0.2.1 192.0.2.2",
            "line 1: ip4: '192.0.2.2' where > is wanted",
        ),
        (
            "0s ip4 192.0.2.1 > 192.0.2.2 hop=1",
            "line 1: ip4: 'hop=1' does not belong here",
        ),
        (
            "0s ip4 192.0.2.1 > 192.0.2.2 ttl=256",
            "line 1: ip4: ttl=256",
        ),
        (
            "0s unreachable nowhere",
            "line 1: unreachable: 'nowhere' is neither a number nor one of net, host, protocol, port, \
             too-big, prohibited",
        ),
        ("0s too-big", "line 1: too-big: only in ip6"),
        ("0s problem pointer=256", "line 1: problem: pointer=256"),
        (
            "0s exceeded hops mtu=1",
            "line 1: exceeded: 'mtu=1' does not belong here",
        ),
        ("0s \"x", "line 1: a quote is not closed"),
        ("0s na :: flags=X", "line 1: flag 'X' is not R, S or O"),
    ] {
        let said = parse_frames(text).unwrap_err().to_string();
        assert!(said.starts_with(error), "{said}");
    }
}
