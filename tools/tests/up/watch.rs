//! `ctl capture` and `ctl trace`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::bed::{Client, ECHO, frames_of, ip, kernel_end, nic, tshark, with_echoes};
use super::common::up::{Up, eventually};

pub(crate) fn capture() {
    let up = Up::start("capture", &(nic("cl20", "'192.0.20.2/24'") + ECHO));
    kernel_end("cl20", 20);
    let file = up.dir().path("all.pcapng");
    let path = file.display().to_string();
    with_echoes("192.0.20.2", || {
        // Both directions, attached and detached while it runs.
        for _ in 0..3 {
            let output = up.ctl(&format!("capture wan --port 7 --count 20 -w {path}"));
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(0), "{told}");
            assert_eq!(told, "corelane: 20 frames captured, 0 frames lost\n");
            assert_eq!(frames_of(&file), [(57, false); 20]);
        }
        if let Some(lines) = tshark(&file, &["frame.packet_flags_direction", "udp.dstport"]) {
            assert_eq!(lines.len(), 20);
            let inbound = lines.iter().filter(|line| line.ends_with("\t7")).count();
            assert!((9..=11).contains(&inbound), "{lines:?}");
        }
        // Cut, to standard output, by time.
        let output = up.ctl("capture wan --address 192.0.20.1 --duration 200ms --snaplen 40 -w -");
        assert_eq!(output.status.code(), Some(0));
        std::fs::write(&file, &output.stdout).unwrap();
        let frames = frames_of(&file);
        let are_cut = frames.iter().all(|it| *it == (40, true));
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!frames.is_empty() && are_cut, "{frames:?}: {told}");
        // Nobody is there with that address.
        let output = up.ctl(&format!(
            "capture wan --address 192.0.20.99 --duration 50ms -w {path}"
        ));
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(told, "corelane: 0 frames captured, 0 frames lost\n");
        assert!(frames_of(&file).is_empty());
    });
    for (line, status, told) in [
        ("capture lan -w /dev/null", 2, "there is no NIC 'lan'"),
        ("capture wan", 2, "--write is missing"),
        ("capture -w -", 2, "on which NIC?"),
        (
            "show nics --port 7",
            2,
            "--port: only capture and trace have it",
        ),
        ("capture wan --snaplen 3 -w -", 2, "--snaplen"),
        (
            "trace --count 1 --snaplen 99",
            2,
            "--snaplen: only capture has it",
        ),
        (
            "capture wan --count 1 -w /nowhere/at/all",
            2,
            "cannot write",
        ),
    ] {
        let output = up.ctl(line);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{line}: {stderr}");
        assert!(stderr.contains(told), "{line}: {stderr}");
    }
    // A reader that goes away is seen though no frame comes, and is no failure.
    let mut unread = up.ctl_command("capture wan --address 192.0.20.99 -w -");
    let mut unread = unread.stdout(Stdio::piped()).spawn().unwrap();
    let mut header = [0; 4];
    let mut pipe = unread.stdout.take().unwrap();
    pipe.read_exact(&mut header).unwrap();
    assert_eq!(
        header,
        [0x0a, 0x0d, 0x0d, 0x0a],
        "the first block of a pcapng file"
    );
    drop(pipe);
    eventually("the capture ends", || unread.try_wait().unwrap().is_some());
    assert_eq!(unread.wait().unwrap().code(), Some(0));
    // A NIC that nobody captures on has nothing attached, and the books balance.
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
}

