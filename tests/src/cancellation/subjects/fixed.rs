//! Push lists of fixed capacity.

use crate::cancellation::{
    harness::{Item, Source, next},
    setup::{Expected, Items, OnDrop, Reporting, Setup, Subject, driver_part, items},
};
use aiter_core::{fixed, map_aiter, push_aiter};
use futures_core::Stream;
use std::{
    any::type_name,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

type FixedList<const N: usize, const R: usize, const P: usize = 0> = fixed::PushList<Item, N, R, P>;
type FixedAiter<const N: usize, const R: usize, const P: usize = 0> =
    fixed::PushAiter<'static, Item, N, R, P>;

/// A value that borrows a list. The list is dropped when no such value is left.
struct OnList<T, const N: usize, const R: usize, const P: usize> {
    it: T,
    _list: Arc<FixedList<N, R, P>>,
}

impl<const N: usize, const R: usize, const P: usize> OnList<FixedAiter<N, R, P>, N, R, P> {
    fn new(
        list: Arc<FixedList<N, R, P>>,
        make: impl FnOnce(&'static FixedList<N, R, P>) -> FixedAiter<N, R, P>,
    ) -> Self {
        // SAFETY: `it` is dropped before the list beside it, and it cannot be moved out of this
        // type.
        let it = make(unsafe { &*Arc::as_ptr(&list) });
        Self { it, _list: list }
    }
}

impl<const N: usize, const R: usize, const P: usize> Stream
    for OnList<FixedAiter<N, R, P>, N, R, P>
{
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        Pin::new(&mut self.it).poll_next(cx)
    }
}

/// A list with this many slots and readers, and a driver that pushes when there is room.
fn fixed_list<const N: usize, const R: usize>(expected: Expected) -> Setup {
    let list = Arc::new(FixedList::<N, R>::new());
    let pusher = list.clone();
    // Nothing else stops a list that nobody pushes to any more.
    let stop = OnDrop({
        let list = list.clone();
        move || list.stop()
    });
    // A reader that takes an item, or is dropped, may leave room.
    let (reading, mut reads) = push_aiter();
    let mut source = Source::new();
    let pushing = async move {
        let _stop = stop;
        while let Some(mut item) = next(&mut source).await {
            while let Err(full) = pusher.push(item) {
                item = full.into_inner();
                if next(&mut reads).await.is_none() {
                    return;
                }
            }
        }
    };
    let readers = (0..R).map(move |n| {
        let aiter = OnList::new(list.clone(), |list| match n {
            0 => list.aiter().unwrap(),
            _ => list.subscribe().unwrap(),
        });
        Items {
            type_name: type_name::<FixedAiter<N, R>>(),
            ..items(Reporting::new(aiter, reading.clone()))
        }
    });
    Setup::of(expected, readers, [driver_part(pushing)])
}

/// A list with this many slots, and a driver that waits for a free one until the reader is gone.
fn waiting_list<const N: usize>() -> Setup {
    let list = Arc::new(FixedList::<N, 1, 1>::new());
    let stop = || {
        let list = list.clone();
        OnDrop(move || list.stop())
    };
    let (pusher, on_end, on_drop) = (list.clone(), stop(), stop());
    let mut source = Source::new();
    let pushing = async move {
        let _stop = on_end;
        while let Some(item) = next(&mut source).await {
            if pusher.push_when_free(item).await.is_err() {
                return;
            }
        }
    };
    let pass_on = move |item| {
        let _ = &on_drop;
        item
    };
    let reader = OnList::new(list, |list| list.aiter().unwrap());
    let reader = items(map_aiter(pass_on, reader));
    Setup::of(Expected::All, [reader], [driver_part(pushing)])
}

pub(super) const SUBJECTS: &[Subject] = &[
    ("fixed, one reader", || {
        fixed_list::<2, 1>(Expected::Together)
    }),
    ("fixed, several", || fixed_list::<2, 3>(Expected::Together)),
    ("fixed::PushWhenFree", waiting_list::<2>),
    ("fixed, room for all", || fixed_list::<8, 2>(Expected::All)),
];
