//! [`NextMany`]: takes many items at once.

use super::PushAiter;
use crate::list::Reader;
use alloc::vec::Vec;
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

/// How many items may be taken in one poll although they were not there before.
const MANY: usize = 4096;

/// How many items a consumer with this `limit` takes that has just taken the first one: pushers, or
/// a preflight, may add items for as long as it takes them.
pub(super) fn most<T>(reader: &Reader<T>, limit: usize) -> usize {
    match limit {
        ..=MANY => limit,
        _ => limit.min(MANY.max(reader.lag().saturating_add(1))),
    }
}

/// Appends the items that are there, up to `limit` of them. Returns how many they are.
pub(super) fn append<T>(reader: &mut Reader<T>, buf: &mut Vec<T>, limit: usize) -> usize {
    let mut taken = 0;
    while taken < limit {
        taken += reader.move_run(buf, limit - taken);
        if taken == limit {
            break;
        }
        // The first item of the next run, or one that is cloned.
        let Poll::Ready(Some(item)) = reader.next() else {
            break;
        };
        buf.push(item);
        taken += 1;
    }
    taken
}

/// The future that [`PushAiter::next_many`] returns.
#[must_use = "futures do nothing unless polled"]
pub struct NextMany<'a, T> {
    aiter: &'a mut PushAiter<T>,
    buf: &'a mut Vec<T>,
    limit: usize,
}

impl<T> PushAiter<T> {
    /// Waits for the next item, and appends it to `buf` together with those that are there behind
    /// it, up to `limit` items in all. Use it where items are cheaper to handle in batches: rows
    /// for a database, lines for a file, samples to add up. It is also the fastest way to take
    /// items, because those that no other consumer will read are moved block by block.
    ///
    /// Returns how many items were appended: at least 1, or 0 at the end of the stream. It waits
    /// only for the first item. `buf` keeps what it held before, and grows as items are taken, so a
    /// large `limit` costs nothing.
    ///
    /// Beyond 4096 items, it takes only those that were there when it found the first one. So it
    /// returns also if `limit` is `usize::MAX` and pushers go on without a pause. A
    /// [preflight](super::push_aiter_with) runs as it does for [`try_next`](Self::try_next): before
    /// each item that is requested.
    ///
    /// # Panics
    /// If `limit` is 0. If `T::clone` or a preflight panics: the items that were appended until
    /// then stay in `buf`, and those behind them in the list.
    ///
    /// # Cancel safety
    /// Cancel safe: items are taken only in the poll that completes. A future that is dropped
    /// before has appended nothing.
    ///
    /// # Progress
    /// As polling for the first item, and as [`try_next`](Self::try_next) for the others. A run of
    /// items that are moved costs one copy for each block of 64 (32 where words have 32 bits).
    ///
    /// # Example
    /// A task writes what has come meanwhile with one system call:
    /// ```
    /// use aiter_core::push_aiter;
    /// use futures_lite::future::block_on;
    /// use std::io::Write;
    ///
    /// let (log, mut lines) = push_aiter::<u8>();
    /// std::thread::spawn(move || {
    ///     for line in ["started\n", "listening\n", "stopped\n"] {
    ///         log.push_all(line.bytes()).unwrap();
    ///     }
    /// });
    /// let (mut file, mut buf) = (Vec::new(), Vec::new());
    /// block_on(async {
    ///     while lines.next_many(&mut buf, 4096).await != 0 {
    ///         file.write_all(&buf).unwrap();
    ///         buf.clear();
    ///     }
    /// });
    /// assert_eq!(file, b"started\nlistening\nstopped\n");
    /// ```
    #[track_caller]
    pub fn next_many<'a>(&'a mut self, buf: &'a mut Vec<T>, limit: usize) -> NextMany<'a, T> {
        assert!(limit != 0, "next_many: limit must be at least 1");
        NextMany {
            aiter: self,
            buf,
            limit,
        }
    }
}

impl<T> Future for NextMany<'_, T> {
    type Output = usize;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let Self { aiter, buf, limit } = self.get_mut();
        aiter.poll_many(cx, buf, *limit)
    }
}

