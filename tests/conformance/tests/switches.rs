//! Switches to the newest of several streams, ours and those of published crates, at their edges.
//! Ours have to pass each probe; what the others do is printed (`cargo test --release --test
//! switches -- --nocapture`).

use aiter_conformance::{
    Feed,
    edges::{Alive, Boxed, Task, Verdict, caught, expect, report},
    source::{Remote, source},
};
use aiter_core::switch_aiter;
use futures::stream;
use std::task::Poll;

type Make = fn(Boxed<Boxed<u64>>) -> Boxed<u64>;

const OURS: &str = "aiter_core::switch_aiter";

const SUBJECTS: &[(&str, Make)] = &[
    (OURS, |members| Box::pin(switch_aiter(members))),
    #[cfg(feature = "async-rx")]
    ("async_rx switch", |members| {
        let members = futures::StreamExt::fuse(members);
        Box::pin(async_rx::StreamExt::switch(members))
    }),
    #[cfg(feature = "futures-rx")]
    ("futures_rx switch_map", |members| {
        Box::pin(futures_rx::RxExt::switch_map(members, |member| member))
    }),
    #[cfg(feature = "streamtools")]
    ("streamtools flatten_switch", |members| {
        Box::pin(streamtools::StreamTools::flatten_switch(members))
    }),
];

/// Three members, which come when the outer remote sends their numbers.
struct Members {
    newest: Boxed<u64>,
    outer: Remote,
    remotes: Vec<Remote>,
    alive: Alive,
    task: Task,
}

fn members(make: Make) -> Members {
    let (sources, remotes): (Vec<_>, _) = (0..3).map(|_| source()).unzip();
    let mut sources: Vec<_> = sources.into_iter().map(Some).collect();
    let (numbers, outer) = source();
    let alive = Alive::default();
    let counted = alive.clone();
    let outer_stream = futures::StreamExt::map(numbers, move |number| {
        let source = sources[number as usize].take().expect("each comes once");
        let member: Boxed<u64> = Box::pin(counted.stream(source));
        member
    });
    Members {
        newest: make(Box::pin(outer_stream)),
        outer,
        remotes,
        alive,
        task: Task::default(),
    }
}

impl Members {
    fn poll(&mut self) -> Poll<Option<u64>> {
        self.task.poll(&mut self.newest)
    }
}

/// Three members are there, with an item each.
fn newest(make: Make) -> Verdict {
    let mut all = members(make);
    for number in 0..3 {
        all.outer.send(number);
        all.remotes[number as usize].send(number);
    }
    expect("first item", all.poll(), Poll::Ready(Some(2)))?;
    expect("alive", all.alive.count(), 1)
}

/// A member has nothing yet when the next one comes.
fn woken(make: Make) -> Verdict {
    let mut all = members(make);
    all.outer.send(0);
    expect("poll", all.poll(), Poll::Pending)?;
    all.outer.send(1);
    all.remotes[1].send(1);
    expect("woken for the next member", all.task.is_woken(), true)?;
    expect("item", all.poll(), Poll::Ready(Some(1)))
}

/// The outer stream ends before its last member.
fn last(make: Make) -> Verdict {
    let mut all = members(make);
    all.outer.send(0);
    expect("poll", all.poll(), Poll::Pending)?;
    all.outer.end();
    expect("after the outer stream", all.poll(), Poll::Pending)?;
    all.remotes[0].send(1);
    all.remotes[0].end();
    expect("item", all.poll(), Poll::Ready(Some(1)))?;
    expect("end", all.poll(), Poll::Ready(None))
}

/// A member ends while the outer stream goes on.
fn ended(make: Make) -> Verdict {
    let mut all = members(make);
    all.outer.send(0);
    all.remotes[0].end();
    expect("between members", all.poll(), Poll::Pending)?;
    expect("alive after the end", all.alive.count(), 0)?;
    all.outer.send(1);
    all.remotes[1].send(1);
    expect("item", all.poll(), Poll::Ready(Some(1)))
}

/// A member panics, and the caller catches it and asks again.
fn panic(make: Make) -> Verdict {
    let mut all = members(make);
    all.outer.send(0);
    all.remotes[0].panic();
    if caught(|| all.poll()).is_ok() {
        return Err("the panic does not come".into());
    }
    expect("alive after the panic", all.alive.count(), 0)?;
    all.outer.send(1);
    all.remotes[1].send(1);
    expect("item", all.poll(), Poll::Ready(Some(1)))
}

/// A new member comes whenever the outer stream is polled.
fn endless(make: Make) -> Verdict {
    let mut made = 0;
    let outer = stream::poll_fn(move |_| {
        made += 1;
        assert!(made < 10_000_000, "it takes members for ever");
        let member: Boxed<u64> = Box::pin(stream::pending());
        Poll::Ready(Some(member))
    });
    let mut newest = make(Box::pin(outer));
    let task = Task::default();
    expect("poll", task.poll(&mut newest), Poll::Pending)?;
    expect("woken", task.is_woken(), true)
}

#[test]
fn ours_follow_the_newest_member() {
    for (name, make) in SUBJECTS {
        let run = |probe, run: fn(Make) -> Verdict| {
            report(name, *name == OURS, probe, || run(*make));
        };
        run("newest", newest);
        run("woken", woken);
        run("last", last);
        run("ended", ended);
        run("panic", panic);
        run("endless", endless);
    }
}
