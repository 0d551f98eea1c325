//! Links for the engine that need no device: memory, loopback and capture files.
//!
//! - [`memory`]: a link whose other end is in this process. Test code, a load generator or an
//!   embedder holds that end and exchanges bursts of frames with the engine over bounded rings.
//! - [`loopback`]: a link that gives back what it is sent.
//! - [`pcap`]: captures in pcap and pcapng files as a source of frames, and pcap files as a sink.
//!
//! All implement [`corelane_engine::link::Link`]. No link here needs a privilege or a device.

#![forbid(unsafe_code)]

pub mod loopback;
pub mod memory;
pub mod pcap;
mod queue;
