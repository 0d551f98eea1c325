//! `ctl capture` and `ctl trace`: frames of a host that is up, while it is.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::Path;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::cli::{CtlArgs, Usage};
use crate::control::{Client, Watch, WatchEnd, WatchError, WatchKind, Watched, default_path};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::run::{Failure, say};

pub(super) fn watch(args: &CtlArgs, watch: &Watch) -> Result<Exit, Failure> {
    let interrupt = Interrupt::of_process()
        .map_err(|error| Failure::Run(format!("cannot catch Ctrl-C: {error}")))?;
    let path = args.socket.clone().unwrap_or_else(default_path);
    let client = Client::connect(&path).map_err(Failure::Run)?;
    // Not before there is somebody to ask: what was in the file may be wanted still.
    let mut out = output(args.write.as_deref())?;
    let is_piped = is_stdout(args.write.as_deref());
    let mut has_reader = true;
    let watched = client.watch(watch, &mut *out, || {
        has_reader = !is_piped || is_read(&io::stdout());
        interrupt.is_raised() || !has_reader
    });
    let watched = match watched {
        // Whoever read it has enough, whether frames come or not.
        Ok(_) if !has_reader => return Ok(Exit::Done),
        Ok(watched) => watched,
        Err(WatchError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {
            return Ok(Exit::Done);
        }
        Err(WatchError::Problem(problem)) if problem.is_request => {
            return Err(Usage::new(problem.to_string()).into());
        }
        Err(WatchError::Output(error)) => {
            let name = args.write.as_deref().unwrap_or(Path::new("-")).display();
            return Err(Failure::Run(format!("cannot write {name}: {error}")));
        }
        Err(error) => return Err(Failure::Run(error.to_string())),
    };
    say(&format!("corelane: {}", summary(watch.kind, &watched)));
    Ok(exit(watch, watched.end))
}

/// Whether it came to the end that was asked for; where none was, any is.
fn exit(watch: &Watch, end: WatchEnd) -> Exit {
    let is_bounded = watch.count.is_some() || watch.duration.is_some();
    match end {
        WatchEnd::Client if is_bounded => Exit::Interrupted,
        WatchEnd::NicRemoved if is_bounded => Exit::Failed,
        _ => Exit::Done,
    }
}

fn is_stdout(file: Option<&Path>) -> bool {
    file.is_none_or(|path| path == Path::new("-"))
}

/// Whether there is still somebody at the other end of what may be a pipe.
fn is_read(output: &impl AsFd) -> bool {
    let mut fds = [PollFd::new(output.as_fd(), PollFlags::empty())];
    // What cannot be asked is written to, and tells then.
    poll(&mut fds, PollTimeout::ZERO).is_err()
        || !fds[0]
            .revents()
            .is_some_and(|events| events.contains(PollFlags::POLLERR))
}

/// Where the frames go.
fn output(file: Option<&Path>) -> Result<Box<dyn Write>, Failure> {
    match file {
        Some(path) if !is_stdout(file) => {
            let name = path.display();
            let file = File::create(path)
                .map_err(|error| Usage::new(format!("--write: cannot write {name}: {error}")))?;
            Ok(Box::new(BufWriter::new(file)))
        }
        _ => Ok(Box::new(io::stdout())),
    }
}

fn summary(kind: WatchKind, watched: &Watched) -> String {
    let Watched { end, shown, lost } = *watched;
    let plural = |n: u64| if n == 1 { "" } else { "s" };
    let (done, what) = match kind {
        WatchKind::Capture => ("captured", "frame"),
        WatchKind::Trace => ("traced", "step"),
    };
    let why = match end {
        WatchEnd::NicRemoved => "; the NIC was removed",
        WatchEnd::Count | WatchEnd::Duration | WatchEnd::Client => "",
    };
    format!(
        "{shown} frame{} {done}, {lost} {what}{} lost{why}",
        plural(shown),
        plural(lost)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_without_a_reader_is_told_without_a_write() {
        let (reader, writer) = io::pipe().unwrap();
        assert!(is_read(&writer));
        drop(reader);
        assert!(!is_read(&writer));
        let file = tempfile::tempfile().unwrap();
        assert!(is_read(&file));
    }

    #[test]
    fn an_end_before_the_one_that_was_asked_for_is_told_by_the_status() {
        let watch = |kind, count| Watch {
            kind,
            nic: None,
            filter: corelane::wire::PacketFilter::default(),
            count,
            duration: None,
            snap_len: None,
        };
        for (kind, count, end, expected) in [
            (WatchKind::Trace, Some(5), WatchEnd::Count, Exit::Done),
            (
                WatchKind::Trace,
                Some(5),
                WatchEnd::NicRemoved,
                Exit::Failed,
            ),
            (WatchKind::Trace, None, WatchEnd::NicRemoved, Exit::Done),
            (WatchKind::Trace, None, WatchEnd::Client, Exit::Done),
            (
                WatchKind::Trace,
                Some(5),
                WatchEnd::Client,
                Exit::Interrupted,
            ),
            (
                WatchKind::Capture,
                Some(5),
                WatchEnd::NicRemoved,
                Exit::Failed,
            ),
            (WatchKind::Capture, None, WatchEnd::NicRemoved, Exit::Done),
            (WatchKind::Capture, None, WatchEnd::Client, Exit::Done),
        ] {
            assert_eq!(
                exit(&watch(kind, count), end),
                expected,
                "{kind:?} {count:?} {end:?}"
            );
        }
    }
}