impl<T> fmt::Debug for NextMany<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextMany")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::{
        Pusher, TryNextError, push_aiter, push_aiter_with,
        test_support::{Wakes, many, panic_of},
    };
    use alloc::{boxed::Box, sync::Arc, vec};
    use core::{
        sync::atomic::{AtomicUsize, Ordering::SeqCst},
        task::Waker,
    };

    /// Takes what is there, with a waker that does nothing.
    fn take<T>(aiter: &mut PushAiter<T>, buf: &mut Vec<T>, limit: usize) -> Poll<usize> {
        Pin::new(&mut aiter.next_many(buf, limit)).poll(&mut Context::from_waker(Waker::noop()))
    }

    /// All items of the list in takes of up to `limit`, which have to be as large as they can.
    fn take_all<T>(aiter: &mut PushAiter<T>, limit: usize) -> Vec<T> {
        let mut all = Vec::new();
        loop {
            let (there, before) = (aiter.len(), all.len());
            match take(aiter, &mut all, limit) {
                Poll::Pending => return all,
                Poll::Ready(taken) => {
                    assert_eq!(all.len(), before + taken);
                    assert_eq!(taken, there.min(limit));
                    if taken == 0 {
                        assert!(aiter.is_stopped());
                        return all;
                    }
                }
            }
        }
    }

    #[test]
    fn it_takes_what_is_there_up_to_the_limit() {
        for items in [1, 2, 63, 64, 65, 128, 200] {
            for limit in [1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 129, usize::MAX] {
                let (pusher, mut aiter) = push_aiter();
                let mut fork = aiter.fork();
                pusher.push_all((0..items).map(Box::new)).unwrap();
                // Cloned, and then moved.
                for aiter in [&mut aiter, &mut fork] {
                    let taken = take_all(aiter, limit);
                    assert!(taken.iter().map(|item| **item).eq(0..items));
                    assert_eq!(aiter.try_next(), Err(TryNextError::Empty));
                }
                pusher.push(Box::new(7)).unwrap();
                pusher.stop();
                for aiter in [&mut aiter, &mut fork] {
                    assert_eq!(take_all(aiter, limit), [Box::new(7)]);
                    assert_eq!(take(aiter, &mut Vec::new(), limit), Poll::Ready(0));
                }
            }
        }
    }

    #[test]
    fn it_waits_for_the_first_item_only() {
        let (pusher, mut aiter) = push_aiter();
        let (wakes, waker) = Wakes::new();
        let mut cx = Context::from_waker(&waker);
        let mut buf = vec![0];
        {
            let mut dropped = aiter.next_many(&mut buf, 10);
            assert!(Pin::new(&mut dropped).poll(&mut cx).is_pending());
            pusher.push_all(1..=3).unwrap();
            assert_eq!(wakes.count(), 1);
        }
        assert_eq!(buf, [0]);
        let mut future = aiter.next_many(&mut buf, 10);
        assert_eq!(Pin::new(&mut future).poll(&mut cx), Poll::Ready(3));
        assert!(Pin::new(&mut future).poll(&mut cx).is_pending());
        drop(pusher);
        assert_eq!(wakes.count(), 2);
        assert_eq!(Pin::new(&mut future).poll(&mut cx), Poll::Ready(0));
        assert_eq!(buf, [0, 1, 2, 3]);
        drop(aiter);
        assert_eq!(Arc::strong_count(&wakes), 2, "no waker is kept");
    }

    #[test]
    fn it_takes_turns_with_other_ways_to_take() {
        let (pusher, mut aiter) = push_aiter();
        let (mut pushed, mut next, mut buf) = (0, 0, Vec::new());
        for n in 0..many(3_000) as usize {
            pusher.push_all(pushed..pushed + n % 100).unwrap();
            // A subscriber reserves a slot that never holds an item.
            let late = (n % 7 == 0).then(|| pusher.subscribe());
            pushed += n % 100;
            if let Ok(item) = aiter.try_next() {
                buf.push(item);
            }
            let _ = take(&mut aiter, &mut buf, 1 + n % 90);
            let fork = (n % 5 == 0).then(|| aiter.fork());
            let _ = take(&mut aiter, &mut buf, 1 + n % 11);
            drop((late, fork));
            let end = next + buf.len();
            assert!(buf.drain(..).eq(next..end));
            next = end;
        }
        buf = take_all(&mut aiter, 64);
        assert!(buf.into_iter().eq(next..pushed));
    }

    #[test]
    fn each_item_is_dropped_once() {
        for (taken, forked) in [(1, false), (10, false), (64, false), (70, true), (10, true)] {
            let item = Arc::new(());
            let (pusher, mut aiter) = push_aiter();
            pusher.push_all([(); 200].map(|()| item.clone())).unwrap();
            let mut buf = Vec::new();
            assert_eq!(take(&mut aiter, &mut buf, taken), Poll::Ready(taken));
            let fork = forked.then(|| aiter.fork());
            assert_eq!(take(&mut aiter, &mut buf, 3), Poll::Ready(3));
            drop((aiter, fork));
            assert_eq!(Arc::strong_count(&item), 1 + taken + 3);
            drop((buf, pusher));
            assert_eq!(Arc::strong_count(&item), 1);
        }
    }

    #[test]
    fn items_of_any_size_come() {
        fn check<T: Clone + Sync>(item: T) {
            let (pusher, mut aiter) = push_aiter();
            for forked in [false, true] {
                let fork = forked.then(|| aiter.fork());
                pusher.push_all((0..150).map(|_| item.clone())).unwrap();
                assert_eq!(take_all(&mut aiter, 100).len(), 150);
                drop(fork);
            }
        }
        check(());
        check(0_u8);
        check([0_u64; 3]);
        check([0_u8; 20_000]);
    }

    #[test]
    fn what_came_before_a_panic_stays() {
        struct Panics(usize);
        impl Clone for Panics {
            fn clone(&self) -> Self {
                assert!(self.0 != 5, "clone");
                Self(self.0)
            }
        }
        let (pusher, mut aiter) = push_aiter();
        let mut fork = aiter.fork();
        pusher.push_all((0..10).map(Panics)).unwrap();
        let mut buf = Vec::new();
        assert_eq!(panic_of(|| take(&mut aiter, &mut buf, 9)), "clone");
        assert_eq!(take(&mut aiter, &mut buf, 9), Poll::Ready(4));
        let numbers = |buf: &[Panics]| buf.iter().map(|item| item.0).collect::<Vec<_>>();
        assert_eq!(numbers(&buf), [0, 1, 2, 3, 4, 6, 7, 8, 9]);
        buf.clear();
        assert_eq!(take(&mut fork, &mut buf, 20), Poll::Ready(10));
        assert_eq!(numbers(&buf), Vec::from_iter(0..10));
    }

    #[test]
    fn a_preflight_runs_for_each_item() {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = runs.clone();
        // It pushes one item, and three in place of every tenth.
        let (_pusher, mut aiter) = push_aiter_with(move |pusher: &Pusher<usize>| {
            let run = counted.fetch_add(1, SeqCst);
            let items = if run % 10 == 9 { 3 } else { 1 };
            pusher.push_all((0..items).map(|_| run)).unwrap();
        });
        let mut buf = Vec::new();
        assert_eq!(take(&mut aiter, &mut buf, 15), Poll::Ready(15));
        assert_eq!(runs.swap(0, SeqCst), 15);
        // It ends although the preflight does not.
        buf.clear();
        assert_eq!(take(&mut aiter, &mut buf, usize::MAX), Poll::Ready(4096));
        assert_eq!(runs.load(SeqCst), 4096);
        assert!(aiter.len() > 800);
    }

    /// Each item that is cloned adds another one.
    #[test]
    fn it_returns_although_items_come_all_the_time() {
        struct Adds(Pusher<Adds>);
        impl Clone for Adds {
            fn clone(&self) -> Self {
                let adds = Self(self.0.clone());
                self.0.push(Self(self.0.clone())).ok();
                adds
            }
        }
        for there in [1, 10_000] {
            let (pusher, mut aiter) = push_aiter();
            let _fork = aiter.fork();
            pusher
                .push_all((0..there).map(|_| Adds(pusher.clone())))
                .unwrap();
            let mut buf = Vec::new();
            let taken = take(&mut aiter, &mut buf, usize::MAX);
            assert_eq!(taken, Poll::Ready(4096.max(there + 1)));
            pusher.stop();
        }
    }
}
