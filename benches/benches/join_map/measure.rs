//! Ways of doing the same work take turns; what counts is the median of their ratios, each within one round.
use std::{
    env,
    process::ExitCode,
    time::{Duration, Instant},
};

/// One way of doing the work.
pub(crate) struct Way {
    name: &'static str,
    is_peer: bool,
    run: Box<dyn FnMut()>,
}

/// A way of ours: it gets a ratio to every peer.
pub(crate) fn ours(name: &'static str, run: impl FnMut() + 'static) -> Way {
    let run = Box::new(run);
    Way {
        name,
        is_peer: false,
        run,
    }
}

/// A way to compare with.
pub(crate) fn peer(name: &'static str, run: impl FnMut() + 'static) -> Way {
    let run = Box::new(run);
    Way {
        name,
        is_peer: true,
        run,
    }
}

/// The highest ratio of `ours` to `peer` that passes.
pub(crate) struct Mark {
    pub(crate) ours: &'static str,
    pub(crate) peer: &'static str,
    pub(crate) at_most: f64,
}

/// Comparisons whose title contains the command line's word, if there is one.
pub(crate) struct Bench {
    only: Option<String>,
    missed: usize,
}

impl Bench {
    pub(crate) fn from_args() -> Self {
        Self {
            only: env::args().skip(1).find(|arg| !arg.starts_with('-')),
            missed: 0,
        }
    }

    /// Runs every way once a round, prints nanoseconds per item and ratios, and judges the marks.
    pub(crate) fn compare(
        &mut self,
        title: &str,
        items: usize,
        rounds: usize,
        mut ways: Vec<Way>,
        marks: &[Mark],
    ) {
        if self.only.as_ref().is_some_and(|only| !title.contains(only)) {
            return;
        }
        let warm_up = rounds.div_ceil(8);
        let mut times = vec![Vec::new(); ways.len()];
        for round in 0..warm_up + rounds {
            for (way, times) in ways.iter_mut().zip(&mut times) {
                let start = Instant::now();
                (way.run)();
                let time = start.elapsed();
                if round >= warm_up {
                    times.push(time);
                }
            }
        }
        println!("\n{title}");
        for (way, own) in ways.iter().zip(&times) {
            print!(
                "  {:<26} {:>9.1} ns",
                way.name,
                median(own.iter().map(Duration::as_secs_f64)) * 1e9 / items as f64
            );
            for (peer, theirs) in ways.iter().zip(&times) {
                if peer.is_peer && !way.is_peer {
                    print!("   {:.2} x {}", ratio(own, theirs), peer.name);
                }
            }
            println!();
        }
        let named = |name: &str| {
            &times[ways
                .iter()
                .position(|way| way.name == name)
                .expect("one of the ways")]
        };
        for Mark {
            ours,
            peer,
            at_most,
        } in marks
        {
            let met = ratio(named(ours), named(peer)) <= *at_most;
            self.missed += usize::from(!met);
            println!(
                "  {}: {ours} at most {at_most} x {peer}",
                if met { "met" } else { "MISSED" }
            );
        }
    }

    pub(crate) fn finish(self) -> ExitCode {
        ExitCode::from(u8::from(self.missed > 0))
    }
}

fn ratio(ours: &[Duration], peer: &[Duration]) -> f64 {
    median(
        ours.iter()
            .zip(peer)
            .map(|(ours, peer)| ours.as_secs_f64() / peer.as_secs_f64()),
    )
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
