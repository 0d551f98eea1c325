//! The lock-free parts in prose: who writes, who reads, which edge orders what.
//!
//! An *edge* is a release store that an acquire load reads from: what was done before the one is
//! visible after the other. Every part here rests on a few of them. They are explored by
//! [loom](https://docs.rs/loom), which tries the interleavings of a small model and the values that
//! each load may return; the code that runs in production is the code that is explored,
//! [`sync::primitive`](crate::sync::primitive) switching the atomics underneath. `ci/loom` runs the
//! models. Each tells its race in prose above the test, and fails if the race it is about never
//! comes about.
//!
//! | part | models |
//! |---|---|
//! | ring | `crates/sync/tests/loom_ring.rs` |
//! | snapshot | `crates/sync/tests/loom_snapshot.rs` |
//! | references | `crates/sync/tests/loom_refs.rs` |
//! | both together: an endpoint's life | `crates/sync/tests/loom_lifetime.rs` |
//! | depot | `crates/sync/tests/loom_depot.rs` |
//! | doorbell | `crates/sync/tests/loom_doorbell.rs` |
//! | the pool's end (orphans) | `crates/frame/src/orphans.rs` |
//!
//! Not modelled: the counters (one writer, plain loads and stores, nothing is ordered by them), the
//! slab (a block's pointer is stored with release once and loaded with acquire), and the race
//! between holding and adding an address, which is told [below](#holding-against-adding).
//!
//! # Ring
//!
//! ```text
//!        head: stored by the consumer        tail: stored by the producer
//!          │                                   │
//!  ────────┼───────────────────────────────────┼──────────
//!   free   │ items: the consumer's             │ free: the producer's
//!  ────────┴───────────────────────────────────┴──────────
//!
//!  producer                                     consumer
//!  write slots                                  load tail    Acquire ◄─┐
//!  store tail     Release ─────────────────────────────────────────────┘
//!  load head      Acquire ◄─┐                   read slots
//!  overwrite slots          └───────────────────store head   Release
//! ```
//!
//! Two edges, one in each direction: items arrive before they are read, and are read before their
//! slots are overwritten. Each index has one writer, so there is no read-modify-write. Each end
//! keeps the other's index as last seen and looks again only when that is not enough; an old value
//! is a smaller promise, never a wrong one. That an end is gone is a flag of its own, stored with
//! release after the last index, so that *closed* is never seen before the last item.
//!
//! Models: order, once, whole, also across the wrap (`one_by_one_in_order_none_lost_none_doubled`,
//! `bursts_that_wrap_keep_order`, `bursts_that_are_cut_keep_order`); what is inside is dropped once
//! (`items_inside_are_dropped_once_whoever_goes_last`); the last item comes before *closed*
//! (`closed_is_seen_after_the_last_item`).
//!
//! # Snapshot
//!
//! ```text
//!  publisher (under the NIC's lock)                 reader (one per worker and NIC)
//!  build B
//!  swap pointer A → B ────────── (1) ─────────────► load: pointer differs: count up B
//!  keep A, with what it was the last to lead to        │  burst: reads B
//!                                                      │  (up to here it may have read A)
//!  collect: am I the last to count A? ◄─── (2) ──── let go of A: count down
//!    yes: free A, hand back what came with it
//! ```
//!
//! *Publish.* (1) A reader that got B sees all that went into it. While nothing changed, `load`
//! compares one pointer with a relaxed read; answered by the old pointer, the burst runs as if it
//! had begun a moment earlier. A reader that learnt of the publish through anything that
//! synchronises finds B.
//!
//! *Retire.* A replaced snapshot waits in the publisher's list with its *garbage*: the endpoints
//! that no snapshot from B on leads to.
//!
//! *Who frees.* The publisher, always: it gives up its own count last, when it is the only one (2).
//! A count cannot come back to a snapshot that is no longer behind the pointer, since it could come
//! only from the pointer or from another count. So a worker's `load` frees nothing, and garbage
//! comes back when the snapshot it came with and all before that are gone.
//!
//! *Quiescence.* A reader that quiesced holds nothing, and nothing waits for it.
//! [`Worker::quiesce`](crate::engine::Worker::quiesce) is called by the engine's own threads before
//! they sleep. A worker that polls and finds nothing refreshes: it exchanges what it holds for the
//! newest, so that it holds up nothing either.
//!
//! Models: `publish_and_collect_against_bursts`, `garbage_of_two_publishes_with_two_readers`,
//! `quiesce_against_publish_and_collect`, `a_publish_one_was_told_of_is_seen`,
//! `retire_against_readers`. *Not seen by them:* arc-swap itself. Its `swap` and its full load are
//! one step each in the model, with the edges they promise; how arc-swap keeps the promise (debts
//! that a writer pays) is its own tests' business.
//!
//! # References and lifetimes
//!
//! Kind and count of an endpoint are one word, changed together by compare-and-swap:
//!
//! ```text
//!  add ─────────► Permanent, 1      the 1 is the table's bias
//!                   │     ▲
//!    hold: +1       │     │  add again: +1 (bias), revived
//!    drop: −1       │     │
//!                   ▼     │
//!  remove: −1 ──► PermanentExpired, n ── last drop ──► 0: dead, for good
//!
//!  hold of nobody's address ──► Temporary, 1 ── last drop ──► 0: dead, for good
//!                                   └─ add: +1 (bias) ──► Permanent
//! ```
//!
//! An IPv6 address that is probed begins as `PermanentTentative`, and goes back to it when its NIC goes
//! down or up; in the picture that is the same as `Permanent`. Zero is final:
//! a reference is taken from n to n + 1 only if n > 0. The step that reaches zero, and only it, is
//! told so; every step that may end a life both acquires and releases, so the one who is told sees
//! what every holder did.
//!
//! Then, in this order:
//!
//! ```text
//!  count reaches 0          on any thread: the word of it goes into a queue
//!  unlink                   control plane: out of the table or the map; publish
//!  … every reader of an older snapshot moves on …
//!  close                    control plane: Event::EndpointClosed, the slot can be used again
//! ```
//!
//! A worker that found the endpoint before it was unlinked has the older snapshot until its burst is
//! over, so close comes after its handler returned; and a slot is not used again while a worker can
//! have its old index. A caller of [`hold`](crate::stack::Nic::hold) that is no worker keeps a
//! snapshot meanwhile too, for the same reason. A slot counts its lives, so that a word of death
//! that comes late is not taken for the next life's.
//!
//! Models of the word: `promote_against_the_last_release`, `acquire_against_the_last_release`,
//! `expire_against_acquire_and_release`, `expire_against_expire`, `releases_at_once`,
//! `settle_against_expire`, `promote_against_expire`, `reset_against_acquire`,
//! `a16_a18_settle_against_expire_against_acquire`, `unsettle_against_expire_against_acquire`. Models of word and
//! snapshot together, which show no handler after close, no close during a handler, no endpoint
//! closed twice or never: `removal_against_bursts`, `removal_against_two_workers`,
//! `removal_against_a_route`, `addition_against_the_last_release`,
//! `reuse_of_a_place_against_bursts`, `p2_removal_against_a_delivery`,
//! `p2_removal_of_a_held_address_against_a_delivery`,
//! `b3_b9_removal_of_everything_against_hold_release_and_settle`. *Not seen by them:* the real table, slab and queue. The model
//! has a table of one address, two places and a list behind a lock.
//!
//! ## Holding against adding
//!
//! Holding nobody's address makes a temporary endpoint without the NIC's lock. Meanwhile the control
//! plane may add that address. Both ask the map of held endpoints, one after the other, since each
//! has the address's part of it locked; the second gets what the first has:
//!
//! ```text
//!  add (with the NIC's lock)                hold (without)
//!  1. in the map: a temporary one becomes   1. in the map: a temporary one, or a claim, is shared;
//!     permanent; none: claim the address       none: put a temporary one in
//!  2. publish                               2. load the newest snapshot; a permanent one found:
//!  3. take the claim, and what is in           give the temporary back, refer to that
//!     the map, out
//! ```
//!
//! The second step of `hold` is for one that made up its mind by a snapshot from before the address,
//! and came to the map after the claim was gone: then the address is published. That is the
//! store-then-load pattern, where each side could miss the other's store if its own load went first;
//! a sequentially consistent fence stands between the two on both sides, so that one of the fences
//! is first, and the other side then finds what was shown before it. So whoever is given an
//! endpoint is given the one that the address has. This argument is in prose only: pointer and map
//! are arc-swap's and dashmap's, which loom does not see. `crates/corelane/tests/threads.rs` runs
//! additions, removals and holds against traffic, and `crates/corelane/tests/stress` checks the
//! histories of random operations on several threads against a sequential model of a NIC.
//!
//! What is held is looked at once more after it is counted: a temporary endpoint may have become a
//! tentative address in between, which is not to be given out.
//!
//! # Solicited-node groups
//!
//! Groups stand in each snapshot's persistent map, but for the solicited-node groups: each IPv6
//! address has one, and copying a path of the map for each would cost more than the address. They
//! stand in a hash table of one 64-bit word per group (the group, how many addresses have it, whether
//! users joined it), which the control plane changes in place under its lock and workers probe:
//!
//! - a slot goes from empty to a group's and never becomes another's, so a worker that reads it
//!   meanwhile sees the members before or after a change, and a probe never skips a group;
//! - who is in a group is one word: it is never seen empty while one joins before the other leaves;
//! - a table that is full is replaced, and workers get the new one with their next snapshot.
//!
//! Nothing else is read on the strength of such a word, so that all its accesses are relaxed. There is
//! no model of it: each of its promises is about one word.
//!
//! # Neighbor lines
//!
//! What a worker has to know of a neighbor is one word: what to do with its packets, and the link
//! address. The control plane stores it under its lock, workers load it, both relaxed. That is enough
//! because nothing else is read on the strength of it: a worker sees the word of before or of after a
//! change, never half of each, and so never half of two link addresses. When it sees it is a matter of
//! nanoseconds and of no promise but one: a change that a caller made is seen by bursts that begin once
//! anything that synchronises told the worker of it, as with any store.
//!
//! The line's *address*, which a lookup compares, is written while nobody can find the line: before the
//! table that leads to it is published, and not again before every reader of a snapshot that leads to it
//! has gone on (the line is garbage of the publish that takes it out, see [above](#snapshot)). Those
//! edges are the snapshot's. So a worker that found a line by an address reads that address' word, and
//! never that of the neighbor who has the slot next. A route's gateway is named by the line itself,
//! which is pinned for as long as the row is there; row and line are published, and retired, together.
//!
//! *Used* is a flag beside it, exchanged by the one worker that tells the control plane that a stale
//! neighbor is in use, and the slot counts its lives, which go along with the word: late word of a past
//! life is not taken for the next one's. Neither orders anything. There is no model of it, as each
//! promise is about one word or is the snapshot's; `crates/corelane/tests/neighbors.rs` changes
//! neighbors under forwarding workers and looks at every frame.
//!
//! # Routes
//!
//! The nodes of the longest-prefix trie are atomics in a slab, all accessed relaxed. A node that a
//! snapshot leads to is not written any more: a change copies the path from the root and writes to the
//! copies, which nobody can find before the root is published. The edges are the snapshot's again, in
//! both directions: what was written to a node before its root was published is seen by who loads that
//! root; a node that a change left behind is used again once no reader has a root that leads to it. So
//! a lookup sees one version whole. No model of its own: it has no ordering of its own.
//!
//! # Seats
//!
//! A packet endpoint or a socket is shared by all workers, and each puts frames into a ring of its own in
//! it ([`sync::seat`](crate::sync::seat)). Which one is its own is told by its seat, a value that exists
//! once and is borrowed mutably while the ring is used: exclusion by type, without any atomic. What one
//! thread did with a seat is seen by the thread that it is moved to, by whatever moved it; threads that
//! are no workers share one seat behind a lock. A registration is part of the NIC's snapshot, so that a
//! worker shows a burst to those who were registered when it began: one edge, the snapshot's. What is
//! shown comes to the reader by the ring's. No model: there is nothing to interleave.
//!
//! # A NIC's queues
//!
//! What no worker makes (probes, reports, routes' packets) goes through crossbeam's bounded
//! `ArrayQueue`, from any thread to the one that has the transmit queue; its consumer looks at two
//! words per poll. A frame must not stay in the queue of a NIC that is gone:
//!
//! ```text
//!  sender                                removal
//!  put the frame in                      gone = true
//!  fence SeqCst                          fence SeqCst
//!  gone? then empty the queue            empty the queue
//! ```
//!
//! One of the two fences is first, and whoever comes second empties it. Prose only, as above.
//!
//! # Depot and orphans of the frame pool
//!
//! ```text
//!  thread A: magazine of 64 slots                    thread B: magazine of 64 slots
//!      │ full: push                                        ▲ empty: pop
//!      ▼                                                   │
//!  depot: [ full ]─► m ─► m ─► m      [ empty ]─► m ─► m ──┘
//! ```
//!
//! *Depot.* Two stacks of magazines, full and empty. A magazine on neither belongs to the thread
//! that took it off. The head of a stack is an index with a tag that every change increments, so
//! that a top which was taken and came back is not taken for unchanged. Push releases, pop
//! acquires. Models: `no_magazine_is_in_two_hands`, `what_is_left_arrives_once`,
//! `a_top_that_came_back_is_not_taken_for_unchanged`.
//!
//! *Orphans.* A frame keeps its pool's memory alive without holding a count. Frames that came back
//! by drop are counted in one word, downwards from 0; the rest is counted by each cache for itself.
//! When the last handle goes, all caches are gone and *allocated − recycled* is final; it is added
//! to the word, which is from then on the number of frames out:
//!
//! ```text
//!            last handle: + (allocated − recycled)
//!  −strays ─────────────────────────────────────────► frames out ── each stray −1 ──► 0: free
//! ```
//!
//! The word reaches 0 after the addition exactly once: by the addition, or by one stray. Models:
//! `two_frames_race_the_last_handle`, `a_frame_that_stays_out_keeps_the_pool`,
//! `strays_that_were_handed_out_again_count_anew`. *Not seen by them:* the pool itself, whose queue
//! of strays is crossbeam's.
//!
//! # Doorbell
//!
//! ```text
//!  worker                                giver
//!  state = sleeping                      work is published
//!  fence SeqCst                          fence SeqCst
//!  is there work? then stay up           is it sleeping? then wake it
//!  park                                  unpark
//! ```
//!
//! Of the two fences one is first. If the worker's, the giver sees it sleeping and wakes it; if the
//! giver's, the worker finds the work. While the worker is awake a ring is a fence and a load. A
//! wake-up that comes late, for a sleep that is over, is told from a real one by the state. Models:
//! `a_ring_is_not_slept_through`, `a_late_token_does_not_hide_the_next_ring`,
//! `two_givers_are_both_heard`, `a_ring_at_the_timeout_is_not_lost`. *Not seen by them:* crossbeam's
//! parker, which the model replaces by one of loom's primitives.
//!
//! # Counters
//!
//! One writer per block, by type, on cache lines of its own: a plain load and a plain store. Readers
//! see each counter at some moment and never going back; two counters may be from different
//! moments. What is added first and what last is chosen so that reports err to one side
//! ([accounting](super::accounting)).
