#!/bin/bash
# The ways in which `cmake --install` can install the helper, each of which must give a user a tap, or
# must not: setuid, with a file capability, for one group only, with tapgate-lookup in a mode of its own
# or without. The build is used as it is: only the installation differs.
#
#   tests/system/install.sh [BUILD]     (default: build/release)
# shellcheck disable=SC2317 # check calls the functions
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin -- cmake ninja setcap python3
built=$(readlink -f "${1:-$top/build/release}")
[ -x "$built/helper/tapgate-helper" ] || skip "no helper in $built (build it)"

lab_bridge br0 192.0.2.1/24
lab_policy 'allow br0'
groupadd -r tapgate-users
out=$LAB/log/out

check() { # NAME COMMAND...
    if "${@:2}" >"$out" 2>&1; then
        ok "$1"
    else
        not_ok "$1" "this failed: ${*:2}"
        show_files "$out"
    fi
}

# install_as OPTION...: sets $helper and $lookup.
install_as() {
    local build=$LAB/build prefix=$LAB/prefix
    helper=$prefix/libexec/tapgate-helper
    lookup=$prefix/libexec/tapgate-lookup
    rm -rf "$build" "$prefix"
    cmake -S "$top" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF \
        -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_SYSCONFDIR="$prefix/etc" "$@" || return
    for program in "$built"/helper/tapgate-*; do
        [ ! -x "$program" ] || cp "$program" "$build/helper/"
    done
    cmake --install "$build" --component helper
}

mode_is() { # FILE MODE OWNER:GROUP
    [ "$(stat -c '%a %U:%G' "$1")" = "$2 $3" ] || {
        stat -c '%a %U:%G' "$1"
        return 1
    }
}
capable() {
    getcap "$helper" | grep -x "$helper cap_net_admin=ep"
}

# tap_for GROUP...: whether the lab user, with those groups as well, gets a tap.
tap_for() {
    local groups=$LAB_UID
    [ $# = 0 ] || groups=$LAB_UID,$(getent group "$1" | cut -d: -f3)
    setpriv --reuid="$LAB_UID" --regid="$LAB_UID" --groups="$groups" --inh-caps=-all \
        env -i PATH=/usr/bin:/bin python3 - "$helper" <<'END'
import socket, subprocess, sys
ours, theirs = socket.socketpair()
run = subprocess.run([sys.argv[1], "--br=br0", "--fd=%d" % theirs.fileno()], pass_fds=[theirs.fileno()])
theirs.close()
got = socket.recv_fds(ours, 1, 1)[1]
sys.exit(0 if run.returncode == 0 and len(got) == 1 else 1)
END
}
refused_for() { # GROUP...: for want of a right to start the helper, and for nothing else
    ! tap_for "$@" && grep -q '^PermissionError: .*tapgate-helper' "$out"
}

check "installs setuid" install_as
check "its mode" mode_is "$helper" 4755 root:root
check "a user gets a tap" tap_for
check "tapgate-lookup is execute-only" mode_is "$lookup" 711 root:root

check "installs with a file capability" install_as -DTAPGATE_PRIVILEGE=filecaps
check "its mode" mode_is "$helper" 755 root:root
check "its capability" capable
check "a user gets a tap" tap_for

check "installs for a group" install_as -DTAPGATE_GROUP=tapgate-users
check "its mode" mode_is "$helper" 4710 root:tapgate-users
check "who is in the group gets a tap" tap_for tapgate-users
check "who is not cannot start it" refused_for

check "installs for a group, with a file capability" install_as -DTAPGATE_GROUP=tapgate-users \
    -DTAPGATE_PRIVILEGE=filecaps
check "its mode" mode_is "$helper" 710 root:tapgate-users
check "its capability" capable
check "who is in the group gets a tap" tap_for tapgate-users
check "who is not cannot start it" refused_for

check "installs without a mode for tapgate-lookup" install_as -DTAPGATE_LOOKUP_EXECUTE_ONLY=OFF
check "its mode" mode_is "$lookup" 755 root:root

no_such_group() {
    ! install_as -DTAPGATE_GROUP=no-such-group && grep -q "invalid group.*no-such-group" "$out"
}
check "a group that is not there is an error" no_such_group

summary
