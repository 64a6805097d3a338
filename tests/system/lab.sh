# shellcheck shell=bash
# A private lab for tests that need a bridge, a setuid helper and an unprivileged user. Source it,
# call lab_enter first; what runs after that is inside, as root.
#
#     source "$(dirname "$0")/lab.sh"
#     lab_require ip iproute2 ...           # missing: skip (exit 77), or fail under MUST_WORK=1
#     lab_enter "$0" "$@"                   # runs the script again, inside
#     lab_bridge br0 192.0.2.1/24
#     lab_policy 'allow br0'
#     lab_install "$TAPGATE_HELPER" setuid  # sets LAB_HELPER
#     (lab_exec "$LAB_HELPER" --br=br0 --fd=3)
#
# The lab is a set of new namespaces (net, mount, pid, ipc, uts) and one tmpfs over /run. So there is
# nothing to clean up: every process, mount, file, bridge and tap in it ends with its first process, even
# if that is killed.
#
#   net    the host's network can be neither seen nor changed
#   /sys   mounted anew, since a sysfs shows the network namespace that it was mounted in
#   /run   a tmpfs that is not nosuid (many hosts' /tmp is), with everything below $LAB
#   /etc   a copy, for /etc/qemu/bridge.conf and the lab user's passwd entry: the host may have
#          neither, and must not get them from a test
#   tun    /dev/net/tun is 0666, as udev makes it; hosts without udev have it 0600

LAB=/run/lab
LAB_USER=labuser
LAB_UID= # set by lab_enter
LAB_HELPER=

# shellcheck source=tests/system/words.sh
source "$(dirname "${BASH_SOURCE[0]}")/words.sh"

