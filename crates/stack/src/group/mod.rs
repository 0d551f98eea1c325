//! A NIC's multicast membership: who joined what, and what IGMP and MLD say about it.
//!
//! [`Groups`] is pure: it is told the time, draws its delays from the generator it is handed, and
//! pushes what is to be sent as [`GroupMessage`]s. Whoever owns it runs it under the control lock
//! and sends afterwards.
//!
//! Joins are counted apart from the address table, the users' apart from the NIC's own, so neither
//! can take away what the other needs ([`Joins`]). What workers look groups up in is a
//! [`GroupSet`]: a persistent map, shared with the control side and never changed in place while
//! somebody else has it; but for the solicited-node groups of the NIC's addresses, which would make
//! it large: they stand in a table of words that is changed in place.
//!
//! | file | holds |
//! |---|---|
//! | `groups` | the counts, switching on and off, forwarding, which protocol a call concerns |
//! | `own` | which groups a NIC is in by being enabled, and by forwarding |
//! | `set`, `solicited` | the counts: a persistent map, and a compact table for solicited-node groups |
//! | `host` | one protocol's host: the version in force, and which machine that drives |
//! | `reports` | IGMPv1, IGMPv2 and MLDv1: a report per group, suppression, leave |
//! | `records` | IGMPv3 and MLDv2: state changes and answers as group records |
//! | `querier` | what was learned from queries: version, robustness, interval |
//! | `timers` | one deadline per group, found by group and by time |
//! | `delay` | random delays, the pause between answers for all groups |
//! | `message`, `pack` | what is to be sent, and splitting it by message size |
//! | `version` | the protocol versions |
//!
//! The hosts follow RFC 2236, 3376, 2710 and 3810 for any-source membership (filter EXCLUDE, empty
//! source list). A call costs O(log groups), but for those that concern all groups: enabling,
//! disabling, a general query in a version that answers group by group, the answer to one in a
//! version that answers at once. Where there are many groups, whoever sends general queries can cause
//! those once in a while only. A group has state beyond its counts only while something is to be
//! sent for it, or another host answered for it.

mod delay;
mod groups;
mod host;
mod message;
mod own;
mod pack;
mod querier;
mod query;
mod records;
mod reports;
mod set;
mod solicited;
mod timers;
mod version;

#[cfg(test)]
mod tests;

pub(crate) use groups::{Groups, GroupsConfig, NotJoined, TooManyJoins};
pub(crate) use message::{GroupMessage, Record};
pub(crate) use pack::records_per_message;
pub(crate) use query::Query;
pub(crate) use set::{GroupSet, Joiner};
pub use version::{IgmpVersion, MldVersion};
