#!/bin/bash
# `tapgate doctor`: every trouble that namespaces can make is made once, and must be named with its
# remedy, and decide the exit status. What namespaces cannot make (Wi-Fi, KVM that hangs) is in the unit
# tests.
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin helper launcher -- qemu-system-x86_64 setcap usermod

# --- a host on which nothing is wrong ---------------------------------------------------------------

# A /dev of our own, whose nodes can be taken away.
mkdir $LAB/devices
mount -t tmpfs -o mode=0755,dev lab $LAB/devices
mkdir $LAB/devices/net $LAB/devices/shm
chmod 1777 $LAB/devices/shm
mknod -m 0666 $LAB/devices/null c 1 3
mknod -m 0666 $LAB/devices/zero c 1 5
mknod -m 0666 $LAB/devices/urandom c 1 9
mount --rbind $LAB/devices /dev

tun_node() { # MODE MINOR
    rm -f /dev/net/tun
    mknod -m "$1" /dev/net/tun c 10 "$2"
    chmod "$1" /dev/net/tun
}
tun_node 0666 200

lab_install_built_in "$helper"
installed=$LAB_HELPER
install_helper() {
    install -o root -g root -m 4755 "$helper" "$installed"
}
lab_policy 'allow br0'
lab_bridge br0 192.0.2.1/24
# A veth's other end is its cable: not every kernel has more to offer.
ip link add uplink0 type veth peer name cable0
ip link set cable0 up
ip link set uplink0 master br0 up
netfilter=/proc/sys/net/bridge/bridge-nf-call-iptables
[ ! -e $netfilter ] || echo 0 >$netfilter
mkdir -p /run/systemd/system
mount -t tmpfs -o mode=0755 lab /var/lib/systemd
mkdir /var/lib/systemd/linger
touch /var/lib/systemd/linger/$LAB_USER

out=$LAB/log/out
evidence=("$out")
wrap=()

# doctor CODE ARGS...: as the lab user, below the words of `wrap`; true when it exits with CODE.
doctor() {
    local code=$1 status=0
    shift
    (lab_exec "${wrap[@]}" $LAB/tapgate doctor "$@") >$out 2>&1 </dev/null || status=$?
    [ "$status" = "$code" ] || echo "exit status $status instead of $code" >>$out
    [ "$status" = "$code" ]
}

# expect NAME CODE REGEX [ARGS...]: doctor exits so, and one of its lines matches.
expect() {
    local name=$1 code=$2 regex=$3
    shift 3
    doctor "$code" "$@" || wrong "$(tail -n 1 $out)"
    says $out "$regex"
    result "$name"
}

expect "nothing is wrong" 0 '^0 FAIL'
expect "the helper's word" 0 "^ok +verdict +br0: allowed for uid $LAB_UID: .*:1: allow br0"
expect "the uplink" 0 '^ok +uplink +uplink0 is up'
expect "--json" 0 '"result": "ok"' --json

# --- devices ------------------------------------------------------------------------------------------

expect "no /dev/kvm is no reason to fail" 0 '^warn +kvm +/dev/kvm: No such file or directory'
mknod -m 0600 /dev/kvm c 10 232
expect "/dev/kvm is root's only" 0 '^warn +kvm +you may not open /dev/kvm'
chgrp tty /dev/kvm
chmod 0660 /dev/kvm
expect "/dev/kvm is a group's" 0 "^ +-> sudo usermod -aG tty $LAB_USER; then log in again"
usermod -aG tty $LAB_USER
# As in a login from before that.
(
    cd $LAB/home
    exec setpriv --reuid="$LAB_UID" --regid="$LAB_UID" --clear-groups --inh-caps=-all -- \
        env -i HOME=$LAB/home PATH=/usr/bin:/bin XDG_RUNTIME_DIR="/run/user/$LAB_UID" \
        $LAB/tapgate doctor
) >$out 2>&1 || wrong "it ends with $?"
says $out '^ *-> log in again: you have been in the group tty'
result "a group that came after the login"
rm /dev/kvm

rm /dev/net/tun
expect "no tun" 1 '^FAIL +tun +there is no /dev/net/tun'
tun_node 0600 200
expect "tun is root's only" 1 '^FAIL +tun +you may not open /dev/net/tun'
expect "and what opens it" 1 '-> sudo chmod 0666 /dev/net/tun'
tun_node 0666 254
expect "tun without a driver" 1 '^FAIL +tun +/dev/net/tun is there, but the kernel has no driver'
tun_node 0666 200
mknod -m 0600 /dev/vhost-net c 10 238
expect "vhost-net is root's only" 0 '^warn +vhost-net +you may not open'
rm /dev/vhost-net
expect "no vhost-net" 0 '^warn +vhost-net +/dev/vhost-net: No such file'

