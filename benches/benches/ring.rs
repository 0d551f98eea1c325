//! What does it cost to pass a frame's handle from one thread to another, one at a time or by the
//! burst, through our ring, rtrb, crossbeam's queue and the bounded channels? On one core, between
//! two cores, and between two cores with one line of each frame written and read: the bare ring
//! hand-over that `handover` is measured against.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use arrayvec::ArrayVec;
use corelane::frame::{BURST, Frame};
use corelane_benches::bare::Bare;
use corelane_benches::harness::{Bench, Budget, Sample, Stop, beside, in_rounds, in_windows};
use corelane_benches::random::Random;
use corelane_benches::rings::{
    Pop, Push, array_queue, crossbeam_channel, ours, ours_by_item, rtrb, rtrb_by_item, std_channel,
};
use corelane_benches::traffic::{Draw, Frames, Mix, Population};

/// As large as a frame's handle.
type Handle = [u64; 4];

const CAPACITY: usize = 1024;

fn main() -> ExitCode {
    assert_eq!(size_of::<Handle>(), size_of::<Frame>());
    Bench::main("ring", |bench| {
        bench
            .group("ring-one-core")
            .case("ours-burst-64", |_| one_core::<_, _, 64>(ours(CAPACITY)))
            .case("ours-burst-32", |_| one_core::<_, _, 32>(ours(CAPACITY)))
            .case("ours-item", |_| {
                one_core::<_, _, 64>(ours_by_item(CAPACITY))
            })
            .case("rtrb-chunk-64", |_| one_core::<_, _, 64>(rtrb(CAPACITY)))
            .case("rtrb-chunk-32", |_| one_core::<_, _, 32>(rtrb(CAPACITY)))
            .case("rtrb-item", |_| {
                one_core::<_, _, 64>(rtrb_by_item(CAPACITY))
            })
            .case("array-queue", |_| {
                one_core::<_, _, 64>(array_queue(CAPACITY))
            })
            .case("crossbeam-channel", |_| {
                one_core::<_, _, 64>(crossbeam_channel(CAPACITY))
            })
            .case("std-channel", |_| {
                one_core::<_, _, 64>(std_channel(CAPACITY))
            })
            .run();
        bench
            .group("ring-handles")
            .two_cores()
            .case("ours-burst-64", |_| two_cores::<_, _, 64>(ours(CAPACITY)))
            .case("ours-burst-32", |_| two_cores::<_, _, 32>(ours(CAPACITY)))
            .case("ours-item", |_| {
                two_cores::<_, _, 64>(ours_by_item(CAPACITY))
            })
            .case("rtrb-chunk-64", |_| two_cores::<_, _, 64>(rtrb(CAPACITY)))
            .case("rtrb-chunk-32", |_| two_cores::<_, _, 32>(rtrb(CAPACITY)))
            .case("rtrb-item", |_| {
                two_cores::<_, _, 64>(rtrb_by_item(CAPACITY))
            })
            .case("array-queue", |_| {
                two_cores::<_, _, 64>(array_queue(CAPACITY))
            })
            .case("crossbeam-channel", |_| {
                two_cores::<_, _, 64>(crossbeam_channel(CAPACITY))
            })
            .case("std-channel", |_| {
                two_cores::<_, _, 64>(std_channel(CAPACITY))
            })
            .run();
        bench
            .group("ring-lines")
            .two_cores()
            .case("ours-burst-64", |_| lines(ours))
            .case("ours-item", |_| lines(ours_by_item))
            .case("rtrb-chunk-64", |_| lines(rtrb))
            .case("rtrb-item", |_| lines(rtrb_by_item))
            .case("array-queue", |_| lines(array_queue))
            .case("crossbeam-channel", |_| lines(crossbeam_channel))
            .case("std-channel", |_| lines(std_channel))
            .run();
    })
}

/// Adds the next items to a burst, as far as it has room.
#[inline]
fn make<const N: usize>(burst: &mut ArrayVec<Handle, N>, next: &mut u64) {
    while !burst.is_full() {
        burst.push([*next, 1, 2, 3]);
        *next += 1;
    }
}

/// The sum of the numbers below `end`.
fn triangle(end: u64) -> u64 {
    end * end.saturating_sub(1) / 2
}

/// Fills the ring and empties it: time per item for both.
fn one_core<P, C, const N: usize>(
    (mut producer, mut consumer): (P, C),
) -> impl FnMut(Budget) -> Sample
where
    P: Push<Handle, N>,
    C: Pop<Handle, N>,
{
    move |budget| {
        in_rounds(budget, || {
            let mut burst = ArrayVec::new();
            let mut next = 0;
            let mut received = 0;
            let mut sum = 0;
            let start = Instant::now();
            while next < CAPACITY as u64 {
                make(&mut burst, &mut next);
                producer.push(&mut burst);
            }
            loop {
                let n = consumer.pop(&mut burst);
                if n == 0 {
                    break;
                }
                received += n as u64;
                sum += burst.drain(..).map(|item| item[0]).sum::<u64>();
            }
            black_box(sum);
            let time = start.elapsed();
            assert_eq!((received, sum), (next, triangle(next)));
            (received, time)
        })
    }
}

/// One thread pushes what it can, the other pops: time per item.
fn two_cores<P, C, const N: usize>(
    (mut producer, mut consumer): (P, C),
) -> impl FnMut(Budget) -> Sample
where
    P: Push<Handle, N>,
    C: Pop<Handle, N>,
{
    move |budget| {
        let send = |stop: &mut Stop<'_>| {
            let mut burst = ArrayVec::new();
            let mut next = 0;
            while !stop.requested() {
                make(&mut burst, &mut next);
                producer.push(&mut burst);
            }
            let unsent: u64 = burst.iter().map(|item| item[0]).sum();
            (next - burst.len() as u64, triangle(next) - unsent)
        };
        let mut received = 0;
        let mut sum = 0;
        let mut burst = ArrayVec::new();
        let mut take = || {
            let n = consumer.pop(&mut burst) as u64;
            sum += burst.drain(..).map(|item| item[0]).sum::<u64>();
            received += n;
            n
        };
        let (sent, sample) = beside(send, || in_windows(budget, &mut take));
        while take() > 0 {}
        assert_eq!(sent, (received, sum));
        sample
    }
}

/// Frames from a pool and back, with one line written and read.
fn lines<P, C>(ring: impl FnOnce(usize) -> (P, C)) -> impl FnMut(Budget) -> Sample
where
    P: Push<Frame, BURST>,
    C: Pop<Frame, BURST>,
{
    let population = Population {
        mix: Mix::Mixed,
        len: 1_000,
    };
    let draw = Draw {
        population,
        hit: true,
        random: Random::new(1),
    };
    let mut bare = Bare::new(Frames::lay_out(draw, 1 << 12), CAPACITY, ring);
    move |budget| bare.sample_handover(budget)
}
