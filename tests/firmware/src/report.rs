//! What a program prints: lines of a name, a blank and numbers, which ci/embedded.sh makes its table of.

use crate::{heap, machine};

pub use semihosting::println as say;

/// What memory that the stack has not come to reads as.
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

/// Readies the heap, the stack's measure and the machine: the first thing that a program does.
pub fn prepare() {
    heap::init();
    paint_stack();
    machine::init();
}

/// Writes to all memory between the static data and the stack as it is now.
#[inline(never)]
fn paint_stack() {
    let here = 0u32;
    // Leave out what this function itself may use.
    let end = (&raw const here).addr() - 256;
    let mut word = (&raw const __sheap).cast_mut().cast::<u32>();
    while word.addr() < end {
        // SAFETY: memory that nobody uses yet: above the static data, below the stack.
        unsafe { word.write_volatile(UNTOUCHED) };
        word = word.wrapping_add(1);
    }
}

/// The most bytes of stack that were in use.
fn stack_peak() -> usize {
    let end = (&raw const _stack_start).addr();
    let mut word = (&raw const __sheap).cast::<u32>();
    // SAFETY: memory of the machine, aligned by the linker's script.
    while word.addr() < end && unsafe { word.read_volatile() } == UNTOUCHED {
        word = word.wrapping_add(1);
    }
    end - word.addr()
}

/// Prints what was needed, and ends the program with success.
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