# --- the helper ---------------------------------------------------------------------------------------

rm $installed
expect "no helper" 1 "^FAIL +helper +$installed: No such file"
expect "another helper" 1 '^FAIL +helper +/nonexistent: No such file' --helper=/nonexistent
install_helper
chmod 0755 $installed
expect "a helper without privilege" 1 '^FAIL +helper-privilege +it has no privilege'
setcap cap_net_admin=ep $installed
expect "a helper with a capability" 0 '^ok +helper-privilege +it has cap_net_admin'
install_helper
chmod 0700 $installed
expect "a helper that only root may run" 1 '^FAIL +helper +.*you may not run it'
install_helper
chown "$LAB_UID" $installed
chmod 4755 $installed
expect "setuid, but not root's" 1 "^FAIL +helper-privilege +it is setuid, but its owner is uid $LAB_UID"
install_helper
chmod 4777 $installed
expect "a helper that all can write to" 1 '^FAIL +helper-owner +.*mode 04777'
install_helper
mount -o remount,nosuid /usr/local
expect "a nosuid mount" 1 '^FAIL +helper-mount +/usr/local is mounted nosuid'
mount -o remount,suid /usr/local

wrap=(setpriv --no-new-privs)
expect "no-new-privs" 1 '^FAIL +no-new-privs'
wrap=(unshare --user)
expect "a user namespace" 1 '^FAIL +user-namespace'
wrap=()
(
    cd $LAB/home
    exec setpriv --bounding-set=-net_admin --reuid="$LAB_UID" --regid="$LAB_UID" --clear-groups \
        --inh-caps=-all -- env -i HOME=$LAB/home PATH=/usr/bin:/bin $LAB/tapgate doctor
) >$out 2>&1 && wrong "it ends with 0"
says $out '^FAIL *bounding-set'
result "a bounding set without CAP_NET_ADMIN"

# --- the policy ---------------------------------------------------------------------------------------

rm /etc/qemu/bridge.conf
expect "no policy" 1 '^FAIL +policy +there is no /etc/qemu/bridge.conf'
lab_policy 'allow br0'
chmod 0600 /etc/qemu/bridge.conf
expect "a policy that only root can read" 1 '^FAIL +policy +/etc/qemu/bridge.conf: Permission denied'
lab_policy '# nothing'
expect "nobody is allowed" 1 '^FAIL +verdict +br0: denied .* no rule allows br0'
expect "and the line that would" 1 "-> echo 'allow br0 user=$LAB_USER' . sudo tee -a"
lab_policy 'allow br0' "deny br0 user=$LAB_USER"
expect "a deny" 1 "^FAIL +verdict +br0: denied .*:2: deny br0"
lab_policy 'alow br0'
expect "a mistake in the policy" 1 '^FAIL +verdict +not known: .*bridge.conf:1'
lab_policy 'allow br0'

# --- the bridge ---------------------------------------------------------------------------------------

expect "no such bridge" 1 '^FAIL +bridge +there is no br7; bridges here: br0' --bridge=br7
expect "not a bridge" 1 '^FAIL +bridge +uplink0 is no bridge, but a veth' --bridge=uplink0
ip link set br0 down
expect "the bridge is down" 1 '^FAIL +bridge-up +br0 is down'
ip link set br0 up
ip link set uplink0 down
expect "the uplink is down" 1 '^FAIL +uplink +the uplink uplink0 is down'
ip link set uplink0 up
ip link set cable0 down
expect "the uplink has no carrier" 0 '^warn +uplink +the uplink uplink0 has no carrier'
ip link set cable0 up
ip link set uplink0 nomaster
expect "no uplink" 0 '^warn +uplink +br0 has no uplink'
ip addr add 198.51.100.2/24 dev uplink0
ip route add default via 198.51.100.1
expect "no uplink, but there is one" 0 '-> sudo ip link set uplink0 master br0'
ip link set uplink0 master br0
expect "an address that is on the port" 0 '^warn +address +198.51.100.2 is an address of the port uplink0'
ip addr flush dev uplink0
ip link set br0 type bridge stp_state 1 forward_delay 1500
expect "STP" 0 '^warn +stp +br0 speaks STP: a new port is silent for 30 s'
ip link set br0 type bridge stp_state 0
expect "its MAC address is not fixed" 0 '^ok +bridge-mac +not fixed yet'
ip link set br0 address 02:00:00:00:00:99
expect "its MAC address is fixed" 0 '^ok +bridge-mac +fixed'
ip addr flush dev br0
expect "no address on the bridge" 0 '^warn +address +this host has no address on br0'
ip addr add 192.0.2.1/24 dev br0 valid_lft 3600 preferred_lft 3600
expect "a leased address" 0 '^ok +dhcp +this host.s own address is leased'
if [ -e /proc/sys/net/ipv6 ]; then
    ip -6 route add default via fe80::1 dev br0 proto ra
    expect "an IPv6 router" 0 '^ok +ipv6-router +there is one'
