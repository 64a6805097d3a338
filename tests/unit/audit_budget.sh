#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Prints the audit list: the files that are linked into the privileged program, with their lines of code
# (without comments, blank lines and lone brackets). Fails when the total exceeds the budget. Somebody who
# wants to trust tapgate-helper has to read these files and no others; the budget keeps that an afternoon's
# work. It is never raised: look for what can go instead. The goal is 2000.
#
# Usage: audit_budget.sh SOURCE_DIRECTORY
set -eu

budget=2329
cd "$1"
total=0
# The folders in helper/ are programs without privilege, and the generator runs when tapgate is built.
for file in common/*.h common/*.cc helper/*.h helper/*.cc; do
    [ "$file" != helper/syscall_filter_generator.cc ] || continue
    # Comments are whole // lines, or follow code that counts anyway.
    lines=$(grep -vE '^[[:space:]]*//' "$file" | grep -c '[[:alnum:]]' || true)
    total=$((total + lines))
    printf '%6d  %s\n' "$lines" "$file"
done
printf '%6d  of a budget of %d\n' "$total" "$budget"
[ "$total" -le "$budget" ]

# What the helper links is in none of those folders.
if sed -n '/^add_library(tapgate_helper_lib/,/)$/p' helper/CMakeLists.txt | grep '[a-z_]/'; then
    echo "helper/CMakeLists.txt: tapgate_helper_lib has a file that is not in the audit list"
    exit 1
fi
