#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a terminal of 80 columns makes of the manuals: no command or rule is broken in two, which who pastes it
# would type half of, and no table has a column beyond the middle, with a word a line.
#
# Usage: manual_width.sh PAGE...
set -eu

status=0
for page; do
    # In mdoc(7) a line to type is "Dl", "\e" a backslash and "\ " a blank. It begins in column 11, and so
    # many characters of it fit.
    awk -v page="$page" -v most=67 '
        /^\.Dl / {
            line = substr($0, 5)
            gsub(/\\e/, "\\", line)
            gsub(/\\ /, " ", line)
            if (length(line) > most) { print page ":" NR ": is broken: " line; failed = 1 }
        }
        END { exit failed }' "$page" || status=1
    if command -v groff >/dev/null && groff -mdoc -Tascii -P-c -rLL=78n "$page" 2>/dev/null | grep -E '^ {50}'; then
        echo "These lines of $page begin too far to the right."
        status=1
    fi
done
exit $status
