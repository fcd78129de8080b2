#!/usr/bin/env bash
# Draws the pictures of core's documentation from runs, and compares them with those in
# aiter-core/docs/pictures: each shows what the code does. `ci/pictures.sh --update` rewrites them, to
# be looked at and committed with the change. A picture that no item shows is of no use.
. "$(dirname "$0")/common"
next='read the error above: a scene of tests/examples/pictures does not run'
drawn=$target_dir/pictures kept=aiter-core/docs/pictures
rm -rf "$drawn"
mkdir -p "$drawn"
step cargo run --quiet -p aiter-tests --example pictures -- "$drawn"
next='no picture was drawn: see tests/examples/pictures'
compgen -G "$drawn/*.svg" >/dev/null
if [[ ${1:-} == --update ]]; then
    rm -f "$kept"/*.svg
    cp "$drawn"/*.svg "$kept/"
fi
next='if the change is meant: ci/pictures.sh --update, look at the pictures that git shows as changed, and commit them'
step diff -ru "$kept" "$drawn"
for picture in "$kept"/*.svg; do
    next="show $picture in the documentation of its item, or remove its scene"
    grep -rq "docs/pictures/${picture##*/}\"" aiter-core/src
done
passed
