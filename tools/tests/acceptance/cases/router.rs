//! The engine as a router between a client and a server of the kernel's.

use std::net::{IpAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use corelane_lab::echo::Client;
use corelane_lab::namespace::Namespace;

use crate::books::{snmp, snmp6};
use crate::iperf;
use crate::link::Kind;
use crate::outcome::{Outcome, duration};
use crate::site::Router;
use crate::wire::SOON;

/// The router answers `traceroute` and `mtr` in its own name.
pub(crate) fn traced(kind: Kind) -> Result<Outcome> {
    let router = Router::start(kind)?;
    let near = router.left.engine_addresses();
    let far = router.right.kernel_addresses();
    for (near, far) in near.iter().zip(&far) {
        for line in [
            format!("traceroute -n -q 1 -w 2 -m 4 {far}"),
            format!("mtr -n -r -c 2 -i 0.2 -G 1 {far}"),
        ] {
            let said = router.client().succeed(&line, SOON)?;
            let mut hops = said.lines().filter_map(|line| {
                let mut words = line.split_whitespace();
                let number: String = words
                    .next()?
                    .chars()
                    .take_while(char::is_ascii_digit)
                    .collect();
                Some((number.parse::<usize>().ok()?, words.next()?.to_owned()))
            });
            let hops: Vec<_> = hops.by_ref().collect();
            let wanted = [(1, near.clone()), (2, far.clone())];
            ensure!(hops == wanted, "{line}: {said}");
        }
    }
    router.end()?;
    Outcome::pass()
}

/// `iperf3` by TCP and UDP, IPv4 and IPv6: what is lost is in a counter.
pub(crate) fn iperf3(kind: Kind) -> Result<Outcome> {
    let router = Router::start(kind)?;
    let _server = iperf::Server::start(router.server())?;
    let (mut rates, mut lost_in_all) = (Vec::new(), 0);
    for far in router.right.kernel_addresses() {
        let tcp = iperf::run(router.client(), &format!("-c {far}"), duration())?;
        ensure!(tcp.gigabits > 0.05, "{far}: {} Gb/s by TCP", tcp.gigabits);
        rates.push(format!("{:.1}", tcp.gigabits));

        let lost = |counters: &crate::books::Counters| -> Result<u64> {
            let server = router.server();
            let queues = [
                snmp(server, "Udp", "RcvbufErrors")?,
                snmp6(server, "Udp6RcvbufErrors")?,
                router.left.counts()?.send_dropped,
                router.right.counts()?.receive_dropped,
                router
                    .right
                    .engine_counts()?
                    .map_or(0, |it| it.send_dropped),
            ];
            Ok(counters.lost() + queues.iter().sum::<u64>())
        };
        let before = lost(&router.balance()?.context("no engine")?)?;
        let udp = iperf::run(
            router.client(),
            &format!("-c {far} -u -b 200M -l 1400"),
            duration(),
        )?;
        let counted = lost(&router.balance()?.context("no engine")?)? - before;
        ensure!(
            udp.lost <= counted,
            "{far}: {} datagrams were lost, and {counted} are in a counter",
            udp.lost
        );
        ensure!(udp.gigabits > 0.01, "{far}: {} Gb/s by UDP", udp.gigabits);
        lost_in_all += udp.lost;
    }
    router.end()?;
    let rates = rates.join(" and ");
    Outcome::pass_with(format!("TCP {rates} Gb/s; UDP {lost_in_all} lost"))
}

/// An echo of the kernel's, until it is dropped.
struct EchoServer<'s> {
    stop: &'s AtomicBool,
}

impl<'s> EchoServer<'s> {
    const PORT: u16 = 7000;

    fn start<'e>(
        scope: &'s thread::Scope<'s, 'e>,
        on: &Namespace,
        stop: &'s AtomicBool,
    ) -> Result<Self> {
        let socket = on.enter(|| UdpSocket::bind(("::", Self::PORT)))??;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        scope.spawn(move || {
            let mut buffer = [0; 2048];
            while !stop.load(Ordering::Relaxed) {
                if let Ok((len, from)) = socket.recv_from(&mut buffer) {
                    // Where there is no way back, there is none.
                    let _ = socket.send_to(&buffer[..len], from);
                }
            }
        });
        Ok(Self { stop })
    }
}

