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
//! # Profiles
//!
//! `corelane profile` runs a bench and samples its threads in the measured window alone: `perf` attaches to the process
//! before the window begins, switched off, and is switched on and off by its control pipe. Where the machine has no
//! hardware counters (most virtual ones) perf takes the core's clock. Where there is no perf, or the kernel refuses it, a
//! timer's signal in the process takes the samples; the report says which it was, and why.
//!
//! Stacks are unwound by the tables that every build has (DWARF), of copies of 16 KiB that perf keeps of each stack;
//! `cargo profile` makes a build with frame pointers, of which nothing need be copied. The stages are functions that
//! are not inlined, so that they are in every stack. A sample belongs to the innermost of them; what is in none is shown
//! as `(unattributed)`, and the stages' samples add up to all there are.
//!
//! Nanoseconds per packet are a stage's share of the samples of its group of threads, of the time that the kernel
//! had these threads on a core, by the packets. So the sampler's own rate does not matter, and a stage's error is
//! that of its share: of n samples about 1/√n of it. Workers poll: one that waits is on a core as well, and the stages
//! that look for work (`worker_poll`, `poll_loop`, `ring`) have what it waited. Compare profiles of runs in which the workers
//! were busy. How many packets a call has is known of stages that get the whole of each burst, from the counters of polls;
//! of others it is not counted, and not shown.
//!
//! # Pages
//!
//! `corelane report` writes what results hold and computes no figure that they do not have, but medians of runs of one
//! name and the ratios of a comparison. Two runs differ *beyond the spread* if their ranges, from the least to the most,
//! have nothing in common: those of repeated runs (`NAME=FILE` more than once), or of a single run's intervals, which say how
//! much it went up and down and not what the next run would give.
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
