//! Random sequences of operations against plain models, on one thread and polled by hand: one interpreter a system, which
//! serves the property tests (`tests/properties.rs`) and the fuzz targets (`/fuzz`) alike.
//!
//! | file | what it knows |
//! |---|---|
//! | `world` | items and wakers that are counted, and the traps that make them panic or run more steps |
//! | `script` | the source: it does what the steps told it, and knows whether its wake is still to come |
//! | `handle` | handles with the waker they were last polled with |
//! | `kept` | which wakes of a source are heard of late |
//! | `push`, `fork`, `share`, `gate`, `stop`, `join`, `drive` | a system beside its model |
//!
//! A sequence is made of bytes, four to a step: what is not decoded is ignored, and what is missing reads as 0, so every
//! sequence of bytes is one of steps. A trap may run the next step of the sequence in the middle of another one: in a
//! waker, in the source's poll, in the clone or the drop of an item. A handle is out of reach while it is polled, as the
//! borrow checker has it.
//!
//! What holds for all systems, beside what each one's model says:
//!
//! - *nobody is stranded*: who is pending and was not woken since has nothing to take, and is to be woken by a source
//!   whose last poll was pending and that has not woken since;
//! - *nothing is kept*: at the end no item, no waker and no source is alive;
//! - *a panic arrives*: it is one that a trap or the source was told to make, or one that the docs name.

mod drive;
mod fork;
mod gate;
mod handle;
mod join;
mod kept;
mod push;
mod script;
mod share;
mod stop;
mod world;

pub use world::Planted;

use aiter_core::bound;
use arbitrary::{Arbitrary, Unstructured};
use std::{
    cell::Cell,
    fmt,
    panic::{PanicHookInfo, set_hook, take_hook},
    rc::Rc,
    sync::Once,
};

/// The length of a step.
pub const STEP: usize = 4;

/// What is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// A push list.
    Push,
    /// Forks of a source.
    Fork,
    /// Forks of a source that are at most two items apart.
    BoundedFork,
    /// Forks of a source that lose the oldest items when they are more than two behind.
    SkippingFork,
    /// Takers of a source.
    Share,
    /// A source behind a gate.
    Gate,
    /// A source that can be stopped.
    Stop,
    /// Sources that are joined.
    Join,
    /// A source that is pulled as fast as it yields.
    Active,
    /// A source that is pulled one item ahead.
    PreloadOne,
    /// A source that is pulled three items ahead.
    Preload,
    /// A source that is pulled up to four items ahead, whenever there is at most one.
    Watermarks,
}

/// A system beside its model.
trait Pair: 'static {
    /// What can be done to it, and how that reads from a step's bytes.
    type Op: fmt::Debug + for<'a> Arbitrary<'a>;

    fn new() -> Self;
    /// Does it, here and in the model.
    fn op(&self, op: Self::Op);
    /// Polls a handle, if it is not being polled.
    fn poll_one(&self, handle: usize);
    /// Drops a handle, if it is not being polled.
    fn drop_one(&self, handle: usize);
    /// What holds between any two steps, when nothing is being polled.
    fn check(&self);
    /// Lets the source end, and polls who was woken until nobody is. Traps are off.
    fn wind_up(&self);
}

/// A sequence of steps, which is shown decoded.
#[derive(Clone)]
pub struct Steps {
    system: System,
    bytes: Vec<u8>,
}

/// Calls `$f::<P>` for the pair of a system.
macro_rules! with_pair {
    ($system:expr, $f:ident($($arg:expr),*)) => {
        match $system {
            System::Push => $f::<push::List>($($arg),*),
            System::Fork => $f::<fork::Forks<bound::Unbounded>>($($arg),*),
            System::BoundedFork => $f::<fork::Forks<bound::Wait>>($($arg),*),
            System::SkippingFork => $f::<fork::Forks<bound::Skip>>($($arg),*),
            System::Share => $f::<share::Takers>($($arg),*),
            System::Gate => $f::<gate::Gates>($($arg),*),
            System::Stop => $f::<stop::Stopping>($($arg),*),
            System::Join => $f::<join::Join>($($arg),*),
            System::Active => $f::<drive::Driven<0, 0>>($($arg),*),
            System::PreloadOne => $f::<drive::Driven<0, 1>>($($arg),*),
            System::Preload => $f::<drive::Driven<2, 3>>($($arg),*),
            System::Watermarks => $f::<drive::Driven<1, 4>>($($arg),*),
        }
    };
}

impl Steps {
    /// The steps that `bytes` stand for.
    pub fn new(system: System, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self { system, bytes }
    }

    /// Takes the steps, checks after each, and that nothing is left in the end.
    ///
    /// # Panics
    /// When the system does not do as its model.
    pub fn run(&self, planted: Planted) {
        with_pair!(self.system, run(&self.bytes, planted));
    }
}

fn decode<P: Pair>(step: &[u8]) -> P::Op {
    Unstructured::new(step)
        .arbitrary()
        .expect("any bytes are a step")
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn op<P: Pair>(f: &mut fmt::Formatter<'_>, step: &[u8]) -> fmt::Result {
            write!(f, "\n    {:?}", decode::<P>(step))
        }
        write!(f, "{:?} {:?}", self.system, self.bytes)?;
        self.bytes
            .chunks(STEP)
            .try_for_each(|step| with_pair!(self.system, op(f, step)))
    }
}

/// A pair that takes the steps of a sequence.
struct Run<P> {
    pair: P,
    steps: Vec<u8>,
    at: Cell<usize>,
}

impl<P: Pair> Run<P> {
    fn next(&self) -> bool {
        let from = self.at.get();
        let to = self.steps.len().min(from + STEP);
        self.at.set(to);
        if from < to {
            self.pair.op(decode::<P>(&self.steps[from..to]));
        }
        from < to
    }
}

impl<P: Pair> world::Reenter for Run<P> {
    fn next(&self) {
        Run::next(self);
    }
    fn poll_one(&self, handle: usize) {
        self.pair.poll_one(handle);
    }
    fn drop_one(&self, handle: usize) {
        self.pair.drop_one(handle);
    }
}

fn run<P: Pair>(steps: &[u8], planted: Planted) {
    expect_panics();
    world::begin(planted);
    let run = Rc::new(Run {
        pair: P::new(),
        steps: steps.into(),
        at: Cell::new(0),
    });
    world::reenter_by(Some(run.clone()));
    run.pair.check();
    while run.next() {
        world::assert_no_failure();
        run.pair.check();
    }
    world::disarm();
    run.pair.wind_up();
    run.pair.check();
    world::reenter_by(None);
    drop(run);
    world::assert_empty();
}

/// The panics that are expected and made by `panic!`, not by a trap: they would be printed, and end a fuzzer.
fn expect_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = take_hook();
        set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            if !world::is_told(info.payload()) {
                hook(info);
            }
        }));
    });
}
