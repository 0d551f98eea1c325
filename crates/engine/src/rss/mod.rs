//! Receive side scaling in software: which worker a frame goes to.
//!
//! [`flow_hash`] hashes a frame's addresses and, where every packet of the flow shows them, its
//! ports; the low seven bits of the hash select an entry of the [`IndirectionTable`], which names
//! the worker. The hash is the Toeplitz hash of receive side scaling as network adapters compute
//! it, so that a hash from a link can be used in its place.
//!
//! All fragments of a datagram meet on one worker: they hash by addresses only, the first one too,
//! which does show the ports. A datagram of the same flow that is not fragmented may go to another
//! worker.

mod flow;
mod indirection;
mod key;
mod toeplitz;

pub use flow::{flow_hash, hash_frames};
pub use indirection::{INDIRECTION_ENTRIES, IndirectionError, IndirectionTable};
pub use key::{RSS_KEY_LEN, RssKey, RssKeyError};
pub use toeplitz::Toeplitz;
