//! What a program prints: lines of a name, a blank and numbers, from which ci/embedded.sh makes its
//! table.

use crate::{heap, machine};

pub use semihosting::println as say;

/// The value of memory that the stack has not reached.
const UNTOUCHED: u32 = 0xcccc_cccc;

#[allow(non_upper_case_globals)]
unsafe extern "C" {
    static __stext: u8;
    static __etext: u8;
    static __srodata: u8;
    static __erodata: u8;
    static __sdata: u8;
    static __edata: u8;
    static __sbss: u8;
    static __ebss: u8;
    static __sheap: u8;
    static _stack_start: u8;
}

macro_rules! between {
    ($start:ident, $end:ident) => {
        (&raw const $end).addr() - (&raw const $start).addr()
    };
}

/// Prepares the heap, the measurement of the stack, and the machine. A program calls this first.
pub fn prepare() {
    heap::init();
    paint_stack();
    machine::init();
}

/// Fills all memory between the static data and the current end of the stack.
#[inline(never)]
fn paint_stack() {
    let here = 0u32;
    // Leaves out what this function itself may use.
    let end = (&raw const here).addr() - 256;
    let mut word = (&raw const __sheap).cast_mut().cast::<u32>();
    while word.addr() < end {
        // SAFETY: the memory is above the static data and below the stack, so it is not in use yet.
        unsafe { word.write_volatile(UNTOUCHED) };
        word = word.wrapping_add(1);
    }
}

/// The most bytes of stack that were in use.
fn stack_peak() -> usize {
    let end = (&raw const _stack_start).addr();
    let mut word = (&raw const __sheap).cast::<u32>();
    // SAFETY: this is memory of the machine, which the linker script aligns.
    while word.addr() < end && unsafe { word.read_volatile() } == UNTOUCHED {
        word = word.wrapping_add(1);
    }
    end - word.addr()
}

/// Prints the measurements, and ends the program with success.
pub fn finish() -> ! {
    let code = between!(__stext, __etext);
    let data = between!(__sdata, __edata);
    let flash = code + between!(__srodata, __erodata) + data;
    let fixed = data + between!(__sbss, __ebss) - heap::SIZE;
    let (in_use, peak, allocations) = heap::statistics();
    let stack = stack_peak();
    say!("code {code}");
    say!("flash {flash}");
    say!("static {fixed}");
    say!("stack {stack}");
    say!("heap-in-use {in_use}");
    say!("heap-peak {peak}");
    say!("allocations {allocations}");
    say!("ram {}", fixed + stack + peak);
    say!("ok");
    semihosting::process::exit(0)
}
