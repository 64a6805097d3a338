#!/bin/bash
# Debian's packages on a Debian release, with a fresh machine for each step (../guest/debian-machine):
#
#   1. dpkg-buildpackage of the exported source, with only its declared build dependencies; lintian
#   2. what the packages contain; installed by apt; an unprivileged user gets a tap, and `tapgate run`s a
#      guest on a bridge (the packages' own autopkgtests); upgraded over an administrator's changes; in the
#      stock helper's place and back; the SELinux module in the policy and out of it; purged. Then the same
#      for the .rpm packages, if this host has that release and there are some.
#
#   tests/system/debian_package.sh 12|13
#
# TAPGATE_RPMS  where package.sh has put the .rpm packages (default: build/package/packages)
# shellcheck disable=SC2317,SC2086 # verdict calls the functions
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=tests/system/lab.sh
source "$here/lab.sh"

# --- outside ---------------------------------------------------------------------------------------

case ${1:-} in
--build | --install | --checks) ;;
12 | 13)
    lab_require cmake cmake mmdebstrap mmdebstrap unshare util-linux
    share=$top/build/machines/share-$1
    rm -rf "$share"
    mkdir -p "$share/rpm"
    if ! (cd "$top" && cmake --preset package && cmake --build --preset package --target debian_source) \
        >"$share/log" 2>&1; then
        tail -n 30 "$share/log" >&2
        die "no source package"
    fi
    # Not what has been built of it there, for another step.
    cp -a "$top"/build/package/debian/tapgate-[0-9]* "$top"/build/package/debian/*.orig.tar.* "$share"
    # Built on this host, they need its libraries' versions.
    if [ "$(. /etc/os-release && echo "$VERSION_ID")" = "$1" ]; then
        cp "${TAPGATE_RPMS:-$top/build/package/packages}"/*.rpm "$share/rpm" 2>/dev/null || true
    fi
    export TAPGATE_SHARE=$share
    "$top/tests/guest/debian-machine" "$1" tests/system/debian_package.sh --build
    exec "$top/tests/guest/debian-machine" "$1" tests/system/debian_package.sh --install
    ;;
*) die "usage: tests/system/debian_package.sh 12|13" ;;
esac

# --- 1: built on a fresh machine ---------------------------------------------------------------------

if [ "$1" = --build ]; then
    cd /share/tapgate-[0-9]*
    apt-get update -q
    apt-get install -q -y --no-install-recommends dpkg-dev lintian
    apt-get build-dep -q -y --no-install-recommends ./
    dpkg-buildpackage --no-sign -j"$(nproc)"
    lintian --pedantic --fail-on error,warning,pedantic /share/tapgate_*.changes
    exit
fi

# --- 2: on another -----------------------------------------------------------------------------------

if [ "$1" = --install ]; then
    apt-get update -q
    apt-get install -q -y /share/tapgate_*_amd64.deb /share/tapgate-helper_*.deb
    # What the tests and the SELinux packages need, while there is a network.
    apt-get install -q -y --no-install-recommends busybox-static cpio lz4 rpm util-linux
    apt-get install -q -y --no-install-recommends --download-only /share/tapgate-selinux_*.deb
    tests/guest/build /tmp/guest
    exec unshare --net -- "$BASH" "${BASH_SOURCE[0]}" --checks
fi

mount -t sysfs sysfs /sys
ip link set lo up
ip link add br0 type bridge
ip link set br0 up
echo 'lab:x:1000:1000::/tmp:/bin/sh' >>/etc/passwd
install -d -m 0700 -o 1000 -g 1000 /run/user/1000

mkdir -p /tmp/log
out=/tmp/log/out
evidence=("$out")
holds() { # FILE LINE
    grep -qxF -- "$2" "$1" || {
        cat "$1"
        return 1
    }
}
as_user() {
    setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=-all \
        env -i PATH=/usr/bin:/bin HOME=/tmp XDG_RUNTIME_DIR=/run/user/1000 "$@"
}
helper_deb=$(echo /share/tapgate-helper_*.deb)

for deb in /share/*.deb; do
    dpkg-deb -c "$deb" | awk -v deb="$(basename "$deb")" '{ sub(/_.*/, "", deb); print deb, $1, $2, $6 }'
