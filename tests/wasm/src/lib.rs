//! Core on a host with neither threads nor `std`: JavaScript pushes numbers, and runs the tasks whenever it likes. `run.mjs` is
//! that host.
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

/// A trap, which is an exception to JavaScript.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

/// All there is to an executor on one thread.
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

    /// Polls it if it was woken. False once it is done.
    fn go_on(&mut self) -> bool {
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

/// How many numbers came out, each the next one of its stream.
static SEEN: AtomicU32 = AtomicU32::new(0);

fn see(number: u32, next: &mut u32) {
    assert_eq!(number, *next);
    *next += 1;
    SEEN.store(SEEN.load(Relaxed) + 1, Relaxed);
}

/// Starts three tasks: one behind a gate, one that fills what another one, with two joined, finds ready.
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

/// Pushes a number; false once the list is stopped.
///
/// # Safety
/// The app is one that was started.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn push(app: *const App, number: u32) -> bool {
    // SAFETY: by the contract.
    let app = unsafe { &*app };
    app.pusher.push(number).is_ok()
}

/// Lets numbers pass the gate.
///
/// # Safety
/// As in [`push`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn permit(app: *const App, numbers: usize) {
    // SAFETY: by the contract.
    let app = unsafe { &*app };
    app.gate.push(numbers);
}

/// Ends the list, and the gate, which nobody is to open any more.
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

/// Runs the tasks until each waits. Says how many numbers have come out so far.
///
/// # Safety
/// As in [`push`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn run(app: *const App) -> u32 {
    // SAFETY: by the contract.
    let app = unsafe { &*app };
    let mut tasks = app.tasks.borrow_mut();
    while tasks.iter().any(|task| task.woken.0.load(Relaxed)) {
        tasks.retain_mut(Task::go_on);
    }
    SEEN.load(Relaxed)
}

/// How many tasks are not done.
///
/// # Safety
/// As in [`push`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tasks(app: *const App) -> usize {
    // SAFETY: by the contract.
    let app = unsafe { &*app };
    app.tasks.borrow().len()
}
