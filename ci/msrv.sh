#!/usr/bin/env bash
# The published crates, with the versions in Cargo.lock, build on the oldest Rust that they promise;
# but for aiter-jetstream, whose promise is that of its client.
# Cargo itself refuses a dependency whose `rust-version` is newer.
. "$(dirname "$0")/common"
msrv=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
[[ $msrv =~ ^[0-9]+\.[0-9]+$ ]] || { next='say `rust-version = "MAJOR.MINOR"` in Cargo.toml' && exit 1; }
cargo=(cargo)
if command -v rustup >/dev/null && { rustup run "$msrv" rustc -V 2>/dev/null || rustup toolchain install "$msrv" --profile minimal; }; then
    cargo=(rustup run "$msrv" cargo)
else
    # Clippy's `incompatible_msrv` finds newer items of the standard library, but not newer syntax.
    leave_out "syntax that is newer than Rust $msrv, which cannot be had here (rustup toolchain install $msrv): a newer compiler says it is $msrv"
    mkdir -p "$target_dir/msrv"
    export RUSTC=$target_dir/msrv/rustc
    cat >"$RUSTC" <<SCRIPT
#!/bin/sh
case \$* in
    *-vV* | *-V* | *--version*) $(command -v rustc) "\$@" | sed -E 's/^(rustc|release:) [0-9.]+/\1 $msrv.0/' ;;
    *) exec $(command -v rustc) "\$@" ;;
esac
SCRIPT
    chmod +x "$RUSTC"
    [[ $("$RUSTC" -V) == "rustc $msrv.0 "* ]]
fi
next="keep to what Rust $msrv has; for a dependency take an older version (\`cargo update -p NAME --precise VERSION\`)"
step "${cargo[@]}" check --locked --target-dir "$target_dir/msrv" "${of_one_machine[@]/#/-p}"
passed
