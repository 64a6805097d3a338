#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tapgate-tutorial(7), typed from its first line to its last: "$" as an unprivileged user, "#" as root,
# each of which has to succeed. The images that it names come from a file here, and what boots is the
# tests' guest, by variables of the environment; all else is as a reader has it.
#
# And the picture in the README, which is that of the student's first commands: with PICTURE=FILE it is
# made, and otherwise etc/tapgate.svg has to show the same, but for numbers and addresses.
#
#   TAPGATE=build/release/launcher/tapgate tests/system/tutorial.sh
#
# TAPGATE, TAPGATE_HELPER, TAPGATE_GUEST and MUST_WORK as in net_view.sh
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=tests/system/lab.sh
source "$here/lab.sh"
# shellcheck source=tests/system/guest.sh
source "$here/guest.sh"

lab_require qemu-system-x86_64 qemu-system-x86 qemu-img qemu-utils unshare util-linux ip iproute2 \
    ssh openssh-client ssh-keygen openssh-client dropbear dropbear-bin busybox busybox-static python3 python3
lab_find_helper "$top"
lab_find_launcher "$top"
guest_prepare "$top"
guest_prepare_ssh "$top"
picture=${PICTURE:-}
lab_enter "${BASH_SOURCE[0]}" "$@"

guest_mount
cp "$TAPGATE_GUEST/ssh.cpio" $LAB/guest/
lab_bridge br0 192.0.2.1/24
echo 0 >/proc/sys/net/ipv6/conf/br0/accept_dad
mount -t tmpfs -o mode=0755,suid lab /usr/local
mkdir -p /usr/local/libexec
install -o root -g root -m 4755 "$helper" /usr/local/libexec/tapgate-helper
install -m 0755 -D "${helper%/*}/tapgate-policy" /usr/local/bin/tapgate-policy
install -m 0755 "$launcher" /usr/local/bin/tapgate
home=$LAB/home
out=$LAB/log/out
err=$LAB/log/err
evidence=("$out" "$err")
page=$top/launcher/tapgate-tutorial.7

# A member of the group that the administrator's line names.
echo "students:x:60999:$LAB_USER" >>/etc/group
install -d -m 0700 -o "$LAB_UID" -g "$LAB_UID" "$home/.ssh"
install -m 0600 -o "$LAB_UID" -g "$LAB_UID" "$TAPGATE_GUEST/ssh.key" "$home/.ssh/id_ed25519"
install -m 0644 -o "$LAB_UID" -g "$LAB_UID" "$TAPGATE_GUEST/ssh.key.pub" "$home/.ssh/id_ed25519.pub"
echo 'User root' >"$home/.ssh/config"
mkdir -p /etc/tapgate
qemu-img create -q -f qcow2 $LAB/debian-13-generic-amd64.qcow2 2G
(cd $LAB && sha512sum debian-13-generic-amd64.qcow2 >SHA512SUMS)
sed -e "s|^url = .*/debian-13-generic.*|url = file://$LAB/debian-13-generic-amd64.qcow2|" \
    -e "s|^sums = .*/trixie/.*|sums = file://$LAB/SHA512SUMS|" "$top/etc/images.conf" >/etc/tapgate/images.conf

# In the place of what Debian's image would boot. Each is reached by IPv6, which needs no other address.
guest=(TAPGATE_KERNEL="$GUEST_DIR/kernel" TAPGATE_INITRD="$LAB/guest/ssh.cpio" TAPGATE_ACCEL=tcg
    TAPGATE_APPEND="console=ttyS0 quiet panic=-1 mitigations=off no_timer_check tapgate.ip=198.51.100.7/24 tapgate.hold=600")

