mod files;
mod link_types;
mod links;
mod robustness;
mod writing;

use super::fixture::{PcapFile, PcapngFile};
use super::{Capture, Packet, PcapError};

fn open(bytes: Vec<u8>) -> Result<Capture, PcapError> {
    Capture::from_bytes("test.pcap", bytes)
}

impl PcapFile {
    fn open(&self) -> Capture {
        open(self.bytes.clone()).expect("a capture")
    }

    fn refuse(&self) -> PcapError {
        open(self.bytes.clone()).expect_err("no capture")
    }
}

impl PcapngFile {
    fn open(&self) -> Capture {
        open(self.bytes.clone()).expect("a capture")
    }

    fn refuse(&self) -> PcapError {
        open(self.bytes.clone()).expect_err("no capture")
    }
}

/// The bytes of the frame that a packet is delivered as.
fn frame(packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(packet.substitute_header().into_iter().flatten());
    bytes.extend(packet.payload());
    assert_eq!(bytes.len(), packet.len());
    bytes
}

fn frames(capture: &Capture) -> Vec<Vec<u8>> {
    capture.packets().map(|packet| frame(&packet)).collect()
}

fn offsets(capture: &Capture) -> Vec<u64> {
    capture.packets().map(|packet| packet.offset_ns()).collect()
}
