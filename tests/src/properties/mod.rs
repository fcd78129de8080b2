//! Random sequences of operations against plain models, on one thread and polled by hand. There is
//! one interpreter per system. The property tests (`tests/properties.rs`) and the fuzz targets
//! (`/fuzz`) share them.
//!
//! | module | contents |
//! |---|---|
//! | `environment` | items and wakers that are counted, and the traps that make them panic or run more steps |
//! | `script` | the source: it does what the steps tell it, and knows whether its wake is still to come |
//! | `handle` | handles, with the waker that each was last polled with |
//! | `kept` | which wakes of a source are served late |
//! | `event` | tasks that wait for readers of a hub to come or go, or for its stop |
//! | `time` | timers, and the time that they wait for |
//! | `push`, `bounded`, `hub`, `fork`, `mixed`, `share`, `split`, `gate`, `stop`, `join`, `workers`, `switch`, `drive`, `pace`, `batch` | a system beside its model |
//!
//! A sequence consists of bytes, four for each step. Bytes that do not decode are ignored and
//! missing ones read as 0, so that every sequence of bytes is a sequence of steps. A trap may run
//! the next step in the middle of another one: in a waker, in the source's poll, in the clone or
//! the drop of an item. As with the borrow checker, no step reaches a handle while that is polled.
//!
//! These properties hold for all systems, beside what the model of each says:
//!
//! - *nobody is stranded*: a handle that is pending and was not woken since has nothing to take,
//!   and a source whose last poll was pending and that has not woken since is going to wake it;
//! - *nothing is kept*: at the end no item, no waker and no source is alive;
//! - *panics arrive*: each is one that a trap or the source was told to make, or one that the docs
//!   name.

mod batch;
mod bounded;
mod drive;
mod environment;
mod event;
mod fork;
mod gate;
mod handle;
mod hub;
mod join;
mod kept;
mod mixed;
mod pace;
mod push;
mod script;
mod share;
mod split;
mod stop;
mod switch;
mod time;
mod workers;

pub use environment::Planted;

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

/// The system that is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// A push list.
    Push,
    /// A push list in which at most one item waits.
    BoundedOne,
    /// A push list in which at most three items wait.
    Bounded,
    /// A push hub whose readers lose nothing unless they ask for it.
    Hub,
    /// The same, where the hub retains three items.
    RetainingHub,
    /// A hub of the newest item.
    LatestHub,
    /// Forks of a source.
    Fork,
    /// Forks of a source that are at most two items apart.
    BoundedFork,
    /// Forks of a source that lose the oldest items when they are more than two behind.
    SkippingFork,
    /// Forks of a source with bounds of their own, and a hub.
    Mixed,
    /// The same, where the source retains two items.
    Retained,
    /// Takers of a source.
    Share,
    /// A source that is split, with one item in each part and one part that nobody took.
    SplitOne,
    /// The same with two.
    Split,
    /// A source behind a gate.
    Gate,
    /// Sources that one stopper ends, and tasks that wait for it.
    Stop,
    /// Sources that are joined.
    Join,
    /// Sources that are joined, two at a time.
    LimitedJoin,
    /// Futures of which one of each key is in work, and two in all.
    WorkersBy,
    /// Sources of which the newest counts.
    Switch,
    /// A source whose items come in batches of those that are ready.
    Batch,
    /// A source whose items come in batches that wait for more.
    BatchWithin,
    /// A source of which the newest item comes when it is quiet.
    Debounce,
    /// A source whose items come no faster than a limit allows.
    RateLimit,
    /// A source that is pulled as fast as it yields.
    Active,
    /// A source that is pulled one item ahead.
    PreloadOne,
    /// A source that is pulled three items ahead.
    Preload,
    /// A source that is pulled up to four items ahead, whenever at most one waits.
    Watermarks,
}

