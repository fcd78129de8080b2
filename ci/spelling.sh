#!/usr/bin/env bash
# No file has a known misspelling. `typos` compares words with a list of common ones; `_typos.toml`
# names what it must not touch.
. "$(dirname "$0")/common"
next='correct the word, by `typos --write-changes` if you like; a name that has to stay goes into _typos.toml'
version=1.52.0
tools=$target_dir/tools/typos
typos=$tools/bin/typos
if [[ $(typos --version 2>/dev/null) == "typos-cli $version" ]]; then
    typos=typos
elif [[ $("$typos" --version 2>/dev/null) != "typos-cli $version" ]]; then
    fix=$next
    next="install typos $version (pip install typos==$version, or cargo install typos-cli), or Python 3 with its venv module"
    step python3 -m venv "$tools"
    step "$tools/bin/pip" install --quiet --disable-pip-version-check "typos==$version"
    next=$fix
fi
step "$typos" --color never

# The check itself has to find a misspelling, also in the comments of code.
next='typos does not find a misspelling: look at what _typos.toml leaves out'
scratch=$target_dir/spelling
mkdir -p "$scratch"
# Put together here, so that this file passes.
printf '// It %s an item.\n' 'rec''ieves' >"$scratch/wrong.rs"
code=0
step "$typos" --color never --config "$PWD/_typos.toml" --isolated --no-ignore "$scratch/wrong.rs" || code=$?
((code == 2))
passed
