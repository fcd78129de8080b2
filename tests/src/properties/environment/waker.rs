//! Wakers that are counted, and may be trapped. A waker is a number, and its clones are counts: see
//! `with_waker`.

use super::{Owner, Site, spring};
use std::{
    cell::{Cell, RefCell},
    mem::ManuallyDrop,
    ptr,
    task::{RawWaker, RawWakerVTable, Waker},
};

/// Whether to plant a bug, to check the checks: wakes of a waker are lost if its handle was polled
/// with two others before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Planted {
    /// No bug.
    #[default]
    Nothing,
    /// That bug.
    LostWake,
}

/// One waker, of which several clones may exist.
struct CountedWaker {
    owner: Owner,
    /// How many wakers the handle had before.
    before: usize,
    live: usize,
    wakes: usize,
}

thread_local! {
    static WAKERS: RefCell<Vec<CountedWaker>> = const { RefCell::new(Vec::new()) };
    static PLANTED: Cell<Planted> = const { Cell::new(Planted::Nothing) };
}

pub(super) fn begin(planted: Planted) {
    WAKERS.with(|wakers| wakers.borrow_mut().clear());
    PLANTED.set(planted);
}

pub(super) fn assert_none() {
    assert_eq!(live_wakers(), 0, "a waker is kept");
}

/// Makes a waker for the handle, which had `before` others.
pub(in super::super) fn new_waker(owner: Owner, before: usize) -> usize {
    WAKERS.with(|wakers| {
        let mut wakers = wakers.borrow_mut();
        wakers.push(CountedWaker {
            owner,
            before,
            live: 0,
            wakes: 0,
        });
        wakers.len() - 1
    })
}

fn with_entry<R>(number: usize, f: impl FnOnce(&mut CountedWaker) -> R) -> R {
    WAKERS.with(|wakers| f(&mut wakers.borrow_mut()[number]))
}

pub(in super::super) fn wakes(number: usize) -> usize {
    with_entry(number, |waker| waker.wakes)
}

/// Returns how many clones of wakers are alive.
pub(in super::super) fn live_wakers() -> usize {
    WAKERS.with(|wakers| wakers.borrow().iter().map(|waker| waker.live).sum())
}

/// Lends the waker with this number. The loan counts as no clone, and no trap stands in it.
pub(in super::super) fn with_waker<R>(number: usize, f: impl FnOnce(&Waker) -> R) -> R {
    // SAFETY: the functions of the table keep the contract of `RawWaker`: the data is a number, not
    // a pointer, and nothing dereferences it.
    let waker = unsafe { Waker::new(ptr::without_provenance(number), &TABLE) };
    f(&ManuallyDrop::new(waker))
}

/// Returns the number of a waker that [`with_waker`] lent.
pub(in super::super) fn number_of(waker: &Waker) -> usize {
    waker.data().addr()
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone_waker, wake, wake_by_ref, drop_waker);

unsafe fn clone_waker(data: *const ()) -> RawWaker {
    let owner = with_entry(data.addr(), |waker| waker.owner);
    spring(Site::WakerClone, Some(owner));
    with_entry(data.addr(), |waker| waker.live += 1);
    RawWaker::new(data, &TABLE)
}

unsafe fn wake(data: *const ()) {
    with_entry(data.addr(), |waker| {
        waker.live = waker.live.checked_sub(1).expect("a waker is dropped once");
    });
    // SAFETY: only the number is used.
    unsafe { wake_by_ref(data) };
}

unsafe fn wake_by_ref(data: *const ()) {
    let lost = PLANTED.get() == Planted::LostWake;
    let owner = with_entry(data.addr(), |waker| {
        if !(lost && waker.before == 2) {
            waker.wakes += 1;
        }
        waker.owner
    });
    spring(Site::Wake, Some(owner));
}

unsafe fn drop_waker(data: *const ()) {
    let owner = with_entry(data.addr(), |waker| {
        waker.live = waker.live.checked_sub(1).expect("a waker is dropped once");
        waker.owner
    });
    spring(Site::WakerDrop, Some(owner));
}
