#!/bin/bash
# The packages, for Debian and for RPM systems: made twice of one build, bit for bit the same; what is in them, and what lintian,
# AppArmor's parser and systemd say of it. With --chroot: installed in a clean Debian, where an
# unprivileged user gets a tap; upgraded over an administrator's changes, and to the variant with file
# capabilities; in the stock helper's place and back; the SELinux module in the policy and out of it; and
# removed. Then the same of the .rpm, in that Debian, since it is the only system here: rpm itself does not
# mind.
#
#   tests/system/package.sh [--chroot] [--rebuild]
#
#   --chroot   the second half (the first time it makes a Debian, which takes minutes)
#   --rebuild  the first half's package once more of another directory, with a build of its own
#
# TAPGATE_PACKAGE_BUILD  where it is built (default: build/package)
# TAPGATE_DEBIAN         the clean Debian's archive, made when it is not there (default:
#                        build/debian-12.tar)
# MUST_WORK=1            a missing prerequisite is a failure (exit 1) and not a skip (exit 77)
# shellcheck disable=SC2317,SC2086 # verdict calls the functions; the lab's paths have no blanks
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=tests/system/lab.sh
source "$here/lab.sh"

build=${TAPGATE_PACKAGE_BUILD:-$top/build/package}
debian=${TAPGATE_DEBIAN:-$top/build/debian-12.tar}
in_chroot=0 rebuild=0
for word in "$@"; do
    case $word in
    --chroot) in_chroot=1 ;;
    --rebuild) rebuild=1 ;;
    *) die "unknown option $word" ;;
    esac
done
lab_require cpack cmake rpm rpm rpmbuild rpm lintian lintian apparmor_parser apparmor dpkg-shlibdeps dpkg-dev \
    unshare util-linux setpriv util-linux ip iproute2 strace strace
[ "$in_chroot" = 0 ] || lab_require mmdebstrap mmdebstrap

# package SOURCE BUILD OUT [PRIVILEGE]: the packages of a source directory, built in another.
package() {
    local log=$3.log
    {
        (cd "$1" && cmake --preset package -B "$2" "-DTAPGATE_PRIVILEGE=${4:-setuid}" && cmake --build "$2")
        # A clock that every maker of the package has.
        SOURCE_DATE_EPOCH=$(git -C "$top" log -1 --format=%ct)
        export SOURCE_DATE_EPOCH
        rm -rf "$3"
        (cd "$2" && umask 022 && for kind in DEB RPM; do
            cpack -G $kind -D CPACK_OUTPUT_FILE_PREFIX="$3"
        done)
    } >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        die "no package"
    }
}

if ! lab_inside; then
    mkdir -p "$build"
    package "$top" "$build" "$build/packages"
    package "$top" "$build" "$build/packages-again"
    package "$top" "$build" "$build/packages-filecaps" filecaps
    if [ "$rebuild" = 1 ]; then
        other=$(mktemp -d)
        trap 'rm -rf "$other"' EXIT
        # What is committed or about to be, at another path and built at another one.
        (cd "$top" && git ls-files -z | xargs -0 tar -c) | tar -x -C "$other"
        package "$other" "$other/elsewhere" "$build/packages-again"
    fi
    if [ "$in_chroot" = 1 ]; then
        # With what the packages depend on, since the lab has no network; and iproute2, for the test.
        needed=$({
            echo iproute2
            for file in "$build"/packages/*.deb; do
                dpkg-deb -f "$file" Depends | tr ',' '\n' | sed 's/[|(].*//; s/ //g' | grep -vx tapgate
            done
        } | sort -u | paste -sd,)
        if [ ! -f "$debian" ] || [ "$(cat "$debian.packages" 2>/dev/null)" != "$needed" ]; then
            mmdebstrap --quiet --format=tar --variant=minbase "--include=$needed" bookworm "$debian.new" \
                >"$debian.log" 2>&1 || skip "mmdebstrap makes no Debian: see $debian.log"
            mv "$debian.new" "$debian"
            echo "$needed" >"$debian.packages"
        fi
    fi
fi
lab_enter "${BASH_SOURCE[0]}" "$@"

deb=$(echo "$build"/packages/tapgate_*.deb)
out=$LAB/log/out
evidence=("$out")

# holds FILE LINE: the file has that line.
holds() {
    grep -qxF -- "$2" "$1" || {
        cat "$1"
        return 1
    }
}

# --- what it is ----------------------------------------------------------------------------------

