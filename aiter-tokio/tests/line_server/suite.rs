//! Tests of the line server that are the same for each runtime. They run the program
//! `super::PROGRAM` as a process and connect to it.
mod mistakes;
mod server;

#[path = "../common/example.rs"]
mod example;
#[path = "../common/waiting.rs"]
mod waiting;

use super::PROGRAM;
use server::{Client, Server, Tally, limited, program, run, text};
use socket2::SockRef;
use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Barrier, mpsc},
    thread,
    time::{Duration, Instant},
};
use waiting::DEADLINE;

#[test]
fn it_drives_itself_and_measures() {
    let mut command = program();
    command.args(["--connections", "20", "--lines", "50", "--workers", "3"]);
    let output = run(command);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(stderr, "", "no progress bar without a terminal");
    assert!(stdout.starts_with(
        "1000 lines came back intact and in order (connections: 20, lines of each: 50, workers: 3)\n"
    ));
    for (row, items) in [
        ("lines per second", None),
        ("p50", None),
        ("p99", None),
        ("max", None),
    ]
    .into_iter()
    .chain([
        ("connections ", Some("20")),
        ("join_aiters", Some("1000")),
        ("allowed in work", Some("64")),
        ("seen by passive", Some("1000")),
        // The lines read "client 7 says its line 8", where each number has one or two digits.
        ("their bytes", Some("26300")),
        ("longest", Some("27")),
        ("map_workers", Some("1000")),
        ("replies", Some("1000")),
    ]) {
        let row = stdout
            .lines()
            .skip(1)
            .find(|line| line.contains(row))
            .unwrap_or_else(|| panic!("{row}: {stdout}"));
        assert!(
            items.is_none_or(|items| row.ends_with(&format!(" {items}"))),
            "{stdout}"
        );
    }
}

/// Without the gate, as many lines would be in work as there are workers.
#[test]
fn a_gate_limits_the_lines_in_work() {
    for in_work in [1, 8] {
        let mut command = program();
        command.args(["--connections", "100", "--lines", "20", "--workers", "64"]);
        command.args(["--in-work", &in_work.to_string()]);
        let output = run(command);
        let stdout = text(&output.stdout);
        assert!(
            stdout.starts_with("2000 lines came back intact and in order"),
            "{stdout}"
        );
        let most = stdout.lines().find(|line| line.contains("most in work"));
        let most = most.and_then(|line| line.split_whitespace().last()?.parse().ok());
        assert!(most.is_some_and(|most: usize| most <= in_work), "{stdout}");
    }
}

#[test]
fn lines_come_back_unchanged_and_in_order() {
    let server = Server::start();
    let mut client = server.connect();
    let lines: Vec<u8> = (0..5000)
        .flat_map(|n| format!("line {n}\n").into_bytes())
        .collect();
    client.echoes(&lines);
    client.echoes(b"not UTF-8: \xff\xfe\x00\x80\n");
    client.echoes(b"a terminal's\r\n");
    client.send(b"in two ");
    client.send(b"parts\n");
    client.receive(b"in two parts\n");
    drop(client);
    assert_eq!(
        server.quit(),
        Tally {
            connections: 2,
            lines: 5004,
            replies: 5004
        }
    );
}

#[test]
fn a_client_that_has_sent_all_gets_all_its_answers() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(b"one\ntwo\nnot a line");
    client.0.get_ref().shutdown(Shutdown::Write).unwrap();
    client.receive(b"one\ntwo\n");
    client.receive_end();
}

#[test]
fn an_empty_line_closes_only_its_own_connection() {
    let server = Server::start();
    let mut other = server.connect();
    for empty in [&b"\n"[..], b"\r\n"] {
        let mut client = server.connect();
        client.send(&[b"before\n", empty, b"after\n"].concat());
        client.receive(b"before\n");
        client.receive_end();
        other.echoes(b"still here\n");
    }
}

#[test]
fn replies_arrive_even_if_the_client_has_sent_more() {
    let server = Server::start();
    let line = [&[b'x'; 60_000][..], b"\n"].concat();
    let mut other = server.connect();
    let (lines, more) = (line.repeat(10), line.repeat(5));
    for _ in 0..5 {
        let mut client = server.connect();
        // The server does not read what follows the empty line. If it closed the socket at once,
        // the connection would be reset and replies would be lost.
        client.send(&[&lines[..], b"\n", &more].concat());
        // Give the server time to close the connection while the replies are still under way.
        for _ in 0..200 {
            other.echoes(b"meanwhile\n");
        }
        client.receive(&lines);
        client.receive_end();
    }
}

#[test]
fn waiting_clients_do_not_delay_others() {
    let server = Server::with_workers(1);
    let start = Instant::now();
    let mut waiting: Vec<_> = (0..100).map(|_| server.connect()).collect();
    for client in &mut waiting {
        client.send(b"before\nwait\nafter\n");
    }
    for client in &mut waiting {
        client.receive(b"before\n");
    }
    server.connect().echoes(b"at once\n");
    // One after the other, the 100 waits would take 500 seconds.
    assert!(
        start.elapsed() < DEADLINE,
        "a client had to wait for the others"
    );
    for client in &mut waiting {
        client.receive(b"wait\nafter\n");
        assert!(start.elapsed() >= Duration::from_secs(5));
    }
}

#[test]
fn quit_answers_waiting_clients() {
    let server = Server::start();
    let mut waiting = server.connect();
    waiting.send(b"before\nwait\nbehind\n");
    let start = Instant::now();
    waiting.receive(b"before\n");
    // The server does not read from this client now, so these bytes stay in the system's buffer.
    waiting.send(b"wait\nwait\nlast\nno line");
    let mut idle = server.connect();
    idle.echoes(b"idle\n");
    assert_eq!(
        server.quit(),
        Tally {
            connections: 3,
            lines: 8,
            replies: 8
        }
    );
    waiting.receive(b"wait\nbehind\nwait\nwait\nlast\n");
    waiting.receive_end();
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "three pauses would have taken 15 seconds"
    );
    idle.receive_end();
}

