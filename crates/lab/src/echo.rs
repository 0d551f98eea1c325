//! Sockets of the kernel's, towards an echo.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use anyhow::{Context, Result, ensure};

use crate::kernel::PATIENCE;

/// A socket on this address that does not wait for ever.
///
/// # Errors
/// The address is nobody's here.
pub fn udp(local: IpAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind((local, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Sends a datagram and waits for the same to come back.
///
/// # Errors
/// It is not sent, nothing comes, or something else.
pub fn echo(socket: &UdpSocket, to: SocketAddr, payload: &[u8]) -> Result<()> {
    let sent = payload.len();
    socket.send_to(payload, to).context("not sent")?;
    let mut buffer = [0; 1 << 16];
    let came = loop {
        // With a timeout the kernel does not go on by itself.
        match socket.recv_from(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            came => break came,
        }
    };
    let (len, from) = came.with_context(|| format!("no echo of {sent} bytes from {to}"))?;
    ensure!(
        from == to && buffer.get(..len) == Some(payload),
        "{len} other bytes from {from} for {sent} sent to {to}"
    );
    Ok(())
}

/// Who talks to one echo.
#[derive(Debug)]
pub struct Client {
    socket: UdpSocket,
    to: SocketAddr,
}

impl Client {
    /// In this thread's namespace.
    ///
    /// # Errors
    /// There is no socket to be had.
    pub fn new(to: SocketAddr) -> Result<Self> {
        let any = if to.is_ipv4() { "0.0.0.0" } else { "::" };
        let socket = udp(any.parse()?)?;
        Ok(Self { socket, to })
    }

    /// The socket.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Sends a datagram and waits for the same to come back.
    ///
    /// # Errors
    /// It does not.
    pub fn echo(&self, payload: &[u8]) -> Result<()> {
        echo(&self.socket, self.to, payload)
    }
}
