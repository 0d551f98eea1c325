//! From text to layers.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use corelane::wire::MacAddr;

use super::FrameTextError;
use super::layer::{
    ERRORS, IcmpBody, IcmpError, Ip4, Layer, Membership, NA, NONCE, NS, RECORDS, ROUTER_ALERT,
    ROUTING_DATA, SOURCE_LINK, TARGET_LINK, TCP_FLAGS, Tcp,
};

type Result<T> = std::result::Result<T, FrameTextError>;

/// A line up to its comment: a `#` outside of quotes.
pub(super) fn without_comment(line: &str) -> &str {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '#' if !quoted => return line.get(..at).unwrap_or_default(),
            _ => {}
        }
    }
    line
}

pub(super) fn parse(text: &str) -> Result<Vec<Layer>> {
    let mut layers = Vec::new();
    let mut words: Vec<String> = Vec::new();
    for word in split(text)?.into_iter().chain(["/".to_owned()]) {
        if word != "/" {
            words.push(word);
            continue;
        }
        let v6 = layers
            .iter()
            .any(|layer| matches!(layer, Layer::Ip6 { .. }));
        layers.push(parse_layer(&words, v6)?);
        words.clear();
    }
    Ok(layers)
}

/// Words by spaces; a quoted one keeps its spaces, and its first quote as the mark of it.
fn split(text: &str) -> Result<Vec<String>> {
    let mut words = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let Some(word) = words.last_mut() else { break };
        if c == '"' && word.is_empty() {
            word.push('"');
            loop {
                match chars.next() {
                    None => return Err(FrameTextError::new("a quote is not closed")),
                    Some('"') => break,
                    Some('\\') => word.extend(chars.next()),
                    Some(c) => word.push(c),
                }
            }
        } else if c.is_whitespace() {
            if !word.is_empty() {
                words.push(String::new());
            }
        } else {
            word.push(c);
        }
    }
    words.retain(|word| !word.is_empty());
    Ok(words)
}

/// The words of a layer that have not been read yet.
struct Words<'a> {
    layer: &'a str,
    plain: VecDeque<&'a str>,
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Words<'a> {
    fn next<T: FromStr>(&mut self, what: &str) -> Result<T> {
        let word = self.plain.pop_front().unwrap_or_default();
        word.parse().map_err(|_| {
            FrameTextError::new(format!("{}: '{word}' where {what} is wanted", self.layer))
        })
    }

    fn arrow(&mut self) -> Result<()> {
        match self.plain.pop_front() {
            Some(">") => Ok(()),
            word => Err(FrameTextError::new(format!(
                "{}: '{}' where > is wanted",
                self.layer,
                word.unwrap_or_default()
            ))),
        }
    }

    fn flag(&mut self, name: &str) -> bool {
        let before = self.plain.len();
        self.plain.retain(|word| *word != name);
        self.plain.len() < before
    }

    fn take(&mut self, key: &str) -> Option<&'a str> {
        let at = self.pairs.iter().position(|(name, _)| *name == key)?;
        Some(self.pairs.remove(at).1)
    }

    fn number<T: TryFrom<u64>>(&mut self, key: &str) -> Result<Option<T>> {
        let Some(text) = self.take(key) else {
            return Ok(None);
        };
        let value = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        let value = value.ok().and_then(|value| T::try_from(value).ok());
        value
            .map(Some)
            .ok_or_else(|| FrameTextError::new(format!("{}: {key}={text}", self.layer)))
    }

    fn number_or<T: TryFrom<u64>>(&mut self, key: &str, default: T) -> Result<T> {
        Ok(self.number(key)?.unwrap_or(default))
    }

    /// The rest of the pairs, in order.
    fn rest(&mut self) -> Vec<(&'a str, &'a str)> {
        std::mem::take(&mut self.pairs)
    }

    /// Nothing may be left.
    fn end(&self) -> Result<()> {
        let pair = self
            .pairs
            .first()
            .map(|(key, value)| format!("{key}={value}"));
        match pair.or_else(|| self.plain.front().map(ToString::to_string)) {
            None => Ok(()),
            Some(left) => Err(FrameTextError::new(format!(
                "{}: '{left}' does not belong here",
                self.layer
            ))),
        }
    }
}

