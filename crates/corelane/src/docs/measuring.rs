//! How `corelane bench` measures, and how `benches/` compares.
//!
//! # Open loop
//!
//! At a fixed rate each frame has a *planned* time, a function of its number alone: at constant gaps,
//! exponential ones, in trains, on and off, or as in a capture. The generator sends what is due; it never
//! waits for the engine. A frame's latency counts from its planned time to its handler, or to the peer of
//! the link that it is forwarded to, so that a stall anywhere, of the generator too, shows in every frame
//! that was due meanwhile. A closed loop, which sends the next frame when the last one is done, hides exactly
//! those: it sends less while the system is slow. (A device that stalls for 20 ms every 500 ms has a p99
//! of 15.75 ms at 500,000 frames a second, and `tools/src/honesty.rs` holds us to reading that; a closed
//! loop reads less than a microsecond.)
//!
//! So *offered* and *achieved* are two figures. What was due and could not be sent in time is
//! counted as not sent; what found no free buffer, or a worker's ring full, is the generator's drop.
//! `--rate max` has no plan: the rings' back-pressure sets the pace, and latency, counted from the
//! emission, says how long frames sat in the rings.
//!
//! How late each frame was sent is recorded too. If p99.9 of that is more than 10 µs and more than 1 % of the
//! p99.9 that was measured, the latencies say little about the engine: the result is marked `tester_limited`
//! and the exit status is 5. So it is where the generator did not keep a fixed rate.
//!
//! # A run
//!
//! Frames and destinations are drawn and laid out before it: pseudorandom addresses and ports (RFC 4814),
//! and what share of them each worker gets is printed before the result, with a warning if one gets none. The
//! generator alone, with the same frames, is measured for 50 ms: that is the ceiling, and the report says how
//! much of it the run used. Warm-up; wait until nothing is in flight; read the counters; the window; wait
//! until nothing is in flight; read them again. The report is the difference, and its books balance to the
//! frame, or the exit status is 3.
//!
//! `ns_per_packet` is a worker's busy time over its packets, handler included. The report says what
//! set the pace: workers, generator or pool. If it was the generator, the figure is the
//! generator's and not the engine's.
//!
//! # Numbers in frames
//!
//! Frames are numbered within 256 classes of flows (of a family and the same low bits of the RSS hash, which take
//! the same way), so that order, duplicates and corruption are seen at the end of their way, independently of
//! every counter: `received unique = in order + reordered`, duplicates and corrupt ones apart. A number takes
//! 16 bytes of UDP payload. 64-byte frames over IPv4 have room for that, frames over IPv6 from 82 bytes on;
//! what is smaller, or not UDP, has no number, and the report says of how many frames order and duplicates
//! were not checked. `--check off` leaves it out, `--check full` verifies UDP checksums too.
//!
//! # Comparing
//!
//! On a virtual machine the same code may run a third slower a minute later, and two cores may be
//! near each other or far. So `benches/` takes one short sample of each case in turn, over and over
//! (A B A B …), and compares neighbours; medians with their spread are printed, and the distance of
//! the cores. A figure without the command, the machine and the spread is not a figure. Each bench
//! body also runs as a test, once and small, to assert that it does its work.
//!
//! Latencies beyond p99 on a shared virtual machine are mostly the hypervisor's.
