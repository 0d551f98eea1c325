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
//! A number says which stream of a profile its frame is of, too: each stream has books and latencies of its own, and
//! their sums have to be those of all frames. What has no number is of no stream that anybody knows.
//!
//! # Searching
//!
//! `corelane search` finds the highest load at which a goal is upheld: MLRsearch (RFC 9971), whose goals are
//! a share of frames that may be lost (loss ratio), a share of the time in which more may be (exceed ratio), how
//! long the trials are that decide, how much of them it takes, and how close the bounds have to come. `NDR`
//! loses nothing and `PDR` at most 0.5 %, each in half of 21 trials of one second, as FD.io CSIT defines them;
//! `--rfc2544` is the throughput of RFC 2544. All goals are searched for at once: a trial counts for each. Loads
//! are classified, and the conditional throughput computed, by the code of the RFC's appendices;
//! `tools/src/search` holds both to its worked examples and to an independent implementation.
//!
//! A frame is lost if it was due and not delivered: a worker's ring was full, no buffer was free, the engine
//! dropped it, or the generator did not send it in time. A ring is to the engine what a NIC's descriptor ring
//! is to a driver, and there is no wire before it that could hold a frame back. At `bench --rate max` the
//! generator waits for the ring instead; that rate is higher than an NDR, because no pause of a worker costs
//! it a frame.
//!
//! A generator that lost its core would send what came due meanwhile at once, and a ring that is smaller would
//! overflow, however fast the engine. So in the trials of a search as many frames as came due while it was not polled
//! (for more than 20 us) wait until there is room for them; later ones wait behind them, but never more than that, and
//! once fewer wait, no more may again. What is due beyond it is sent whether there is room or not. An engine that takes
//! less than the load so loses as much as it would have lost, but for the time in which nothing came; one that takes more
//! loses nothing. At the end of a trial they may wait for as long as the generator was gone. A pause of the distributor,
//! which polls the generator, looks the same. In `bench`, and on real links, where nobody knows of room, all is sent at
//! once.
//!
//! A ring overflows, too, while a worker has no core, because another program has it: the kernel
//! counts how long threads wait for one (`schedstat`), and as much as came in that time may be lost for that. A
//! lossy trial is not `valid` where this may have been so, or the generator was behind (`spoiled_by`). It is set aside
//! and done again, for twice the time that decides; what is so often there is no chance, and counts from then on. A result
//! most of whose loss at the upper bound is of such trials is the tester's or the machine's: marked, with exit
//! status 5. What a hypervisor takes of a core nobody counts for sure: before it all, the cores are watched for
//! half a second, and the report says how often and for how long they were gone. Loads of which more comes in
//! that time than a ring holds lose frames then; the exceed ratio is what allows for it, shorter trials and larger
//! rings help. So a search has rings of 65,536 frames unless it is told otherwise: two milliseconds and a half,
//! which is what hypervisors take at once, of 26 Mpps. They take memory where they were full once, 150 MB for a worker and
//! ordinary frames; frames of 9,216 bytes five times that.
//!
//! A search always ends: when its bounds are close enough, or after a time (`--time-limit`) that follows from its
//! goals, three times what decides about two bounds each, and forty coarse trials. What has not converged by then
//! is an irregular result (`not_finished`), with the bounds that are known: those of the goal, or of the finest of
//! the coarser steps. For each bound the report says in how many trials the goal was met there, how many were
//! set aside, and the probability that it is one: of the share of trials that miss the goal, by the beta
//! distribution that these trials make of no knowledge at all.
//!
//! # Other devices, over real links
//!
//! `bench` and `search` with `--tx` and `--rx` (or `--link`, where what is sent comes back by the same link) have no
//! engine: one thread sends what the generator has due, another receives, and what is between the links, whatever it
//! is, is under test. The plan, the frames and their numbers are the same. A table that both threads share has, of
//! the last two million frames, when each was due and whether it came back: so a frame carries nothing but its number,
//! in its payload, and a duplicate is one however late. Link addresses, hop limits and header checksums may change on
//! the way; a number that is damaged, or a UDP checksum that is wrong, is a corrupt frame. A NAT that keeps checksums
//! right is no corruption. IPv6 frames are 82 bytes at least, since a frame without a number could not be told from
//! others' (ARP, neighbor discovery), which are counted as foreign.
//!
//! A TAP is up from when it is opened, and the kernel sends no IPv6 by it for a second or two then (it looks whether
//! its own address is another's): `--warmup 4s` leaves it the time.
//!
//! `replay` sends captures likewise. Their frames have no numbers, and nothing is written into them: a frame that comes
//! is known by what is in it, but for link addresses, tags, the class of traffic, hop limit and header checksum, which
//! a router may change. Of a content as many come back as were sent; what is more is a duplicate. Which of several of
//! one content it was that came, nobody can tell: it is taken to be the first that keeps the order of its flow. So a
//! loss is not taken for a reordering, nor is what comes a round later. What a NAT or a proxy has changed is foreign, and what
//! was sent is lost.
//!
//! `intended = sent + unsent` (late; no buffer; not taken by the link within a millisecond), `sent = received unique +
//! lost`, and all that came is one of unique, duplicate, corrupt, stray (a number of an earlier trial, or of another
//! tester) and foreign. A trial ends when all has come, or nothing has for 200 ms, after 2 s at most. What the kernel
//! dropped because the receiver was behind is the tester's loss, and the status is 5. Another order
//! within a flow is told and no violation: it is a property of the device (RFC 4737). A flow's numbers go up as it is
//! sent, with those of others of its class between them, so that a device is free to spread flows over as many ways as
//! it likes: only what comes behind a later frame of its own flow is reordered.
//!
//! A latency ends when the kernel had the frame, where the link says so (AF_PACKET; to the precision with which its
//! clock and ours are compared, under a microsecond), and otherwise when the receiver found it; the report says which,
//! and the longest time between two polls. It begins at the plan, as ever: a system call that sends takes its time,
//! and on a veth the whole way through the kernel is in that call.
//!
//! # Is it better?
//!
//! `corelane compare` says whether two results differ by more than chance, and by how much: by ranks
//! (Mann-Whitney) for two files, and for rounds, in which two sets of options or two programs take turns, by
//! flipping the signs of the pairs' ratios. It concludes nothing from results of other machines or options. What
//! a machine can be asked at all, `corelane doctor` says.
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
