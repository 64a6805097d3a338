#!/bin/bash
# What the launcher costs: `tapgate run` until QEMU's exec, `tapgate start` until the guest runs and
# virsh's way to the same guest in turn with it, and what memory stays behind. Prints medians. Usage,
# as root, after a release build:
#
#   tests/bench/launcher.sh [--rounds N]
set -euo pipefail

top=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
cd "$top"
# shellcheck source=tests/system/lab.sh
source tests/system/lab.sh
# shellcheck source=tests/system/guest.sh
source tests/system/guest.sh

rounds=20
[ "${1:-}" = --rounds ] && rounds=$2
build=$top/build/release

lab_require ip iproute2 qemu-system-x86_64 qemu-system-x86 virsh libvirt-clients libvirtd libvirt-daemon
guest_prepare "$top"
lab_enter "$0" "$@"
guest_mount
lab_bridge br0 192.0.2.1/24
lab_policy 'allow br0'
lab_install "$build/helper/tapgate-helper" setuid
tapgate=$LAB/tapgate
install -m 0755 "$build/launcher/tapgate" "$tapgate"
# In QEMU's place.
mkdir $LAB/bin
install -m 0755 "$build/tests/bench/stamp" $LAB/bin/qemu-system-x86_64
install -m 0755 "$build/tests/bench/stamp" $LAB/stamp
# So that there is something to remember about KVM.
mknod -m 0666 $LAB/dev/kvm c 10 232
mount --bind $LAB/dev/kvm /dev/kvm 2>/dev/null || true

row() { # NAME UNIT: of the numbers on stdin
    sort -n | awk -v name="$1" -v unit="$2" '{ x[NR] = $1 }
        END { printf "%-58s %9.1f %9.1f %9.1f %s\n", name, x[1], x[int((NR + 1) / 2)], x[NR], unit }'
}

until_exec() { # RUN-ARGS...: milliseconds
    local begin end i
    for ((i = 0; i < rounds; i++)); do
        begin=$( (lab_exec env PATH=$LAB/bin:/usr/bin $LAB/stamp "$tapgate" run exec --memory=128M \
            --helper="$LAB_HELPER" "$@") 2>/dev/null </dev/null || true)
        end=$(head -n 1 "/run/user/$LAB_UID/tapgate/exec/qemu.log")
        echo "$begin $end" | awk '{ print ($2 - $1) / 1000 }'
    done
}

microseconds() {
    echo "${EPOCHREALTIME/[.,]/}"
}
timed() { # COMMAND ARGS...: milliseconds, appended to the file $times
    local begin
    begin=$(microseconds)
    "$@" >/dev/null 2>$LAB/log/bench || { cat $LAB/log/bench >&2; return 1; }
    echo "$begin $(microseconds)" | awk '{ print ($2 - $1) / 1000 }' >>"$times"
}

pss() { # PID...: MiB
    local pid
    for pid; do
        cat "/proc/$pid/smaps_rollup"
    done | awk '$1 == "Pss:" { kib += $2 } END { print kib / 1024 }'
}

printf '%-58s %9s %9s %9s\n' '' min p50 max
until_exec --net=none >/dev/null # what is asked once is known from here on
until_exec --net=none | row "tapgate run until QEMU's exec, no adapter" ms
until_exec --net=bridge:br0 | row "tapgate run until QEMU's exec, with the helper's time" ms

append="$GUEST_KERNEL tapgate.hold=300"
tapgate() {
    (lab_exec "$tapgate" "$@") </dev/null
}
tapgate create guest --kernel="$GUEST_DIR/kernel" --initrd="$GUEST_DIR/initramfs.cpio" --memory=128M \
    --accel=tcg --append="$append" >/dev/null

install -d -o "$LAB_UID" -g "$LAB_UID" $LAB/home/.config/libvirt
printf '%s\n' "bridge_helper = \"$LAB_HELPER\"" 'stdio_handler = "file"' >$LAB/home/.config/libvirt/qemu.conf
cat >$LAB/domain.xml <<END
<domain type='qemu'>
  <name>guest</name>
  <memory unit='MiB'>128</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>$GUEST_DIR/kernel</kernel>
    <initrd>$GUEST_DIR/initramfs.cpio</initrd>
    <cmdline>$append</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <emulator>$(command -v qemu-system-x86_64)</emulator>
    <interface type='bridge'>
      <source bridge='br0'/>
      <model type='virtio'/>
    </interface>
    <serial type='file'>
      <source path='$LAB/home/serial'/>
    </serial>
    <rng model='virtio'>
      <backend model='random'>/dev/urandom</backend>
    </rng>
  </devices>
</domain>
END
session() {
    (lab_exec timeout -k 2 60 virsh -q -c qemu:///session "$@") </dev/null
}
stop_session() {
    kill "$(cat "/run/user/$LAB_UID/libvirt/libvirtd.pid" 2>/dev/null)" 2>/dev/null || true
}
trap stop_session EXIT

times=$LAB/log/cold
timed session create $LAB/domain.xml
row "virsh create, the first: its daemon is started" ms <$times
session destroy guest >/dev/null
for ((i = 0; i < rounds; i++)); do
    times=$LAB/log/tapgate
    timed tapgate start guest --helper="$LAB_HELPER"
    tapgate kill guest
    times=$LAB/log/virsh
    timed session create $LAB/domain.xml
    session destroy guest >/dev/null
done
row "tapgate start until the guest runs" ms <$LAB/log/tapgate
row "virsh create of the same guest, its daemon running" ms <$LAB/log/virsh

tapgate start guest --helper="$LAB_HELPER" >/dev/null 2>&1
supervisor=$(tapgate status guest | awk '$1 == "supervisor" { print $2 }')
sleep 1
pss "$supervisor" | row "memory of the supervisor (PSS)" MiB
tapgate kill guest
pss "$(cat "/run/user/$LAB_UID/libvirt/libvirtd.pid")" | row "memory of libvirt's daemon (PSS)" MiB