pub(crate) fn capture_slow() {
    let up = Up::start("capture-slow", &(nic("cl21", "'192.0.21.2/24'") + ECHO));
    kernel_end("cl21", 21);
    let connect = || {
        let stream = UnixStream::connect(up.socket()).unwrap();
        let mut stream = BufReader::new(stream);
        let request = b"{\"schema\":1,\"do\":\"capture\",\"nic\":\"wan\"}\n";
        stream.get_mut().write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_line(&mut answer).unwrap();
        assert_eq!(answer, "{\"schema\":1,\"stream\":\"pcapng\"}\n");
        stream
    };
    // One that reads nothing, and one that goes without a word.
    let deaf = connect();
    drop(connect());
    let client = Client::new("192.0.21.2", 7);
    // Far more than sockets and rings hold, in half the time that a client has to take something.
    let began = Instant::now();
    for _ in 0..2000 {
        assert!(client.echo(&[7; 1400]));
        if began.elapsed() > Duration::from_secs(5) {
            break;
        }
    }
    // What was kept comes, and the end with what was lost.
    deaf.get_ref().shutdown(Shutdown::Write).unwrap();
    let mut stream = deaf;
    let (mut file, mut end) = (Vec::new(), Value::Null);
    while end.is_null() {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let mut head: Value = serde_json::from_str(&line).unwrap();
        end = head["end"].take();
        if let Some(bytes) = head["bytes"].as_u64() {
            let mut piece = vec![0; bytes as usize];
            stream.read_exact(&mut piece).unwrap();
            file.extend(piece);
        }
    }
    let (shown, lost) = (end["shown"].as_u64(), end["lost"].as_u64());
    let path = up.dir().path("slow.pcapng");
    std::fs::write(&path, file).unwrap();
    assert_eq!(frames_of(&path).len() as u64, shown.unwrap());
    assert!(lost.unwrap() > 0, "{end}");
    assert_eq!(end["reason"], "client");
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
}

pub(crate) fn trace() {
    let config = nic("cl22", "'192.0.22.2/24', '2001:db8:22::2/64'") + ECHO;
    let up = Up::start("trace", &config);
    kernel_end("cl22", 22);
    eventually("the address is nobody else's", || up.has("2001:db8:22::2"));
    let text = with_echoes("192.0.22.2", || {
        let output = up.ctl("trace wan --port 7 --count 3");
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{told}");
        assert_eq!(told, "corelane: 3 frames traced, 0 steps lost\n");
        String::from_utf8(output.stdout).unwrap()
    });
    // As sim tells it, and with the times of here.
    let without_time = |line: &str| match line.split_once(' ') {
        Some((time, rest)) if time.ends_with('s') => rest.to_owned(),
        _ => line.to_owned(),
    };
    let lines: Vec<_> = text.lines().map(without_time).collect();
    assert_eq!(lines.len(), 3 * 8, "{text}");
    for way in lines.chunks(8) {
        assert!(way[0].starts_with("wan receives eth "), "{text}");
        assert_eq!(
            way[1..7],
            [
                "    ethernet_input: ip4",
                "    ip4_input: valid",
                "    lookup: permanent",
                "    local_deliver: transport",
                "    handler: delivered",
                "    link_output: queued",
            ],
            "{text}"
        );
        assert!(way[7].starts_with("wan sends eth "), "{text}");
    }
    // What goes to the control plane is followed there.
    let output = thread::scope(|scope| {
        let asking = scope.spawn(|| up.ctl("trace --address 2001:db8:22::1 --count 1"));
        let client = Client::new("2001:db8:22::2", 7);
        ip("neigh flush dev cl22");
        while !asking.is_finished() {
            client.echo(b"who has it?");
            ip("neigh flush dev cl22");
        }
        asking.join().unwrap()
    });
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("receives eth ") && text.contains(" / ip6 "),
        "{text}"
    );
    // By time alone, and with as many frames as come.
    let text = with_echoes("192.0.22.2", || {
        let output = up.ctl("trace wan --port 7 --duration 300ms");
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    });
    assert!(text.matches("handler: delivered").count() > 3, "{text}");
    // One at a time, and none is left behind by one that goes.
    let (first, second) = thread::scope(|scope| {
        let first = scope.spawn(|| up.ctl("trace --port 9 --count 1 --duration 1s"));
        thread::sleep(Duration::from_millis(300));
        let second = up.ctl("trace --port 9 --count 1 --duration 10ms");
        (first.join().unwrap(), second)
    });
    assert_eq!(first.status.code(), Some(0));
    let told = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{told}");
    assert!(told.contains("somebody traces already"), "{told}");
    let output = up.ctl("trace --port 9 --count 1 --duration 10ms");
    assert_eq!(output.status.code(), Some(0));
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
}
