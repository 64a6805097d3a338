#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# etc/qemu-ifup and etc/qemu-ifdown, called by the real QEMU as root: `-netdev tap,script=` with a real
# guest that pings over the bridge, and what the scripts say if there is no bridge.
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin guest

up=$top/etc/qemu-ifup
down=$top/etc/qemu-ifdown
environment=()
# QEMU runs as root here: the scripts need it.
lab_exec() {
    exec env -i PATH=/usr/bin:/bin "${environment[@]}" "$@"
}

# guest NAME BRIDGE QEMU-ARGS...: the guest reaches 192.0.2.1, its tap is on the bridge, and is gone
# when it is off.
guest() {
    local name=$1 bridge=$2 verdict
    shift 2
    guest_start "$name" "$@" -device virtio-net-pci,netdev=n0
    verdict=$(guest_verdict)
    [ "$verdict" = PASS ] || wrong "$verdict"
    [ "$(lab_ports "$bridge")" = tap7 ] || wrong "the ports of $bridge: $(lab_ports "$bridge")"
    if [ -n "$problem" ]; then guest_kill; else guest_release; fi
    lab_no_taps || wrong "left over: $(lab_taps)"
    evidence=("$GUEST_STDERR" "$GUEST_SERIAL")
    result "$name: a guest on $bridge"
    evidence=()
}

tap=tap,id=n0,ifname=tap7,script=$up,downscript=$down

# --- which bridge ---------------------------------------------------------------------------------

refused "there is no bridge" \
    timeout 20 qemu-system-x86_64 -M q35 -accel tcg -S -display none -nodefaults -netdev "$tap"
result "no bridge at all: QEMU does not start"
lab_bridge br0 192.0.2.1/24
guest "the only bridge" br0 -netdev "$tap"
lab_bridge br1 198.51.100.1/24
refused "several bridges (br0 br1)" \
    timeout 20 qemu-system-x86_64 -M q35 -accel tcg -S -display none -nodefaults -netdev "$tap"
result "two bridges: it names them"
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
up_twice 2>$LAB/log/up || wrong "it failed: $(cat $LAB/log/up)"
[ "$(lab_ports br1)" = tap9 ] || wrong "the ports of br1: $(lab_ports br1)"
[[ $(cat /sys/class/net/tap9/flags) == *3 ]] || wrong "tap9 is not up"
result "twice is as once"
{ "$down" tap9 && "$down" tap9; } 2>$LAB/log/down || wrong "it failed: $(cat $LAB/log/down)"
[ -z "$(lab_ports br1)" ] || wrong "the ports of br1: $(lab_ports br1)"
result "down, and down again"
ip link del tap9
said=$("$down" tap9 2>&1) || wrong "it failed"
[ -z "$said" ] || wrong "it said: $said"
result "down without the tap"

refused "there is no device tap9" "$up" tap9
result "up without the tap"
refused "usage" "$up"
refused "usage" "$down"
result "no arguments"
refused "lo is no bridge; there are: br0 br1" "$up" lo lo
result "what is no bridge"
summary
