//! Asking a running engine.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::Shutdown;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::protocol::{Answer, Problem, Request};
use super::stream::{self, CopyError, Next};
use super::watch::{Watch, Watched};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often somebody is asked whether there is enough.
const LOOK: Duration = Duration::from_millis(100);

/// A connection to a control socket.
pub struct Client {
    stream: BufReader<UnixStream>,
    path: PathBuf,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there, or it is not for this user: in words that say what to do.
    pub fn connect(path: &Path) -> Result<Self, String> {
        let name = path.display();
        let stream = UnixStream::connect(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => format!(
                "there is no control socket {name}: is 'corelane up' running? --socket says where \
                 its socket is"
            ),
            ErrorKind::ConnectionRefused if !is_socket(path) => {
                format!("{name} is no socket: --socket says where that of 'corelane up' is")
            }
            ErrorKind::ConnectionRefused => {
                format!("nobody listens at {name}: that 'corelane up' has ended; start it again")
            }
            ErrorKind::PermissionDenied => format!(
                "{name} is not for this user: be the one that 'corelane up' runs as, or set \
                 socket_mode in its configuration"
            ),
            _ => format!("cannot connect to {name}: {error}"),
        })?;
        let set = stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        set.map_err(|error| format!("{name}: {error}"))?;
        Ok(Self {
            stream: BufReader::new(stream),
            path: path.to_owned(),
        })
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// There is none, in words.
    pub fn ask(&mut self, request: &Request) -> Result<Answer, String> {
        let name = self.path.display();
        let line = exchange(&mut self.stream, request).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                format!("{name}: no answer within {} s", PATIENCE.as_secs())
            }
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof => {
                format!("{name}: 'corelane up' has ended")
            }
            _ => format!("{name}: {error}"),
        })?;
        Answer::parse(&line)
            .ok_or_else(|| format!("{name}: this is no answer of a corelane of this version"))
    }
}

/// Why watching ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The engine did not do it.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// The connection failed.
    #[error("{0}")]
    Connection(String),
    /// What came could not be written.
    #[error(transparent)]
    Output(io::Error),
}

impl Client {
    /// Asks for frames, and writes to `out` what comes until its end. Ends it early when
    /// `has_enough` says so, which is asked a few times in a second.
    ///
    /// # Errors
    /// [`WatchError`]: `out` has what came before.
    pub fn watch(
        mut self,
        watch: &Watch,
        out: &mut dyn Write,
        mut has_enough: impl FnMut() -> bool,
    ) -> Result<Watched, WatchError> {
        match self
            .ask(&Request::Watch(watch.clone()))
            .map_err(WatchError::Connection)?
        {
            Answer::Stream(_) => {}
            Answer::Problem(problem) => return Err(problem.into()),
            Answer::Rows(_) | Answer::Done => {
                let what = format!("{}: that is no answer to this", self.path.display());
                return Err(WatchError::Connection(what));
            }
        }
        let name = self.path.display().to_string();
        let lost = |error: io::Error| {
            WatchError::Connection(match error.kind() {
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => format!(
                    "{name}: 'corelane up' has ended, or had to wait for this too long; what came \
                     before that is there"
                ),
                _ => format!("{name}: {error}"),
            })
        };
        let mut ending_since = None;
        loop {
            if ending_since.is_none() && has_enough() {
                ending_since = Some(Instant::now());
                let shut = self.stream.get_ref().shutdown(Shutdown::Write);
                shut.map_err(lost)?;
            }
            // Until a piece begins it may take any time.
            let wait = self.stream.get_ref().set_read_timeout(Some(LOOK));
            match wait.and_then(|()| self.stream.fill_buf().map(drop)) {
                Ok(()) => {}
                Err(error) if is_nothing_yet(&error) => {
                    if ending_since.is_some_and(|since| since.elapsed() > PATIENCE) {
                        return Err(lost(error));
                    }
                    continue;
                }
                Err(error) => return Err(lost(error)),
            }
            let wait = self.stream.get_ref().set_read_timeout(Some(PATIENCE));
            wait.map_err(lost)?;
            match stream::next(&mut self.stream).map_err(lost)? {
                Next::End(watched) => return Ok(watched),
                Next::Piece(len) => match stream::copy(&mut self.stream, len, out) {
                    Ok(()) => {}
                    Err(CopyError::Read(error)) => return Err(lost(error)),
                    Err(CopyError::Write(error)) => return Err(WatchError::Output(error)),
                },
            }
        }
    }
}

fn is_socket(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|it| it.file_type().is_socket())
}

fn is_nothing_yet(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

fn exchange(stream: &mut BufReader<UnixStream>, request: &Request) -> io::Result<Vec<u8>> {
    // A server that does not want this client has said so and gone: its word counts.
    let sent = stream.get_mut().write_all(request.line().as_bytes());
    let mut line = Vec::new();
    match stream.read_until(b'\n', &mut line) {
        Ok(0) => Err(sent.err().unwrap_or(ErrorKind::UnexpectedEof.into())),
        Ok(_) => Ok(line),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_be_reached_is_told_apart() {
        let path = |name: &str| {
            let name = format!("corelane-{}-client-{name}", std::process::id());
            std::env::temp_dir().join(name)
        };
        let (nothing, file, left) = (path("nothing"), path("file"), path("left"));
        std::fs::write(&file, "").unwrap();
        drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
        for (path, told) in [
            (&nothing, "there is no control socket"),
            (&file, "is no socket"),
            (&std::env::temp_dir(), "is no socket"),
            (&left, "nobody listens at"),
        ] {
            let error = Client::connect(path).err().unwrap();
            assert!(error.contains(told), "{error}");
        }
        for path in [file, left] {
            std::fs::remove_file(path).unwrap();
        }
    }
}
