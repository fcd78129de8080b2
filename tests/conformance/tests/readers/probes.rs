//! The questions. Each answer says what a subject did.

use crate::{
    subjects::{Channel, Sent},
    task::{Item, Sending, Task, run},
};
use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// A question.
pub(crate) struct Probe {
    /// The heading of its column.
    pub(crate) name: &'static str,
    /// What happens.
    pub(crate) asks: &'static str,
    /// What the subject did.
    pub(crate) run: fn(&dyn Fn() -> Channel) -> String,
}

pub(crate) const SLOW: &str = "slow";
pub(crate) const DROPPED: &str = "dropped";
pub(crate) const LATE: &str = "late";
pub(crate) const CLONE_PANICS: &str = "clone panics";
pub(crate) const SOURCE_PANICS: &str = "source panics";

pub(crate) const PROBES: &[Probe] = &[
    Probe {
        name: SLOW,
        asks: "one of two readers that wait is not polled while ten items come: what the other one gets",
        run: slow,
    },
    Probe {
        name: "missed",
        asks: "one of two readers has read an item and is not polled while ten more come: what it gets when it comes back, and what it is told of the others",
        run: missed,
    },
    Probe {
        name: DROPPED,
        asks: "one of two readers that wait is woken for an item, and is dropped before it is polled, or only its future is: whether the others get the item",
        run: dropped,
    },
    Probe {
        name: LATE,
        asks: "a reader comes after three items, and another one asks for what was before: where they start",
        run: late,
    },
    Probe {
        name: CLONE_PANICS,
        asks: "two readers wait, item 1 is sent and its first clone panics; whoever panics catches that and asks again, and item 2 follows",
        run: clone_panics,
    },
    Probe {
        name: SOURCE_PANICS,
        asks: "two readers wait, and the source panics; whoever panics catches that and asks again, and item 1 follows",
        run: source_panics,
    },
    Probe {
        name: "cancelled send",
        asks: "three senders wait for room, and the reader takes an item; the sender that was woken is dropped before it is polled: whether the next one can send",
        run: cancelled_send,
    },
    Probe {
        name: "last gone",
        asks: "the last reader goes, item 2 is sent, and a new reader comes before item 3",
        run: last_gone,
    },
    Probe {
        name: "futile wakes",
        asks: "16 readers wait, and an item comes; 16 senders wait, and a place gets free: how many are woken and find nothing",
        run: futile_wakes,
    },
];

/// Another one cannot be had, or the question makes no sense.
const NONE: &str = "-";

/// So many readers that wait, or none if there cannot be so many.
fn waiting(channel: &mut Channel, count: usize) -> Option<Vec<Task>> {
    let mut tasks = Vec::new();
    for _ in 0..count {
        tasks.push(Task::new((channel.subscribe)()?));
    }
    tasks.iter_mut().for_each(Task::poll);
    for task in &mut tasks {
        // A channel that has a value from the start has yielded it.
        task.got.clear();
        task.futile = 0;
    }
    Some(tasks)
}

fn list(items: &[u64]) -> String {
    let items: Vec<_> = items.iter().map(u64::to_string).collect();
    items.join(" ")
}

const TEN: u64 = 10;

fn slow(make: &dyn Fn() -> Channel) -> String {
    // Whichever of them was polled last.
    let gets = [0, 1].map(|slow| {
        let mut channel = make();
        let mut tasks = waiting(&mut channel, 2)?;
        let mut other = tasks.remove(1 - slow);
        for item in 1..=TEN {
            (channel.send)(item);
            run(&mut [&mut other]);
        }
        Some(other.got)
    });
    let [Some(first), Some(second)] = gets else {
        return NONE.into();
    };
    let least = if first.len() < second.len() {
        first
    } else {
        second
    };
    match least.as_slice() {
        [] => "no item".into(),
        all if all.len() as u64 == TEN => "all 10".into(),
        some => format!("the first {}", some.len()),
    }
}

