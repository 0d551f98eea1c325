//! Pings, each timed.

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use corelane_wire::checksum;
use socket2::{Domain, Protocol, Socket, Type};

use crate::kernel::PATIENCE;

/// Sends echo requests.
#[derive(Debug)]
pub struct Pinger {
    socket: Socket,
    to: IpAddr,
    id: u16,
    sequence: u16,
    spins: bool,
}

impl Pinger {
    /// To this address, from this thread's namespace.
    ///
    /// # Errors
    /// It takes CAP_NET_RAW.
    pub fn new(to: IpAddr) -> Result<Self> {
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
            spins: false,
        })
    }

    /// Looks for answers on and on instead of having the kernel wake it: what waking takes, which is more
    /// than many an answer does and another time each time, is in no ping then.
    ///
    /// # Errors
    /// The kernel's.
    pub fn spin(&mut self) -> Result<()> {
        self.socket.set_nonblocking(true)?;
        self.spins = true;
        Ok(())
    }

    /// Pings with so many bytes, and tells how long the answer took.
    ///
    /// # Errors
    /// None comes.
    pub fn ping(&mut self, len: usize) -> Result<Duration> {
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
            let len = match (&self.socket).read(&mut buffer) {
                Err(error) if self.spins && error.kind() == ErrorKind::WouldBlock => continue,
                read => read.with_context(|| {
                    format!("no answer to ping {} of {}", self.sequence, self.to)
                })?,
            };
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
        bail!("no answer among much else")
    }
}
