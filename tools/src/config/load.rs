//! The profile of a load: several streams of frames, each with its rate, its size and its fields.

use std::path::Path;
use std::time::Duration;

use toml::de::DeTable;

use super::error::{ConfigError, Source};
use super::fields::Fields;
use super::read;
use crate::generator::{self, Carried, MAX_TAGS, STREAMS};
use crate::unit::{Arrival, Destinations, Family, FrameSize, Rate, ratio};

const KEYS: &[&str] = &["stream"];

const STREAM_KEYS: &[&str] = &[
    "name",
    "rate",
    "arrival",
    "start",
    "stop",
    "frame_size",
    "family",
    "destinations",
    "hit_ratio",
    "flows",
    "flow_law",
    "protocols",
    "malformed",
    "vlan",
    "port",
];

const DAY: Duration = Duration::from_secs(86_400);

/// Streams of frames.
///
/// ```toml
/// [[stream]]
/// name = "small"           # for the report; optional, as all but rate
/// rate = "1Mpps"           # frames or bits per second; numbers need no quotes
/// arrival = "poisson"      # cbr (default), poisson, burst:N, onoff:ON:OFF
/// start = "0s"             # from the start of each window
/// stop = "5s"              # to its end, unless said
/// frame_size = "64"        # bytes, a mix or a genome; this and what follows as of bench unless said
/// family = "v4"            # one of those that bench has
/// destinations = "zipf:1"
/// hit_ratio = "100%"
/// flows = 4096
/// flow_law = "uniform"
/// protocols = "udp:90,tcp-syn:10"  # or "capture:FILE", from where the command runs
/// malformed = "0"
/// vlan = [100]
/// port = 7                 # the destination port; pseudorandom unless said
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LoadProfile {
    /// The streams, at least one.
    pub streams: Vec<StreamSetting>,
}

/// What a profile says of a stream; what is none is as for the whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamSetting {
    /// What it is called.
    pub name: String,
    /// Frames or bits per second.
    pub rate: Rate,
    /// How frames come.
    pub arrival: Arrival,
    /// When it starts, from the start of a window.
    pub start: Duration,
    /// When it stops.
    pub stop: Option<Duration>,
    /// How large frames are.
    pub frame_size: Option<FrameSize>,
    /// Of which family frames are.
    pub family: Option<Family>,
    /// How destinations are drawn.
    pub destinations: Option<Destinations>,
    /// The share of frames for an endpoint.
    pub hit_ratio: Option<f64>,
    /// Pairs of source and ports.
    pub flows: Option<u32>,
    /// How those are drawn.
    pub flow_law: Option<Destinations>,
    /// What frames carry.
    pub protocols: Option<Carried>,
    /// The share of malformed frames.
    pub malformed: Option<f64>,
    /// VLAN tags.
    pub vlan: Option<Vec<u16>>,
    /// The destination port.
    pub port: Option<u16>,
}

impl LoadProfile {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is no profile.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        read(path, "profile", Self::of)
    }

    /// Reads a text; `file` stands for it in messages.
    ///
    /// # Errors
    /// It is no profile.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let lines = &super::error::line_starts(text);
        Self::of(Source { file, text, lines })
    }

    /// The captures that streams are as, each with the name of its stream.
    pub fn captures(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.streams.iter().filter_map(|stream| {
            let capture = stream.protocols.as_ref()?.of.as_deref()?;
            Some((stream.name.as_str(), capture))
        })
    }

    fn of(source: Source<'_>) -> Result<Self, ConfigError> {
        let document = super::parse::document(source)?;
        let table: &DeTable<'_> = document.get_ref();
        let span = 0..0;
        let fields = Fields::new(source, String::new(), span, table, KEYS)?;
        let items = fields
            .need("stream", "[{ rate = \"1Mpps\" }]")?
            .items("streams ([[stream]])")?;
        if let Some(surplus) = items.get(STREAMS) {
            return Err(surplus.error(format!("a profile has at most {STREAMS} streams")));
        }
        let streams = items.iter().enumerate().map(|(number, item)| {
            let fields = item.table("a stream", STREAM_KEYS)?;
            stream(number, &fields)
        });
        let streams: Vec<_> = streams.collect::<Result<_, _>>()?;
        for (number, stream) in streams.iter().enumerate() {
            let mut before = streams.iter().take(number);
            if before.any(|other| other.name == stream.name)
                && let Some(item) = items.get(number)
            {
                return Err(item.error(format!(
                    "there is a stream '{}' already: nobody could tell their results apart",
                    stream.name
                )));
            }
        }
        if streams.is_empty() {
            return Err(fields.error("a profile has at least one stream: [[stream]]"));
        }
        Ok(Self { streams })
    }
}

