//! Drawing endpoints or flows.

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, Zipf};

use crate::unit::Destinations;

/// Draws indices.
pub struct DestinationPicker {
    population: u32,
    law: Law,
    drawn: u64,
}

enum Law {
    Uniform,
    /// That of each rank: hot ones are anywhere, not neighbours in memory.
    Zipf(Zipf<f64>, Vec<u32>),
    One,
    Sequential,
    Hot {
        set: u32,
        frames: u32,
    },
}

impl DestinationPicker {
    /// A picker among a population (at least one).
    pub fn new(destinations: Destinations, population: u32, random: &mut impl Rng) -> Self {
        let population = population.max(1);
        let law = match destinations {
            Destinations::Uniform => Law::Uniform,
            Destinations::One => Law::One,
            Destinations::Sequential => Law::Sequential,
            Destinations::Hot { set, frames } => Law::Hot {
                set: set.clamp(1, population),
                frames: frames.max(1),
            },
            Destinations::Zipf(s) => match Zipf::new(f64::from(population), s) {
                Ok(zipf) => {
                    let mut by_rank: Vec<u32> = (0..population).collect();
                    by_rank.shuffle(random);
                    Law::Zipf(zipf, by_rank)
                }
                // An exponent of zero or less is the uniform law's limit.
                Err(_) => Law::Uniform,
            },
        };
        Self {
            population,
            law,
            drawn: 0,
        }
    }

    /// An index.
    pub fn draw(&mut self, random: &mut impl Rng) -> u32 {
        let number = self.drawn;
        self.drawn += 1;
        match &self.law {
            Law::Uniform => random.random_range(0..self.population),
            Law::One => 0,
            Law::Sequential => (number % u64::from(self.population)) as u32,
            Law::Zipf(zipf, by_rank) => {
                // Ranks are 1 to n, as floats.
                let rank = zipf.sample(random) as usize;
                by_rank.get(rank.saturating_sub(1)).copied().unwrap_or(0)
            }
            Law::Hot { set, frames } => {
                let sets = number / u64::from(*frames);
                let hot = u64::from(random.random_range(0..*set));
                ((sets * u64::from(*set) + hot) % u64::from(self.population)) as u32
            }
        }
    }
}
