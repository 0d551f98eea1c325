//! What is sent piece by piece: after an answer that says so, a line `{"bytes":N}` before each N bytes,
//! and at the end a line `{"schema":1,"end":{...}}`.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::protocol::SCHEMA;
use super::server::write_within;
use super::watch::{WatchEnd, Watched};

/// The most bytes of a piece.
const MAX_PIECE: usize = 1 << 20;

/// How often somebody asks whether the client is still there.
const LOOK: Duration = Duration::from_millis(100);

/// Sends for as long as it takes, on the thread of its client.
pub(crate) trait Stream: Send {
    /// Sends, and says what came of it.
    ///
    /// # Errors
    /// The client is gone, or too slow.
    fn run(self: Box<Self>, client: &mut Listener<'_>) -> io::Result<Watched>;
}

/// The client of a stream.
pub(crate) struct Listener<'s> {
    stream: &'s UnixStream,
    looked: Instant,
    has_enough: bool,
}

impl<'s> Listener<'s> {
    pub(super) fn new(stream: &'s UnixStream) -> Self {
        Self {
            stream,
            looked: Instant::now(),
            has_enough: false,
        }
    }

    /// Sends a piece.
    ///
    /// # Errors
    /// The client is gone, or does not take it in time.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(MAX_PIECE) {
            let head = format!("{{\"bytes\":{}}}\n", piece.len());
            write_within(self.stream, head.as_bytes())?;
            write_within(self.stream, piece)?;
        }
        Ok(())
    }

    /// Why what began then, for so long at most, ends now beside its count, if it does.
    pub(crate) fn over(
        &mut self,
        started: Instant,
        duration: Option<Duration>,
        is_nic_gone: impl FnOnce() -> bool,
    ) -> Option<WatchEnd> {
        if duration.is_some_and(|duration| started.elapsed() >= duration) {
            Some(WatchEnd::Duration)
        } else if self.has_enough() {
            Some(WatchEnd::Client)
        } else {
            is_nic_gone().then_some(WatchEnd::NicRemoved)
        }
    }

    /// Whether the client has closed its end, or half of it: it has enough. Looks now and then.
    fn has_enough(&mut self) -> bool {
        if self.has_enough || self.looked.elapsed() < LOOK {
            return self.has_enough;
        }
        self.looked = Instant::now();
        let mut byte = [0; 64];
        let mut stream = self.stream;
        // A moment is the shortest that can be waited.
        let read = stream
            .set_read_timeout(Some(Duration::from_micros(1)))
            .and_then(|()| stream.read(&mut byte));
        self.has_enough = match read {
            Ok(0) => true,
            // It has nothing to say here.
            Ok(_) => false,
            Err(error) => !matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
            ),
        };
        self.has_enough
    }

    /// Sends the end.
    pub(super) fn end(&mut self, watched: Watched) -> io::Result<()> {
        let end = json!({ "schema": SCHEMA, "end": watched.json() });
        write_within(self.stream, format!("{end}\n").as_bytes())
    }
}

/// The longest line between pieces.
const MAX_HEAD: u64 = 1024;

/// What comes next on a stream.
pub(super) enum Next {
    /// So many bytes.
    Piece(usize),
    /// No more.
    End(Watched),
}

/// Reads what comes next.
///
/// # Errors
/// Nothing more comes, or what nobody understands.
pub(super) fn next(stream: &mut impl BufRead) -> io::Result<Next> {
    let mut line = Vec::new();
    if stream.take(MAX_HEAD).read_until(b'\n', &mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let head: Value = serde_json::from_slice(&line).map_err(io::Error::other)?;
    if let Some(bytes) = head["bytes"].as_u64()
        && bytes <= MAX_PIECE as u64
    {
        return Ok(Next::Piece(bytes as usize));
    }
    Watched::parse(&head["end"])
        .map(Next::End)
        .ok_or_else(|| io::Error::other("this is nothing that a corelane of this version sends"))
}

/// Copies a piece.
///
/// # Errors
/// It cannot be read, or not be written.
pub(super) fn copy(
    stream: &mut impl Read,
    len: usize,
    out: &mut dyn Write,
) -> Result<(), CopyError> {
    let mut piece = vec![0; len];
    stream.read_exact(&mut piece).map_err(CopyError::Read)?;
    out.write_all(&piece)
        .and_then(|()| out.flush())
        .map_err(CopyError::Write)
}

pub(super) enum CopyError {
    Read(io::Error),
    Write(io::Error),
}
