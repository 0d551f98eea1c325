//! TEMPORARY
pub struct Socket;
pub struct SocketError {
    pub kind: SocketErrorKind,
    pub remote: std::net::SocketAddr,
}
#[derive(Clone, Copy)]
pub enum SocketErrorKind {
    PortUnreachable,
    HostUnreachable,
    NetworkUnreachable,
    MessageTooBig { mtu: usize },
}
impl Socket {
    pub fn push_error(&self, _: SocketError) {}
}
