//! Runs the models with each switch on, with more and more preemptions, because most switches are
//! killed with one preemption.

use crate::models::{Binary, End, Model, in_parallel};
use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// Models that took less than this run with one preemption more for survivors.
const SMALL: Duration = Duration::from_secs(3);
/// The time limit where no run was measured.
const LONG: Duration = Duration::from_secs(600);
/// The time limit for one switch of a sample, for all models together.
const SHARE: Duration = Duration::from_secs(40);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Killed,
    Survived,
    /// No model reaches it.
    Unreached,
    /// The time was over.
    Open,
}

pub struct Judge<'a> {
    pub binary: &'a Binary,
    pub switches: &'a [String],
    pub jobs: usize,
    pub deadline: Option<Instant>,
    pub verdicts: Vec<(usize, Verdict)>,
    /// The switches that nothing has killed yet.
    pub left: Vec<usize>,
}

/// Models that run with the same bound.
pub struct Round<'a> {
    /// The fastest first.
    pub models: Vec<&'a Model>,
    pub bound: usize,
    /// The models were measured with this bound, so a run that takes far longer hangs.
    pub is_measured: bool,
    /// It is not known whether the models pass with this bound when no switch is on.
    is_new: bool,
}

impl<'a> Round<'a> {
    pub fn measured(models: &'a [Model], bound: usize) -> Self {
        Self {
            models: models.iter().collect(),
            bound,
            is_measured: true,
            is_new: false,
        }
    }

    pub fn unmeasured(models: &'a [Model], bound: usize) -> Self {
        Self {
            is_measured: false,
            ..Self::measured(models, bound)
        }
    }

    /// The models that finish in acceptable time with one preemption more.
    pub fn small(models: &'a [Model], bound: usize) -> Self {
        Self {
            models: models.iter().filter(|model| model.time < SMALL).collect(),
            bound,
            is_measured: false,
            is_new: true,
        }
    }
}

enum Answer {
    Killed(String),
    Passed,
    Open,
}

impl Judge<'_> {
    /// Runs the models for the switches that are left, in one round after the other until one
    /// kills.
    pub fn ask(&mut self, rounds: &[Round]) -> Result<(), String> {
        if self.left.is_empty() {
            return Ok(());
        }
        let bounds: Vec<_> = rounds.iter().map(|round| round.bound.to_string()).collect();
        println!(
            "{} switches, preemption bound {}:",
            self.left.len(),
            bounds.join(", then ")
        );
        let answers = Mutex::new(Vec::new());
        in_parallel(self.jobs, self.left.len(), |n| {
            let start = Instant::now();
            let answer = self.ask_about(self.left[n], rounds);
            let mut answers = answers.lock().expect("no job panics");
            let (verdict, by) = match &answer {
                Ok(Answer::Killed(by)) => ("killed", by.clone()),
                Ok(Answer::Passed) => ("passed", String::new()),
                Ok(Answer::Open) => ("open", String::new()),
                Err(_) => ("error", String::new()),
            };
            answers.push((self.left[n], answer));
            println!(
                "[{:3}/{}] {verdict:7} {:7.2} s  {}{by}",
                answers.len(),
                self.left.len(),
                start.elapsed().as_secs_f64(),
                self.switches[self.left[n]],
            );
        });
        let mut left = Vec::new();
        for (switch, answer) in answers.into_inner().expect("no job panics") {
            match answer? {
                Answer::Killed(_) => self.verdicts.push((switch, Verdict::Killed)),
                Answer::Open => self.verdicts.push((switch, Verdict::Open)),
                Answer::Passed => left.push(switch),
            }
        }
        left.sort_by_key(|switch| self.left.iter().position(|it| it == switch));
        self.left = left;
        Ok(())
    }

    fn ask_about(&self, switch: usize, rounds: &[Round]) -> Result<Answer, String> {
        let deadline = self.deadline.map(|it| it.min(Instant::now() + SHARE));
        let asked = rounds.iter().flat_map(|round| {
            let models = round.models.iter().filter(|model| model.reaches(switch));
            models.map(move |model| (round, model))
        });
        for (round, model) in asked {
            let mut limit = match round.is_measured {
                true => model.time * 10 + Duration::from_secs(20),
                false => LONG,
            };
            let mut hang_kills = round.is_measured;
            if let Some(deadline) = deadline {
                let left = deadline.saturating_duration_since(Instant::now());
                hang_kills &= limit <= left;
                limit = limit.min(left);
            }
            let by = |how| {
                let bound = round.bound;
                format!(
                    "\n                           by {how}{}, bound {bound}",
                    model.name
                )
            };
            match self
                .binary
                .run(&model.name, round.bound, Some(switch), limit)?
            {
                End::Failed if !round.is_new => return Ok(Answer::Killed(by(""))),
                End::Failed => match self.without_a_switch(model, round.bound, deadline)? {
                    End::Passed => return Ok(Answer::Killed(by(""))),
                    // It is not known whether the switch has made it fail.
                    End::TimedOut if deadline.is_some() => return Ok(Answer::Open),
                    End::Failed | End::TimedOut => {}
                },
                End::TimedOut if hang_kills => return Ok(Answer::Killed(by("a hang of "))),
                End::TimedOut if deadline.is_some() => return Ok(Answer::Open),
                End::Passed | End::TimedOut => {}
            }
        }
        Ok(Answer::Passed)
    }

    /// How a model ends without a switch.
    fn without_a_switch(
        &self,
        model: &Model,
        bound: usize,
        deadline: Option<Instant>,
    ) -> Result<End, String> {
        let limit = deadline.map_or(LONG, |it| it.saturating_duration_since(Instant::now()));
        self.binary.run(&model.name, bound, None, limit)
    }

    /// Records the switches that are left as survivors.
    pub fn close(&mut self, models: &[Model]) {
        for switch in self.left.drain(..) {
            let verdict = match models.iter().any(|model| model.reaches(switch)) {
                true => Verdict::Survived,
                // A sample has not looked for models that reach it with more preemptions only.
                false if self.deadline.is_some() => Verdict::Open,
                false => Verdict::Unreached,
            };
            self.verdicts.push((switch, verdict));
        }
    }
}
