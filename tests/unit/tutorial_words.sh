#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each verb that tapgate-tutorial(7) types is one (tests/system/tutorial.sh types them with real guests),
# and the page has no mistake that mandoc knows.
#
# Usage: tutorial_words.sh TAPGATE PAGE
set -eu

verbs=$(mktemp)
trap 'rm -f "$verbs"' EXIT
sed -n 's/^\.Dl [$#] \(.*do \)\{0,1\}tapgate \([a-z-]*\).*/\2/p' "$2" | sort -u >"$verbs"
while read -r verb; do
    "$1" help "$verb" >/dev/null || exit 1
done <"$verbs"
[ "$(wc -l <"$verbs")" -ge 15 ] || { echo "so few verbs: is the pattern still right?"; exit 1; }
command -v mandoc >/dev/null || exit 0
mandoc -T lint -W warning "$2"
