//! Back-to-back frames (RFC 2544, section 26.4; RFC 9004).

use serde::Serialize;

/// How close the bounds of a burst's length have to come, as a share of it.
const WIDTH: f64 = 0.01;

/// The longest burst at the largest rate of which nothing is lost, as a number of frames: one search, by
/// doubling from `first` and then by bisection. A loss is believed when it happens twice (RFC 9004, section
/// 5.2: search with loss verification). `send` sends a burst and says whether something was lost; None
/// ends the search.
///
/// Returns None if it was ended; the length is `longest` if nothing was lost of that either.
pub(super) fn longest_burst<E>(
    first: u64,
    longest: u64,
    mut send: impl FnMut(u64) -> Result<Option<bool>, E>,
) -> Result<Option<u64>, E> {
    let mut is_lossy = |frames| {
        for _ in 0..2 {
            match send(frames)? {
                None => return Ok(None),
                Some(false) => return Ok(Some(false)),
                Some(true) => {}
            }
        }
        Ok(Some(true))
    };
    let (mut low, mut high) = (0, None);
    let mut next = first.clamp(1, longest);
    loop {
        match is_lossy(next)? {
            None => return Ok(None),
            Some(true) => high = Some(next),
            Some(false) => low = next,
        }
        next = match high {
            None if low >= longest => return Ok(Some(longest)),
            None => low.saturating_mul(2).min(longest),
            Some(high) if high - low <= 1 || ((high - low) as f64) <= high as f64 * WIDTH => {
                return Ok(Some(low));
            }
            Some(high) => low + (high - low) / 2,
        };
    }
}

/// What the searches found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BackToBack {
    /// The rate within a burst, in frames per second: the most that the generator sends.
    pub max_rate_pps: f64,
    /// Searches.
    pub repeats: usize,
    /// The mean of the longest bursts without loss, in frames: RFC 9004's Back-to-Back value.
    pub mean_frames: f64,
    /// The shortest.
    pub min_frames: u64,
    /// The longest.
    pub max_frames: u64,
    /// The standard deviation.
    pub stddev_frames: f64,
    /// Implied DUT Buffer Time: the mean by the rate, in seconds.
    pub implied_buffer_s: f64,
    /// Corrected DUT Buffer Time, in seconds: less what the system takes from the buffer meanwhile at its
    /// throughput. None where the throughput is not known.
    pub corrected_buffer_s: Option<f64>,
    /// Whether a burst of any length came through: the system takes the largest rate, and the figures
    /// say nothing about its buffers.
    pub unlimited: bool,
}

impl BackToBack {
    /// From the lengths that were found; None if there are none.
    pub(super) fn of(
        lengths: &[u64],
        longest: u64,
        max_rate_pps: f64,
        throughput_pps: Option<f64>,
    ) -> Option<Self> {
        let (min_frames, max_frames) = (*lengths.iter().min()?, *lengths.iter().max()?);
        let n = lengths.len() as f64;
        let mean_frames = lengths.iter().map(|&frames| frames as f64).sum::<f64>() / n;
        let squares = lengths
            .iter()
            .map(|&frames| (frames as f64 - mean_frames).powi(2));
        let stddev_frames = (squares.sum::<f64>() / (n - 1.0).max(1.0)).sqrt();
        let implied_buffer_s = mean_frames / max_rate_pps;
        Some(Self {
            max_rate_pps,
            repeats: lengths.len(),
            mean_frames,
            min_frames,
            max_frames,
            stddev_frames,
            implied_buffer_s,
            corrected_buffer_s: throughput_pps
                .map(|pps| implied_buffer_s * (1.0 - pps / max_rate_pps).max(0.0)),
            unlimited: min_frames >= longest,
        })
    }
}
