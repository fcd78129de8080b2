#!/usr/bin/env bash
# Compares the public items of the published crates with the lists in ci/api/*.txt, so that no
# change of the interface is an accident. `ci/api.sh --update` rewrites the lists, to be reviewed
# and committed with the change. Run it also after a merge that conflicts there.
. "$(dirname "$0")/common"
next='if the change is meant: ci/api.sh --update, then commit ci/api/*.txt and say in CHANGELOG.md what changed'
if ! { command -v rustup >/dev/null && { rustup run nightly rustc -V || rustup toolchain install nightly --profile minimal; }; }; then
    next='install the nightly compiler, whose rustdoc writes the list: rustup toolchain install nightly --profile minimal'
    exit 1
fi
step cargo build --quiet --locked --manifest-path ci/api/Cargo.toml --target-dir "$target_dir/api"
changed=0
for crate in "${published[@]}"; do
    step cargo +nightly rustdoc --quiet --locked -p "$crate" --lib --all-features --target-dir "$target_dir/api" -- \
        -Zunstable-options --output-format json --cap-lints allow
    # The modules `design` and `guide` hold documentation only.
    if ! "$target_dir/api/debug/api" "$target_dir/api/doc/${crate//-/_}.json" | grep -v '::\(design\|guide\)\(::\|$\)' >"$target_dir/api/$crate.txt"; then
        next='if the format of the JSON has changed: cargo update --manifest-path ci/api/Cargo.toml, or raise `public-api` there'
        exit 1
    fi
    if [[ ${1:-} == --update ]]; then
        cp "$target_dir/api/$crate.txt" "ci/api/$crate.txt"
    else
        diff -u "ci/api/$crate.txt" "$target_dir/api/$crate.txt" || changed=1
    fi
done
((changed == 0))
passed