#[test]
fn a_line_of_64_kib_is_the_longest() {
    let server = Server::start();
    let mut other = server.connect();
    let mut line = vec![b'x'; 65536];
    line.push(b'\n');
    server.connect().echoes(&line);
    for length in [65537, 65600, 2_000_000] {
        let mut client = server.connect();
        client.echoes(b"before\n");
        client.send(&vec![b'x'; length]);
        client.receive(b"error: a line over 65536 bytes\n");
        client.receive_end();
        other.echoes(b"still here\n");
    }
}

#[test]
fn clients_that_vanish_do_not_affect_others() {
    let server = Server::start();
    let mut other = server.connect();
    for n in 0..50 {
        let mut client = server.connect();
        client.send(b"a line\nhalf a li");
        match n % 3 {
            0 => drop(client),
            1 => client.reset(),
            _ => {
                client.receive(b"a line\n");
                client.reset();
            }
        }
        other.echoes(b"still here\n");
    }
    server.quit();
}

#[test]
fn a_client_that_reads_nothing_does_not_delay_others() {
    let server = Server::start();
    let mut stalled = server.connect();
    stalled.0.get_ref().set_nonblocking(true).unwrap();
    let line = [&[b'x'; 1023][..], b"\n"].concat();
    let mut other = server.connect();
    let mut refused = 0;
    // Write until 2000 writes in a row are refused. After each of them another client is answered.
    while refused < 2000 {
        match stalled.0.get_mut().write(&line) {
            Ok(written) => {
                assert!(written > 0);
                refused = 0;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                refused += 1;
                other.echoes(b"hello\n");
            }
        }
    }
    server.connect().echoes(&line.repeat(100));
    // The server gives up on the client that reads nothing.
    server.quit();
}

#[test]
fn five_hundred_connections_at_once_some_of_which_are_reset() {
    let server = Server::start();
    let mut clients: Vec<_> = (0..500).map(|_| server.connect()).collect();
    let said = |n: usize| {
        (0..20)
            .map(|line| format!("{line} of {n}\n"))
            .collect::<String>()
            .into_bytes()
    };
    for (n, client) in clients.iter_mut().enumerate() {
        client.send(&said(n));
    }
    let mut answered = 0;
    for (n, mut client) in clients.into_iter().enumerate() {
        if n % 5 == 0 {
            client.reset();
        } else {
            client.receive(&said(n));
            answered += 20;
            client.0.get_ref().shutdown(Shutdown::Write).unwrap();
            client.receive_end();
        }
    }
    let tally = server.quit();
    assert_eq!(tally.connections, 501);
    assert!(
        (answered + 1..=10_001).contains(&tally.replies),
        "{tally:?}"
    );
    assert!((answered + 1..=10_001).contains(&tally.lines), "{tally:?}");
}

#[test]
fn quit_under_load_answers_each_line_it_received_once() {
    const CLIENTS: usize = 20;
    const BEFORE: usize = 200;
    let server = Server::start();
    let clients: Vec<_> = (0..CLIENTS).map(|_| server.connect()).collect();
    let (all_have_sent, quit_was_sent) = (Barrier::new(CLIENTS + 1), Barrier::new(CLIENTS + 1));
    let (all_have_sent, quit_was_sent) = (&all_have_sent, &quit_was_sent);
    let address = server.address;
    let answered: usize = thread::scope(|scope| {
        let answers: Vec<_> = clients
            .into_iter()
            .enumerate()
            .map(|(client, socket)| {
                let line = move |n: usize| format!("line {n} of {client}\n");
                let mut writer = socket.0.get_ref().try_clone().unwrap();
                scope.spawn(move || {
                    let before: String = (0..BEFORE).map(line).collect();
                    writer.write_all(before.as_bytes()).unwrap();
                    all_have_sent.wait();
                    quit_was_sent.wait();
                    // Go on until the server has closed the connection.
                    (BEFORE..).find(|n| writer.write_all(line(*n).as_bytes()).is_err());
                });
                scope.spawn(move || {
                    let replies = socket.0.lines().map_while(Result::ok).enumerate();
                    let answered = replies
                        .inspect(|(n, reply)| assert_eq!(*reply, line(*n).trim_end()))
                        .count();
                    assert!(
                        answered >= BEFORE,
                        "of {BEFORE} received lines only {answered} were answered"
                    );
                    answered
                })
            })
            .collect();
        all_have_sent.wait();
        let mut quitting = Client::connect(address);
        quitting.send(b"quit\n");
        quit_was_sent.wait();
        quitting.receive(b"quit\n");
        quitting.receive_end();
        answers
            .into_iter()
            .map(|answered| answered.join().unwrap())
            .sum()
    });
    let answered = answered as u64 + 1;
    assert_eq!(
        server.exited(),
        Tally {
            connections: CLIENTS as u64 + 1,
            lines: answered,
            replies: answered
        }
    );
}

#[test]
fn without_file_descriptors_the_server_reports_errors_and_goes_on() {
    let server = Server::run(limited(40, &["--listen", "127.0.0.1:0"]));
    let mut clients: Vec<_> = (0..60).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(b"hello\n");
    }
    let report = server.stderr.recv_timeout(DEADLINE).unwrap();
    assert!(
        report.contains("cannot accept a connection now"),
        "{report}"
    );
    for mut client in clients {
        client.receive(b"hello\n");
    }
    assert_eq!(server.quit().lines, 61);
}
