//! Conditions of a result, in words.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::scaled;

type Object = Map<String, Value>;

/// What is said of a stream of a profile or of a goal of a search, in this order, unless it is this: as it is where nobody
/// says anything.
const TERMS: [(&str, Option<&str>); 22] = [
    ("pps", None),
    ("arrival", None),
    ("frame_size", None),
    ("start_s", Some("0.0")),
    ("stop_s", None),
    ("family", Some("mixed")),
    ("destinations", Some("uniform")),
    ("hit_ratio", Some("1.0")),
    ("flows", Some("4096")),
    ("flow_law", Some("uniform")),
    ("protocols", Some("udp")),
    ("protocols_of", None),
    ("malformed", Some("0.0")),
    ("vlan", None),
    ("port", None),
    ("loss_ratio", None),
    ("exceed_ratio", None),
    ("width", None),
    ("initial_trial_s", None),
    ("final_trial_s", None),
    ("duration_sum_s", None),
    // It follows from others.
    (MEAN, None),
];

const MEAN: &str = "mean_bytes";

/// A condition in words; none if it was not in effect.
pub fn condition(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Array(items) => {
            let items: Vec<_> = match named(value) {
                Some(things) => things.iter().map(Thing::describe).collect(),
                None => items.iter().filter_map(condition).collect(),
            };
            let separator = if named(value).is_some() { "; " } else { ", " };
            (!items.is_empty()).then(|| items.join(separator))
        }
        Value::Object(object) => {
            let terms = object.iter().filter_map(|(key, value)| term(key, value));
            Some(terms.collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => Some(printable(text)),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
    }
}

/// How a condition differs of two results, A and B, in words. Of streams and goals it is said in what they do.
pub fn difference(a: &Value, b: &Value) -> String {
    let (Some(things_a), Some(things_b)) = (named(a), named(b)) else {
        return both(condition(a), condition(b), a, b);
    };
    let mut parts = Vec::new();
    for thing in &things_a {
        match things_b.iter().find(|other| other.name == thing.name) {
            Some(other) => parts.extend(thing.difference(other)),
            None => parts.push(format!("{} only in A", thing.name)),
        }
    }
    let is_new = |other: &&Thing<'_>| things_a.iter().all(|thing| thing.name != other.name);
    let new = things_b.iter().filter(is_new);
    parts.extend(new.map(|other| format!("{} only in B", other.name)));
    if parts.is_empty() {
        "in another order".to_owned()
    } else {
        parts.join("; ")
    }
}

/// Both, as they are where they are the same in words.
fn both(in_a: Option<String>, in_b: Option<String>, a: &Value, b: &Value) -> String {
    let or_none = |words: Option<String>| words.unwrap_or_else(|| "none".to_owned());
    let (in_a, in_b) = (or_none(in_a), or_none(in_b));
    if in_a == in_b {
        format!("{a} in A, {b} in B")
    } else {
        format!("{in_a} in A, {in_b} in B")
    }
}

/// A stream or a goal.
struct Thing<'a> {
    name: String,
    terms: &'a Object,
}

/// The things of a list that have names: of one list, or of one for each size of frames.
fn named(value: &Value) -> Option<Vec<Thing<'_>>> {
    let items = value.as_array().filter(|items| !items.is_empty())?;
    if let Some(things) = things(items) {
        return Some(things);
    }
    let lists: Option<Vec<_>> = items.iter().map(|list| things(list.as_array()?)).collect();
    let mut lists = lists?;
    if lists.len() > 1 {
        for (number, list) in (1..).zip(&mut lists) {
            for thing in list {
                let name = &thing.name;
                thing.name = format!("{name} (size {number})");
            }
        }
    }
    Some(lists.into_iter().flatten().collect())
}

fn things(items: &[Value]) -> Option<Vec<Thing<'_>>> {
    let thing = |item| {
        let terms = Value::as_object(item)?;
        let name = printable(terms.get("name")?.as_str()?);
        Some(Thing { name, terms })
    };
    items.iter().map(thing).collect()
}

