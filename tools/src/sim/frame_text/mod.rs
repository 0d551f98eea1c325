//! Frames as text that people read and write: one line per frame, a time and its layers.
//!
//! ```text
//! # time  layers
//! 0s      eth 02:00:00:00:00:09 > 02:00:00:00:00:01 / ip4 192.0.2.9 > 192.0.2.1 / udp 4000 > 7 / "hello"
//! 1.5s    eth 02:00:00:00:00:09 > 33:33:ff:00:00:01 / ip6 :: > ff02::1:ff00:1 hop=255 / ns 2001:db8::1
//! 2s      eth 02:00:00:00:00:09 > ff:ff:ff:ff:ff:ff type=0x88b5 / 0102ff
//! ```
//!
//! Lengths, checksums, next headers and EtherTypes are computed unless they are written. What is
//! written wins, so that malformed frames can be written too.
//!
//! | layer | with, and its default |
//! |---|---|
//! | `eth SOURCE > DESTINATION` | `type=` EtherType, of what follows; `pad=` zeros up to this length |
//! | `ip4 SOURCE > DESTINATION` | `ttl=64` `tos=0` `id=0` `df` `mf` `offset=0` (in units of 8 bytes) `alert` (router alert) `options=HEX` (whole words) `proto=` `total=` `checksum=` |
//! | `ip6 SOURCE > DESTINATION` | `hop=64` `class=0` `flow=0` `length=` `next=` |
//! | `alert` | a hop-by-hop header with the router alert of MLD; `value=0` `next=` |
//! | `hopopts`, `dstopts` | hop-by-hop and destination options: `option=HEX` (whole, any number; padded to 8 bytes) `length=` `next=` |
//! | `routing TYPE` | `left=0` (segments) `data=00000000` `length=` `next=` |
//! | `fragment` | `id=0` `mf` `offset=0` (in units of 8 bytes) `next=` |
//! | `udp SOURCE > DESTINATION` | `length=` `checksum=` |
//! | `tcp SOURCE > DESTINATION` | `flags=` of `F` `S` `R` `P` `A` `U` `E` `C`; `seq=0` `ack=0` `window=0` `urgent=0` `reserved=0` `options=HEX` (whole words) `checksum=` |
//! | `echo request` or `reply` | `id=0` `seq=0` `code=0` `checksum=` |
//! | `icmp TYPE` | `code=0` `checksum=`; ICMPv6 in `ip6` |
//! | `unreachable CODE` | in `ip4` `net` `host` `protocol` `port` `too-big` (with `mtu=0`) `prohibited`, in `ip6` `no-route` `prohibited` `address` `port`, or a number; `checksum=` |
//! | `too-big` | only in `ip6`: `mtu=0` `code=0` `checksum=` |
//! | `exceeded CODE` | `hops` `reassembly`, or a number; `checksum=` |
//! | `problem` | `pointer=0` `code=0` `checksum=` |
//! | `ns TARGET` | `slla=MAC` `nonce=HEX` `option=HEX` (whole, any number), `code=0` `checksum=` |
//! | `na TARGET` | `flags=` of `R` `S` `O`; `tlla=MAC` `option=HEX`, `code=0` `checksum=` |
//! | `igmp1` `igmp2` with `query`, `report` or `leave`, and a group or `any` | `max=0` (tenths of a second) `checksum=` |
//! | `igmp3 query GROUP` or `any` | `max=0` `s` `qrv=2` `qqic=125` `source=` (any number) `checksum=` |
//! | `igmp3 report` | a record each: `is_in=` `is_ex=` `to_in=` `to_ex=` `allow=` `block=`, of a group and sources with commas; `checksum=` |
//! | `mld1` with `query`, `report` or `done`, and a group or `any` | `max=0` (milliseconds) `code=0` `checksum=` |
//! | `mld2 query`, `mld2 report` | as `igmp3` |
//! | `arp request` or `reply`, `MAC IP > MAC IP` | |
//! | `"text"`, or hexadecimal digits | bytes as they are |
//! | `fill LENGTH` | so many bytes: the first is `from=0`, each further one greater by `step=1` |
//!
//! Behind an ICMP error stand the layers of the packet that it quotes. Where the quote is cut off, its
//! lengths and checksums are written, as they are the whole packet's:
//!
//! ```text
//! ip4 192.0.2.1 > 192.0.2.9 tos=192 / unreachable port / ip4 192.0.2.9 > 192.0.2.1 / udp 4000 > 9 / "hello"
//! ip6 2001:db8::1 > 2001:db8::9 / too-big mtu=1280 / ip6 2001:db8::9 > 2001:db8:1::2 length=1400 next=17 / 0fa0
//! ```
//!
//! What a part of a packet carries, in IPv4 or behind a `fragment`, is bytes: so it is described, and
//! whoever writes layers there writes the part of a packet that these layers make.
//!
//! A frame that was not made by these rules is written as hexadecimal digits alone.

