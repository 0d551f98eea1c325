//! More than the engine can take: the excess is counted, and it goes on.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use corelane_lab::namespace::Namespace;
use corelane_lab::process::Background;

use crate::common::Scratch;
use crate::iperf;
use crate::link::Kind;
use crate::outcome::{Outcome, duration};
use crate::site::Router;
use crate::wire::{SOON, Wire};

/// Captures what ordinary tools do through the router, and plays it as fast as the kernel can.
pub(crate) fn replay(kind: Kind) -> Result<Outcome> {
    const LOOPS: u64 = 20;
    let router = Router::start(kind)?;
    // What leaves whole for hardware to cut, or was put together on arrival, is longer than what can be sent again.
    for wire in [&router.left, &router.right] {
        wire.turn_off(&["tso", "gso", "gro"])?;
    }
    let dir = Scratch::new("replay");
    let file = dir.path("real.pcap").display().to_string();
    let (client, device) = (router.client(), &router.left.device);
    let far = router.right.kernel_addresses();
    let mut tcpdump = client.line(&format!("tcpdump -i {device} -U -s 0 -w {file}"));
    let tcpdump = Background::start(tcpdump.stderr(std::process::Stdio::null()))?;
    corelane_lab::eventually("tcpdump is there", SOON, || {
        Ok(dir.path("real.pcap").exists())
    })?;
    let server = iperf::Server::start(router.server())?;
    iperf::run_to_end(client, &format!("-c {} -n 1M", far[0]), SOON)?;
    for address in &far {
        client.succeed(&format!("ping -q -c 20 -i 0.005 -s 2000 {address}"), SOON)?;
    }
    client.succeed(
        &format!("ndisc6 -m -r 1 {} {device}", router.left.engine_v6()),
        SOON,
    )?;
    drop(server);
    tcpdump.end("INT", SOON)?;

    let before = router.balance()?.context("no engine")?;
    let line = format!("tcpreplay --topspeed --loop={LOOPS} -i {device} {file}");
    let said = client.succeed(&line, Duration::from_secs(60))?;
    let number = |label: &str| {
        let line = said
            .lines()
            .find_map(|line| line.trim().strip_prefix(label));
        line.and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok())
    };
    let sent = number("Successful packets:").with_context(|| said.clone())?;
    let failed = number("Failed packets:").with_context(|| said.clone())?;
    ensure!(sent > 100 * LOOPS && failed == 0, "{said}");
    let after = router.balance()?.context("no engine")?;
    let received = |counters: &crate::books::Counters| counters.get("left", "frames", "received");
    let lost = after.lost() - before.lost();
    let taken = received(&after) - received(&before);
    let unsent = router.left.counts()?.send_dropped;
    ensure!(
        taken + lost + unsent >= sent,
        "{sent} sent, {taken} taken, {lost} lost"
    );
    client.succeed(&format!("ping -q -c 20 -i 0.005 {}", far[0]), SOON)?;
    router.end()?;
    Outcome::pass_with(format!("{sent} frames"))
}

/// Sends small datagrams as fast as the kernel does, from several threads, until it is told to stop.
pub(crate) fn blast(from: &Namespace, to: &str, threads: usize, stop: &AtomicBool) -> Result<u64> {
    let socket = || -> Result<UdpSocket> {
        let any = if to.contains(':') { "::" } else { "0.0.0.0" };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((to, SINK))?;
        Ok(socket)
    };
    let sockets = from.enter(|| (0..threads).map(|_| socket()).collect::<Result<Vec<_>>>())??;
    let sent = thread::scope(|scope| {
        let senders: Vec<_> = sockets
            .iter()
            .map(|socket| {
                scope.spawn(move || {
                    let mut sent = 0;
                    while !stop.load(Ordering::Relaxed) {
                        for _ in 0..64 {
                            sent += u64::from(socket.send(&[0x55; 18]).is_ok());
                        }
                    }
                    sent
                })
            })
            .collect();
        senders.into_iter().map(|it| it.join().unwrap_or(0)).sum()
    });
    Ok(sent)
}

/// Where a blast goes to.
const SINK: u16 = 9;

/// A socket that takes a blast and does not look, as long as it is there.
pub(crate) fn sink(at: &Wire) -> Result<[UdpSocket; 1]> {
    let socket = at.kernel.enter(|| UdpSocket::bind(("::", SINK)))??;
    Ok([socket])
}

/// A blaster beside a paced ping.
pub(crate) fn blaster(kind: Kind) -> Result<Outcome> {
    let router = Router::start(kind)?;
    let _sink = sink(&router.right)?;
    let (client, far) = (router.client(), router.right.kernel_v4());
    client.succeed(&format!("ping -q -c 3 -i 0.01 {far}"), SOON)?;
    let before = router.right.counts()?.received;
    let stop = AtomicBool::new(false);
    let (sent, ping) = thread::scope(|scope| -> Result<_> {
        let blaster = scope.spawn(|| blast(client, &far, 2, &stop));
        thread::sleep(Duration::from_millis(100));
        let count = duration().as_millis() / 20;
        let ping = client.run(
            &format!("ping -q -c {count} -i 0.02 -W 2 {far}"),
            SOON + duration(),
        );
        stop.store(true, Ordering::Relaxed);
        let sent = blaster
            .join()
            .unwrap_or_else(|_| anyhow::bail!("the blaster panicked"));
        Ok((sent?, ping?))
    })?;
    // It recovers at once.
    let after = client.succeed(&format!("ping -q -c 50 -i 0.005 -w 5 {far}"), SOON)?;
    ensure!(after.contains("50 received"), "it did not recover: {after}");

    let said = corelane_lab::process::said(&ping);
    let times = said
        .lines()
        .find_map(|line| line.strip_prefix("rtt min/avg/max/mdev = "));
    let longest = times.and_then(|times| times.split('/').nth(2)?.parse::<f64>().ok());
    let longest = longest.with_context(|| format!("no ping came back: {said}"))?;
    ensure!(longest < 1000.0, "a ping took {longest} ms: {said}");

    let counters = router.balance()?.context("no engine")?;
    let arrived = router.right.counts()?.received - before;
    let near = router.left.counts()?.send_dropped;
    let on_wire = router
        .right
        .engine_counts()?
        .map_or(0, |it| it.send_dropped);
    let counted = counters.lost() + near + on_wire;
    ensure!(
        arrived + counted >= sent,
        "{sent} sent, {arrived} arrived, {counted} counted as lost"
    );
    let excess = 100.0 * (1.0 - arrived as f64 / sent as f64).max(0.0);
    router.end()?;
    Outcome::pass_with(format!(
        "{excess:.0} % dropped, ping {longest:.0} ms at most"
    ))
}
