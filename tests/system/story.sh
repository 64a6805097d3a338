#!/bin/bash
# What tapgate is for, from one end to the other: somebody has a virtual machine as a vmdk and an old
# command line for it, and wants to have it on the bridge and log in to it. Without root; and when the
# guest is off, the bridge is as it was.
# shellcheck disable=SC2317 # the functions that lab_poll calls
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin helper launcher ssh-guest -- qemu-img ssh syslinux mformat

lab_install_built_in "$helper"
lab_policy 'allow br0'

home=$LAB/home
last=$LAB/log/last # what the step before has printed

# step TEXT COMMAND...: the story goes on only when the command succeeds.
step() {
    local text=$1
    shift
    [ ! -e "$out" ] || mv "$out" "$last"
    if "$@" >"$out" 2>"$err" </dev/null; then
        ok "$text"
    else
        not_ok "$text" "exit status $? of: $*"
        show_files "$out" "$err" "/run/user/$LAB_UID/tapgate/jiaoshiji"/{console,qemu}.log
        summary
    fi
}
as_user() {
    (lab_exec timeout -k 1 300 "$@")
}

# --- the host, as its administrator left it -----------------------------------------------------

# A bridge with the network card and three guests of others'.
lab_bridge br0 192.0.2.1/24
port() { # NAME ADDRESS
    ip link add "$1" address "$2" type veth peer name "$1-peer"
    ip link set "$1" master br0 up
}
port enp3s0 78:24:af:46:ca:60
for i in 0 1 2; do
    port vnet$i fe:54:00:00:00:0$i
done

# shows FILE: what brctl show prints of br0, by tapgate.
shows() {
    as_user "$tapgate" bridges br0 |
        awk 'NR == 1 { width = index($0, "state") - 1 }
             { line = substr($0, 1, width); sub(/ +$/, "", line); print line }' >"$1"
}
before=$LAB/before
cat >"$LAB/expected" <<'END'
bridge name  bridge id          STP enabled  interfaces
br0          8000.7824af46ca60  no           enp3s0
                                             vnet0
                                             vnet1
                                             vnet2
END
shows "$before"
step "bridges: as brctl show has it" diff "$LAB/expected" "$before"

# --- the disk of a machine that runs elsewhere --------------------------------------------------

# It boots by itself, from the first sector on.
raw=$LAB/rhce.raw
truncate -s 64M "$raw"
mformat -i "$raw" -t 128 -h 16 -s 63 -H 0 ::
cat >"$LAB/syslinux.cfg" <<'END'
DEFAULT linux
LABEL linux
  KERNEL vmlinuz
  INITRD initrd
  APPEND console=ttyS0 quiet panic=-1 mitigations=off no_timer_check tapgate.ip=192.0.2.10/24 tapgate.ping=192.0.2.1 tapgate.hold=600
END
mcopy -i "$raw" "$TAPGATE_GUEST/vmlinuz" ::vmlinuz
mcopy -i "$raw" "$TAPGATE_GUEST/ssh.cpio" ::initrd
mcopy -i "$raw" "$LAB/syslinux.cfg" ::syslinux.cfg
syslinux --install "$raw"
qemu-img convert -f raw -O vmdk "$raw" "$home/rhce.vmdk"
install -d -m 0700 -o "$LAB_UID" -g "$LAB_UID" "$home/.ssh"
install -m 0600 -o "$LAB_UID" -g "$LAB_UID" "$TAPGATE_GUEST/ssh.key" "$home/key"
echo "IdentityFile $home/key" >"$home/.ssh/config"

step "import: the vmdk becomes a qcow2" as_user "$tapgate" import "$home/rhce.vmdk"
disk=$home/.local/share/tapgate/rhce/disk.qcow2
step "import: with the same content" qemu-img compare -q -f raw -F qcow2 "$raw" "$disk"

# --- the command line that once started it --------------------------------------------------------

cat >"$home/start.sh" <<'END'
/usr/libexec/qemu-kvm -m 8096 -cpu qemu64,+vmx -net nic,vlan=0,macaddr=52:54:00:12:34:01 -net tap,vlan=0,ifname=tap0 -smp 4,sockets=4,cores=1,threads=1 -drive file=/data/img/rhce/jiaoshiji.qcow2 -vnc 0.0.0.0:20 &
END
# This test's guest has no driver for the e1000 that this means.
step "translate: the old command line becomes a VM" \
    as_user "$tapgate" translate --create=jiaoshiji --disk="$disk,bus=ide" \
    --net=bridge:br0,mac=52:54:00:12:34:01 "$home/start.sh"
as_user "$tapgate" show jiaoshiji >"$LAB/shown"
all_said() {
    local setting
    for setting in "memory = 8096M" "cpu = qemu64,+vmx" "cpus = 4,sockets=4,cores=1,threads=1" \
        "machine = pc-i440fx-" "disk = $disk,bus=ide" "net = bridge:br0,mac=52:54:00:12:34:01" \
        "display = vnc"; do
        grep -F "$setting" "$LAB/shown" || return
    done
}
step "translate: with all that it said" all_said

# --- on the bridge --------------------------------------------------------------------------------

# Less memory, for hosts that have not so much; and TCG, so that it means the same everywhere.
step "start" as_user "$tapgate" start jiaoshiji --memory=512M --accel=tcg
shows "$LAB/with"
tap=$(lab_taps)
{
    cat "$before"
    printf '%45s%s\n' '' "$tap"
} >"$LAB/expected"
step "bridges: one port more" diff <(sort "$LAB/expected") <(sort "$LAB/with")
as_user "$tapgate" bridges br0 >"$LAB/full"
step "bridges: and whose it is" grep -Eq "$tap +[a-z]+ +$LAB_USER +jiaoshiji " "$LAB/full"
step "wait: until its SSH server answers" as_user "$tapgate" wait jiaoshiji --timeout=240
step "ip" as_user "$tapgate" ip jiaoshiji
step "ip: its address" grep -qx 192.0.2.10 "$last"
step "ssh" as_user "$tapgate" ssh jiaoshiji -l root -- 'cat /proc/sys/kernel/ostype /proc/cmdline'
step "ssh: it is a Linux that syslinux has booted" grep -q 'BOOT_IMAGE=vmlinuz' "$last"

# --- off --------------------------------------------------------------------------------------------

step "stop" as_user "$tapgate" stop jiaoshiji --timeout=120
step "the tap is gone by itself" lab_poll 5 lab_no_taps
shows "$LAB/after"
step "bridges: as it was before" diff "$before" "$LAB/after"

summary
