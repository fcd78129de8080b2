//! SysTick is the timer and the clock, and PendSV the software interrupt. All Cortex-M machines in
//! QEMU have them.

use core::arch::asm;
use cortex_m::{
    Peripherals,
    asm::{dsb, isb},
    peripheral::{
        SCB, SYST,
        scb::SystemHandler::{PendSV, SysTick},
        syst::SystClkSource::Core,
    },
};
use cortex_m_rt::exception;

const RELOAD: u32 = 0xff_ffff;

pub(super) fn init() {
    let mut peripherals = Peripherals::take().expect("taken once");
    // SAFETY: no critical section relies on priorities. A lower number is a higher priority.
    unsafe { peripherals.SCB.set_priority(PendSV, 0xc0) };
    // SAFETY: as above.
    unsafe { peripherals.SCB.set_priority(SysTick, 0x40) };
    peripherals.SYST.set_clock_source(Core);
    count(&mut peripherals.SYST, RELOAD);
}

fn count(timer: &mut SYST, reload: u32) {
    timer.set_reload(reload);
    timer.clear_current();
    timer.enable_counter();
}

fn timer() -> SYST {
    // SAFETY: `init` took the peripherals and keeps none. The tasks do not access the timer while
    // its interrupt runs.
    unsafe { Peripherals::steal() }.SYST
}

pub(super) fn start_timer(ticks: u32) {
    assert!(ticks <= RELOAD, "a period of {ticks} ticks is too long");
    let mut timer = timer();
    count(&mut timer, ticks - 1);
    timer.enable_interrupt();
}

pub(super) fn stop_timer() {
    let mut timer = timer();
    timer.disable_interrupt();
    count(&mut timer, RELOAD);
    SCB::clear_pendst();
}

pub(super) fn fire_timer() {
    SCB::set_pendst();
    dsb();
    isb();
}

pub(super) fn fire_soft() {
    SCB::set_pendsv();
    dsb();
    isb();
}

#[inline(always)]
pub(super) fn clock() -> u32 {
    SYST::get_current()
}

/// The clock counts down, and starts again after the period of the timer.
#[inline(always)]
pub(super) fn between(start: u32, end: u32) -> u32 {
    match start.checked_sub(end) {
        Some(ticks) => ticks,
        None => start + SYST::get_reload() + 1 - end,
    }
}

#[inline(always)]
pub(super) fn thousand_instructions() {
    // SAFETY: this counts down a register of its own.
    unsafe { asm!("2:", "subs {0}, #1", "bne 2b", inout(reg) 500 => _, options(nomem, nostack)) }
}

#[exception]
fn SysTick() {
    super::on_timer();
}

#[exception]
fn PendSV() {
    super::on_soft();
}
