//! Runs the loom models, each in a process of its own.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How often a running model is checked for its end.
const LOOK: Duration = Duration::from_millis(3);
/// A correct model never takes this long.
const FAR_TOO_LONG: Duration = Duration::from_secs(1800);

/// As in ci/loom.sh: with more preemptions an execution has more branches than loom's default
/// limit.
const MOST_BRANCHES: &str = "4000";

/// A model, and the results of a run without a switch.
#[derive(Clone, Debug)]
pub struct Model {
    pub name: String,
    pub time: Duration,
    /// The switches that it reached.
    pub reached: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Passed,
    Failed,
    TimedOut,
}

/// The test program of core with switches.
pub struct Binary {
    pub path: PathBuf,
}

impl Binary {
    pub fn models(&self, part: Option<&str>) -> Result<Vec<String>, String> {
        let output = Command::new(&self.path)
            .args(["--list", "loom"])
            .output()
            .map_err(|error| format!("{}: {error}", self.path.display()))?;
        let listed = String::from_utf8_lossy(&output.stdout).into_owned();
        let names = listed
            .lines()
            .filter_map(|line| line.strip_suffix(": test"));
        let is_wanted = |name: &&str| {
            part.is_none_or(|part| name.contains(part) || name.starts_with("planted::"))
        };
        let names: Vec<_> = names.filter(is_wanted).map(str::to_owned).collect();
        if names.is_empty() {
            return Err(String::from(
                "no model has that name: models are tests with \"loom\" in their paths",
            ));
        }
        Ok(names)
    }

    fn start(
        &self,
        model: &str,
        bound: usize,
        switch: Option<usize>,
        reached: Option<&Path>,
    ) -> Result<Child, String> {
        let mut command = Command::new(&self.path);
        command
            .args(["--exact", model, "--test-threads=1"])
            .env("LOOM_MAX_PREEMPTIONS", bound.to_string())
            .env("LOOM_MAX_BRANCHES", MOST_BRANCHES)
            .env_remove("AITER_WEAKEN")
            .env_remove("AITER_REACHED")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(switch) = switch {
            command.env("AITER_WEAKEN", switch.to_string());
        }
        if let Some(reached) = reached {
            command.env("AITER_REACHED", reached);
        }
        command
            .spawn()
            .map_err(|error| format!("{}: {error}", self.path.display()))
    }

    /// Runs one model with a switch on, until `limit` has passed.
    pub fn run(
        &self,
        model: &str,
        bound: usize,
        switch: Option<usize>,
        limit: Duration,
    ) -> Result<End, String> {
        wait(self.start(model, bound, switch, None)?, limit)
    }

    /// Runs models without a switch, several at a time.
    pub fn measure(
        &self,
        names: &[String],
        bound: usize,
        jobs: usize,
        folder: &Path,
    ) -> Result<Vec<Model>, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let results = Mutex::new(Vec::new());
        in_parallel(jobs, names.len(), |n| {
            let name = &names[n];
            let report = folder.join(format!("reached-{n}"));
            let _ = fs::remove_file(&report);
            let start = Instant::now();
            let end = self
                .start(name, bound, None, Some(&report))
                .and_then(|child| wait(child, FAR_TOO_LONG));
            let time = start.elapsed();
            let result = match end {
                Ok(End::Passed) => Ok(Model {
                    name: name.clone(),
                    time,
                    // A model that reaches no switch leaves no report.
                    reached: fs::read_to_string(&report)
                        .unwrap_or_default()
                        .lines()
                        .filter_map(|line| line.parse().ok())
                        .collect(),
                }),
                Ok(_) => Err(format!("{name} fails without any switch: see ci/loom.sh")),
                Err(error) => Err(error),
            };
            let _ = fs::remove_file(&report);
            let mut results = results.lock().expect("no job panics");
            println!(
                "[{:3}/{}] {:7.2} s  {name}",
                results.len() + 1,
                names.len(),
                time.as_secs_f64()
            );
            results.push(result);
        });
        let models: Result<Vec<_>, _> = results
            .into_inner()
            .expect("no job panics")
            .into_iter()
            .collect();
        models
    }
}

fn wait(mut child: Child, limit: Duration) -> Result<End, String> {
    let start = Instant::now();
    loop {
        let status = child
            .try_wait()
            .map_err(|error| format!("a model: {error}"))?;
        if let Some(status) = status {
            return Ok(if status.success() {
                End::Passed
            } else {
                End::Failed
            });
        }
        if start.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            return Ok(End::TimedOut);
        }
        thread::sleep(LOOK);
    }
}

/// Runs `job` for `0..count`, in order, `jobs` at a time.
pub fn in_parallel(jobs: usize, count: usize, job: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        break;
                    }
                    job(n);
                }
            });
        }
    });
}

/// Measurements of some sources with a bound, kept for the next run with the same sources.
pub struct Measured {
    path: PathBuf,
    /// The fastest first.
    pub models: Vec<Model>,
}

impl Measured {
    pub fn load(folder: &Path, sources: u64, bound: usize) -> Self {
        let path = folder.join(format!("{sources:016x}-{bound}"));
        let text = fs::read_to_string(&path).unwrap_or_default();
        let models = text.lines().filter_map(Model::parse).collect();
        Self { path, models }
    }

    pub fn add(&mut self, models: Vec<Model>) -> Result<(), String> {
        self.models.extend(models);
        self.models
            .sort_by(|a, b| a.time.cmp(&b.time).then_with(|| a.name.cmp(&b.name)));
        let lines: String = self
            .models
            .iter()
            .map(|model| format!("{model}\n"))
            .collect();
        fs::write(&self.path, lines).map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

impl Model {
    pub fn reaches(&self, switch: usize) -> bool {
        self.reached.contains(&switch)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split(' ');
        let (name, time, reached) = (parts.next()?, parts.next()?, parts.next()?);
        let reached = reached.split(',').filter(|part| !part.is_empty());
        Some(Self {
            name: name.to_owned(),
            time: Duration::from_millis(time.parse().ok()?),
            reached: reached
                .map(|part| part.parse().ok())
                .collect::<Option<_>>()?,
        })
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reached: Vec<_> = self.reached.iter().map(usize::to_string).collect();
        write!(
            f,
            "{} {} {}",
            self.name,
            self.time.as_millis(),
            reached.join(",")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_can_be_read_again() {
        for reached in [vec![], vec![3, 14]] {
            let model = Model {
                name: String::from("a::loom::b"),
                time: Duration::from_millis(1234),
                reached,
            };
            let read = Model::parse(&model.to_string()).unwrap();
            assert_eq!(
                (read.name, read.time, read.reached),
                (model.name, model.time, model.reached)
            );
        }
    }
}
