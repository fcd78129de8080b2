//! Runs `aiter-core` on a host with neither threads nor `std`: JavaScript pushes numbers, has the
//! timers, and runs the tasks whenever it likes. `run.mjs` is that host.
#![no_std]

extern crate alloc;

use aiter_core::{
    Gate, Pusher, batch_within, debounce, gated_aiter, iter_to_aiter, join_aiters, preload,
    push_aiter,
};
use alloc::{boxed::Box, sync::Arc, task::Wake, vec::Vec};
use core::{
    cell::RefCell,
    ffi::c_void,
    future::Future,
    pin::{Pin, pin},
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    task::{Context, Waker},
    time::Duration,
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

/// How many numbers arrived in batches.
static BATCHED: AtomicU32 = AtomicU32::new(0);

/// The last number that nothing followed for a while.
static NEWEST: AtomicU32 = AtomicU32::new(u32::MAX);

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    /// Calls [`ring`] with this alarm once, after some milliseconds: `setTimeout` in JavaScript.
    safe fn set_timeout(alarm: *mut c_void, millis: u32);
}

/// Ends the sleep that has set this alarm, if that is still there.
///
/// # Safety
/// `alarm` was passed to [`set_timeout`], and this is the only call for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ring(alarm: *mut c_void) {
    // SAFETY: by the contract, this is the box of `start`, and nothing else owns it.
    drop(unsafe { Box::from_raw(alarm.cast::<Pusher<()>>()) });
}

/// Starts five tasks: one reads behind a gate, one drives a preload, one reads that preload joined
/// with another reader, and two wait for timers of the host.
#[unsafe(no_mangle)]
pub extern "C" fn start() -> *const App {
    let (pusher, mut numbers) = push_aiter();
    let (mut gated, gate) = gated_aiter(numbers.fork());
    let (ready, driver) = preload(4, numbers.fork());
    // The timer of the host as one closure: the list ends when the host drops its pusher.
    let sleep = |duration: Duration| {
        let (alarm, mut rings) = push_aiter::<()>();
        let alarm = Box::into_raw(Box::new(alarm)).cast();
        set_timeout(alarm, duration.as_millis() as u32);
        async move { rings.next().await }
    };
    let batches = batch_within(100, Duration::from_millis(2), sleep, numbers.fork());
    let newest = debounce(Duration::from_millis(5), sleep, numbers.fork());
    let tasks = [
        Task::new(async move {
            let mut next = 0;
            while let Some(number) = gated.next().await {
                see(number, &mut next);
            }
        }),
        Task::new(driver),
        Task::new(async move {
            let mut batches = pin!(batches);
            while let Some(batch) = batches.next().await {
                for number in batch {
                    assert_eq!(number, BATCHED.load(Relaxed));
                    BATCHED.store(number + 1, Relaxed);
                }
            }
        }),
        Task::new(async move {
            let mut newest = pin!(newest);
            while let Some(number) = newest.next().await {
                NEWEST.store(number, Relaxed);
            }
        }),
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

/// How many numbers have arrived in batches.
#[unsafe(no_mangle)]
pub extern "C" fn batched() -> u32 {
    BATCHED.load(Relaxed)
}

/// The last number that nothing followed for 5 ms.
#[unsafe(no_mangle)]
pub extern "C" fn newest() -> u32 {
    NEWEST.load(Relaxed)
}
