//! All cells, and whether ours pass.

use crate::{PROBES, Subject, Verdict};
use std::{
    fmt::{self, Display},
    time::Duration,
};

/// The versions that were built, from Cargo's lock file.
const LOCK: &str = include_str!("../Cargo.lock");

/// The results of every probe of every subject.
#[derive(Debug)]
pub struct Table {
    rows: Vec<(Subject, Vec<Verdict>)>,
}

impl Table {
    /// Runs all of them, one after the other, each within `limit`.
    pub fn run(subjects: &[Subject], limit: Duration) -> Self {
        let row = |subject: &Subject| {
            let cells = PROBES
                .iter()
                .map(|probe| Verdict::in_child(subject, probe, limit));
            (*subject, cells.collect())
        };
        Self {
            rows: subjects.iter().map(row).collect(),
        }
    }

    /// Runs a single cell.
    ///
    /// # Panics
    /// If there is no such probe.
    pub fn cell(subject: &Subject, probe: &str, limit: Duration) -> Verdict {
        let probe = PROBES
            .iter()
            .find(|one| one.name == probe)
            .expect("there is such a probe");
        Verdict::in_child(subject, probe, limit)
    }

    /// Returns the result of a probe of a subject.
    pub fn verdict(&self, subject: &str, probe: &str) -> Option<&Verdict> {
        let (_, cells) = self.rows.iter().find(|(one, _)| one.name == subject)?;
        cells.get(PROBES.iter().position(|one| one.name == probe)?)
    }

    /// Returns whether there are subjects of ours, and each passes all probes that make sense for
    /// it.
    pub fn ours_pass(&self) -> bool {
        let mut ours = self
            .rows
            .iter()
            .filter(|(subject, _)| subject.is_ours)
            .peekable();
        let passes = |verdict: &Verdict| matches!(verdict, Verdict::Pass(_) | Verdict::Skip(_));
        ours.peek().is_some()
            && ours.all(|(_, cells)| {
                cells.iter().all(passes)
                    && cells.iter().any(|cell| matches!(cell, Verdict::Pass(_)))
            })
    }
}

/// Writes Markdown: the questions, one row per subject, and the reasons of each result that is not
/// a plain pass.
impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for probe in PROBES {
            writeln!(f, "- **{}**: {}", probe.name, probe.asks)?;
        }
        write!(f, "\n| {:<34} | {:<10} ", "", "version")?;
        for probe in PROBES {
            write!(f, "| {:<14} ", probe.name)?;
        }
        writeln!(
            f,
            "|\n|{:-<36}|{:-<12}{}|",
            "",
            "",
            format!("|{:-<16}", "").repeat(PROBES.len())
        )?;
        let mut reasons = Vec::new();
        for (subject, cells) in &self.rows {
            write!(
                f,
                "| {:<34} | {:<10} ",
                subject.name,
                version(subject.package).unwrap_or("?")
            )?;
            for (probe, cell) in PROBES.iter().zip(cells) {
                let (short, reason) = match cell {
                    Verdict::Pass(figure) if figure.is_empty() => ("pass".into(), None),
                    Verdict::Pass(figure) => (format!("pass, {figure}"), None),
                    Verdict::Skip(reason) => ("-".into(), Some(reason)),
                    Verdict::Fail(reason) => ("**FAIL**".into(), Some(reason)),
                    Verdict::Time(reason) => ("**TIME**".into(), Some(reason)),
                    Verdict::Crash(reason) => ("**CRASH**".into(), Some(reason)),
                    Verdict::NotBuilt => ("not built".into(), None),
                };
                write!(f, "| {short:<14} ")?;
                reasons.extend(
                    reason.map(|reason| format!("- {}, {}: {reason}", subject.name, probe.name)),
                );
            }
            writeln!(f, "|")?;
        }
        write!(f, "\n{}", reasons.join("\n"))
    }
}

/// Returns the version of a package.
fn version(package: &str) -> Option<&'static str> {
    let mut lines = LOCK.lines();
    lines.find(|line| *line == format!("name = \"{package}\""))?;
    lines
        .next()?
        .strip_prefix("version = \"")?
        .strip_suffix('"')
}