done >/tmp/contents
for entry in "tapgate-helper -rwsr-xr-x root/root ./usr/libexec/tapgate-helper" \
    "tapgate-helper -rwx--x--x root/root ./usr/libexec/tapgate-lookup" \
    "tapgate-helper -rwxr-xr-x root/root ./usr/sbin/tapgate-divert" \
    "tapgate-helper -rw-r--r-- root/root ./usr/share/man/man5/bridge.conf.5.gz" \
    "tapgate-helper -rw-r--r-- root/root ./usr/share/man/man8/tapgate-helper.8.gz" \
    "tapgate-helper -rw-r--r-- root/root ./usr/share/doc/tapgate-helper/examples/bridge.conf" \
    "tapgate-helper -rwxr-xr-x root/root ./usr/bin/tapgate-policy" \
    "tapgate-helper -rw-r--r-- root/root ./usr/share/man/man1/tapgate-policy.1.gz" \
    "tapgate -rwxr-xr-x root/root ./usr/bin/tapgate" \
    "tapgate -rw-r--r-- root/root ./usr/share/man/man1/tapgate.1.gz" \
    "tapgate -rw-r--r-- root/root ./usr/share/man/man5/tapgate@.service.5.gz" \
    "tapgate -rw-r--r-- root/root ./usr/share/man/man7/tapgate-cluster.7.gz" \
    "tapgate -rw-r--r-- root/root ./usr/share/man/man7/tapgate-tutorial.7.gz" \
    "tapgate -rw-r--r-- root/root ./etc/tapgate/images.conf" \
    "tapgate -rwxr-xr-x root/root ./usr/share/doc/tapgate/examples/slurm/prolog" \
    "tapgate -rw-r--r-- root/root ./usr/share/zsh/vendor-completions/_tapgate" \
    "tapgate -rw-r--r-- root/root ./usr/share/bash-completion/completions/tapgate" \
    "tapgate-selinux -rw-r--r-- root/root ./usr/share/selinux/packages/tapgate.pp"; do
    verdict "there is ${entry##*/}, as it should be" holds /tmp/contents "$entry"
