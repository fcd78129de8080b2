//! The probes. Each sets a subject up anew for each case, polls by hand, and never sleeps.

use crate::{
    Answer, Build, Kind, Stage, Stop, held_bytes,
    stage::{STEPS, Task},
};
use std::task::{Context, Poll, Waker};

/// A question, and the code that answers it.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// The heading of its column.
    pub name: &'static str,
    /// What has to be true to pass.
    pub asks: &'static str,
    /// Answers the question, perhaps with a figure.
    pub run: fn(Kind, Build) -> Answer<String>,
}

/// All probes, in the order of the columns.
pub const PROBES: &[Probe] = &[
    Probe {
        name: "dropped",
        asks: "any one of three waiting tasks is dropped, whichever was polled last: the others get the next items",
        run: dropped,
    },
    Probe {
        name: "cancelled",
        asks: "a woken task is dropped, or its future is, before it is polled: nothing is lost, and the other waiting task gets the item",
        run: cancelled,
    },
    Probe {
        name: "left",
        asks: "one waiting task is kept and never polled again: the other one gets the next items",
        run: left,
    },
    Probe {
        name: "new waker",
        asks: "a waiting handle is polled by another task: that task is woken",
        run: new_waker,
    },
    Probe {
        name: "wakers",
        asks: "100 000 pending polls of each of two tasks, with one waker, with a new one each, and cancelled each time: at most two wakers of each are kept (its own, and one that its poll left with the source)",
        run: wakers,
    },
    Probe {
        name: "burst",
        asks: "all tasks have read 1 000 000 items: at most 64 KiB are held",
        run: burst,
    },
    Probe {
        name: "end",
        asks: "the end reaches all waiting tasks, and one that lagged behind after the items before the end; the stream stays ended",
        run: end,
    },
    Probe {
        name: "panic",
        asks: "a poll of the source panics: no task waits for ever, none takes the panic for the end, every handle can be dropped",
        run: panic,
    },
];

const POLLS: usize = 100_000;
const ITEMS: u64 = 1_000_000;
const MAY_HOLD: usize = 64 * 1024;

/// How a task that is no longer wanted ends.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Dropped,
    Cancelled,
}

impl Task {
    fn go(&mut self, how: Fate) {
        match how {
            Fate::Dropped => drop(self.handle.take()),
            Fate::Cancelled => {
                self.comes = false;
                self.cancel();
            }
        }
    }

    fn cancel(&mut self) {
        self.handle.as_mut().expect("it was not dropped").cancel();
    }
}

/// Adds to an answer the case that it is for.
fn when<T>(case: &str, answer: Answer<T>) -> Answer<T> {
    answer.map_err(|stop| match stop {
        Stop::Fail(reason) => Stop::Fail(format!("{case}: {reason}")),
        skip => skip,
    })
}

fn pass() -> Answer<String> {
    Ok(String::new())
}

/// Sends items 1 to `last`, each when all tasks sleep. They have to reach the tasks that come.
fn sends(stage: &mut Stage, last: u64) -> Answer {
    for item in 1..=last {
        stage.feed.send(item);
        stage.run()?;
        stage.delivered(item)?;
    }
    Ok(())
}

fn dropped(kind: Kind, build: Build) -> Answer<String> {
    for last in 0..3 {
        for dropped in 0..3 {
            let mut stage = Stage::waiting(kind, build, 3)?;
            stage.poll(last)?;
            stage.tasks[dropped].go(Fate::Dropped);
            let case = if dropped == last {
                "the last to be polled is dropped"
            } else {
                "another than the last to be polled is dropped"
            };
            when(case, sends(&mut stage, 3))?;
        }
    }
    pass()
}

fn cancelled(kind: Kind, build: Build) -> Answer<String> {
    let mut woken = 0;
    for dropped in 0..2 {
        for (how, case) in [
            (Fate::Dropped, "dropped when it was woken"),
            (Fate::Cancelled, "cancelled when it was woken"),
        ] {
            let mut stage = Stage::waiting(kind, build, 2)?;
            stage.feed.send(1);
            if stage.tasks[dropped].is_woken() {
                woken += 1;
                stage.tasks[dropped].go(how);
                when(case, stage.run().and_then(|()| stage.delivered(1)))?;
            }
        }
    }
    if woken == 0 {
        return Stop::fail("no task is woken");
    }
    // The task comes back itself.
    let mut stage = Stage::waiting(kind, build, 1)?;
    stage.feed.send(1);
    stage.tasks[0].cancel();
    stage.poll(0)?;
    when("waits again after it was cancelled", stage.delivered(1))?;
    pass()
}

fn left(kind: Kind, build: Build) -> Answer<String> {
    for (dropped, case) in [
        (0, "the first to wait is left"),
        (1, "the last to wait is left"),
    ] {
        let mut stage = Stage::waiting(kind, build, 2)?;
        stage.tasks[dropped].comes = false;
        when(case, sends(&mut stage, 3))?;
    }
    pass()
}

