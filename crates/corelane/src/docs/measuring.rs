//! How `corelane bench` measures, and how `benches/` compares.
//!
//! # Open loop
//!
//! At a fixed rate each frame has a *planned* time, a function of its number alone. The generator
//! sends what is due; it never waits for the engine. A frame's latency counts from its planned time
//! to its handler, or to the peer of the link that it is forwarded to, so that a stall anywhere, of the generator too, shows in every frame that was due
//! meanwhile. A closed loop, which sends the next frame when the last one is done, hides exactly
//! those: it sends less while the system is slow.
//!
//! So *offered* and *achieved* are two figures. What was due and could not be sent in time is
//! counted as not sent; what found no free buffer, or a worker's ring full, is the generator's drop.
//! `--rate max` has no plan: the rings' back-pressure sets the pace, and latency, counted from the
//! emission, says how long frames sat in the rings.
//!
//! # A run
//!
//! Frames and destinations are drawn and laid out before it. Warm-up; wait until nothing is in
//! flight; read the counters; the window; wait until nothing is in flight; read them again. The
//! report is the difference, and its books balance to the frame, or the exit status is 3.
//!
//! `ns_per_packet` is a worker's busy time over its packets, handler included. The report says what
//! set the pace: workers, generator or pool. If it was the generator, the figure is the
//! generator's and not the engine's.
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