# lab_require COMMAND PACKAGE ...: all that is missing, in one message.
lab_require() {
    [ "$(id -u)" = 0 ] || skip "needs root (for network and mount namespaces, and a setuid file)"
    local missing=()
    while [ $# -gt 0 ]; do
        command -v "$1" >/dev/null || missing+=("$2")
        shift 2
    done
    [ ${#missing[@]} -eq 0 ] || skip "missing packages: ${missing[*]}"
}

# The programs under test. lab_find_helper TOP: sets $helper; lab_find_launcher TOP: sets $launcher.
lab_find_helper() {
    helper=$(readlink -f "${TAPGATE_HELPER:-$1/build/release/helper/tapgate-helper}")
    [ -f "$helper" ] || skip "no helper at $helper (build it, or set TAPGATE_HELPER)"
}
lab_find_launcher() {
    launcher=$(readlink -f "${TAPGATE:-$1/build/release/launcher/tapgate}")
    [ -f "$launcher" ] || skip "no launcher at $launcher (build it, or set TAPGATE)"
}

# sbin: an unprivileged shell's PATH on Debian lacks it, and so does that of some su and cron.
PATH=$PATH:/usr/sbin:/sbin

lab_inside() {
    # Only the lab's first process: a script that is called from within is not to build a second.
    [ "${TAPGATE_LAB_HOST_NET:-}" != "" ] && [ "$$" = 1 ]
}

# lab_possible: skips unless this process may make the namespaces.
lab_possible() {
    local reason
    reason=$(unshare --net --mount --pid --ipc --uts --fork true 2>&1) ||
        skip "cannot make namespaces: $reason"
}

# lab_enter SCRIPT ARGS...: outside, runs the script again in a new lab and exits as it does;
# inside, furnishes the lab and returns.
lab_enter() {
    if lab_inside; then
        lab_furnish
        return
    fi
    lab_possible
    TAPGATE_LAB_HOST_NET=$(readlink /proc/self/ns/net)
    export TAPGATE_LAB_HOST_NET
    # pdeathsig and kill-child make a chain: however this shell ends, the lab ends with it. In the
    # background and waited for, so that a signal is acted upon at once; unshare blocks TERM. Tests
    # send SIGHUP, too, which nohup would have everybody ignore.
    env --default-signal=HUP setpriv --pdeathsig KILL \
        unshare --net --mount --pid --ipc --uts --fork --kill-child --mount-proc -- \
        "$BASH" "$@" <&0 &
    local lab_pid=$!
    # shellcheck disable=SC2064 # the pid of now
    trap "kill -KILL $lab_pid 2>/dev/null; exit 143" INT TERM HUP
    local status=0
    wait "$lab_pid" || status=$?
    exit "$status"
}

lab_furnish() {
    # Everything below changes network and mounts: be sure whose.
    [ "$(readlink /proc/self/ns/net)" != "$TAPGATE_LAB_HOST_NET" ] ||
        die "still in the host's network namespace"
    umask 022
    mount -t tmpfs -o mode=0755,suid,dev,exec lab /run
    mkdir -p $LAB/etc $LAB/libexec $LAB/log $LAB/dev

    mount -t sysfs sysfs /sys
    [ ! -e /sys/class/net/br0 ] || die "a new network namespace already has a br0"
    ip link set lo up

    # A copy, not an overlay: overlayfs is not everywhere, and /etc is small.
    cp -a /etc/. $LAB/etc/ 2>/dev/null || true
    mount --bind $LAB/etc /etc
    rm -rf /etc/qemu
    mkdir -m 0755 /etc/qemu

    LAB_UID=60123
    while getent passwd "$LAB_UID" >/dev/null || getent group "$LAB_UID" >/dev/null; do
        LAB_UID=$((LAB_UID + 1))
    done
    local home=$LAB/home
    sed -i "/^$LAB_USER:/d" /etc/passwd /etc/group
    echo "$LAB_USER:x:$LAB_UID:$LAB_UID:tapgate lab:$home:/bin/sh" >>/etc/passwd
    echo "$LAB_USER:x:$LAB_UID:" >>/etc/group
    install -d -m 0700 -o "$LAB_UID" -g "$LAB_UID" "$home" "/run/user/$LAB_UID"
    chmod 0755 /run/user

    [ -e /dev/net/tun ] || modprobe tun 2>/dev/null || true
    [ -e /dev/net/tun ] || skip "no /dev/net/tun (modprobe tun)"
    if [ "$(stat -c %a /dev/net/tun)" != 666 ]; then
        mknod -m 0666 $LAB/dev/tun c 10 200
        chmod 0666 $LAB/dev/tun
        mount --bind $LAB/dev/tun /dev/net/tun
    fi
}

# lab_own_dev: a /dev of the lab's own with the host's devices in it, in which a test can add some.
lab_own_dev() {
    local entry name
    mkdir $LAB/devices
    mount -t tmpfs -o mode=0755,dev,suid lab $LAB/devices
    for entry in /dev/*; do
        name=${entry##*/}
        case $name in tty?* | vcs*) continue ;; esac
        if [ -L "$entry" ]; then
            cp -d "$entry" "$LAB/devices/$name"
        elif [ -d "$entry" ]; then
            mkdir "$LAB/devices/$name"
            mount --rbind "$entry" "$LAB/devices/$name"
        else
            : >"$LAB/devices/$name"
            mount --bind "$entry" "$LAB/devices/$name"
        fi
    done
    mount --rbind $LAB/devices /dev
}

# lab_exec COMMAND ARGS...: becomes that command as the lab user, by exec, so that in
# "(lab_exec CMD) &" $! is CMD itself. The environment is a login's, not root's.
lab_exec() {
    cd "$LAB/home" || exit
    exec setpriv --reuid="$LAB_UID" --regid="$LAB_UID" --init-groups --inh-caps=-all -- \
        env -i HOME=$LAB/home USER=$LAB_USER LOGNAME=$LAB_USER SHELL=/bin/sh TERM=dumb LANG=C.UTF-8 \
        PATH=/usr/local/bin:/usr/bin:/bin XDG_RUNTIME_DIR="/run/user/$LAB_UID" "$@"
}

lab_bridge() { # NAME ADDRESS/LEN
    ip link add "$1" type bridge || skip "this kernel cannot make bridges"
    ip addr add "$2" dev "$1"
    ip link set "$1" up
}

# lab_policy LINE...: a policy file as a package would install it: root's, 0644.
lab_policy() {
    printf '%s\n' "$@" >/etc/qemu/bridge.conf.new
    chmod 0644 /etc/qemu/bridge.conf.new
    mv /etc/qemu/bridge.conf.new /etc/qemu/bridge.conf
}

# lab_install FILE setuid|filecaps: installs the helper in one of the two supported ways.
lab_install() {
    local dir=$LAB/libexec/$2
    mkdir -p "$dir"
    LAB_HELPER=$dir/${1##*/}
    rm -f "$LAB_HELPER"
    case $2 in
    setuid) install -o root -g root -m 4755 "$1" "$LAB_HELPER" ;;
    filecaps)
        install -o root -g root -m 0755 "$1" "$LAB_HELPER"
        setcap cap_net_admin=ep "$LAB_HELPER"
        ;;
    *) die "lab_install: no mode $2" ;;
    esac
    # The launcher asks the one beside the helper what the policy means.
    [ ! -f "${1%/*}/tapgate-policy" ] || install -m 0755 "${1%/*}/tapgate-policy" "$dir"
}

