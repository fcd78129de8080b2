//! Runs the hub example as a program.
#![cfg(unix)]
#[path = "common/example.rs"]
mod example;
#[path = "common/waiting.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod waiting;

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    process::{Child, Stdio},
};
use waiting::{DEADLINE, in_time};

/// Ends the program also when an assertion fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The numbers of a line of the table that begins with `name`.
fn row(output: &str, name: &str) -> Vec<u64> {
    let line = output.lines().find(|line| line.starts_with(name));
    let words = line.unwrap_or_else(|| panic!("no row {name}: {output}"));
    let words = words.split_whitespace();
    words.filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn five_hundred_clients_come_stall_reset_and_go() {
    let run = example::example("hub")
        .args(["--clients", "500", "--grace", "0.2"])
        .output();
    let output = run.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(output.status.success(), "{text}");
    for (name, clients, messages) in [
        ("steady", 125, 125 * 100),
        ("stalls", 125, 125 * 300),
        ("resets", 125, 125 * 20),
        ("leaves", 125, 125 * 3),
        ("late", 1, 100),
    ] {
        assert_eq!(row(&text, name)[..2], [clients, messages], "{text}");
    }
    // Each client that stalls is too slow for its buffers, and is told what it missed.
    assert!(row(&text, "stalls")[2] > 0, "{text}");
    assert_eq!(row(&text, "leaves")[2], 0, "{text}");
    assert!(text.contains("gaps 0"), "{text}");
    assert!(text.contains("pauses of the source  1"), "{text}");
}

/// `nc` reads the latest messages and then the new ones.
#[test]
fn a_client_of_any_kind_is_served() {
    in_time(|| {
        let mut program = example::example("hub")
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .map(Running)
            .unwrap();
        let mut said = String::new();
        let mut output = BufReader::new(program.0.stdout.take().unwrap());
        output.read_line(&mut said).unwrap();
        let address = said.split([' ', ';']).nth(2).unwrap();
        let read = |client: TcpStream| {
            client.set_read_timeout(Some(DEADLINE)).unwrap();
            let lines = BufReader::new(client).lines().map(Result::unwrap);
            let numbers = lines.map(|line| {
                let number = line.split(' ').nth(1).unwrap();
                number.parse::<u64>().unwrap()
            });
            numbers.take(30).collect::<Vec<_>>()
        };
        let first = read(TcpStream::connect(address).unwrap());
        assert!(first.iter().copied().eq(0..30));
        // The latest ten are behind what the first client has read.
        let second = read(TcpStream::connect(address).unwrap());
        assert!(second[0] + 10 >= 30, "{second:?}");
        assert!(second.iter().copied().eq(second[0]..second[0] + 30));
    });
}

#[test]
fn mistakes_are_explained() {
    let wrong = example::example("hub").arg("--clients=x").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let mut text = String::new();
    wrong.stderr.as_slice().read_to_string(&mut text).unwrap();
    assert!(text.contains("hub --help"), "{text}");
}