fn missed(make: &dyn Fn() -> Channel) -> String {
    let mut channel = make();
    let mut tasks = match waiting(&mut channel, 2) {
        Some(tasks) => tasks,
        None => {
            channel = make();
            waiting(&mut channel, 1).expect("there is one")
        }
    };
    // What comes before the first item of a reader may not count.
    (channel.send)(0);
    for task in &mut tasks {
        run(&mut [task]);
        task.got.clear();
    }
    let mut task = tasks.pop().expect("there is one");
    let mut other = tasks.pop();
    let mut sent = Vec::new();
    for item in 1..=TEN {
        if (channel.send)(item) == Sent::Yes {
            sent.push(item);
        }
        run(&mut other.iter_mut().collect::<Vec<_>>());
    }
    task.poll();
    if let Some(other) = &mut other {
        run(&mut [&mut task, other]);
        let mut both = [task.got.as_slice(), &other.got].concat();
        both.sort_unstable();
        if both == sent && !other.got.is_empty() {
            return "each item goes to one of them".into();
        }
    }
    let refused = TEN - sent.len() as u64;
    let got = task.got.as_slice();
    let lost = (sent.len() - got.len()) as u64;
    if lost == 0 && refused == 0 {
        return "all 10".into();
    }
    if lost == 0 && got == sent {
        return format!("the first {}; {refused} are not sent", got.len());
    }
    let told = match task.missed {
        0 => "not told".into(),
        told if told == lost => format!("told {told}, exact"),
        told => format!("told {told} of {lost}"),
    };
    let is_newest = sent.ends_with(got);
    match got {
        [last] if is_newest => format!("the newest, {last}; {told}"),
        got if is_newest => format!("the last {}; {told}", got.len()),
        got => format!("{}; {told}", list(got)),
    }
}

fn dropped(make: &dyn Fn() -> Channel) -> String {
    let mut dropped_strands = false;
    let mut cancelled_loses = false;
    // Whichever of them was polled last.
    for goes in [0, 1] {
        let mut channel = make();
        let Some(mut tasks) = waiting(&mut channel, 2) else {
            return NONE.into();
        };
        (channel.send)(1);
        // The one that goes is the one that was woken, if only one was.
        let goes = if tasks[goes].is_woken() {
            goes
        } else {
            1 - goes
        };
        drop(tasks.remove(goes));
        run(&mut [&mut tasks[0]]);
        dropped_strands |= tasks[0].got != [1];

        let mut channel = make();
        let mut tasks = waiting(&mut channel, 2).expect("as before");
        (channel.send)(1);
        let goes = if tasks[goes].is_woken() {
            goes
        } else {
            1 - goes
        };
        tasks[goes].cancel();
        let [first, second] = tasks.as_mut_slice() else {
            unreachable!("there are two");
        };
        let (gone, other) = if goes == 0 {
            (first, second)
        } else {
            (second, first)
        };
        run(&mut [other]);
        // It comes back.
        gone.poll();
        cancelled_loses |= !(gone.got == [1] || other.got == [1]);
    }
    let others = if dropped_strands {
        "the other waits for ever"
    } else {
        "the other gets it"
    };
    if cancelled_loses {
        return format!("{others}; lost if cancelled");
    }
    others.into()
}

fn late(make: &dyn Fn() -> Channel) -> String {
    let mut channel = make();
    let mut early = waiting(&mut channel, 1).expect("there is one");
    for item in 1..=3 {
        (channel.send)(item);
        run(&mut [&mut early[0]]);
    }
    let Some(reader) = (channel.subscribe)() else {
        return NONE.into();
    };
    let mut task = Task::new(reader);
    task.poll();
    let replayed = channel.replay.map(|mut replay| {
        let mut task = Task::new(replay());
        task.poll();
        task.got
    });
    (channel.send)(4);
    run(&mut [&mut task, &mut early[0]]);
    let starts = match task.got.as_slice() {
        [4] => "at the next item".into(),
        [3, 4] => "at the newest item".into(),
        [] if early[0].got.last() == Some(&4) => "the early one gets it".into(),
        others => list(others),
    };
    match replayed {
        None => starts,
        Some(items) => format!("{starts}; replays {}", list(&items)),
    }
}

/// What became of a reader that catches panics.
fn fate(task: &Task) -> String {
    let panics = match task.panics {
        0 => "",
        1 => "panics once and ",
        _ => return "panics each time".into(),
    };
    let gets = match task.got.as_slice() {
        [] if task.has_ended => "ends".into(),
        [] => "waits".into(),
        some => format!("gets {}", list(some)),
    };
    format!("{panics}{gets}")
}

/// What became of two readers.
fn fates(first: &Task, second: &Task) -> String {
    let (one, other) = if first.panics < second.panics {
        (fate(second), fate(first))
    } else {
        (fate(first), fate(second))
    };
    if one == other {
        return format!("each {one}");
    }
    format!("one {one}, one {other}")
}

