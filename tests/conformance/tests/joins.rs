//! Joins of a limited number of streams, ours and those of futures, at their edges. Ours have to
//! pass each probe; what the others do is printed (`cargo test --release --test joins --
//! --nocapture`).

use aiter_conformance::{
    Feed,
    edges::{Alive, Boxed, Task, Verdict, caught, expect, poll, report},
    source::{Remote, source},
};
use aiter_core::join_aiters_limited;
use futures::stream;
use std::{
    cell::Cell,
    collections::VecDeque,
    future::{Future, poll_fn},
    rc::Rc,
    task::Poll,
};

/// Joins at most so many members at once.
type Make = fn(usize, Boxed<Boxed<u64>>) -> Boxed<u64>;

const OURS: &str = "aiter_core::join_aiters_limited";

const SUBJECTS: &[(&str, Make)] = &[
    (OURS, |n, members| Box::pin(join_aiters_limited(n, members))),
    ("futures flatten_unordered", |n, members| {
        Box::pin(futures::StreamExt::flatten_unordered(members, n))
    }),
];

/// Members that are made when they are asked for, and their remotes.
struct Members {
    joined: Boxed<u64>,
    remotes: Vec<Remote>,
    alive: Alive,
    /// How many were alive at once.
    most: Rc<Cell<usize>>,
}

fn members(make: Make, n: usize, count: usize) -> Members {
    let (sources, remotes): (VecDeque<_>, _) = (0..count).map(|_| source()).unzip();
    let (alive, most) = (Alive::default(), Rc::new(Cell::new(0)));
    let (counted, maximum) = (alive.clone(), Rc::clone(&most));
    let outer = futures::StreamExt::map(stream::iter(sources), move |source| {
        let member: Boxed<u64> = Box::pin(counted.stream(source));
        maximum.set(maximum.get().max(counted.count()));
        member
    });
    let joined = make(n, Box::pin(outer));
    Members {
        joined,
        remotes,
        alive,
        most,
    }
}

/// Six members end one after the other, and two may be alive.
fn limit(make: Make) -> Verdict {
    let mut all = members(make, 2, 6);
    let mut items = Vec::new();
    let task = Task::default();
    for at in 0..6 {
        while let Poll::Ready(Some(item)) = task.poll(&mut all.joined) {
            items.push(item);
        }
        all.remotes[at].send(at as u64);
        all.remotes[at].end();
    }
    while let Poll::Ready(Some(item)) = task.poll(&mut all.joined) {
        items.push(item);
    }
    expect("items", items, vec![0, 1, 2, 3, 4, 5])?;
    expect("alive at once", all.most.get(), 2)
}

/// One of two members ends. Its remote keeps the waker of its last poll.
fn dropped(make: Make) -> Verdict {
    let mut all = members(make, 2, 2);
    let task = Task::default();
    expect("poll", task.poll(&mut all.joined), Poll::Pending)?;
    all.remotes[0].end();
    expect("woken for the end", task.is_woken(), true)?;
    expect("poll", task.poll(&mut all.joined), Poll::Pending)?;
    expect("alive after an end", all.alive.count(), 1)?;
    drop(all.joined);
    expect("alive after the join", all.alive.count(), 0)
}

/// No member may be alive, which is a mistake of the caller.
fn zero(make: Make) -> Verdict {
    match caught(|| members(make, 0, 3)) {
        Err(_) => Ok(()),
        Ok(mut all) => {
            let _pending = poll(&mut all.joined);
            Err(format!("{} members are alive", all.most.get()))
        }
    }
}

/// A member panics, and the caller catches it and asks again.
fn panic(make: Make) -> Verdict {
    let mut all = members(make, 2, 3);
    let task = Task::default();
    expect("poll", task.poll(&mut all.joined), Poll::Pending)?;
    all.remotes[0].panic();
    if caught(|| task.poll(&mut all.joined)).is_ok() {
        return Err("the panic does not come".into());
    }
    // One that is there, and one that has to get the place of the one that panicked.
    all.remotes[1].send(1);
    all.remotes[2].send(2);
    let mut items = [task.poll(&mut all.joined), task.poll(&mut all.joined)];
    items.sort_by_key(|item| format!("{item:?}"));
    let expected = [Poll::Ready(Some(1)), Poll::Ready(Some(2))];
    expect("items after the panic", items, expected)?;
    expect("alive at once", all.most.get(), 2)
}

/// The stream of members panics, and the caller catches it and asks again.
fn panic_of_source(make: Make) -> Verdict {
    let (member, mut remote) = source();
    let mut member = Some(member);
    let (numbers, mut outer) = source();
    let members = futures::StreamExt::map(numbers, move |_| {
        let member: Boxed<u64> = Box::pin(member.take().expect("there is one"));
        member
    });
    outer.send(0);
    outer.panic();
    outer.end();
    let mut joined = make(2, Box::pin(members));
    let mut panics = 0;
    let mut next = || {
        let polled = caught(|| poll(&mut joined));
        polled.or_else(|_| {
            panics += 1;
            caught(|| poll(&mut joined))
        })
    };
    remote.send(1);
    expect("item", next()?, Poll::Ready(Some(1)))?;
    remote.send(2);
    expect("item", next()?, Poll::Ready(Some(2)))?;
    remote.end();
    expect("end", next()?, Poll::Ready(None))?;
    expect("panics", panics, 1)
}

/// Three members that are always ready.
fn fairness(make: Make) -> Verdict {
    let ready = |id| -> Boxed<u64> { Box::pin(stream::repeat(id)) };
    let mut joined = make(3, Box::pin(stream::iter((0..3).map(ready))));
    let mut last = [None; 3];
    let mut longest = 0;
    for at in 0..30_000 {
        let Poll::Ready(Some(id)) = poll(&mut joined) else {
            return Err("no item comes".into());
        };
        if let Some(last) = last[id as usize].replace(at) {
            longest = longest.max(at - last - 1);
        }
    }
    // They are still there at the end.
    let late = last
        .iter()
        .any(|last| last.is_none_or(|at| at + 17 < 30_000));
    match longest {
        0..=16 if !late => Ok(()),
        items => Err(format!(
            "a member waits for {items} items of the others or more"
        )),
    }
}

/// Two hundred members that are ready as long as the task has budget, as busy receivers of tokio.
fn budget(make: Make) -> Verdict {
    const MEMBERS: u64 = 200;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let busy = |id| -> Boxed<u64> {
        Box::pin(stream::poll_fn(move |cx| {
            let proceed = std::pin::pin!(tokio::task::coop::consume_budget());
            proceed.poll(cx).map(|()| Some(id))
        }))
    };
    let mut joined = make(200, Box::pin(stream::iter((0..MEMBERS).map(busy))));
    let mut items = [0; MEMBERS as usize];
    runtime.block_on(async {
        for _ in 0..40 * MEMBERS {
            let id = poll_fn(|cx| joined.as_mut().poll_next(cx)).await;
            items[id.expect("members have no end") as usize] += 1;
        }
    });
    match items.iter().filter(|items| **items < 20).count() {
        0 => Ok(()),
        starved => Err(format!(
            "{starved} of 200 members yield less than half of their share"
        )),
    }
}

#[test]
fn ours_keep_to_the_limit_and_are_fair() {
    for (name, make) in SUBJECTS {
        let run = |probe, run: fn(Make) -> Verdict| {
            report(name, *name == OURS, probe, || run(*make));
        };
        run("limit", limit);
        run("dropped", dropped);
        run("zero", zero);
        run("panic", panic);
        run("panic_of_source", panic_of_source);
        run("fairness", fairness);
        run("budget", budget);
    }
}
