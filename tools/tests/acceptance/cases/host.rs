//! The engine as a host, asked by stock tools.

use std::io::ErrorKind;
use std::net::{IpAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use corelane_lab::echo::{Client, udp};
use corelane_lab::kernel::PATIENCE;
use corelane_lab::process::said;

use crate::books::{snmp, snmp6};
use crate::link::Kind;
use crate::outcome::{Outcome, is_long};
use crate::site::{ECHO, Host};
use crate::wire::SOON;

/// The largest payload of an echo request, of either family.
const LARGEST: usize = 65_507;

/// Frames lost by the engine and by the devices at both ends.
fn lost_so_far(host: &Host) -> Result<u64> {
    let wire = &host.wire;
    let unsent =
        [Some(wire.counts()?), wire.engine_counts()?].map(|it| it.map_or(0, |it| it.send_dropped));
    Ok(host.balance()?.lost() + unsent.iter().sum::<u64>())
}

/// `ping -f`, a bounded number of them: none is lost.
pub(crate) fn flood_ping(kind: Kind) -> Result<Outcome> {
    const COUNT: u32 = 2000;
    let host = Host::start(kind)?;
    // What the engine said of itself before the wire was up.
    let before = lost_so_far(&host)?;
    for address in host.wire.engine_addresses() {
        // With a limit of time it waits for as many answers; on a busy machine it sends some more meanwhile.
        let line = format!("ping -f -q -c {COUNT} -w 30 {address}");
        let said = host.kernel().succeed(&line, Duration::from_secs(60))?;
        ensure!(said.contains(&format!(" {COUNT} received")), "{said}");
    }
    let lost = lost_so_far(&host)? - before;
    ensure!(lost == 0, "{lost} frames were lost");
    host.end()?;
    Outcome::pass()
}

/// Of all sizes: the largest go in fragments, and come back so.
pub(crate) fn ping_sizes(kind: Kind) -> Result<Outcome> {
    const SIZES: &[usize] = &[
        0, 1, 8, 56, 1452, 1453, 1472, 1473, 2953, 8192, 30_000, LARGEST,
    ];
    let host = Host::start(kind)?;
    for (address, whole) in host.wire.engine_addresses().iter().zip([1472, 1452]) {
        let counts = || -> Result<[u64; 2]> {
            let kernel = host.kernel();
            Ok(if whole == 1472 {
                [
                    snmp(kernel, "Ip", "FragOKs")?,
                    snmp(kernel, "Ip", "ReasmOKs")?,
                ]
            } else {
                [snmp6(kernel, "Ip6FragOKs")?, snmp6(kernel, "Ip6ReasmOKs")?]
            })
        };
        for &size in SIZES {
            let before = counts()?;
            let line = format!("ping -q -c 1 -W 3 -s {size} {address}");
            let said = host.kernel().succeed(&line, SOON)?;
            ensure!(said.contains(" 1 received"), "{size} bytes: {said}");
            // Both cut it, and both put it together.
            let more = counts()?
                .into_iter()
                .zip(before)
                .map(|(after, before)| after - before);
            let wanted = [u64::from(size > whole); 2];
            ensure!(
                more.eq(wanted),
                "{size} bytes: cut and put together: not {wanted:?}"
            );
        }
    }
    host.end()?;
    Outcome::pass()
}

/// A UDP echo of every payload size; in a short run, of every size up to two packets and of a step apart
/// beyond.
pub(crate) fn udp_echo_sizes(kind: Kind) -> Result<Outcome> {
    let host = Host::start(kind)?;
    let step = if is_long() { 1 } else { 331 };
    let sizes = || {
        (0..3000)
            .chain((3000..LARGEST).step_by(step))
            .chain([LARGEST])
    };
    let payload: Vec<u8> = (0..LARGEST).map(|at| (at * 7 + at / 256) as u8).collect();
    for address in host.wire.engine_addresses() {
        let to = (address.parse::<IpAddr>()?, ECHO).into();
        let client = host.kernel().enter(|| Client::new(to))??;
        for size in sizes() {
            client
                .echo(&payload[..size])
                .with_context(|| format!("{size} bytes to {address}"))?;
        }
    }
    host.end()?;
    Outcome::pass_with(format!("{} sizes", sizes().count()))
}

/// Who has the address, asked by `arping` and `ndisc6`; that there is no router is not told.
pub(crate) fn who_has(kind: Kind) -> Result<Outcome> {
    let host = Host::start(kind)?;
    let (wire, kernel) = (&host.wire, host.kernel());
    let device = &wire.device;
    let mac = wire.engine_mac();
    let arping = format!("arping -c 2 -w 3 -I {device} {}", wire.engine_v4());
    let said = kernel.succeed(&arping, SOON)?;
    ensure!(
        said.contains("Received 2 response") && said.to_lowercase().contains(&mac),
        "{said}"
    );
    let ndisc = format!("ndisc6 -m -r 1 -w 1000 {} {device}", wire.engine_v6());
    let said = kernel.succeed(&ndisc, SOON)?;
    ensure!(said.to_lowercase().contains(&mac), "{said}");
    let rdisc = kernel.run(&format!("rdisc6 -r 1 -w 300 {device}"), SOON)?;
    let said = corelane_lab::process::said(&rdisc);
    ensure!(said.contains("No response"), "{said}");
    host.end()?;
    Outcome::pass()
}

/// A port that nobody has: the sender is told, by ICMP for UDP and by a reset for TCP.
pub(crate) fn closed_ports(kind: Kind) -> Result<Outcome> {
    let host = Host::start(kind)?;
    for (address, any) in host.wire.engine_addresses().iter().zip(["0.0.0.0", "::"]) {
        let (to, any): (IpAddr, IpAddr) = (address.parse()?, any.parse()?);
        let told = host.kernel().enter(|| -> Result<_> {
            let socket = udp(any)?;
            socket.connect((to, 9))?;
            socket.send(b"anybody?")?;
            let told = socket.recv(&mut [0; 8]).map_err(|error| error.kind());
            let reset = TcpStream::connect_timeout(&(to, 81).into(), PATIENCE);
            Ok([
                told.map(drop),
                reset.map(drop).map_err(|error| error.kind()),
            ])
        })??;
        ensure!(
            told == [Err(ErrorKind::ConnectionRefused); 2],
            "{to}: {told:?}"
        );
    }
    let unreachable = [
        snmp(host.kernel(), "Icmp", "InDestUnreachs")?,
        snmp6(host.kernel(), "Icmp6InDestUnreachs")?,
    ];
    ensure!(unreachable == [1, 1], "port unreachable: {unreachable:?}");
    host.end()?;
    Outcome::pass()
}

/// `nmap` and `hping3`, bounded: the host goes on, and answers within the limit on ICMP errors.
pub(crate) fn scans(kind: Kind) -> Result<Outcome> {
    const RATE: u64 = 100;
    const BURST: u64 = 10;
    let top = format!("dad_transmits = 0\nicmp_rate = {RATE}\nicmp_burst = {BURST}\n");
    let host = Host::start_with(kind, &top, &[])?;
    let [v4, v6] = host.wire.engine_addresses();
    let bounded = "-n -Pn -T5 --max-retries 0 --host-timeout 4s";
    let begin = std::time::Instant::now();
    for line in [
        format!("nmap -sU -p 1-150 {bounded} {v4}"),
        format!("nmap -sO {bounded} {v4}"),
        format!("nmap -6 -sU -p 1-150 {bounded} {v6}"),
        format!("nmap -6 -sS -p 1-300 {bounded} {v6}"),
        format!("hping3 -q -2 -p ++1 -i u200 -c 2000 {v4}"),
        format!("hping3 -q -S -p ++1 -i u200 -c 2000 {v4}"),
        format!("hping3 -q -1 -d 1200 -f -i u1000 -c 200 {v4}"),
        // Those of nobody, and a header of nothing.
        format!("hping3 -q -0 -H 253 -i u500 -c 300 {v4}"),
        format!("hping3 -q -2 -p 9 -o 0 -O 3 -i u500 -c 300 {v4}"),
    ] {
        // It says by its status what was lost: an answer beyond the limit is.
        let output = host.kernel().run(&line, Duration::from_secs(20))?;
        ensure!(
            output.status.code().is_some_and(|code| code <= 1),
            "{line}: {}",
            said(&output)
        );
    }
    let passed = begin.elapsed();
    let answered = [
        snmp(host.kernel(), "Icmp", "InDestUnreachs")?,
        snmp6(host.kernel(), "Icmp6InDestUnreachs")?,
    ];
    let answers: u64 = answered.iter().sum();
    let limit = BURST + RATE * (passed.as_secs() + 1);
    ensure!(
        answered.iter().all(|&it| it > 0),
        "nothing was answered: {answered:?}"
    );
    ensure!(
        answers <= limit,
        "{answers} ICMP errors in {passed:?}, at most {limit}"
    );
    let to = (v4.parse::<IpAddr>()?, ECHO).into();
    host.kernel()
        .enter(|| Client::new(to)?.echo(b"still there"))??;
    host.end()?;
    Outcome::pass_with(format!("{answers} errors in {:.1} s", passed.as_secs_f64()))
}
