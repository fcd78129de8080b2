//! What the programs need of a machine: a timer interrupt, a software interrupt of lower priority,
//! both of which software can fire, and a clock that counts instructions.
//!
//! A program defines `on_timer` and `on_soft`. The timer interrupt has a higher priority than the
//! software interrupt, and that one a higher priority than the tasks.

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
/// Ticks that an empty measurement takes.
static OVERHEAD: AtomicU32 = AtomicU32::new(0);

/// Sets the interrupts up, and measures how long an instruction takes. It does not start the timer.
pub fn init() {
    imp::init();
    OVERHEAD.store(ticks(|| ()), Relaxed);
    TICKS.store(ticks(imp::thousand_instructions), Relaxed);
}

/// Runs the timer interrupt once in this many instructions.
pub fn start_timer(instructions: u32) {
    imp::start_timer((u64::from(instructions) * u64::from(TICKS.load(Relaxed)) / 1000) as u32);
}

/// Runs the timer interrupt this many half instructions from now, and again after as many, unless
/// it is stopped by then.
pub fn start_timer_soon(half_instructions: u32) {
    imp::start_timer((half_instructions * TICKS.load(Relaxed) / 2000).max(2));
}

/// Stops the timer. Its interrupt may call this too.
pub fn stop_timer() {
    imp::stop_timer();
}

/// Fires the timer interrupt now. Must not be called while the timer runs. The interrupt has run
/// when this returns, unless interrupts of its priority are masked.
pub fn fire_timer() {
    imp::fire_timer();
}

/// Fires the software interrupt now. It has run when this returns, unless interrupts of its
/// priority are masked.
pub fn fire_soft() {
    imp::fire_soft();
}

/// How many instructions `f` takes, including those of interrupts that come meanwhile. While the
/// timer runs, `f` must take less than half a period.
#[inline(always)]
pub fn instructions(f: impl FnOnce()) -> u32 {
    let per_1000 = TICKS.load(Relaxed);
    (ticks(f) * 1000 + per_1000 / 2) / per_1000
}

/// Spends a thousand instructions.
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
