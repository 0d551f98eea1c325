//! The control socket of [`up`](crate::up), which `corelane ctl` talks to.
//!
//! A Unix stream socket. A client sends a JSON object on a line and gets one on a line; then the
//! next. Lines have at most [`MAX_LINE`] bytes.
//!
//! | request | answer |
//! |---|---|
//! | `{"schema":1,"do":"show","what":"addresses"}` | `{"schema":1,"rows":[{...},...]}` |
//! | `{"schema":1,"do":"add_address","nic":"wan","address":"192.0.2.7/24"}` | `{"schema":1,"done":true}` |
//! | anything wrong | `{"schema":1,"error":{"kind":"request","name":"Request","message":"..."}}` |
//! | what cannot be done | `{"schema":1,"error":{"kind":"failed","name":"DuplicateAddress","message":"..."}}` |
//!
//! What can be done, and the keys that belong to it, are those of an event of a
//! [configuration](crate::config), without `at`. What can be shown is [`Listing`]. Fields may be
//! added to answers without a new version; a reader ignores what it does not know.
//!
//! | module | holds |
//! |---|---|
//! | `protocol` | requests and answers |
//! | `line` | bounded lines |
//! | `server`, `socket` | the end of `up` |
//! | `client` | the end of `ctl` |
//! | `table` | rows for people |

mod client;
mod line;
mod listing;
mod protocol;
mod server;
mod socket;
mod table;

pub use client::Client;
pub use line::MAX_LINE;
pub use listing::Listing;
pub use protocol::{Answer, Problem, Request, SCHEMA};
pub(crate) use server::serve;
pub(crate) use socket::ControlSocket;
pub use socket::default_path;
pub use table::table;
