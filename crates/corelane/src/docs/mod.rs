//! Documentation as modules, next to the code and compiled with it.
//!
//! | module | tells |
//! |---|---|
//! | [`a_frames_way`] | two packets through every stage, as the simulator prints it |
//! | [`architecture`] | the way of a frame, the crates, the decisions and what became of them |
//! | [`memory_model`] | the lock-free parts: who writes, who reads, which edge orders what |
//! | [`behaviours`] | what a NIC does, number by number, and where it differs from netstack's |
//! | [`delivery`] | what happens to a frame, step by step, and which counters move |
//! | [`accounting`] | every counter and drop reason, and what must add up |
//! | [`embedding`] | own threads, idling, handlers and their panics, frames kept, events |
//! | [`real_links`] | TAP, AF_PACKET and AF_XDP: privileges, queues, offloads, sleep, ends |
//! | [`measuring`] | how `bench` measures and how benches compare |
//! | [`limits`] | what is not supported yet |

pub mod a_frames_way;
pub mod accounting;
pub mod architecture;
pub mod behaviours;
pub mod delivery;
pub mod embedding;
pub mod limits;
pub mod measuring;
pub mod memory_model;
#[cfg(target_os = "linux")]
pub mod real_links;

#[cfg(test)]
mod tests;
