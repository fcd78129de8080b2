//! Tests of the error messages for wrong arguments and failing system calls.
use super::*;

#[track_caller]
fn fails(arguments: &[&str], expected: &[&str]) {
    let mut command = program();
    command.args(arguments);
    run_fails(command, expected);
}

/// Checks that the program fails and prints nothing but one line on stderr.
#[track_caller]
fn run_fails(command: Command, expected: &[&str]) {
    let arguments = format!("{command:?}");
    let output = run(command);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments}: {stderr}");
    assert_eq!(
        (text(&output.stdout), stderr.lines().count()),
        ("", 1),
        "{arguments}: {stderr}"
    );
    for part in expected {
        assert!(stderr.contains(part), "{arguments}: {stderr}");
    }
}

#[test]
fn an_address_in_use_or_malformed_is_one_clear_line() {
    let server = Server::start();
    let address = server.address.to_string();
    fails(
        &["--listen", &address],
        &[&address, "cannot listen", "in use"],
    );
    for malformed in ["nonsense", "127.0.0.1", ""] {
        let quoted = format!("cannot listen on `{malformed}`: ");
        fails(
            &["--listen", malformed],
            &[&quoted, "an address is HOST:PORT"],
        );
    }
    fails(
        &["--listen", "127.0.0.1:65536"],
        &["127.0.0.1:65536", "cannot listen"],
    );
    server.connect().echoes(b"the first server goes on\n");
}

#[test]
fn bad_arguments_are_one_clear_line() {
    for arguments in [
        &["--nonsense"][..],
        &["nonsense"],
        &["--listen"],
        &["--lines"],
        &["--lines", "0"],
        &["--lines", "-1"],
        &["--workers", "many"],
        &["--in-work", "0"],
        &["--connections", "18446744073709551616"],
        &["--listen", "127.0.0.1:0", "--lines", "5"],
    ] {
        fails(arguments, &["usage: line_server"]);
    }
    let mut command = program();
    command.arg("--help");
    let output = run(command);
    assert!(output.status.success() && text(&output.stdout).starts_with("usage: line_server"));
}

#[test]
fn more_connections_than_files_may_be_open_are_one_clear_line() {
    let limited = |many| limited(200, &["--lines", "5", "--connections", many]);
    let most = usize::MAX.to_string();
    for many in ["85", "500", &most] {
        run_fails(
            limited(many),
            &[many, "200", "room for 84", "`--connections`"],
        );
    }
    let output = run(limited("84"));
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
#[cfg(target_os = "linux")]
fn results_that_cannot_be_written_are_an_error_unless_the_pipe_is_closed() {
    let mut command = program();
    command.args(["--connections", "2", "--lines", "2"]);
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = command.stdout(full).stderr(Stdio::piped()).output();
    let output = output.unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cannot write to stdout"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert!(command.stdout(writer).status().unwrap().success());
}
