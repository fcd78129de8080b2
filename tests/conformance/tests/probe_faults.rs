//! Tests the probes. A correct implementation passes all of them, and for each fault planted in it
//! the probe for that fault finds it. The program starts itself for every cell, so it has no test
//! harness.

use aiter_conformance::{
    Build, Feed, Handle, Kind, PROBES, Parts, Subject, Table, Verdict, handles, serve,
    source::{Source, source},
};
use futures_core::Stream;
use std::{
    collections::VecDeque,
    env,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    process::{self, Command, ExitCode},
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    Nothing,
    PollsWithItsOwnWaker,
    WakesOne,
    LosesWhatItWasWokenFor,
    KeepsTheFirstWaker,
    HoardsWakers,
    HoardsItems,
    EndsForOne,
    TakesAPanicForTheEnd,
    WakesItself,
    Hangs,
    Aborts,
}
use Fault::*;

/// A queue in a mutex.
struct Queue {
    kind: Kind,
    fault: Fault,
    state: Mutex<State>,
    /// The wakers of the handles that wait.
    wakers: Mutex<Vec<(usize, Waker)>>,
}

struct State {
    source: Pin<Box<Source>>,
    items: VecDeque<u64>,
    /// The number of the first item.
    first: usize,
    /// The position of each handle, while it exists.
    places: Vec<Option<usize>>,
    ended: bool,
    panicked: bool,
}

struct One {
    queue: Arc<Queue>,
    number: usize,
}

impl Queue {
    fn wake_waiting(&self) {
        let mut wakers = self.wakers.lock().unwrap();
        let count = if self.fault == WakesOne {
            1.min(wakers.len())
        } else {
            wakers.len()
        };
        let woken: Vec<_> = wakers.drain(..count).collect();
        drop(wakers);
        woken.into_iter().for_each(|(_, waker)| waker.wake());
    }

    fn wait(&self, number: usize, waker: &Waker) {
        let mut wakers = self.wakers.lock().unwrap();
        match self.fault {
            KeepsTheFirstWaker if wakers.iter().any(|(one, _)| *one == number) => return,
            HoardsWakers => {}
            _ => wakers.retain(|(one, _)| *one != number),
        }
        wakers.push((number, waker.clone()));
    }
}

impl Wake for Queue {
    fn wake(self: Arc<Self>) {
        self.wake_waiting();
    }
}

impl State {
    /// Returns what a handle can take now.
    fn take(&mut self, kind: Kind, fault: Fault, number: usize) -> Option<u64> {
        if kind == Kind::Take {
            if fault == HoardsItems {
                let item = *self.items.get(self.first)?;
                self.first += 1;
                return Some(item);
            }
            let item = self.items.pop_front();
            if self.items.is_empty() {
                self.items = VecDeque::new();
            }
            return item;
        }
        let place = self.places[number].expect("it is there");
        let item = *self.items.get(place - self.first)?;
        self.places[number] = Some(place + 1);
        self.trim(fault);
        Some(item)
    }

    fn trim(&mut self, fault: Fault) {
        if fault == HoardsItems {
            return;
        }
        let slowest = self.places.iter().flatten().min();
        let passed = slowest.map_or(self.items.len(), |slowest| slowest - self.first);
        if passed > 0 {
            self.items.drain(..passed);
            self.first += passed;
            if self.items.is_empty() {
                self.items = VecDeque::new();
            }
        }
    }
}

