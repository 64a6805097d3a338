#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The synopsis of tapgate(1) has each verb with the options that it takes, and no others.
#
# Usage: manual_synopsis.sh PROGRAM MAN_PAGE
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A line each: "VERB --option", and "VERB option" where those of a VM are taken. In mdoc(7) an entry begins
# with Nm, its verbs stand behind the first Cm, and an option is "Fl -name".
awk '
    /^\.Sh / { inside = $2 == "SYNOPSIS"; next }
    !inside { next }
    /^\.Nm/ { count = 0; named = 0; next }
    /^\.Cm / && !named {
        named = 1
        # Of "lab up | down" and "snapshot save" the first word is the verb.
        several = $0 !~ /^\.Cm (lab|snapshot) /
        for (i = 2; i <= NF && (several || i == 2); i++)
            if ($i != "|") verbs[count++] = $i
    }
    {
        for (i = 1; i <= NF; i++)
            if ($i ~ /^\.?Fl$/ && $(i + 1) != "-") for (v = 0; v < count; v++) print verbs[v], "-" $(i + 1)
        if ($0 ~ /Ar option \.\.\./) for (v = 0; v < count; v++) print verbs[v], "option"
    }' "$2" | sort -u >"$work/manual"

# "--seed" stands there by name, though it is one of the VM's.
"$1" help run | sed -n '/^VM options:/,$s/^ *\(--[a-z-]*\).*/\1/p' >"$work/of_vms"
while read -r option; do
    sed -i "/ $option\$/d" "$work/manual"
done <"$work/of_vms"

"$1" --help | sed -n 's/^  tapgate \([a-z-]*\).*/\1/p' | sort -u >"$work/verbs"
while read -r verb; do
    "$1" help "$verb" | awk -v verb="$verb" '
        /^VM options:/ { print verb, "option"; exit }
        match($0, /^  (-[a-z0-9], )?--[a-z0-9-]+/) {
            split(substr($0, RSTART, RLENGTH), words, " ")
            name = words[1] ~ /^--/ ? words[1] : words[2]
            if (name != "--help" && name != "--version") print verb, name
        }'
done <"$work/verbs" | sort -u >"$work/help"
[ -s "$work/help" ]

if ! diff "$work/help" "$work/manual"; then
    echo "What each verb takes, by $1 help VERB (<) and by the synopsis of $2 (>), differs."
    exit 1
fi
