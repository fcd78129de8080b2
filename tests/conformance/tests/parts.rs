//! A stream for each key, ours and the usual answer made by hand, a map of bounded channels, at
//! their edges. Ours has to pass each probe; what the other does is printed (`cargo test --release
//! --test parts -- --nocapture`).

use aiter_conformance::{
    Feed,
    edges::{Alive, Boxed, Task, Verdict, caught, expect, poll, report},
    held_bytes,
    source::source,
};
use aiter_core::split_by;
use futures::StreamExt;
use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex},
    task::Poll,
};
use tokio::{
    sync::mpsc::{self, error::SendError},
    task::yield_now,
};

/// Splits a stream into parts, in which up to so many items wait.
type Make = fn(usize, Items) -> Boxed<(u64, Boxed<u64>)>;
type Items = Pin<Box<dyn futures::Stream<Item = u64> + Send>>;

const OURS: &str = "aiter_core::split_by";

const SUBJECTS: &[(&str, Make)] = &[
    (OURS, |n, items| {
        let parts = split_by(n, key, items);
        Box::pin(parts.map(|(key, part)| -> (u64, Boxed<u64>) { (key, Box::pin(part)) }))
    }),
    ("a map of bounded channels", by_hand),
];

/// Items 101, 102… have the key 1.
fn key(item: &u64) -> u64 {
    item / 100
}

/// A task sends each item to the channel of its key. An item that comes back, because its part was
/// dropped, makes a new part.
fn by_hand(n: usize, mut items: Items) -> Boxed<(u64, Boxed<u64>)> {
    let (parts, taken) = mpsc::channel(n);
    tokio::spawn(async move {
        let mut senders = HashMap::<u64, mpsc::Sender<u64>>::new();
        while let Some(mut item) = items.next().await {
            let key = key(&item);
            if let Some(sender) = senders.get(&key) {
                match sender.send(item).await {
                    Ok(()) => continue,
                    Err(SendError(back)) => item = back,
                }
            }
            let (sender, part) = mpsc::channel(n);
            sender.try_send(item).expect("a new channel has room");
            match parts.send((key, part)).await {
                Ok(()) => senders.insert(key, sender),
                // Nobody takes new parts any more.
                Err(_) => senders.remove(&key),
            };
        }
    });
    Box::pin(
        received(taken).map(|(key, part)| -> (u64, Boxed<u64>) { (key, Box::pin(received(part))) }),
    )
}

fn received<T>(mut receiver: mpsc::Receiver<T>) -> impl futures::Stream<Item = T> {
    futures::stream::poll_fn(move |cx| receiver.poll_recv(cx))
}

/// Lets other tasks run until they have nothing to do.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

/// Takes what a stream has, or gets soon.
async fn next<T>(stream: &mut Boxed<T>) -> Poll<Option<T>> {
    for _ in 0..20 {
        let polled = poll(stream);
        if polled.is_ready() {
            return polled;
        }
        yield_now().await;
    }
    Poll::Pending
}

/// Takes the part of a key.
async fn part(parts: &mut Boxed<(u64, Boxed<u64>)>, key: u64) -> Result<Boxed<u64>, String> {
    match next(parts).await {
        Poll::Ready(Some((found, part))) if found == key => Ok(part),
        Poll::Ready(Some((found, _))) => Err(format!("part {found} in place of {key}")),
        Poll::Ready(None) => Err(format!("the end in place of part {key}")),
        Poll::Pending => Err(format!("part {key} does not come")),
    }
}

/// A part is dropped, and one more item of its key comes.
async fn dropped(make: Make) -> Verdict {
    let (items, mut remote) = source();
    let mut parts = make(4, Box::pin(items));
    remote.send(101);
    drop(part(&mut parts, 1).await?);
    settle().await;
    remote.send(102);
    let mut again = part(&mut parts, 1).await?;
    expect("item", next(&mut again).await, Poll::Ready(Some(102)))
}

/// A part is dropped when it is full, one more item for it is in hand, and another key is next.
async fn dropped_full(make: Make) -> Verdict {
    let (items, mut remote) = source();
    let mut parts = make(1, Box::pin(items));
    [101, 102, 201]
        .into_iter()
        .for_each(|item| remote.send(item));
    let full = part(&mut parts, 1).await?;
    expect("parts", next(&mut parts).await.is_pending(), true)?;
    drop(full);
    let mut again = part(&mut parts, 1).await?;
    let mut other = part(&mut parts, 2).await?;
    expect("item", next(&mut again).await, Poll::Ready(Some(102)))?;
    expect("item", next(&mut other).await, Poll::Ready(Some(201)))
}

/// All items are of one part, which nobody polls.
async fn full(make: Make) -> Verdict {
    let taken = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&taken);
    let items = futures::stream::iter(101..200).inspect(move |_| *counted.lock().unwrap() += 1);
    let mut parts = make(4, Box::pin(items));
    let mut first = part(&mut parts, 1).await?;
    expect("parts", next(&mut parts).await.is_pending(), true)?;
    expect("items taken", *taken.lock().unwrap(), 5)?;
    // There is room for one more.
    expect("item", next(&mut first).await, Poll::Ready(Some(101)))?;
    expect("parts", next(&mut parts).await.is_pending(), true)?;
    expect("items taken", *taken.lock().unwrap(), 6)
}

