//! Reading a table field by field, with an error that says where and what for each thing that can
//! be wrong.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place, Source};
use crate::unit::{self, nearest};

/// A table whose keys are all known.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    source: Source<'a>,
    path: String,
    span: Range<usize>,
    table: &'a DeTable<'a>,
}

/// A value and the path to it.
#[derive(Clone)]
pub(super) struct Field<'a> {
    source: Source<'a>,
    path: String,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Fields<'a> {
    /// The fields of `table`, at `path` (empty for the file itself).
    ///
    /// # Errors
    /// A key that is not in `known`.
    pub(super) fn new(
        source: Source<'a>,
        path: String,
        span: Range<usize>,
        table: &'a DeTable<'a>,
        known: &[&str],
    ) -> Result<Self, ConfigError> {
        let fields = Self {
            source,
            path,
            span,
            table,
        };
        // The table is in the order of its keys: of several that are unknown, name the first in the
        // file.
        let unknown = table
            .keys()
            .filter(|key| !known.contains(&key.get_ref().as_ref()))
            .min_by_key(|key| key.span().start);
        match unknown {
            None => Ok(fields),
            Some(key) => {
                let name = key.get_ref().as_ref();
                let what = match nearest(name, known.iter().copied()) {
                    Some(meant) => format!("no such key; did you mean '{meant}'?"),
                    None => format!("no such key; there are: {}", known.join(", ")),
                };
                Err(source.error(&key.span(), &fields.path_of(name), what))
            }
        }
    }

    /// The path to a field.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The field, if it is there.
    pub(super) fn get(&self, key: &str) -> Option<Field<'a>> {
        let value = self.table.get(key)?;
        Some(Field {
            source: self.source,
            path: self.path_of(key),
            value,
        })
    }

    /// The field, which has to be there; `example` shows how it is written.
    pub(super) fn need(&self, key: &str, example: &str) -> Result<Field<'a>, ConfigError> {
        self.get(key).ok_or_else(|| {
            let what = format!("missing; write for example: {}", self.written(key, example));
            self.source.error(&self.span, &self.path_of(key), what)
        })
    }

    /// How a field with this value is written: as TOML has it, or where there is no file as `ctl` does.
    pub(super) fn written(&self, key: &str, value: &str) -> String {
        if self.source.file.is_empty() {
            format!("{key}={}", value.trim_matches('"'))
        } else {
            format!("{key} = {value}")
        }
    }

    /// A flag, false unless it is there.
    pub(super) fn flag(&self, key: &str) -> Result<bool, ConfigError> {
        self.flag_or(key, false)
    }

    /// A flag with a default.
    pub(super) fn flag_or(&self, key: &str, default: bool) -> Result<bool, ConfigError> {
        self.get(key).map_or(Ok(default), |field| field.flag())
    }

    /// The elements of an array; none if it is not there.
    pub(super) fn items(&self, key: &str, what: &str) -> Result<Vec<Field<'a>>, ConfigError> {
        self.get(key)
            .map_or(Ok(Vec::new()), |field| field.items(what))
    }

    /// The keys that are there, in the order of the file.
    pub(super) fn present(&self) -> Vec<&'a str> {
        let mut keys: Vec<_> = self
            .table
            .keys()
            .map(|key| (key.span().start, key.get_ref().as_ref()))
            .collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, key)| key).collect()
    }

    /// The error of the table as a whole.
    pub(super) fn error(&self, what: impl Display) -> ConfigError {
        self.source.error(&self.span, &self.path, what)
    }
}

impl<'a> Field<'a> {
    /// The error of this value.
    pub(super) fn error(&self, what: impl Display) -> ConfigError {
        self.source.error(&self.value.span(), &self.path, what)
    }

    /// Where the value begins.
    pub(super) fn place(&self) -> Place {
        self.source.place(self.value.span().start)
    }