same() {
    local file
    for file in "$build"/packages/*.deb "$build"/packages/*.rpm; do
        cmp "$file" "$build/packages-again/${file##*/}" || return
    done
}
verdict "two makings give the same bytes" same

dpkg-deb -c "$deb" | awk '{ print $1, $2, $6 }' >$LAB/contents
dpkg-deb -R "$deb" $LAB/tree
for entry in "-rwsr-xr-x root/root ./usr/libexec/tapgate-helper" \
    "-rwx--x--x root/root ./usr/libexec/tapgate-lookup" \
    "-rwxr-xr-x root/root ./usr/bin/tapgate" \
    "-rwxr-xr-x root/root ./usr/bin/tapgate-policy" \
    "-rwxr-xr-x root/root ./usr/sbin/tapgate-divert" \
    "-rw-r--r-- root/root ./usr/share/man/man1/tapgate.1.gz" \
    "-rw-r--r-- root/root ./usr/share/man/man1/tapgate-policy.1.gz" \
    "-rw-r--r-- root/root ./usr/share/man/man5/bridge.conf.5.gz" \
    "-rw-r--r-- root/root ./usr/share/man/man8/tapgate-helper.8.gz" \
    "-rw-r--r-- root/root ./usr/share/doc/tapgate/examples/bridge.conf" \
    "-rw-r--r-- root/root ./usr/lib/systemd/user/tapgate@.service"; do
    verdict "it has ${entry##*/}, as it should be" holds $LAB/contents "$entry"
done
no_policy() {
    ! grep 'etc/qemu/.' $LAB/contents
}
verdict "no policy of ours is in an administrator's way" no_policy
verdict "lintian has nothing to say" lintian --fail-on error,warning "$build"/packages/*.deb
module_only() {
    diff - <(dpkg-deb -c "$build"/packages/tapgate-selinux_*_all.deb | awk '$6 !~ "/$|/doc/|/lintian/" { print $1, $2, $6 }') <<'END'
-rw-r--r-- root/root ./usr/share/selinux/devel/include/apps/tapgate.if
-rw-r--r-- root/root ./usr/share/selinux/packages/tapgate.pp
END
}
verdict "tapgate-selinux has the module and its interface" module_only
verdict "the AppArmor profile can be parsed" apparmor_parser -Q -K \
    $LAB/tree/etc/apparmor.d/usr.libexec.tapgate-helper

# --- units ---------------------------------------------------------------------------------------

# systemd looks for what they start: it is put where they say, in this lab.
mkdir -p $LAB/units /run/systemd
cp -a $LAB/tree/usr/lib/systemd/*/tapgate* $LAB/units
sed -i "s|=/usr/|=$LAB/tree/usr/|" $LAB/units/*
cp $LAB/units/tapgate@.service $LAB/units/tapgate@lab.service
verify() {
    systemd-analyze --man=no "$@" 2>&1 | tee $out.verify
    ! [ -s $out.verify ]
}
verify_as_user() {
    XDG_RUNTIME_DIR=$LAB verify --user verify "$@"
}
verdict "systemd takes the reaper's units" verify verify $LAB/units/tapgate-reap.service \
    $LAB/units/tapgate-reap.timer
# nft is the host's.
sed -i "s|$LAB/tree/usr/sbin/nft|/usr/sbin/nft|" $LAB/units/tapgate-guards.service
verdict "systemd takes the guards' unit" verify verify $LAB/units/tapgate-guards.service
verdict "systemd takes the VM's unit" verify_as_user $LAB/units/tapgate@lab.service

# What the reaper's unit leaves it, without a systemd here: that user, that one capability, no new
# privileges; and no system call that the unit's filter forbids.
lab_install $LAB/tree/usr/libexec/tapgate-helper setuid
lab_bridge br0 192.0.2.1/24
ip tuntap add name tap9-1 mode tap
ip link set tap9-1 alias 'tapgate uid=9' master br0
reap() {
    strace -f -qq -e signal=none -o $LAB/log/calls setpriv --reuid=65533 --regid=65533 --clear-groups \
        --bounding-set=-all,+net_admin --inh-caps=-all,+net_admin --ambient-caps=-all,+net_admin \
        --no-new-privs "$LAB_HELPER" --reap && ! [ -e /sys/class/net/tap9-1 ]
}
verdict "the reaper removes a stale tap with what its unit leaves it" reap
known_calls() { # GROUP...: the system calls in it and in the groups of it
    local group names
    for group in "$@"; do
        # The first line is the group itself.
        names=$(systemd-analyze syscall-filter "$group" | sed -n '2,$s/^ *\([@a-z_0-9-]*\)$/\1/p')
        grep -v '^@' <<<"$names" || true
        # shellcheck disable=SC2046 # a word each
        known_calls $(grep '^@' <<<"$names")
    done
}
calls_allowed() {
    {
        known_calls @system-service | sort -u |
            comm -23 - <(known_calls @privileged @resources | sort -u)
        known_calls @setuid
        # Always allowed: systemd.exec(5).
        printf '%s\n' seccomp capset execve exit exit_group arch_prctl
    } | sort -u >$LAB/log/allowed
    # From the helper's own start on.
    sed -n '/execve(".*tapgate-helper/,$p' $LAB/log/calls | sed -n 's/^[0-9]* *\([a-z_0-9]*\)(.*/\1/p' |
        sort -u >$LAB/log/made
    [ -s $LAB/log/made ] && ! comm -23 $LAB/log/made $LAB/log/allowed | grep .
}
verdict "the unit's filter has every system call of the reaper" calls_allowed