fn stream(number: usize, fields: &Fields<'_>) -> Result<StreamSetting, ConfigError> {
    let name = match fields.get("name") {
        Some(field) => {
            let name = field.text("a name")?;
            if name.trim().is_empty() || name.chars().any(char::is_control) {
                return Err(field.error("a name is one line of at least a letter"));
            }
            name.to_owned()
        }
        None => format!("stream {number}"),
    };
    let field = fields.need("rate", "\"1Mpps\"")?;
    let text = field.literal("a rate, such as \"1Mpps\",")?;
    let rate = text.parse().ok();
    let rate = rate.filter(|rate| matches!(rate, Rate::Pps(_) | Rate::Bps(_)));
    let rate = rate.ok_or_else(|| {
        field.error(format!(
            "'{text}' is not the rate of a stream: frames or bits per second, up to a thousand million frames; did \
             you mean '1Mpps'?"
        ))
    })?;
    let share = |key| {
        let field = fields.get(key);
        field
            .map(|field| {
                let text = field.literal("a share, such as \"10%\",")?;
                ratio(text).map_err(|error| field.error(error))
            })
            .transpose()
    };
    let number = |key, what, range| {
        let field = fields.get(key);
        field.map(|field| field.integer(what, range)).transpose()
    };
    let time = |key| {
        let field = fields.get(key);
        field
            .map(|field| field.duration(Duration::ZERO..=DAY))
            .transpose()
    };
    let (start, stop) = (time("start")?.unwrap_or_default(), time("stop")?);
    if let (Some(stop), Some(field)) = (stop, fields.get("stop"))
        && stop <= start
    {
        return Err(field.error("a stream stops after it starts"));
    }
    let vlan = fields.get("vlan").map(|field| {
        if field.is_integer() {
            return Ok(vec![field.integer("a VLAN", 1..=4094)? as u16]);
        }
        let tags = field.items("VLANs, outermost first, such as [100],")?;
        if let Some(third) = tags.get(MAX_TAGS) {
            return Err(third.error("a frame has at most two tags"));
        }
        let ids = tags.iter().map(|tag| tag.integer("a VLAN", 1..=4094));
        ids.map(|id| id.map(|id| id as u16)).collect()
    });
    let protocols = fields.get("protocols").map(|field| {
        let text = field.text("what frames carry as a text, such as \"udp\",")?;
        generator::protocols(text).map_err(|error| field.error(error))
    });
    Ok(StreamSetting {
        name,
        rate,
        arrival: parsed(fields, "arrival", "an arrival", "poisson")?.unwrap_or(Arrival::Cbr),
        start,
        stop,
        frame_size: parsed(fields, "frame_size", "a frame size", "64")?,
        family: parsed(fields, "family", "a family", "v4")?,
        destinations: parsed(fields, "destinations", "a law", "uniform")?,
        hit_ratio: share("hit_ratio")?,
        flows: number("flows", "a number of flows", 1..=1 << 20)?.map(|n| n as u32),
        flow_law: parsed(fields, "flow_law", "a law", "uniform")?,
        protocols: protocols.transpose()?,
        malformed: share("malformed")?,
        vlan: vlan.transpose()?,
        port: number("port", "a port", 1..=65_535)?.map(|n| n as u16),
    })
}

