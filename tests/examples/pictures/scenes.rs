//! One function for each picture.

use super::Picture;
use aiter_core::{
    RateLimit, active, aiter_forker, aiter_forker_with, azip, batch, batch_within,
    bound::{Seen, latest, skip, unbounded, wait},
    debounce, gated_aiter, iter_to_aiter, join_aiters, join_aiters_keyed, join_aiters_limited,
    map_workers, map_workers_by, map_workers_ordered, preload, push_aiter, push_aiter_bounded,
    push_hub, rate_limit, sharable_aiter, split_by, stoppable_aiter, switch_aiter,
};
use aiter_test::{Executor, Line, Played, Recorded, Sleep, VirtualTime, marbles};
use futures_core::Stream;
use futures_lite::{StreamExt, stream};
use std::time::Duration;

pub(crate) fn all() -> Vec<Picture> {
    vec![
        fork(),
        passive(),
        fork_wait(),
        fork_skip(),
        replay(),
        hub_latest(),
        share(),
        gate(),
        ahead(),
        eager(),
        pushed(),
        pushed_bounded(),
        join(),
        join_keyed(),
        join_limited(),
        zip(),
        stop(),
        workers(),
        workers_ordered(),
        workers_by(),
        split(),
        batches(),
        batches_within(),
        quiet(),
        limited(),
        switch(),
    ]
}

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A consumer that is busy for some time after each item.
fn busy<S: Stream + Unpin>(n: u64, time: VirtualTime, source: S) -> impl Stream<Item = S::Item> {
    stream::unfold((source, None), move |(mut source, pause)| {
        let time = time.clone();
        async move {
            if let Some(pause) = pause {
                pause.await;
            }
            let item = source.next().await?;
            Some((item, (source, Some(time.sleep(ms(n))))))
        }
    })
}

/// A consumer that asks for an item at each tick.
fn at<S: Stream + Unpin>(ticks: Played<'_>, source: S) -> impl Stream<Item = S::Item> {
    stream::unfold((ticks, source), |(mut ticks, mut source)| async {
        ticks.next().await?;
        Some((source.next().await?, (ticks, source)))
    })
}

fn fork() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let source = marbles("a-b-c-d-|");
    let mut forks = aiter_forker(source.play(&time));
    let other = forks.fork();
    let first = executor.record("first", forks);
    let second = executor.record("second, busy", busy(3, time, other));
    executor.run();
    Picture {
        name: "fork",
        title: "Forks of a stream",
        description: "Each fork sees each item, in the order of the source. The slow one holds up \
            nobody and loses nothing.",
        lines: vec![
            source.line("source"),
            Line::operator("aiter_forker(source), fork()"),
            first.line(),
            second.line(),
        ],
    }
}

fn passive() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let source = marbles("(abc)|");
    let mut forks = aiter_forker(source.play(&time));
    let passive = forks.fork_passive();
    let active = executor.record("active, busy", busy(2, time, forks));
    let passive = executor.record("passive", passive);
    executor.run();
    Picture {
        name: "fork_passive",
        title: "A passive fork",
        description: "The active fork pulls an item when it has time. The passive fork never pulls, \
            and sees what the active one has pulled.",
        lines: vec![
            source.line("source"),
            Line::operator("fork_passive()"),
            active.line(),
            passive.line(),
        ],
    }
}

fn fork_wait() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let source = marbles("abcde|");
    let mut forks = aiter_forker_with(wait(2), source.play(&time));
    let other = forks.fork();
    let fast = executor.record("fast", forks);
    let slow = executor.record("slow", busy(3, time, other));
    executor.run();
    Picture {
        name: "fork_wait",
        title: "Forks that wait for each other",
        description: "The fast fork runs at most two items ahead of the slow one, then it waits. \
            Nobody loses an item.",
        lines: vec![
            source.line("source"),
            Line::operator("aiter_forker_with(wait(2), source)"),
            fast.line(),
            slow.line(),
        ],
    }
}

/// Writes an item, and how many were missed before it.
fn with_missed(seen: Seen<&str>) -> String {
    match seen {
        Seen { missed: 0, item } => item.to_owned(),
        Seen { missed, item } => format!("{missed} missed, {item}"),
    }
}

