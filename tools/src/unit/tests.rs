use std::time::Duration;

use super::*;

fn message<T: std::fmt::Debug>(result: Result<T, ValueError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn rates_are_written_as_they_are_read() {
    for (rate, text) in [
        (Rate::Max, "max"),
        (Rate::Pps(5e6), "5Mpps"),
        (Rate::Pps(12_345_000.0), "12.345Mpps"),
        (Rate::Pps(12_345_678.0), "12345.678kpps"),
        (Rate::Pps(1234.5), "1234.5pps"),
        (Rate::Pps(0.5), "0.5pps"),
        (Rate::Bps(2.5e9), "2.5gbps"),
        (Rate::Bps(64e3), "64kbps"),
        (Rate::Percent(50.0), "50%"),
    ] {
        assert_eq!(rate.to_string(), text);
        assert_eq!(text.parse(), Ok(rate), "{text}");
    }
}

#[test]
fn rates_as_people_write_them() {
    for (text, rate) in [
        ("max", Rate::Max),
        ("MAX", Rate::Max),
        ("5mpps", Rate::Pps(5e6)),
        ("5Mpps", Rate::Pps(5e6)),
        ("5 Mpps", Rate::Pps(5e6)),
        ("200kpps", Rate::Pps(2e5)),
        ("1_000_000", Rate::Pps(1e6)),
        ("1e6", Rate::Pps(1e6)),
        ("1.5e6pps", Rate::Pps(1.5e6)),
        ("2.5gbps", Rate::Bps(2.5e9)),
        ("10g", Rate::Bps(1e10)),
        ("10G", Rate::Bps(1e10)),
        ("100Mbit/s", Rate::Bps(1e8)),
        ("50%", Rate::Percent(50.0)),
        ("0.5%", Rate::Percent(0.5)),
    ] {
        assert_eq!(text.parse(), Ok(rate), "{text}");
    }
}

#[test]
fn a_bit_rate_becomes_frames_by_their_size_on_the_wire() {
    // The well-known limits of a 10 Gbit/s link.
    assert_eq!(
        Rate::Bps(1e10).pps(64.0, 0.0).unwrap().floor(),
        14_880_952.0
    );
    assert_eq!(Rate::Bps(1e10).pps(1518.0, 0.0).unwrap().floor(), 812_743.0);
    assert_eq!(Rate::Percent(50.0).pps(64.0, 8e6), Some(4e6));
    assert_eq!(Rate::Max.pps(64.0, 8e6), None);
}

#[test]
fn refused_rates_say_what_would_do() {
    const FORMS: &str = "is not a rate: max, frames per second (5Mpps, 200kpps, 1_000_000), bits per \
                         second (2.5gbps, 10g) or a share of max (50%)";
    for (text, nearest) in [
        ("mx", "max"),
        ("fast", "1Mpps"),
        ("5mpp", "5Mpps"),
        ("5mpsp", "5Mpps"),
        ("2.5gbs", "2.5gbps"),
        ("7 parsecs", "7pps"),
        ("-1", "1Mpps"),
        ("0", "1pps"),
        ("0%", "1%"),
        ("2000%", "1000%"),
        ("1.2.3", "1Mpps"),
        ("", "1Mpps"),
    ] {
        let want = format!("'{text}' {FORMS}; did you mean '{nearest}'?");
        assert_eq!(message(text.parse::<Rate>()), want, "{text}");
    }
    assert_eq!(
        message("5m".parse::<Rate>()),
        "'5m' may be frames or bits per second: write 5mpps or 5mbps; did you mean '5mpps'?"
    );
    assert_eq!(
        message("1e300".parse::<Rate>()),
        "'1e300' is more than a thousand million frames per second; did you mean 'max'?"
    );
}

#[test]
fn times() {
    let any = Duration::ZERO..=Duration::from_secs(86_400);
    for (text, ms) in [
        ("10s", 10_000),
        ("100ms", 100),
        ("10", 10_000),
        ("0.2", 200),
        ("2m", 120_000),
        ("2min", 120_000),
        ("1h", 3_600_000),
        ("1_500ms", 1_500),
        ("0s", 0),
    ] {
        assert_eq!(
            duration(text, any.clone()),
            Ok(Duration::from_millis(ms)),
            "{text}"
        );
    }
    assert_eq!(
        duration("250us", any.clone()),
        Ok(Duration::from_micros(250))
    );
    assert_eq!(
        duration("250µs", any.clone()),
        Ok(Duration::from_micros(250))
    );
    const FORMS: &str = "is not a time: a number with ns, us, ms, s, min or h, from 10ms to 24h";
    let range = Duration::from_millis(10)..=Duration::from_secs(86_400);
    for (text, nearest) in [
        ("10x", "10s"),
        ("ten", "1s"),
        ("-5s", "10ms"),
        ("1ms", "10ms"),
        ("25h", "24h"),
        ("1e300h", "24h"),
    ] {
        let want = format!("'{text}' {FORMS}; did you mean '{nearest}'?");
        assert_eq!(message(duration(text, range.clone())), want, "{text}");
    }
}

#[test]
fn counts() {
    let parse = |text| count(text, "a number of endpoints", 1..=10_000_000);
    for (text, value) in [
        ("1", 1),
        ("1_000_000", 1_000_000),
        ("64k", 64_000),
        ("1m", 1_000_000),
        ("1M", 1_000_000),
        ("0.5m", 500_000),
        ("1e6", 1_000_000),
    ] {
        assert_eq!(parse(text), Ok(value), "{text}");
    }
    for (text, nearest) in [
        ("0", "1"),
        ("-3", "1"),
        ("10_000_001", "10000000"),
        ("1g", "10000000"),
        ("99999999999999999999", "10000000"),
        ("1.5", "2"),
        ("12x", "12"),
        ("many", "1"),
        ("", "1"),
        ("+5", "1"),
    ] {
        let want = format!(
            "'{text}' is not a number of endpoints: a whole number from 1 to 10000000; did you \
             mean '{nearest}'?"
        );
        assert_eq!(message(parse(text)), want, "{text}");
    }
    assert_eq!(
        count("18446744073709551615", "a seed", 0..=u64::MAX),
        Ok(u64::MAX)
    );
}

#[test]
fn frame_sizes() {
    assert_eq!("64".parse(), Ok(FrameSize::Fixed(64)));
    assert_eq!("1518".parse(), Ok(FrameSize::Fixed(1518)));
    let imix: FrameSize = "IMIX".parse().unwrap();
    assert_eq!(imix, "imix:simple".parse().unwrap());
    for (text, nearest) in [
        ("imx", "imix"),
        ("mix", "imix"),
        ("63", "64"),
        ("65536", "9218"),
        ("huge", "64"),
        ("tolli", "tolly"),
    ] {
        assert_eq!(
            message(text.parse::<FrameSize>()),
            format!(
                "'{text}' is not a frame size: bytes from 64 to 9218, a mix (imix, trex, csit, csit-v6, \
                 tolly, rpr-tri, rpr-quad, rfc2544) or genome:LETTERS; did you mean '{nearest}'?"
            )
        );
    }
}

/// The mean size of a mix.
fn mean(text: &str) -> f64 {
    let size: FrameSize = text.parse().unwrap();
    assert_eq!(size.to_string().parse(), Ok(size), "{text}");
    let (bytes, frames) = size.parts().fold((0, 0), |(bytes, frames), (size, n)| {
        (
            bytes + u32::from(size) * u32::from(n),
            frames + u32::from(n),
        )
    });
    f64::from(bytes) / f64::from(frames)
}

#[test]
fn mixes_have_the_published_means() {
    for (mix, published) in [
        ("imix", 353.8),
        ("trex", 361.8),
        ("csit", 353.8),
        ("csit-v6", 362.0),
        ("tolly", 486.2),
        ("rpr-tri", 444.4),
        ("rpr-quad", 2180.1),
        ("rfc2544", 683.1),
        ("genome:7a4dg", 334.5),
        ("genome:aaabbg", 327.7),
        ("genome:i", 9000.0),
    ] {
        assert!((mean(mix) - published).abs() < 0.06, "{mix}: {}", mean(mix));
    }
    let genome: FrameSize = "genome:aAa2b".parse().unwrap();
    assert_eq!(genome.to_string(), "genome:3a2b");
    assert_eq!(genome.parts().collect::<Vec<_>>(), [(64, 3), (128, 2)]);
    for wrong in [
        "genome:",
        "genome:7",
        "genome:0a",
        "genome:1001a",
        "genome:aj",
        "genome:3q",
    ] {
        let message = message(wrong.parse::<FrameSize>());
        assert!(message.contains("is not a genome"), "{message}");
    }
    let long = format!("genome:{}", "ab".repeat(20));
    assert!(message(long.parse::<FrameSize>()).contains("up to 32 runs: it has 40"));
}

#[test]
fn protocols_with_their_parts() {
    let mix: Protocols = "udp:90,TCP-SYN:10".parse().unwrap();
    assert_eq!(mix.to_string(), "udp:90,tcp-syn:10");
    assert_eq!("udp".parse(), Ok(Protocols::UDP));
    assert_eq!(Protocols::UDP.to_string(), "udp");
    for (text, nearest) in [
        ("udb", "udp"),
        ("tcp-sin", "tcp-syn"),
        ("udp:0", "udp:1"),
        ("udp,udp", "udp"),
        ("", "udp"),
    ] {
        let message = message(text.parse::<Protocols>());
        assert!(
            message.ends_with(&format!("did you mean '{nearest}'?")),
            "{message}"
        );
    }
}

#[test]
fn protocols_of_packets() {
    use Protocol::{IcmpEcho, TcpSyn, Udp};
    let of = |parts: &[(Protocol, usize)]| {
        let packets = parts
            .iter()
            .flat_map(|(protocol, n)| std::iter::repeat_n(*protocol, *n));
        Protocols::of(packets).map(|mix| mix.to_string())
    };
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[(TcpSyn, 3)]).as_deref(), Some("tcp-syn"));
    let mix = of(&[(Udp, 9_999), (IcmpEcho, 1)]);
    assert_eq!(mix.as_deref(), Some("udp:1000,icmp-echo:1"));
    let mix = of(&[(TcpSyn, 1), (Udp, 3)]);
    assert_eq!(mix.as_deref(), Some("udp:750,tcp-syn:250"));
}

