#!/usr/bin/env bash
# Checks the checks themselves. None of them says ok unless it came to its end: a signal, an `exit`
# or a failed command makes it fail. Checks that read the output of a program do not take silence
# for success. The workflow runs each check, and each check covers all published crates.
. "$(dirname "$0")/common"
unset AITER_COMPLETE AITER_LEFT_OUT
scratch=$target_dir/checks
rm -rf "$scratch"
mkdir -p "$scratch"/{ci,.ci,bin}
cp ci/common "$scratch/ci"
cp ci/all.sh "$scratch/ci"
cp .ci/run "$scratch/.ci"

# Runs a command with the default action for the signals that a background job ignores, and compares
# the last line of its output: `says ok|FAILED COMMAND...`.
says() {
    local verdict=$1 output code=0
    shift
    output=$(env --default-signal "$@" 2>&1) || code=$?
    case $verdict in
        ok) [[ ${output##*$'\n'} == *': ok in '* && $code == 0 ]] && return ;;
        # A shell that SIGKILL ends prints nothing. On a busy machine, the output of a command that
        # was still running may come after the verdict.
        FAILED) [[ $output != *': ok in '* && $code != 0 && ($output == *': FAILED after '* || $code == 137) ]] && return ;;
    esac
    printf '%s\n' "$output"
    next="this command should have said $verdict, and its exit code was $code:$(printf ' %q' "$@")"
    exit 1
}

# Expects ok or FAILED from a check that runs these statements: `ends ok|FAILED STATEMENTS`.
ends() {
    printf '%s\n' ". ci/common" "$2" passed >"$scratch/ci/case.sh"
    (cd "$scratch" && says "$1" bash ci/case.sh) || { next="fix ci/common: a check with these statements does not say $1: $2" && exit 1; }
}

echo '+ a check ends as it should'
ends ok true
ends ok 'false || true'
for failure in false 'false | true' '(exit 4)' 'x=$(exit 5)' 'exit 0' 'exit 3' 'echo $unknown' 'cd nowhere' nowhere \
    'f() { false; true; }; f' 'for x in 1 2; do [[ $x == 2 ]]; done' 'if true; then exit; fi' 'passed() { false; }' 'passed; false'; do
    ends FAILED "$failure"
done
for signal in TERM HUP ALRM KILL; do
    for moment in "kill -s $signal \$\$" "bash -c 'kill -s $signal \$PPID'" "x=\$(kill -s $signal \$\$; echo)" "kill -s $signal \$\$ | cat"; do
        ends FAILED "$moment"
    done
done
# After SIGINT a shell goes on if the command that it waits for does.
ends FAILED 'kill -s INT $$'
# The line comes from the command that the shell waits for: a shell that is about to wait may miss the
# signal.
printf '%s\n' '. ci/common' 'bash -c "echo started; exec sleep 60"' passed >"$scratch/ci/case.sh"
for signal in TERM INT HUP; do
    # Signal the check and the processes that it has started, as `timeout` does.
    exec 3< <(cd "$scratch" && exec setsid env --default-signal bash ci/case.sh 2>&1)
    pid=$!
    read -r line <&3
    [[ $line == started ]]
    kill -s "$signal" -- "-$pid"
    code=0 output=$(cat <&3)
    wait "$pid" || code=$?
    [[ $code != 0 && $output == 'ci/case.sh: FAILED after '* ]]
done

echo '+ no test, an unknown test program, something that cannot be checked'
ends ok 'tested echo "test result: ok. 1 passed; 0 failed"'
for none in 'tested echo "test result: ok. 0 passed; 0 failed"' 'tested true' 'tested false' 'tested bash -c "echo test result: ok. 1 passed; exit 1"'; do
    ends FAILED "$none"
done
for name in no_such_test ''; do
    says FAILED bash -c '. ci/common && tests_but "$0" && passed' "$name"
done
says ok bash -c '. ci/common && tests_but memory && [[ " ${tests[*]} " == *" --test properties "* && ${tests[*]} != *memory* ]] && passed' ci/case.sh
ends ok 'leave_out something'
grep -q 'case.sh: ok in .*; NOT CHECKED: something$' <<<"$(cd "$scratch" && bash ci/case.sh 2>&1)"
ends FAILED 'AITER_COMPLETE=1 leave_out something'

echo '+ .ci/run'
printf '#!/bin/sh\nexit "${CARGO_CODE:-0}"\n' >"$scratch/bin/cargo"
chmod +x "$scratch/bin/cargo"
# Runs .ci/run on a check with these statements, and expects an exit code and a text in the output:
# `all CODE TEXT STATEMENTS`.
all() {
    local output code=0
    printf '%s\n' ". ci/common" "$3" passed >"$scratch/ci/case.sh"
    output=$(PATH=$scratch/bin:$PATH "$scratch/.ci/run" 2>&1) || code=$?
    [[ $code == "$1" && $output == *"$2"* ]] || { echo "$output" && next="fix .ci/run: exit code $code in place of $1 for a check with these statements: $3" && exit 1; }
}
all 0 $'\nci/case.sh                               ok ' true
all 0 'NOT CHECKED by ci/case.sh: something' 'leave_out something'
for failure in false 'exit 0' 'kill -s TERM $$' 'kill -s KILL $$'; do
    all 1 $'\nci/case.sh                               FAILED ' "$failure"
done
CARGO_CODE=101 all 1 'cargo test --workspace --no-fail-fast    FAILED ' true
rm "$scratch/ci/case.sh"
code=0
PATH=$scratch/bin:$PATH "$scratch/.ci/run" >"$scratch/run.txt" 2>&1 || code=$?
[[ $code == 1 ]] || { next='fix .ci/run: it passes without a check' && exit 1; }

echo '+ ci/fail_fast'
# Runs ci/fail_fast on a program with these statements, and expects an exit code and an output:
# `fails_fast CODE OUTPUT STATEMENTS`.
fails_fast() {
    local output code=0
    output=$(ci/fail_fast bash -c "$3" 2>/dev/null) || code=$?
    [[ $code == "$1" && $output == "$2" ]] || { next="fix ci/fail_fast: exit code $code and \`$output\` for a program with these statements: $3" && exit 1; }
}
fails_fast 101 'test a ... FAILED' 'echo "test a ... FAILED"; exec sleep 60'
fails_fast 7 '' 'exit 7'
fails_fast 137 '' 'kill -s KILL $$'
# The output of a program that ends at once is read too.
for ((n = 0; n < 100; n++)); do
    fails_fast 0 'test a ... ok' 'echo "test a ... ok"'
done
code=0
ci/fail_fast nowhere 2>/dev/null || code=$?
[[ $code == 127 ]]

echo '+ each check, with a Cargo that fails, one that prints nothing, and one that sends the check a signal'
# The verdict of these checks is the exit code of Cargo, or of a program that it runs.
by_code=(clippy conformance docs features format minimal_versions msrv no_std soak)
cat >"$scratch/bin/cargo" <<'STUB'
#!/usr/bin/env bash
case $STUB in
    silent) ;;
    fails) exit 1 ;;
    *) kill -s "$STUB" "$CHECK" ;;
