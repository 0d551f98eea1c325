//! Drawing destinations.

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, Zipf};

use crate::unit::Destinations;

/// Draws endpoint indices.
pub struct DestinationPicker {
    endpoints: u32,
    law: Law,
}

enum Law {
    Uniform,
    /// The endpoint of each rank: hot endpoints are anywhere, not neighbours in memory.
    Zipf(Zipf<f64>, Vec<u32>),
    One,
}

impl DestinationPicker {
    /// A picker among `endpoints` endpoints (at least one).
    pub fn new(destinations: Destinations, endpoints: u32, random: &mut impl Rng) -> Self {
        let endpoints = endpoints.max(1);
        let law = match destinations {
            Destinations::Uniform => Law::Uniform,
            Destinations::One => Law::One,
            Destinations::Zipf(s) => match Zipf::new(f64::from(endpoints), s) {
                Ok(zipf) => {
                    let mut by_rank: Vec<u32> = (0..endpoints).collect();
                    by_rank.shuffle(random);
                    Law::Zipf(zipf, by_rank)
                }
                // An exponent of zero or less is the uniform law's limit.
                Err(_) => Law::Uniform,
            },
        };
        Self { endpoints, law }
    }

    /// An endpoint's index.
    pub fn draw(&self, random: &mut impl Rng) -> u32 {
        match &self.law {
            Law::Uniform => random.random_range(0..self.endpoints),
            Law::One => 0,
            Law::Zipf(zipf, by_rank) => {
                // Ranks are 1 to n, as floats.
                let rank = zipf.sample(random) as usize;
                by_rank.get(rank.saturating_sub(1)).copied().unwrap_or(0)
            }
        }
    }
}