impl Thing<'_> {
    fn describe(&self) -> String {
        let mut text = self.name.clone();
        for (i, said) in self.terms().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            // Writing to a string does not fail.
            let _ = write!(text, "{comma} {said}");
        }
        text
    }

    /// What is to be said of it.
    fn terms(&self) -> impl Iterator<Item = String> {
        let known = TERMS.iter().filter(|(key, _)| *key != MEAN);
        let known = known.filter_map(|(key, usual)| {
            let value = self.terms.get(*key)?;
            let is_usual = usual.is_some_and(|usual| is_so(value, usual));
            if is_usual { None } else { term(key, value) }
        });
        let is_known = |key: &str| key == "name" || TERMS.iter().any(|(known, _)| *known == key);
        let others = self.terms.iter().filter(move |(key, _)| !is_known(key));
        known.chain(others.filter_map(|(key, value)| term(key, value)))
    }

    /// In what another one of the same name differs.
    fn difference(&self, other: &Self) -> Option<String> {
        let of = |thing: &Self, key: &str| thing.terms.get(key).cloned().unwrap_or_default();
        let mut keys: Vec<&str> = TERMS.iter().map(|(key, _)| *key).collect();
        for key in self.terms.keys().chain(other.terms.keys()) {
            if !keys.contains(&key.as_str()) {
                keys.push(key);
            }
        }
        keys.retain(|key| of(self, key) != of(other, key));
        if keys.len() > 1 {
            keys.retain(|key| *key != MEAN);
        }
        let parts: Vec<_> = keys
            .into_iter()
            .map(|key| {
                let (a, b) = (of(self, key), of(other, key));
                both(term(key, &a), term(key, &b), &a, &b)
            })
            .collect();
        (!parts.is_empty()).then(|| format!("{}: {}", self.name, parts.join(", ")))
    }
}

/// Whether a value is this, whether it is a text or a number.
fn is_so(value: &Value, usual: &str) -> bool {
    match value.as_f64() {
        Some(number) => usual.parse() == Ok(number),
        None => value.as_str() == Some(usual),
    }
}

/// A term of a stream or a goal; none if it says nothing.
fn term(key: &str, value: &Value) -> Option<String> {
    let text = condition(value)?;
    let number = value.as_f64();
    let percent = |of: f64| (of * 1e6).round() / 1e4;
    Some(match (key, number) {
        ("pps", Some(pps)) => scaled(pps, "pps"),
        ("arrival", _) => text,
        ("frame_size", _) if text.parse::<u32>().is_ok() => format!("{text} bytes"),
        ("frame_size", _) => text,
        (MEAN, Some(bytes)) => format!("{bytes:.1} bytes in the mean"),
        ("start_s", Some(s)) => format!("from {s} s"),
        ("stop_s", Some(s)) => format!("to {s} s"),
        ("hit_ratio", Some(hits)) => format!("{}% hit", percent(hits)),
        ("malformed", Some(part)) => format!("{}% malformed", percent(part)),
        ("protocols_of", _) => format!("as in {text}"),
        ("protocols", _) => text,
        ("flows", _) => format!("{text} flows"),
        ("vlan", _) => format!("VLAN {text}"),
        ("loss_ratio", Some(part)) => format!("loss {}%", percent(part)),
        ("exceed_ratio", Some(part)) => format!("exceed {}%", percent(part)),
        ("width", Some(part)) => format!("width {}%", percent(part)),
        ("initial_trial_s", Some(s)) => format!("initial {s} s"),
        ("final_trial_s", Some(s)) => format!("trial {s} s"),
        ("duration_sum_s", Some(s)) => format!("sum {s} s"),
        _ => format!("{} {text}", printable(key).replace('_', " ")),
    })
}

