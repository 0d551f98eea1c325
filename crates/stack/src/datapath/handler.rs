//! What takes local packets.

use super::{Delivery, Packet};

/// What takes the packets that are for this host. Each worker has its own.
///
/// A panic costs the packet it happened over, counted as `handler_panicked`; the handler is
/// called again with the next one, so it has to be in a state to go on from.
pub trait Handler: Send {
    /// One packet.
    fn packet(&mut self, packet: &mut Packet<'_>);

    /// A burst of packets. Override it to do something once per burst, reading a clock for
    /// example; call [`Delivery::next`] until it returns None. Packets not asked for count as
    /// delivered.
    fn burst(&mut self, delivery: &mut Delivery<'_>) {
        while let Some(mut packet) = delivery.next() {
            self.packet(&mut packet);
        }
    }
}

impl<H: Handler + ?Sized> Handler for Box<H> {
    fn packet(&mut self, packet: &mut Packet<'_>) {
        (**self).packet(packet);
    }

    fn burst(&mut self, delivery: &mut Delivery<'_>) {
        (**self).burst(delivery);
    }
}

/// A handler that takes all there is and forgets it: packets count as delivered, and nobody is told that
/// nobody has the port.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sink;

impl Handler for Sink {
    fn packet(&mut self, _packet: &mut Packet<'_>) {}

    fn burst(&mut self, _delivery: &mut Delivery<'_>) {}
}