#[test]
fn targets() {
    let slo: Slo = "p99<50us, loss=0,rate>=1.5Mpps".parse().unwrap();
    let goals: Vec<_> = slo
        .goals()
        .iter()
        .map(|goal| (goal.metric, goal.order, goal.bound))
        .collect();
    assert_eq!(
        goals,
        [
            (Metric::Latency(990_000), Order::Less, 50_000.0),
            (Metric::Loss, Order::Equal, 0.0),
            (Metric::Rate, Order::AtLeast, 1.5e6),
        ]
    );
    assert!(slo.needs_latency());
    assert!(!"loss<=0.1%".parse::<Slo>().unwrap().needs_latency());
    for (text, nearest) in [
        ("p99", "p99<50us"),
        ("p98<1ms", "p90<1ms"),
        ("p99<1 parsec", "p99<1s"),
        ("p99<50", "p99<50us"),
        ("loss<2", "loss<2%"),
        ("rate>1g", "rate>1Mpps"),
        ("", "p99<50us"),
    ] {
        let message = message(text.parse::<Slo>());
        assert!(
            message.ends_with(&format!("did you mean '{nearest}'?")),
            "{message}"
        );
    }
}

#[test]
fn targets_of_a_search() {
    let slo = Slo::of_search("ndr>=10Mpps, p99<50us,P2 > 1kpps").unwrap();
    let goals: Vec<_> = slo
        .goals()
        .iter()
        .map(|goal| (goal.metric, goal.word.as_str(), goal.bound))
        .collect();
    assert_eq!(
        goals,
        [
            (Metric::Found, "ndr", 1e7),
            (Metric::Latency(990_000), "p99", 50_000.0),
            (Metric::Found, "p2", 1e3),
        ]
    );
    for (text, nearest) in [
        ("loss=0", "ndr>=10Mpps"),
        ("rate>1Mpps", "ndr>1Mpps"),
        ("ndr>50%", "ndr>1Mpps"),
        (">1Mpps", "ndr>1Mpps"),
    ] {
        let message = message(Slo::of_search(text));
        assert!(
            message.ends_with(&format!("did you mean '{nearest}'?")),
            "{message}"
        );
    }
}