fn clone_panics(make: &dyn Fn() -> Channel) -> String {
    let mut channel = make();
    let Some(mut tasks) = waiting(&mut channel, 2) else {
        return NONE.into();
    };
    let [first, second] = tasks.as_mut_slice() else {
        unreachable!("there are two");
    };
    let mut sends = |item| catch_unwind(AssertUnwindSafe(|| (channel.send)(item))).is_ok();
    Item::next_clone_panics(true);
    let first_is_sent = sends(1);
    run(&mut [first, second]);
    Item::next_clone_panics(false);
    let second_is_sent = sends(2);
    run(&mut [first, second]);
    if !second_is_sent {
        let answer = format!("{}; each send panics", fates(first, second));
        // The panic has left a poisoned lock. Drops panic too, and would end the process.
        mem::forget((tasks, channel));
        return answer;
    }
    if !first_is_sent {
        return format!("the send panics, {}", fates(first, second));
    }
    match first.panics + second.panics {
        0 => "no clone".into(),
        _ => fates(first, second),
    }
}

fn source_panics(make: &dyn Fn() -> Channel) -> String {
    let mut channel = make();
    if channel.panic.is_none() {
        return NONE.into();
    }
    let mut tasks = waiting(&mut channel, 2).expect("there are two");
    let [first, second] = tasks.as_mut_slice() else {
        unreachable!("there are two");
    };
    channel.panic.as_mut().expect("just seen")();
    run(&mut [first, second]);
    (channel.send)(1);
    run(&mut [first, second]);
    fates(first, second)
}

/// Fills what is bounded. Returns false if it is not.
fn fill(channel: &mut Channel) -> bool {
    (1..=TEN).any(|item| (channel.send)(item) == Sent::Full)
}

fn cancelled_send(make: &dyn Fn() -> Channel) -> String {
    let mut channel = make();
    let mut reader = waiting(&mut channel, 1).expect("there is one").remove(0);
    if channel.send_when_free.is_none() || !fill(&mut channel) {
        return NONE.into();
    }
    let send = channel.send_when_free.as_ref().expect("just seen");
    let mut sendings: Vec<_> = (11..14).map(|item| Sending::new(send(item))).collect();
    assert!(!sendings.iter_mut().any(Sending::poll), "there is no room");
    reader.step();
    let Some(woken) = sendings.iter().position(Sending::is_woken) else {
        return "no sender is woken".into();
    };
    drop(sendings.remove(woken));
    let mut sent = 0;
    sendings.retain_mut(|sending| {
        let has_sent = sending.is_woken() && sending.poll();
        sent += usize::from(has_sent);
        !has_sent
    });
    if sent > 0 {
        return "the next one sends".into();
    }
    if sendings.iter_mut().any(Sending::poll) {
        return "the next one is not woken".into();
    }
    "the place is lost".into()
}

fn last_gone(make: &dyn Fn() -> Channel) -> String {
    let mut channel = make();
    let mut reader = waiting(&mut channel, 1).expect("there is one").remove(0);
    (channel.send)(1);
    run(&mut [&mut reader]);
    drop(reader);
    let sent = match (channel.send)(2) {
        Sent::Yes => "2 is taken",
        Sent::Full => "2 finds no room",
        Sent::Refused => "2 is refused",
    };
    let Some(reader) = (channel.subscribe)() else {
        return format!("{sent}, no new reader");
    };
    let mut task = Task::new(reader);
    task.poll();
    (channel.send)(3);
    run(&mut [&mut task]);
    match task.got.as_slice() {
        [] => format!("{sent}, a new reader gets nothing"),
        items => format!("{sent}, a new reader gets {}", list(items)),
    }
}

const MANY: usize = 16;

fn futile_wakes(make: &dyn Fn() -> Channel) -> String {
    let mut channel = make();
    let readers = waiting(&mut channel, MANY).map(|mut tasks| {
        (channel.send)(1);
        run(&mut tasks.iter_mut().collect::<Vec<_>>());
        tasks.iter().map(|task| task.futile).sum::<usize>()
    });
    let mut channel = make();
    let mut reader = waiting(&mut channel, 1).expect("there is one").remove(0);
    let senders = (channel.send_when_free.is_some() && fill(&mut channel)).then(|| {
        let send = channel.send_when_free.as_ref().expect("just seen");
        let mut sendings: Vec<_> = (0..MANY).map(|_| Sending::new(send(11))).collect();
        assert!(!sendings.iter_mut().any(Sending::poll), "there is no room");
        reader.step();
        let woken = sendings.iter_mut().filter(|sending| sending.is_woken());
        woken
            .map(Sending::poll)
            .filter(|has_sent| !has_sent)
            .count()
    });
    match (readers, senders) {
        (None, None) => NONE.into(),
        (Some(readers), None) => readers.to_string(),
        (None, Some(senders)) => format!("senders {senders}"),
        (Some(readers), Some(senders)) => format!("{readers}; senders {senders}"),
    }
}
