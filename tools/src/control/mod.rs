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
//! | `{"schema":1,"do":"capture","nic":"wan","port":7,"count":9}` | `{"schema":1,"stream":"pcapng"}`, pieces, the end |
//! | `{"schema":1,"do":"trace","count":9}` | `{"schema":1,"stream":"text"}`, pieces, the end |
//!
//! Both may have `nic`, `address`, `port`, `count` and `duration_ms`, a capture also `snap_len`; `nic` has
//! to be there for a capture. A piece is a line `{"bytes":N}` and N bytes, the end a
//! line `{"schema":1,"end":{"reason":"count","shown":9,"lost":0}}`, and the connection ends with it. The
//! reason is `count`, `duration`, `nic_removed`, or `client`: who has enough shuts its half of the
//! connection, and gets the rest and the end.
//!
//! What can be done, and the keys that belong to it, are those of an event of a
//! [configuration](crate::config), without `at`. What can be shown is [`Listing`]. Fields may be
//! added to answers without a new version; a reader ignores what it does not know.
//!
//! | module | holds |
//! |---|---|
//! | `protocol` | requests and answers |
//! | `line` | bounded lines |
//! | `watch` | captures and traces that are asked for |
//! | `stream` | what is sent piece by piece |
//! | `server`, `seats`, `socket` | the end of `up` |
//! | `client` | the end of `ctl` |
//! | `table` | rows for people |

mod client;
mod line;
mod listing;
mod protocol;
mod seats;
mod server;
mod socket;
mod stream;
mod table;
mod watch;

pub use client::{Client, WatchError};
pub use line::MAX_LINE;
pub use listing::Listing;
pub use protocol::{Answer, Problem, Request, SCHEMA};
pub(crate) use server::{Reply, serve};
pub(crate) use socket::ControlSocket;
pub use socket::default_path;
pub(crate) use stream::{Listener, Stream};
pub use table::table;
pub use watch::{MAX_SNAP_LEN, Watch, WatchEnd, WatchKind, Watched};