done
no_policy() {
    ! grep 'etc/qemu/.' /tmp/contents
}
verdict "no policy of ours is in an administrator's way" no_policy
packaged_paths() {
    ! { zcat /usr/share/man/man?/*tapgate* /usr/share/man/man5/bridge.conf.5.gz | grep /usr/local; }
}
verdict "the manuals have the packages' paths" packaged_paths
readme() {
    ls /usr/share/doc/tapgate/README.md*
}
verdict "the README is there" readme

# --- a user -----------------------------------------------------------------------------------------

verdict "tapgate --version" as_user tapgate --version
tap() {
    # shellcheck disable=SC2016 # for the shell inside
    as_user tapgate tap --bridge=br0 -- sh -c 'cat /sys/class/net/$TAPGATE_TAP_NAME/ifalias'
}
refused() {
    tap
    [ $? = 3 ]
}
verdict "without a policy nobody gets a tap" refused
mkdir -p /tmp/autopkgtest
autopkgtest() { # NAME
    (cd /share/tapgate-[0-9]* && AUTOPKGTEST_TMP=/tmp/autopkgtest "debian/tests/$1")
}
verdict "autopkgtest: smoke" autopkgtest smoke
cp -a /tmp/guest /tmp/autopkgtest/guest # it was downloaded when there was a network
verdict "autopkgtest: a user's guest, on a bridge" autopkgtest guest-on-a-bridge
echo 'allow br0' >/etc/qemu/bridge.conf
users_own() {
    tap | grep 'tapgate uid=1000'
}
verdict "with one line of policy a user gets a tap" users_own

# --- an upgrade -------------------------------------------------------------------------------------

newer() { # DEB [FILE]: it, one version on, with a line more in FILE, as /tmp/newer.deb
    rm -rf /tmp/tree
    dpkg-deb -R "$1" /tmp/tree
    sed -i 's/^Version: .*/&.1/' /tmp/tree/DEBIAN/control
    [ -z "${2:-}" ] || echo '# a newer one' >>"/tmp/tree$2"
    dpkg-deb --root-owner-group -b /tmp/tree /tmp/newer.deb
}
profile=/etc/apparmor.d/usr.libexec.tapgate-helper
upgrade() {
    newer "$helper_deb" $profile && dpkg --force-confold -i /tmp/newer.deb
}
echo '# mine' >>$profile
verdict "an upgrade" upgrade
verdict "the policy is what it was" holds /etc/qemu/bridge.conf 'allow br0'
verdict "a changed profile is what it was" holds $profile '# mine'
mode() { # MODE OWNER
    [ "$(stat -c '%a %U:%G' /usr/libexec/tapgate-helper)" = "$1" ]
}
verdict "the helper still has its privilege" mode "4755 root:root"
override() {
    dpkg-statoverride --update --add root daemon 4750 /usr/libexec/tapgate-helper
    dpkg --force-downgrade --force-confold -i "$helper_deb"
    mode "4750 root:daemon" && ! tap
}
verdict "an administrator's dpkg-statoverride outlives an upgrade" override
no_override() {
    dpkg-statoverride --remove /usr/libexec/tapgate-helper
    dpkg --force-confold -i "$helper_deb" && mode "4755 root:root" && tap
}
verdict "and without it all is as before" no_override

# --- the SELinux module -----------------------------------------------------------------------------

labels_helper() {
    semodule -l | grep -qx tapgate &&
        matchpathcon -n /usr/libexec/tapgate-helper | grep -x 'system_u:object_r:tapgate_helper_exec_t:s0'
}
labels_helper_not() {
    ! labels_helper
}
verdict "apt installs tapgate-selinux, where SELinux is off, too" \
    apt-get install -q -y --no-install-recommends /share/tapgate-selinux_*.deb
verdict "the module is in the policy of the next boot" labels_helper
verdict "it can be removed" dpkg --purge tapgate-selinux
verdict "and the module with it" labels_helper_not

# --- in the stock helper's place --------------------------------------------------------------------

stock=/usr/lib/qemu/qemu-bridge-helper
is_ours() {
    [ "$(readlink $stock)" = /usr/libexec/tapgate-helper ] && $stock --version
}
is_stock() {
    [ ! -L $stock ] && [ -x $stock ] && [ ! -e $stock.stock ]
}
verdict "QEMU's own helper is there" is_stock
verdict "tapgate-divert on" tapgate-divert on
verdict "once more changes nothing" tapgate-divert on
verdict "its name is ours" is_ours
verdict "status says so" sh -c 'tapgate-divert status | grep "^on:"'
reinstall() {
    apt-get install -q -y --reinstall --no-download qemu-system-common
}
verdict "an upgrade of QEMU" reinstall
verdict "keeps ours in its place" is_ours
verdict "tapgate-divert off" tapgate-divert off
verdict "QEMU's own is back" is_stock
verdict "off once more changes nothing" tapgate-divert off

# --- its end ----------------------------------------------------------------------------------------

tapgate-divert on >$out 2>&1
verdict "apt removes both" apt-get remove -q -y tapgate tapgate-helper
verdict "and with them the diversion" is_stock
verdict "apt purges them" apt-get purge -q -y tapgate tapgate-helper
verdict "the policy is the administrator's, and stays" holds /etc/qemu/bridge.conf 'allow br0'
rm -r /etc/qemu
nothing_left() {
    ! find / -xdev -name '*tapgate*' ! -path '/src/*' ! -path '/tmp/*' ! -path '/share/*' \
        ! -path '/var/cache/*' ! -path '/var/log/*' ! -path '/var/lib/selinux/*' | grep .
}
verdict "nothing else is left" nothing_left

# --- the .rpm ---------------------------------------------------------------------------------------

if [ -e "$(echo /share/rpm/tapgate-helper-*.rpm)" ]; then
    of_rpm() { # OPTIONS...
        rpm --nodeps "$@"
    }
    rpms=(/share/rpm/tapgate-[0-9]*.rpm /share/rpm/tapgate-helper-*.rpm)
    verdict "rpm installs them" of_rpm -i "${rpms[@]}"
    mkdir -p /etc/qemu
    echo 'allow br0' >/etc/qemu/bridge.conf
    verdict "a user gets a tap" users_own
    echo '# mine' >>$profile
    verdict "rpm installs them over themselves" of_rpm -U --force "${rpms[@]}"
    verdict "a changed profile is what it was" holds $profile '# mine'
    verdict "rpm installs tapgate-selinux" of_rpm -i /share/rpm/tapgate-selinux-*.rpm
    verdict "the module is in the policy of the next boot" labels_helper
    verdict "rpm removes it" of_rpm -e tapgate-selinux
    verdict "and the module with it" labels_helper_not
    verdict "rpm removes the others" of_rpm -e tapgate tapgate-helper
    gone() {
        ! [ -e /usr/libexec/tapgate-helper ] && ! [ -e /usr/bin/tapgate ]
    }
    verdict "and their programs are gone" gone
    verdict "the policy is the administrator's, and stays" holds /etc/qemu/bridge.conf 'allow br0'
fi

summary
