#!/bin/bash
# Real QEMU, started by an unprivileged user, gets its network through the helper, in each of the ways in
# which QEMU calls one, and with each of the two ways to install it. A guest boots, pings the bridge over
# virtio-net and says PASS; meanwhile its tap is the bridge's only port; afterwards the tap is gone.
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin helper guest -- setcap
lab_bridge br0 192.0.2.1/24
lab_policy 'allow br0'

kind=plain
# port_problem: what is wrong with br0's ports while one guest runs; nothing when all is well.
port_problem() {
    local ports alias
    ports=$(lab_ports br0)
    case $ports in
    '') echo "br0 has no port while the guest runs" && return ;;
    *$'\n'*) echo "br0 has more than one port: ${ports//$'\n'/ }" && return ;;
    esac
    if [ "$kind" = plain ]; then
        [ -e "/sys/class/net/$ports/tun_flags" ] || echo "the port $ports is not a tap"
    else
        [ ! -e "/sys/class/net/$ports/tun_flags" ] || echo "the port $ports is a tap, not one's outer end"
    fi
    # The stock helper can be put here for comparison, and leaves no tag.
    alias=$(cat "/sys/class/net/$ports/ifalias")
    case ${helper##*/}/$alias in
    "tapgate-helper/tapgate uid=$LAB_UID" | "tapgate-helper/tapgate uid=$LAB_UID "*) ;;
    tapgate-helper/*) echo "the port's alias is '$alias', not 'tapgate uid=$LAB_UID'" ;;
    esac
}

# judge NAME: from a started guest to the result line.
judge() {
    local verdict
    verdict=$(guest_verdict)
    if [ "$verdict" != PASS ]; then
        guest_kill
        wrong "$verdict"
    else
        problem=$(port_problem)
        [ "$GUEST_NAME" = net-bridge ] || problem+=$(offloads_problem) # QEMU's hub between them knows none
        guest_release
        [ "$GUEST_STATUS" = 0 ] || wrong "QEMU's exit status is $GUEST_STATUS"
    fi
    lab_no_tap_left
    evidence=("$GUEST_STDERR" "$GUEST_SERIAL")
    result "$1"
}

nic=(-device "virtio-net-pci,netdev=n0")

# What the guest leaves to the host, and the other way round: checksums and TCP's segments; UDP's (USO)
# where QEMU knows them and the kernel's tap does, too (6.2). Bits of linux/virtio_net.h.
offloads=(0:csum 1:guest_csum 7:guest_tso4 8:guest_tso6 11:host_tso4 12:host_tso6)
uso=(54:guest_uso4 55:guest_uso6 56:host_uso)
if qemu-system-x86_64 -device virtio-net-pci,help | matches '^ *host_uso=' &&
    printf '6.2\n%s\n' "$(uname -r)" | sort -VC; then
    offloads+=("${uso[@]}")
    uso=()
fi

# offloads_problem: when the guest has not exactly these.
offloads_problem() {
    local features bit
    features=$(sed -n 's/^eth0: features \([01]*\).*/\1/p' "$GUEST_SERIAL")
    for bit in "${offloads[@]}"; do
        [ "${features:${bit%:*}:1}" = 1 ] || echo "the guest's card lacks ${bit#*:}: '$features'"
    done
    for bit in "${uso[@]}"; do
        [ "${features:${bit%:*}:1}" = 0 ] || echo "the guest's card has ${bit#*:}: '$features'"
    done
}

# --- the six ways in which QEMU calls a helper -------------------------------------------------

lab_install "$helper" setuid

guest_start netdev-bridge -netdev "bridge,id=n0,br=br0,helper=$LAB_HELPER" "${nic[@]}"
judge "-netdev bridge,helper="

guest_start netdev-tap -netdev "tap,id=n0,br=br0,helper=$LAB_HELPER" "${nic[@]}"
judge "-netdev tap,helper="

guest_start net-bridge -net nic,model=virtio-net-pci -net "bridge,br=br0,helper=$LAB_HELPER"
judge "-net bridge,helper= (legacy)"

guest_start nic -nic "bridge,model=virtio-net-pci,br=br0,helper=$LAB_HELPER"
judge "-nic bridge,helper="

# With a blank in it, QEMU gives the string to sh -c, and leaves out its own --br=.
guest_start shell-form -netdev "bridge,id=n0,br=br0,helper=$LAB_HELPER --br=br0" "${nic[@]}"
judge "-netdev bridge,helper=\"H --br=br0\" (through sh -c)"

