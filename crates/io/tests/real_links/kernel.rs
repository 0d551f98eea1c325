//! The kernel's side: devices by `ip`, sockets, what it counts.

use std::fs;
use std::io::Read;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use corelane_wire::checksum;
use socket2::{Domain, Protocol, Socket, Type};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How long anything may take that should take no time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// Runs `ip` with these words.
pub(crate) fn ip(words: &str) -> Result<String> {
    let output = Command::new("ip").args(words.split_whitespace()).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`ip {words}`: {}", said.trim()).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Packets received and sent by a device, as the kernel counts them.
pub(crate) fn packets(device: &str) -> Result<(u64, u64)> {
    Ok((count(device, 1)?, count(device, 9)?))
}

/// Packets that the kernel could not send on a device.
pub(crate) fn dropped(device: &str) -> Result<u64> {
    count(device, 11)
}

/// A column of the kernel's table of devices.
fn count(device: &str, column: usize) -> Result<u64> {
    let table = fs::read_to_string("/proc/self/net/dev")?;
    let counts = |line: &str| {
        Some(
            line.trim()
                .strip_prefix(device)?
                .strip_prefix(':')?
                .to_owned(),
        )
    };
    let line = table.lines().find_map(counts).ok_or("no such device")?;
    Ok(line
        .split_whitespace()
        .nth(column)
        .ok_or("a short line")?
        .parse()?)
}

/// Tries until it holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !holds()? {
        if Instant::now() > deadline {
            return Err(format!("not within {PATIENCE:?}: {what}").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// A socket on this address that does not wait for ever.
pub(crate) fn udp(local: IpAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind((local, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Sends a datagram and waits for the same to come back.
pub(crate) fn echo(socket: &UdpSocket, to: SocketAddr, payload: &[u8]) -> Result<()> {
    socket.send_to(payload, to)?;
    let mut buffer = [0; 1 << 16];
    let (len, from) = socket
        .recv_from(&mut buffer)
        .map_err(|error| format!("no echo of {} bytes from {to}: {error}", payload.len()))?;
    if from != to || buffer.get(..len) != Some(payload) {
        return Err(format!("{len} bytes from {from} for {} sent to {to}", payload.len()).into());
    }
    Ok(())
}

/// Sends echo requests.
pub(crate) struct Pinger {
    socket: Socket,
    to: IpAddr,
    id: u16,
    sequence: u16,
}

impl Pinger {
    pub(crate) fn new(to: IpAddr) -> Result<Self> {
        let socket = match to {
            IpAddr::V4(_) => Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)),
            IpAddr::V6(_) => Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)),
        }?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            socket,
            to,
            id: fastrand::u16(..),
            sequence: 0,
        })
    }

    /// Pings with so many bytes, and tells how long the answer took.
    pub(crate) fn ping(&mut self, len: usize) -> Result<Duration> {
        self.sequence += 1;
        let (request, reply) = if self.to.is_ipv4() {
            (8, 0)
        } else {
            (128, 129)
        };
        let mut message = vec![request, 0, 0, 0];
        message.extend(self.id.to_be_bytes());
        message.extend(self.sequence.to_be_bytes());
        message.extend((0..len).map(|at| at as u8));
        // The kernel does it for ICMPv6.
        let sum = checksum::sum(&message).checksum();
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        let begin = Instant::now();
        self.socket
            .send_to(&message, &SocketAddr::new(self.to, 0).into())?;
        let mut buffer = [0; 1 << 16];
        while begin.elapsed() < PATIENCE {
            let len = (&self.socket).read(&mut buffer).map_err(|error| {
                format!(
                    "no answer to ping {} of {}: {error}",
                    self.sequence, self.to
                )
            })?;
            let packet = &buffer[..len];
            let answer = if self.to.is_ipv4() {
                let header = usize::from(packet.first().copied().unwrap_or(0) & 15) * 4;
                packet.get(header..).unwrap_or_default()
            } else {
                packet
            };
            if answer.first() == Some(&reply) && answer.get(4..) == message.get(4..) {
                return Ok(begin.elapsed());
            }
        }
        Err("no answer among much else".into())
    }
}

/// Processor time of this process.
pub(crate) fn processor_time() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit_once(')').ok_or("a strange /proc/self/stat")?.1;
    let fields: Vec<_> = after.split_whitespace().collect();
    // utime and stime, in hundredths of a second.
    let ticks: u64 = fields
        .get(11..13)
        .ok_or("too short")?
        .iter()
        .map_while(|it| it.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(ticks * 10))
}
