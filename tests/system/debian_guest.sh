#!/bin/bash
# A Debian with the packages installed, booted with the kernel's security modules that distributions use,
# and the tests that run in it (../guest/debian/test):
#
#   enforcing  SELinux in enforcing mode: a confined user's VMs, and what a tap's holder is denied
#   apparmor   AppArmor; VLANs and vhost-net between VMs; systemd's units
#
#   tests/system/debian_guest.sh [enforcing] [apparmor]
# shellcheck disable=SC2317 # lab_poll calls gone
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"

declare -A kernel_words=(
    [enforcing]="security=selinux enforcing=1 audit_backlog_limit=8192 sysctl.kernel.printk_ratelimit=0"
    [apparmor]="security=apparmor"
)
boots=("$@")
[ $# -gt 0 ] || boots=(enforcing apparmor)
for name in "${boots[@]}"; do
    [ -n "${kernel_words[$name]:-}" ] || die "no boot is called $name"
done
build=$top/build/package
# A boot takes a minute and a half, the tests of each three, on an idle machine with two processors.
limit=${TAPGATE_BOOT_TIMEOUT:-1800}
LAB_PATIENCE=1 # that is long enough on any machine

outside() {
    # One commit's packages are the same bytes, so that the image of them can be, too.
    (cd "$top" && cmake --preset package && cmake --build --preset package --target debian_packages) \
        >"$build.log" 2>&1 || die "no package: see $build.log"
    "$top/tests/guest/build-debian" "$TAPGATE_GUEST" "$build"/debian/*.deb ||
        skip "no guest image (see above)"
}
begin -- qemu-system-x86_64 dpkg-buildpackage cmake mmdebstrap

mkdir $LAB/guest
for file in kernel initrd ext4; do
    : >$LAB/guest/$file
done
mount --bind "$TAPGATE_GUEST/debian-kernel" $LAB/guest/kernel
mount --bind "$TAPGATE_GUEST/debian-initrd" $LAB/guest/initrd
mount --bind "$TAPGATE_GUEST/debian.ext4" $LAB/guest/ext4

# boot NAME: in the background; the image stays as it is. Sets pid_of[NAME].
declare -A pid_of
boot() {
    local name=$1
    install -m 0644 -o "$LAB_UID" /dev/null "$LAB/home/$name.serial"
    install -m 0644 -o "$LAB_UID" /dev/null "$LAB/home/$name-user.serial"
    # TCG: KVM is not everywhere. no_timer_check: under it a timer may be late at boot, and the kernel
    # would then give up on it.
    (lab_exec env TMPDIR=$LAB/home qemu-system-x86_64 -name "$name" -accel tcg -cpu max -M q35 -smp 1 -m 1024 \
        -nodefaults -no-user-config -display none -no-reboot -nic none -snapshot \
        -drive file=$LAB/guest/ext4,format=raw,if=virtio \
        -kernel $LAB/guest/kernel -initrd $LAB/guest/initrd \
        -append "root=/dev/vda ro console=ttyS0 quiet panic=-1 mitigations=off no_timer_check log_buf_len=4M \
systemd.show_status=0 tapgate.test=$name ${kernel_words[$name]}" \
        -serial "file:$LAB/home/$name.serial" -serial "file:$LAB/home/$name-user.serial") \
        >"$LAB/log/$name.qemu" 2>&1 &
    pid_of[$name]=$!
}
gone() { # PID
    ! kill -0 "$1" 2>/dev/null
}

# verdict NAME: each test of the two serial lines of that boot is one of ours.
verdict() {
    local name=$1 serial line
    for serial in "$LAB/home/$name.serial" "$LAB/home/$name-user.serial"; do
        while IFS= read -r line; do
            case $line in
            ok\ *) ok "$name: ${line#* - }" ;;
            not\ ok\ *) not_ok "$name: ${line#* - }" "in the guest; see below" ;;
            \#*) echo "$line" ;;
            esac
        done < <(tr -d '\r' <"$serial")
        # A crash or a hang is no test's verdict.
        tr -d '\r' <"$serial" | grep -qE '^[1-9][0-9]* passed, [0-9]+ failed$' ||
            not_ok "$name: the tests come to an end" "no verdict on ${serial##*/}"
    done
    [ "$failed" = 0 ] ||
        show_files "$LAB/log/$name.qemu" "$LAB/home/$name.serial" "$LAB/home/$name-user.serial"
}

for name in "${boots[@]}"; do
    boot "$name"
done
for name in "${boots[@]}"; do
    if ! lab_poll "$limit" gone "${pid_of[$name]}"; then
        not_ok "$name: the guest powers off" "not within $limit s"
        kill -KILL "${pid_of[$name]}"
    fi
    verdict "$name"
done
summary
