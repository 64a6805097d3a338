#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# etc/qemu-ifup and etc/qemu-ifdown, called by the real QEMU as root: `-netdev tap,script=` with a
# real guest that pings over the bridge, and what they say where there is no bridge.
#
# Usage: ifup.sh. Exit code 77: cannot run here; with MUST_WORK=1 that fails.
set -euo pipefail

top=$(readlink -f "$(dirname "$(readlink -f "$0")")/../..")
# shellcheck source=tests/system/lab.sh
source "$top/tests/system/lab.sh"
# shellcheck source=tests/system/guest.sh
source "$top/tests/system/guest.sh"

lab_require qemu-system-x86_64 qemu-system-x86 ip iproute2
guest_prepare "$top"
lab_enter "$0" "$@"
guest_mount

# On a busy host the kernel's test of its timer can fail, and then it hangs.
GUEST_APPEND+=" no_timer_check"
up=$top/etc/qemu-ifup
down=$top/etc/qemu-ifdown
environment=()
# QEMU runs as root here: the scripts need it.
lab_exec() {
    exec env -i PATH=/usr/bin:/bin "${environment[@]}" "$@"
}

result() { # NAME PROBLEM
    if [ -z "$2" ]; then
        lab_ok "$1"
    else
        lab_not_ok "$1" "$2"
        lab_show $LAB/log/*
    fi
}

# guest NAME BRIDGE QEMU-ARGS...: the guest reaches 192.0.2.1, its tap is on the bridge, and is gone
# when it is off.
guest() {
    local name=$1 bridge=$2 problem
    shift 2
    guest_start "$name" "$@" -device virtio-net-pci,netdev=n0
    problem=$(guest_verdict)
    [ "$problem" != PASS ] || problem=
    [ "$(lab_ports "$bridge")" = tap7 ] ||
        problem="${problem:+$problem; }the ports of $bridge: $(lab_ports "$bridge")"
    if [ -n "$problem" ]; then guest_kill; else guest_release; fi
    [ -z "$(lab_taps)" ] || problem="${problem:+$problem; }left over: $(lab_taps)"
    result "$name: a guest on $bridge" "$problem"
}

# refused NAME TEXT COMMAND...: fails, and says the text.
refused() {
    local name=$1 text=$2 said problem=
    shift 2
    if said=$("$@" 2>&1); then problem="it did not fail"; fi
    [[ $said == *"$text"* ]] || problem="${problem:+$problem; }it said: $said"
    result "$name" "$problem"
}

tap=tap,id=n0,ifname=tap7,script=$up,downscript=$down

# --- which bridge ---------------------------------------------------------------------------------

refused "no bridge at all: QEMU does not start" "there is no bridge" \
    timeout 20 qemu-system-x86_64 -M q35 -accel tcg -S -display none -nodefaults -netdev "$tap"
lab_bridge br0 192.0.2.1/24
guest "the only bridge" br0 -netdev "$tap"
lab_bridge br1 198.51.100.1/24
refused "two bridges: it names them" "several bridges (br0 br1)" \
    timeout 20 qemu-system-x86_64 -M q35 -accel tcg -S -display none -nodefaults -netdev "$tap"
environment=(TAPGATE_BRIDGE=br0)
guest "the environment" br0 -netdev "$tap"
environment=()
ip route add default via 192.0.2.254 dev br0
guest "the default route" br0 -netdev "$tap"

# --- called by hand ---------------------------------------------------------------------------------

ip tuntap add tap9 mode tap
up_twice() {
    "$up" tap9 br1 && "$up" tap9 br1
}
problem=
up_twice 2>$LAB/log/up || problem="it failed"
[ "$(lab_ports br1)" = tap9 ] || problem="${problem:+$problem; }the ports of br1: $(lab_ports br1)"
[[ $(cat /sys/class/net/tap9/flags) == *3 ]] || problem="${problem:+$problem; }tap9 is not up"
result "twice is as once" "$problem"
problem=
{ "$down" tap9 && "$down" tap9; } 2>$LAB/log/down || problem="it failed"
[ -z "$(lab_ports br1)" ] || problem="${problem:+$problem; }the ports of br1: $(lab_ports br1)"
result "down, and down again" "$problem"
ip link del tap9
result "down without the tap" "$("$down" tap9 2>&1 || echo "it failed")"

refused "up without the tap" "there is no device tap9" "$up" tap9
refused "no arguments" "usage" "$up"
refused "down without arguments" "usage" "$down"
refused "what is no bridge" "lo is no bridge; there are: br0 br1" "$up" lo lo
lab_summary
