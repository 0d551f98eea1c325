//! A fixed amount of work for `ci/instructions`, which counts what `Worker::poll` and
//! `Distributor::poll` execute for it. Prints how many packets that was.
//!
//! | argument | work |
//! |---|---|
//! | none | delivery to 1,000 endpoints |
//! | `packet-endpoint` | the same, with a packet endpoint for a protocol that does not come |
//! | `sockets` | delivery to 1,000 UDP sockets, without what reading them costs |
//! | `forward` | forwarding by 1,000 routes to 64 neighbors |
#![forbid(unsafe_code)]

use std::process::ExitCode;

use corelane::stack::{PacketEndpointConfig, PacketProtocol};
use corelane::wire::EtherType;
use corelane_benches::bare::Return;
use corelane_benches::bed::{Bed, BedConfig, ForwardConfig, Receiver};
use corelane_benches::traffic::{Mix, Population};

/// Frames laid out.
const FRAMES: usize = 1 << 14;

/// Rounds of a full ring each.
const ROUNDS: usize = FRAMES / 1024;

fn main() -> ExitCode {
    let work = std::env::args().nth(1);
    let packets = match work.as_deref() {
        None => delivery(&mut local(Receiver::Handler)),
        Some("packet-endpoint") => {
            let mut bed = local(Receiver::Handler);
            let lldp = PacketProtocol::One(EtherType(0x88cc));
            let _queues = bed.show(lldp, PacketEndpointConfig::default());
            delivery(&mut bed)
        }
        Some("sockets") => {
            let mut bed = local(Receiver::Sockets);
            let packets = (0..ROUNDS)
                .map(|_| bed.socket_round(Return::Afterwards).0)
                .sum();
            assert_eq!(bed.totals().delivered, packets);
            packets
        }
        Some("forward") => {
            let mut bed = Bed::forwarding(&ForwardConfig {
                hashed: false,
                ..ForwardConfig::alone(1_000, 64, FRAMES)
            });
            let packets = rounds(&mut bed);
            assert_eq!(bed.totals().forwarded, packets);
            packets
        }
        Some(other) => {
            eprintln!("{other}: no such work");
            return ExitCode::FAILURE;
        }
    };
    println!("{packets}");
    ExitCode::SUCCESS
}

fn local(receiver: Receiver) -> Bed {
    Bed::new(BedConfig {
        hashed: false,
        laid_out: FRAMES,
        receiver,
        ..BedConfig::alone(Population {
            mix: Mix::Mixed,
            len: 1000,
        })
    })
}

fn delivery(bed: &mut Bed) -> u64 {
    let packets = rounds(bed);
    assert_eq!(bed.totals().delivered, packets);
    packets
}

fn rounds(bed: &mut Bed) -> u64 {
    (0..ROUNDS).map(|_| bed.round().0).sum()
}