#[test]
fn checks() {
    assert_eq!("Full".parse(), Ok(Check::Full));
    assert_eq!(
        message("ordr".parse::<Check>()),
        "'ordr' is not a check: off, order or full; did you mean 'order'?"
    );
}

#[test]
fn words_with_numbers() {
    assert_eq!("cbr".parse(), Ok(Arrival::Cbr));
    assert_eq!("Poisson".parse(), Ok(Arrival::Poisson));
    assert_eq!("burst:64".parse(), Ok(Arrival::Burst(64)));
    // As a report has it, it is the same again.
    for text in ["onoff:1500ns:1ms", "onoff:2us:0s", "onoff:90s:1500ms"] {
        let arrival: Arrival = text.parse().unwrap();
        assert_eq!(arrival.to_string(), text);
    }
    for (text, nearest) in [
        ("posson", "poisson"),
        ("burst", "burst:32"),
        ("burst:0", "burst:1"),
        ("burst:x", "burst:1"),
        ("xyz", "cbr"),
    ] {
        let message = message(text.parse::<Arrival>());
        assert!(
            message.ends_with(&format!("did you mean '{nearest}'?")),
            "{message}"
        );
    }
    assert_eq!("uniform".parse(), Ok(Destinations::Uniform));
    assert_eq!("zipf:0.99".parse(), Ok(Destinations::Zipf(0.99)));
    assert_eq!("one".parse(), Ok(Destinations::One));
    assert_eq!("sequential".parse(), Ok(Destinations::Sequential));
    let hot = Destinations::Hot {
        set: 16,
        frames: 1000,
    };
    assert_eq!("hot:16:1k".parse(), Ok(hot));
    assert_eq!(hot.to_string(), "hot:16:1000");
    for (text, nearest) in [
        ("unifrom", "uniform"),
        ("zipf", "zipf:1"),
        ("zipf:0", "zipf:1"),
        ("zipf:11", "zipf:10"),
        ("zipf:nan", "zipf:1"),
        ("all", "uniform"),
    ] {
        let message = message(text.parse::<Destinations>());
        assert!(
            message.ends_with(&format!("did you mean '{nearest}'?")),
            "{message}"
        );
    }
    assert_eq!("ipv6".parse(), Ok(Family::V6));
    assert_eq!(
        message("v5".parse::<Family>()),
        "'v5' is not a family: v4, v6 or mixed; did you mean 'v4'?"
    );
}

