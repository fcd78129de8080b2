//! The harness: runs the ways in turn, records the times, prints a table, and checks the marks.

use std::{
    env,
    fmt::{self, Write as _},
    process::{self, ExitCode},
    time::{Duration, Instant},
};

const USAGE: &str = "usage: [--rounds N] [--no-marks] [PART_OF_A_TITLE]";

/// One way to do the work that is compared.
pub struct Way {
    name: &'static str,
    is_peer: bool,
    run: Box<dyn FnMut()>,
}

/// A way of ours: a row that gets a ratio to every peer.
pub fn ours(name: &'static str, run: impl FnMut() + 'static) -> Way {
    Way {
        name,
        is_peer: false,
        run: Box::new(run),
    }
}

/// A way of another crate: a row, and a column of ratios.
pub fn peer(name: &'static str, run: impl FnMut() + 'static) -> Way {
    Way {
        name,
        is_peer: true,
        run: Box::new(run),
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way")
            .field("name", &self.name)
            .field("is_peer", &self.is_peer)
            .finish_non_exhaustive()
    }
}

/// The time of the way `ours` has to be at most `at_most` times that of `peer`.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// The name of the way that is judged.
    pub ours: &'static str,
    /// The name of the way that it is compared with.
    pub peer: &'static str,
    /// The highest ratio that passes.
    pub at_most: f64,
}

/// The way `ours` has to take at most `at_most` nanoseconds more per item than `base`, on which it
/// builds.
#[derive(Clone, Copy, Debug)]
pub struct Extra {
    /// The name of the way that is judged.
    pub ours: &'static str,
    /// The name of the way that it builds on.
    pub base: &'static str,
    /// The highest difference that passes, in nanoseconds per item.
    pub at_most: f64,
}

/// A run of comparisons: the options of the command line, and whether a mark was missed so far.
#[derive(Debug)]
pub struct Bench {
    rounds: Option<usize>,
    judges: bool,
    only: Option<String>,
    missed: usize,
}

impl Bench {
    /// Reads the command line. Prints the usage and exits with 2 if the arguments make no sense.
    pub fn from_args() -> Self {
        Self::parse(env::args().skip(1)).unwrap_or_else(|problem| {
            eprintln!("{problem}; {USAGE}");
            process::exit(2)
        })
    }

    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut bench = Self {
            rounds: None,
            judges: true,
            only: None,
            missed: 0,
        };
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--bench" => {} // `cargo bench` adds it
                "--no-marks" => bench.judges = false,
                "--rounds" => match args.next().map(|n| n.parse()) {
                    Some(Ok(n)) if n > 0 => bench.rounds = Some(n),
                    _ => return Err("--rounds takes a number from 1".into()),
                },
                _ if arg.starts_with('-') => return Err(format!("unknown option {arg}")),
                _ => bench.only = Some(arg),
            }
        }
        Ok(bench)
    }

    /// Runs every way in turn, `rounds` times unless the command line says otherwise. Prints
    /// nanoseconds per item and each ratio of ours to a peer, then the marks.
    ///
    /// In its turn a way runs twice, and the second run is timed. The allocator returns memory to
    /// the system when much of it was freed at once, and the next way would pay for the pages of
    /// the one before.
    pub fn compare(
        &mut self,
        title: &str,
        items: usize,
        rounds: usize,
        ways: Vec<Way>,
        marks: &[Mark],
    ) {
        self.compare_extra(title, items, rounds, ways, marks, &[]);
    }

    /// The same, with marks for what ways add to others.
    pub fn compare_extra(
        &mut self,
        title: &str,
        items: usize,
        rounds: usize,
        mut ways: Vec<Way>,
        marks: &[Mark],
        extras: &[Extra],
    ) {
        if self.only.as_ref().is_some_and(|only| !title.contains(only)) {
            return;
        }
        let rounds = self.rounds.unwrap_or(rounds);
        let mut times = vec![Vec::with_capacity(rounds); ways.len()];
        for _ in 0..rounds {
            for (way, times) in ways.iter_mut().zip(&mut times) {
                (way.run)();
                let start = Instant::now();
                (way.run)();
                times.push(start.elapsed());
            }
        }
        println!("\n{}", table(title, items, &ways, &times));
        let index = |name| {
            ways.iter()
                .position(|way| way.name == name)
                .expect("a mark names two of the ways")
        };
        for mark in marks {
            let ratio = median_ratio(&times[index(mark.ours)], &times[index(mark.peer)]);
            let verdict = self.judge(ratio <= mark.at_most);
            println!(
                "- {}: {ratio:.2} x {}, at most {:.2}: {verdict}",
                mark.ours, mark.peer, mark.at_most
            );
        }
        for extra in extras {
            let more = median_extra(&times[index(extra.ours)], &times[index(extra.base)]);
            let more = more * 1e9 / items as f64;
            let verdict = self.judge(more <= extra.at_most);
            println!(
                "- {}: {more:.1} ns more than {}, at most {:.1}: {verdict}",
                extra.ours, extra.base, extra.at_most
            );
        }
    }

    fn judge(&mut self, met: bool) -> &'static str {
        self.missed += usize::from(!met);
        if met { "met" } else { "MISSED" }
    }

    /// Returns failure if a mark was missed, unless the marks were switched off.
    pub fn finish(self) -> ExitCode {
        if self.judges && self.missed > 0 {
            eprintln!("{} mark(s) missed", self.missed);
            return ExitCode::FAILURE;
        }
        ExitCode::SUCCESS
    }
}