# QMP over two fifos: the shell can speak that with no further tool.
qmp() { # COMMAND: fails on an error, and leaves the answer in $reply
    echo "$1" >&"$qmp_in"
    while IFS= read -r -t 10 reply <&"$qmp_out"; do
        case $reply in
        *'"return"'*) return 0 ;;
        *'"error"'*) return 1 ;;
        esac # else the greeting, or an event
    done
    reply="no answer within 10 s"
    return 1
}

qmp_hotplug() {
    qmp '{"execute": "qmp_capabilities"}' &&
        qmp '{"execute": "netdev_add", "arguments": {"type": "bridge", "id": "n0", "br": "br0",
            "helper": "'"$LAB_HELPER"'"}}' &&
        qmp '{"execute": "device_add", "arguments": {"driver": "virtio-net-pci", "id": "nic0",
            "netdev": "n0", "bus": "port0"}}' &&
        qmp '{"execute": "cont"}'
}

# A contained tap is no poorer.
lab_policy 'allow br0 max-taps=2'
kind=contained
guest_start contained -netdev "bridge,id=n0,br=br0,helper=$LAB_HELPER" "${nic[@]}"
judge "contained: -netdev bridge,helper="
kind=plain
lab_policy 'allow br0'

mkfifo -m 0600 $LAB/log/qmp.in $LAB/log/qmp.out
chown "$LAB_UID" $LAB/log/qmp.in $LAB/log/qmp.out
exec {qmp_in}<>$LAB/log/qmp.in {qmp_out}<>$LAB/log/qmp.out
# Started stopped: QEMU calls the helper at run time, and the guest finds the card when it boots.
guest_start qmp -S -device pcie-root-port,id=port0,chassis=1 \
    -chardev pipe,id=qmp,path=$LAB/log/qmp -mon chardev=qmp,mode=control
if qmp_hotplug; then
    judge "QMP netdev_add type bridge, device_add"
else
    guest_kill
    wrong "QMP: $reply"
    result "QMP netdev_add type bridge, device_add"
fi
exec {qmp_in}>&- {qmp_out}>&-

# --- file capabilities instead of setuid --------------------------------------------------------

lab_install "$helper" filecaps
guest_start filecaps -netdev "bridge,id=n0,br=br0,helper=$LAB_HELPER" "${nic[@]}"
judge "file capabilities: -netdev bridge,helper="

# --- in the place of the stock helper ------------------------------------------------------------

lab_install "$helper" setuid
name="in the stock helper's place: -netdev bridge with no helper="
if lab_replace_stock; then
    guest_start default-helper -netdev bridge,id=n0,br=br0 "${nic[@]}"
    judge "$name"
else
    not_here "$name" "this host's QEMU has no helper at the usual places"
fi

# --- ends that nobody planned -------------------------------------------------------------------

guest_start killed -netdev "bridge,id=n0,br=br0,helper=$LAB_HELPER" "${nic[@]}"
problem=$(guest_verdict)
[ "$problem" != PASS ] || problem=$(port_problem)
guest_kill
lab_no_tap_left
evidence=("$GUEST_STDERR" "$GUEST_SERIAL")
result "QEMU killed with SIGKILL leaves no tap"

# qemu_refused TEXT NAME: QEMU must fail, and say what the helper said.
qemu_refused() {
    guest_start "$2" -netdev "bridge,id=n0,br=br0,helper=$LAB_HELPER" "${nic[@]}"
    if lab_poll 10 guest_gone; then
        guest_wait
    else
        wrong "QEMU runs on"
        guest_kill
    fi
    [ "$GUEST_STATUS" != 0 ] || wrong "QEMU's exit status is 0"
    says "$GUEST_STDERR" "$1"
    lab_no_taps || wrong "a tap is left over: $(lab_taps)"
    evidence=("$GUEST_STDERR" "$GUEST_SERIAL")
    result "$2: QEMU fails with the helper's text"
}

# The stock helper stops after the stock text; ours goes on to say which rule it was.
case ${helper##*/} in
tapgate-helper) reason=': /etc/qemu/bridge.conf:2: deny br0$' ;;
*) reason='' ;;
esac
lab_policy 'allow br0' 'deny br0'
qemu_refused "^access denied by acl file$reason" "denied bridge"

lab_policy '# nothing allowed'
qemu_refused '^access denied by acl file' "bridge not allowed"

rm /etc/qemu/bridge.conf
# shellcheck disable=SC2016 # the quotes are the stock helper's
qemu_refused '^failed to parse default acl file `/etc/qemu/bridge.conf'\' "no policy file"

summary
