//! Weakens every memory ordering, fence and guard of `aiter-core`, one at a time, and checks that a
//! loom model fails.
//!
//! It works on a copy of core in which each of them has a switch ([`copy`], [`instrument`]) and
//! which is built once. A run of each model without a switch shows how long the model takes and
//! which switches it reaches. Then each switch is turned on for those models, the fastest first,
//! until one fails ([`judge`]).

mod allowed;
mod copy;
mod guards;
mod instrument;
mod judge;
mod lexer;
mod models;
mod outline;
#[cfg(test)]
mod tests;

use copy::{Copy, read};
use judge::{Judge, Round, Verdict};
use models::{Binary, Measured, Model};
use std::{
    env,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The time for a sample, the build included.
const SAMPLE: Duration = Duration::from_secs(170);
/// The least time for a sample, however long the build took.
const LEAST: Duration = Duration::from_secs(45);

/// A sample that has judged fewer switches proves nothing.
const FEWEST: usize = 20;

/// The file that exists in the copy only, to check the tool itself.
const PLANTED: &str = "planted.rs ";

struct Options {
    root: PathBuf,
    target: PathBuf,
    /// Selects the sample.
    seed: String,
    bound: usize,
    is_long: bool,
    /// A part of the names of the models to run, if not all of them run.
    models: Option<String>,
    filters: Vec<String>,
}

impl Options {
    fn new() -> Result<Self, String> {
        let mut arguments = env::args().skip(1);
        let mut next = || {
            arguments
                .next()
                .ok_or("usage: orderings ROOT TARGET SEED [FILTER]...")
        };
        Ok(Self {
            root: next()?.into(),
            target: next()?.into(),
            seed: next()?,
            bound: match env::var("LOOM_MAX_PREEMPTIONS") {
                Ok(bound) => bound
                    .parse()
                    .map_err(|error| format!("LOOM_MAX_PREEMPTIONS: {error}"))?,
                Err(_) => 2,
            },
            is_long: env::var_os("AITER_LONG").is_some_and(|long| !long.is_empty()),
            models: env::var("AITER_MODELS").ok(),
            filters: arguments.collect(),
        })
    }

    fn is_sample(&self) -> bool {
        !self.is_long && self.filters.is_empty()
    }

    /// Returns the switches to try, in order.
    fn choose(&self, switches: &[String], allowed: &[String]) -> Vec<usize> {
        let is_wanted = |name: &String| {
            !name.starts_with(PLANTED) && {
                self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter))
            }
        };
        let mut chosen: Vec<_> = (0..switches.len())
            .filter(|&n| is_wanted(&switches[n]))
            .collect();
        if self.is_sample() {
            // It takes every model that reaches a switch to show that it survives.
            chosen.retain(|&n| !allowed.contains(&switches[n]));
            chosen.sort_by_key(|&n| {
                let mut hasher = DefaultHasher::new();
                (&self.seed, &switches[n]).hash(&mut hasher);
                hasher.finish()
            });
        }
        chosen
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, String> {
    let start = Instant::now();
    let options = Options::new()?;
    let folder = options.root.join("ci/orderings");
    let guards = guards::parse(&read(&folder.join("guards.txt"))?)?;
    let copy = Copy::new(&options.root, &guards)?;
    let allowed = allowed::parse(&read(&folder.join("allowed.md"))?, &copy.switches)?;
    println!(
        "{} switches, {} of them guards; {} are listed as survivors",
        copy.switches
            .iter()
            .filter(|name| !name.starts_with(PLANTED))
            .count(),
        guards.len(),
        allowed.len()
    );
    if options.filters == ["--list"] {
        copy.switches.iter().for_each(|name| println!("{name}"));
        return Ok(true);
    }
    let chosen = options.choose(&copy.switches, &allowed);
    if chosen.is_empty() {
        return Err(String::from(
            "no switch has a name with any of these in it; ci/orderings.sh --list shows all",
        ));
    }

    copy.write(&options.target.join("source"))?;
    let binary = build(&options.target)?;
    let jobs = thread::available_parallelism().map_or(2, usize::from);
    let measure = |bound, is_wanted: &dyn Fn(&String) -> bool| {
        measure(&options, &binary, &copy, jobs, bound, is_wanted)
    };
    let bound = options.bound;
    // With few preemptions models are fast, and reach nearly everything that they can reach.
    let quick = measure(bound.min(1), &|_| true)?.models;
    check_planted(&binary, &copy.switches, &quick)?;
    let mut judge = Judge {
        binary: &binary,
        switches: &copy.switches,
        jobs,
        deadline: options
            .is_sample()
            .then(|| (start + SAMPLE).max(Instant::now() + LEAST)),
        verdicts: Vec::new(),
        left: chosen,
    };
    let first = Round::measured(&quick, bound.min(1));
    let models = if options.is_sample() {
        // Some switches need as many preemptions as the long form uses; otherwise they are left
        // open.
        let small = Round::small(&quick, bound + 1);
        judge.ask(&[first, Round::unmeasured(&quick, bound), small])?;
        quick
    } else {
        judge.ask(&[first])?;
        let is_near = |name: &String| {
            let reaches = |model: &Model| judge.left.iter().any(|switch| model.reaches(*switch));
            quick
                .iter()
                .any(|model| model.name == *name && reaches(model))
        };
        let is_missed = |switch: &usize| !quick.iter().any(|model| model.reaches(*switch));
        let models = match options.is_long && judge.left.iter().any(is_missed) {
            true => measure(bound, &|_| true)?.models,
            false => measure(bound, &is_near)?.models,
        };
        let small = Round::small(&models, bound + 1);
        match bound {
            // These models have run with that bound already.
            0 | 1 => judge.ask(&[small])?,
            _ => judge.ask(&[Round::measured(&models, bound), small])?,
        }
        models
    };
    judge.close(&models);
    let is_well = report(&judge.verdicts, &copy.switches, &allowed);
    if options.is_sample() && !is_enough(&judge.verdicts) {
        return Err(format!(
            "fewer than {FEWEST} switches were judged in the available time: run this with less load on the machine"
        ));
    }
    Ok(is_well)
}

/// Returns whether a sample has judged all switches, or as many as it has to.
fn is_enough(verdicts: &[(usize, Verdict)]) -> bool {
    let open = |(_, verdict): &&(usize, Verdict)| *verdict == Verdict::Open;
    verdicts.len() - verdicts.iter().filter(open).count() >= FEWEST.min(verdicts.len())
}

/// Builds the test program of the copy.
fn build(target: &Path) -> Result<Binary, String> {
    let source = target.join("source");
    let output = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()))
        .current_dir(&source)
        .args([
            "test",
            "--release",
            "--lib",
            "--no-run",
            "--message-format=json-render-diagnostics",
            "-p",
            "aiter-core",
        ])
        .arg("--target-dir")
        .arg(target.join("build"))
        // ci/clippy.sh checks the warnings of the original sources.
        .env(
            "RUSTFLAGS",
            format!(
                "{} --cfg aiter_loom --cap-lints=allow",
                env::var("RUSTFLAGS").unwrap_or_default()
            ),
        )
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "the copy with switches does not build: see {}",
            source.display()
        ));
    }
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let path = messages
        .lines()
        .rev()
        .find_map(|line| Some(line.split_once("\"executable\":\"")?.1.split_once('"')?.0));
    let path = path.ok_or("cargo names no test program")?.into();
    Ok(Binary { path })
}

