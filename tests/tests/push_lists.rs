//! Cases for both push lists, the unbounded one and the one of fixed capacity, which run the same
//! code over each.
#![allow(missing_docs, reason = "a test program")]

use aiter_core::{PushAiter, Pusher, TryNextError, fixed, push_aiter};
use futures_core::{FusedStream, Stream};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
};

/// More than two blocks of the first list, and exactly the capacity of the second.
const MOST: usize = 130;

fn unbounded<T>() -> (Pusher<T>, PushAiter<T>) {
    push_aiter()
}

type Fixed<T, const R: usize> = &'static fixed::PushList<T, MOST, R>;
type FixedAiter<T, const R: usize> = fixed::PushAiter<'static, T, MOST, R>;

fn fixed_for<T, const R: usize>() -> (Fixed<T, R>, FixedAiter<T, R>) {
    let list: Fixed<T, R> = Box::leak(Box::default());
    (list, list.aiter().expect("the first reader"))
}

fn fixed_for_one<T>() -> (Fixed<T, 1>, FixedAiter<T, 1>) {
    fixed_for()
}

fn fixed_for_nine<T>() -> (Fixed<T, 9>, FixedAiter<T, 9>) {
    fixed_for()
}

/// Unwraps a further reader, for which the unbounded list always has room.
trait IntoReader {
    type Aiter;
    fn into_reader(self) -> Self::Aiter;
}

impl<T> IntoReader for PushAiter<T> {
    type Aiter = Self;
    fn into_reader(self) -> Self {
        self
    }
}

impl<A> IntoReader for Option<A> {
    type Aiter = A;
    fn into_reader(self) -> A {
        self.expect("there is room for nine readers")
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

impl Wakes {
    fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        (wakes.clone(), wakes.into())
    }

    fn count(&self) -> usize {
        self.0.load(Relaxed)
    }
}

/// A waker that calls a function.
struct CallsFunction<F>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for CallsFunction<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

fn waker_that(does: impl Fn() + Send + Sync + 'static) -> Waker {
    Arc::new(CallsFunction(does)).into()
}

fn poll<S: Stream + Unpin>(stream: &mut S, waker: &Waker) -> Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(waker))
}

/// Counts its live values and its clones; may panic when it is cloned or dropped.
struct Item {
    n: usize,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    live: AtomicUsize,
    clones: AtomicUsize,
    bad_clone: Option<usize>,
    bad_drop: Option<usize>,
}

impl Counts {
    fn item(self: &Arc<Self>, n: usize) -> Item {
        self.live.fetch_add(1, Relaxed);
        Item {
            n,
            counts: self.clone(),
        }
    }

    fn live(&self) -> usize {
        self.live.load(Relaxed)
    }

    fn clones(&self) -> usize {
        self.clones.load(Relaxed)
    }
}

impl Clone for Item {
    fn clone(&self) -> Self {
        assert!(self.counts.bad_clone != Some(self.n), "clone");
        self.counts.clones.fetch_add(1, Relaxed);
        self.counts.item(self.n)
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.counts.live.fetch_sub(1, Relaxed);
        let is_bad = self.counts.bad_drop == Some(self.n) && !std::thread::panicking();
        assert!(!is_bad, "drop");
    }
}

macro_rules! rest {
    ($aiter:expr) => {
        std::iter::from_fn(|| $aiter.try_next().ok()).collect::<Vec<_>>()
    };
}

macro_rules! numbers {
    ($aiter:expr) => {
        rest!($aiter).iter().map(|item| item.n).collect::<Vec<_>>()
    };
}

