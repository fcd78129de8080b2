//! The timer and the software interrupt of the CLINT, as QEMU's `virt` has it. The clock is
//! `mtime`. It counts units of time, but also instructions, because each instruction takes equally
//! long.

use core::{
    arch::asm,
    ptr::{read_volatile, write_volatile},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};
use riscv::{
    interrupt::{Interrupt, enable, nested},
    register::mie,
};
use riscv_rt::core_interrupt;

const CLINT: usize = 0x0200_0000;
const MSIP: *mut u32 = CLINT as _;
const MTIMECMP: [*mut u32; 2] = [(CLINT + 0x4000) as _, (CLINT + 0x4004) as _];
const MTIME: [*mut u32; 2] = [(CLINT + 0xbff8) as _, (CLINT + 0xbffc) as _];
/// A time that never comes.
const NEVER: u64 = u64::MAX;

/// Ticks between two interrupts, or 0 while the timer does not run.
static PERIOD: AtomicU32 = AtomicU32::new(0);

pub(super) fn init() {
    set_alarm(NEVER);
    // SAFETY: both interrupts have a handler below.
    unsafe { mie::set_mtimer() };
    // SAFETY: as above.
    unsafe { mie::set_msoft() };
    // SAFETY: no critical section is active.
    unsafe { enable() };
}

fn now() -> u64 {
    loop {
        // SAFETY: this is a register of the machine.
        let [high, low, again] =
            [MTIME[1], MTIME[0], MTIME[1]].map(|word| unsafe { read_volatile(word) });
        if high == again {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

fn set_alarm(at: u64) {
    // In this order the timer does not fire in between.
    for (register, word) in [
        (MTIMECMP[1], u32::MAX),
        (MTIMECMP[0], at as u32),
        (MTIMECMP[1], (at >> 32) as u32),
    ] {
        // SAFETY: this is a register of the machine.
        unsafe { write_volatile(register, word) };
    }
}

pub(super) fn start_timer(ticks: u32) {
    PERIOD.store(ticks, Relaxed);
    set_alarm(now() + u64::from(ticks));
}

pub(super) fn stop_timer() {
    PERIOD.store(0, Relaxed);
    set_alarm(NEVER);
}

pub(super) fn fire_timer() {
    set_alarm(0);
}

pub(super) fn fire_soft() {
    set_soft(1);
}

fn set_soft(pending: u32) {
    // SAFETY: this is a register of the machine.
    unsafe { write_volatile(MSIP, pending) };
}

#[inline(always)]
pub(super) fn clock() -> u32 {
    // SAFETY: this is a register of the machine.
    unsafe { read_volatile(MTIME[0]) }
}

#[inline(always)]
pub(super) fn between(start: u32, end: u32) -> u32 {
    end.wrapping_sub(start)
}

#[inline(always)]
pub(super) fn thousand_instructions() {
    // SAFETY: this counts down a register of its own.
    unsafe {
        asm!("2:", "addi {0}, {0}, -1", "bnez {0}, 2b", inout(reg) 500 => _, options(nomem, nostack))
    }
}

#[core_interrupt(Interrupt::MachineTimer)]
fn timer() {
    set_alarm(match PERIOD.load(Relaxed) {
        0 => NEVER,
        ticks => now() + u64::from(ticks),
    });
    super::on_timer();
}

/// Lets the timer interrupt this handler, as a processor with priorities does.
#[core_interrupt(Interrupt::MachineSoft)]
fn soft() {
    set_soft(0);
    // SAFETY: interrupts of the same priority stay masked until the handler returns.
    unsafe { mie::clear_msoft() };
    // SAFETY: what this handler uses may be interrupted, like what the tasks use.
    unsafe { nested(super::on_soft) };
    // SAFETY: as in `init`.
    unsafe { mie::set_msoft() };
}
