//! The layout of the JSON result, version 1.
//!
//! Counts are frames in the measured window: from a moment when nothing was in flight after the
//! warm-up to the moment when everything sent had been accounted for. Rates are counts over
//! `window_s`. Fields may be added without a new version; a reader ignores what it does not know.
//!
//! | field | what |
//! |---|---|
//! | `schema` | 1 |
//! | `verb` | `bench` or `replay` |
//! | `versions` | `corelane`; `profile`: `release`, or `debug` |
//! | `machine` | `cpu`, `cores` (that the process may use), `os`, `kernel`, `arch` |
//! | `seed` | what random draws started from |
//! | `flags` | every option as it was in effect, by its name with `_` for `-`; `protocols_of` is the capture that `protocols` are of, if they are |
//! | `derived[]` | names of flags that nobody said and that follow from others: two results may differ in them |
//! | `interrupted` | whether the run was ended early by a signal |
//! | `conditions` | texts: what ran, as the report for people has it |
//! | `warnings` | texts: what may make the result mean less |
//! | `window_s` | seconds that were measured |
//! | `offered_pps` | intended frames per second: what the plan offered (at `max`, what was emitted) |
//! | `achieved_pps` | sent frames per second |
//! | `delivered_pps` | frames given to handlers or read from sockets, per second |
//! | `forwarded_pps` | packets sent on to another link, per second |
//! | `ns_per_packet` | nanoseconds that workers were busy, for each packet received; null if none |
//! | `sent` | frames sent: emitted, or lost at their time for want of a buffer |
//! | `received`, `received_bytes` | frames the NIC took up, and their bytes without check sequence |
//! | `delivered` | packets given to handlers, or to sockets |
//! | `forwarded` | packets sent on to another link |
//! | `consumed` | packets the stack dealt with itself |
//! | `drops` | packets dropped by the NIC, by reason; every reason is there |
//! | `sockets` | null without `--sockets`; of all sockets: `queued` (put into their queues), `read` and `read_bytes` (by the thread that reads them), `full` and `closed` (dropped, as the sockets count it) |
//! | `egress` | null without `--forward`; of the second NIC: `sent`, `sent_bytes`, `send_dropped` (found no room on the link), `taken` (by the link's peer) |
//! | `order` | of frames that arrived: `in_order`, `reordered` (a lower number than one before in the same class of flows, on real links in the same flow, for the first time), `duplicates`, `too_late` (so far behind that it is not known whether it was there before), `corrupt` (signature, or addresses and ports, that were not sent; with `--check full` wrong checksums too), `unchecked` (no number: IPv6 under 82 bytes, no UDP, or `--check off`); `numbered` (sent with a number to who looks at it: none to sockets), `missing` (of these, not received unique) |
//! | `streams[]` | null without `--profile`; see below |
//! | `in_flight_at_end` | frames handed to workers and not accounted for: 0 |
//! | `workers[]` | `id`, `core` (null if not pinned), `packets`, `bytes`, `busy_ratio` (0 to 1), `ns_per_packet` (null if there were none), `polls`, `empty_polls`, `allocations` (null if not counted) |
//! | `spread` | null for `replay`; `shares` (of the frames, by worker, known before the run), `hashes` (different ones), `expected_deviation` (of a share, if as many random hashes came equally often) |
//! | `latency_ns` | null without `--latency`; `min` `p50` `p90` `p99` `p99.9` `p99.99` `p99.999` (null of so few that none is beyond: 10, 100, ... 100,000 have one) `max` `count`, from planned send time (at `max`: emission) to the handler, or to the peer of the second NIC |
//! | `intervals[]` | each 100 ms of the window, an hour at most: `at_ms` (its end), `sent`, `received` (by handlers, by who reads sockets or by the peer of the second NIC), `dropped`, `p50_ns`, `p99_ns` (null if nothing was measured in it) |
//! | `latency_limited_by_generator` | whether frames were sent so late that the latency says little about the engine; null where `latency_ns` is |
//! | `tester_limited` | whether the result is not valid, with exit status 5: the latency is limited so, or at a fixed rate the generator did not keep it |
//! | `self_check` | what was found out before the run: `ceiling_pps` (the generator alone, with the same frames), `ceiling_used` (the share of it that the run sent), `clock` (`read_ns`, `step_ns`, `longest_gap_ns`, `monotonic`, `source`, `invariant_tsc`), `rss` (published hashes, `right` and `wrong`) |
//! | `slo` | null without `--slo`; `met`, `goals[]` of `goal`, `reached` (null if not known), `unit` of that (`ns`, `ratio`, `pps`), `met` |
//! | `datapath_allocations` | heap allocations of workers and distributors; null if not counted |
//! | `generator` | see below |
//! | `churn` | null without `--churn`; `asked_per_s`, `achieved_per_s`, `changes`, `failed`, `publish_ns` (percentiles of the time of one change, as `latency_ns`) |
//! | `setup` | `endpoints` added, `endpoints_s` it took (in one transaction, and then to bind the sockets), `routes` and `neighbors` added, `routes_s` it took, `frames_s` that laying out frames (or reading captures) took |
//! | `captures[]` | null but for `replay`; `file`, `packets` delivered of it per round, `skipped` (no frame could be made of them), `snap_truncated`, `broken` (why the rest of the file could not be used; null if it could) |
//! | `links` | null without `--tx` or `--link`; see below |
//! | `accounting` | `holds`; `identities[]` of `claim`, `left`, `right`, `holds` |
//!
//! `generator`:
//!
//! | field | what |
//! |---|---|
//! | `core` | where the generator ran; null if not pinned |
//! | `planned_pps` | the rate asked for, in frames per second; null at `max` |
//! | `calibrated_pps` | what the calibration achieved, for a rate in percent; null otherwise |
//! | `intended` | frames planned |
//! | `sent` | as above |
//! | `unsent` | `late`: planned and not sent in time; `too_large`: packets of captures that fit no slot; on real links `no_buffer`, and `not_taken`: the link had no room for a millisecond |
//! | `drops` | `ring_full`: a worker had no room; `pool_empty`: there was no buffer |
//! | `polls` | `productive`, `idle` (nothing was due), `starved` (no buffer), `waiting` (a ring was full) |
//! | `busy_share` | productive polls to all polls |
//! | `limit` | what set the pace: `none`, `workers`, `generator` or `pool`; `link`: on real links at `max` |
//! | `lateness_ns` | from planned time to emission: `p50` `p99` `p99.9` `max` |
//! | `lateness_polled_ns` | likewise, of frames that came due while it was polled without a gap of more than 20 us: what is its own, where cores are taken |
//! | `gone` | those gaps: `times`, `ns` (all together) |
//! | `allocations` | heap allocations of the generator's thread; null if not counted |
//!
//! `streams`, of each stream of a profile, in its order:
//!
//! | field | what |
//! |---|---|
//! | `name`, `planned_pps`, `arrival` | as the profile has them |
//! | `intended`, `sent`, `unsent`, `pool_empty` | as of all frames; `pool_empty` is part of `sent` |
//! | `received_bytes` | of its frames that arrived and say which stream they are of |
//! | `order` | as of all frames; `corrupt` and `unchecked` do not say which stream they are of, and are 0: a corrupt frame is a missing one of its stream |
//! | `latency_ns` | as of all frames; null if none were measured |
//!
//! `links`, of a run on real links, which has no engine: `workers` is empty then, `spread` and
//! `datapath_allocations` are null, `drops` is empty, `received` are frames of the run, duplicates among them, and
//! `delivered` are those that came once and as they were sent:
//!
//! | field | what |
//! |---|---|
//! | `tx`, `rx` | the links: `link` (as it was named), `mtu`, `counters` (what it counted itself in the window) |
//! | `destination_mac`, `resolved_from` | where frames went, and which address was asked for it (null if none was) |
//! | `timestamps` | `link`: a frame came when the kernel had it; `poll`: when the receiver found it |
//! | `lost`, `loss_ratio` | frames sent that did not come back as they were |
//! | `frames` | all that came |
//! | `strays` | numbered frames that are none of the trial's: of an earlier one, or another tester's |
//! | `foreign` | frames without a number |
//! | `answered` | questions for `--answer` among them, that were answered |
//! | `lost_by_tester` | frames that came and found no room; then the result is not valid |
//! | `longest_poll_gap_ns` | the longest time between two polls of the receiver |
//!
//! The identities, each of which has to hold (exit status 3 otherwise):
//!
//! - intended = sent + unsent
//! - sent + duplicates = received + generator drops
//! - sent = received unique (in order + reordered) + without number + corrupt + consumed + all drops +
//!   in flight; what ends were given = received unique + duplicates + corrupt + without number
//! - reordered = 0, duplicates = 0, corrupt = 0
//! - received = delivered + forwarded + consumed + Σ drops
//! - received = Σ over workers, delivered = Σ over handlers + read from sockets
//! - with `--sockets`: queued = read; the drops `socket_full` and `socket_closed` are those that the
//!   sockets counted (a packet that was queued is delivered, one that was not is dropped)
//! - with `--profile`: sent and received unique = Σ over streams
//! - with `--forward`: forwarded = sent + send_dropped of the egress, and its sent = taken
//! - on real links instead: intended = sent + unsent, sent = received unique + lost, frames that came =
//!   received unique + duplicates + corrupt + strays + foreign, duplicates = 0, corrupt = 0 (another order within
//!   a flow is a property of the device, and told)
//! - nothing is in flight at the end, and every frame is back in its pool
