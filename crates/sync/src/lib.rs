//! What workers share, without locks.
//!
//! Each part is one file or folder. None takes a lock, allocates or makes a system call on the
//! datapath, except that waking a worker that sleeps may take one.
//!
//! | part | is for | claims, and where each is shown |
//! |---|---|---|
//! | [`ring`](mod@ring) | bursts from one thread to one other | items arrive in order, once, whole, also across the wrap; what is inside is dropped once; closed is seen after the last item; the same of rings that seats have (`SeatRings`): `tests/loom_ring.rs`. Same as a `VecDeque`, also where indices wrap: `src/ring/tests.rs` |
//! | [`depot`] | magazines of free slots between per-thread caches | none in two hands, torn or lost, a top that came back is noticed (ABA): `tests/loom_depot.rs` |
//! | [`refs`] | kind and count of an endpoint in one word | zero is final, the last release is told once: `tests/loom_refs.rs`; with snapshots, no use after close: `tests/loom_lifetime.rs` |
//! | [`snapshot`] | state that many read per burst and one replaces | a retired snapshot and its garbage outlive their last reader, and the publisher frees: `tests/loom_snapshot.rs` |
//! | [`counters`] | counts by one writer, read by all | no read-modify-write, no line shared by two writers, no counter seen going back: `src/counters.rs` |
//! | [`doorbell`](mod@doorbell) | waking a worker that sleeps | no ring is slept through: `tests/loom_doorbell.rs` |
//! | [`calls`] | counting changes for a thread that looks at them in rounds | none is slept through, a counted one is seen: `tests/loom_calls.rs` |
//! | [`slab`] | storage that grows while it is read | addresses are stable, elements begin as zeros: `src/slab/tests.rs` |
//! | [`seat`] | values that belong to one thread each | a reference to a cell is the only one, by type: `src/seat.rs` |
//! | [`prefetch`] | asking for a line before it is needed | sound for any reference: `src/prefetch.rs` |
//! | [`isa`] | loops with the processor's newer instructions | the same results with and without: `src/isa.rs` |
//! | [`alloc_count`] | an allocator that counts, for binaries and tests | thread by thread, without allocating itself: `src/alloc_count.rs` |
//! | [`primitive`] | atomics, cells and threads: the standard ones or loom's | the code that loom explores is the code that runs |
//!
//! The loom tests run with
//! `RUSTFLAGS='--cfg loom' cargo test -p corelane-sync --release --test 'loom_*'`; each tells its
//! race in prose above the model.
//!
//! This is the first of the crates that may use `unsafe`; every block states the invariant it
//! relies on.

#[cfg(not(loom))]
pub mod alloc_count;
pub mod calls;
#[cfg(not(loom))]
pub mod clmul;
pub mod counters;
pub mod depot;
pub mod doorbell;
pub mod isa;
pub mod prefetch;
pub mod primitive;
pub mod refs;
pub mod ring;
pub mod seat;
pub mod slab;
pub mod snapshot;
