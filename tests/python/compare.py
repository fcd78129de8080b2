"""Compares two records of the scenarios, line by line. They must differ exactly where the table of docs/PYTHON.md says so,
and as it says. Otherwise the exit code is 3."""

import re
import sys

table_path, python_path, rust_path = sys.argv[1:]


def record(path):
    """Returns the values of each step, in order, because two forks record the same step."""
    steps = {}
    with open(path) as lines:
        for line in lines:
            step, value = line.rstrip("\n").split(": ", 1)
            steps.setdefault(step, []).append(value)
    return {step: ", ".join(values) for step, values in steps.items()}


with open(table_path) as table:
    said = re.findall(r"^\| `([^`]+ / [^`]+)` \| `([^`]+)` \| `([^`]+)` \|", table.read(), re.M)
expected = {step: (python, rust) for step, python, rust in said}
python, rust = record(python_path), record(rust_path)
wrong = 0
for step in [*python, *(step for step in rust if step not in python)]:
    values = python.get(step, "nothing"), rust.get(step, "nothing")
    should = expected.pop(step, None)
    if should is None and values[0] == values[1] or should == values:
        continue
    wrong += 1
    print(f"{step}:\n  Python: {values[0]}\n  here:   {values[1]}")
    if should:
        print(f"  {table_path} says {should[0]} and {should[1]}")
for step in expected:
    wrong += 1
    print(f"{step}: in {table_path}, but no scenario has it")
print(f"{len(python)} steps, {len(said)} of them different on purpose, {wrong} unexpected")
sys.exit(3 if wrong else 0)
