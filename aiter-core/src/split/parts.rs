//! The source of a split stream, and what was pulled from it: the items of each part, the parts
//! that the outer stream has not yielded, and the item in hand.

use crate::util::{fuse::Fused, shrink::shrink};
use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::Stream;
use pin_project::pin_project;

/// The number of the outer stream. Parts are numbered from 1.
pub(super) const OUTER: usize = 0;

/// The source, the closure and the parts. Guarded by the lock.
#[pin_project]
pub(super) struct SplitSource<S: Stream, K, F> {
    #[pin]
    source: Fused<S>,
    key: F,
    parts: Parts<K, S::Item>,
    panicked: bool,
}

/// The items and parts that no consumer has taken yet.
pub(super) struct Parts<K, T> {
    limit: usize,
    numbers: BTreeMap<K, usize>,
    /// The part with the number `i` is at `i - 1`.
    slots: Vec<Option<Slot<K, T>>>,
    vacant: Vec<usize>,
    /// The numbers of the parts that the outer stream has not yielded.
    untaken: VecDeque<usize>,
    held: Option<Held<K, T>>,
    outer_dropped: bool,
}

/// The key and the queue of a part. They are removed when the part is dropped.
pub(super) struct Slot<K, T> {
    key: K,
    items: VecDeque<T>,
}

/// The item in hand.
struct Held<K, T> {
    /// The consumer that has no room for it. If that is dropped, the item is put elsewhere.
    number: usize,
    key: K,
    item: T,
}

/// Where an item was put.
pub(super) enum Put<K, T> {
    /// Into the queue of this consumer.
    For(usize),
    /// It is kept in hand, because its consumer has no room.
    Held,
    /// Nowhere, because its key has no part and the outer stream was dropped.
    Nowhere((K, T)),
}

impl<S: Stream, K: Ord + Clone, F: FnMut(&S::Item) -> K> SplitSource<S, K, F> {
    pub(super) fn new(limit: usize, key: F, source: S) -> Self {
        let parts = Parts {
            limit,
            numbers: BTreeMap::new(),
            slots: Vec::new(),
            vacant: Vec::new(),
            untaken: VecDeque::new(),
            held: None,
            outer_dropped: false,
        };
        Self {
            source: Fused::new(source),
            key,
            parts,
            panicked: false,
        }
    }

    /// Takes the item in hand, or polls the source for one. Returns it with its key.
    #[inline]
    pub(super) fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(K, S::Item)>> {
        let this = self.project();
        if let Some(held) = this.parts.held.take() {
            return Poll::Ready(Some((held.key, held.item)));
        }
        let polled = ready!(this.source.poll_next(cx));
        Poll::Ready(polled.map(|item| ((this.key)(&item), item)))
    }
}

impl<S: Stream, K, F> SplitSource<S, K, F> {
    pub(super) fn parts(self: Pin<&mut Self>) -> &mut Parts<K, S::Item> {
        self.project().parts
    }

    /// Drops the source and the item in hand, because user code has panicked.
    #[cold]
    pub(super) fn end_in_panic(self: Pin<&mut Self>) {
        let this = self.project();
        *this.panicked = true;
        let _held = this.parts.held.take();
        this.source.end();
    }

    pub(super) fn has_panicked(self: Pin<&mut Self>) -> bool {
        self.panicked
    }
}

impl<K, T> Parts<K, T> {
    fn slot(&mut self, number: usize) -> &mut Slot<K, T> {
        self.slots[number - 1].as_mut().expect("the part is there")
    }

    /// Returns how many items or parts wait for a consumer.
    #[inline]
    pub(super) fn waiting_for(&mut self, number: usize) -> usize {
        match number {
            OUTER => self.untaken.len(),
            part => self.slot(part).items.len(),
        }
    }

    /// Whether the item in hand needs room that this consumer can make.
    pub(super) fn holds_for(&self, number: usize) -> bool {
        self.held.as_ref().is_some_and(|held| held.number == number)
    }

    /// Takes the first item of a part.
    #[inline]
    pub(super) fn take_item(&mut self, number: usize) -> Option<T> {
        let items = &mut self.slot(number).items;
        let item = items.pop_front();
        shrink(items);
        item
    }
}

impl<K: Ord, T> Parts<K, T> {
    /// Takes the first part that the outer stream has not yielded.
    pub(super) fn take_part(&mut self) -> Option<(K, usize)>
    where
        K: Clone,
    {
        let number = *self.untaken.front()?;
        // Cloned before the part is taken, because `clone` may panic.
        let key = self.slot(number).key.clone();
        self.untaken.pop_front();
        shrink(&mut self.untaken);
        Some((key, number))
    }

    /// Puts an item into the queue of its part, or makes a part for it. The consumer that pulls has
    /// room for one more than the limit if its queue is not empty, because it takes something from
    /// there in the same poll.
    #[inline]
    pub(super) fn put(&mut self, key: K, item: T, puller: usize) -> Put<K, T>
    where
        K: Clone,
    {
        let number = match self.numbers.get(&key) {
            Some(&number) => number,
            None if self.outer_dropped => return Put::Nowhere((key, item)),
            None => OUTER,
        };
        let waiting = self.waiting_for(number);
        let leaving = usize::from(number == puller && waiting > 0);
        if waiting - leaving >= self.limit {
            self.held = Some(Held { number, key, item });
            return Put::Held;
        }
        match number {
            OUTER => self.add(key, item),
            part => self.slot(part).items.push_back(item),
        }
        Put::For(number)
    }

    fn add(&mut self, key: K, item: T)
    where
        K: Clone,
    {
        let slot = Some(Slot {
            key: key.clone(),
            items: VecDeque::from([item]),
        });
        let number = match self.vacant.pop() {
            Some(number) => {
                self.slots[number - 1] = slot;
                number
            }
            None => {
                self.slots.push(slot);
                self.slots.len()
            }
        };
        self.numbers.insert(key, number);
        self.untaken.push_back(number);
    }

    /// Forgets a consumer that was dropped, and with the outer stream the parts that it has not
    /// yielded. Moves their queues into `gone`. Returns whether the item in hand has lost its
    /// consumer.
    pub(super) fn forget(&mut self, number: usize, gone: &mut Vec<Slot<K, T>>) -> bool {
        match number {
            OUTER => {
                self.outer_dropped = true;
                while let Some(part) = self.untaken.pop_front() {
                    self.remove(part, gone);
                }
                self.untaken = VecDeque::new();
            }
            part => self.remove(part, gone),
        }
        self.held.as_ref().is_some_and(|held| match held.number {
            OUTER => self.outer_dropped,
            part => self.slots.get(part - 1).is_none_or(Option::is_none),
        })
    }

    fn remove(&mut self, number: usize, gone: &mut Vec<Slot<K, T>>) {
        let Some(slot) = self.slots[number - 1].take() else {
            return;
        };
        self.vacant.push(number);
        // Moved first, so that its items are dropped without the lock also if a comparison of keys
        // panics in `remove`.
        gone.push(slot);
        let key = &gone[gone.len() - 1].key;
        self.numbers.remove(key);
        if self.is_empty() {
            self.slots = Vec::new();
            self.vacant = Vec::new();
        }
    }

    /// Whether there is no part.
    pub(super) fn is_empty(&self) -> bool {
        self.vacant.len() == self.slots.len()
    }
}
