//! What differs beside what is compared.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::Side;

/// A condition that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Its name: a flag's, or `machine.cpu` and the like.
    pub name: String,
    /// On the one side; null where it has none.
    pub a: Value,
    /// On the other.
    pub b: Value,
}

impl Difference {
    /// All of them, but for those `allowed` and those that follow from others on both sides.
    pub fn between(a: &Side, b: &Side, allowed: &[String]) -> Vec<Self> {
        let names: BTreeSet<_> = a.conditions.keys().chain(b.conditions.keys()).collect();
        names
            .into_iter()
            .filter(|name| !allowed.contains(name))
            .filter(|name| !(a.derived.contains(*name) && b.derived.contains(*name)))
            .map(|name| {
                let of = |side: &Side| side.conditions.get(name).cloned().unwrap_or_default();
                Self {
                    name: name.clone(),
                    a: of(a),
                    b: of(b),
                }
            })
            .filter(|difference| difference.a != difference.b)
            .collect()
    }
}