# section NAME: its lines, as they are typed, and its files.
section() {
    awk -v name="$1" '/^\.Sh / { on = ($2 == name) } on' "$page"
}
# type_section NAME: each line of it.
type_section() {
    local line command status
    section "$1" | awk '/^\.Bd/ { on = 1; next } /^\.Ed/ { on = 0 } on' >"$home/class.conf"
    chmod 0644 "$home/class.conf"
    while IFS= read -r line <&9; do
        command=${line#.Dl ? }
        status=0
        case $line in
        '.Dl $ '*)
            (lab_exec env "${guest[@]}" timeout 240 bash -c "$command") </dev/null >"$out" 2>"$err" || status=$?
            ;;
        '.Dl # '*) (cd / && bash -c "$command") </dev/null >"$out" 2>"$err" || status=$? ;;
        *) continue ;;
        esac
        [ "$status" = 0 ] || wrong "it ends with $status"
        case $command in
        'tapgate ssh web -- uname -s') says "$out" '^Linux$' ;;
        'tapgate list') says "$out" '^web +running' ;;
        'tapgate usage') [[ $line == *'#'* ]] || says "$out" 'class-student-3' ;;
        'tapgate lab exec class.conf'*) [ "$(grep -c '^class-student-[123]: ' "$out")" = 3 ] || wrong "not of all three" ;;
        'tapgate-policy explain'*) says "$out" 'at most 8 taps' ;;
        esac
        result "$1: $command"
        [ "$1" != STUDENT ] || [ $shots -ge 7 ] || [ "$command" = 'tapgate doctor' ] || {
            shots=$((shots + 1))
            { printf '$ %s\n' "$command"; cat "$out" "$err"; } >>"$LAB/log/shown"
        }
    done 9< <(section "$1")
}

shots=0
: >"$LAB/log/shown"
type_section ADMINISTRATOR
type_section STUDENT
type_section TEACHER

# --- the picture ----------------------------------------------------------------------------------

cat >$LAB/draw <<'EOT'
import html, re, sys
columns = 128
lines = [line.rstrip() for line in open(sys.argv[1], errors="replace")]
# As somebody's at home, and not the test's.
lines = [re.sub(r"/run/lab/home", "/home/alice", line).replace("labuser", "alice  ") for line in lines]
# What this host lacks, and what was only on its way.
unwanted = r"^tapgate: (without (KVM|vhost)|web: waiting|[^ ]*: [0-9]+%)|^Warning: "
lines = [line[:columns] for line in lines if line and not re.search(unwanted, line)]
height = 19
out = ['<svg xmlns="http://www.w3.org/2000/svg" width="1110" height="%d" font-family="monospace" font-size="14">'
       % (len(lines) * height + 30),
       '<rect width="100%" height="100%" rx="8" fill="#1d1f21"/>']
for number, line in enumerate(lines):
    colour = "#8abeb7" if line.startswith("$ ") else "#c5c8c6"
    out.append('<text x="16" y="%d" fill="%s" xml:space="preserve">%s</text>'
               % (number * height + 28, colour, html.escape(line)))
print("\n".join(out + ["</svg>"]))
EOT
python3 $LAB/draw "$LAB/log/shown" >$LAB/picture.svg
masked() { # FILE: what does not change from one run to the next
    grep -o '>[^<>]*</text>' "$1" |
        sed -E '/^>br0 /s/[^ <]*[0-9][^ <]*/N/g # with addresses that a terminal has cut
            s/[0-9a-f]{4}\.[0-9a-f]{12}/ID/g; s/fe80:[^ <]*/ADDRESS/g; s/[0-9a-f]{2}(:[0-9a-f]{2}){5}/MAC/g
            s/tap[0-9]+-[0-9a-z]+/TAP/g; s/[0-9]+/N/g; s/ +/ /g; s/N( N)+/N/g'
}
if [ -n "$picture" ]; then
    cp $LAB/picture.svg "$picture"
elif [ -z "$problem" ]; then
    masked $LAB/picture.svg >$LAB/log/now
    masked "$top/etc/tapgate.svg" >$LAB/log/then
    diff $LAB/log/then $LAB/log/now >"$out" || wrong "it shows another program; make it anew with PICTURE=etc/tapgate.svg"
fi
result "the picture in the README shows what there is"

summary
