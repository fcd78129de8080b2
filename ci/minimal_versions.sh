#!/usr/bin/env bash
# The published crates build with the oldest versions of their direct dependencies that their
# Cargo.toml admits. Works on a copy, so that Cargo.lock stays as it is.
. "$(dirname "$0")/common"
next='a dependency lacks something in its oldest version: raise the requirement in Cargo.toml to the version that has it'
if ! { command -v rustup >/dev/null && { rustup run nightly rustc -V || rustup toolchain install nightly --profile minimal; }; }; then
    next='install the nightly compiler, the only one that can choose these versions: rustup toolchain install nightly --profile minimal'
    exit 1
fi
copy=$target_dir/minimal_versions/workspace
rm -rf "$copy"
mkdir -p "$copy"
cp -r Cargo.toml README.md "${published[@]}" "$copy"
cd "$copy"
sed -i "s/^members = .*/members = [$(printf '"%s", ' "${published[@]}")]/" Cargo.toml
# Without dev-dependencies, whose own requirements would raise the versions that users get.
for manifest in */Cargo.toml; do
    awk '/^\[/ { skip = /dev-dependencies\]$/ } !skip' "$manifest" >"$manifest.new"
    mv "$manifest.new" "$manifest"
done
step cargo +nightly update -Zdirect-minimal-versions
step cargo +nightly tree --depth 1 --edges normal "${published[@]/#/-p}"
step cargo +nightly check --all-features --target-dir "$target_dir/minimal_versions" "${published[@]/#/-p}"
passed
