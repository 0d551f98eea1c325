//! Requests and answers.

use serde_json::{Map, Value, json};

use super::listing::Listing;
use super::watch::{Watch, WatchKind};
use crate::unit::nearest_or;

/// The version of requests and answers.
pub const SCHEMA: u64 = 1;

/// What a client wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Rows.
    Show(Listing),
    /// A change: the keys of an event, `do` among them.
    Change(Map<String, Value>),
    /// Frames, or their way.
    Watch(Watch),
}

/// What it gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Rows.
    Rows(Vec<Value>),
    /// It was done.
    Done,
    /// What is asked for comes behind this, in pieces: `pcapng` or `text`.
    Stream(String),
    /// It was not.
    Problem(Problem),
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// Whether the request is at fault, rather than the state of the engine.
    pub is_request: bool,
    /// The name of the typed error.
    pub name: String,
    /// What is wrong.
    pub message: String,
}

impl Problem {
    /// Of the request.
    pub fn request(message: impl Into<String>) -> Self {
        Self {
            is_request: true,
            name: "Request".to_owned(),
            message: message.into(),
        }
    }
}

impl Request {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(line: &[u8]) -> Result<Self, Problem> {
        let value: Value = serde_json::from_slice(line)
            .map_err(|error| Problem::request(format!("this is not JSON: {error}")))?;
        let Value::Object(mut fields) = value else {
            return Err(Problem::request(
                "a request is an object, such as {\"schema\":1,\"do\":\"show\",\"what\":\"nics\"}",
            ));
        };
        match fields.remove("schema") {
            Some(schema) if schema == SCHEMA => {}
            Some(_) => {
                let what = format!("schema: only version {SCHEMA} is spoken here");
                return Err(Problem::request(what));
            }
            None => {
                let what = format!("schema: missing; write \"schema\":{SCHEMA}");
                return Err(Problem::request(what));
            }
        }
        if fields.get("do") == Some(&json!("show")) {
            return Self::show(&fields);
        }
        let words = WatchKind::WORDS.iter();
        let watch = words
            .clone()
            .find(|(word, _)| fields.get("do") == Some(&json!(word)));
        if let Some((_, kind)) = watch {
            return Watch::parse(*kind, &fields).map(Self::Watch);
        }
        Ok(Self::Change(fields))
    }

    /// The one to show what `what` names.
    ///
    /// # Errors
    /// There is no such listing.
    pub fn show(fields: &Map<String, Value>) -> Result<Self, Problem> {
        if let Some(key) = fields
            .keys()
            .find(|key| !["do", "what"].contains(&key.as_str()))
        {
            let what = format!("{}: show has nothing but what", key.escape_debug());
            return Err(Problem::request(what));
        }
        let wrong = |what| {
            let names = listings().join(", ");
            Problem::request(format!("what: {what}; there are: {names}"))
        };
        match fields.get("what") {
            Some(Value::String(name)) => listing(name).map(Self::Show),
            Some(_) => Err(wrong("a text is wanted")),
            None => Err(wrong("missing, show needs it")),
        }
    }

    /// As a line, its end included.
    pub fn line(&self) -> String {
        let mut fields = match self {
            Self::Show(listing) => {
                let fields = [("do", "show"), ("what", listing.label())];
                let fields = fields.map(|(key, value)| (key.to_owned(), json!(value)));
                fields.into_iter().collect()
            }
            Self::Change(fields) => fields.clone(),
            Self::Watch(watch) => watch.fields(),
        };
        fields.insert("schema".to_owned(), json!(SCHEMA));
        format!("{}\n", Value::Object(fields))
    }
}

/// The listing of this name.
///
/// # Errors
/// There is none.
/// The names of what can be shown.
fn listings() -> Vec<&'static str> {
    Listing::WORDS.iter().map(|(word, _)| *word).collect()
}

fn listing(name: &str) -> Result<Listing, Problem> {
    let found = Listing::WORDS.iter().find(|(word, _)| *word == name);
    found.map(|(_, listing)| *listing).ok_or_else(|| {
        let names = listings();
        let meant = nearest_or(name, &names, Listing::Nics.label());
        let (name, names) = (name.escape_debug(), names.join(", "));
        Problem::request(format!(
            "what: '{name}' cannot be shown; there are: {names}; did you mean '{meant}'?"
        ))
    })
}

impl Answer {
    /// As JSON.
    pub fn json(&self) -> Value {
        match self {
            Self::Rows(rows) => json!({ "schema": SCHEMA, "rows": rows }),
            Self::Done => json!({ "schema": SCHEMA, "done": true }),
            Self::Stream(kind) => json!({ "schema": SCHEMA, "stream": kind }),
            Self::Problem(problem) => json!({
                "schema": SCHEMA,
                "error": {
                    "kind": if problem.is_request { "request" } else { "failed" },
                    "name": problem.name,
                    "message": problem.message,
                },
            }),
        }
    }

    /// Reads a line. None if it is no answer of this version.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(line) else {
            return None;
        };
        if fields.get("schema")? != SCHEMA {
            return None;
        }
        if let Some(error) = fields.get("error") {
            let text = |key: &str| error.get(key)?.as_str().map(str::to_owned);
            return Some(Self::Problem(Problem {
                is_request: text("kind")? == "request",
                name: text("name")?,
                message: text("message")?,
            }));
        }
        if let Some(Value::String(kind)) = fields.get("stream") {
            return Some(Self::Stream(kind.clone()));
        }
        match fields.remove("rows") {
            Some(Value::Array(rows)) => Some(Self::Rows(rows)),
            Some(_) => None,
            None => (fields.get("done") == Some(&Value::Bool(true))).then_some(Self::Done),
        }
    }
}