# lab_install_built_in FILE: setuid, at the path that a launcher has built in. The rest of the host's
# /usr/local is not needed in the lab.
lab_install_built_in() {
    mount -t tmpfs -o mode=0755,suid lab /usr/local
    mkdir -p /usr/local/libexec /usr/local/bin
    LAB_HELPER=/usr/local/libexec/tapgate-helper
    install -o root -g root -m 4755 "$1" "$LAB_HELPER"
    install -m 0755 "${1%/*}/tapgate-policy" /usr/local/bin/
}

# lab_replace_stock: puts LAB_HELPER in the place of the helper that QEMU and libvirt call when
# nobody names one, for the lab only; false when this host has no such place.
lab_replace_stock() {
    local stock
    for stock in /usr/lib/qemu/qemu-bridge-helper /usr/libexec/qemu-bridge-helper; do
        [ ! -e "$stock" ] || {
            mount --bind "$LAB_HELPER" "$stock"
            return
        }
    done
    return 1
}

# lab_ports BRIDGE: the names of its ports, one a line.
lab_ports() {
    local port
    for port in "/sys/class/net/$1/brif"/*; do
        [ ! -e "$port" ] || echo "${port##*/}"
    done
}

# lab_taps: every tun/tap device of the lab, port or not, and every contained one, which is seen by its
# port, one a line.
lab_taps() {
    local link
    for link in /sys/class/net/*; do
        case ${link##*/} in
            tap*[-_]*) echo "${link##*/}" ;;
            *) [ ! -e "$link/tun_flags" ] || echo "${link##*/}" ;;
        esac
    done
}

# Is none left? The kernel takes a moment to remove a contained one whose holder has ended: lab_poll it.
lab_no_taps() {
    [ -z "$(lab_taps)" ]
}

lab_no_tap_left() {
    lab_poll 2 lab_no_taps || wrong "a tap is left over: $(lab_taps)"
}

# lab_poll SECONDS COMMAND...: until COMMAND succeeds; false when it never did. The seconds are those
# of an idle machine: on a busy one everything may take LAB_PATIENCE times as long.
LAB_PATIENCE=${LAB_PATIENCE:-5}
lab_poll() {
    local uptime end
    read_uptime
    end=$((uptime + $1 * LAB_PATIENCE))
    shift
    until "$@"; do
        read_uptime
        [ "$uptime" -le "$end" ] || return 1
        sleep 0.1
    done
}
