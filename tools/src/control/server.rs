//! Serving clients: a thread for each, a bounded number of them, and none that waits for ever.

use std::io::{self, ErrorKind, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::line::{Line, Lines, MAX_LINE};
use super::protocol::{Answer, Problem, Request};
use super::seats::{Clients, Seat};
use super::stream::{Listener, Stream};

/// How long a client may be silent.
const SILENCE: Duration = Duration::from_secs(300);

/// How long an answer may take to be read.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// What a client is told that comes when there are enough.
const BUSY: &str = "there are as many clients as there can be; try again";

/// What a request gets.
pub(crate) enum Reply {
    /// An answer.
    Answer(Answer),
    /// A stream of this kind; it ends the connection.
    Stream(&'static str, Box<dyn Stream>),
}

/// Answers a request; called by several threads at once.
pub(crate) type Respond = dyn Fn(Request) -> Reply + Send + Sync;

/// Serves clients from now on, to the end of the process.
///
/// # Errors
/// There is no thread for it.
pub(crate) fn serve(listener: UnixListener, respond: Arc<Respond>) -> io::Result<()> {
    let clients = Clients::default();
    let accept = move || {
        loop {
            match listener.accept() {
                Ok((stream, _)) => admit(stream, &clients, &respond),
                Err(error) => {
                    tracing::warn!(%error, "the control socket: a client could not be accepted");
                    // No descriptor left, most likely: that does not pass at once.
                    thread::sleep(Duration::from_millis(100));
                }
            }
        }
    };
    let thread = thread::Builder::new().name("control-socket".to_owned());
    thread.spawn(accept).map(drop)
}

/// Gives a client its thread.
fn admit(stream: UnixStream, clients: &Clients, respond: &Arc<Respond>) {
    let stream = Arc::new(stream);
    let Some(seat) = clients.seat(&stream) else {
        // Whoever cannot take that much at once is not waited for.
        let told = stream.set_nonblocking(true);
        let answer = Answer::Problem(busy()).json();
        let _ = told.and_then(|()| (&*stream).write_all(format!("{answer}\n").as_bytes()));
        return;
    };
    let respond = Arc::clone(respond);
    let thread = thread::Builder::new().name("control-client".to_owned());
    let spawned = thread.spawn(move || {
        if let Err(error) = attend(&stream, &seat, &*respond) {
            tracing::debug!(%error, "a client of the control socket is gone");
        }
    });
    if let Err(error) = spawned {
        tracing::warn!(%error, "the control socket: no thread for a client");
    }
}

fn busy() -> Problem {
    Problem {
        is_request: false,
        name: "Busy".to_owned(),
        message: BUSY.to_owned(),
    }
}

/// Answers a client until it goes, or is too slow.
fn attend(stream: &UnixStream, seat: &Seat, respond: &Respond) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENCE))?;
    let mut lines = Lines::new(stream);
    loop {
        seat.waits(true);
        let line = lines.next()?;
        seat.waits(false);
        let (answer, is_last) = match line {
            Line::End => return Ok(()),
            Line::Whole(line) => match Request::parse(&line).map(respond) {
                Ok(Reply::Stream(kind, sender)) => return send_stream(stream, kind, sender),
                Ok(Reply::Answer(answer)) => (answer, false),
                Err(problem) => (Answer::Problem(problem), false),
            },
            Line::TooLong => {
                let what = format!("a request is a line of at most {MAX_LINE} bytes, in 10 s");
                (Answer::Problem(Problem::request(what)), true)
            }
        };
        write_within(stream, format!("{}\n", answer.json()).as_bytes())?;
        if is_last {
            return Ok(());
        }
    }
}

/// Sends what there is to its end.
fn send_stream(stream: &UnixStream, kind: &str, sender: Box<dyn Stream>) -> io::Result<()> {
    let answer = Answer::Stream(kind.to_owned()).json();
    write_within(stream, format!("{answer}\n").as_bytes())?;
    let mut listener = Listener::new(stream);
    let watched = sender.run(&mut listener)?;
    listener.end(watched)
}

