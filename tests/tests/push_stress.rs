//! The push list on real threads, for as long as a few rounds take: many operations, where the
//! models run a few. Run it under a sanitizer as well.

use aiter_core::{PushAiter, TryNextError, push_aiter};
use futures_lite::{StreamExt, future::block_on};
use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering::*},
    },
    thread,
};

/// An item on the heap that counts itself. A sanitizer notices one that is read too late, the count
/// one that is kept.
#[derive(Debug)]
struct Item {
    value: Box<(usize, usize)>,
    live: Arc<AtomicUsize>,
}

impl Item {
    fn new(pusher: usize, n: usize, live: &Arc<AtomicUsize>) -> Self {
        live.fetch_add(1, Relaxed);
        Self {
            value: Box::new((pusher, n)),
            live: live.clone(),
        }
    }
}

impl Clone for Item {
    fn clone(&self) -> Self {
        Self::new(self.value.0, self.value.1, &self.live)
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Relaxed);
    }
}

/// Fewer rounds and items where each step takes longer.
fn scaled(n: usize) -> usize {
    if cfg!(debug_assertions) { n / 10 } else { n }
}

const BATCH: usize = 70;

#[test]
fn every_fork_sees_every_item_of_every_pusher_in_order() {
    const PUSHERS: usize = 3;
    const FORKS: usize = 3;
    let batches = scaled(400);
    let live = Arc::new(AtomicUsize::new(0));
    let (pusher, mut aiter) = push_aiter();
    let mut forks: Vec<_> = (1..FORKS).map(|_| aiter.fork()).collect();
    forks.push(aiter);
    thread::scope(|scope| {
        for p in 0..PUSHERS {
            let (pusher, live) = (pusher.clone(), &live);
            scope.spawn(move || {
                for n in (0..batches * BATCH).step_by(BATCH) {
                    let items = (n..n + BATCH).map(|n| Item::new(p, n, live));
                    if p == 0 {
                        pusher.push_all(items).unwrap();
                    } else {
                        items.for_each(|item| pusher.push(item).unwrap());
                    }
                }
            });
        }
        drop(pusher);
        for mut fork in forks {
            scope.spawn(move || {
                let mut next = [0; PUSHERS];
                while let Some(item) = block_on(fork.next()) {
                    let (p, n) = *item.value;
                    assert_eq!(next[p], n);
                    // The rest of a batch follows at once.
                    assert!(p == 0 || next[0].is_multiple_of(BATCH));
                    next[p] += 1;
                    if n.is_multiple_of(64) {
                        let seen = fork.available_iter().take(100).count();
                        assert!(fork.is_len_at_least(seen));
                        assert!(
                            fork.available_iter()
                                .all(|item| item.value.1 < batches * BATCH)
                        );
                    }
                }
                assert_eq!(next, [batches * BATCH; PUSHERS]);
            });
        }
    });
    assert_eq!(live.load(Relaxed), 0);
}

#[test]
fn items_accepted_before_a_stop_are_delivered() {
    for round in 0..scaled(1200) {
        let live = Arc::new(AtomicUsize::new(0));
        let (pusher, mut aiter) = push_aiter();
        let start = Barrier::new(3);
        let accepted = thread::scope(|scope| {
            let pushing: Vec<_> = (0..2)
                .map(|p| {
                    let (pusher, live, start) = (pusher.clone(), &live, &start);
                    scope.spawn(move || {
                        start.wait();
                        let mut accepted = 0;
                        loop {
                            let len = 1 + (round + accepted) % 5;
                            let items = (accepted..accepted + len).map(|n| Item::new(p, n, live));
                            let refused = if len < 3 {
                                items.map(|item| pusher.push(item)).find_map(|r| {
                                    accepted += usize::from(r.is_ok());
                                    r.err().map(|stopped| vec![stopped.0])
                                })
                            } else {
                                let result = pusher.push_all(items);
                                accepted += if result.is_ok() { len } else { 0 };
                                result.err().map(|stopped| stopped.0)
                            };
                            if let Some(refused) = refused {
                                assert_eq!(refused[0].value.1, accepted);
                                return accepted;
                            }
                        }
                    })
                })
                .collect();
            start.wait();
            let mut delivered = [0; 2];
            let mut take = |item: Item| {
                assert_eq!(delivered[item.value.0], item.value.1);
                delivered[item.value.0] += 1;
            };
            for _ in 0..round % 130 {
                take(block_on(aiter.next()).unwrap());
            }
            pusher.stop();
            while let Some(item) = block_on(aiter.next()) {
                take(item);
            }
            (
                delivered,
                pushing
                    .into_iter()
                    .map(|t| t.join().unwrap())
                    .collect::<Vec<_>>(),
            )
        });
        assert_eq!(accepted.0[..], accepted.1);
        assert_eq!(aiter.try_next().unwrap_err(), TryNextError::Ended);
        assert_eq!(live.load(Relaxed), 0);
    }
}

