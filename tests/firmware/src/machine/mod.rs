//! What the programs need of a machine: a timer interrupt, two interrupts that software can fire, of different priority, and a
//! clock that counts instructions.
//!
//! A program defines `on_timer` and `on_soft`. The timer's priority is above that of the software interrupt, which is above
//! that of the tasks.

#[cfg(target_arch = "arm")]
mod cortex_m;
#[cfg(target_arch = "riscv32")]
mod riscv;

#[cfg(target_arch = "arm")]
use cortex_m as imp;
#[cfg(target_arch = "riscv32")]
use riscv as imp;

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

unsafe extern "Rust" {
    safe fn on_timer();
    safe fn on_soft();
}

/// Ticks of the clock in 1000 instructions.
static TICKS: AtomicU32 = AtomicU32::new(0);
/// Ticks that a measurement of nothing takes.
static OVERHEAD: AtomicU32 = AtomicU32::new(0);

/// Sets interrupts up, and finds out how long an instruction takes. The timer does not run yet.
pub fn init() {
    imp::init();
    OVERHEAD.store(ticks(|| ()), Relaxed);
    TICKS.store(ticks(imp::thousand_instructions), Relaxed);
}

/// Runs the timer interrupt once in so many instructions.
pub fn start_timer(instructions: u32) {
    imp::start_timer((u64::from(instructions) * u64::from(TICKS.load(Relaxed)) / 1000) as u32);
}

/// Lets its interrupt run so many half instructions from now, and again in as many, unless it is stopped then.
pub fn start_timer_soon(half_instructions: u32) {
    imp::start_timer((half_instructions * TICKS.load(Relaxed) / 2000).max(2));
}

/// Runs it no more. The timer's interrupt may call this too.
pub fn stop_timer() {
    imp::stop_timer();
}

/// Fires the interrupt of the timer now; not while the timer runs. It has run when this returns, where interrupts of its
/// priority are not held off.
pub fn fire_timer() {
    imp::fire_timer();
}

/// Fires the software interrupt now. It has run when this returns, where interrupts of its priority are not held off.
pub fn fire_soft() {
    imp::fire_soft();
}

/// How many instructions `f` takes, those of interrupts that come meanwhile included. Less than half a period of the timer,
/// where that runs.
#[inline(always)]
pub fn instructions(f: impl FnOnce()) -> u32 {
    let per_1000 = TICKS.load(Relaxed);
    (ticks(f) * 1000 + per_1000 / 2) / per_1000
}

/// Takes a thousand instructions.
pub fn waste_time() {
    imp::thousand_instructions();
}

#[inline(always)]
fn ticks(f: impl FnOnce()) -> u32 {
    let start = imp::clock();
    f();
    let end = imp::clock();
    imp::between(start, end) - OVERHEAD.load(Relaxed)
}
