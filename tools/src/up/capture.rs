//! Captures while it is up: a packet endpoint for as long as a client wants one, whose copies are in a
//! pool of its own. The engine waits for nobody: what finds no room is lost to the capture.

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use corelane::io::pcap::{FrameDirection, Interface, InterfaceCounts, PcapngWriter};
use corelane::stack::{
    Direction, Nic, PacketEndpoint, PacketEndpointConfig, PacketProtocol, PacketQueue, Shown,
};
use corelane::sync::doorbell::{Sleeper, doorbell};
use corelane::wire::ETHERNET_HEADER_LEN;

use crate::control::{Listener, Problem, Stream, Watch, WatchEnd, Watched};

/// Copies that wait, of each thread: so many, or as many as these bytes hold.
const QUEUE: usize = 2048;
const QUEUE_BYTES: usize = 32 << 20;

/// Copies that are sent at once.
const BATCH: usize = 512;

/// The longest sleep: how late it is seen that the client or the NIC is gone.
const NAP: Duration = Duration::from_millis(100);

/// A VLAN tag.
const TAG: usize = 4;

/// Copies of so many bytes that wait at most.
pub(super) fn queue_of(snap_len: usize) -> usize {
    (QUEUE_BYTES / snap_len.max(1)).clamp(1, QUEUE)
}

/// Bytes that hold every frame of a NIC with this MTU, on a link whose longest frame is that.
pub(super) fn whole_frame(mtu: usize, longest: usize) -> usize {
    longest.max(mtu + ETHERNET_HEADER_LEN + TAG)
}

/// A capture on a NIC, from when it is made until it is dropped.
pub(super) struct Capture {
    nic: Nic,
    endpoint: PacketEndpoint,
    queues: Vec<PacketQueue>,
    sleeper: Sleeper,
    interface: Interface,
    count: Option<u64>,
    duration: Option<Duration>,
    started: Instant,
    /// The nanoseconds since 1970 at the zero of the stack's clock.
    epoch_ns: u64,
}

impl Capture {
    /// Begins, on a NIC with this device, whose longest frame is so long.
    pub(super) fn begin(
        nic: &Nic,
        device: &str,
        longest: usize,
        watch: &Watch,
    ) -> Result<Self, Problem> {
        let whole = || whole_frame(nic.mtu(), longest);
        let snap_len = watch.snap_len.unwrap_or_else(whole);
        let config = PacketEndpointConfig {
            capacity: queue_of(snap_len),
            outbound: true,
            snap_len,
            filter: watch.filter,
            own_pool: true,
        };
        let failed = |error: &dyn std::fmt::Display| Problem {
            is_request: false,
            name: "Capture".to_owned(),
            message: format!("nic '{}': {error}", nic.name()),
        };
        let stack = nic.stack();
        let (endpoint, queues) = stack
            .packet_endpoint(config)
            .map_err(|error| failed(&error))?;
        let (bell, sleeper) = doorbell();
        endpoint.ring_on_arrival(bell);
        nic.register_packet_endpoint(PacketProtocol::All, &endpoint)
            .map_err(|error| failed(&error))?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let since = u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX);
        Ok(Self {
            interface: Interface {
                name: nic.name().to_owned(),
                description: device.to_owned(),
                snap_len: u32::try_from(snap_len).unwrap_or(0),
            },
            nic: nic.clone(),
            endpoint,
            queues,
            sleeper,
            count: watch.count,
            duration: watch.duration,
            started: Instant::now(),
            epoch_ns: since.saturating_sub(stack.now().as_nanos()),
        })
    }

    fn time_ns(&self, shown: &Shown) -> u64 {
        self.epoch_ns.saturating_add(shown.time.as_nanos())
    }

    /// What has come, by time.
    fn take(&mut self, most: usize) -> Vec<Shown> {
        let mut batch: Vec<Shown> = Vec::new();
        for queue in &mut self.queues {
            batch.extend(queue.try_iter().take(most));
        }
        batch.sort_by_key(|shown| shown.time);
        batch
    }

    /// Why it ends now, if it does.
    fn end(&self, written: u64, client: &mut Listener<'_>) -> Option<WatchEnd> {
        if self.count.is_some_and(|count| written >= count) {
            return Some(WatchEnd::Count);
        }
        client.over(self.started, self.duration, || self.nic.is_gone())
    }

    /// Sends what comes, until there is a reason to end.
    fn send(&mut self, client: &mut Listener<'_>) -> io::Result<(WatchEnd, u64)> {
        let started_ns = self
            .epoch_ns
            .saturating_add(self.nic.stack().now().as_nanos());
        let mut file = PcapngWriter::new(Vec::new(), &self.interface, started_ns)?;
        let mut written = 0;
        let end = loop {
            client.send(&std::mem::take(file.get_mut()))?;
            if let Some(end) = self.end(written, client) {
                break end;
            }
            let batch = self.take(BATCH);
            if batch.is_empty() {
                let nap = self.duration.map_or(NAP, |duration| {
                    NAP.min(duration.saturating_sub(self.started.elapsed()))
                });
                let Self {
                    queues, sleeper, ..
                } = self;
                sleeper.sleep(Some(nap), || queues.iter_mut().any(|it| !it.is_empty()));
                continue;
            }
            let left = self.count.map_or(u64::MAX, |count| count - written);
            for shown in batch.iter().take(left.try_into().unwrap_or(usize::MAX)) {
                let direction = match shown.direction {
                    Direction::Inbound => FrameDirection::Inbound,
                    Direction::Outbound => FrameDirection::Outbound,
                };
                let time = self.time_ns(shown);
                file.write(time, direction, shown.frame.data(), shown.original_len)?;
                written += 1;
            }
        };
        // From here on nothing more is counted as lost.
        self.detach();
        let lost = self.lost();
        let counts = InterfaceCounts {
            seen: written + lost,
            lost,
        };
        client.send(&file.finish(counts)?)?;
        Ok((end, written))
    }

    /// Copies that there was no room for.
    fn lost(&self) -> u64 {
        let stats = self.endpoint.stats();
        stats.overflow + stats.no_buffer
    }

    fn detach(&self) {
        // A NIC that is gone shows nothing more.
        let _ = self
            .nic
            .unregister_packet_endpoint(PacketProtocol::All, &self.endpoint);
    }
}

impl Stream for Capture {
    fn run(mut self: Box<Self>, client: &mut Listener<'_>) -> io::Result<Watched> {
        let (end, shown) = self.send(client)?;
        let lost = self.lost();
        Ok(Watched { end, shown, lost })
    }
}

impl Drop for Capture {
    /// Also of one whose client is gone. Taking it back once more changes nothing.
    fn drop(&mut self) {
        self.detach();
    }
}
