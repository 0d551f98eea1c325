//! `top`: a running host, live.
//!
//! | module | holds |
//! |---|---|
//! | `sample` | what was counted at a moment, read over the control socket |
//! | `rates` | what happened between two of them |
//! | `view` | it, on a terminal |
//! | `text` | it, in lines and as JSON |
//! | `run` | one after the other, until somebody has seen enough |
//!
//! # The JSON, version 1
//!
//! A line for each interval.
//!
//! | field | what |
//! |---|---|
//! | `schema`, `verb` | 1, `top` |
//! | `seconds` | how long the interval was |
//! | `nics[]` | `nic`, `enabled`, `state` (of its link, as `ctl show nics` has it; null where it is not known), `addresses`, `neighbors`; in a second: `received_pps`, `received_bps`, `sent_pps`, `sent_bps`, `delivered_pps`, `forwarded_pps`, `consumed_pps`, `dropped_pps` |
//! | `drops[]` | `nic`, `reason`, `pps`, `total`; those that are not 0 |
//! | `threads[]` | `thread`, `core`, `pps`, `busy` (a share; of workers) |

mod rates;
mod run;
mod sample;
mod text;
mod view;

pub use run::{Setting, run};