fn parse_layer(words: &[String], v6: bool) -> Result<Layer> {
    let Some((layer, rest)) = words.split_first() else {
        return Err(FrameTextError::new("a layer is empty"));
    };
    if let Some(text) = layer.strip_prefix('"') {
        return Ok(Layer::Bytes(text.as_bytes().to_vec()));
    }
    let mut words = Words {
        layer,
        plain: VecDeque::new(),
        pairs: Vec::new(),
    };
    for word in rest {
        match word.split_once('=') {
            Some(pair) => words.pairs.push(pair),
            None => words.plain.push_back(word),
        }
    }
    let words = &mut words;
    let parsed = match layer.as_str() {
        "eth" => eth(words)?,
        "ip4" => ip4(words)?,
        "ip6" => ip6(words)?,
        "alert" => Layer::Alert {
            value: words.number_or("value", 0)?,
            next: words.number("next")?,
        },
        "hopopts" | "dstopts" => Layer::Options {
            is_hop_by_hop: layer == "hopopts",
            length: words.number("length")?,
            next: words.number("next")?,
            options: options(words)?,
        },
        "routing" => Layer::Routing {
            kind: words.next("a type")?,
            left: words.number_or("left", 0)?,
            data: match words.take("data") {
                None => ROUTING_DATA.to_vec(),
                Some(data) => bytes(data)?,
            },
            length: words.number("length")?,
            next: words.number("next")?,
        },
        "fragment" => Layer::Fragment {
            id: words.number_or("id", 0)?,
            offset: words.number_or("offset", 0)?,
            mf: words.flag("mf"),
            next: words.number("next")?,
        },
        "udp" => udp(words)?,
        "tcp" => tcp(words)?,
        "fill" => Layer::Fill {
            len: words.next("a length")?,
            from: words.number_or("from", 0)?,
            step: words.number_or("step", 1)?,
        },
        "echo" => echo(words, v6)?,
        "icmp" => Layer::Icmp {
            kind: words.next("a type")?,
            code: words.number_or("code", 0)?,
            checksum: words.number("checksum")?,
            body: IcmpBody::Plain,
        },
        "ns" => neighbor(words, NS)?,
        "na" => neighbor(words, NA)?,
        "igmp1" | "igmp2" | "igmp3" => {
            let version = layer.as_bytes().last().map_or(0, |digit| digit - b'0');
            Layer::Igmp {
                checksum: words.number("checksum")?,
                body: membership(words, version, Ipv4Addr::UNSPECIFIED)?,
            }
        }
        "mld1" | "mld2" => {
            let version = layer.as_bytes().last().map_or(0, |digit| digit - b'0');
            Layer::Mld {
                code: words.number_or("code", 0)?,
                checksum: words.number("checksum")?,
                body: membership(words, version + 1, Ipv6Addr::UNSPECIFIED)?,
            }
        }
        "arp" => arp(words)?,
        other => match ERRORS.iter().find(|(what, ..)| what.name() == other) {
            Some(error) => icmp_error(words, *error, v6)?,
            None => Layer::Bytes(bytes(other)?),
        },
    };
    words.end()?;
    Ok(parsed)
}

fn eth(words: &mut Words<'_>) -> Result<Layer> {
    let source = words.next("a link address")?;
    words.arrow()?;
    Ok(Layer::Eth {
        source,
        destination: words.next("a link address")?,
        ethertype: words.number("type")?,
        pad: words.number_or("pad", 0)?,
    })
}

fn ip4(words: &mut Words<'_>) -> Result<Layer> {
    let alert = words.flag("alert");
    let (df, mf) = (words.flag("df"), words.flag("mf"));
    let source = words.next("an IPv4 address")?;
    words.arrow()?;
    let options = words.take("options").map(bytes).transpose()?;
    Ok(Layer::Ip4(Ip4 {
        source,
        destination: words.next("an IPv4 address")?,
        ttl: words.number_or("ttl", 64)?,
        tos: words.number_or("tos", 0)?,
        id: words.number_or("id", 0)?,
        df,
        mf,
        offset: words.number_or("offset", 0)?,
        options: options.unwrap_or_else(|| {
            if alert {
                ROUTER_ALERT.to_vec()
            } else {
                Vec::new()
            }
        }),
        proto: words.number("proto")?,
        total: words.number("total")?,
        checksum: words.number("checksum")?,
    }))
}

