//! Wakers that are counted, and may be trapped. One is a number, and its clones are counts: see `with_waker`.

use super::{Owner, Site, spring};
use std::{
    cell::{Cell, RefCell},
    mem::ManuallyDrop,
    ptr,
    task::{RawWaker, RawWakerVTable, Waker},
};

/// Whether to plant a bug: wakes of a waker are lost if its handle was polled with two others before. A check of the
/// checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Planted {
    /// No bug.
    #[default]
    Nothing,
    /// That bug.
    LostWake,
}

/// One waker, of which there may be several clones.
struct Bell {
    owner: Owner,
    /// How many the handle had before.
    before: usize,
    live: usize,
    wakes: usize,
}

thread_local! {
    static BELLS: RefCell<Vec<Bell>> = const { RefCell::new(Vec::new()) };
    static PLANTED: Cell<Planted> = const { Cell::new(Planted::Nothing) };
}

pub(super) fn begin(planted: Planted) {
    BELLS.with(|bells| bells.borrow_mut().clear());
    PLANTED.set(planted);
}

pub(super) fn assert_none() {
    assert_eq!(live_wakers(), 0, "a waker is kept");
}

/// A waker for the handle, which had `before` others.
pub(in super::super) fn bell(owner: Owner, before: usize) -> usize {
    BELLS.with(|bells| {
        let mut bells = bells.borrow_mut();
        bells.push(Bell {
            owner,
            before,
            live: 0,
            wakes: 0,
        });
        bells.len() - 1
    })
}

fn with_bell<R>(bell: usize, f: impl FnOnce(&mut Bell) -> R) -> R {
    BELLS.with(|bells| f(&mut bells.borrow_mut()[bell]))
}

pub(in super::super) fn wakes(bell: usize) -> usize {
    with_bell(bell, |bell| bell.wakes)
}

/// How many clones of wakers are alive.
pub(in super::super) fn live_wakers() -> usize {
    BELLS.with(|bells| bells.borrow().iter().map(|bell| bell.live).sum())
}

/// Lends the bell's waker: the loan counts as no clone, and no trap meets it.
pub(in super::super) fn with_waker<R>(bell: usize, f: impl FnOnce(&Waker) -> R) -> R {
    // SAFETY: the functions of the table keep the contract of `RawWaker`: the data is a number, not a pointer, and only
    // the thread that made the number knows more of it than that it is none.
    let waker = unsafe { Waker::new(ptr::without_provenance(bell), &TABLE) };
    f(&ManuallyDrop::new(waker))
}

/// The bell of a waker that [`with_waker`] lent.
pub(in super::super) fn bell_of(waker: &Waker) -> usize {
    waker.data().addr()
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone_waker, wake, ring, drop_waker);

unsafe fn clone_waker(data: *const ()) -> RawWaker {
    let owner = with_bell(data.addr(), |bell| bell.owner);
    spring(Site::WakerClone, Some(owner));
    with_bell(data.addr(), |bell| bell.live += 1);
    RawWaker::new(data, &TABLE)
}

unsafe fn wake(data: *const ()) {
    with_bell(data.addr(), |bell| {
        bell.live = bell.live.checked_sub(1).expect("a waker is dropped once");
    });
    // SAFETY: only the number is used.
    unsafe { ring(data) };
}

unsafe fn ring(data: *const ()) {
    let lost = PLANTED.get() == Planted::LostWake;
    let owner = with_bell(data.addr(), |bell| {
        if !(lost && bell.before == 2) {
            bell.wakes += 1;
        }
        bell.owner
    });
    spring(Site::Wake, Some(owner));
}

unsafe fn drop_waker(data: *const ()) {
    let owner = with_bell(data.addr(), |bell| {
        bell.live = bell.live.checked_sub(1).expect("a waker is dropped once");
        bell.owner
    });
    spring(Site::WakerDrop, Some(owner));
}
