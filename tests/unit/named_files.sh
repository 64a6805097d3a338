#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What CONTRIBUTING.md and README.md send a reader to is there: each file and folder that they name.
#
# Usage: named_files.sh SOURCE-DIRECTORY
set -euo pipefail
cd "$1"

named=0
missing=0
# Names in the launcher's chapter start in launcher/; STEP and FOLDER stand for any.
while read -r name; do
    named=$((named + 1))
    if [ ! -e "$name" ] && [ ! -e "launcher/$name" ]; then
        echo "named and not there: $name"
        missing=$((missing + 1))
    fi
done < <({
    grep -oE '[a-z_]+(/[A-Za-z0-9_.-]+)*/[A-Za-z0-9_.-]+\.(cc|h|sh|1|5|8|conf|cmake|te)\b' CONTRIBUTING.md
    grep -oE '\]\([a-z][A-Za-z0-9_./-]*\)' README.md | tr -d ']()'
} | grep -vE 'STEP|FOLDER|~|^config/|//' | sort -u)
echo "$named names, $missing of files that are not there"
[ "$named" -ge 40 ] || { echo "so few: is the pattern still right?"; exit 1; }
[ "$missing" -eq 0 ]