#[test]
fn subscribers_come_and_go() {
    let items = scaled(100_000);
    let live = Arc::new(AtomicUsize::new(0));
    let (pusher, mut aiter) = push_aiter::<Item>();
    thread::scope(|scope| {
        for visitor in 0..2 {
            let pusher = pusher.clone();
            scope.spawn(move || {
                for visit in 0.. {
                    let mut late = pusher.subscribe();
                    let mut next = None;
                    let mut fork: Option<PushAiter<Item>> = None;
                    for _ in 0..visit % 150 + visitor {
                        let Some(item) = block_on(late.next()) else {
                            return;
                        };
                        let n = item.value.1;
                        assert_eq!(n, *next.get_or_insert(n));
                        next = Some(n + 1);
                        if n.is_multiple_of(7) {
                            fork = Some(late.fork());
                        }
                        if let Some(Ok(item)) = fork.as_mut().map(PushAiter::try_next) {
                            assert!(item.value.1 <= n + 1);
                        }
                    }
                    if pusher.is_stopped() {
                        return;
                    }
                }
            });
        }
        let live = &live;
        scope.spawn(move || {
            for n in 0..items {
                pusher.push(Item::new(0, n, live)).unwrap();
            }
            // The others have handles too.
            pusher.stop();
        });
        for n in 0..items {
            assert_eq!(block_on(aiter.next()).unwrap().value.1, n);
        }
        assert!(block_on(aiter.next()).is_none());
    });
    // Readers that passed an item at the same time have left it to the block, which the last of
    // them frees.
    drop(aiter);
    assert_eq!(live.load(Relaxed), 0);
}

#[test]
fn nothing_is_kept_when_the_last_reader_is_dropped_while_others_push() {
    for round in 0..scaled(2000) {
        let live = Arc::new(AtomicUsize::new(0));
        let (pusher, mut aiter) = push_aiter();
        let start = Barrier::new(4);
        let pushers = thread::scope(|scope| {
            let pushing: Vec<_> = (0..2)
                .map(|p| {
                    let (pusher, live, start) = (pusher.clone(), &live, &start);
                    scope.spawn(move || {
                        start.wait();
                        for n in (0..).step_by(3) {
                            if pusher.push(Item::new(p, n, live)).is_err() {
                                break;
                            }
                            let two = [1, 2].map(|m| Item::new(p, n + m, live));
                            if pusher.push_all(two).is_err() {
                                break;
                            }
                        }
                        pusher
                    })
                })
                .collect();
            let fork = aiter.fork();
            for (reader, mut aiter) in [(0, aiter), (1, fork)] {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    for _ in 0..(round * (7 + reader)) % 100 {
                        block_on(aiter.next()).unwrap();
                    }
                });
            }
            pushing
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect::<Vec<_>>()
        });
        assert_eq!(live.load(Relaxed), 0, "kept as long as there are pushers");
        assert!(pusher.is_stopped() && pushers.iter().all(|pusher| pusher.is_stopped()));
    }
}

#[test]
fn statistics_stay_within_what_was_pushed() {
    for _ in 0..scaled(400) {
        let (pusher, mut aiter) = push_aiter();
        (0..100).for_each(|n| pusher.push(n).unwrap());
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let (other, done) = (pusher.clone(), &done);
            scope.spawn(move || {
                while !done.load(Relaxed) {
                    let now = other.statistics();
                    // 400 items. A call that is interrupted may count the 100 slots of readers that
                    // subscribe meanwhile.
                    assert!((100..=502).contains(&now.pushed), "{now:?}");
                    assert!(
                        now.taken <= 502 && now.waiting <= 502 && now.lag <= 502,
                        "{now:?}"
                    );
                }
            });
            for n in 0..100 {
                drop(pusher.subscribe());
                pusher.push_all([n, n, n]).unwrap();
                aiter.try_next().unwrap();
            }
            pusher.stop();
            done.store(true, Relaxed);
        });
        assert_eq!(block_on(aiter.count()), 300);
    }
}
