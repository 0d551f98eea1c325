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
    /// To what, in the metric's unit.
    pub bound: f64,
    /// What is compared, as it was written.
    pub word: String,
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
    /// Frames per second that a search found for the goal with this name.
    Found,
}

impl Metric {
    /// What its figures are in: nanoseconds, a share, or frames per second.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Latency(_) => "ns",
            Self::Loss => "ratio",
            Self::Rate | Self::Found => "pps",
        }
    }
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

    /// The targets of a search: latencies, and rates under the names of its goals, whatever they are: `ndr>=10Mpps`.
    ///
    /// # Errors
    /// What is no target.
    pub fn of_search(text: &str) -> Result<Self, ValueError> {
        let goals = text.split(',').map(|text| Goal::read(text, of_search));
        goals.collect::<Result<_, _>>().map(Self)
    }

    /// Whether one is about latency, which then has to be measured.
    pub fn needs_latency(&self) -> bool {
        let latency = |goal: &Goal| matches!(goal.metric, Metric::Latency(_));
        self.0.iter().any(latency)
    }
}

/// The metric of a run that is written so, before `rest` of the target; or why there is none, and which target may be
/// meant.
fn of_run(word: &str, rest: &str) -> Result<Metric, (String, String)> {
    let found = METRICS.iter().find(|(known, _)| *known == word);
    found.map(|(_, metric)| *metric).ok_or_else(|| {
        let known = METRICS.map(|(known, _)| known);
        let meant = nearest(word, known).unwrap_or("p99");
        (
            format!("is none of {}", known.join(", ")),
            format!("{meant}{rest}"),
        )
    })
}

/// The metric of a search, likewise.
fn of_search(word: &str, rest: &str) -> Result<Metric, (String, String)> {
    match of_run(word, rest) {
        Ok(metric @ Metric::Latency(_)) => Ok(metric),
        // What may be lost is said by a goal, and what is found then is its rate.
        Ok(Metric::Loss) => Err((
            "is what a goal of a search may lose, for which --goal is; a target is its rate, by its name"
                .to_owned(),
            "ndr>=10Mpps".to_owned(),
        )),
        Ok(_) => Err((
            "is found for each goal of a search, by whose name it is known".to_owned(),
            format!("ndr{rest}"),
        )),
        Err(_) if word.is_empty() => Err(("is no goal's name".to_owned(), format!("ndr{rest}"))),
        Err(_) => Ok(Metric::Found),
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

impl Goal {
    /// Reads a target about something that `metric` knows, or tells why it does not and what may be meant.
    fn read(
        text: &str,
        metric: impl Fn(&str, &str) -> Result<Metric, (String, String)>,
    ) -> Result<Self, ValueError> {
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
        let metric = match metric(&word, &format!("{sign}{bound}")) {
            Ok(metric) => metric,
            Err((why, meant)) => {
                return error(format!("is not a target: '{word}' {why}"), meant);
            }
        };
        let parsed = match metric {
            // Of seconds, as elsewhere, nobody thinks here.
            Metric::Latency(_) if !bound.contains(char::is_alphabetic) => Err(ValueError::new(
                bound,
                "is not a time: it has no unit",
                format!("{bound}us"),
            )),
            Metric::Latency(_) => duration(bound, Duration::ZERO..=Duration::from_secs(100))
                .map(|bound| bound.as_nanos() as f64),
            Metric::Loss => ratio(bound),
            Metric::Rate | Metric::Found => bound.parse::<Rate>().and_then(|rate| match rate {
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
                metric,
                order,
                bound,
                word,
                text: text.to_owned(),
            }),
            Err(inner) => error(
                format!("is not a target: '{}' {}", inner.value, inner.why),
                format!("{word}{sign}{}", inner.nearest),
            ),
        }
    }
}

impl FromStr for Goal {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::read(text, of_run)
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