/// Of two tasks that wait for their parts, the one that was polled last is never polled again.
async fn left(make: Make) -> Verdict {
    let (items, mut remote) = source();
    let mut parts = make(4, Box::pin(items));
    [101, 201].into_iter().for_each(|item| remote.send(item));
    let mut first = part(&mut parts, 1).await?;
    let mut second = part(&mut parts, 2).await?;
    expect("item", next(&mut first).await, Poll::Ready(Some(101)))?;
    expect("item", next(&mut second).await, Poll::Ready(Some(201)))?;
    let (task, other) = (Task::default(), Task::default());
    expect("first", task.poll(&mut first), Poll::Pending)?;
    expect("second", other.poll(&mut second), Poll::Pending)?;
    remote.send(102);
    settle().await;
    expect("woken", task.is_woken(), true)?;
    expect("item", task.poll(&mut first), Poll::Ready(Some(102)))
}

/// The source ends when items wait in two parts, one of which nobody took yet.
async fn end(make: Make) -> Verdict {
    let (items, mut remote) = source();
    let mut parts = make(4, Box::pin(items));
    [101, 102].into_iter().for_each(|item| remote.send(item));
    let mut first = part(&mut parts, 1).await?;
    remote.send(201);
    remote.end();
    expect("item", next(&mut first).await, Poll::Ready(Some(101)))?;
    expect("item", next(&mut first).await, Poll::Ready(Some(102)))?;
    expect("end", next(&mut first).await, Poll::Ready(None))?;
    let mut second = part(&mut parts, 2).await?;
    expect("item", next(&mut second).await, Poll::Ready(Some(201)))?;
    expect("end", next(&mut second).await, Poll::Ready(None))?;
    expect(
        "end",
        next(&mut parts).await.map(|part| part.is_none()),
        Poll::Ready(true),
    )
}

/// The source panics when an item waits in each of two parts.
async fn panic(make: Make) -> Verdict {
    let (items, mut remote) = source();
    let mut parts = make(4, Box::pin(items));
    [101, 201, 202]
        .into_iter()
        .for_each(|item| remote.send(item));
    let mut first = part(&mut parts, 1).await?;
    let mut second = part(&mut parts, 2).await?;
    expect("item", next(&mut second).await, Poll::Ready(Some(201)))?;
    remote.panic();
    let mut panics = 0;
    for _ in 0..3 {
        for (stream, item) in [(&mut first, 101), (&mut second, 202)] {
            settle().await;
            match caught(|| poll(stream)) {
                Err(_) => panics += 1,
                Ok(Poll::Ready(Some(found))) => expect("item", found, item)?,
                Ok(Poll::Pending) => return Err("a part waits for ever".into()),
                Ok(Poll::Ready(None)) if panics == 2 => {}
                Ok(Poll::Ready(None)) => return Err("a part takes the panic for the end".into()),
            }
        }
    }
    expect("panics", panics, 2)?;
    expect("outer stream", caught(|| poll(&mut parts)).is_err(), true)
}

/// The outer stream is dropped, an item of a new key comes, and one for a part.
async fn no_more_parts(make: Make) -> Verdict {
    let (items, mut remote) = source();
    let mut parts = make(4, Box::pin(items));
    remote.send(101);
    let mut first = part(&mut parts, 1).await?;
    drop(parts);
    [201, 102].into_iter().for_each(|item| remote.send(item));
    expect("item", next(&mut first).await, Poll::Ready(Some(101)))?;
    expect("item", next(&mut first).await, Poll::Ready(Some(102)))
}

/// All parts and the outer stream are dropped while the source has nothing.
async fn all_dropped(make: Make) -> Verdict {
    let (items, mut remote) = source();
    let alive = Alive::default();
    let mut parts = make(4, Box::pin(alive.stream(items)));
    remote.send(101);
    let first = part(&mut parts, 1).await?;
    settle().await;
    drop((first, parts));
    settle().await;
    expect("sources alive", alive.count(), 0)
}

/// A hundred thousand parts come, and each is dropped.
async fn keys(make: Make) -> Verdict {
    let (items, mut remote) = source();
    let mut parts = make(4, Box::pin(items));
    let before = held_bytes();
    for key in 1..=100_000 {
        remote.send(100 * key);
        drop(part(&mut parts, key).await?);
    }
    let held = held_bytes().saturating_sub(before);
    match held <= 64 * 1024 {
        true => Ok(()),
        false => Err(format!("{held} bytes are held")),
    }
}

#[test]
fn ours_strand_no_part_and_keep_no_key() {
    macro_rules! run {
        ($($probe:ident)*) => {
            for (name, make) in SUBJECTS {
                $(report(name, *name == OURS, stringify!($probe), || {
                    let mut runtime = tokio::runtime::Builder::new_current_thread();
                    runtime.build().unwrap().block_on($probe(*make))
                });)*
            }
        };
    }
    run!(dropped dropped_full full left end panic no_more_parts all_dropped keys);
}