impl Handle for One {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        let Queue { kind, fault, .. } = *self.queue;
        self.queue.wait(self.number, cx.waker());
        let mut state = self.queue.state.lock().unwrap();
        if let Some(item) = state.take(kind, fault, self.number) {
            return Poll::Ready(Some(item));
        }
        if state.panicked {
            drop(state);
            panic!("the source panicked");
        }
        if state.ended {
            return if fault == EndsForOne {
                Poll::Pending
            } else {
                Poll::Ready(None)
            };
        }
        let shared = Waker::from(Arc::clone(&self.queue));
        let waker = if fault == PollsWithItsOwnWaker {
            cx.waker()
        } else {
            &shared
        };
        let polled = catch_unwind(AssertUnwindSafe(|| {
            state
                .source
                .as_mut()
                .poll_next(&mut Context::from_waker(waker))
        }));
        match polled {
            Ok(Poll::Pending) => {
                if fault == WakesItself {
                    cx.waker().wake_by_ref();
                }
                return Poll::Pending;
            }
            Ok(Poll::Ready(Some(item))) => state.items.push_back(item),
            Ok(Poll::Ready(None)) => state.ended = true,
            Err(_) if fault == TakesAPanicForTheEnd => state.ended = true,
            Err(_) => state.panicked = kind == Kind::Fork,
        }
        if state.ended && fault == Hangs {
            loop {
                std::hint::spin_loop();
            }
        }
        if state.ended && fault == Aborts {
            process::abort();
        }
        let item = state.take(kind, fault, self.number);
        drop(state);
        if fault != WakesOne {
            self.queue.wake_waiting();
        }
        match polled {
            Ok(_) => Poll::Ready(item),
            Err(payload) => resume_unwind(payload),
        }
    }

    fn cancel(&mut self) {
        if self.queue.fault == LosesWhatItWasWokenFor {
            let _ = self.poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

impl Drop for One {
    fn drop(&mut self) {
        let mut state = self.queue.state.lock().unwrap();
        state.places[self.number] = None;
        state.trim(self.queue.fault);
        drop(state);
        self.queue
            .wakers
            .lock()
            .unwrap()
            .retain(|(one, _)| *one != self.number);
    }
}

fn planted(kind: Kind, fault: Fault, count: usize) -> Parts {
    let (source, remote) = source();
    let state = State {
        source: Box::pin(source),
        items: VecDeque::new(),
        first: 0,
        places: vec![Some(0); count],
        ended: false,
        panicked: false,
    };
    let queue = Arc::new(Queue {
        kind,
        fault,
        state: Mutex::new(state),
        wakers: Mutex::default(),
    });
    let mut number = 0;
    let another = |queue: &mut (Arc<Queue>, usize)| {
        number += 1;
        (Arc::clone(&queue.0), number)
    };
    let feed: Box<dyn Feed> = Box::new(remote);
    (
        feed,
        handles(count, (queue, 0), another, |(queue, number)| One {
            queue,
            number,
        }),
    )
}

/// A subject, the probe that has to find its fault, and a check of the result.
type Plant = (Subject, &'static str, fn(&Verdict) -> bool);

fn is_failure(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Fail(_))
}

macro_rules! subject {
    ($kind:ident, $fault:ident) => {
        Subject {
            name: concat!(stringify!($kind), ", ", stringify!($fault)),
            package: "aiter-conformance",
            kind: Kind::$kind,
            is_ours: true,
            build: Some((|count| planted(Kind::$kind, $fault, count)) as Build),
        }
    };
}

fn main() -> ExitCode {
    let right = [subject!(Fork, Nothing), subject!(Take, Nothing)];
    let not_built = Subject {
        build: None,
        ..subject!(Fork, Nothing)
    };
    let plants: [Plant; 19] = [
        (subject!(Fork, PollsWithItsOwnWaker), "dropped", is_failure),
        (subject!(Take, PollsWithItsOwnWaker), "dropped", is_failure),
        (subject!(Fork, WakesOne), "left", is_failure),
        (subject!(Take, WakesOne), "left", is_failure),
        (subject!(Take, WakesOne), "cancelled", is_failure),
        (
            subject!(Take, LosesWhatItWasWokenFor),
            "cancelled",
            is_failure,
        ),
        (subject!(Fork, KeepsTheFirstWaker), "new waker", is_failure),
        (subject!(Take, KeepsTheFirstWaker), "new waker", is_failure),
        (subject!(Fork, HoardsWakers), "wakers", is_failure),
        (subject!(Take, HoardsWakers), "wakers", is_failure),
        (subject!(Fork, HoardsItems), "burst", is_failure),
        (subject!(Take, HoardsItems), "burst", is_failure),
        (subject!(Fork, EndsForOne), "end", is_failure),
        (subject!(Take, EndsForOne), "end", is_failure),
        (subject!(Fork, TakesAPanicForTheEnd), "panic", is_failure),
        (subject!(Take, TakesAPanicForTheEnd), "panic", is_failure),
        (subject!(Fork, WakesItself), "dropped", is_failure),
        (subject!(Fork, Hangs), "end", |verdict| {
            matches!(verdict, Verdict::Time(_))
        }),
        (subject!(Fork, Aborts), "end", |verdict| {
            matches!(verdict, Verdict::Crash(_))
        }),
    ];
    let wrong = plants.map(|(subject, ..)| subject);
    if let Some(code) = serve(&[right.as_slice(), &wrong].concat()) {
        return code;
    }

    let table = Table::run(&right, Duration::from_secs(30));
    println!("{table}\n");
    for subject in right {
        for probe in PROBES {
            let verdict = table.verdict(subject.name, probe.name);
            assert!(
                matches!(verdict, Some(Verdict::Pass(_))),
                "{}, {}: {verdict:?}",
                subject.name,
                probe.name
            );
        }
    }
    assert!(table.ours_pass());

    for (subject, probe, is_found) in plants {
        let verdict = Table::cell(
            &subject,
            probe,
            Duration::from_secs(if subject.name.ends_with("Hangs") {
                1
            } else {
                30
            }),
        );
        println!("{}, {probe}: {verdict:?}", subject.name);
        assert!(
            is_found(&verdict),
            "{} is not found out by {probe}: {verdict:?}",
            subject.name
        );
    }
    for probe in PROBES {
        assert!(
            plants.iter().any(|(_, one, _)| *one == probe.name),
            "no plant for {}",
            probe.name
        );
    }

    // One fault among ours makes the whole table fail, and so does a missing probe.
    let table = Table::run(
        &[right[0], subject!(Fork, PollsWithItsOwnWaker)],
        Duration::from_secs(30),
    );
    assert!(!table.ours_pass());
    assert!(!Table::run(&[right[0], not_built], Duration::from_secs(30)).ours_pass());
    assert!(!Table::run(&[], Duration::ZERO).ours_pass());

    // Run by hand, a cell exits as its result says, and an unknown cell exits with an error.
    let ends_well = |subject: &str, probe: &str| {
        let program = env::current_exe().expect("this program has a path");
        let output = Command::new(program)
            .args(["--cell", subject, probe])
            .output();
        output
            .expect("this program can be started again")
            .status
            .success()
    };
    let (wrong, finds, _) = plants[0];
    assert!(ends_well(right[0].name, finds) && !ends_well(wrong.name, finds));
    assert!(!ends_well("nobody", finds) && !ends_well(right[0].name, "nothing"));
    println!("all planted faults are found");
    ExitCode::SUCCESS
}
