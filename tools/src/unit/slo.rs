//! What a result has to reach.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Rate, ValueError, duration, nearest, ratio};

/// Targets, all of which have to be met: `p99<50us,loss=0`.
#[derive(Clone, Debug, PartialEq)]
pub struct Slo(Vec<Goal>);

/// A target.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// Of what.
    pub metric: Metric,
    /// How it has to compare.
    pub order: Order,
    /// To what: nanoseconds, a share or frames per second.
    pub bound: f64,
    text: String,
}

/// What a target is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// A latency, by its quantile in millionths; a million is the largest.
    Latency(u32),
    /// The share of intended frames that were not received.
    Loss,
    /// Frames received per second.
    Rate,
}

/// How a figure compares to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Less.
    Less,
    /// Less, or the same.
    AtMost,
    /// The same.
    Equal,
    /// The same, or more.
    AtLeast,
    /// More.
    More,
}

const METRICS: [(&str, Metric); 9] = [
    ("p50", Metric::Latency(500_000)),
    ("p90", Metric::Latency(900_000)),
    ("p99", Metric::Latency(990_000)),
    ("p99.9", Metric::Latency(999_000)),
    ("p99.99", Metric::Latency(999_900)),
    ("p99.999", Metric::Latency(999_990)),
    ("max", Metric::Latency(1_000_000)),
    ("loss", Metric::Loss),
    ("rate", Metric::Rate),
];

/// The longest first, so that `<=` is not taken for `<`.
const ORDERS: [(&str, Order); 6] = [
    ("<=", Order::AtMost),
    (">=", Order::AtLeast),
    ("==", Order::Equal),
    ("<", Order::Less),
    (">", Order::More),
    ("=", Order::Equal),
];

impl Slo {
    /// The targets.
    pub fn goals(&self) -> &[Goal] {
        &self.0
    }

    /// Whether one is about latency, which then has to be measured.
    pub fn needs_latency(&self) -> bool {
        let latency = |goal: &Goal| matches!(goal.metric, Metric::Latency(_));
        self.0.iter().any(latency)
    }
}

impl Goal {
    /// Whether a figure meets it.
    pub fn is_met_by(&self, figure: f64) -> bool {
        match self.order {
            Order::Less => figure < self.bound,
            Order::AtMost => figure <= self.bound,
            Order::Equal => figure == self.bound,
            Order::AtLeast => figure >= self.bound,
            Order::More => figure > self.bound,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Goal {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let text = text.trim();
        let error = |why: String, nearest: String| Err(ValueError::new(text, why, nearest));
        let found = ORDERS.iter().find_map(|(sign, order)| {
            let (left, right) = text.split_once(sign)?;
            Some((left.trim().to_lowercase(), right.trim(), *sign, *order))
        });
        let Some((word, bound, sign, order)) = found else {
            return error(
                "is not a target: it has none of < <= = >= >".to_owned(),
                "p99<50us".to_owned(),
            );
        };
        let Some((_, metric)) = METRICS.iter().find(|(known, _)| *known == word) else {
            let known = METRICS.map(|(known, _)| known);
            let meant = nearest(&word, known).unwrap_or("p99");
            return error(
                format!("is not a target: '{word}' is none of {}", known.join(", ")),
                format!("{meant}{sign}{bound}"),
            );
        };
        let parsed = match metric {
            Metric::Latency(_) => duration(bound, Duration::ZERO..=Duration::from_secs(100))
                .map(|bound| bound.as_nanos() as f64),
            Metric::Loss => ratio(bound),
            Metric::Rate => bound.parse::<Rate>().and_then(|rate| match rate {
                Rate::Pps(pps) => Ok(pps),
                _ => Err(ValueError::new(
                    bound,
                    "is not in frames per second",
                    "1Mpps",
                )),
            }),
        };
        match parsed {
            Ok(bound) => Ok(Self {
                metric: *metric,
                order,
                bound,
                text: text.to_owned(),
            }),
            Err(inner) => error(
                format!("is not a target: '{}' {}", inner.value, inner.why),
                format!("{word}{sign}{}", inner.nearest),
            ),
        }
    }
}

impl FromStr for Slo {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let goals = text.split(',').map(str::parse);
        goals.collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let goals: Vec<_> = self.0.iter().map(|goal| goal.text.as_str()).collect();
        f.write_str(&goals.join(","))
    }
}
