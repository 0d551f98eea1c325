//! Is a difference real?

use serde::Serialize;

use super::permutation::{least_rank_sum, least_sign_flip, rank_sum, sign_flip};
use super::{Better, Figure};

/// How improbable what was seen has to be if there were no difference, for it to be called real; shared by
/// all figures of a comparison, so that one of many does not stand out by chance.
const SIGNIFICANCE: f64 = 0.05;

/// What is found of the samples of one side.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How many there are.
    pub samples: usize,
    /// Their median.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The distance between their quartiles by the median: the spread.
    pub spread: f64,
}

/// What a comparison of one figure comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// B is better, and not by chance.
    Better,
    /// B is worse, and not by chance.
    Worse,
    /// Such a difference is to be expected between two that are the same.
    NoDifference,
    /// There are so few samples that no difference of theirs could be more than chance.
    TooFew,
    /// Likewise, of rounds.
    TooFewRounds,
    /// The sides were not measured under the same conditions.
    NotComparable,
}

/// One figure of both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// Which is better.
    pub better: Better,
    /// Its unit.
    pub unit: &'static str,
    /// The one side.
    pub a: Summary,
    /// The other.
    pub b: Summary,
    /// B by A: of the medians; of pairs, the median of their ratios.
    pub ratio: f64,
    /// How probable a difference as large would be, were there none; null with too few samples.
    pub p_value: Option<f64>,
    /// How many samples of each side are enough to tell, where there are too few; null otherwise.
    pub enough: Option<usize>,
    /// What it comes to.
    pub verdict: Verdict,
    /// Whether B is worse by more than is tolerated, and not by chance.
    pub regression: bool,
}

/// How figures are judged.
#[derive(Clone, Copy, Debug)]
pub struct Judge {
    /// Whether sample i of one side was measured right beside sample i of the other.
    pub paired: bool,
    /// How much worse B may be, as a share.
    pub tolerance: f64,
    /// Whether the sides may be compared.
    pub comparable: bool,
}

impl Judge {
    /// The name of the test.
    pub fn test(&self) -> &'static str {
        if self.paired {
            "sign_flip"
        } else {
            "mann_whitney_u"
        }
    }

    /// Compares the figures that both have, by their names.
    pub fn compare(&self, a: &[Figure], b: &[Figure]) -> Vec<Compared> {
        let both: Vec<(&Figure, &Figure)> = a
            .iter()
            .filter_map(|a| Some((a, b.iter().find(|b| b.name == a.name)?)))
            .collect();
        let significance = significance(both.len());
        both.into_iter()
            .filter_map(|(a, b)| self.one(a, b, significance))
            .collect()
    }

    fn one(&self, a: &Figure, b: &Figure, significance: f64) -> Option<Compared> {
        let (of_a, of_b) = (Summary::of(&a.samples)?, Summary::of(&b.samples)?);
        let ratios: Vec<f64> = a
            .samples
            .iter()
            .zip(&b.samples)
            .map(|(a, b)| b / a)
            .collect();
        let ratio = if self.paired {
            quantile(&sorted(&ratios), 0.5)?
        } else {
            of_b.median / of_a.median
        };
        let can_tell = least_p(self.paired, of_a.samples, of_b.samples) < significance;
        let p_value = can_tell.then(|| {
            if self.paired {
                sign_flip(&ratios)
            } else {
                rank_sum(&a.samples, &b.samples)
            }
        });
        let gain = match a.better {
            Better::Higher => ratio - 1.0,
            Better::Lower => 1.0 - ratio,
        };
        let verdict = match p_value {
            _ if !self.comparable => Verdict::NotComparable,
            None if self.paired => Verdict::TooFewRounds,
            None => Verdict::TooFew,
            Some(p) if p >= significance => Verdict::NoDifference,
            Some(_) if gain > 0.0 => Verdict::Better,
            Some(_) if gain < 0.0 => Verdict::Worse,
            Some(_) => Verdict::NoDifference,
        };
        Some(Compared {
            name: a.name.clone(),
            better: a.better,
            unit: a.unit,
            a: of_a,
            b: of_b,
            ratio,
            p_value,
            enough: (!can_tell).then(|| enough(self.paired, significance)),
            verdict,
            regression: verdict == Verdict::Worse && -gain > self.tolerance,
        })
    }
}

/// How improbable something has to be to be real, of one of so many figures.
fn significance(figures: usize) -> f64 {
    SIGNIFICANCE / figures.max(1) as f64
}

/// The smallest probability that the test of so many samples can come to.
fn least_p(paired: bool, a: usize, b: usize) -> f64 {
    if paired {
        least_sign_flip(a.min(b))
    } else {
        least_rank_sum(a, b)
    }
}

/// How many samples of each side it takes for the test to find anything.
fn enough(paired: bool, significance: f64) -> usize {
    let mut samples = 1;
    // It ends: with each more, the least is half as large, or smaller.
    while least_p(paired, samples, samples) >= significance {
        samples += 1;
    }
    samples
}

/// How many rounds it takes to find anything of so many figures.
pub(super) fn enough_rounds(figures: usize) -> usize {
    enough(true, significance(figures))
}

impl Compared {
    /// Whether there are too few samples for any difference to be real.
    pub fn is_too_few(&self) -> bool {
        matches!(self.verdict, Verdict::TooFew | Verdict::TooFewRounds)
    }

    /// Whether both sides have it several times.
    pub fn is_repeated(&self) -> bool {
        self.a.samples > 1 && self.b.samples > 1
    }
}

impl Summary {
    /// Of samples; None without any.
    fn of(samples: &[f64]) -> Option<Self> {
        let sorted = sorted(samples);
        let at = |q| quantile(&sorted, q);
        let median = at(0.5)?;
        Some(Self {
            samples: sorted.len(),
            median,
            min: at(0.0)?,
            max: at(1.0)?,
            spread: (at(0.75)? - at(0.25)?) / median,
        })
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// By linear interpolation.
fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let at = (sorted.len().checked_sub(1)?) as f64 * q;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    Some(low + (high - low) * at.fract())
}