[ "$in_chroot" = 1 ] || summary

# --- a clean Debian ------------------------------------------------------------------------------

root=$LAB/root
mkdir $root
mount -t tmpfs -o mode=0755,suid,dev,exec root $root
tar -x -C $root -f "$debian" --exclude='./dev/*'
mount --rbind /proc $root/proc
mount --rbind /sys $root/sys
for device in null zero full random urandom tty; do
    cp -a /dev/$device $root/dev/
done
mkdir -p $root/dev/net
mknod -m 0666 $root/dev/net/tun c 10 200
inside() {
    chroot $root env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
        LANG=C.UTF-8 HOME=/root "$@"
}
as_user() {
    chroot --userspec=1000:1000 $root env -i PATH=/usr/bin:/bin HOME=/tmp XDG_RUNTIME_DIR=/run/user/1000 "$@"
}
echo 'lab:x:1000:1000::/tmp:/bin/sh' >>$root/etc/passwd
install -d -m 0700 -o 1000 -g 1000 $root/run/user/1000
files() {
    (cd $root && find . -xdev ! -path './var/lib/dpkg/*' ! -path './var/lib/selinux/*' ! -path './var/cache/*' ! -path './var/log/*' | sort)
}

files >$LAB/before
cp "$deb" $root/tapgate.deb
verdict "dpkg installs it, and needs nothing else" inside dpkg -i /tapgate.deb
rm $root/tapgate.deb
verdict "tapgate --version" as_user tapgate --version
tap() {
    # shellcheck disable=SC2016 # for the shell inside
    as_user tapgate tap --bridge=br0 -- sh -c 'cat /sys/class/net/$TAPGATE_TAP_NAME/ifalias'
}
gets_no_tap() {
    tap
    [ $? = 3 ]
}
verdict "without a policy nobody gets a tap" gets_no_tap
echo 'allow br0' >$root/etc/qemu/bridge.conf
users_own() {
    tap | grep -x 'tapgate uid=1000'
}
verdict "with one line of policy a user gets a tap" users_own

# --- an upgrade ----------------------------------------------------------------------------------

newer() { # TREE: its package, one version on, as /newer.deb
    sed -i 's/^Version: .*/&.1/' "$1/DEBIAN/control"
    dpkg-deb --root-owner-group -b "$1" $root/newer.deb
}
echo '# mine' >>$root/etc/apparmor.d/usr.libexec.tapgate-helper
# A newer package with another profile, so that dpkg has something to ask.
echo '# a newer one' >>$LAB/tree/etc/apparmor.d/usr.libexec.tapgate-helper
upgrade() {
    newer $LAB/tree && inside dpkg --force-confold -i /newer.deb && rm $root/newer.deb
}
verdict "an upgrade" upgrade
verdict "the policy is what it was" holds $root/etc/qemu/bridge.conf 'allow br0'
verdict "a changed profile is what it was" holds $root/etc/apparmor.d/usr.libexec.tapgate-helper '# mine'
mode() {
    [ "$(stat -c '%a %u:%g' $root/usr/libexec/tapgate-helper)" = "4755 0:0" ] && tap
}
verdict "the helper still has its privilege" mode

capable() {
    [ "$(stat -c '%a %u:%g' $root/usr/libexec/tapgate-helper)" = "755 0:0" ] &&
        inside getcap /usr/libexec/tapgate-helper | grep -x '/usr/libexec/tapgate-helper cap_net_admin=ep' && tap
}
cp "$build"/packages-filecaps/tapgate_*.deb $root/tapgate.deb
verdict "the variant with file capabilities" inside dpkg --force-confold --force-downgrade -i /tapgate.deb
verdict "its helper has one, and is not setuid" capable
cp "$deb" $root/tapgate.deb
verdict "and back" inside dpkg --force-confold -i /tapgate.deb
verdict "the helper is setuid again" mode
rm $root/tapgate.deb

