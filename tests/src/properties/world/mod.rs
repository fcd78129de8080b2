//! What surrounds the systems: items and wakers that are counted, and traps in them.

mod item;
mod waker;

pub(super) use item::{CountsSource, Item, alive, all_alive, clones};
pub use waker::Planted;
pub(super) use waker::{bell, bell_of, live_wakers, wakes, with_waker};

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

/// Where a trap can stand.
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
    /// Takes the next step of the sequence.
    Next,
    /// Polls the handle that the waker belongs to; without one as `Next`.
    Poll,
    /// Drops that handle.
    Drop,
}

/// Stands at a site, and acts once, after so many have passed.
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

/// What a trap panics with.
struct Planned(Site);

/// A panic that was to be expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caught {
    /// A trap, or the source as it was told.
    Planned(Site),
    /// A fork was told that the source had panicked.
    Told,
}

/// What a trap that does not panic can do.
pub(super) trait Reenter {
    fn next(&self);
    fn poll_one(&self, handle: usize);
    fn drop_one(&self, handle: usize);
}

#[derive(Default)]
struct World {
    traps: RefCell<Vec<Trap>>,
    by: RefCell<Option<Rc<dyn Reenter>>>,
    /// A failure within a step, where a panic may not get far.
    failure: RefCell<Option<Box<dyn Any + Send>>>,
    depth: Cell<usize>,
    sprung: Cell<usize>,
}

thread_local! {
    // Not dropped, for the same reason as in `begin`.
    static WORLD: ManuallyDrop<World> = ManuallyDrop::default();
}

fn world<R>(look: impl FnOnce(&World) -> R) -> R {
    WORLD.with(|world| look(world))
}

fn count(cell: &Cell<usize>) {
    cell.set(cell.get() + 1);
}

pub(super) fn begin(planted: Planted) {
    item::begin();
    waker::begin(planted);
    world(|world| {
        world.traps.borrow_mut().clear();
        // What a case that failed left behind is not to be dropped: it belongs to tables that are gone.
        mem::forget(world.by.take());
        mem::forget(world.failure.take());
        world.depth.set(0);
        world.sprung.set(0);
    });
}

pub(super) fn reenter_by(by: Option<Rc<dyn Reenter>>) {
    let old = world(|world| world.by.replace(by));
    drop(old);
}

/// Nothing is alive any more.
pub(super) fn assert_empty() {
    item::assert_none();
    waker::assert_none();
}

pub(super) fn set(trap: Trap) {
    world(|world| {
        let mut traps = world.traps.borrow_mut();
        traps.retain(|old| old.site != trap.site);
        traps.push(trap);
    });
}

pub(super) fn disarm() {
    world(|world| world.traps.borrow_mut().clear());
}

/// How many traps were sprung.
pub(super) fn sprung() -> usize {
    world(|world| world.sprung.get())
}

/// Whether a step is taken within another one.
pub(super) fn is_nested() -> bool {
    world(|world| world.depth.get() > 0)
}

/// Whether no trap was sprung so far: everything went as the steps say, one after the other.
pub(super) fn is_plain() -> bool {
    sprung() == 0
}

pub(super) fn panic_at(site: Site) -> ! {
    // Not `panic!`, which would print a line for every case.
    resume_unwind(Box::new(Planned(site)))
}

/// How many steps are taken within each other.
const DEEPEST: usize = 3;

fn due(site: Site) -> Option<Act> {
    world(|world| {
        let mut traps = world.traps.borrow_mut();
        let at = traps.iter().position(|trap| trap.site == site)?;
        if world.depth.get() == DEEPEST || panicking() {
            return None;
        }
        let Some(after) = traps[at].after.checked_sub(1) else {
            count(&world.sprung);
            return Some(traps.swap_remove(at).act);
        };
        traps[at].after = after;
        None
    })
}

/// Something happened where a trap may stand, to the waker of `owner` if it was one.
pub(super) fn spring(site: Site, owner: Option<Owner>) {
    match (due(site), owner) {
        (None, _) => {}
        (Some(Act::Panic), _) => panic_at(site),
        (Some(Act::Poll), Some(owner)) => within(|by| by.poll_one(owner.0)),
        (Some(Act::Drop), Some(owner)) => within(|by| by.drop_one(owner.0)),
        _ => within(|by| by.next()),
    }
}

/// Takes the next step of the sequence within this one.
pub(super) fn next_step() {
    if world(|world| world.depth.get()) < DEEPEST {
        world(|world| count(&world.sprung));
        within(|by| by.next());
    }
}

fn within(f: impl FnOnce(&dyn Reenter)) {
    let Some(by) = world(|world| world.by.borrow().clone()) else {
        return;
    };
    world(|world| count(&world.depth));
    let done = catch_unwind(AssertUnwindSafe(|| f(&*by)));
    world(|world| {
        world.depth.set(world.depth.get() - 1);
        if let Err(failure) = done {
            world.failure.borrow_mut().get_or_insert(failure);
        }
    });
}

/// # Panics
/// When a step within the last one failed.
pub(super) fn assert_no_failure() {
    if let Some(failure) = world(|world| world.failure.take()) {
        resume_unwind(failure);
    }
}

/// Runs `f`, which may panic if that was to be expected.
pub(super) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Caught> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| match payload.downcast_ref() {
        Some(Planned(site)) => Caught::Planned(*site),
        None if is_told(&*payload) => Caught::Told,
        None => resume_unwind(payload),
    })
}

/// Drops it, which may spring a trap.
pub(super) fn let_go<T>(value: T) {
    catch(|| drop(value)).ok();
}

pub(super) fn is_told(payload: &(dyn Any + Send)) -> bool {
    payload
        .downcast_ref()
        .is_some_and(|message: &&str| message.starts_with("the forked stream panicked"))
}
