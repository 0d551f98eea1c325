//! Links for the engine: in memory, of capture files, and of the network devices of Linux.
//!
//! - [`memory`]: a link whose other end is in this process. Test code, a load generator or an
//!   embedder holds that end and exchanges bursts of frames with the engine over bounded rings.
//! - [`loopback`]: a link that gives back what it is sent.
//! - [`middleware`]: what stands between any of these and the engine: faults on purpose, captures.
//! - [`pcap`]: captures in pcap and pcapng files as a source of frames, and pcap files as a sink.
//! - [`tap`]: a TAP device: the kernel of this machine is the neighbor.
//! - [`af_packet`]: a network device, beside the kernel's own stack.
//! - [`af_xdp`]: a network device, in place of the kernel's own stack, right into the frame pool.
//!
//! All implement [`corelane_engine::link::Link`]. The first three need neither privilege nor device;
//! the last three are there on Linux only, and say what privilege is missing.

#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
pub mod af_packet;
#[cfg(target_os = "linux")]
pub mod af_xdp;
#[cfg(target_os = "linux")]
mod device;
pub mod loopback;
pub mod memory;
pub mod middleware;
pub mod pcap;
mod queue;
#[cfg(target_os = "linux")]
pub mod tap;