fn fork_skip() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let source = marbles("abcdef|");
    let mut forks = aiter_forker_with(skip(1), source.play(&time));
    let other = forks.fork();
    let fast = executor.record("fast", forks.map(with_missed));
    let slow = executor.record("slow", busy(3, time, other.map(with_missed)));
    executor.run();
    Picture {
        name: "fork_skip",
        title: "Forks that skip",
        description: "The slow fork holds up nobody: of the items that wait for it only the newest \
            is kept, and it is told how many it missed.",
        lines: vec![
            source.line("source"),
            Line::operator("aiter_forker_with(skip(1), source)"),
            fast.line(),
            slow.line(),
        ],
    }
}

fn replay() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let source = marbles("a-b-c---d-|");
    let forks = aiter_forker_with(unbounded().retain(2), source.play(&time));
    let hub = forks.hub();
    let first = executor.record("first", forks);
    executor.run_for(ms(5));
    let subscribed = executor.record("subscribe()", hub.subscribe());
    let replayed = executor.record("replay()", hub.replay());
    executor.run();
    Picture {
        name: "retain",
        title: "Readers that come late",
        description: "Two items are retained. A reader that comes late with replay gets them at \
            once; one that subscribes begins with the next item.",
        lines: vec![
            source.line("source"),
            Line::operator("aiter_forker_with(unbounded().retain(2), source)"),
            first.line(),
            subscribed.line(),
            replayed.line(),
        ],
    }
}

fn hub_latest() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let pushed = marbles("a-b--c-d-|");
    let hub = push_hub(latest());
    let early = executor.record("early", hub.subscribe().map(with_missed));
    let readers = hub.clone();
    let mut items = pushed.play(&time);
    executor.spawn("pushes", async move {
        while let Some(item) = items.next().await {
            hub.push(item).expect("the hub is not stopped");
        }
        hub.stop();
    });
    executor.run_for(ms(3));
    let late = executor.record("late", readers.replay().map(with_missed));
    executor.run();
    Picture {
        name: "push_hub",
        title: "A hub with the latest item",
        description: "Readers come and go. One that comes late gets the latest item at once, then \
            each new one.",
        lines: vec![
            pushed.line("pushed"),
            Line::operator("push_hub(latest())"),
            early.line(),
            late.line(),
        ],
    }
}

fn share() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let source = marbles("abcdef|");
    let first = sharable_aiter(source.play(&time));
    let second = first.clone();
    let first = executor.record("first", busy(2, time.clone(), first));
    let second = executor.record("second", busy(3, time, second));
    executor.run();
    Picture {
        name: "share",
        title: "Takers of a shared stream",
        description: "Each item goes to one taker, the first one that has time.",
        lines: vec![
            source.line("source"),
            Line::operator("sharable_aiter(source)"),
            first.line(),
            second.line(),
        ],
    }
}

fn gate() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let source = marbles("abcd|");
    let permits = marbles("--'push(2)'---'push(1)'--'open()'");
    let (gated, gate) = gated_aiter(source.play(&time));
    let through = executor.record("gated", gated);
    let mut steps = permits.play(&time);
    executor.spawn("gate", async move {
        while let Some(step) = steps.next().await {
            match step {
                "open()" => drop(gate.open()),
                "push(1)" => gate.push(1),
                _ => gate.push(2),
            }
        }
    });
    executor.run_for(ms(20));
    Picture {
        name: "gate",
        title: "A gate",
        description: "Each permit lets one item through. While the gate is open, all go through.",
        lines: vec![
            source.line("source"),
            permits.line("gate"),
            Line::operator("gated_aiter(source)"),
            through.line(),
        ],
    }
}

/// A source that takes two milliseconds for each item, from when it is asked.
fn fetched(time: &VirtualTime) -> impl Stream<Item = &'static str> + 'static {
    let time = time.clone();
    let fetch = move |item| {
        let fetch = time.sleep(ms(2));
        async move {
            fetch.await;
            item
        }
    };
    iter_to_aiter(["a", "b", "c"]).then(fetch)
}