/// The cases for one reader, over a function that makes a list.
macro_rules! one_reader {
    ($list:ident) => {
        #[test]
        fn items_come_in_order() {
            for len in [0, 1, 61, 62, 63, MOST] {
                let (pusher, mut aiter) = $list();
                (0..len).for_each(|n| pusher.push(n).unwrap());
                assert!(aiter.available_iter().copied().eq(0..len));
                assert!(rest!(aiter).into_iter().eq(0..len));
                assert_eq!(aiter.try_next(), Err(TryNextError::Empty));
            }
        }

        #[test]
        fn the_end_comes_after_any_number_of_items() {
            for len in 0..=MOST {
                let (pusher, mut aiter) = $list();
                (0..len).for_each(|n| pusher.push(n).unwrap());
                pusher.stop();
                pusher.stop();
                assert!(pusher.is_stopped() && aiter.is_stopped());
                assert!(pusher.push(0).is_err());
                assert_eq!(aiter.is_terminated(), len == 0);
                assert_eq!(aiter.size_hint().0, len);
                assert_eq!(rest!(aiter).len(), len);
                assert!(aiter.is_terminated());
                assert_eq!(aiter.size_hint(), (0, Some(0)));
                assert_eq!(aiter.try_next(), Err(TryNextError::Ended));
                for _ in 0..2 {
                    assert_eq!(poll(&mut aiter, Waker::noop()), Poll::Ready(None));
                }
            }
        }

        #[test]
        fn a_waiting_reader_is_woken_once_whatever_its_place() {
            let (pusher, mut aiter) = $list();
            let (wakes, waker) = Wakes::new();
            for n in 0..3 * MOST {
                assert!(poll(&mut aiter, &waker).is_pending());
                assert!(poll(&mut aiter, &waker).is_pending());
                pusher.push(n).unwrap();
                pusher.push(n).unwrap();
                assert_eq!(wakes.count(), n + 1);
                assert_eq!(poll(&mut aiter, &waker), Poll::Ready(Some(n)));
                assert_eq!(poll(&mut aiter, &waker), Poll::Ready(Some(n)));
            }
            assert!(poll(&mut aiter, &waker).is_pending());
            pusher.stop();
            pusher.stop();
            assert_eq!(wakes.count(), 3 * MOST + 1);
            assert_eq!(poll(&mut aiter, &waker), Poll::Ready(None));
        }

        #[test]
        fn the_last_waker_is_the_one_woken_and_the_only_one_kept() {
            let (pusher, mut aiter) = $list();
            let (old, old_waker) = Wakes::new();
            let (new, new_waker) = Wakes::new();
            for _ in 0..1000 {
                assert!(poll(&mut aiter, &old_waker).is_pending());
            }
            assert!(poll(&mut aiter, &new_waker).is_pending());
            assert_eq!(Arc::strong_count(&old), 2);
            assert_eq!(Arc::strong_count(&new), 3);
            pusher.push(0).unwrap();
            assert_eq!((old.count(), new.count()), (0, 1));
            assert!(poll(&mut aiter, &old_waker).is_ready());
            assert!(poll(&mut aiter, &old_waker).is_pending());
            drop(aiter);
            assert_eq!((Arc::strong_count(&old), Arc::strong_count(&new)), (2, 2));
            // No task is left to be woken.
            let _ = pusher.push(1);
            assert_eq!((old.count(), new.count()), (0, 1));
        }

        #[test]
        fn one_reader_moves_items_out() {
            let counts = Arc::new(Counts::default());
            let (pusher, mut aiter) = $list();
            for _ in 0..3 {
                (0..MOST).for_each(|n| assert!(pusher.push(counts.item(n)).is_ok()));
                for n in 0..MOST {
                    assert!(aiter.try_next().is_ok_and(|item| item.n == n));
                    assert_eq!(counts.live(), MOST - n - 1);
                }
            }
            assert_eq!(counts.clones(), 0);
        }

        #[test]
        fn an_item_that_is_refused_comes_back() {
            let counts = Arc::new(Counts::default());
            let (pusher, _aiter) = $list();
            pusher.stop();
            let refused = pusher.push(counts.item(7)).unwrap_err();
            assert_eq!(counts.live(), 1);
            // The text does not depend on the item, which need not be `Debug`.
            assert!(format!("{refused:?} {refused}").contains("stopped"));
            drop(refused);
            assert_eq!(counts.live(), 0);
        }

        #[test]
        fn looking_at_items_takes_none() {
            let (pusher, mut aiter) = $list();
            for round in 0..5 {
                assert!(aiter.is_empty() && !aiter.is_item_available() && aiter.len() == 0);
                assert!(aiter.is_len_at_least(0) && !aiter.is_len_at_least(1));
                let mut look = aiter.available_iter();
                assert_eq!(look.next(), None);
                (0..100).for_each(|n| pusher.push(n).unwrap());
                // It sees items that are pushed while it is used.
                assert_eq!(look.clone().count(), 100);
                assert!(look.eq(&(0..100).collect::<Vec<_>>()));
                assert_eq!(aiter.len(), 100);
                assert!(aiter.is_len_at_least(100) && !aiter.is_len_at_least(101));
                assert_eq!(aiter.size_hint(), (100, None));
                let now = pusher.statistics();
                assert_eq!((now.pushed, now.taken), (100 * (round + 1), 100 * round));
                assert_eq!((now.waiting, now.lag), (100, 100));
                assert_eq!(rest!(aiter).len(), 100);
            }
        }

        #[test]
        fn a_waker_that_panics_costs_no_item_and_no_later_wake() {
            let (pusher, mut aiter) = $list();
            let bomb = waker_that(|| panic!("waker"));
            assert!(poll(&mut aiter, &bomb).is_pending());
            assert!(catch_unwind(AssertUnwindSafe(|| pusher.push(1))).is_err());
            let (wakes, waker) = Wakes::new();
            assert_eq!(poll(&mut aiter, &waker), Poll::Ready(Some(1)));
            assert!(poll(&mut aiter, &waker).is_pending());
            pusher.push(2).unwrap();
            assert_eq!(wakes.count(), 1);
            assert!(poll(&mut aiter, &bomb).is_ready());
            assert!(poll(&mut aiter, &bomb).is_pending());
            assert!(catch_unwind(AssertUnwindSafe(|| pusher.stop())).is_err());
            assert_eq!(aiter.try_next(), Err(TryNextError::Ended));
        }

        #[test]
        fn a_waker_may_drop_the_reader_that_it_wakes() {
            let (pusher, mut aiter) = $list();
            let owner = Arc::new(Mutex::new(None));
            let other = owner.clone();
            let waker = waker_that(move || drop(other.lock().unwrap().take()));
            assert!(poll(&mut aiter, &waker).is_pending());
            drop(waker);
            *owner.lock().unwrap() = Some(aiter);
            pusher.push(1).unwrap();
            assert!(owner.lock().unwrap().is_none());
        }

        #[test]
        fn a_waker_may_push_and_read() {
            let (pusher, aiter) = $list();
            let shared = Arc::new((pusher, Mutex::new((Some(aiter), Vec::new()))));
            let other = shared.clone();
            let waker = waker_that(move || {
                let (pusher, reader) = &*other;
                let (aiter, seen) = &mut *reader.lock().unwrap();
                let aiter = aiter.as_mut().unwrap();
                seen.extend(rest!(aiter));
                assert!(poll(aiter, Waker::noop()).is_pending());
                pusher.push(seen.len()).unwrap();
            });
            for n in 0..MOST {
                let (pusher, reader) = &*shared;
                let mut asleep = reader.lock().unwrap();
                assert!(poll(asleep.0.as_mut().unwrap(), &waker).is_pending());
                drop(asleep);
                pusher.push(n).unwrap();
                let (aiter, seen) = &mut *reader.lock().unwrap();
                assert_eq!(seen[n], n);
                assert_eq!(rest!(aiter.as_mut().unwrap()), [n + 1]);
            }
        }

        #[test]
        fn a_waker_that_panics_when_dropped_leaves_the_list_usable() {
            struct Bomb;
            impl Wake for Bomb {
                fn wake(self: Arc<Self>) {}
            }
            impl Drop for Bomb {
                fn drop(&mut self) {
                    panic!("waker");
                }
            }
            let (pusher, mut aiter) = $list();
            assert!(poll(&mut aiter, &Arc::new(Bomb).into()).is_pending());
            assert!(catch_unwind(AssertUnwindSafe(|| drop(aiter))).is_err());
            let _ = pusher.push(1);
            pusher.stop();
        }
    };
}

