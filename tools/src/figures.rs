//! Figures of results that are read back from files: each is one, or an error that names its field.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// No figure of a result is larger, whatever its unit: it is a thousand million times a thousand million.
const MOST: f64 = 1e18;

/// A figure that a result has.
///
/// # Errors
/// It is no number, less than nothing, or more than any is.
pub(crate) fn figure<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Figure::deserialize(from).map(|figure| figure.0)
}

/// A figure that a result may have: null, or not there, if it does not.
///
/// # Errors
/// As [`figure`].
pub(crate) fn figure_if_any<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    let figure = Option::<Figure>::deserialize(from)?;
    Ok(figure.map(|figure| figure.0))
}

/// Part of a whole, from 0 to 1.
///
/// # Errors
/// It is none.
pub(crate) fn share<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Share::deserialize(from).map(|share| share.0)
}

/// Part of a whole that a result may have.
///
/// # Errors
/// As [`share`].
pub(crate) fn share_if_any<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    let share = Option::<Share>::deserialize(from)?;
    Ok(share.map(|share| share.0))
}

/// Figures by name, some of which may be null.
///
/// # Errors
/// As [`figure`].
pub(crate) fn figures_by_name<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, Option<f64>>, D::Error> {
    let figures = BTreeMap::<String, Option<Figure>>::deserialize(from)?.into_iter();
    let value = |figure: Option<Figure>| figure.map(|figure| figure.0);
    Ok(figures
        .map(|(name, figure)| (name, value(figure)))
        .collect())
}

/// What a result may have: null, or not there, is as if it were empty, 0 or no.
///
/// # Errors
/// It is something else.
pub(crate) fn or_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

/// A part of the window of a run, which ends at `at_ms`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Interval {
    #[serde(deserialize_with = "figure")]
    pub(crate) at_ms: f64,
    #[serde(default)]
    pub(crate) received: Option<u64>,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(crate) p50_ns: Option<f64>,
    #[serde(default, deserialize_with = "figure_if_any")]
    pub(crate) p99_ns: Option<f64>,
}

/// Intervals that a result may have, in their order.
///
/// # Errors
/// One is none, or ends before one that it comes after.
pub(crate) fn intervals<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Interval>, D::Error> {
    let all: Vec<Interval> = or_default(from)?;
    let ends = all.iter().map(|interval| interval.at_ms);
    let next = ends.clone().skip(1);
    match ends.zip(next).find(|(end, next)| next < end) {
        None => Ok(all),
        Some((end, next)) => Err(D::Error::custom(format!(
            "an interval with at_ms {next} comes after one with {end}"
        ))),
    }
}

/// Reads JSON.
///
/// # Errors
/// What is wrong, and in which field, line and column.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| told(&error))?;
    json.end().map_err(|error| not_json(&error))?;
    Ok(parsed)
}

/// Reads what is wanted of JSON that has been read.
///
/// # Errors
/// What is wrong, and in which field.
pub(crate) fn of_value<T: DeserializeOwned>(json: &serde_json::Value) -> Result<T, String> {
    serde_path_to_error::deserialize(json).map_err(|error| told(&error))
}

fn told(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let (path, inner) = (error.path().to_string(), error.inner());
    // The message has line and column where there are any.
    let message = inner.to_string();
    // That a number is one that nothing can hold is no fault of the syntax, though it is taken for one.
    let is_number = message.starts_with("number out of range");
    if (inner.is_syntax() || inner.is_eof()) && !is_number {
        not_json(inner)
    } else if path == "." {
        message
    } else {
        format!("{path}: {message}")
    }
}

fn not_json(error: &serde_json::Error) -> String {
    format!("not JSON: {error}")
}

/// A number within what figures are.
struct Figure(f64);

/// A number within what shares are.
struct Share(f64);

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let within = Within {
            most: MOST,
            what: "a number from 0 to 1e18",
        };
        from.deserialize_f64(within).map(Self)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let within = Within {
            most: 1.0,
            what: "a share, from 0 to 1",
        };
        from.deserialize_f64(within).map(Self)
    }
}

/// Takes numbers from 0 to the most there can be.
struct Within {
    most: f64,
    what: &'static str,
}

impl Visitor<'_> for Within {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
        let figure = value as f64;
        if figure <= self.most {
            Ok(figure)
        } else {
            Err(E::invalid_value(Unexpected::Unsigned(value), &self))
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(value), &self)),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
        if (0.0..=self.most).contains(&value) {
            Ok(value)
        } else {
            Err(E::invalid_value(Unexpected::Float(value), &self))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Result {
        #[serde(deserialize_with = "figure")]
        rate: f64,
        #[serde(default, deserialize_with = "figure_if_any")]
        time: Option<f64>,
        #[serde(default, deserialize_with = "share_if_any")]
        lost: Option<f64>,
        #[serde(default, deserialize_with = "or_default")]
        names: Vec<String>,
    }

    fn refusal(text: &str) -> String {
        parse::<Result>(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_figure_is_a_number_that_something_can_have_been_measured_to_be() {
        let result = r#"{"rate": 5, "time": 0.5, "lost": 1, "names": ["a"]}"#;
        let result: Result = parse(result.as_bytes()).unwrap();
        assert_eq!(
            (result.rate, result.time, result.lost),
            (5.0, Some(0.5), Some(1.0))
        );
        assert_eq!(result.names, ["a"]);
        for (rate, why) in [
            ("-1", "invalid value: integer `-1`"),
            ("-0.5", "invalid value: floating point `-0.5`"),
            ("1e19", "invalid value: floating point `1e+19`"),
            (
                "18446744073709551615",
                "invalid value: integer `18446744073709551615`",
            ),
            ("null", "invalid type: null"),
            ("\"5\"", "invalid type: string \"5\""),
            ("[5]", "invalid type: sequence"),
        ] {
            let said = refusal(&format!("{{\"rate\": {rate}}}"));
            let expected = format!("rate: {why}, expected a number from 0 to 1e18 at line 1");
            assert!(said.starts_with(&expected), "{said}");
        }
        let said = refusal("{\n\"rate\": 1e400}");
        assert!(
            said.starts_with("rate: number out of range at line 2"),
            "{said}"
        );
        assert!(refusal("{}").starts_with("missing field `rate`"));
        let said = refusal("{\"rate\": 1, \"lost\": 1.01}");
        assert!(
            said.contains("lost: invalid value") && said.contains("a share, from 0 to 1"),
            "{said}"
        );
        assert!(refusal("{\"rate\": oops}").starts_with("not JSON: expected value at line 1"));
        assert!(refusal("{\"rate\": 1} 2").starts_with("not JSON: trailing characters"));
    }

    #[test]
    fn only_null_and_what_is_not_there_is_not_there() {
        for text in [
            r#"{"rate": 1}"#,
            r#"{"rate": 1, "time": null, "lost": null, "names": null}"#,
        ] {
            let result: Result = parse(text.as_bytes()).unwrap();
            assert_eq!((result.time, result.lost), (None, None));
            assert!(result.names.is_empty());
        }
        for (field, value) in [("time", "\"\""), ("lost", "false"), ("names", "0")] {
            let said = refusal(&format!("{{\"rate\": 1, \"{field}\": {value}}}"));
            assert!(
                said.starts_with(&format!("{field}: invalid type")),
                "{said}"
            );
        }
    }
}