esac
STUB
for tool in apt-get apt-cache git node python3 qemu-system-arm qemu-system-riscv32 rustc rustup sudo valgrind; do
    ln -s cargo "$scratch/bin/$tool"
done
for file in ci/*.sh; do
    name=$(basename "$file" .sh)
    [[ $name != checks && $name != all ]] || continue
    for stub in fails silent TERM HUP; do
        verdict=FAILED
        [[ $stub != silent || " ${by_code[*]} " != *" $name "* ]] || verdict=ok
        # shellcheck disable=SC2016
        STUB=$stub CARGO_TARGET_DIR=$scratch/target HOME=$scratch PATH=$scratch/bin:/usr/bin:/bin \
            says "$verdict" bash -c 'CHECK=$$ exec bash "$0"' "$file"
    done
done

echo '+ each check ends with its verdict, and is run by the workflow; each crate is looked at'
for file in ci/*.sh; do
    name=$(basename "$file" .sh)
    [[ $name != all ]] || continue
    [[ $(sed -n '$p' "$file") == passed ]] || { next="make \`passed\` the last statement of $file" && exit 1; }
    grep -q "^ *- { script: $name, " .github/workflows/ci.yml || { next="run $file in .github/workflows/ci.yml" && exit 1; }
    grep -q "^| \`$file\` |" CONTRIBUTING.md || { next="add $file to the table in CONTRIBUTING.md" && exit 1; }
done
next='correct `published` in ci/common: it lists the crates of the workspace that do not say `publish = false`'
diff <(printf '%s\n' "${published[@]}" | sort) <(grep -L '^publish = false' */Cargo.toml | xargs -n 1 dirname | sort)
passed