/// Makes a Markdown table with a row for each way and a column of ratios for each peer.
fn table(title: &str, items: usize, ways: &[Way], times: &[Vec<Duration>]) -> String {
    let peers = || ways.iter().zip(times).filter(|(way, _)| way.is_peer);
    let mut out = format!("| {title:<44} | ns per item |");
    let mut rule = format!("| {:-<44} | ----------: |", "");
    for (peer, _) in peers() {
        let _ = write!(out, " x {:<13} |", peer.name);
        rule.push_str(" --------------: |");
    }
    let _ = write!(out, "\n{rule}");
    for (way, way_times) in ways.iter().zip(times) {
        let per_item = median(way_times.iter().map(Duration::as_secs_f64)) * 1e9 / items as f64;
        let _ = write!(out, "\n| {:<44} | {per_item:>11.2} |", way.name);
        for (_, peer_times) in peers() {
            let ratio = if way.is_peer {
                String::new()
            } else {
                format!("{:.2}", median_ratio(way_times, peer_times))
            };
            let _ = write!(out, " {ratio:>15} |");
        }
    }
    out
}

fn median_ratio(ours: &[Duration], peer: &[Duration]) -> f64 {
    median(
        ours.iter()
            .zip(peer)
            .map(|(ours, peer)| ours.as_secs_f64() / peer.as_secs_f64()),
    )
}

/// Returns the median difference in seconds.
fn median_extra(ours: &[Duration], base: &[Duration]) -> f64 {
    median(
        ours.iter()
            .zip(base)
            .map(|(ours, base)| ours.as_secs_f64() - base.as_secs_f64()),
    )
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::RefCell, rc::Rc};

    fn bench(args: &[&str]) -> Result<Bench, String> {
        Bench::parse(args.iter().map(|arg| arg.to_string()))
    }

    #[test]
    fn median_of_odd_and_even_counts() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 3.0, 2.0].into_iter()), 2.5);
    }

    #[test]
    fn a_ratio_is_taken_within_a_round() {
        let times = |millis: [u64; 3]| millis.map(Duration::from_millis);
        // The medians of the times are equal. Within the rounds ours takes half as long twice.
        assert_eq!(median_ratio(&times([1, 2, 3]), &times([2, 4, 1])), 0.5);
    }

    #[test]
    fn ways_take_turns() {
        let order = Rc::new(RefCell::new(String::new()));
        let way = |name: &'static str| {
            let order = order.clone();
            peer(name, move || order.borrow_mut().push_str(name))
        };
        bench(&["--rounds", "2"])
            .unwrap()
            .compare("turns", 1, 9, vec![way("a"), way("b")], &[]);
        assert_eq!(*order.borrow(), "aabbaabb"); // not timed, timed
    }

    #[test]
    fn a_missed_mark_fails_unless_marks_are_off() {
        let run = |args: &[&str], at_most| {
            let mut bench = bench(args).unwrap();
            let ways = vec![ours("a", || ()), peer("b", || ())];
            bench.compare(
                "marks",
                1,
                3,
                ways,
                &[Mark {
                    ours: "a",
                    peer: "b",
                    at_most,
                }],
            );
            bench.finish()
        };
        assert_eq!(run(&[], f64::MAX), ExitCode::SUCCESS);
        assert_eq!(run(&[], -1.0), ExitCode::FAILURE);
        assert_eq!(run(&["--no-marks"], -1.0), ExitCode::SUCCESS);
        assert_eq!(run(&["another title"], -1.0), ExitCode::SUCCESS);
    }

    #[test]
    fn what_is_added_is_judged_by_the_item() {
        let run = |at_most| {
            let mut bench = bench(&[]).unwrap();
            let ways = vec![ours("a", || ()), ours("b", || ())];
            let extra = Extra {
                ours: "a",
                base: "b",
                at_most,
            };
            bench.compare_extra("extras", 1, 3, ways, &[], &[extra]);
            bench.finish()
        };
        assert_eq!(run(f64::MAX), ExitCode::SUCCESS);
        assert_eq!(run(f64::MIN), ExitCode::FAILURE);
        // Half as long in one round, three times as long in two.
        let times = |millis: [u64; 3]| millis.map(Duration::from_millis);
        let more = median_extra(&times([1, 3, 6]), &times([2, 1, 2]));
        assert!((more - 0.002).abs() < 1e-9);
    }

    #[test]
    fn senseless_arguments_are_refused() {
        assert!(bench(&["--rounds", "0"]).is_err());
        assert!(bench(&["--rounds"]).is_err());
        assert!(bench(&["--round", "1"]).is_err());
    }
}
