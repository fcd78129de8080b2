//! The tables of `docs/CONFORMANCE.md` that this program makes.

use crate::{
    probes::PROBES,
    subjects::{OURS, SUBJECTS},
};
use std::{collections::BTreeMap, env, fs, path::PathBuf, time::SystemTime};

/// The answers: by subject, in the order of the probes.
pub(crate) type Answers = Vec<Vec<String>>;

/// Rewrites the page when it is set, in place of comparing.
const UPDATE: &str = "AITER_UPDATE_DOCS";

/// The versions that were built, from Cargo's lock file.
const LOCK: &str = include_str!("../../Cargo.lock");

fn row(cells: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut row = String::from("|");
    for cell in cells {
        row.push_str(&format!(" {} |", cell.as_ref()));
    }
    row.push('\n');
    row
}

fn heading<'a>(columns: impl Iterator<Item = &'a str> + Clone) -> String {
    let lines = columns.clone().map(|_| "---");
    row([""].into_iter().chain(columns)) + &row(["---"].into_iter().chain(lines)).replace(' ', "")
}

/// What each subject does, a column for each probe.
pub(crate) fn all(answers: &Answers) -> String {
    let mut table = heading(PROBES.iter().map(|probe| probe.name));
    for (subject, cells) in SUBJECTS.iter().zip(answers) {
        let name = [subject.name].into_iter();
        table += &row(name.chain(cells.iter().map(String::as_str)));
    }
    table
}

/// The answer of a subject to a probe.
fn answer<'a>(answers: &'a Answers, subject: &str, probe: &str) -> &'a str {
    let subject = SUBJECTS.iter().position(|one| one.name == subject);
    let probe = PROBES.iter().position(|one| one.name == probe);
    &answers[subject.expect("there is such a subject")][probe.expect("there is such a probe")]
}

/// Some subjects and some probes.
pub(crate) fn some(answers: &Answers, subjects: &[&str], probes: &[(&str, &str)]) -> String {
    let mut table = heading(probes.iter().map(|(_, heading)| *heading));
    for subject in subjects {
        let cells = probes
            .iter()
            .map(|(probe, _)| answer(answers, subject, probe));
        table += &row([*subject].into_iter().chain(cells));
    }
    table
}

/// The questions.
pub(crate) fn questions() -> String {
    let mut table = row(["column", "what happens, and what the cell says"]);
    table += "|---|---|\n";
    for probe in PROBES {
        table += &row([probe.name, probe.asks]);
    }
    table
}

/// When this is, as a date.
fn today() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut days = since.expect("the clock is right").as_secs() / 86_400;
    let mut year = 1970;
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

/// The other packages with their versions.
fn versions() -> String {
    let versions: BTreeMap<_, _> = SUBJECTS
        .iter()
        .filter_map(|subject| {
            let mut lines = LOCK.lines();
            lines.find(|line| *line == format!("name = \"{}\"", subject.package))?;
            let version = lines.next()?.strip_prefix("version = \"")?;
            Some((subject.package, version.strip_suffix('"')?))
        })
        .collect();
    let versions = versions.iter().filter(|(package, _)| **package != OURS);
    let versions: Vec<_> = versions
        .map(|(package, version)| format!("{package} {version}"))
        .collect();
    versions.join(", ")
}

/// Checks that the page has the table between its two marks, or puts it there. What is in front of
/// the table, which names the day and the versions of the run, is not compared.
pub(crate) fn in_page(name: &str, table: &str) -> Result<(), String> {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/CONFORMANCE.md");
    let text = fs::read_to_string(&page).expect("the page is there");
    let (begin, end) = (
        format!("<!-- {name}: begin -->\n"),
        format!("<!-- {name}: end -->\n"),
    );
    let (before, rest) = text
        .split_once(&begin)
        .expect("the page has the first mark");
    let (kept, after) = rest.split_once(&end).expect("the page has the second mark");
    if env::var_os(UPDATE).is_some() {
        let text = format!(
            "{before}{begin}From a run of `cargo test --release --test readers` in `tests/conformance` on {},\n\
             with {}:\n\n{table}{end}{after}",
            today(),
            versions(),
        );
        fs::write(&page, text).expect("the page can be written");
        return Ok(());
    }
    if kept.ends_with(&format!("\n\n{table}")) {
        return Ok(());
    }
    Err(format!(
        "docs/CONFORMANCE.md has another table \"{name}\": if the change is meant, run this with {UPDATE}=1"
    ))
}