# --- the SELinux module --------------------------------------------------------------------------

labels_helper() {
    inside semodule -l | grep -qx tapgate &&
        inside matchpathcon -n /usr/libexec/tapgate-helper | grep -x 'system_u:object_r:tapgate_helper_exec_t:s0'
}
labels_helper_not() {
    ! labels_helper
}
cp "$build"/packages/tapgate-selinux_*.deb $root/selinux.deb
verdict "dpkg installs tapgate-selinux, where SELinux is off, too" inside dpkg -i /selinux.deb
rm $root/selinux.deb
verdict "the module is in the policy of the next boot" labels_helper
verdict "dpkg removes it" inside dpkg --purge tapgate-selinux
verdict "and the module with it" labels_helper_not

# --- in the stock helper's place -----------------------------------------------------------------

stock=/usr/lib/qemu/qemu-bridge-helper
mkdir -p $LAB/stock/DEBIAN $LAB/stock/usr/lib/qemu
printf 'Package: stock\nVersion: 1\nArchitecture: all\nMaintainer: x <x@y.invalid>\nDescription: a helper\n' \
    >$LAB/stock/DEBIAN/control
upgrade_stock() { # TEXT
    echo "$1" >$LAB/stock/usr/lib/qemu/qemu-bridge-helper
    newer $LAB/stock && inside dpkg -i /newer.deb && rm $root/newer.deb
}
is_ours() {
    [ "$(readlink $root$stock)" = /usr/libexec/tapgate-helper ] && inside $stock --version
}
is_stock() { # TEXT
    [ ! -L $root$stock ] && holds $root$stock "$1" && [ ! -e $root$stock.stock ]
}
verdict "a stock helper is there" upgrade_stock one
verdict "tapgate-divert on" inside tapgate-divert on
verdict "once more changes nothing" inside tapgate-divert on
verdict "the stock helper's name is ours" is_ours
verdict "status says so" inside sh -c 'tapgate-divert status | grep "^on:"'
verdict "an upgrade of the stock helper" upgrade_stock two
verdict "keeps ours in its place" is_ours
verdict "tapgate-divert off" inside tapgate-divert off
verdict "the stock helper is back, as upgraded" is_stock two
verdict "off once more changes nothing" inside tapgate-divert off
verdict "status says so" inside sh -c 'tapgate-divert status | grep "^off:"'

# --- its end -------------------------------------------------------------------------------------

inside tapgate-divert on >$out 2>&1
verdict "dpkg removes it" inside dpkg -r tapgate
verdict "and with it the diversion" is_stock two
verdict "dpkg purges it" inside dpkg --purge tapgate stock
verdict "the policy is the administrator's, and stays" holds $root/etc/qemu/bridge.conf 'allow br0'
rm -r $root/etc/qemu
files >$LAB/after
verdict "nothing else is left" diff $LAB/before $LAB/after

# --- the .rpm ------------------------------------------------------------------------------------

of_rpm() { # OPTIONS...
    rpm --root $root --dbpath /var/lib/rpm --nodeps "$@"
}
main_rpm=$(echo "$build"/packages/tapgate-[0-9]*.rpm)
verdict "rpm installs it" of_rpm -i "$main_rpm"
echo 'allow br0' >$root/etc/qemu/bridge.conf
verdict "the helper has its privilege, and a user gets a tap" mode
echo '# mine' >>$root/etc/apparmor.d/usr.libexec.tapgate-helper
verdict "rpm installs it over itself" of_rpm -U --force "$main_rpm"
verdict "a changed profile is what it was" holds $root/etc/apparmor.d/usr.libexec.tapgate-helper '# mine'
verdict "rpm installs tapgate-selinux" of_rpm -i "$build"/packages/tapgate-selinux-[0-9]*.rpm
verdict "the module is in the policy of the next boot" labels_helper
verdict "rpm removes it" of_rpm -e tapgate-selinux
verdict "and the module with it" labels_helper_not
verdict "rpm removes tapgate" of_rpm -e tapgate
gone() {
    ! [ -e $root/usr/libexec/tapgate-helper ] && ! [ -e $root/usr/bin/tapgate ]
}
verdict "and its programs are gone" gone
verdict "the policy is the administrator's, and stays" holds $root/etc/qemu/bridge.conf 'allow br0'

summary
