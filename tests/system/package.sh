#!/bin/bash
# The .rpm packages: made twice from one build, they are bit for bit the same; what they contain, and
# what rpmlint, AppArmor's parser and systemd say about it. (debian_package.sh installs them, too: rpm
# itself does not mind where.)
#
#   tests/system/package.sh [--rebuild]
#
#   --rebuild  make them the second time from another directory, with its own build
#
# TAPGATE_PACKAGE_BUILD  where it is built (default: build/package); packages/ there are the packages
# shellcheck disable=SC2317,SC2086 # verdict calls the functions; the lab's paths have no blanks
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"

build=${TAPGATE_PACKAGE_BUILD:-$top/build/package}
rebuild=0
case ${1:-} in
'') ;;
--rebuild) rebuild=1 ;;
*) die "unknown option $1" ;;
esac

# package SOURCE BUILD OUT [PRIVILEGE]: the packages of a source directory, built in another.
package() {
    local log=$3.log
    {
        (cd "$1" && cmake --preset package -B "$2" "-DTAPGATE_PRIVILEGE=${4:-setuid}" && cmake --build "$2")
        # A clock that every maker of the package has.
        SOURCE_DATE_EPOCH=$(git -C "$top" log -1 --format=%ct)
        export SOURCE_DATE_EPOCH
        rm -rf "$3"
        (cd "$2" && umask 022 && cpack -G RPM -D CPACK_OUTPUT_FILE_PREFIX="$3")
    } >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        die "no package"
    }
}

outside() {
    mkdir -p "$build"
    package "$top" "$build" "$build/packages"
    package "$top" "$build" "$build/packages-filecaps" filecaps
    package "$top" "$build" "$build/packages-again"
    if [ "$rebuild" = 1 ]; then
        other=$(mktemp -d)
        trap 'rm -rf "$other"' EXIT
        # What is committed or about to be, at another path and built at another one.
        (cd "$top" && git ls-files -z | xargs -0 tar -c) | tar -x -C "$other"
        package "$other" "$other/elsewhere" "$build/packages-again"
    fi
}
begin -- cpack rpm rpmbuild rpmlint cpio apparmor_parser systemd-analyze strace

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
    for file in "$build"/packages/*.rpm; do
        cmp "$file" "$build/packages-again/${file##*/}" || return
    done
}
verdict "two makings give the same bytes" same

mkdir $LAB/tree
: >$LAB/contents
for part in tapgate tapgate-helper; do
    rpm=$(echo "$build/packages/$part"-[0-9]*.rpm)
    rpm -qlvp "$rpm" | awk -v part=$part '{ print part, $1, $3 "/" $4, $NF }' >>$LAB/contents
    (cd $LAB/tree && rpm2cpio "$rpm" | cpio -idm --quiet)
done
for entry in "tapgate-helper -rwsr-xr-x root/root /usr/libexec/tapgate-helper" \
    "tapgate-helper -rwx--x--x root/root /usr/libexec/tapgate-lookup" \
    "tapgate-helper -rw-r--r-- root/root /usr/share/man/man5/bridge.conf.5.gz" \
    "tapgate-helper -rw-r--r-- root/root /usr/share/man/man8/tapgate-helper.8.gz" \
    "tapgate-helper -rwxr-xr-x root/root /usr/bin/tapgate-policy" \
    "tapgate-helper -rw-r--r-- root/root /usr/share/man/man1/tapgate-policy.1.gz" \
    "tapgate -rwxr-xr-x root/root /usr/bin/tapgate" \
    "tapgate -rw-r--r-- root/root /usr/share/man/man1/tapgate.1.gz" \
    "tapgate -rw-r--r-- root/root /usr/share/man/man7/tapgate-cluster.7.gz" \
    "tapgate -rw-r--r-- root/root /usr/share/man/man7/tapgate-tutorial.7.gz" \
    "tapgate -rw-r--r-- root/root /etc/tapgate/images.conf" \
    "tapgate -rw-r--r-- root/root /usr/lib/systemd/user/tapgate@.service"; do
    verdict "it has ${entry##*/}, as it should be" holds $LAB/contents "$entry"
done
no_policy() {
    ! grep 'etc/qemu/.' $LAB/contents
}
verdict "no policy of ours is in an administrator's way" no_policy
packaged_paths() {
    ! zcat $LAB/tree/usr/share/man/man?/*.gz | grep /usr/local
}
verdict "the manuals have the packages' paths" packaged_paths
verdict "rpmlint has no error" rpmlint -c "$top/etc/package/rpmlint.toml" "$build"/packages/*.rpm
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

# What the reaper's unit leaves it, without a systemd here: root with that one capability, no new
# privileges; and no system call that the unit's filter forbids.
lab_install $LAB/tree/usr/libexec/tapgate-helper setuid
lab_bridge br0 192.0.2.1/24
ip tuntap add name tap9-1 mode tap
ip link set tap9-1 alias 'tapgate uid=9' master br0
reap() {
    strace -f -qq -e signal=none -o $LAB/log/calls setpriv --bounding-set=-all,+net_admin \
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

summary
