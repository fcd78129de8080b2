//! The event bus as its users run it.
#![cfg(unix)]
#[path = "common/example.rs"]
mod example;

/// Who keeps up sees every event. Who takes as long for one as nine more take to come sees one in ten, and at the end the
/// twenty that are kept; who joins after 300 events finds the latest twenty of them.
#[test]
fn each_module_sees_or_is_told_that_it_lost_every_event() {
    let output = example::example("event_bus").output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    let table = "\
600 events; the latest 20 are kept for who is behind

module    seen  lost  its own
climate    600     0      300  21.00 °C on average
alarm      600     0      300  100 times somebody moved behind closed doors
display     84   516       84  0.95 s for each
late       320   280      107  motion in rooms 0 to 6: [16, 16, 15, 15, 15, 15, 15]
";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), table);
}
