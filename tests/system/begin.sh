# shellcheck shell=bash disable=SC2034 # variables of who sources it
# SPDX-License-Identifier: GPL-2.0-or-later
#
# How a test begins that runs in the lab (lab.sh). Source it, and say what the test has to have; what is
# behind that runs inside, as root:
#
#     source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
#     begin helper launcher guest -- qemu-img python3
#
# Before `--' stands what is tested, or belongs to the tests:
#
#   helper     sets $helper; how it is installed in the lab (lab_install) is the test's
#   launcher   sets $launcher, and in the lab it is $tapgate, with the words of launcher_words.sh
#   guest      QEMU, and $GUEST_DIR/kernel and $GUEST_DIR/initramfs.cpio for it, with the words of guest.sh
#   ssh-guest  the same, and $GUEST_DIR/ssh.cpio: a guest with an SSH server, for $TAPGATE_GUEST/ssh.key
#
# Behind it stand programs of this host. All that is missing is said at once. What has to be done outside the
# lab, such as what needs a network, does a function `outside', if the test has one. It and the test find
# this directory in $here and the project's in $top.
#
# Each of these tests can be run by hand, as root, and needs nothing but a release build:
#
#     MUST_WORK=1 tests/system/launcher.sh
#
#   MUST_WORK=1           a missing prerequisite is a failure (exit 1) and not a skip (exit 77)
#   TAPGATE               the launcher under test (default: the release build's)
#   TAPGATE_HELPER        the helper, likewise; it is copied, and never made setuid itself
#   TAPGATE_GUEST         where the guests are, or are to be made (default: build/guest)
#   TAPGATE_BOOT_TIMEOUT  how many seconds a guest may take until it says something (default: the test's)
#   TAPGATE_LONG=1        more of the same, where a test says so

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
begin_arguments=("$@") # the test's, since this was sourced without any
# shellcheck source=tests/system/lab.sh
source "$here/lab.sh"
# shellcheck source=tests/system/guest.sh
source "$here/guest.sh"
export TAPGATE_GUEST=${TAPGATE_GUEST:-$top/build/guest}

# begin_package COMMAND: prints the package of Debian's that has it.
begin_package() {
    case $1 in
    as | ld) echo binutils ;;
    apparmor_parser) echo apparmor ;;
    bridge | ip | ss) echo iproute2 ;;
    busybox) echo busybox-static ;;
    cpack) echo cmake ;;
    dpkg-buildpackage) echo dpkg-dev ;;
    dropbear) echo dropbear-bin ;;
    isoinfo) echo genisoimage ;;
    libvirtd) echo libvirt-daemon ;;
    mformat) echo mtools ;;
    munged) echo munge ;;
    newuidmap) echo uidmap ;;
    nft) echo nftables ;;
    ninja) echo ninja-build ;;
    qemu-ga) echo qemu-guest-agent ;;
    qemu-img | qemu-io) echo qemu-utils ;;
    qemu-system-x86_64) echo qemu-system-x86 ;;
    rpmbuild) echo rpm ;;
    script) echo bsdutils ;;
    setcap) echo libcap2-bin ;;
    setpriv | unshare) echo util-linux ;;
    srun) echo slurm-client ;;
    ssh | ssh-keygen) echo openssh-client ;;
    systemd-analyze | systemd-id128 | */systemd-networkd) echo systemd ;;
    usermod) echo passwd ;;
    virsh | virt-xml-validate) echo libvirt-clients ;;
    virt-install) echo virtinst ;;
    xmllint) echo libxml2-utils ;;
    /usr/lib/frr/*) echo frr ;;
    /usr/lib/openssh/sftp-server) echo openssh-sftp-server ;;
    *) echo "$1" ;;
    esac
}

# begin WHAT... [-- COMMAND...]: see above.
begin() {
    local what=() required=() word
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        what+=("$1")
        shift
    done
    set -- ip setpriv unshare "${@:2}"
    [[ " ${what[*]} " != *guest\ * ]] || set -- qemu-system-x86_64 "$@"
    [[ " ${what[*]} " != *\ ssh-guest\ * ]] || set -- "$@" ssh-keygen dropbear busybox /usr/lib/openssh/sftp-server
    for word; do
        required+=("$word" "$(begin_package "$word")")
    done
    lab_require "${required[@]}"

    for word in "${what[@]}"; do
        case $word in
        helper) lab_find_helper "$top" ;;
        launcher) lab_find_launcher "$top" ;;
        guest) guest_prepare "$top" ;;
        ssh-guest)
            guest_prepare "$top"
            guest_prepare_ssh "$top"
            ;;
        *) die "begin: what is $word?" ;;
        esac
    done
    if ! lab_inside && declare -F outside >/dev/null; then
        outside
    fi
    lab_enter "$0" "${begin_arguments[@]}"

    for word in "${what[@]}"; do
        case $word in
        launcher)
            # shellcheck source=tests/system/launcher_words.sh
            source "$here/launcher_words.sh"
            ;;
        guest) guest_mount ;;
        ssh-guest)
            guest_mount
            cp "$TAPGATE_GUEST/ssh.cpio" "$GUEST_DIR/"
            ;;
        esac
    done
}