fn ip6(words: &mut Words<'_>) -> Result<Layer> {
    let source = words.next("an IPv6 address")?;
    words.arrow()?;
    Ok(Layer::Ip6 {
        source,
        destination: words.next("an IPv6 address")?,
        hop: words.number_or("hop", 64)?,
        class: words.number_or("class", 0)?,
        flow: words.number_or("flow", 0)?,
        length: words.number("length")?,
        next: words.number("next")?,
    })
}

fn udp(words: &mut Words<'_>) -> Result<Layer> {
    let source = words.next("a port")?;
    words.arrow()?;
    Ok(Layer::Udp {
        source,
        destination: words.next("a port")?,
        length: words.number("length")?,
        checksum: words.number("checksum")?,
    })
}

fn tcp(words: &mut Words<'_>) -> Result<Layer> {
    let source = words.next("a port")?;
    words.arrow()?;
    let flags = words.take("flags").unwrap_or_default();
    let flags = flags.chars().try_fold(0, |flags, flag| {
        let bit = TCP_FLAGS.iter().position(|known| *known == flag);
        let bit = bit.ok_or_else(|| {
            let known: Vec<_> = TCP_FLAGS.iter().map(char::to_string).collect();
            FrameTextError::new(format!("flag '{flag}' is not one of {}", known.join(" ")))
        })?;
        Ok(flags | 1 << bit)
    })?;
    let options = words.take("options").map(bytes).transpose()?;
    Ok(Layer::Tcp(Tcp {
        source,
        destination: words.next("a port")?,
        seq: words.number_or("seq", 0)?,
        ack: words.number_or("ack", 0)?,
        flags,
        reserved: words.number_or("reserved", 0)?,
        window: words.number_or("window", 0)?,
        urgent: words.number_or("urgent", 0)?,
        options: options.unwrap_or_default(),
        checksum: words.number("checksum")?,
    }))
}

fn echo(words: &mut Words<'_>, v6: bool) -> Result<Layer> {
    let what: String = words.next("request or reply")?;
    let kind = match (what.as_str(), v6) {
        ("request", false) => 8,
        ("reply", false) => 0,
        ("request", true) => 128,
        ("reply", true) => 129,
        _ => {
            return Err(FrameTextError::new(format!(
                "echo: '{what}' is not request or reply"
            )));
        }
    };
    Ok(Layer::Icmp {
        kind,
        code: words.number_or("code", 0)?,
        checksum: words.number("checksum")?,
        body: IcmpBody::Echo {
            id: words.number_or("id", 0)?,
            seq: words.number_or("seq", 0)?,
        },
    })
}

fn options(words: &mut Words<'_>) -> Result<Vec<Vec<u8>>> {
    let mut options = Vec::new();
    while let Some(option) = words.take("option") {
        options.push(bytes(option)?);
    }
    Ok(options)
}

fn icmp_error(
    words: &mut Words<'_>,
    (what, kind4, kind6): (IcmpError, u8, u8),
    v6: bool,
) -> Result<Layer> {
    let kind = if v6 { kind6 } else { kind4 };
    if kind == 0 {
        let name = what.name();
        return Err(FrameTextError::new(format!("{name}: only in ip6")));
    }
    let code = if what.has_code_word() {
        let word: String = words.next("a code")?;
        let codes = what.codes(v6);
        let named = codes.iter().find(|(_, name)| *name == word);
        match named.map(|(code, _)| *code).or_else(|| word.parse().ok()) {
            Some(code) => code,
            None => {
                let names: Vec<_> = codes.iter().map(|(_, name)| *name).collect();
                return Err(FrameTextError::new(format!(
                    "{}: '{word}' is neither a number nor one of {}",
                    what.name(),
                    names.join(", ")
                )));
            }
        }
    } else {
        words.number_or("code", 0)?
    };
    let value = match what.value(v6, code) {
        // In IPv4 a pointer is of one byte, an MTU of two.
        Some((name, _)) if v6 => words.number_or::<u32>(name, 0)?,
        Some((name, 0)) => words.number_or::<u16>(name, 0)?.into(),
        Some((name, _)) => words.number_or::<u8>(name, 0)?.into(),
        None => 0,
    };
    Ok(Layer::Icmp {
        kind,
        code,
        checksum: words.number("checksum")?,
        body: IcmpBody::Error { what, v6, value },
    })
}

