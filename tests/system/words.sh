# shellcheck shell=bash
# The words of all shell tests: they look for what is wrong, and print TAP-like results, one line each.
#
#     refused 'no such file' "$tapgate" show nobody
#     says "$out" '^lab +off'
#     result "a VM that is off"
#
# A result consists of several steps: the first that goes wrong is its problem, and the others still run.

problem=     # of the result that is being made
evidence=()  # files that are shown when a result is not ok, as words or as patterns
passed=0
failed=0

# 77 is what test drivers take for "skipped". With MUST_WORK=1 nothing may be skipped silently.
skip() { # WHY
    if [ "${MUST_WORK:-0}" = 1 ]; then
        printf '%s: cannot run, and MUST_WORK=1: %s\n' "${0##*/}" "$*" >&2
        exit 1
    fi
    printf '%s: skipped: %s\n' "${0##*/}" "$*" >&2
    exit 77
}

die() { # WHY
    printf 'not ok - %s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# A script that `set -e` ends says where: else CI shows only that it failed. Not in subshells, whose output
# may be somebody's input.
set -E
trap 'stopped_at $? "${BASH_SOURCE[0]:-}" $LINENO "$BASH_COMMAND"' ERR
stopped_at() { # EXIT-CODE FILE LINE COMMAND
    [[ $- == *e* ]] && [ "$BASH_SUBSHELL" = 0 ] || return 0
    printf 'not ok - %s:%d: exit code %d of: %s\n' "${2##*/}" "$3" "$1" "${4%%$'\n'*}" >&2
}

# need PROGRAM...
need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || skip "no $program"
    done
}

# read_uptime: sets $uptime, the seconds since the machine was started. Nobody sets that clock, as somebody
# may set $SECONDS' while a test waits.
read_uptime() {
    read -r uptime _ </proc/uptime
    uptime=${uptime%.*}
}

wrong() { # TEXT: only the first is worth knowing
    [ -n "$problem" ] || problem=$1
}

# says FILE REGEX: one of its lines matches.
says() {
    grep -Eq -- "$2" "$1" || wrong "${1##*/} has no '$2': $(tail -n 3 "$1")"
}

# matches GREP-ARGUMENT...: as grep -q, but it reads all that is written. Else its writer, which has more to
# say, is killed now and then, and `pipefail' takes that for no match. (grep with its output in /dev/null
# is no better.)
matches() {
    local count
    count=$(grep -c "$@") && [ "$count" -gt 0 ]
}

# refused TEXT COMMAND...: the command fails, and says TEXT.
refused() {
    local text=$1 said
    shift
    if said=$("$@" 2>&1 </dev/null); then wrong "this did not fail: $*"; fi
    [[ $said == *"$text"* ]] || wrong "'$*' does not say '$text': $said"
}

# result NAME: of the steps since the one before.
result() {
    if [ -z "$problem" ]; then
        ok "$1"
    else
        not_ok "$1" "$problem"
        # shellcheck disable=SC2068 # patterns
        show_files ${evidence[@]}
    fi
    problem=
}

# verdict NAME COMMAND...: a result of one step, as the command succeeds.
verdict() {
    local name=$1
    shift
    if [ ${#evidence[@]} -gt 0 ]; then
        "$@" >"${evidence[0]}" 2>&1 || wrong "this failed: $*"
    else
        "$@" || wrong "this failed: $*"
    fi
    result "$name"
}

ok() { # NAME
    passed=$((passed + 1))
    echo "ok $((passed + failed)) - $1"
}

not_ok() { # NAME WHY
    failed=$((failed + 1))
    echo "not ok $((passed + failed)) - $1"
    echo "# $2"
}

# show_files FILE...: what a result that is not ok left behind, as comments.
show_files() {
    local file
    for file in "$@"; do
        [ -s "$file" ] || continue
        echo "# --- ${file##*/}"
        tail -n 30 "$file" | tr -d '\r' | sed 's/^/#   /'
    done
}

# heeding_modes COMMAND...: root may read and write a file whatever its mode is; this one not, also when root
# runs it.
heeding_modes() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --bounding-set=-dac_override,-dac_read_search -- "$@"
    else
        "$@"
    fi
}

# not_here NAME WHY: this host cannot run that part of the test. With MUST_WORK=1 that is not ok.
not_here() {
    if [ "${MUST_WORK:-0}" = 1 ]; then
        not_ok "$1" "it cannot run here, and MUST_WORK=1: $2"
    else
        echo "# not run: $1 ($2)"
    fi
}

summary() { # exits
    # Of steps behind the last result, which would be nobody's.
    [ -z "$problem" ] || result "what came after the last result"
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ] && [ "$passed" -gt 0 ] || exit 1
    exit 0
}
