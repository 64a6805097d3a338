# shellcheck shell=bash disable=SC2034 # variables of who sources it
# SPDX-License-Identifier: GPL-2.0-or-later
#
# How a test begins that needs neither root nor a bridge: with a home of its own. Source it, and say which
# programs of this host the test has to have:
#
#     source "$(dirname "${BASH_SOURCE[0]}")/home.sh"
#     home_alone --net                          # if it needs a network of its own
#     home_begin qemu-system-x86_64 qemu-img
#
# The test's first argument is the launcher: that is $tapgate. What the test makes is below $work. When it
# ends, so do the VMs of that home, and $work is removed; what else is to end then, a function `at_end' does,
# if the test has one. Exit code 77: the test cannot run here; with MUST_WORK=1 that fails.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/system/words.sh
source "$here/words.sh"
home_arguments=("$@") # the test's, since this was sourced without any
tapgate=$(readlink -f "${1:?"usage: ${0##*/} TAPGATE"}")

# home_alone [--net]: from here on, among processes of its own: `tapgate kill --all' ends all VMs of its user
# that it finds by their processes, so also one that another test has just started. With --net, in a network
# of its own too: QEMU listens on ports, which on the host somebody else may have.
# shellcheck disable=SC2120 # its argument is optional
home_alone() {
    local namespaces=("$@" --pid --fork --kill-child --mount-proc)
    if [ -z "${HOME_IS_ALONE:-}" ]; then
        need unshare
        if [ $# -gt 0 ]; then
            need ip
            namespaces+=(--map-root-user)
        elif [ "$(id -u)" != 0 ]; then
            namespaces+=(--map-current-user)
        fi
        unshare "${namespaces[@]}" true 2>/dev/null || skip "no namespaces: unshare ${namespaces[*]}"
        HOME_IS_ALONE=1 exec unshare "${namespaces[@]}" "$0" "${home_arguments[@]}"
    fi
    [ $# = 0 ] || ip link set lo up
}

# home_begin PROGRAM...: sets $work, HOME and XDG's variables; only HOME and XDG_RUNTIME_DIR are made.
home_begin() {
    need "$@"
    # shellcheck disable=SC2119
    [ -n "${HOME_IS_ALONE:-}" ] || home_alone
    work=$(mktemp -d)
    trap home_end EXIT
    umask 077
    export HOME=$work/home XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data XDG_RUNTIME_DIR=$work/run
    mkdir "$HOME" "$XDG_RUNTIME_DIR"
}

home_end() {
    ! declare -F at_end >/dev/null || at_end
    "$tapgate" kill --all >/dev/null 2>&1 || true
    rm -rf "$work"
}
