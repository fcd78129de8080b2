#!/usr/bin/env bash
# Each published crate carries what it needs: both licences, its README, and every file that its
# source includes. The tree has no symbolic link, because a checkout on Windows turns a link into a
# text file; so the licences in the crates are copies, and have to be equal to those in the root.
. "$(dirname "$0")/common"
next='replace the symbolic links named above with copies, and compare these here'
links=$(git ls-files -s | sed -n 's/^120000 .*\t//p')
[[ -z $links ]] || { echo "$links" && exit 1; }

next='copy it anew: cp docs/DESIGN.md aiter-core/docs/'
step cmp docs/DESIGN.md aiter-core/docs/DESIGN.md
next='copy it anew: cp aiter-core/docs/pictures/NAME.svg aiter-tokio/docs/pictures/'
for picture in aiter-tokio/docs/pictures/*.svg; do
    step cmp "aiter-core/docs/pictures/${picture##*/}" "$picture"
done
for crate in "${published[@]}"; do
    for licence in LICENSE-APACHE LICENSE-MIT; do
        next="copy it anew: cp $licence $crate/"
        step cmp "$licence" "$crate/$licence"
    done
    echo "+ cargo package --list -p $crate"
    next="read the error above; a file that is missing has to stand below $crate, and neither .gitignore nor \`exclude\` may name it"
    files=$(cargo package --list --allow-dirty -p "$crate")
    included=$(cd "$crate" && grep -rho 'include_str!("[^"]*")' src | sed 's/.*("\(.*\)")/\1/; s#^\(\.\./\)*##' | sort -u || true)
    for file in Cargo.toml LICENSE-APACHE LICENSE-MIT README.md src/lib.rs $included; do
        grep -qxF -e "$file" <<<"$files" || { echo "missing in the package of $crate: $file" && exit 1; }
    done
done
passed
