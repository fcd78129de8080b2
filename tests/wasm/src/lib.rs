//! Runs `aiter-core` on a host with neither threads nor `std`: JavaScript pushes numbers, and runs
//! the tasks whenever it likes. `run.mjs` is that host.
#![no_std]

extern crate alloc;

use aiter_core::{Gate, Pusher, gated_aiter, iter_to_aiter, join_aiters, preload, push_aiter};
use alloc::{boxed::Box, sync::Arc, task::Wake, vec::Vec};
use core::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    task::{Context, Waker},
};
use futures_lite::StreamExt;

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// A panic traps, which JavaScript sees as an exception.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

/// A minimal executor on one thread.
struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

impl Task {
    fn new(future: impl Future<Output = ()> + 'static) -> Self {
        Self {
            future: Box::pin(future),
            woken: Arc::new(Woken(AtomicBool::new(true))),
        }
    }

    /// Polls the future if it was woken. Returns `false` once it has completed.
    fn run(&mut self) -> bool {
        let waker = Waker::from(self.woken.clone());
        while self.woken.0.swap(false, Relaxed) {
            if self
                .future
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
            {
                return false;
            }
        }
        true
    }
}

/// What the host holds.
pub struct App {
    pusher: Pusher<u32>,
    gate: Gate,
    tasks: RefCell<Vec<Task>>,
}

/// How many numbers arrived, each the next one of its stream.
static SEEN: AtomicU32 = AtomicU32::new(0);

fn see(number: u32, next: &mut u32) {
    assert_eq!(number, *next);
    *next += 1;
    SEEN.store(SEEN.load(Relaxed) + 1, Relaxed);
}

/// Starts three tasks: one reads behind a gate, one drives a preload, and one reads that preload
/// joined with another reader.
#[unsafe(no_mangle)]
pub extern "C" fn start() -> *const App {
    let (pusher, mut numbers) = push_aiter();
    let (mut gated, gate) = gated_aiter(numbers.fork());
    let (ready, driver) = preload(4, numbers.fork());
    let tasks = [
        Task::new(async move {
            let mut next = 0;
            while let Some(number) = gated.next().await {
                see(number, &mut next);
            }
        }),
        Task::new(driver),
        Task::new(async move {
            let side = |side| move |number| (side, number);
            let sides = [
                ready.map(side(0)).boxed_local(),
                numbers.map(side(1)).boxed_local(),
            ];
            let mut joined = join_aiters(iter_to_aiter(sides));
            let mut next = [0, 0];
            while let Some((side, number)) = joined.next().await {
                see(number, &mut next[side]);
            }
        }),
    ];
    let tasks = RefCell::new(Vec::from(tasks));
    Box::into_raw(Box::new(App {
        pusher,
        gate,
        tasks,
    }))
}

/// Pushes a number. Returns `false` once the list is stopped.
///
/// # Safety
/// `app` comes from [`start`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn push(app: *const App, number: u32) -> bool {
    // SAFETY: by the contract.
    let app = unsafe { &*app };
    app.pusher.push(number).is_ok()
}

/// Lets this many numbers pass the gate.
///
/// # Safety
/// As in [`push`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn permit(app: *const App, numbers: usize) {
    // SAFETY: by the contract.
    let app = unsafe { &*app };
    app.gate.push(numbers);
}

/// Ends the list, and the gate, because no further permits come.
///
/// # Safety
/// As in [`push`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stop(app: *const App) {
    // SAFETY: by the contract.
    let app = unsafe { &*app };
    app.pusher.stop();
    app.gate.stop();
}

/// Runs the tasks until all of them wait. Returns how many numbers have arrived so far.
///
/// # Safety
/// As in [`push`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn run(app: *const App) -> u32 {
    // SAFETY: by the contract.
    let app = unsafe { &*app };
    let mut tasks = app.tasks.borrow_mut();
    while tasks.iter().any(|task| task.woken.0.load(Relaxed)) {
        tasks.retain_mut(Task::run);
    }
    SEEN.load(Relaxed)
}

/// How many tasks have not completed.
///
/// # Safety
/// As in [`push`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tasks(app: *const App) -> usize {
    // SAFETY: by the contract.
    let app = unsafe { &*app };
    app.tasks.borrow().len()
}
