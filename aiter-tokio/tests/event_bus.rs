//! Runs the event bus example as a program.
#![cfg(unix)]
#[path = "common/example.rs"]
mod example;

/// A module that is lossless sees every event. A module that may lose some, and needs more time for
/// one event than nine further events take to arrive, sees one in ten, and at the end the twenty
/// events that are kept. A module that joins after 300 events starts with the latest twenty of
/// them, and has lost none.
#[test]
fn each_module_sees_every_event_or_counts_it_as_lost() {
    let output = example::example("event_bus").output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    let table = "\
600 events; the latest 20 are kept for modules that join late

module    seen  lost  its own
climate    600     0      300  21.00 °C on average
alarm      600     0      300  100 times somebody moved behind closed doors
display     84   516       84  0.95 s for each
late       320     0      107  motion in rooms 0 to 6: [16, 16, 15, 15, 15, 15, 15]
";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), table);
}
