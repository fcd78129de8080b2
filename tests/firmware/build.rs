//! The memory of the machine that stands for each target, and the linker's scripts.

use std::{env, fs, path::Path};

/// 64 KiB of RAM, but where the machine has less: more would only hide what the programs need.
fn memory(target: &str) -> Option<String> {
    let (flash, ram) = match target {
        "thumbv7m-none-eabi" => ("0x00000000, LENGTH = 256K", "0x20000000, LENGTH = 64K"),
        "thumbv7em-none-eabihf" => ("0x00000000, LENGTH = 1M", "0x20000000, LENGTH = 64K"),
        "thumbv6m-none-eabi" => ("0x00000000, LENGTH = 256K", "0x20000000, LENGTH = 16K"),
        "riscv32imac-unknown-none-elf" => ("0x80000000, LENGTH = 1M", "0x80100000, LENGTH = 64K"),
        _ => return None,
    };
    Some(format!(
        "MEMORY {{\n  FLASH : ORIGIN = {flash}\n  RAM : ORIGIN = {ram}\n}}\n"
    ))
}

const RISCV_REGIONS: &str = r#"
REGION_ALIAS("REGION_TEXT", FLASH);
REGION_ALIAS("REGION_RODATA", FLASH);
REGION_ALIAS("REGION_DATA", RAM);
REGION_ALIAS("REGION_BSS", RAM);
REGION_ALIAS("REGION_HEAP", RAM);
REGION_ALIAS("REGION_STACK", RAM);
"#;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = env::var("TARGET").expect("cargo sets it");
    let Some(mut memory) = memory(&target) else {
        println!("cargo::error=no machine is known for {target}: see docs/EMBEDDED.md");
        return;
    };
    if target.starts_with("riscv") {
        memory.push_str(RISCV_REGIONS);
        println!("cargo::rustc-link-arg-bins=-Tmemory.x");
    } else {
        println!("cargo::rustc-link-arg-bins=--nmagic");
    }
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("memory.x"), memory).expect("OUT_DIR is writable");
    println!("cargo::rustc-link-search={out}");
}
