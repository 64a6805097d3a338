#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --help and the man page name the same options: what one has and the other lacks is an error.
#
# Usage: manual.sh PROGRAM MAN_PAGE
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$1" --help | grep -oE -- '--[a-z][a-z-]*' | sort -u >"$work/help"
# In mdoc(7) an option is "Fl -name".
grep -oE '^\.It Fl -[a-z][a-z-]*' "$2" | sed 's/^\.It Fl /-/' | sort -u >"$work/manual"
if ! diff "$work/help" "$work/manual"; then
    echo "The options of $1 --help (<) and of $2 (>) differ."
    exit 1
fi
# A page that mandoc warns about is shown wrong somewhere.
command -v mandoc >/dev/null || exit 0
mandoc -T lint -W warning "$2"