mod build;
mod describe;
mod layer;
mod read;
mod write;

use std::io::Write;
use std::time::Duration;

use corelane::io::pcap::{PcapWriteError, PcapWriter};

use crate::config::seconds;
use crate::unit::duration;

use layer::Layer;

/// What the time stamps of a capture file can say.
const LATEST: Duration = Duration::from_secs(u32::MAX as u64);

/// A frame and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedFrame {
    /// The time, in nanoseconds.
    pub at_ns: u64,
    /// The frame.
    pub frame: Vec<u8>,
}

/// Why a text is no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FrameTextError(String);

impl FrameTextError {
    fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// The frame of a line's layers.
///
/// # Errors
/// They are no frame.
pub fn build(text: &str) -> Result<Vec<u8>, FrameTextError> {
    build::build(&read::parse(text)?)
}

/// The layers of a frame. [`build`] makes the same frame of them.
pub fn describe(frame: &[u8]) -> String {
    let layers = describe::layers(frame);
    if build::build(&layers).is_ok_and(|built| built == frame) {
        return join(&layers);
    }
    // Bytes behind the packet, or something else that the rules do not make.
    join(&[Layer::Bytes(frame.to_vec())])
}

fn join(layers: &[Layer]) -> String {
    let layers: Vec<_> = layers.iter().map(ToString::to_string).collect();
    layers.join(" / ")
}

/// The frames of a text: lines of a time and layers; what follows a `#` is a comment, as empty lines
/// are.
///
/// # Errors
/// The first line that is no frame, by its number.
pub fn parse_frames(text: &str) -> Result<Vec<TimedFrame>, FrameTextError> {
    let mut frames = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = read::without_comment(line).trim();
        if line.is_empty() {
            continue;
        }
        let wrong = |what: String| FrameTextError(format!("line {}: {what}", number + 1));
        let (time, layers) = line
            .split_once(char::is_whitespace)
            .ok_or_else(|| wrong("a time and a frame are wanted".to_owned()))?;
        let at_ns = nanoseconds(time).map_err(&wrong)?;
        let frame = build(layers).map_err(|error| wrong(error.0))?;
        frames.push(TimedFrame { at_ns, frame });
    }
    Ok(frames)
}

/// A time in nanoseconds: seconds to the last digit, other units as everywhere.
fn nanoseconds(text: &str) -> Result<u64, String> {
    let exact = || {
        let (whole, fraction) = match text.strip_suffix('s')?.split_once('.') {
            Some(parts) => parts,
            None => (text.strip_suffix('s')?, ""),
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
            return None;
        }
        let fraction: u64 = format!("{fraction:0<9}").parse().ok()?;
        let whole: u64 = whole.parse().ok()?;
        whole.checked_mul(1_000_000_000)?.checked_add(fraction)
    };
    if let Some(nanoseconds) = exact() {
        return Ok(nanoseconds);
    }
    let time = duration(text, Duration::ZERO..=LATEST).map_err(|error| error.to_string())?;
    Ok(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

/// Frames as a text that [`parse_frames`] reads.
pub fn write_frames(frames: &[TimedFrame]) -> String {
    let line = |frame: &TimedFrame| {
        let time = seconds(Duration::from_nanos(frame.at_ns));
        format!("{time:<12} {}\n", describe(&frame.frame))
    };
    frames.iter().map(line).collect()
}

/// Writes frames as a capture; returns what was written to, flushed.
///
/// # Errors
/// A frame or its time does not fit the format, or the write failed.
pub fn write_capture<W: Write>(
    mut writer: PcapWriter<W>,
    frames: &[TimedFrame],
) -> Result<W, PcapWriteError> {
    for frame in frames {
        writer.write(frame.at_ns, &frame.frame)?;
    }
    writer.into_inner()
}

#[cfg(test)]
mod tests;
