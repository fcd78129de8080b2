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
//!
//! An open list has readers of its own as well: a [`Trail`](super::Trail), and the feed of a ring.
//! So it counts in `users` the readers that are given out.

use super::{reader::Reader, shared::List, writer::Writer};
use crate::{
    Statistics,
    sync::{Arc, AtomicUsize, Ordering::*},
    wait::wait_set::{LazyWaitSet, Waiter},
};
use core::task::{Context, Poll};

/// What an open list knows of the hub that it belongs to.
pub(super) struct OpenList {
    /// The number of readers that are users', and of cursors in the ring of the hub.
    users: AtomicUsize,
    /// The tasks that wait until the last user goes.
    idle: LazyWaitSet,
    /// The tasks that wait until the first user comes.
    occupied: LazyWaitSet,
}

impl<T> List<T> {
    /// Counts one more user.
    pub(super) fn add_user(&self) {
        // Ordering: Relaxed, and a fence before the tasks are woken.
        if let Some(open) = self.open() {
            if open.users.fetch_add(1, Relaxed) == 0 {
                open.occupied.notify();
            }
        }
    }

    pub(super) fn remove_user(&self) {
        if let Some(open) = self.open() {
            // Ordering: Release hands what this user has done to a caller that finds no user.
            if open.users.fetch_sub(1, Release) == 1 {
                open.idle.notify();
            }
        }
    }
}

/// Counts a user that is no reader of the list.
pub(crate) struct UserCount<T>(Arc<List<T>>);

impl<T> UserCount<T> {
    fn new(list: Arc<List<T>>) -> Self {
        // The count is given up if a waker panics.
        let count = Self(list);
        count.0.add_user();
        count
    }

    /// One more user.
    pub(crate) fn another(&self) -> Self {
        Self::new(self.0.clone())
    }
}

impl<T> Drop for UserCount<T> {
    fn drop(&mut self) {
        self.0.remove_user();
    }
}

/// Counts a reader that may have no place in the list yet.
pub(crate) struct ReaderCount<T> {
    /// `None` once a reader has taken the count over.
    list: Option<Arc<List<T>>>,
    is_user: bool,
}

impl<T> ReaderCount<T> {
    /// The list must know how to clone items by now.
    pub(super) fn new(list: &Arc<List<T>>, is_user: bool) -> Self {
        // Ordering: Release hands the functions that clone to a reader that learns from this count
        // that it is not alone (`Reader::is_alone`).
        list.readers.fetch_add(1, Release);
        // The count is given up if a waker panics.
        let list = Some(list.clone());
        let count = Self { list, is_user };
        if is_user {
            count.list().add_user();
        }
        count
    }

    /// One more reader of the same list.
    pub(crate) fn another(&self) -> Self {
        Self::new(self.list(), self.is_user)
    }

    fn list(&self) -> &Arc<List<T>> {
        let list = self.list.as_ref();
        list.expect("no reader has taken the count over")
    }

    /// Passes the count on to a reader that `make` makes.
    pub(super) fn pass_to(mut self, make: impl FnOnce(Arc<List<T>>) -> Reader<T>) -> Reader<T> {
        let list = self.list.take();
        let mut reader = make(list.expect("no reader has taken the count over"));
        reader.is_user = self.is_user;
        reader
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.list().is_closed()
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.list().statistics()
    }
}

impl<T> Drop for ReaderCount<T> {
    fn drop(&mut self) {
        if let Some(list) = &self.list {
            // Ordering: Release, as of every reader that leaves; this one has read nothing.
            list.readers.fetch_sub(1, Release);
            if self.is_user {
                list.remove_user();
            }
        }
    }
}

impl<T> Reader<T> {
    /// Makes this a reader that is not counted as a user, and passes that count on.
    pub(crate) fn into_internal(mut self) -> (Self, UserCount<T>) {
        debug_assert!(self.is_user);
        self.is_user = false;
        let count = UserCount(self.list.clone());
        (self, count)
    }
}

/// A list that stays open without readers, and has none so far.
pub(crate) fn open_list<T>() -> Writer<T> {
    let (writer, reader) = open_list_with_reader();
    drop(reader);
    writer
}

/// A list that stays open without readers, with a reader that is not counted as a user.
pub(crate) fn open_list_with_reader<T>() -> (Writer<T>, Reader<T>) {
    let open = OpenList {
        users: AtomicUsize::new(0),
        idle: LazyWaitSet::new(),
        occupied: LazyWaitSet::new(),
    };
    let list = List::for_hub(open);
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

    /// The number of readers, those that are no users included.
    #[cfg(all(test, aiter_loom))]
    pub(crate) fn readers(&self) -> usize {
        self.list.readers.load(Acquire)
    }

    /// The number of users.
    pub(crate) fn users(&self) -> usize {
        // Ordering: Acquire, so that a caller that finds no user comes after what the users did
        // before they left.
        self.open().users.load(Acquire)
    }

    /// Counts one more reader that is no user.
    pub(crate) fn count_internal_reader(&self) -> ReaderCount<T>
    where
        T: Clone + Sync,
    {
        self.list.allow_clones();
        ReaderCount::new(&self.list, false)
    }

    /// Counts one more reader.
    pub(crate) fn count_reader(&self) -> ReaderCount<T>
    where
        T: Clone + Sync,
    {
        self.list.allow_clones();
        ReaderCount::new(&self.list, true)
    }

    /// Counts one more user that is no reader of the list.
    pub(crate) fn count_user(&self) -> UserCount<T> {
        UserCount::new(self.list.clone())
    }

    /// Waits until there is no user.
    pub(crate) fn poll_idle(&self, waiter: &mut Option<Waiter>, cx: &mut Context<'_>) -> Poll<()> {
        let idle = &self.open().idle;
        idle.poll_until(waiter, || self.users() == 0, cx)
    }

    /// Waits until there is a user.
    pub(crate) fn poll_occupied(
        &self,
        waiter: &mut Option<Waiter>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let occupied = &self.open().occupied;
        occupied.poll_until(waiter, || self.users() != 0, cx)
    }

    fn open(&self) -> &OpenList {
        self.list.open().expect("the list stays open")
    }
}
