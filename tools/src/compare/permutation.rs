//! How probable a difference is that is chance: tests that permute what was measured.

use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

/// So many samples of both sides, or fewer, have all the ways gone through in which they could have been
/// divided; so many pairs all the ways in which each could have been turned.
const ALL_DIVISIONS: usize = 60;
const ALL_SIGNS: usize = 16;

/// Of more, so many are drawn, or as many as this makes of samples in sum.
const DRAWS: usize = 1 << 16;
const SAMPLES: usize = 1 << 26;

/// Mann-Whitney's U test, two-sided: how often samples that are the same, divided by chance, have ranks
/// on one side that are as far from what is to be expected. Ties share their ranks. 1 where a side is empty.
pub(super) fn rank_sum(a: &[f64], b: &[f64]) -> f64 {
    let ranks = doubled_ranks(a, b);
    let (n, all) = (a.len(), ranks.len());
    if n == 0 || n == all {
        return 1.0;
    }
    // The mean of the doubled ranks is the number of all and one.
    let expected = (n * (all + 1)) as i64;
    let distance = |sum: usize| (sum as i64 - expected).abs();
    let seen = distance(ranks[..n].iter().sum());
    if all <= ALL_DIVISIONS {
        let ways = sums_of(&ranks, n);
        let total: f64 = ways.iter().sum();
        let sums = ways.iter().enumerate();
        let extreme = sums.filter(|(sum, _)| distance(*sum) >= seen);
        return extreme.map(|(_, ways)| ways).sum::<f64>() / total;
    }
    let mut shuffled = ranks;
    drawn(all, |random| {
        let (side, _) = shuffled.partial_shuffle(random, n);
        distance(side.iter().sum()) >= seen
    })
}

/// How often pairs of which it is chance which one is first have ratios that lead as far from 1, in the mean
/// of their logarithms.
pub(super) fn sign_flip(ratios: &[f64]) -> f64 {
    /// Sums of the same numbers in another order are the same.
    const SLACK: f64 = 1.0 - 1e-9;
    let logs: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
    let seen = logs.iter().sum::<f64>().abs() * SLACK;
    if logs.len() <= ALL_SIGNS {
        let all = 1usize << logs.len();
        let sum = |signs: usize| flipped(&logs, |i| signs >> i & 1 == 1);
        let extreme = (0..all).filter(|&signs| sum(signs).abs() >= seen);
        return extreme.count() as f64 / all as f64;
    }
    drawn(logs.len(), |random| {
        flipped(&logs, |_| random.random()).abs() >= seen
    })
}

/// The smallest that [`rank_sum`] can be of so many samples: of all the ways to divide them, two have all of
/// one side below all of the other.
pub(super) fn least_rank_sum(a: usize, b: usize) -> f64 {
    let ways: f64 = (1..=a).map(|i| (b + i) as f64 / i as f64).product();
    (2.0 / ways).min(1.0)
}

/// The smallest that [`sign_flip`] can be of so many pairs: two of all their signs lead as far as can be.
pub(super) fn least_sign_flip(pairs: usize) -> f64 {
    (1.0 - pairs as f64).exp2().min(1.0)
}

/// The sum with the signs of some turned.
fn flipped(logs: &[f64], mut turn: impl FnMut(usize) -> bool) -> f64 {
    let logs = logs.iter().enumerate();
    logs.map(|(i, log)| if turn(i) { -log } else { *log }).sum()
}

/// The share of draws that are extreme, what was seen being one of them; of `samples` samples each.
fn drawn(samples: usize, mut is_extreme: impl FnMut(&mut SmallRng) -> bool) -> f64 {
    let mut random = SmallRng::seed_from_u64(1);
    let draws = DRAWS.min(SAMPLES / samples).max(1000);
    let extreme = (0..draws).filter(|_| is_extreme(&mut random)).count();
    (extreme + 1) as f64 / (draws + 1) as f64
}

/// Twice the rank of each sample among all, the first side's first: equal ones have the mean of theirs.
fn doubled_ranks(a: &[f64], b: &[f64]) -> Vec<usize> {
    let all = [a, b].concat();
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|&i, &j| all[i].total_cmp(&all[j]));
    let mut ranks = vec![0; all.len()];
    let mut before = 0;
    for equal in order.chunk_by(|&i, &j| all[i] == all[j]) {
        // From before + 1 to before + the number of them.
        let rank = 2 * before + equal.len() + 1;
        equal.iter().for_each(|&i| ranks[i] = rank);
        before += equal.len();
    }
    ranks
}

/// In how many ways each sum can be had of `n` of the ranks.
fn sums_of(ranks: &[usize], n: usize) -> Vec<f64> {
    let largest: usize = ranks.iter().sum();
    let mut ways = vec![vec![0.0; largest + 1]; n + 1];
    ways[0][0] = 1.0;
    for &rank in ranks {
        // From the most on, so that each rank is taken once.
        for taken in (1..=n).rev() {
            for sum in rank..=largest {
                ways[taken][sum] += ways[taken - 1][sum - rank];
            }
        }
    }
    ways.swap_remove(n)
}