/// The cases for several readers.
macro_rules! readers {
    ($list:ident) => {
        #[test]
        fn the_last_reader_of_an_item_moves_it() {
            for readers in [2, 3, 9] {
                // In the order of items, or of readers.
                for by_item in [true, false] {
                    let counts = Arc::new(Counts::default());
                    let (pusher, aiter) = $list();
                    let mut all = vec![aiter];
                    while all.len() < readers {
                        let fork = all[0].fork().into_reader();
                        all.push(fork);
                    }
                    (0..MOST).for_each(|n| assert!(pusher.push(counts.item(n)).is_ok()));
                    if by_item {
                        for n in 0..MOST {
                            for aiter in &mut all {
                                assert!(aiter.try_next().is_ok_and(|item| item.n == n));
                            }
                            assert_eq!(counts.live(), MOST - n - 1);
                        }
                    } else {
                        for aiter in &mut all {
                            assert!(numbers!(aiter).into_iter().eq(0..MOST));
                        }
                    }
                    assert_eq!(counts.live(), 0);
                    assert_eq!(counts.clones(), MOST * (readers - 1));
                }
            }
        }

        #[test]
        fn a_dropped_fork_frees_what_it_alone_held_back() {
            let counts = Arc::new(Counts::default());
            let (pusher, mut fast) = $list();
            let slow = fast.fork().into_reader();
            (0..MOST).for_each(|n| assert!(pusher.push(counts.item(n)).is_ok()));
            (0..71).for_each(|_| assert!(fast.try_next().is_ok()));
            assert_eq!(counts.live(), MOST);
            drop(slow);
            assert_eq!(counts.live(), MOST - 71);
            assert!(numbers!(fast).into_iter().eq(71..MOST));
            assert_eq!((counts.live(), counts.clones()), (0, 71));
        }

        #[test]
        fn a_reader_that_left_ahead_of_another_leaves_it_the_items() {
            let counts = Arc::new(Counts::default());
            let (pusher, mut slow) = $list();
            let mut ahead = slow.fork().into_reader();
            (0..3).for_each(|n| assert!(pusher.push(counts.item(n)).is_ok()));
            assert_eq!(numbers!(ahead), [0, 1, 2]);
            drop(ahead);
            for left in [2, 1, 0] {
                drop(slow.try_next());
                assert_eq!(counts.live(), left);
            }
            assert_eq!(counts.clones(), 3);
        }

        #[test]
        fn forks_and_subscribers_start_where_they_were_made() {
            let (pusher, mut aiter) = $list();
            for at in 0..2 * MOST {
                pusher.push(2 * at).unwrap();
                let mut late = pusher.subscribe().into_reader();
                let mut fork = aiter.fork().into_reader();
                pusher.push(2 * at + 1).unwrap();
                assert_eq!(rest!(fork), [2 * at, 2 * at + 1]);
                assert_eq!(rest!(late), [2 * at + 1]);
                assert_eq!(rest!(aiter), [2 * at, 2 * at + 1]);
            }
            pusher.stop();
            assert_eq!(
                pusher.subscribe().into_reader().try_next(),
                Err(TryNextError::Ended)
            );
        }

        #[test]
        fn every_waiting_reader_is_woken_by_an_item_and_by_the_end() {
            for len in [0, 1, 62, 100] {
                let (pusher, aiter) = $list();
                (0..len).for_each(|n| pusher.push(n).unwrap());
                let mut all = vec![aiter];
                while all.len() < 9 {
                    let fork = all[0].fork().into_reader();
                    all.push(fork);
                }
                let wakers: Vec<_> = all.iter().map(|_| Wakes::new()).collect();
                for (aiter, (_, waker)) in all.iter_mut().zip(&wakers) {
                    assert_eq!(rest!(aiter).len(), len);
                    assert!(poll(aiter, waker).is_pending());
                }
                pusher.push(7).unwrap();
                assert!(wakers.iter().all(|(wakes, _)| wakes.count() == 1));
                for (aiter, (_, waker)) in all.iter_mut().zip(&wakers) {
                    assert_eq!(poll(aiter, waker), Poll::Ready(Some(7)));
                    assert!(poll(aiter, waker).is_pending());
                }
                pusher.stop();
                assert!(wakers.iter().all(|(wakes, _)| wakes.count() == 2));
                for (aiter, (_, waker)) in all.iter_mut().zip(&wakers) {
                    assert_eq!(poll(aiter, waker), Poll::Ready(None));
                }
            }
        }

        #[test]
        fn a_waker_that_panics_strands_no_other_reader() {
            for panics in 0..3 {
                let (pusher, aiter) = $list();
                let mut all = vec![aiter];
                while all.len() < 9 {
                    let fork = all[0].fork().into_reader();
                    all.push(fork);
                }
                let (wakes, waker) = Wakes::new();
                let bomb = waker_that(|| panic!("waker"));
                for (n, aiter) in all.iter_mut().enumerate() {
                    let waker = if n == 4 * panics { &bomb } else { &waker };
                    assert!(poll(aiter, waker).is_pending());
                }
                assert!(catch_unwind(AssertUnwindSafe(|| pusher.push(1))).is_err());
                assert_eq!(wakes.count(), 8);
                assert!(all.iter_mut().all(|aiter| rest!(aiter) == [1]));
            }
        }

        #[test]
        fn a_clone_that_panics_costs_one_reader_one_item() {
            let counts = Arc::new(Counts {
                bad_clone: Some(1),
                ..Counts::default()
            });
            let (pusher, mut aiter) = $list();
            let mut fork = aiter.fork().into_reader();
            (0..3).for_each(|n| assert!(pusher.push(counts.item(n)).is_ok()));
            assert!(fork.try_next().is_ok_and(|item| item.n == 0));
            assert!(catch_unwind(AssertUnwindSafe(|| fork.try_next())).is_err());
            assert_eq!(numbers!(fork), [2]);
            assert_eq!(numbers!(aiter), [0, 1, 2]);
            assert_eq!(counts.live(), 0);
        }

        #[test]
        fn a_drop_that_panics_holds_back_no_other_item() {
            for bad in [0, 40, MOST - 1] {
                let counts = Arc::new(Counts {
                    bad_drop: Some(bad),
                    ..Counts::default()
                });
                let (pusher, slow) = $list();
                let ahead = pusher.subscribe().into_reader();
                (0..MOST).for_each(|n| assert!(pusher.push(counts.item(n)).is_ok()));
                let late = pusher.subscribe().into_reader();
                drop(catch_unwind(AssertUnwindSafe(|| drop(ahead))));
                assert_eq!(counts.live(), MOST);
                assert!(catch_unwind(AssertUnwindSafe(|| drop(slow))).is_err());
                drop(late);
                assert_eq!(counts.live(), 0);
            }
        }
    };
}

mod unbounded_list {
    use super::*;
    one_reader!(unbounded);
    readers!(unbounded);
}

mod fixed_list_for_one_reader {
    use super::*;
    one_reader!(fixed_for_one);
}

mod fixed_list_for_nine_readers {
    use super::*;
    one_reader!(fixed_for_nine);
    readers!(fixed_for_nine);
}