fn parsed<T: std::str::FromStr>(
    fields: &Fields<'_>,
    key: &str,
    what: &str,
    example: &str,
) -> Result<Option<T>, ConfigError>
where
    T::Err: std::fmt::Display,
{
    let field = fields.get(key);
    field
        .map(|field| field.parse_literal(what, example))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_with_all_there_is() {
        let profile = LoadProfile::parse(
            "p.toml",
            r#"
            [[stream]]
            rate = "1Mpps"

            [[stream]]
            name = "web"
            rate = "2gbps"
            arrival = "onoff:10ms:90ms"
            start = "1s"
            stop = "1500ms"
            frame_size = "imix"
            family = "v6"
            destinations = "hot:4:100"
            hit_ratio = "90%"
            flows = 10
            flow_law = "zipf:1"
            protocols = "tcp-syn:3,udp:1"
            malformed = "1%"
            vlan = [10, 100]
            port = 443
            "#,
        )
        .unwrap();
        let [first, web] = &profile.streams[..] else {
            panic!("{profile:?}");
        };
        assert_eq!(
            (first.name.as_str(), first.rate),
            ("stream 0", Rate::Pps(1e6))
        );
        assert_eq!(
            (first.arrival, first.stop, first.vlan.as_ref()),
            (Arrival::Cbr, None, None)
        );
        assert_eq!((web.name.as_str(), web.rate), ("web", Rate::Bps(2e9)));
        assert_eq!(web.stop, Some(Duration::from_millis(1500)));
        assert_eq!(
            (web.hit_ratio, web.flows, web.port),
            (Some(0.9), Some(10), Some(443))
        );
        assert_eq!(web.vlan, Some(vec![10, 100]));
    }

    #[test]
    fn numbers_need_no_quotes() {
        let text =
            "[[stream]]\nrate = 20_000\nframe_size = 128\nhit_ratio = 0.5\nmalformed = 0\nvlan = 7";
        let profile = LoadProfile::parse("p.toml", text).unwrap();
        let [stream] = &profile.streams[..] else {
            panic!("{profile:?}");
        };
        assert_eq!(
            (stream.rate, stream.frame_size),
            (Rate::Pps(20_000.0), Some(FrameSize::Fixed(128)))
        );
        assert_eq!((stream.hit_ratio, stream.malformed), (Some(0.5), Some(0.0)));
        assert_eq!(stream.vlan, Some(vec![7]));
        let error = LoadProfile::parse("p.toml", "[[stream]]\nrate = true").unwrap_err();
        let message =
            "p.toml:2:8: stream[0].rate: a rate, such as \"1Mpps\", is wanted, this is a boolean";
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, message) in [
            (
                "",
                "p.toml:1:1: stream: missing; write for example: stream = [{ rate = \"1Mpps\" }]",
            ),
            (
                "stream = []",
                "p.toml:1:1: a profile has at least one stream: [[stream]]",
            ),
            (
                "[[strem]]",
                "p.toml:1:3: strem: no such key; did you mean 'stream'?",
            ),
            (
                "[[stream]]\nrat = 1",
                "p.toml:2:1: stream[0].rat: no such key; did you mean 'rate'?",
            ),
            (
                "[[stream]]\nrate = \"max\"",
                "p.toml:2:8: stream[0].rate: 'max' is not the rate of a stream: frames or bits per second, up to a \
                 thousand million frames; did you mean '1Mpps'?",
            ),
            (
                "[[stream]]\nrate = \"1000000gbps\"",
                "p.toml:2:8: stream[0].rate: '1000000gbps' is not the rate of a stream: frames or bits per second, \
                 up to a thousand million frames; did you mean '1Mpps'?",
            ),
            (
                "[[stream]]\nname = \"a\\u001b[31m\"\nrate = 1",
                "p.toml:2:8: stream[0].name: a name is one line of at least a letter",
            ),
            (
                "[[stream]]\nname = \"a\"\nrate = 1\n[[stream]]\nname = \"a\"\nrate = 2",
                "p.toml:4:1: stream[1]: there is a stream 'a' already: nobody could tell their results apart",
            ),
            (
                "[[stream]]\nrate = \"1kpps\"\nstart = \"2s\"\nstop = \"1s\"",
                "p.toml:4:8: stream[0].stop: a stream stops after it starts",
            ),
            (
                "[[stream]]\nrate = \"1kpps\"\nvlan = [1, 2, 3]",
                "p.toml:3:15: stream[0].vlan[2]: a frame has at most two tags",
            ),
            (
                "[[stream]]\nrate = \"1kpps\"\nport = 0",
                "p.toml:3:8: stream[0].port: '0' is not a port: a whole number from 1 to 65535; did you mean '1'?",
            ),
        ] {
            let error = LoadProfile::parse("p.toml", text).unwrap_err();
            assert_eq!(error.to_string(), message, "{text}");
        }
        let many = "[[stream]]\nrate = \"1kpps\"\n".repeat(17);
        let error = LoadProfile::parse("p.toml", &many).unwrap_err();
        assert!(error.to_string().contains("at most 16 streams"), "{error}");
    }
}