impl Drop for EchoServer<'_> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Everything changes while a TCP connection goes through: it goes on, and so does what came before.
pub(crate) fn changes(kind: Kind) -> Result<Outcome> {
    let router = Router::start(kind)?;
    let _server = iperf::Server::start(router.server())?;
    let flow = iperf::Flow::start(
        router.client(),
        &format!("-c {} -b 100M", router.right.kernel_v4()),
    )?;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _echo = EchoServer::start(scope, router.server(), &stop)?;
        make_changes(&router)
    })?;
    let measured = flow.end()?;
    ensure!(measured.last > 0.0, "the connection is dead at its end");
    router.end()?;
    Outcome::pass_with(format!("{:.0} Mb/s of 100", measured.gigabits * 1e3))
}

fn make_changes(router: &Router) -> Result<()> {
    let [v4, v6] = router.right.kernel_addresses();
    let passes = |to: &str| -> Result<bool> {
        let to = (to.parse::<IpAddr>()?, EchoServer::PORT).into();
        router.client().enter(|| {
            let client = Client::new(to)?;
            client
                .socket()
                .set_read_timeout(Some(Duration::from_millis(100)))?;
            Ok(client.echo(b"through").is_ok())
        })?
    };
    let until_passes = |what: &str| {
        corelane_lab::eventually(&format!("{what}: it passes"), SOON, || {
            Ok(passes(&v4)? && passes(&v6)?)
        })
    };
    let not_passes = |what: &str| -> Result<()> {
        ensure!(!passes(&v4)? && !passes(&v6)?, "{what}: it passes still");
        Ok(())
    };
    let engine = router.engine();
    until_passes("before")?;

    // The device, which takes the kernel's routes and addresses along where it is the kernel's too.
    let wire = &router.right;
    if wire.engine_counts()?.is_some() {
        let device = &wire.engine_device;
        wire.engine.ip(&format!("link set {device} down"))?;
        not_passes("device down")?;
        wire.engine.ip(&format!("link set {device} up"))?;
    } else {
        let device = &wire.device;
        wire.kernel.ip(&format!("link set {device} down"))?;
        not_passes("device down")?;
        wire.kernel.ip(&format!("link set {device} up"))?;
        let address = wire.kernel_v6();
        wire.kernel
            .ip(&format!("addr replace {address}/64 dev {device} nodad"))?;
        wire.route()?;
    }
    until_passes("device up")?;

    engine.change("set_link nic=right state=down");
    not_passes("NIC down")?;
    engine.change("set_link nic=right state=up");
    until_passes("NIC up")?;

    // The server has another link address, and says so.
    for key in ["ipv4.conf.all.arp_notify", "ipv6.conf.all.ndisc_notify"] {
        router
            .server()
            .succeed(&format!("sysctl -qw net.{key}=1"), SOON)?;
    }
    let device = &wire.device;
    wire.kernel
        .ip(&format!("link set {device} address 02:00:00:00:77:02"))?;
    until_passes("another link address")?;
    let neighbors = engine.show("neighbors");
    let learnt = |address: &str| {
        let mut rows = neighbors.iter();
        rows.any(|row| row["address"] == *address && row["mac"] == "02:00:00:00:77:02")
    };
    ensure!(learnt(&v4) && learnt(&v6), "not learnt: {neighbors:?}");

    let [net4, net6] = wire.networks();
    for net in [&net4, &net6] {
        engine.change(&format!("remove_route nic=right to={net}"));
    }
    not_passes("no route")?;
    for net in [&net4, &net6] {
        engine.change(&format!("add_route nic=right to={net}"));
    }
    until_passes("a route")?;

    // The router's own address: what it answers for, not what it passes on.
    let own = wire.engine_v4();
    let answers = || -> Result<bool> {
        let ping = router
            .client()
            .run(&format!("ping -q -c 1 -W 1 {own}"), SOON)?;
        Ok(ping.status.success())
    };
    ensure!(answers()?, "the router does not answer for {own}");
    engine.change(&format!("remove_address nic=right address={own}"));
    ensure!(
        !answers()?,
        "the router answers for {own}, which it has no more"
    );
    until_passes("an address less")?;
    engine.change(&format!("add_address nic=right address={own}/24"));
    ensure!(answers()?, "the router does not answer for {own} again");
    until_passes("an address more")
}