fn new_waker(kind: Kind, build: Build) -> Answer<String> {
    for (moved, case) in [
        (0, "the first to wait is moved"),
        (1, "the last to wait is moved"),
    ] {
        let mut stage = Stage::waiting(kind, build, 2)?;
        stage.tasks[moved].change_waker();
        stage.poll(moved)?;
        // Of several takers one may be woken for each item.
        let items = if kind == Kind::Fork { 1 } else { 2 };
        (1..=items).for_each(|item| stage.feed.send(item));
        when(case, stage.run().and_then(|()| stage.delivered(items)))?;
        if stage.tasks[moved].wakes() == 0 {
            return Stop::fail(format!("{case}: the task is no longer woken"));
        }
    }
    pass()
}

fn wakers(kind: Kind, build: Build) -> Answer<String> {
    let mut most = 0;
    let mut is_most = |case: &str, kept: usize| {
        most = most.max(kept);
        if kept > 4 {
            Stop::fail(format!(
                "{case}: {kept} wakers are kept for 2 waiting tasks"
            ))
        } else {
            Ok(())
        }
    };
    let kept = |stage: &Stage| stage.tasks.iter().map(Task::wakers_kept).sum();

    let mut stage = Stage::waiting(kind, build, 2)?;
    for poll in 0..2 * POLLS {
        stage.poll(poll % 2)?;
    }
    is_most("one waker", kept(&stage))?;

    let mut stage = Stage::waiting(kind, build, 2)?;
    for poll in 0..2 * POLLS {
        stage.poll(poll % 2)?;
        stage.tasks[poll % 2].cancel();
    }
    is_most("cancelled each time", kept(&stage))?;

    let mut stage = Stage::waiting(kind, build, 2)?;
    let mut live = Vec::with_capacity(2 * POLLS);
    for poll in 0..2 * POLLS {
        let task = &mut stage.tasks[poll % 2];
        live.push(task.change_waker());
        stage.poll(poll % 2)?;
    }
    let kept = live.iter().filter(|wakes| wakes.strong_count() > 0).count() + kept(&stage);
    is_most("a new waker each time", kept)?;
    Ok(format!("{most} for 2"))
}

fn burst(kind: Kind, build: Build) -> Answer<String> {
    let before = held_bytes();
    let (mut feed, mut handles) = build(2);
    let mut poll = |handle: usize| handles[handle].poll(&mut Context::from_waker(Waker::noop()));
    // For some implementations a handle that was not polled yet is no reader.
    let waits = [poll(0), poll(1)].iter().all(Poll::is_pending);
    assert!(waits, "nothing is there");
    for item in 1..=ITEMS {
        feed.send(item);
        if kind == Kind::Fork && poll(0) != Poll::Ready(Some(item)) {
            return Stop::fail("an item that was sent does not come");
        }
    }
    let most = held_bytes().saturating_sub(before);
    // Takers take turns, and may keep an order of their own.
    let (mut taken, mut waits) = (0, 0);
    while taken < ITEMS && waits < STEPS {
        let handle = match kind {
            Kind::Fork => 1,
            Kind::Take => (taken as usize + waits) % 2,
        };
        match poll(handle) {
            Poll::Ready(Some(item)) if kind == Kind::Take || item == taken + 1 => {
                taken += 1;
                waits = 0;
            }
            Poll::Pending => waits += 1,
            _ => break,
        }
    }
    if taken < ITEMS {
        return Stop::fail(format!(
            "{taken} of {ITEMS} items reach the task that lags behind"
        ));
    }
    let held = held_bytes().saturating_sub(before);
    if held > MAY_HOLD {
        return Stop::fail(format!("{held} of {most} bytes are still held"));
    }
    Ok(format!("{held} B"))
}

fn end(kind: Kind, build: Build) -> Answer<String> {
    let mut stage = Stage::waiting(kind, build, 3)?;
    stage.tasks[2].comes = kind == Kind::Take;
    sends(&mut stage, 1)?;
    stage.feed.end();
    stage.run()?;
    stage.tasks[2].comes = true;
    stage.run()?;
    stage.delivered(1)?;
    if !stage.tasks.iter().all(|task| task.ended) {
        return Stop::fail("a waiting task is not woken for the end");
    }
    for task in &mut stage.tasks {
        task.ended = false;
        task.poll();
        if !task.ended {
            return Stop::fail("polled after the end, the stream does not end again");
        }
    }
    pass()
}

fn panic(kind: Kind, build: Build) -> Answer<String> {
    let mut stage = Stage::waiting(kind, build, 3)?;
    stage.may_panic = true;
    if !stage.feed.panic() {
        return Err(Stop::Skip("a channel: no user code runs in it".into()));
    }
    stage.run()?;
    if !stage.tasks.iter().any(|task| task.panicked) {
        return Stop::fail("the panic reaches no task");
    }
    // The tasks that the panic did not reach go on with the items after it.
    stage.feed.send(1);
    stage.run()?;
    if stage.tasks.iter().any(|task| task.ended) {
        return Stop::fail("a panic of the source is reported as its end");
    }
    let on: Vec<&Task> = stage.tasks.iter().filter(|task| !task.panicked).collect();
    let reached = on.iter().filter(|task| task.got == [1]).count();
    let all = match kind {
        Kind::Fork => on.len(),
        Kind::Take => 1,
    };
    if !on.is_empty() && reached != all {
        return Stop::fail("the others wait for ever");
    }
    let went_on = if on.is_empty() {
        "reaches all"
    } else {
        "others go on"
    };
    if !stage.take_down() {
        return Stop::fail("a handle panics when it is dropped");
    }
    Ok(went_on.into())
}
