#!/bin/bash
# What is installed on this machine (a package, or `cmake --install`): an unprivileged user's `tapgate
# run` boots a guest, which pings the bridge through a tap from the installed helper. In its own lab,
# with its own policy.
#
# TAPGATE        the installed launcher (default: the one in PATH); it knows where its helper is
# shellcheck disable=SC2317 # the functions that check calls
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin guest
tapgate=${TAPGATE:-$(command -v tapgate)} || skip "tapgate is not installed"
lab_bridge br0 192.0.2.1/24
lab_policy 'allow br0'
check() { # NAME COMMAND...: or the end, with what the guest said
    if "${@:2}"; then
        ok "$1"
    else
        not_ok "$1" "this failed: ${*:2}"
        show_files "$GUEST_STDERR" "$GUEST_SERIAL"
        summary
    fi
}

(lab_exec "$tapgate" create demo --memory=128M --net=bridge:br0 --accel=tcg --kernel="$GUEST_DIR/kernel" \
    --initrd="$GUEST_DIR/initramfs.cpio" --append="$GUEST_APPEND tapgate.hold=60") >/dev/null
guest_run demo "$tapgate" run demo
verdict=$(guest_verdict)
check "a user's guest pings the bridge" [ "$verdict" = PASS ]
port=$(lab_ports br0)
check "through one port" [ "$(wc -w <<<"$port")" = 1 ]
check "which is that user's" grep -q "^tapgate uid=$LAB_UID" "/sys/class/net/$port/ifalias"
guest_release
check "and powers off" [ "$GUEST_STATUS" = 0 ]
no_ports() {
    [ -z "$(lab_ports br0)" ]
}
check "the port goes with it" lab_poll 5 no_ports
summary
