#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# README.md, typed from its first command to its last by an unprivileged user on the host of reader.sh:
# the first VM, the class, and the tour. Lines indented by four blanks are typed (lines up to END of a
# here-document are one command), and each has to succeed. What is between ``` is shown; if it is the
# beginning of a table, the command before it has to print the same.
set -euo pipefail

# shellcheck source=tests/system/reader.sh
source "$(dirname "${BASH_SOURCE[0]}")/reader.sh"
reader_begin
lab_policy 'allow br0'

# type_command COMMAND: and what it is about, where that can be seen.
type_command() {
    case $1 in
    'tapgate run web') typed_on_terminal "$1" '^PASS' ;;
    *) typed user "$1" ;;
    esac
    case $1 in
    *'ssh web -- uname -s') says "$out" '^Linux$' ;;
    'tapgate lab exec class.conf'*) [ "$(grep -c '^class-student-[123]: ' "$out")" = 3 ] || wrong "not of all three" ;;
    'tapgate show web'*) says "$out" '^memory = 512M' ;;
    'ssh tapgate-web'*) says "$out" '^hello$' ;;
    *'screenshot web now.png') head -c 4 "$home/now.png" | matches PNG || wrong "no picture" ;;
    'tapgate tap '*) says "$out" '^/dev/net/tun$' ;;
    'tapgate list --all') says "$out" '^rhce +off' ;;
    esac
    result "$(sed -n '1s/  *#.*//p' <<<"$1")"
}

# type_section NAME: what stands below that headline.
type_section() {
    local line command='' shown=0 count=0
    while IFS= read -r line <&9; do
        if [[ $line == '```'* ]]; then
            shown=$((1 - shown))
            [ "$shown" = 0 ] || count=0
        elif [ "$shown" = 1 ]; then
            count=$((count + 1))
            # A table's first line, with as many blanks as its columns need.
            [[ $count != 1 || $line != [Nb]*'  '* ]] || {
                tr -s ' ' <"$out" | matches -Fx "$(tr -s ' ' <<<"$line")" || wrong "no '$line' in $(head -n 2 "$out")"
                result "what the README shows: ${line%%  *} ..."
            }
        elif [[ $line == '    '* || -n $command ]]; then
            command+=${command:+$'\n'}${line#    }
            [[ $command == *'<<END'* && $line != '    END' ]] || {
                type_command "$command"
                command=
            }
        fi
    done 9< <(awk -v name="## $1" '/^## / { on = ($0 == name); next } on' "$top/README.md")
    [ -z "$command" ] || {
        wrong "END is missing in README.md: $command"
        result "$1"
    }
}

type_section 'The first VM in one minute'
type_section 'A class in five'
type_section 'A tour'
typed user 'tapgate list --all --json'
[ "$(cat "$out")" = '[]' ] || wrong "what is left: $(cat "$out")"
result "the tour leaves no VM"
lab_no_tap_left
result "and no tap"
summary
