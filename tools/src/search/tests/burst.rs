//! Bursts into a buffer of known size.

use std::convert::Infallible;

use super::super::burst::{BackToBack, longest_burst};

/// Whether a burst at 10 million frames per second is too long for a buffer that is emptied at 8 million.
fn overflows(buffer: f64, frames: u64) -> bool {
    frames as f64 * (1.0 - 0.8) > buffer
}

fn search(first: u64, longest: u64, mut send: impl FnMut(u64) -> Option<bool>) -> Option<u64> {
    let found = longest_burst(first, longest, |frames| Ok::<_, Infallible>(send(frames)));
    found.unwrap()
}

#[test]
fn the_longest_burst_is_found_within_a_percent() {
    for buffer in [1.0, 20.0, 1_000.0, 1e6] {
        let truth = buffer / 0.2;
        for first in [1, 1024, 10_000_000] {
            let found = search(first, 20_000_000, |frames| Some(overflows(buffer, frames)));
            let found = found.unwrap() as f64;
            assert!(
                found <= truth && found >= (truth * 0.99).floor(),
                "{found}, not {truth}"
            );
        }
    }
}

#[test]
fn a_loss_that_does_not_come_again_is_not_believed() {
    let mut sent = 0;
    let found = search(1024, 1 << 20, |frames| {
        sent += 1;
        Some(sent % 2 == 1 || overflows(1_000.0, frames))
    });
    assert!(found.unwrap() >= 4_950, "{found:?}");
}

#[test]
fn no_burst_is_too_long_or_every_one_is() {
    assert_eq!(search(1024, 1 << 20, |_| Some(false)), Some(1 << 20));
    assert_eq!(search(1024, 512, |_| Some(false)), Some(512));
    assert_eq!(search(1024, 1 << 20, |_| Some(true)), Some(0));
    assert_eq!(search(1024, 1 << 20, |_| None), None);
}

#[test]
fn buffer_times_are_those_of_rfc_9004() {
    let found = BackToBack::of(&[4_900, 5_000, 5_100], 1 << 20, 10e6, Some(8e6)).unwrap();
    assert_eq!(
        (found.min_frames, found.max_frames, found.repeats),
        (4_900, 5_100, 3)
    );
    assert!(
        (found.mean_frames - 5_000.0).abs() < 1e-9 && (found.stddev_frames - 100.0).abs() < 1e-9
    );
    // 5,000 frames at 10 million a second; a fifth of them, the rest having been taken meanwhile.
    assert!((found.implied_buffer_s - 500e-6).abs() < 1e-12);
    assert!((found.corrected_buffer_s.unwrap() - 100e-6).abs() < 1e-12);
    assert!(!found.unlimited);
    let unknown = BackToBack::of(&[5_000], 1 << 20, 10e6, None).unwrap();
    assert_eq!(
        (unknown.corrected_buffer_s, unknown.stddev_frames),
        (None, 0.0)
    );
    assert!(
        BackToBack::of(&[1 << 20], 1 << 20, 10e6, None)
            .unwrap()
            .unlimited
    );
    assert_eq!(BackToBack::of(&[], 1, 1.0, None), None);
}