fn ahead() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let asked = marbles("-------?-?-?--?");
    let plain = at(asked.play(&time), Box::pin(fetched(&time)));
    let plain = executor.record("as it is", plain);
    let (loaded, driver) = preload(2, fetched(&time));
    executor.spawn("driver", driver);
    let loaded = executor.record("preloaded", at(asked.play(&time), loaded));
    executor.run();
    Picture {
        name: "preload",
        title: "Items that are loaded ahead",
        description: "The source takes two milliseconds for each item. A driver loads two items \
            before anybody asks, so the first two come at once.",
        lines: vec![
            asked.line("asked"),
            plain.line(),
            Line::operator("preload(2, source)"),
            loaded.line(),
        ],
    }
}

fn eager() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let asked = marbles("-------(????)");
    let plain = at(asked.play(&time), Box::pin(fetched(&time)));
    let plain = executor.record("as it is", plain);
    let (list, driver) = active(fetched(&time));
    executor.spawn("driver", driver);
    let list = executor.record("active", at(asked.play(&time), list));
    executor.run();
    Picture {
        name: "active",
        title: "A source that is driven",
        description: "The source takes two milliseconds for each item. A driver takes them as they \
            come, so all are there when the consumer asks.",
        lines: vec![
            asked.line("asked"),
            plain.line(),
            Line::operator("active(source)"),
            list.line(),
        ],
    }
}

fn pushed() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let pushed = marbles("a-(bc)--d-'stop()'");
    let (pusher, list) = push_aiter();
    let late = pusher.clone();
    let first = executor.record("list", list);
    let mut steps = pushed.play(&time);
    executor.spawn("pusher", async move {
        while let Some(step) = steps.next().await {
            if step == "stop()" {
                pusher.stop();
            } else {
                pusher.push(step).expect("the list is not stopped");
            }
        }
    });
    executor.run_for(ms(3));
    let late = executor.record("subscribe()", late.subscribe());
    executor.run_for(ms(10));
    Picture {
        name: "push",
        title: "A list to push to",
        description: "A push never waits. Each item goes to the list, and to those who have \
            subscribed before it. The stop ends them.",
        lines: vec![
            pushed.line("pusher"),
            Line::operator("push_aiter()"),
            first.line(),
            late.line(),
        ],
    }
}

fn pushed_bounded() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let source = marbles("(abcd)|");
    let (pusher, list) = push_aiter_bounded(2);
    let pushes = stream::unfold((source.play(&time), pusher), |(mut source, pusher)| async {
        let item = source.next().await?;
        pusher.push(item).await.expect("the list is read");
        Some((item, (source, pusher)))
    });
    let pushes = executor.record("pushed", pushes);
    let taken = executor.record("taken", at(marbles("--?-?-?-?-?").play(&time), list));
    executor.run();
    Picture {
        name: "push_bounded",
        title: "A list with a limit",
        description: "At most two items wait for the consumer. A push waits until there is room.",
        lines: vec![
            source.line("to push"),
            pushes.line(),
            Line::operator("push_aiter_bounded(2)"),
            taken.line(),
        ],
    }
}

fn join() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let sources = [marbles("a--b-c|"), marbles("-x-y----z|")];
    let played = sources.each_ref().map(|source| source.play(&time));
    let joined = executor.record("joined", join_aiters(iter_to_aiter(played)));
    executor.run();
    Picture {
        name: "join",
        title: "Streams that are joined",
        description: "Items come as they are ready, fairly, and the end comes with the last end.",
        lines: vec![
            sources[0].line("first"),
            sources[1].line("second"),
            Line::operator("join_aiters([first, second])"),
            joined.line(),
        ],
    }
}

fn join_keyed() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let sources = [marbles("a--b-|"), marbles("-a---b|")];
    let [x, y] = sources.each_ref().map(|source| source.play(&time));
    let joined = join_aiters_keyed(iter_to_aiter([("x", x), ("y", y)]));
    // The end of a stream is an item too.
    let named = joined.map(|(key, item)| format!("{key}: {}", item.unwrap_or("end")));
    let joined = executor.record("joined", named);
    executor.run();
    Picture {
        name: "join_keyed",
        title: "Streams that are joined, with their keys",
        description: "Each item comes with the key of its stream, and so does the end of each.",
        lines: vec![
            sources[0].line("x"),
            sources[1].line("y"),
            Line::operator("join_aiters_keyed([x, y])"),
            joined.line(),
        ],
    }
}