/// Writes it all, in the time that an answer has.
pub(super) fn write_within(mut stream: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    let deadline = Instant::now() + ANSWER_TIME;
    while !bytes.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_write_timeout(Some(left))?;
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(len) => bytes = bytes.get(len..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::path::PathBuf;

    use serde_json::{Value, json};

    use super::super::seats::{CLIENTS, GIVES_WAY};
    use super::*;

    /// A server whose answers are `rows` rows each.
    fn server(name: &str, rows: usize) -> PathBuf {
        let name = format!("corelane-{}-{name}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        // Of an earlier run, or nothing.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let row = json!({ "text": "a".repeat(1000) });
        let respond = move |_| Reply::Answer(Answer::Rows(vec![row.clone(); rows]));
        serve(listener, Arc::new(respond)).unwrap();
        path
    }

    fn connect(path: &PathBuf) -> BufReader<UnixStream> {
        let stream = UnixStream::connect(path).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        BufReader::new(stream)
    }

    fn read(client: &mut BufReader<UnixStream>) -> Value {
        let mut line = String::new();
        client.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("'{line}': {error}"))
    }

    fn ask(client: &mut BufReader<UnixStream>, line: &str) -> Value {
        // Whoever is not wanted may be told so before this.
        let _ = client.get_mut().write_all(line.as_bytes());
        read(client)
    }

    const SHOW: &str = "{\"schema\":1,\"do\":\"show\",\"what\":\"nics\"}\n";

    #[test]
    fn a_wrong_line_is_answered_and_the_next_one_served() {
        let path = server("wrong", 1);
        let mut client = connect(&path);
        assert_eq!(ask(&mut client, "nonsense\n")["error"]["kind"], "request");
        assert_eq!(ask(&mut client, SHOW)["rows"].as_array().unwrap().len(), 1);
        // Two at once, the second one in two parts.
        let (first, second) = SHOW.split_at(9);
        assert!(ask(&mut client, &[SHOW, first].concat())["rows"].is_array());
        assert!(ask(&mut client, second)["rows"].is_array());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn too_long_a_line_is_told_and_ends_the_connection() {
        let path = server("long", 1);
        let mut client = connect(&path);
        let long = "a".repeat(MAX_LINE + 1);
        let answer = ask(&mut client, &long);
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains("65536 bytes"), "{message}");
        let mut rest = String::new();
        assert_eq!(client.read_line(&mut rest).unwrap_or(0), 0);
        assert!(ask(&mut connect(&path), SHOW)["rows"].is_array());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn clients_that_do_not_read_or_do_not_end_their_line_hold_up_nobody() {
        // More than a socket's buffers hold.
        let path = server("slow", 10_000);
        let mut deaf = connect(&path);
        deaf.get_mut().write_all(SHOW.as_bytes()).unwrap();
        let mut dumb = connect(&path);
        dumb.get_mut().write_all(b"{").unwrap();
        let mut brisk = connect(&path);
        let rows = ask(&mut brisk, SHOW);
        assert_eq!(rows["rows"].as_array().unwrap().len(), 10_000);
        std::fs::remove_file(path).unwrap();
    }

    /// Clients that were answered, as many as there can be.
    fn crowd(path: &PathBuf) -> Vec<BufReader<UnixStream>> {
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| connect(path)).collect();
        for client in &mut clients {
            assert!(ask(client, SHOW)["rows"].is_array());
        }
        clients
    }

    #[test]
    fn one_client_too_many_is_told() {
        let path = server("many", 1);
        let clients = crowd(&path);
        let answer = read(&mut connect(&path));
        assert_eq!(answer["error"]["name"], "Busy");
        drop(clients);
        let start = Instant::now();
        // Their threads need a moment.
        while ask(&mut connect(&path), SHOW)["rows"].is_null() {
            assert!(start.elapsed() < Duration::from_secs(30));
            thread::sleep(Duration::from_millis(10));
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn who_has_been_silent_for_long_gives_way() {
        let path = server("silent", 1);
        let mut clients = crowd(&path);
        thread::sleep(GIVES_WAY);
        // All but the first have had something to say since.
        for client in clients.iter_mut().skip(1) {
            assert!(ask(client, SHOW)["rows"].is_array());
        }
        let mut late = connect(&path);
        assert!(ask(&mut late, SHOW)["rows"].is_array());
        let mut rest = String::new();
        assert_eq!(clients[0].read_line(&mut rest).unwrap(), 0, "{rest}");
        for client in clients.iter_mut().skip(1).chain([&mut late]) {
            assert!(ask(client, SHOW)["rows"].is_array());
        }
        std::fs::remove_file(path).unwrap();
    }
}
