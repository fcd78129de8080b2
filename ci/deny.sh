#!/usr/bin/env bash
# Runs cargo-deny over licences, banned and duplicate packages, the sources of packages, and
# advisories (deny.toml says what is allowed, and why). The advisories come from the RustSec
# database on GitHub; AITER_ADVISORY_DB names another repository or a directory that has it. If the
# database cannot be reached, this check says so and does the rest.
. "$(dirname "$0")/common"
next='take another version of the package (cargo update), or another package; an exception goes into deny.toml, with its reason'
version=0.20.2
deny=$target_dir/tools/bin/cargo-deny
if [[ $(cargo deny --version 2>/dev/null) == "cargo-deny $version" ]]; then
    deny='cargo-deny'
elif [[ $("$deny" --version 2>/dev/null) != "cargo-deny $version" ]]; then
    step cargo install cargo-deny --locked --version "$version" --root "$target_dir/tools" --target-dir "$target_dir/tools"
fi
step "$deny" --all-features --locked check --hide-inclusion-graph bans licenses sources

advisories=https://github.com/RustSec/advisory-db
if [[ ${AITER_ADVISORY_DB:-} ]]; then
    [[ ! -d $AITER_ADVISORY_DB ]] || AITER_ADVISORY_DB=file://$(realpath "$AITER_ADVISORY_DB")
    export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=url.$AITER_ADVISORY_DB.insteadOf GIT_CONFIG_VALUE_0=$advisories
fi
if step git ls-remote --quiet --exit-code "$advisories" HEAD >/dev/null; then
    step "$deny" --all-features --locked check --hide-inclusion-graph advisories
else
    leave_out "advisories: ${AITER_ADVISORY_DB:-$advisories} cannot be reached; AITER_ADVISORY_DB names another place"
fi
passed