fn join_limited() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    // Each stream begins when it joins.
    let names = iter_to_aiter(["x", "y", "z"]);
    let played = time.clone();
    let streams = names.map(move |name| {
        let member = match name {
            "x" => "'x1'-'x2'|",
            "y" => "-'y1'--'y2'|",
            _ => "'z1'-'z2'|",
        };
        marbles(member).play(&played)
    });
    let joined = executor.record("joined", join_aiters_limited(2, streams));
    executor.run();
    Picture {
        name: "join_limited",
        title: "At most two streams at once",
        description: "The third stream joins when one of the first two has ended.",
        lines: vec![
            marbles("(xyz|)").line("streams"),
            Line::operator("join_aiters_limited(2, streams)"),
            joined.line(),
        ],
    }
}

fn zip() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let (left, right) = (marbles("a--b--c|"), marbles("-1-2-|"));
    let pairs = azip((left.play(&time), right.play(&time)));
    let pairs = executor.record("pairs", pairs.map(|(left, right)| format!("{left}{right}")));
    executor.run();
    Picture {
        name: "azip",
        title: "Streams side by side",
        description: "An item of each makes a pair. The first end is the end of all.",
        lines: vec![
            left.line("left"),
            right.line("right"),
            Line::operator("azip((left, right))"),
            pairs.line(),
        ],
    }
}

fn stop() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let (source, stops) = (marbles("a-b-c-d-e-|"), marbles("-----'stop()'"));
    let (stoppable, stopper) = stoppable_aiter(source.play(&time));
    let stopped = executor.record("stoppable", stoppable);
    let mut steps = stops.play(&time);
    executor.spawn("stopper", async move {
        steps.next().await;
        stopper.stop();
    });
    executor.run();
    Picture {
        name: "stop",
        title: "A stream that is stopped",
        description: "The stop ends the stream at once, also while its consumer waits.",
        lines: vec![
            source.line("source"),
            stops.line("stopper"),
            Line::operator("stoppable_aiter(source)"),
            stopped.line(),
        ],
    }
}

/// Work that takes as many milliseconds as the number in front of the item says.
fn work<'a>(time: &VirtualTime) -> impl Fn(&'a str) -> WorkFuture<'a> + 'static {
    let time = time.clone();
    move |item| {
        let duration = item.chars().next().and_then(|digit| digit.to_digit(10));
        let sleep = time.sleep(ms(duration.unwrap_or(1).into()));
        Box::pin(async move {
            sleep.await;
            item
        })
    }
}

type WorkFuture<'a> = std::pin::Pin<Box<dyn Future<Output = &'a str> + 'a>>;

fn workers() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let source = marbles("('5a''2b''3c')|");
    let results = map_workers(2, work(&time), source.play(&time));
    let results = executor.record("results", results);
    executor.run();
    Picture {
        name: "map_workers",
        title: "Work on two items at once",
        description: "The number of an item is how long its work takes. Results come as they are \
            ready, and work on the third item starts when one of the first two is done.",
        lines: vec![
            source.line("source"),
            Line::operator("map_workers(2, work, source)"),
            results.line(),
        ],
    }
}

fn workers_ordered() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let source = marbles("('5a''2b''3c')|");
    let results = map_workers_ordered(2, work(&time), source.play(&time));
    let results = executor.record("results", results);
    executor.run();
    Picture {
        name: "map_workers_ordered",
        title: "Work on two items at once, results in order",
        description: "The number of an item is how long its work takes. Results come in the order \
            of the source.",
        lines: vec![
            source.line("source"),
            Line::operator("map_workers_ordered(2, work, source)"),
            results.line(),
        ],
    }
}

fn workers_by() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let source = marbles("('5a''2a''3b')|");
    let key = |item: &&str| item.chars().last();
    let results = map_workers_by(3, key, work(&time), source.play(&time));
    let results = executor.record("results", results);
    executor.run();
    Picture {
        name: "map_workers_by",
        title: "Work in order for each key",
        description: "The number of an item is how long its work takes, and its letter is its key. \
            Work on equal keys is done one after the other, on other keys at the same time.",
        lines: vec![
            source.line("source"),
            Line::operator("map_workers_by(3, letter, work, source)"),
            results.line(),
        ],
    }
}