#[test]
fn shares() {
    assert_eq!(ratio("0"), Ok(0.0));
    assert_eq!(ratio("1"), Ok(1.0));
    assert_eq!(ratio("25%"), Ok(0.25));
    for (text, nearest) in [("50", "50%"), ("-1", "0"), ("200%", "1"), ("half", "1")] {
        assert_eq!(
            message(ratio(text)),
            format!(
                "'{text}' is not a share: a number from 0 to 1, or from 0% to 100%; did you mean \
                 '{nearest}'?"
            )
        );
    }
}

#[test]
fn lists_of_cores() {
    let cores = |text: &str| text.parse::<CoreList>().map(|list| list.cores().to_vec());
    assert_eq!(cores("1,3-5"), Ok(vec![1, 3, 4, 5]));
    assert_eq!(cores("0"), Ok(vec![0]));
    for (text, nearest) in [
        ("1,1", "1"),
        ("5-3", "0"),
        ("a", "0"),
        ("", "0"),
        ("2,", "2"),
        ("0-4000000000", "0"),
        ("+1", "0"),
    ] {
        assert_eq!(
            message(cores(text)),
            format!(
                "'{text}' is not a list of cores: numbers and ranges, such as 1,3-5, none twice; \
                 did you mean '{nearest}'?"
            )
        );
    }
}

#[test]
fn speeds() {
    assert_eq!("max".parse(), Ok(Speed::Max));
    assert_eq!("1".parse(), Ok(Speed::Times(1.0)));
    assert_eq!("10x".parse(), Ok(Speed::Times(10.0)));
    for (text, nearest) in [
        ("0", "1"),
        ("fast", "1"),
        ("mxa", "max"),
        ("2y", "2"),
        ("-1", "1"),
    ] {
        let message = message(text.parse::<Speed>());
        assert!(
            message.ends_with(&format!("did you mean '{nearest}'?")),
            "{message}"
        );
    }
}

#[test]
fn the_nearest_word() {
    assert_eq!(nearest("unifrom", ["one", "uniform"]), Some("uniform"));
    assert_eq!(
        nearest("--wokers", ["--workers", "--warmup"]),
        Some("--workers")
    );
    assert_eq!(nearest("bench", ["bench"]), Some("bench"));
    assert_eq!(nearest("xyz", ["uniform", "one"]), None);
    assert_eq!(nearest("", ["one"]), None);
    assert_eq!(nearest("x", []), None);
}
