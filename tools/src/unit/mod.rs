//! Values as people write them on a command line, and what to say when they do not parse.
//!
//! Every type here has a `FromStr` (or a parse function with its bounds) whose error is a
//! [`ValueError`]: the text, what is wrong with it, and the nearest text that would do.
//!
//! | what | written |
//! |---|---|
//! | count | `4096`, `1_000_000`, `64k`, `1m` or `1M` (a million), `1e6` |
//! | time | `10s`, `100ms`, `250us`, `2m` or `2min`, `1h`, `10` (seconds) |
//! | rate | `max`, `5Mpps`, `5mpps`, `200kpps`, `1_000_000` (frames a second), `2.5gbps`, `10g`, `50%` |
//! | ratio | `0.25`, `25%` |
//! | link | `af_packet:veth0`, `af_packet:veth0:receive_only`, `af_xdp:eth1`, `tap:tap0` |

mod arrival;
mod check;
mod cores;
mod count;
mod destinations;
mod duration;
mod error;
mod family;
mod frame_size;
mod link_name;
mod nearest;
mod number;
mod protocols;
mod rate;
mod ratio;
mod size_mix;
mod slo;
mod speed;

pub use arrival::Arrival;
pub use check::Check;
pub use cores::CoreList;
pub use count::count;
pub use destinations::Destinations;
pub use duration::duration;
pub use error::ValueError;
pub use family::Family;
pub use frame_size::{FrameSize, MAX_FRAME, MIN_FRAME, RFC2544};
pub(crate) use link_name::{DEVICE_NAMES, is_device_name};
pub use link_name::{DeviceMac, LinkName};
pub use nearest::{nearest, nearest_or};
pub use protocols::{Protocol, Protocols};
pub use rate::Rate;
pub use ratio::ratio;
pub use size_mix::SizeMix;
pub use slo::{Goal, Metric, Order, Slo};
pub use speed::Speed;

#[cfg(test)]
mod tests;
