//! The environment of the systems: items and wakers that are counted, and the traps in them.
//!
//! A *trap* stands at a site, such as the clone of an item or the drop of a waker. When execution
//! reaches the site, the trap panics, runs the next step of the sequence within the current one, or
//! polls or drops a handle.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | traps, nested steps, and the panics that are expected |
//! | `item.rs` | items and sources that are counted |
//! | `waker.rs` | wakers that are counted, and the planted bug that checks the checks |

mod item;
mod waker;

pub(super) use item::{CountsSource, Item, alive, all_alive, clones};
pub use waker::Planted;
pub(super) use waker::{live_wakers, new_waker, number_of, wakes, with_waker};

use super::handle::Owner;
use arbitrary::{Arbitrary, Unstructured};
use std::{
    any::Any,
    cell::{Cell, RefCell},
    mem::{self, ManuallyDrop},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    rc::Rc,
    thread::panicking,
};

/// The sites of traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Site {
    Clone,
    Drop,
    Wake,
    WakerClone,
    WakerDrop,
    Source,
    SourceDrop,
}

const SITES: [Site; 7] = [
    Site::Clone,
    Site::Drop,
    Site::Wake,
    Site::WakerClone,
    Site::WakerDrop,
    Site::Source,
    Site::SourceDrop,
];

/// What a trap does.
#[derive(Clone, Copy, Debug)]
enum Act {
    Panic,
    /// Runs the next step of the sequence.
    Next,
    /// Polls the handle that the waker belongs to; without one, the same as `Next`.
    Poll,
    /// Drops that handle.
    Drop,
}

/// Stands at a site, and acts once, after it was passed this many times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trap {
    site: Site,
    after: u8,
    act: Act,
}

impl<'a> Arbitrary<'a> for Trap {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self {
            site: *u.choose(&SITES)?,
            after: u.int_in_range(0..=3)?,
            act: *u.choose(&[Act::Panic, Act::Next, Act::Poll, Act::Drop])?,
        })
    }
}

/// The panic payload of a trap.
struct Planned(Site);

/// A panic that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caught {
    /// A panic of a trap, or of the source as it was told.
    Planned(Site),
    /// A fork or a part reported that the source had panicked.
    Reported,
}

/// The actions of traps that do not panic.
pub(super) trait Reenter {
    fn next(&self);
    fn poll_one(&self, handle: usize);
    fn drop_one(&self, handle: usize);
}

#[derive(Default)]
struct Environment {
    traps: RefCell<Vec<Trap>>,
    by: RefCell<Option<Rc<dyn Reenter>>>,
    /// A failure within a nested step, from which a panic may not propagate.
    failure: RefCell<Option<Box<dyn Any + Send>>>,
    depth: Cell<usize>,
    sprung: Cell<usize>,
}

thread_local! {
    // It is not dropped, for the same reason as in `begin`.
    static ENVIRONMENT: ManuallyDrop<Environment> = ManuallyDrop::default();
}

fn environment<R>(look: impl FnOnce(&Environment) -> R) -> R {
    ENVIRONMENT.with(|environment| look(environment))
}

fn count(cell: &Cell<usize>) {
    cell.set(cell.get() + 1);
}

pub(super) fn begin(planted: Planted) {
    item::begin();
    waker::begin(planted);
    environment(|environment| {
        environment.traps.borrow_mut().clear();
        // A failed case may have left values behind that belong to tables which no longer exist, so
        // they must not be dropped.
        mem::forget(environment.by.take());
        mem::forget(environment.failure.take());
        environment.depth.set(0);
        environment.sprung.set(0);
    });
}

pub(super) fn reenter_by(by: Option<Rc<dyn Reenter>>) {
    let old = environment(|environment| environment.by.replace(by));
    drop(old);
}

/// Checks that nothing is alive any more.
pub(super) fn assert_empty() {
    item::assert_none();
    waker::assert_none();
}

pub(super) fn set(trap: Trap) {
    environment(|environment| {
        let mut traps = environment.traps.borrow_mut();
        traps.retain(|old| old.site != trap.site);
        traps.push(trap);
    });
}

pub(super) fn disarm() {
    environment(|environment| environment.traps.borrow_mut().clear());
}

/// Returns how many traps were sprung.
pub(super) fn sprung() -> usize {
    environment(|environment| environment.sprung.get())
}

/// Returns whether a step runs within another one.
pub(super) fn is_nested() -> bool {
    environment(|environment| environment.depth.get() > 0)
}

/// Returns whether no trap was sprung so far, so that everything happened in the order of the
/// steps.
pub(super) fn is_plain() -> bool {
    sprung() == 0
}

pub(super) fn panic_at(site: Site) -> ! {
    // `panic!` would print a line for every case.
    resume_unwind(Box::new(Planned(site)))
}

/// How many steps may run within each other.
const DEEPEST: usize = 3;

fn due(site: Site) -> Option<Act> {
    environment(|environment| {
        let mut traps = environment.traps.borrow_mut();
        let at = traps.iter().position(|trap| trap.site == site)?;
        if environment.depth.get() == DEEPEST || panicking() {
            return None;
        }
        let Some(after) = traps[at].after.checked_sub(1) else {
            count(&environment.sprung);
            return Some(traps.swap_remove(at).act);
        };
        traps[at].after = after;
        None
    })
}

/// Execution has reached a site where a trap may stand. If that is a waker, `owner` is its handle.
pub(super) fn spring(site: Site, owner: Option<Owner>) {
    match (due(site), owner) {
        (None, _) => {}
        (Some(Act::Panic), _) => panic_at(site),
        (Some(Act::Poll), Some(owner)) => within(|by| by.poll_one(owner.0)),
        (Some(Act::Drop), Some(owner)) => within(|by| by.drop_one(owner.0)),
        _ => within(|by| by.next()),
    }
}

/// Runs the next step of the sequence within this one.
pub(super) fn next_step() {
    if environment(|environment| environment.depth.get()) < DEEPEST {
        environment(|environment| count(&environment.sprung));
        within(|by| by.next());
    }
}

fn within(f: impl FnOnce(&dyn Reenter)) {
    let Some(by) = environment(|environment| environment.by.borrow().clone()) else {
        return;
    };
    environment(|environment| count(&environment.depth));
    let done = catch_unwind(AssertUnwindSafe(|| f(&*by)));
    environment(|environment| {
        environment.depth.set(environment.depth.get() - 1);
        if let Err(failure) = done {
            environment.failure.borrow_mut().get_or_insert(failure);
        }
    });
}

/// # Panics
/// If a nested step failed.
pub(super) fn assert_no_failure() {
    if let Some(failure) = environment(|environment| environment.failure.take()) {
        resume_unwind(failure);
    }
}

/// Runs `f`, which may panic if a panic was expected.
pub(super) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Caught> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| match payload.downcast_ref() {
        Some(Planned(site)) => Caught::Planned(*site),
        None if is_reported(&*payload) => Caught::Reported,
        None => resume_unwind(payload),
    })
}

/// Drops a value, which may spring a trap.
pub(super) fn drop_value<T>(value: T) {
    catch(|| drop(value)).ok();
}

pub(super) fn is_reported(payload: &(dyn Any + Send)) -> bool {
    payload.downcast_ref().is_some_and(|message: &&str| {
        message.starts_with("the forked stream panicked")
            || message.starts_with("the split stream panicked")
            || message.starts_with("the driver of this stream was dropped before its first poll")
    })
}
