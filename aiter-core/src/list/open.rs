//! Lists that stay open without readers, as hubs need it.
//!
//! | | any other list | an open list |
//! |---|---|---|
//! | the last reader is dropped | closes it | leaves it open |
//! | a subscriber without other readers | has ended | reads what is pushed from then on |
//! | a subscriber is counted in `readers` | after it has reserved its slot | before that |
//!
//! A pusher that finds `readers` at 0 need not push at all ([`Writer::has_readers`]). That is why a
//! subscriber is counted first: see `aiter-core/docs/design/hub.md`.

use super::{reader::Reader, shared::List, writer::Writer};
use crate::{
    sync::{Arc, Ordering::*},
    wait::wait_set::{LazyWaitSet, Waiter},
};
use core::task::{Context, Poll};

/// What an open list knows of the hub that it belongs to.
pub(super) struct OpenList {
    /// How many of the readers are no user's: 1 if a [`Trail`](super::Trail) keeps the latest
    /// items, and else 0.
    trailing: usize,
    /// The tasks that wait until the last user's reader goes.
    idle: LazyWaitSet,
    /// The tasks that wait until the first user's reader comes.
    occupied: LazyWaitSet,
}

impl OpenList {
    pub(super) fn new(trailing: usize) -> Self {
        Self {
            trailing,
            idle: LazyWaitSet::new(),
            occupied: LazyWaitSet::new(),
        }
    }
}

/// A reader that is counted and may have no place in the list yet.
pub(crate) struct ReaderCount<T> {
    /// `None` once a reader has taken the count over.
    list: Option<Arc<List<T>>>,
}

impl<T> ReaderCount<T> {
    /// Counts a reader of an open list.
    pub(super) fn new(list: &Arc<List<T>>) -> Self
    where
        T: Clone + Sync,
    {
        list.allow_clones();
        // Ordering: Release hands the functions that clone to a reader that learns from this count
        // that it is not alone (`Reader::is_alone`).
        let before = list.readers.fetch_add(1, Release);
        let count = Self {
            list: Some(list.clone()),
        };
        if let Some(open) = list.open().filter(|open| open.trailing == before) {
            open.occupied.notify();
        }
        count
    }

    /// One more reader of the same list.
    pub(crate) fn another(&self) -> Self
    where
        T: Clone + Sync,
    {
        Self::new(self.list())
    }

    pub(super) fn list(&self) -> &Arc<List<T>> {
        self.list
            .as_ref()
            .expect("no reader has taken the count over")
    }

    /// Passes the count on to a reader.
    pub(super) fn into_list(mut self) -> Arc<List<T>> {
        self.list
            .take()
            .expect("no reader has taken the count over")
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.list().is_closed()
    }

    pub(crate) fn statistics(&self) -> crate::Statistics {
        self.list().statistics()
    }
}

impl<T> Drop for ReaderCount<T> {
    fn drop(&mut self) {
        if let Some(list) = &self.list {
            // Ordering: Release, as of every reader that leaves; this one has read nothing.
            let before = list.readers.fetch_sub(1, Release);
            list.notify_if_idle(before - 1);
        }
    }
}

impl<T> List<T> {
    /// To be called after a reader has left: `left` is the number of those that stay.
    pub(super) fn notify_if_idle(&self, left: usize) {
        if let Some(open) = self.open().filter(|open| open.trailing == left) {
            open.idle.notify();
        }
    }
}

/// A list that stays open without readers, and has none so far.
pub(crate) fn open_list<T>() -> Writer<T> {
    let (writer, reader) = new(0);
    drop(reader);
    writer
}

/// A list that stays open without readers, and its first reader.
pub(crate) fn open_list_with_reader<T>() -> (Writer<T>, Reader<T>) {
    new(0)
}

pub(super) fn new<T>(trailing: usize) -> (Writer<T>, Reader<T>) {
    let list = List::for_hub(OpenList::new(trailing));
    (Writer::new(list.clone()), Reader::first(list))
}

/// For lists that stay open.
impl<T> Writer<T> {
    /// Whether a reader would read an item that is pushed now. If not, the item need not be pushed.
    #[inline]
    pub(crate) fn has_readers(&self) -> bool {
        // Ordering: Relaxed. A thread that knows of a subscriber, or of an item that the subscriber
        // will read, comes after its count, and reads no older one.
        self.list.readers.load(Relaxed) != 0
    }

    /// The number of users' readers.
    pub(crate) fn user_readers(&self) -> usize {
        // Ordering: Acquire, so that a caller that finds no reader comes after what the readers did
        // before they left.
        let readers = self.list.readers.load(Acquire);
        readers - self.open().trailing
    }

    /// Counts one more reader.
    pub(crate) fn count_reader(&self) -> ReaderCount<T>
    where
        T: Clone + Sync,
    {
        ReaderCount::new(&self.list)
    }

    /// Waits until there is no user's reader.
    pub(crate) fn poll_idle(&self, waiter: &mut Option<Waiter>, cx: &mut Context<'_>) -> Poll<()> {
        let idle = &self.open().idle;
        idle.poll_until(waiter, || self.user_readers() == 0, cx)
    }

    /// Waits until there is a user's reader.
    pub(crate) fn poll_occupied(
        &self,
        waiter: &mut Option<Waiter>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let occupied = &self.open().occupied;
        occupied.poll_until(waiter, || self.user_readers() != 0, cx)
    }

    fn open(&self) -> &OpenList {
        self.list.open().expect("the list stays open")
    }
}
