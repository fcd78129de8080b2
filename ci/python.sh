#!/usr/bin/env bash
# Runs the scenarios of Python's `aiter` through the Python package, in a virtual environment made
# here, and through this library. The results may differ only where docs/PYTHON.md says so.
. "$(dirname "$0")/common"
next='install Python 3 with its venv module, and check that pip reaches its package index'
work=$target_dir/python
mkdir -p "$work"
[[ -x $work/venv/bin/pip ]] || step python3 -m venv "$work/venv"
step "$work/venv/bin/pip" install --quiet --disable-pip-version-check aiter==0.13.20191203
next='correct the library, or say in docs/PYTHON.md why the two differ'
echo '+ tests/python/seed.py'
timeout 120 "$work/venv/bin/python" -W ignore tests/python/seed.py >"$work/python.txt"
echo '+ cargo run -p aiter-tests --example seed'
cargo run --quiet -p aiter-tests --example seed >"$work/rust.txt"
compare=("$work/venv/bin/python" tests/python/compare.py docs/PYTHON.md)
step "${compare[@]}" "$work/python.txt" "$work/rust.txt"

# The comparison itself has to find a wrong line.
sed 's/^gate \/ three: .*/gate \/ three: [0, 1]/' "$work/rust.txt" >"$work/wrong.txt"
next='the comparison passes what is wrong: fix tests/python/compare.py'
code=0
step "${compare[@]}" "$work/python.txt" "$work/wrong.txt" || code=$?
((code == 3))
passed