fn neighbor(words: &mut Words<'_>, kind: u8) -> Result<Layer> {
    let target = words.next("an IPv6 address")?;
    let (code, checksum) = (words.number_or("code", 0)?, words.number("checksum")?);
    let flags = words.take("flags").unwrap_or_default();
    let flags = flags.chars().try_fold(0, |flags, flag| match flag {
        'R' => Ok(flags | 0x80),
        'S' => Ok(flags | 0x40),
        'O' => Ok(flags | 0x20),
        _ => Err(FrameTextError::new(format!(
            "flag '{flag}' is not R, S or O"
        ))),
    })?;
    let mut options = Vec::new();
    for (key, value) in words.rest() {
        let link = |kind: u8| -> Result<Vec<u8>> {
            let mac: MacAddr = value
                .parse()
                .map_err(|_| FrameTextError::new(format!("{key}={value}")))?;
            Ok([&[kind, 1][..], &mac.octets()].concat())
        };
        options.push(match key {
            "slla" => link(SOURCE_LINK)?,
            "tlla" => link(TARGET_LINK)?,
            "nonce" => {
                let nonce = bytes(value)?;
                let units = (nonce.len() + 2).div_ceil(8);
                let units = u8::try_from(units).unwrap_or(u8::MAX);
                [&[NONCE, units], &nonce[..]].concat()
            }
            "option" => bytes(value)?,
            _ => return Err(FrameTextError::new(format!("'{key}' is not an option"))),
        });
    }
    Ok(Layer::Icmp {
        kind,
        code,
        checksum,
        body: IcmpBody::Neighbor {
            flags,
            target,
            options,
        },
    })
}

fn membership<A: FromStr + Copy>(
    words: &mut Words<'_>,
    version: u8,
    any: A,
) -> Result<Membership<A>> {
    let what: String = words.next("a message")?;
    let address = |text: &str| {
        text.parse::<A>()
            .map_err(|_| FrameTextError::new(format!("'{text}' is not a group or an address")))
    };
    if version == 3 && what == "report" {
        let mut records = Vec::new();
        for (key, value) in words.rest() {
            let kind = RECORDS.iter().position(|record| *record == key);
            let kind = kind.ok_or_else(|| {
                FrameTextError::new(format!("'{key}' is not one of {}", RECORDS.join(", ")))
            })?;
            let mut addresses = value.split(',').map(address);
            let group = addresses.next().unwrap_or(Ok(any))?;
            let sources = addresses.collect::<Result<_>>()?;
            records.push((kind as u8 + 1, group, sources));
        }
        return Ok(Membership::Report(records));
    }
    let group: String = words.next("a group")?;
    let group = if group == "any" {
        any
    } else {
        address(&group)?
    };
    let max = words.number_or("max", 0)?;
    if version == 3 && what == "query" {
        let mut sources = Vec::new();
        while let Some(source) = words.take("source") {
            sources.push(address(source)?);
        }
        return Ok(Membership::Query {
            group,
            max,
            suppress: words.flag("s"),
            qrv: words.number_or("qrv", 2)?,
            qqic: words.number_or("qqic", 125)?,
            sources,
        });
    }
    let what = ["query", "report", "leave", "done"]
        .into_iter()
        .find(|known| *known == what)
        .ok_or_else(|| FrameTextError::new(format!("'{what}' is not a message")))?;
    Ok(Membership::Simple {
        version,
        what,
        group,
        max,
    })
}

fn arp(words: &mut Words<'_>) -> Result<Layer> {
    let what: String = words.next("request or reply")?;
    let operation = match what.as_str() {
        "request" => 1,
        "reply" => 2,
        _ => {
            return Err(FrameTextError::new(format!(
                "arp: '{what}' is not request or reply"
            )));
        }
    };
    let sender = (words.next("a link address")?, words.next("an address")?);
    words.arrow()?;
    let target = (words.next("a link address")?, words.next("an address")?);
    Ok(Layer::Arp {
        operation,
        sender,
        target,
    })
}

/// Hexadecimal digits, two for each byte.
fn bytes(digits: &str) -> Result<Vec<u8>> {
    let wrong = || {
        FrameTextError::new(format!(
            "'{digits}' is neither a layer nor hexadecimal bytes"
        ))
    };
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| {
            let pair = digits.get(at..at + 2).unwrap_or_default();
            u8::from_str_radix(pair, 16).map_err(|_| wrong())
        })
        .collect()
}
