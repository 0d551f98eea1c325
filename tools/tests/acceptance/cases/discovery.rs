//! Duplicate address detection against the kernel, and neighbor discovery as the kernel answers it.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use corelane::io::af_packet::{AfPacketConfig, AfPacketLink};
use corelane_lab::kernel::PATIENCE;
use corelane_lab::namespace::Namespace;
use corelane_lab::raw::Raw;
use corelane_tools::sim::frame_text;

use crate::link::Kind;
use crate::outcome::Outcome;
use crate::site::{Host, namespace};
use crate::wire::Wire;

/// The engine gives up an address that the kernel has; the kernel gives up one that the engine has.
pub(crate) fn duplicates(kind: Kind) -> Result<Outcome> {
    let host = Host::start_with(kind, "dad_retransmit_timer = '300ms'\n", &[])?;
    let (up, wire) = (&host.up, &host.wire);
    let ours = wire.engine_v6();
    let seen = |what: &str, holds: &mut dyn FnMut() -> Result<bool>| {
        corelane_lab::eventually(what, PATIENCE, holds)
    };
    seen("the engine's address is nobody else's", &mut || {
        Ok(up.has(&ours))
    })?;

    wire.kernel
        .ip(&format!("addr add fd00:1::77/64 dev {} nodad", wire.device))?;
    up.change("add_address nic=wan address=fd00:1::77/64");
    let told = |log: &str| {
        let mut lines = log.lines();
        lines.any(|line| line.contains("duplicate") && line.contains("fd00:1::77"))
    };
    seen("the engine tells of a duplicate", &mut || {
        Ok(told(&up.log()))
    })
    .with_context(|| up.log())?;
    let addresses = up.column("addresses", "address");
    ensure!(
        !addresses.contains(&"fd00:1::77".to_owned()),
        "it kept it: {addresses:?}"
    );

    wire.kernel
        .ip(&format!("addr add {ours}/64 dev {}", wire.device))?;
    seen("the kernel gives up the engine's address", &mut || {
        let shown = wire
            .kernel
            .ip(&format!("-6 addr show dev {}", wire.device))?;
        Ok(shown
            .lines()
            .any(|line| line.contains(&format!("{ours}/64")) && line.contains("dadfailed")))
    })?;
    ensure!(up.has(&ours), "the engine gave up its own");
    host.end()?;
    Outcome::pass()
}

/// Solicitations, and whether they are answered: the text of the frame behind its Ethernet header, with
/// `TARGET`, `GROUP` (the target's solicited-node group) and `ASKER` to be filled in.
const SOLICITATIONS: &[(&str, bool, &str)] = &[
    (
        "a plain one",
        true,
        "GROUP_MAC / ip6 ASKER > GROUP hop=255 / ns TARGET slla=MAC",
    ),
    (
        "unicast",
        true,
        "UNICAST_MAC / ip6 ASKER > TARGET hop=255 / ns TARGET slla=MAC",
    ),
    (
        "hop limit 254",
        false,
        "GROUP_MAC / ip6 ASKER > GROUP hop=254 / ns TARGET slla=MAC",
    ),
    (
        "code 1",
        false,
        "GROUP_MAC / ip6 ASKER > GROUP hop=255 / ns TARGET slla=MAC code=1",
    ),
    (
        "a bad checksum",
        false,
        "GROUP_MAC / ip6 ASKER > GROUP hop=255 / ns TARGET slla=MAC checksum=0xbad1",
    ),
    (
        "a multicast target",
        false,
        "GROUP_MAC / ip6 ASKER > GROUP hop=255 / ns GROUP slla=MAC",
    ),
    (
        "an option of length 0",
        false,
        "GROUP_MAC / ip6 ASKER > GROUP hop=255 / ns TARGET option=0100010203040506",
    ),
    (
        "an unknown option",
        true,
        "GROUP_MAC / ip6 ASKER > GROUP hop=255 / ns TARGET slla=MAC option=fd01010203040506",
    ),
    (
        "detection",
        true,
        "GROUP_MAC / ip6 :: > GROUP hop=255 / ns TARGET",
    ),
    (
        "detection with a nonce",
        true,
        "GROUP_MAC / ip6 :: > GROUP hop=255 / ns TARGET nonce=3696babfe0a5",
    ),
    (
        "detection with a source link-layer option",
        false,
        "GROUP_MAC / ip6 :: > GROUP hop=255 / ns TARGET slla=MAC",
    ),
    (
        "detection to the unicast address",
        false,
        "UNICAST_MAC / ip6 :: > TARGET hop=255 / ns TARGET",
    ),
    (
        "detection to all nodes",
        false,
        "33:33:00:00:00:01 / ip6 :: > ff02::1 hop=255 / ns TARGET",
    ),
];