impl From<Result<Answer, Problem>> for Answer {
    fn from(result: Result<Self, Problem>) -> Self {
        result.unwrap_or_else(Self::Problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_they_are_written() {
        for (_, listing) in Listing::WORDS {
            let line = Request::Show(*listing).line();
            assert_eq!(Request::parse(line.as_bytes()), Ok(Request::Show(*listing)));
        }
        let Ok(Value::Object(fields)) =
            serde_json::from_str(r#"{"do":"add_address","nic":"wan","address":"192.0.2.7/24"}"#)
        else {
            panic!("no object");
        };
        let request = Request::Change(fields);
        assert_eq!(Request::parse(request.line().as_bytes()), Ok(request));
    }

    #[test]
    fn what_is_watched_is_read_as_it_is_written() {
        for line in [
            r#"{"schema":1,"do":"capture","nic":"wan"}"#,
            r#"{"schema":1,"do":"trace","count":3}"#,
            r#"{"schema":1,"do":"trace","duration_ms":100}"#,
            r#"{"address":"2001:db8::1","count":9,"do":"capture","duration_ms":1500,"nic":"wan","port":7,"schema":1,"snap_len":96}"#,
        ] {
            let request = Request::parse(line.as_bytes()).unwrap();
            assert!(matches!(request, Request::Watch(_)), "{line}");
            assert_eq!(Request::parse(request.line().as_bytes()), Ok(request));
        }
        for (line, told) in [
            (r#""do":"capture""#, "nic: missing, capture needs it"),
            (r#""do":"trace","count":0"#, "count: a whole number from 1"),
            (
                r#""do":"trace","count":1,"snap_len":99"#,
                "snap_len: trace has",
            ),
            (r#""do":"capture","nic":7"#, "nic: a text is wanted"),
            (r#""do":"capture","nic":"a","port":65536"#, "port: a whole"),
            (r#""do":"capture","nic":"a","port":-1"#, "port: a whole"),
            (
                r#""do":"capture","nic":"a","address":"x""#,
                "address: 'x' is no",
            ),
            (
                r#""do":"capture","nic":"a","snap_len":13"#,
                "snap_len: a whole",
            ),
            (
                r#""do":"capture","nic":"a","duration_ms":1e9"#,
                "duration_ms: a",
            ),
        ] {
            let line = format!("{{\"schema\":1,{line}}}");
            let problem = Request::parse(line.as_bytes()).unwrap_err();
            assert!(problem.message.starts_with(told), "{line}: {problem}");
        }
    }

    #[test]
    fn what_is_no_request_is_told_in_one_line() {
        for (line, told) in [
            ("", "this is not JSON: EOF"),
            ("{\"schema\":1,\"do\":", "this is not JSON: EOF"),
            ("\u{0}\u{1}", "this is not JSON"),
            ("[1]", "a request is an object"),
            ("{}", "schema: missing"),
            ("{\"schema\":2,\"do\":\"show\"}", "schema: only version 1"),
            ("{\"schema\":\"1\"}", "schema: only version 1"),
            (
                "{\"schema\":1,\"do\":\"show\"}",
                "what: missing, show needs it; there are: nics, ",
            ),
            (
                "{\"schema\":1,\"do\":\"show\",\"what\":\"adresses\"}",
                "did you mean 'addresses'?",
            ),
            (
                "{\"schema\":1,\"do\":\"show\",\"what\":7}",
                "what: a text is wanted; there are: nics, ",
            ),
            (
                "{\"schema\":1,\"do\":\"show\",\"what\":\"\"}",
                "what: '' cannot be shown",
            ),
            (
                "{\"schema\":1,\"do\":\"show\",\"what\":\"bogus\"}",
                "did you mean 'nics'?",
            ),
            (
                "{\"schema\":1,\"do\":\"show\",\"what\":\"neigh\"}",
                "did you mean 'neighbors'?",
            ),
            (
                "{\"schema\":1,\"do\":\"show\",\"what\":\"nics\",\"x\\n\":1}",
                "x\\n: show has nothing but what",
            ),
        ] {
            let problem = Request::parse(line.as_bytes()).unwrap_err();
            assert!(problem.is_request, "{line}");
            assert!(problem.message.contains(told), "{line}: {problem}");
            assert!(!problem.message.contains('\n'), "{line}: {problem}");
        }
        assert!(Request::parse(b"{\"schema\":1,\"do\":\"\xff\"}").is_err());
        // A stack is not an input's to use up.
        assert!(Request::parse("[".repeat(60_000).as_bytes()).is_err());
    }

    #[test]
    fn answers_are_read_as_they_are_written() {
        let problem = Problem {
            is_request: false,
            name: "DuplicateAddress".to_owned(),
            message: "the NIC has it already".to_owned(),
        };
        for answer in [
            Answer::Done,
            Answer::Stream("pcapng".to_owned()),
            Answer::Rows(vec![json!({ "nic": "wan" })]),
            Answer::Problem(problem),
            Answer::Problem(Problem::request("no")),
        ] {
            let line = answer.json().to_string();
            assert_eq!(Answer::parse(line.as_bytes()), Some(answer), "{line}");
        }
        for line in [
            "",
            "[]",
            "{}",
            "{\"schema\":1}",
            "{\"schema\":2,\"done\":true}",
        ] {
            assert_eq!(Answer::parse(line.as_bytes()), None, "{line}");
        }
    }
}
