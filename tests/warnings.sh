#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every file of C++ without a warning, in each compiler that is here and in C++20 and C++23: g++ and
# clang++ of this Debian and of the other one, where installed. Nothing is made. Part of tests/run --long.
#
#   tests/warnings.sh [COMPILER STANDARD [DIRECTORY]]   such as clang++-19 23, or g++ 20 launcher; default: all
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Compile commands without precompiled headers and unity files: each file is seen by itself.
cmake --preset lint -DBUILD_TESTING=ON -DCMAKE_CXX_COMPILER_LAUNCHER= -DCMAKE_C_COMPILER_LAUNCHER= >/dev/null
cmake --build --preset lint -j "$(nproc)" >/dev/null # headers that are generated
compilers=()
for compiler in g++ g++-12 g++-14 clang++ clang++-14 clang++-19; do
    ! command -v "$compiler" >/dev/null || compilers+=("$compiler")
done
standards=(20 23)
directory=
if [ $# -ge 2 ]; then
    compilers=("$1")
    standards=("$2")
    directory=${3:-}
fi

# shellcheck disable=SC2317 # called by the shells that xargs starts
# one COMPILER STANDARD DIRECTORY COMMAND: the compile command, with these.
one() {
    local words word rest=()
    cd "$3"
    eval "words=($4)" # CMake quotes them for a shell
    while [ ${#words[@]} -gt 1 ]; do
        words=("${words[@]:1}")
        word=${words[0]}
        case $word in
        -std=* | -c) ;;
        -o) words=("${words[@]:1}") ;;
        *) rest+=("$word") ;;
        esac
    done
    # The compile commands are g++'s, and one of its warnings is unknown to clang.
    [[ $1 != clang* ]] || rest=(-Wno-unknown-warning-option "${rest[@]}")
    [[ ${rest[-1]} != *.c ]] || return 0
    "$1" "-std=c++$2" -Werror -fsyntax-only "${rest[@]}" || {
        echo "$1, C++$2: ${rest[-1]}"
        return 1
    }
}
export -f one

# spelled COMPILER STANDARD: as that compiler calls it. To clang before 17, C++23 is to come.
spelled() {
    if "$1" "-std=c++$2" -fsyntax-only -x c++ /dev/null 2>/dev/null; then
        echo "$2"
    else
        echo 2b
    fi
}

status=0
for compiler in "${compilers[@]}"; do
    for standard in "${standards[@]}"; do
        begin=$SECONDS
        # shellcheck disable=SC2016 # expanded by the shells that xargs starts
        jq -j --arg in "$PWD/$directory" '.[] | select(.file | startswith($in)) | .directory, "\u0000", .command, "\u0000"' build/lint/compile_commands.json |
            xargs -0 -n 2 -P "$(nproc)" bash -c 'one "$0" "$1" "$2" "$3"' "$compiler" "$(spelled "$compiler" "$standard")" || status=1
        echo "$compiler, C++$standard: $((SECONDS - begin)) s"
    done
done
exit $status
