//! Who reads the log, and does not.

use std::io::{BufRead, BufReader, Write, pipe};
use std::os::unix::net::UnixStream;

use super::bed::nic;
use super::common::up::{PATIENCE, Up};

/// Changes whose lines are more than a pipe and what waits for it hold.
const CHANGES: usize = 6000;

/// Changes something so often, each time with a line in the log.
fn change(up: &Up) {
    let mut client = UnixStream::connect(up.socket()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answers = BufReader::new(client.try_clone().unwrap());
    for number in 1..=CHANGES {
        let on = number % 2 == 1;
        let request = format!(r#"{{"schema":1,"do":"set_spoofing","nic":"wan","on":{on}}}"#);
        client.write_all((request + "\n").as_bytes()).unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        assert!(answer.contains("done"), "{number}: '{answer}'");
    }
    assert_eq!(up.show("nics")[0]["spoofing"], false);
}

fn end(up: Up) {
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("every frame is accounted for"), "{text}");
}

pub(crate) fn log_unread() {
    let (reader, log) = pipe().unwrap();
    let up = Up::start_logging_to(log, "log-unread", &nic("cl37", ""));
    change(&up);
    end(up);
    drop(reader);
}

pub(crate) fn log_read_late() {
    let (reader, log) = pipe().unwrap();
    let up = Up::start_logging_to(log, "log-late", &nic("cl38", ""));
    change(&up);
    let mut lines = BufReader::new(reader).lines().map(Result::unwrap);
    let changes = lines.by_ref();
    let lost = "lines of the log were lost: nobody read it lines=";
    let mut came = 0;
    let told = changes
        .inspect(|line| came += usize::from(line.contains("ctl: set_spoofing")))
        .find_map(|line| Some(line.split_once(lost)?.1.to_owned()));
    assert_eq!(told.unwrap().parse::<usize>().unwrap() + came, CHANGES);
    end(up);
}

pub(crate) fn log_reader_gone() {
    let (reader, log) = pipe().unwrap();
    let up = Up::start_logging_to(log, "log-gone", &nic("cl39", ""));
    drop(reader);
    change(&up);
    end(up);
}
