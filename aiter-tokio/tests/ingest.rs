//! Runs the ingest example as a program.
#![cfg(unix)]
#[path = "common/example.rs"]
mod example;

/// The lengths and waits of the report, without their units: p50, p99, max.
fn row<'a>(output: &'a str, name: &str) -> Vec<&'a str> {
    let line = output.lines().find_map(|line| line.strip_prefix(name));
    let line = line.unwrap_or_else(|| panic!("no row {name}: {output}"));
    line.split_whitespace().collect()
}

/// The program itself checks that no line is lost and that each client's lines are in order.
#[test]
fn lines_of_many_clients_come_into_one_file_in_batches() {
    let run = example::example("ingest")
        .args(["--clients", "20", "--lines", "200", "--rate", "2000"])
        .output();
    let output = run.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("each of the 4000 lines is in the file once"),
        "{text}"
    );
    let sizes = row(&text, "lines in a batch");
    let sizes: Vec<u64> = sizes.iter().map(|size| size.parse().unwrap()).collect();
    assert!(sizes.is_sorted() && (1..=500).contains(&sizes[2]), "{text}");
    assert_eq!(row(&text, "wait of a line").len(), 3, "{text}");
}

#[test]
fn mistakes_are_explained() {
    for (arguments, says) in [
        (&["--clients", "0"][..], "ingest --help"),
        (
            &["--listen", "127.0.0.1:0", "--lines", "3"],
            "without --listen",
        ),
        (&["--rate", "x"], "ingest --help"),
    ] {
        let wrong = example::example("ingest").args(arguments).output().unwrap();
        assert_eq!(wrong.status.code(), Some(2));
        let text = String::from_utf8(wrong.stderr).unwrap();
        assert!(text.contains(says), "{text}");
    }
    let wrong = example::example("ingest")
        .args(["--listen", "127.0.0.1"])
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(1));
}
