//! `top`, where nothing is a terminal.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use corelane_lab::process;
use serde_json::Value;

use super::bed::{Client, ECHO, kernel_end, nic, with_echoes};
use super::common::up::{CORELANE, PATIENCE, Up};

pub(crate) fn top() {
    let up = Up::start("top", &(nic("cl27", "'192.0.27.2/24'") + ECHO));
    kernel_end("cl27", 27);
    let top = |arguments: &str| {
        let mut command = Command::new(CORELANE);
        command.arg("top").arg("--socket").arg(up.socket());
        command.args(arguments.split_whitespace());
        command
    };
    let output = |arguments: &str| process::output(&mut top(arguments), PATIENCE).unwrap();
    with_echoes("192.0.27.2", || {
        let said = output("--once --interval 500ms --json -");
        assert_eq!(said.status.code(), Some(0));
        let rates: Value = serde_json::from_slice(&said.stdout).unwrap();
        let nic = &rates["nics"][0];
        assert_eq!((&nic["nic"], &nic["addresses"]), (&"wan".into(), &1.into()));
        assert_eq!(
            (&nic["enabled"], &nic["state"]),
            (&true.into(), &"up".into())
        );
        for rate in ["received_pps", "received_bps", "sent_pps", "delivered_pps"] {
            assert!(nic[rate].as_f64() > Some(1.0), "{rate}: {nic}");
        }
        assert!(rates["seconds"].as_f64() >= Some(0.5), "{rates}");
        assert_eq!(rates["threads"][0]["thread"], "worker-0");

        // To a file, beside the lines.
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("top.json");
        let said = output(&format!(
            "--once --interval 100ms --json {}",
            file.display()
        ));
        assert_eq!(said.status.code(), Some(0));
        assert!(
            said.stdout
                .starts_with(b"nic          state         rx pps")
        );
        let rates: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(rates["nics"][0]["nic"], "wan");
        let said = output("--once --json /nonexistent/top.json");
        assert_eq!(said.status.code(), Some(2));

        // In lines, on and on, until nobody reads them.
        let mut child = top("--interval 100ms")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = || lines.next().unwrap().unwrap();
        assert!(line().starts_with("nic          state         rx pps"));
        assert!(line().starts_with("wan          up "));
        while !line().is_empty() {}
        assert!(line().starts_with("nic "));
        drop(lines);
        assert!(process::wait(&mut child, PATIENCE).unwrap());
        assert_eq!(child.wait().unwrap().code(), Some(0));
    });
    assert!(Client::new("192.0.27.2", 7).echo(b"it is still there"));
    let socket = up.socket();
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
    // Its host has ended.
    let mut command = Command::new(CORELANE);
    command.arg("top").arg("--socket").arg(socket);
    let output = process::output(&mut command, PATIENCE).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("there is no control socket"), "{told}");
}