/// Returns what models do without a switch, as measured now, or before for the same sources.
fn measure(
    options: &Options,
    binary: &Binary,
    copy: &Copy,
    jobs: usize,
    bound: usize,
    is_wanted: &dyn Fn(&String) -> bool,
) -> Result<Measured, String> {
    let folder = options.target.join("measured");
    let names = binary.models(options.models.as_deref())?;
    let mut measured = Measured::load(&folder, copy.hash(), bound);
    let missing = |name: &&String| {
        is_wanted(name) && measured.models.iter().all(|model| model.name != **name)
    };
    let missing: Vec<_> = names.iter().filter(missing).cloned().collect();
    if !missing.is_empty() {
        println!(
            "{} models without a switch, preemption bound {bound}:",
            missing.len()
        );
        let models = binary.measure(&missing, bound, jobs, &folder)?;
        measured.add(models)?;
    }
    measured.models.retain(|model| names.contains(&model.name));
    Ok(measured)
}

/// Fails unless the planted switches get their expected verdicts.
fn check_planted(binary: &Binary, switches: &[String], models: &[Model]) -> Result<(), String> {
    let planted = (0..switches.len()).filter(|&n| switches[n].starts_with(PLANTED));
    let mut judge = Judge {
        binary,
        switches,
        jobs: 1,
        deadline: None,
        verdicts: Vec::new(),
        left: planted.collect(),
    };
    judge.ask(&[Round::measured(models, 1)])?;
    judge.close(models);
    let mut found = judge.verdicts;
    found.sort_by_key(|(switch, _)| *switch);
    let found: Vec<_> = found.into_iter().map(|(_, verdict)| verdict).collect();
    // `put` and `get` have to be ordered, `look` need not be, and nothing calls `clear`.
    let expected = [
        Verdict::Killed,
        Verdict::Killed,
        Verdict::Survived,
        Verdict::Unreached,
    ];
    match found == expected {
        true => Ok(()),
        false => Err(format!(
            "the planted switches have the wrong verdicts, {found:?}: fix ci/orderings"
        )),
    }
}

/// Prints the results, and returns whether all is well.
fn report(verdicts: &[(usize, Verdict)], switches: &[String], allowed: &[String]) -> bool {
    let count = |verdict| verdicts.iter().filter(|(_, it)| *it == verdict).count();
    println!(
        "{} killed, {} survived, {} reached by no model, {} not judged in the available time",
        count(Verdict::Killed),
        count(Verdict::Survived),
        count(Verdict::Unreached),
        count(Verdict::Open),
    );
    let mut is_well = true;
    for (switch, verdict) in verdicts {
        let name = &switches[*switch];
        let problem = match (verdict, allowed.contains(name)) {
            (Verdict::Killed, true) => {
                "is listed in ci/orderings/allowed.md, and a model kills it: delete the entry"
            }
            (Verdict::Survived, false) => "survives: no model fails with it",
            (Verdict::Unreached, false) => "survives: no model reaches it",
            _ => continue,
        };
        is_well = false;
        eprintln!("{name}: {problem}");
    }
    if !is_well {
        eprintln!(
            "For each survivor: write a loom model that fails with it; or weaken the code, if a proof allows that; \
             or add an entry with the proof to ci/orderings/allowed.md. To try again: ci/orderings.sh 'NAME'"
        );
    }
    is_well
}