else
    echo "# not run: an IPv6 router (this kernel has no IPv6)"
fi
if [ -e $netfilter ]; then
    echo 1 >$netfilter
    expect "bridged frames through iptables" 0 '^warn +netfilter'
    ip link add docker0 type bridge
    expect "and Docker" 0 '^warn +netfilter .*Docker'
    ip link del docker0
    echo 0 >$netfilter
else
    echo "# not run: bridged frames through iptables (this kernel has no br_netfilter)"
fi
expect "no guards" 0 '^ok +guards +off: .*only root can see more'
mkdir /run/tapgate-guards
expect "guards, by their unit" 0 '^ok +guards +tapgate.nft is loaded'
rmdir /run/tapgate-guards
ip tuntap add tap7 mode tap
ip tuntap add vpn0 mode tun
expect "a stray tap" 0 '^warn +stray-tap +the tap tap7 is down and no bridge.s port'
! grep -q vpn0 $out || wrong "vpn0 is named"
result "a tun is no tap"
ip link del tap7
ip link del vpn0

# --- the session, and the VM ----------------------------------------------------------------------------

wrap=(env -u XDG_RUNTIME_DIR)
expect "no XDG_RUNTIME_DIR" 0 '^warn +runtime-dir +XDG_RUNTIME_DIR is not set'
wrap=(env XDG_RUNTIME_DIR=/nonexistent)
expect "an XDG_RUNTIME_DIR that is not there" 0 '^warn +runtime-dir +.*No such file.*; using '
wrap=(env XDG_RUNTIME_DIR=/root)
expect "an XDG_RUNTIME_DIR of somebody else" 0 '^warn +runtime-dir +.*not a directory of yours; using '
wrap=(env PATH=/nonexistent)
expect "no QEMU" 1 '^FAIL +qemu +'
wrap=()
rm /var/lib/systemd/linger/$LAB_USER
expect "no linger" 0 '^warn +linger'
touch /var/lib/systemd/linger/$LAB_USER

mkdir $LAB/small
mount -t tmpfs -o size=1M,mode=0777 lab $LAB/small
truncate -s 1M $LAB/small/disk.raw
(lab_exec $LAB/tapgate create big --memory=8T --machine=pc-i440fx-1.7 --disk=$LAB/small/disk.raw \
    --disk=/nonexistent/a.raw --net=bridge:br0 --net=bridge:br0) >/dev/null
expect "more memory than there is" 1 '^warn +memory +.*the VM wants 8388608 MiB' big
expect "a disk that is not there" 1 '^FAIL +disk +/nonexistent/a.raw: No such file' big
expect "a disk that may not be written to" 1 "^FAIL +disk +$LAB/small/disk.raw: Permission denied" big
chmod 0666 $LAB/small/disk.raw
expect "a full file system" 1 "^warn +disk +$LAB/small/disk.raw: [01] MiB are left" big
if qemu-system-x86_64 -machine help | matches '^pc-i440fx-1\.7 '; then
    expect "a machine that goes" 1 '^warn +machine +QEMU will not have the machine pc-i440fx-1.7' big
else # QEMU 10
    expect "a machine that went" 1 '^FAIL +machine +this QEMU has no machine pc-i440fx-1.7' big
fi
(lab_exec $LAB/tapgate create never --net=user --machine=pc-i440fx-0.9) >/dev/null
expect "a machine that there is not" 1 '^FAIL +machine +this QEMU has no machine pc-i440fx-0.9' never
(lab_exec $LAB/tapgate create nat --net=user) >/dev/null
rm /dev/net/tun
expect "a VM that needs no bridge" 0 '^0 FAIL' nat
expect "no such VM" 1 'no VM is called nothere' nothere
summary