fn split() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let source = marbles("'a1'-'b1'-'a2'-'a3'-'b2'-|");
    let key = |item: &&str| item.chars().next().unwrap();
    // What the outer stream yields is recorded here, and the parts from out there.
    let (parts, mut new_parts) = push_aiter();
    let outer = split_by(4, key, source.play(&time)).map(move |(key, part)| {
        parts.push((key, part)).expect("the list of parts is read");
        key
    });
    let keys = executor.record("keys", outer);
    let mut lines = vec![
        source.line("source"),
        Line::operator("split_by(4, letter, source)"),
    ];
    let mut recorded = Vec::new();
    for _ in 0..3 {
        executor.run_until_stalled();
        while let Ok((key, part)) = new_parts.try_next() {
            recorded.push(executor.record(format!("part {key}"), part));
        }
        executor.run_for(ms(1));
    }
    executor.run();
    lines.push(keys.line());
    lines.extend(recorded.iter().map(Recorded::line));
    Picture {
        name: "split_by",
        title: "A stream that is split by key",
        description: "The first item of a key makes a part, which has all items of that key.",
        lines,
    }
}

fn batches() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let source = marbles("(abc)-d--ef|");
    let batches = batch(2, source.play(&time)).map(|batch| batch.concat());
    let batches = executor.record("batches", busy(3, time, batches));
    executor.run();
    Picture {
        name: "batch",
        title: "Batches of what is ready",
        description: "Each time the consumer asks, it gets the items that are there, at most two. \
            It is busy for three milliseconds after each batch.",
        lines: vec![
            source.line("source"),
            Line::operator("batch(2, source)"),
            batches.line(),
        ],
    }
}

fn batches_within() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let source = marbles("-ab----c-de---f|");
    let batches = batch_within(3, ms(4), time.clone(), source.play(&time));
    let batches = executor.record("batches", batches.map(|batch| batch.concat()));
    executor.run();
    Picture {
        name: "batch_within",
        title: "Batches within some time",
        description: "A batch is given when it has three items, or four milliseconds after its \
            first one. The end gives the last batch at once.",
        lines: vec![
            source.line("source"),
            Line::operator("batch_within(3, 4 ms, timer, source)"),
            batches.line(),
        ],
    }
}

fn quiet() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let source = marbles("a-b-----c-d|");
    let shown = debounce(ms(3), time.clone(), source.play(&time));
    let shown = executor.record("debounced", shown);
    executor.run();
    Picture {
        name: "debounce",
        title: "The newest item after some quiet",
        description: "An item is yielded after three milliseconds without a newer one. The last \
            item comes with the end.",
        lines: vec![
            source.line("source"),
            Line::operator("debounce(3 ms, timer, source)"),
            shown.line(),
        ],
    }
}

fn limited() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let source = marbles("(abcd)-----------(ef)|");
    let limit = RateLimit::new(1, ms(3)).burst(2);
    let limited = rate_limit(limit, time.clone(), source.play(&time));
    let limited = executor.record("limited", limited);
    executor.run();
    Picture {
        name: "rate_limit",
        title: "A limited rate",
        description: "Two items go through at once, then one every three milliseconds; no item is \
            lost. After a pause, two may go at once again.",
        lines: vec![
            source.line("source"),
            Line::operator("rate_limit(1 in 3 ms, burst 2, source)"),
            limited.line(),
        ],
    }
}

fn switch() -> Picture {
    let mut executor = Executor::new();
    let time = executor.time();
    let outer = marbles("x----y----|");
    let played = time.clone();
    let streams = outer.play(&time).map(move |name| {
        let member = match name {
            "x" => "'x1'--'x2'--'x3'--|",
            _ => "'y1'--'y2'--'y3'|",
        };
        marbles(member).play(&played)
    });
    let switched = executor.record("newest", switch_aiter(streams));
    executor.run();
    Picture {
        name: "switch",
        title: "The newest of many streams",
        description: "The items are those of stream x, until stream y comes and takes its place. \
            The newest stream goes on after the end of the outer one.",
        lines: vec![
            outer.line("streams"),
            Line::operator("switch_aiter(streams)"),
            switched.line(),
        ],
    }
}
