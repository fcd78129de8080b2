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
//! So it counts in `users` the readers that are given out. A reader is counted there once it has
//! its place, so a pusher that finds it there pushes to it.

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
        if let Some(open) = self.open() {
            // Ordering: Release pairs with the Acquire in `Writer::users`: what a caller that finds
            // this user pushes is behind the user's place, and comes after its count in `readers`.
            // A fence follows before the tasks are woken.
            if open.users.fetch_add(1, Release) == 0 {
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
    /// The user that is counted has its place by now.
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
    pub(super) fn new(list: &Arc<List<T>>) -> Self {
        // Ordering: Release hands the functions that clone to a reader that learns from this count
        // that it is not alone (`Reader::is_alone`).
        list.readers.fetch_add(1, Release);
        let list = Some(list.clone());
        let is_user = false;
        Self { list, is_user }
    }

    /// Counts the reader as a user as well, once it is known where it starts.
    pub(crate) fn count_user(&mut self) {
        // First, so that the count is given up if a waker panics.
        self.is_user = true;
        self.list().add_user();
    }

    /// One more reader of the same list.
    pub(crate) fn another(&self) -> Self {
        let mut count = Self::new(self.list());
        if self.is_user {
            count.count_user();
        }
        count
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
            // Ordering: Relaxed, because this one has read nothing.
            list.readers.fetch_sub(1, Relaxed);
            if self.is_user {
                list.remove_user();
            }
        }
    }
}

impl<T> Reader<T> {
    /// Counts this reader as a user, if the list stays open without readers.
    pub(crate) fn count_user(&mut self) {
        debug_assert!(!self.is_user);
        // First, so that the count is given up if a waker panics.
        self.is_user = true;
        self.list.add_user();
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
        // Ordering: Acquire, so that a caller that finds a user comes after the user got its place,
        // and one that finds no user comes after what the users did before they left.
        self.open().users.load(Acquire)
    }

    /// Counts one more reader, which is no user so far.
    pub(crate) fn count_reader(&self) -> ReaderCount<T>
    where
        T: Clone + Sync,
    {
        self.list.allow_clones();
        ReaderCount::new(&self.list)
    }

    /// Counts one more user that is no reader of the list, and has its place.
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
