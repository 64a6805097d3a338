#!/bin/bash
# tapgate tap: programs other than QEMU's launcher get a tap on a bridge, as an unprivileged user. A
# program that only knows the descriptor exchanges frames with the bridge; the real QEMU boots a guest
# on descriptors that it finds open; refusals and mistakes leave no tap.
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin helper launcher guest -- python3
lab_bridge br0 192.0.2.1/24
lab_policy 'allow br0 max-taps=2 queues=4 mac-lock' 'deny br1'
lab_install "$helper" setuid
mac=52:54:00:00:00:07

# tap ARGS...: tapgate tap on br0 as the lab user. Sets $status.
tap() {
    status=0
    (lab_exec $LAB/tapgate tap --helper="$LAB_HELPER" "$@") >"$out" 2>"$err" </dev/null || status=$?
}

# expect NAME STATUS FILE REGEX: of the last tap; and no tap is left.
expect() {
    [ "$status" = "$2" ] || wrong "exit status $status, not $2"
    says "$3" "$4"
    lab_no_tap_left
    result "$1"
}

# --- a program that knows nothing but a number --------------------------------------------------

# Asks the bridge for its MAC address in a frame of its own, and prints the answer.
cat >$LAB/arp.py <<'END'
import os, select, sys
fd, mac = int(sys.argv[1]), bytes.fromhex(sys.argv[2].replace(":", ""))
ip, peer = bytes([192, 0, 2, 7]), bytes([192, 0, 2, 1])
request = bytes.fromhex("0001080006040001") + mac + ip + bytes(6) + peer
# Without a vnet header, and with the tun device's own four bytes off (IFF_NO_PI).
os.write(fd, b"\xff" * 6 + mac + b"\x08\x06" + request)
while select.select([fd], [], [], 10)[0]:
    frame = os.read(fd, 2048)
    if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\2" and frame[28:32] == peer:
        print("answered by", frame[22:28].hex(":"))
        break
END
tap --bridge=br0 --no-vnet --fd=9 --mac=$mac -- python3 $LAB/arp.py 9 $mac
expect "a program exchanges frames over descriptor 9" 0 "$out" \
    "^answered by $(cat /sys/class/net/br0/address)$"

# shellcheck disable=SC2016 # for the shell inside
tap --bridge=br0 --queues=3 --mac=$mac --vm=lab1 -- \
    sh -c 'echo "$TAPGATE_TAP_FDS" "$(cat /sys/class/net/"$TAPGATE_TAP_NAME"/ifalias)"; ls -l /proc/$$/fd'
expect "the environment names the descriptors and the tap" 0 "$out" \
    "^3,4,5 tapgate uid=$LAB_UID vm=lab1 mac=$mac$"
[ "$(grep -c ' -> /dev/net/tun$' "$out")" = 3 ] || wrong "see below"
result "three queues are three descriptors, and no more are open"

tap --bridge=br0 --mac=$mac -- sh -c 'exit 42'
expect "the exit status is the program's" 42 /dev/stdin '' <<<x

# --- mistakes and refusals -----------------------------------------------------------------------

tap --bridge=br1 -- true
expect "a refusal is exit code 3 with the helper's words" 3 "$err" 'access denied by acl file.*deny br1'
tap --bridge=br0 -- true
expect "mac-lock wants an address" 3 "$err" 'bridge.conf:1: allow br0 .*: mac-lock needs the MAC address .*: --mac=MAC$'
tap --bridge=br0 --mac=$mac -- no-such-program
expect "a program that is not there" 1 "$err" 'cannot start .no-such-program.: No such file'
tap --bridge=br0 --mac=$mac --fd=5 -- true 5</dev/null
expect "a descriptor in use stays whose it is" 1 "$err" 'descriptor 5 is open already'

# --- QEMU, as any VMM ----------------------------------------------------------------------------

# boot NAME TAP-OPTION QEMU-ARGS...: a guest whose QEMU is the command of tapgate tap.
boot() {
    local name=$1 verdict
    GUEST_STARTER=("$LAB/tapgate" tap --bridge=br0 --helper="$LAB_HELPER" "--mac=$mac" "$2" --)
    shift 2
    guest_start "guest$((passed + failed))" "$@"
    verdict=$(guest_verdict)
    if [ "$verdict" = PASS ]; then
        [ -n "$(lab_ports br0)" ] || wrong "br0 has no port while the guest runs"
        guest_release
    else
        guest_kill
        wrong "$verdict"
    fi
    lab_no_tap_left
    evidence=("$GUEST_STDERR" "$GUEST_SERIAL")
    result "$name"
}

boot "QEMU boots a guest on descriptor 3, its sandbox on" --fd=3 \
    -netdev tap,id=n0,fd=3 -device virtio-net-pci,netdev=n0,mac=$mac \
    -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
boot "QEMU boots a guest on two queues" --queues=2 \
    -netdev tap,id=n0,fds=3:4 -device virtio-net-pci,netdev=n0,mac=$mac,mq=on,vectors=6

summary
