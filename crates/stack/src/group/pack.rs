//! Fitting group records into messages.

use std::net::IpAddr;

use corelane_wire::RecordKind;

use super::message::{GroupMessage, Record};
use crate::address::Family;

/// The sizes of one family's records, in bytes.
struct Sizes {
    /// Before the first record: IP header with Router Alert, report header.
    headers: usize,
    /// A record without sources.
    record: usize,
    /// A source.
    source: usize,
}

const fn sizes(family: Family) -> Sizes {
    match family {
        Family::V4 => Sizes {
            headers: 24 + 8,
            record: 8,
            source: 4,
        },
        Family::V6 => Sizes {
            headers: 40 + 8 + 8,
            record: 20,
            source: 16,
        },
    }
}

/// How many records without sources fit a message on a link with this MTU (bytes of IP packet): at
/// least 1, at most what the message's count field holds.
pub(crate) fn records_per_message(family: Family, mtu: usize) -> usize {
    let sizes = sizes(family);
    let records = mtu.saturating_sub(sizes.headers) / sizes.record;
    records.clamp(1, usize::from(u16::MAX))
}

/// Collects records and cuts them into messages.
pub(super) struct Packer<'a> {
    family: Family,
    /// Bytes of records a message takes.
    room: usize,
    records: Vec<Record>,
    used: usize,
    out: &'a mut Vec<GroupMessage>,
}

impl<'a> Packer<'a> {
    /// `limit` is how many records without sources a message takes.
    pub(super) fn new(family: Family, limit: usize, out: &'a mut Vec<GroupMessage>) -> Self {
        let limit = limit.clamp(1, usize::from(u16::MAX));
        Self {
            family,
            room: limit * sizes(family).record,
            records: Vec::new(),
            used: 0,
            out,
        }
    }

    /// A record without sources.
    pub(super) fn push(&mut self, kind: RecordKind, group: IpAddr) {
        self.add(kind, group, &[]);
    }

    /// A record that says the sources are wanted; more than one if they do not fit a message. Where
    /// not even one source fits, it says that all are wanted.
    pub(super) fn push_included(&mut self, group: IpAddr, sources: &[IpAddr]) {
        let sizes = sizes(self.family);
        match (self.room - sizes.record) / sizes.source {
            0 => self.push(RecordKind::ModeIsExclude, group),
            most => {
                for sources in sources.chunks(most) {
                    self.add(RecordKind::ModeIsInclude, group, sources);
                }
            }
        }
    }

    fn add(&mut self, kind: RecordKind, group: IpAddr, sources: &[IpAddr]) {
        let sizes = sizes(self.family);
        let size = sizes.record + sizes.source * sources.len();
        if self.used + size > self.room {
            self.flush();
        }
        self.used += size;
        self.records.push(Record {
            kind,
            group,
            sources: sources.to_vec(),
        });
    }

    fn flush(&mut self) {
        self.used = 0;
        let records = std::mem::take(&mut self.records);
        if !records.is_empty() {
            let family = self.family;
            self.out.push(GroupMessage::Report { family, records });
        }
    }

    /// Sends the last message.
    pub(super) fn finish(mut self) {
        self.flush();
    }
}
