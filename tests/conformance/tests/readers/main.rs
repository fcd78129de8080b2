//! What a slow, dropped, late or panicking reader does to the others, and a sender that waits for
//! room and goes: in our hubs, forks and bounded lists, and in published channels. Each cell of
//! the tables in `docs/CONFORMANCE.md` is an answer of this program, which fails if one differs,
//! also that of a published crate: a new version may do otherwise. With `AITER_UPDATE_DOCS=1` it
//! rewrites the tables.

mod probes;
mod subjects;
mod tables;
mod task;

use probes::{CLONE_PANICS, DROPPED, LATE, PROBES, SLOW, SOURCE_PANICS};
use subjects::{ASYNC_BROADCAST, FORK_HUB, MUTEX, OURS, PUSH_HUB, SHARED, SUBJECTS, TOKIO};
use tables::Answers;

/// What no answer of ours may say, whatever the page says.
const BAD: &[&str] = &[
    "each time",
    "is lost",
    "not told",
    "not woken",
    "no item",
    "waits",
];

fn answers() -> Answers {
    let answer = |subject: &subjects::Subject| {
        let probes = PROBES.iter();
        probes.map(|probe| (probe.run)(&subject.make)).collect()
    };
    SUBJECTS.iter().map(answer).collect()
}

#[test]
fn the_page_says_what_each_does() {
    let answers = answers();
    for (subject, cells) in SUBJECTS.iter().zip(&answers) {
        let is_bad = |cell: &&String| BAD.iter().any(|bad| cell.contains(bad));
        let bad = cells.iter().find(is_bad);
        assert!(subject.package != OURS || bad.is_none(), "ours: {bad:?}");
    }
    let all = tables::all(&answers);
    let few = tables::some(
        &answers,
        &[TOKIO, SHARED, ASYNC_BROADCAST, MUTEX, PUSH_HUB, FORK_HUB],
        &[
            (SLOW, "one reader is slow: the other gets"),
            (DROPPED, "one is dropped after it was woken"),
            (LATE, "one comes late: it starts"),
            (CLONE_PANICS, "a clone panics in one"),
            (SOURCE_PANICS, "the source panics"),
        ],
    );
    println!("{all}\n{few}");
    let pages = [
        ("questions", tables::questions()),
        ("readers", all),
        ("a slow, dropped, late or panicking reader", few),
    ];
    let differ: Vec<_> = pages
        .iter()
        .filter_map(|(name, table)| tables::in_page(name, table).err())
        .collect();
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}
