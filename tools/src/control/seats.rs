//! How many clients there are at once, and who of them gives way.

use std::collections::BTreeMap;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Clients at once.
pub(super) const CLIENTS: usize = 32;

/// How long a client has to have said nothing to give way to another one: whoever keeps connections open that nobody
/// uses locks out nobody.
pub(super) const GIVES_WAY: Duration = Duration::from_secs(10);

/// Those that there are. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Clients(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    next: u64,
    seats: BTreeMap<u64, Client>,
}

struct Client {
    stream: Arc<UnixStream>,
    /// Since when it is waited for, if it is.
    silent: Option<Instant>,
}

/// The seat of a client, which is free when this is dropped.
pub(super) struct Seat {
    number: u64,
    clients: Clients,
}

impl Clients {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat, if there is one, or somebody gives way: the one that has been silent longest.
    pub(super) fn seat(&self, stream: &Arc<UnixStream>) -> Option<Seat> {
        let mut taken = self.taken();
        if taken.seats.len() >= CLIENTS {
            let silent = taken.seats.iter();
            let silent = silent.filter_map(|(number, client)| Some((client.silent?, *number)));
            let (since, number) = silent.min()?;
            if since.elapsed() < GIVES_WAY {
                return None;
            }
            let client = taken.seats.remove(&number)?;
            // It may be gone by itself.
            let _ = client.stream.shutdown(Shutdown::Both);
        }
        let number = taken.next;
        taken.next += 1;
        let client = Client {
            stream: Arc::clone(stream),
            silent: None,
        };
        taken.seats.insert(number, client);
        drop(taken);
        Some(Seat {
            number,
            clients: self.clone(),
        })
    }
}

impl Seat {
    /// Whether its client is waited for, from now on.
    pub(super) fn waits(&self, waits: bool) {
        if let Some(client) = self.clients.taken().seats.get_mut(&self.number) {
            client.silent = waits.then(Instant::now);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.clients.taken().seats.remove(&self.number);
    }
}