    /// The path to the value, as `nic[0].mtu`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn wrong_type(&self, wanted: &str) -> ConfigError {
        self.error(format!(
            "{wanted} is wanted, this is {}",
            article(self.value.get_ref().type_str())
        ))
    }

    /// A text.
    pub(super) fn text(&self, what: &str) -> Result<&'a str, ConfigError> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text.as_ref()),
            _ => Err(self.wrong_type(what)),
        }
    }

    /// A text, or a number as it is written.
    pub(super) fn literal(&self, what: &str) -> Result<&'a str, ConfigError> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text.as_ref()),
            DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str()),
            DeValue::Float(number) => Ok(number.as_str()),
            _ => Err(self.wrong_type(what)),
        }
    }

    /// Whether it is a whole number.
    pub(super) fn is_integer(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::Integer(_))
    }

    /// Whether it is a text.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::String(_))
    }

    /// true or false.
    pub(super) fn flag(&self) -> Result<bool, ConfigError> {
        match self.value.get_ref() {
            DeValue::Boolean(flag) => Ok(*flag),
            _ => Err(self.wrong_type("true or false")),
        }
    }

    /// A whole number in `range`.
    pub(super) fn integer(
        &self,
        what: &str,
        range: RangeInclusive<u64>,
    ) -> Result<u64, ConfigError> {
        let DeValue::Integer(integer) = self.value.get_ref() else {
            return Err(self.wrong_type(&format!("{what} (a whole number)")));
        };
        // What is beyond 128 bits is beyond every range on the same side.
        let negative = integer.as_str().starts_with('-');
        let value = i128::from_str_radix(integer.as_str(), integer.radix())
            .unwrap_or(if negative { i128::MIN } else { i128::MAX });
        let (low, high) = (*range.start(), *range.end());
        match u64::try_from(value) {
            Ok(value) if range.contains(&value) => Ok(value),
            _ => {
                let meant = value.clamp(low.into(), high.into());
                Err(self.error(format!(
                    "'{integer}' is not {what}: a whole number from {low} to {high}; did you mean \
                     '{meant}'?"
                )))
            }
        }
    }

    /// A span of time in `range`, written as a text.
    pub(super) fn duration(
        &self,
        range: RangeInclusive<Duration>,
    ) -> Result<Duration, ConfigError> {
        let text = self.text("a time as a text, such as \"1.5s\",")?;
        unit::duration(text, range).map_err(|error| self.error(error))
    }

    /// A text that parses as `T`; the error says `what` it should be, and `example`.
    pub(super) fn parse<T: FromStr>(&self, what: &str, example: &str) -> Result<T, ConfigError>
    where
        T::Err: Display,
    {
        let text = self.text(&format!("{what} as a text, such as \"{example}\","))?;
        self.parsed(text, what)
    }

    /// Likewise, of a text or a number as it is written.
    pub(super) fn parse_literal<T: FromStr>(
        &self,
        what: &str,
        example: &str,
    ) -> Result<T, ConfigError>
    where
        T::Err: Display,
    {
        let text = self.literal(&format!("{what}, such as \"{example}\","))?;
        self.parsed(text, what)
    }

    fn parsed<T: FromStr>(&self, text: &str, what: &str) -> Result<T, ConfigError>
    where
        T::Err: Display,
    {
        text.parse().map_err(|error: T::Err| {
            let error = error.to_string();
            // Some begin with it.
            let begins = error.starts_with(&format!("'{text}' "));
            self.error(if begins {
                error
            } else {
                format!("'{text}' is not {what}: {error}")
            })
        })
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(&self, what: &str, words: &[(&str, T)]) -> Result<T, ConfigError> {
        let names = || words.iter().map(|(name, _)| *name);
        let list = || names().collect::<Vec<_>>().join(", ");
        let text = self.text(&format!("{what} ({})", list()))?;
        let found = words.iter().find(|(name, _)| *name == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let meant = nearest(text, names())
                .map(|meant| format!("; did you mean '{meant}'?"))
                .unwrap_or_default();
            self.error(format!("'{text}' is not {what}: {}{meant}", list()))
        })
    }

    /// The elements of an array.
    pub(super) fn items(&self, what: &str) -> Result<Vec<Field<'a>>, ConfigError> {
        let DeValue::Array(array) = self.value.get_ref() else {
            return Err(self.wrong_type(what));
        };
        let item = |(number, value)| Field {
            source: self.source,
            path: format!("{}[{number}]", self.path),
            value,
        };
        Ok(array.iter().enumerate().map(item).collect())
    }

    /// A table with these keys.
    pub(super) fn table(&self, what: &str, known: &[&str]) -> Result<Fields<'a>, ConfigError> {
        let DeValue::Table(table) = self.value.get_ref() else {
            return Err(self.wrong_type(what));
        };
        let (path, span) = (self.path.clone(), self.value.span());
        Fields::new(self.source, path, span, table, known)
    }
}

fn article(noun: &str) -> String {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) {
        format!("an {noun}")
    } else {
        format!("a {noun}")
    }
}
