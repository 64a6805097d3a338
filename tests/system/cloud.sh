#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The first VM of somebody who has no image: `tapgate new NAME --from=debian-12' with etc/images.conf as
# it is installed, a web server in the lab, and a bridge with a DHCP server. The image is a Debian with
# cloud-init, netplan and sshd from Debian's own packages, as in its cloud image (../guest/build-cloud).
# An emulated guest takes two minutes, so this is only run by `tests/run --cloud'. Then a class of them,
# as a teacher has it: three, or twenty with TAPGATE_LONG set.
# shellcheck disable=SC2317 # the functions that lab_poll calls
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
outside() {
    "$top/tests/guest/build-cloud" "$TAPGATE_GUEST" || skip "no image (see above)"
}
begin helper launcher -- qemu-system-x86_64 qemu-img python3 busybox ssh ssh-keygen
LAB_PATIENCE=1
verb_limit=${TAPGATE_BOOT_TIMEOUT:-1200} # a boot takes one minute or two on an idle machine

lab_bridge br0 192.0.2.1/24
count=3 # of a class
[ -z "${TAPGATE_LONG:-}" ] || count=20
lab_policy "allow br0 user=labuser max-taps=$((count + 1)) isolated mac-lock"
lab_install_built_in "$helper"

# --- the lab's network: names, addresses, and Debian's web server ------------------------------------

site=$LAB/site
mkdir -p "$site/bookworm/latest"
ln "$TAPGATE_GUEST/cloud.qcow2" "$site/bookworm/latest/debian-12-generic-amd64.qcow2" 2>/dev/null ||
    cp "$TAPGATE_GUEST/cloud.qcow2" "$site/bookworm/latest/debian-12-generic-amd64.qcow2"
(cd "$site/bookworm/latest" && sha512sum debian-12-generic-amd64.qcow2 >SHA512SUMS)
/usr/bin/python3 -m http.server --bind 127.0.0.1 --directory "$site" 80 >"$LAB/log/server" 2>&1 &
mkdir -p /etc/tapgate
sed 's|https://cloud.debian.org/images/cloud/|http://127.0.0.1/|' "$top/etc/images.conf" >/etc/tapgate/images.conf
cat >$LAB/dhcp.conf <<END
start 192.0.2.10
end 192.0.2.100
interface br0
lease_file $LAB/leases
option subnet 255.255.255.0
option router 192.0.2.1
option dns 192.0.2.1
END
touch $LAB/leases
busybox udhcpd -f $LAB/dhcp.conf >"$LAB/log/dhcp" 2>&1 &
evidence+=("$LAB/log/server" "$LAB/log/dhcp")
answers() {
    (exec 3<>/dev/tcp/127.0.0.1/80) 2>/dev/null
}
lab_poll 10 answers || die "no server: $(cat "$LAB/log/server")"
install -d -m 0700 -o "$LAB_UID" -g "$LAB_UID" $LAB/home/.ssh
(lab_exec ssh-keygen -q -t ed25519 -N '' -f $LAB/home/.ssh/id_ed25519)

# in_guest NAME COMMAND REGEX...: each of its output's lines.
in_guest() {
    local regex
    did 0 ssh "$1" -- "$2"
    for regex in "${@:3}"; do
        says "$out" "$regex"
    done
}

# --- one command, and a second ----------------------------------------------------------------------

did 0 new first --from=debian-12 --size=4G --accel=tcg --memory=512M
result "one command makes the VM, with Debian's image in it"

did 0 start first
did 0 wait first --for=ssh --timeout="$verb_limit"
in_guest first 'hostname; id -un; sudo -n id -un' '^first$' "^$LAB_USER\$" '^root$'
result "its guest has the user, his key, and its name"
in_guest first 'cloud-init status --wait --long; df --output=size -BG /' '^status: done' '^ +4G$'
result "cloud-init has nothing to complain of; the file system has the disk's size"
in_guest first 'ip -4 -o addr show scope global' 'inet 192\.0\.2\.[0-9]+/24 '
says "$LAB/log/dhcp" '192\.0\.2\.'
did 0 ip first
ssh_of_openssh() { # by the address that ip says
    (lab_exec ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes "$(head -n 1 "$out")" hostname) 2>/dev/null
}
[ "$(ssh_of_openssh)" = first ] || wrong "no ssh to $(cat "$out")"
result "it has an address of the network's DHCP server; ip says one where it is"

in_guest first 'ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null' 'ssh-ed25519'
mv "$out" "$LAB/log/first-key"
did 0 stop first --timeout=300
did 0 clone first second
did 0 start second
did 0 wait second --for=ssh --timeout="$verb_limit"
in_guest second 'hostname; id -un; cloud-init status --wait' '^second$' "^$LAB_USER\$" '^status: done'
in_guest second 'ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null' 'ssh-ed25519'
! cmp -s "$out" "$LAB/log/first-key" || wrong "the clone's SSH key is the first one's"
did 0 stop second --timeout=300
result "a clone of it is a machine of its own: name, user, SSH's keys"

# --- a teacher's day, a verb each -----------------------------------------------------------------

# in_class COMMAND: an answer of everyone.
in_class() {
    did 0 lab exec class.conf -- sh -c "$1"
    [ "$(cut -d : -f 1 "$out" | sort -u | wc -l)" = $count ] || wrong "not of all $count: $(cat "$out")"
}
cat >$LAB/home/class.conf <<END
memory = 384M

[student]
count = $count
template = first
seed = on
END
did 0 lab up class.conf
did 0 lab wait class.conf --timeout="$verb_limit"
result "$count seeded clones, up and ready"

in_class 'hostname; cloud-init status --wait >/dev/null'
for ((n = 1; n <= count; n++)); do
    says "$out" "^class-student-$n: class-student-$n\$"
done
in_class 'sudo touch /etc/spoilt; cut -d " " -f 2 /etc/ssh/ssh_host_ed25519_key.pub'
[ "$(cut -d ' ' -f 2 "$out" | sort -u | wc -l)" = $count ] || wrong "some have the same SSH key"
result "a command on all: everyone has its own name, and its own SSH key"

did 0 usage
says "$out" "^$LAB_USER +br0 +$count +$((count + 1))\$"
[ "$(grep -c "^$LAB_USER +class-student-" -E "$out")" = $count ] || wrong "not all $count VMs: $(cat "$out")"
result "who uses what: $count VMs, and as many taps"

again=(class-student-1 class-student-2 class-student-3)
did 0 reset "${again[@]}" --to-base --force --yes
did 0 start "${again[@]}"
did 0 wait "${again[@]}" --timeout="$verb_limit"
in_class 'test -e /etc/spoilt && echo spoilt || echo as before'
[ "$(grep -c 'as before$' "$out")" = 3 ] || wrong "not three: $(cat "$out")"
for name in "${again[@]}"; do
    says "$out" "^$name: as before\$"
done
result "three begin again, and no other"

did 0 lab down class.conf --timeout="$verb_limit"
did 0 list
[ ! -s "$out" ] || ! grep running "$out" || wrong "some run"
lab_no_tap_left
did 0 lab destroy class.conf --yes
did 0 list --all
! grep class- "$out" || wrong "some are left"
result "the day ends: all are powered down, and at the end of the course they go"
summary