/// A system beside its model.
trait Pair: 'static {
    /// The operations on it, which decode from the bytes of a step.
    type Op: fmt::Debug + for<'a> Arbitrary<'a>;

    fn new() -> Self;
    /// Runs the operation on the system and on the model.
    fn op(&self, op: Self::Op);
    /// Polls a handle, unless it is being polled.
    fn poll_one(&self, handle: usize);
    /// Drops a handle, unless it is being polled.
    fn drop_one(&self, handle: usize);
    /// Checks what holds between any two steps, while nothing is being polled.
    fn check(&self);
    /// Lets the source end, and polls the handles that were woken until none is. Traps are off.
    fn wind_up(&self);
}

/// A sequence of steps. `Debug` shows it decoded.
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
            System::BoundedOne => $f::<bounded::Bounded<1>>($($arg),*),
            System::Bounded => $f::<bounded::Bounded<3>>($($arg),*),
            System::Hub => $f::<hub::Hubs<hub::Lossless<0>>>($($arg),*),
            System::RetainingHub => $f::<hub::Hubs<hub::Lossless<3>>>($($arg),*),
            System::LatestHub => $f::<hub::Hubs<hub::Latest>>($($arg),*),
            System::Fork => $f::<fork::Forks<bound::Unbounded>>($($arg),*),
            System::BoundedFork => $f::<fork::Forks<bound::Wait>>($($arg),*),
            System::SkippingFork => $f::<fork::Forks<bound::Skip>>($($arg),*),
            System::Mixed => $f::<mixed::Mixed<0>>($($arg),*),
            System::Retained => $f::<mixed::Mixed<2>>($($arg),*),
            System::Share => $f::<share::Takers>($($arg),*),
            System::SplitOne => $f::<split::Split<1>>($($arg),*),
            System::Split => $f::<split::Split<2>>($($arg),*),
            System::Gate => $f::<gate::Gates>($($arg),*),
            System::Stop => $f::<stop::Stopping>($($arg),*),
            System::Join => $f::<join::Join<{ usize::MAX }>>($($arg),*),
            System::LimitedJoin => $f::<join::Join<2>>($($arg),*),
            System::WorkersBy => $f::<workers::Workers<2>>($($arg),*),
            System::Switch => $f::<switch::Switch>($($arg),*),
            System::Batch => $f::<batch::Batching<false>>($($arg),*),
            System::BatchWithin => $f::<batch::Batching<true>>($($arg),*),
            System::Debounce => $f::<pace::Paced<pace::Newest>>($($arg),*),
            System::RateLimit => $f::<pace::Paced<pace::Tokens>>($($arg),*),
            System::Active => $f::<drive::Driven<0, 0>>($($arg),*),
            System::PreloadOne => $f::<drive::Driven<0, 1>>($($arg),*),
            System::Preload => $f::<drive::Driven<2, 3>>($($arg),*),
            System::Watermarks => $f::<drive::Driven<1, 4>>($($arg),*),
        }
    };
}

impl Steps {
    /// Makes the sequence of steps that `bytes` stand for.
    pub fn new(system: System, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self { system, bytes }
    }

    /// Runs the steps, checks after each of them, and checks that nothing is left at the end.
    ///
    /// # Panics
    /// If the system differs from its model.
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

/// A pair that runs the steps of a sequence.
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

impl<P: Pair> environment::Reenter for Run<P> {
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
    environment::begin(planted);
    let run = Rc::new(Run {
        pair: P::new(),
        steps: steps.into(),
        at: Cell::new(0),
    });
    environment::reenter_by(Some(run.clone()));
    run.pair.check();
    while run.next() {
        environment::assert_no_failure();
        run.pair.check();
    }
    environment::disarm();
    run.pair.wind_up();
    run.pair.check();
    environment::reenter_by(None);
    drop(run);
    environment::assert_empty();
}

/// Silences the expected panics that `panic!` makes and no trap. They would be printed, and end a
/// fuzzer.
fn expect_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = take_hook();
        set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            if !environment::is_reported(info.payload()) {
                hook(info);
            }
        }));
    });
}
