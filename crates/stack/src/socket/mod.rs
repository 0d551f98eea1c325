//! Sockets: queues at the end of a packet's way, one for each worker, and what an embedder does with
//! them.
//!
//! ```text
//!   worker 0 ─ demux ─► ring of worker 0 ─► SocketQueue 0 ─┐
//!   worker 1 ─ demux ─► ring of worker 1 ─► SocketQueue 1 ─┴─► the embedder's threads
//! ```
//!
//! A queue is a ring between one worker and whoever reads it: a socket that gets its flows from
//! several workers takes no lock and moves no line between them. Frames are handed over, not copied.
//!
//! | file | holds |
//! |---|---|
//! | `shared` | what handle, snapshots and workers share of a socket |
//! | `queue`, `datagram` | the reader's side |
//! | `udp` | the handle of a UDP socket: binding, sending, errors |
//! | `raw` | that of a raw one |
//! | `error` | what a socket is told of its packets, and why there is none |

mod datagram;
mod error;
mod queue;
mod raw;
mod shared;
mod udp;

pub use datagram::Datagram;
pub use error::{BindError, SocketDrop, SocketError, SocketErrorKind, SocketStats, UdpSendError};
pub use queue::{DatagramBurst, SocketQueue};
pub use raw::{RawBind, RawSocket};
pub use shared::{Queued, Socket};
pub use udp::{UdpBind, UdpSocket};
