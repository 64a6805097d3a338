#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --help and the man page name the same options: what one has and the other lacks is an error. With
# VERB the page is about VM files: its keys are the VM options in that verb's help.
#
# Usage: manual.sh PROGRAM MAN_PAGE [VERB]
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ $# -lt 3 ]; then
    "$1" --help | grep -oE -- '--[a-z][a-z0-9-]*' | sort -u >"$work/help"
    # In mdoc(7) an option is "Fl -name".
    grep -oE '^\.It Fl -[a-z][a-z0-9-]*' "$2" | sed 's/^\.It Fl /-/' | sort -u >"$work/manual"
else
    "$1" "$3" --help | sed '1,/^VM options/d' | grep -oE '^ +--[a-z][a-z0-9-]*' | sed 's/^ *--//' |
        sort -u >"$work/help"
    grep -oE '^\.It Cm [a-z][a-z0-9-]* =' "$2" | sed 's/^\.It Cm //; s/ =$//' | sort -u >"$work/manual"
    # And what each is when nothing is said.
    "$1" "$3" --help | sed '1,/^VM options/d' | tr -s ' \n' ' ' | sed 's/ --/\n--/g' |
        sed -n 's/^--\([a-z-]*\) .*(default \([^)]*\)).*/\1 \2/p' >"$work/defaults"
    [ -s "$work/defaults" ]
    while read -r key value; do
        sed -n "/^\.It Cm $key =/,/^\.It Cm [a-z-]* =\|^\.El/p" "$2" | sed 1d | tr '\n' ' ' >"$work/text"
        if ! grep -q default "$work/text" || ! grep -qF -- "${value#here}" "$work/text"; then
            echo "$2 does not say that the default of $key is $value."
            exit 1
        fi
    done <"$work/defaults"
fi
if ! diff "$work/help" "$work/manual"; then
    echo "The options of $1 --help (<) and of $2 (>) differ."
    exit 1
fi
# A page that mandoc warns about is shown wrong somewhere.
command -v mandoc >/dev/null || exit 0
mandoc -T lint -W warning "$2"
