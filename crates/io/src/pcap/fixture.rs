//! Small capture files for the tests, built in code.

/// The byte order of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

pub(super) const ORDERS: [Order; 2] = [Order::Big, Order::Little];

impl Order {
    pub(super) fn u16(self, value: u16) -> [u8; 2] {
        if self == Self::Big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    pub(super) fn u32(self, value: u32) -> [u8; 4] {
        if self == Self::Big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    pub(super) fn u64(self, value: u64) -> [u8; 8] {
        if self == Self::Big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }
}

/// A pcap file.
#[derive(Clone)]
pub(super) struct PcapFile {
    pub(super) order: Order,
    pub(super) bytes: Vec<u8>,
}

pub(super) const MICROSECONDS: u32 = 0xa1b2_c3d4;
pub(super) const NANOSECONDS: u32 = 0xa1b2_3c4d;

impl PcapFile {
    pub(super) fn new(order: Order, magic: u32, link_type: u32) -> Self {
        let mut bytes = Vec::new();
        bytes.extend(order.u32(magic));
        bytes.extend(order.u16(2));
        bytes.extend(order.u16(4));
        bytes.extend([0; 8]);
        bytes.extend(order.u32(65_535));
        bytes.extend(order.u32(link_type));
        Self { order, bytes }
    }

    pub(super) fn ethernet() -> Self {
        Self::new(Order::Little, MICROSECONDS, 1)
    }

    /// A whole packet.
    pub(super) fn packet(self, seconds: u32, fraction: u32, data: &[u8]) -> Self {
        let len = data.len() as u32;
        self.record(seconds, fraction, len, len, data)
    }

    /// A record that may lie.
    pub(super) fn record(
        mut self,
        seconds: u32,
        fraction: u32,
        captured: u32,
        original: u32,
        data: &[u8],
    ) -> Self {
        for field in [seconds, fraction, captured, original] {
            self.bytes.extend(self.order.u32(field));
        }
        self.bytes.extend(data);
        self
    }
}

/// A pcapng file, whose sections may differ in byte order.
#[derive(Clone)]
pub(super) struct PcapngFile {
    pub(super) order: Order,
    pub(super) bytes: Vec<u8>,
}

/// The option codes of an interface description.
pub(super) const IF_NAME: u16 = 2;
pub(super) const IF_TSRESOL: u16 = 9;
pub(super) const IF_TZONE: u16 = 10;
pub(super) const IF_TSOFFSET: u16 = 14;

impl PcapngFile {
    pub(super) fn new(order: Order) -> Self {
        Self {
            order,
            bytes: Vec::new(),
        }
        .section(order)
    }

    pub(super) fn section(self, order: Order) -> Self {
        self.section_version(order, 1, 0)
    }

    pub(super) fn section_version(mut self, order: Order, major: u16, minor: u16) -> Self {
        self.order = order;
        let mut body = Vec::new();
        body.extend(order.u32(0x1a2b_3c4d));
        body.extend(order.u16(major));
        body.extend(order.u16(minor));
        body.extend(order.u64(u64::MAX));
        self.block(0x0a0d_0d0a, &body)
    }

    /// Any block, padded and with its length in front and behind.
    pub(super) fn block(mut self, block_type: u32, body: &[u8]) -> Self {
        let order = self.order;
        let padded = body.len().next_multiple_of(4);
        let len = order.u32(padded as u32 + 12);
        self.bytes.extend(order.u32(block_type));
        self.bytes.extend(len);
        self.bytes.extend(body);
        self.bytes.resize(self.bytes.len() + padded - body.len(), 0);
        self.bytes.extend(len);
        self
    }

    pub(super) fn interface(self, link_type: u16, snap_len: u32, options: &[(u16, &[u8])]) -> Self {
        let order = self.order;
        let mut body = Vec::new();
        body.extend(order.u16(link_type));
        body.extend([0; 2]);
        body.extend(order.u32(snap_len));
        for (code, value) in options {
            body.extend(order.u16(*code));
            body.extend(order.u16(value.len() as u16));
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            body.extend([0; 4]);
        }
        self.block(1, &body)
    }

    pub(super) fn enhanced(self, interface: u32, ticks: u64, original: u32, data: &[u8]) -> Self {
        let order = self.order;
        let mut body = Vec::new();
        let captured = data.len() as u32;
        for field in [
            interface,
            (ticks >> 32) as u32,
            ticks as u32,
            captured,
            original,
        ] {
            body.extend(order.u32(field));
        }
        body.extend(data);
        self.block(6, &body)
    }

    pub(super) fn simple(self, original: u32, data: &[u8]) -> Self {
        let mut body = self.order.u32(original).to_vec();
        body.extend(data);
        self.block(3, &body)
    }

    pub(super) fn obsolete(self, interface: u16, ticks: u64, original: u32, data: &[u8]) -> Self {
        let order = self.order;
        let mut body = order.u16(interface).to_vec();
        body.extend(order.u16(0xffff));
        for field in [
            (ticks >> 32) as u32,
            ticks as u32,
            data.len() as u32,
            original,
        ] {
            body.extend(order.u32(field));
        }
        body.extend(data);
        self.block(2, &body)
    }
}

/// An Ethernet frame of `len` bytes (at least 14) whose payload counts up from `first`.
pub(super) fn ethernet_frame(first: u8, len: usize) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00];
    frame.extend((14..len).map(|i| first.wrapping_add(i as u8)));
    frame
}