/// Who asks.
const MAC: &str = "02:00:00:00:00:99";

/// Whether each solicitation is answered: by the engine, and by the kernel, which is asked the same.
pub(crate) fn solicitations(kind: Kind) -> Result<Outcome> {
    let host = Host::start(kind)?;
    let wire = &host.wire;
    let of_engine = ask(
        &wire.kernel,
        &wire.device,
        &wire.engine_v6(),
        &wire.engine_mac(),
    )?;

    let (asker, kernel) = (namespace("asker")?, namespace("asked")?);
    let wire = Wire::new(None, &asker, &kernel, 1)?;
    wire.up()?;
    let address = wire.engine_v6();
    kernel.ip(&format!(
        "addr add {address}/64 dev {} nodad",
        wire.engine_device
    ))?;
    let shown = kernel.ip(&format!("-o link show {}", wire.engine_device))?;
    let mut words = shown
        .split_whitespace()
        .skip_while(|&word| word != "link/ether");
    let mac = words.nth(1).context("a device without a link address")?;
    let of_kernel = ask(&asker, &wire.device, &address, mac)?;

    for ((name, is_answered, _), (engine, kernel)) in
        SOLICITATIONS.iter().zip(of_engine.iter().zip(&of_kernel))
    {
        ensure!(
            engine.is_some() == *is_answered,
            "{name}: the engine answers {engine:?}"
        );
        ensure!(
            kernel.is_some() == *is_answered,
            "{name}: the kernel answers {kernel:?}"
        );
        ensure!(
            engine == kernel,
            "{name}: the engine answers {engine:?}, the kernel {kernel:?}"
        );
    }
    host.end()?;
    Outcome::pass()
}

/// Asks all of them on a device; the answers, without what is the asked one's own.
fn ask(on: &Namespace, device: &str, target: &str, mac: &str) -> Result<Vec<Option<String>>> {
    let name = device.to_owned();
    let link = on.enter(|| {
        AfPacketLink::new(AfPacketConfig {
            name,
            ..AfPacketConfig::default()
        })
    })?;
    let mut raw = Raw::of(&mut link.map_err(|error| anyhow!("{error}"))?, 1920)?;
    let asker = format!("{}9", target.trim_end_matches(|it| it != ':'));
    let low = target.rsplit(':').next().unwrap_or_default();
    let (group, group_mac) = (
        format!("ff02::1:ff00:{low}"),
        format!("33:33:ff:00:00:{low:0>2}"),
    );
    let mut answers = Vec::new();
    for (name, is_answered, layers) in SOLICITATIONS {
        let text = layers
            .replace("GROUP_MAC", &group_mac)
            .replace("UNICAST_MAC", mac)
            .replace("slla=MAC", &format!("slla={MAC}"))
            .replace("ASKER", &asker)
            .replace("GROUP", &group)
            .replace("TARGET", target);
        let frame = frame_text::build(&format!("eth {MAC} > {text}"));
        let frame = frame.with_context(|| format!("{name}: {text}"))?;
        raw.receive(0)?;
        raw.send(&frame)?;
        let patience = if *is_answered {
            PATIENCE
        } else {
            Duration::from_millis(60)
        };
        let answer = raw.find_within(patience, |frame| {
            let text = frame_text::describe(frame);
            text.contains(&format!("/ na {target} ")).then_some(text)
        })?;
        answers.push(answer.map(|text| text.replace(mac, "ITS_MAC")));
    }
    if answers.is_empty() {
        bail!("nothing was asked");
    }
    Ok(answers)
}
