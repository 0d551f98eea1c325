//! Asking a running engine.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::protocol::{Answer, Request};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

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
            _ => format!("{name}: {error}"),
        })?;
        Answer::parse(&line)
            .ok_or_else(|| format!("{name}: this is no answer of a corelane of this version"))
    }
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
