//! `up`: a host or router on real links, until a signal.
//!
//! ```text
//! signals ─────────► main thread: timeline, SIGHUP, end ──┐
//! control socket ──► a thread for each client ────────────┼─► Host ─► NICs, stack ─► workers
//! events of the engine ──► log                            │   (one at a time)
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `host` | the engine while it runs, and what is done to it |
//! | `difference`, `reload` | what a new configuration changes, and that it is changed |
//! | `applied` | what of one is in effect |
//! | `room` | whether there are frames for its NICs |
//! | `captures` | those to files |
//! | `capture`, `trace` | frames for a client, while it wants them |
//! | `link_state` | whether links are up, down or without carrier, or have failed |
//! | `removed` | the NICs that are no more |
//! | `show` | its listings |
//! | `report` | what it came to |
//! | `log` | structured logs |
//! | `log_lines` | their way to standard error |
//! | `user` | whom it runs as |
//! | `signals` | what ends it, and what has it read its configuration again |
//! | `ready` | telling a service manager |

mod applied;
mod capture;
mod captures;
mod difference;
mod host;
mod link_state;
mod links;
mod log;
mod log_lines;
mod ready;
mod reload;
mod removed;
mod report;
mod room;
mod run;
mod show;
mod signals;
mod trace;
mod user;

pub(crate) use captures::taken;
pub use log::{Level, Logs};
pub use report::UpReport;
pub use run::{Setting, run};
pub(crate) use user::User;