/// A text of a file, which is not to do anything to who shows it.
fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn voice() -> Value {
        json!({
            "name": "voice", "pps": 50e3, "arrival": "poisson", "start_s": 0.0, "stop_s": null, "frame_size": "214",
            "mean_bytes": 214.0, "family": "mixed", "destinations": "uniform", "hit_ratio": 1.0, "flows": 4096,
            "flow_law": "uniform", "protocols": "udp", "protocols_of": null, "malformed": 0.0, "vlan": [], "port": null,
        })
    }

    fn attack() -> Value {
        let mut attack = voice();
        for (key, value) in [
            ("name", json!("attack")),
            ("arrival", json!("onoff:10ms:90ms")),
            ("start_s", json!(0.5)),
            ("frame_size", json!("imix")),
            ("family", json!("v4")),
            ("hit_ratio", json!(0.25)),
            ("protocols", json!("tcp-syn:9,icmp-echo:1")),
            ("malformed", json!(0.1)),
            ("vlan", json!([10, 100])),
            ("port", json!(443)),
        ] {
            attack[key] = value;
        }
        attack
    }

    #[test]
    fn what_is_in_effect_is_said_in_words() {
        let words = |value: Value| condition(&value);
        assert_eq!(words(json!(null)), None);
        assert_eq!(words(json!([])), None);
        assert_eq!(words(json!(true)).unwrap(), "true");
        assert_eq!(words(json!("poisson")).unwrap(), "poisson");
        assert_eq!(words(json!(["64", "imix", 7])).unwrap(), "64, imix, 7");
        // Nothing in it does something to a terminal.
        assert_eq!(
            words(json!("a\u{1b}[31m\n")).unwrap(),
            "a\u{fffd}[31m\u{fffd}"
        );
        let said = "voice 50.00 kpps, poisson, 214 bytes; attack 50.00 kpps, onoff:10ms:90ms, imix, from 0.5 s, family v4, \
                    25% hit, tcp-syn:9,icmp-echo:1, 10% malformed, VLAN 10, 100, port 443";
        assert_eq!(words(json!([voice(), attack()])).unwrap(), said);
        // Of a search, for each size.
        assert_eq!(words(json!([[voice(), attack()]])).unwrap(), said);
        assert_eq!(
            words(json!([[voice()], [voice()]])).unwrap(),
            "voice (size 1) 50.00 kpps, poisson, 214 bytes; voice (size 2) 50.00 kpps, poisson, 214 bytes"
        );
        let goal = json!([{
            "name": "PDR", "loss_ratio": 0.005, "exceed_ratio": 0.5, "initial_trial_s": 1.0, "final_trial_s": 1.0,
            "duration_sum_s": 21.0, "width": 0.005,
        }]);
        assert_eq!(
            words(goal).unwrap(),
            "PDR loss 0.5%, exceed 50%, width 0.5%, initial 1 s, trial 1 s, sum 21 s"
        );
    }

    #[test]
    fn what_differs_is_said_and_nothing_else() {
        assert_eq!(difference(&json!(1), &json!(2)), "1 in A, 2 in B");
        assert_eq!(difference(&json!("x"), &json!(null)), "x in A, none in B");
        assert_eq!(difference(&json!("1"), &json!(1)), "\"1\" in A, 1 in B");
        let mut faster = voice();
        faster["pps"] = json!(60e3);
        let of = |a: &[&Value], b: &[&Value]| difference(&json!(a), &json!(b));
        assert_eq!(
            of(&[&voice(), &attack()], &[&faster, &attack()]),
            "voice: 50.00 kpps in A, 60.00 kpps in B"
        );
        // What follows from another difference is not said beside it.
        let mut larger = faster.clone();
        larger["frame_size"] = json!("512");
        larger["mean_bytes"] = json!(512.0);
        assert_eq!(
            of(&[&voice()], &[&larger]),
            "voice: 50.00 kpps in A, 60.00 kpps in B, 214 bytes in A, 512 bytes in B"
        );
        // As good as the same, and not.
        let mut near = voice();
        near["pps"] = json!(50_001.0);
        assert_eq!(
            of(&[&voice()], &[&near]),
            "voice: 50000.0 in A, 50001.0 in B"
        );
        assert_eq!(
            of(&[&voice()], &[&attack()]),
            "voice only in A; attack only in B"
        );
        assert_eq!(
            of(&[&voice(), &attack()], &[&attack(), &voice()]),
            "in another order"
        );
    }
}
