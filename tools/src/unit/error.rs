//! What is wrong with a value.

/// A text that is no value of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{value}' {why}; did you mean '{nearest}'?")]
pub struct ValueError {
    /// The text.
    pub value: String,
    /// What is wrong with it, to be read after the text: `is not a ...`.
    pub why: String,
    /// A text that would do, as near to the given one as could be found.
    pub nearest: String,
}

impl ValueError {
    /// The error of `value`.
    pub fn new(value: &str, why: impl Into<String>, nearest: impl Into<String>) -> Self {
        Self {
            value: value.to_owned(),
            why: why.into(),
            nearest: nearest.into(),
        }
    }
}
