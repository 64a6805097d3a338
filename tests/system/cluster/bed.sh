# shellcheck shell=bash disable=SC2034 # variables of who sources it
# A cluster of namespaces for tests: ctl (controller and login node), n1 and n2 (compute nodes), a
# switch between them, a home that they share, Slurm as etc/slurm has it, br0 on each of them over
# VXLAN. Source lab.sh first and call lab_enter: the lab is the rack, and all of this is inside it, so
# that it goes with the lab's first process.
#
#     bed_cgroups               outside the lab, before lab_enter: where the nodes' memory is counted
#     bed_up HELPER LAUNCHER    inside: nodes, network, Slurm; returns when both nodes are idle
#     bed_root NODE COMMAND...  as root on a node
#     bed_user NODE COMMAND...  as the user alice, with a login's environment
#
# The nodes have net, mount, pid, ipc, uts and cgroup namespaces of their own, and their own /etc,
# /run, /tmp and /etc/machine-id. What they share is what a cluster shares: /home, and who the users are.

BED=/srv # of the lab; a file system of its own
BED_NODES="ctl n1 n2"
declare -A BED_ADDRESS=([ctl]=10.77.0.1 [n1]=10.77.0.11 [n2]=10.77.0.12)
BED_CONTROLLERS="memory cpuset freezer cpuacct devices cpu"
bed_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bed_etc=$(cd "$bed_here/../../../etc" && pwd)

# Slurm makes cgroups, which only the host's hierarchies have: below a group of this run's, which is
# removed when the script ends. Of version 2 there is one hierarchy, and systemd's: there, and where none
# can be made, Slurm does without (BED_CGROUP is empty), and a job's memory has no limit.
bed_cgroups() {
    local controller node
    export BED_CGROUP='' BED_CONTROLLERS
    for controller in $BED_CONTROLLERS; do
        [ -w "/sys/fs/cgroup/$controller/cgroup.procs" ] || return 0
    done
    BED_CGROUP=tapgate-cluster-$$
    trap bed_remove_cgroups EXIT
    for controller in $BED_CONTROLLERS; do
        for node in '' /ctl /n1 /n2; do
            mkdir "/sys/fs/cgroup/$controller/$BED_CGROUP$node"
            [ "$controller" != cpuset ] || bed_cpuset "/sys/fs/cgroup/cpuset/$BED_CGROUP$node"
        done
    done
}
bed_cpuset() { # DIRECTORY: a new one has no CPUs
    local file
    for file in cpuset.cpus cpuset.mems; do
        cat "${1%/*}/$file" >"$1/$file"
    done
}
bed_remove_cgroups() {
    local controller
    # What has just been killed is in them for a moment.
    for _ in $(seq 50); do
        for controller in $BED_CONTROLLERS; do
            find "/sys/fs/cgroup/$controller/$BED_CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null || true
        done
        [ -d "/sys/fs/cgroup/memory/$BED_CGROUP" ] || break
        sleep 0.1
    done
}

bed_pid() { # NODE: its first process
    cat "$BED/$1.pid"
}
bed_root() { # NODE COMMAND...
    local node=$1
    shift
    nsenter --target "$(bed_pid "$node")" --net --mount --pid --ipc --uts --cgroup --wd=/ -- "$@"
}
bed_as() { # NODE USER UID COMMAND...
    local node=$1 user=$2 uid=$3
    shift 3
    local login=()
    # Only who has logged in there has one of these.
    [ "$node" != ctl ] || login=(XDG_RUNTIME_DIR="/run/user/$uid")
    bed_root "$node" setpriv --reuid="$uid" --regid="$uid" --clear-groups --inh-caps=-all -- \
        env -C "/home/$user" -i HOME="/home/$user" USER="$user" LOGNAME="$user" SHELL=/bin/bash TERM=dumb \
        LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin "${login[@]}" "$@"
}
bed_user() { # NODE COMMAND...
    local node=$1
    shift
    bed_as "$node" alice "$BED_UID" "$@"
}

bed_node() { # NODE
    local node=$1 controller
    (
        for controller in ${BED_CGROUP:+$BED_CONTROLLERS}; do
            echo "$BASHPID" >"$BED/cgroup/$controller/$BED_CGROUP/$node/cgroup.procs"
        done
        exec unshare --net --mount --pid --ipc --uts --cgroup --fork --kill-child --mount-proc -- \
            "$BASH" "$bed_here/node" "$node"
    ) </dev/null >"$BED/$node.log" 2>&1 &
    local unshare=$!
    lab_poll 20 test -e "$BED/$node.ready" || {
        show_files "$BED/$node.log"
        die "the node $node does not come up"
    }
    tr -d ' ' <"/proc/$unshare/task/$unshare/children" >"$BED/$node.pid"
}

# The switch is the rack's: in the lab's own network namespace.
bed_wires() {
    local node
    ip link add switch type bridge
    ip link set switch up
    for node in $BED_NODES; do
        ip link add "w-$node" type veth peer name "x-$node"
        ip link set "w-$node" master switch up
        ip link set "x-$node" netns "$(bed_pid "$node")"
        bed_root "$node" ip link set "x-$node" name eth0
        bed_root "$node" ip link set eth0 up
        bed_root "$node" ip addr add "${BED_ADDRESS[$node]}/24" dev eth0
        bed_root "$node" nft 'add table inet filter; add chain inet filter input { type filter hook input priority 0; }'
        # Its braces and exclamation mark are nft's.
        bed_root "$node" sh -ec "$("$bed_here/manual" 2)"
    done
}

# br0 over VXLAN 100, by systemd-networkd with the files of etc/network, as tapgate-cluster(7) says.
bed_vxlan() { # static|evpn
    local node
    for node in $BED_NODES; do
        bed_networkd "$node" "$1"
    done
    for node in $BED_NODES; do
        lab_poll 10 bed_stretched "$node" || {
            show_files "$BED/$node.networkd"
            die "systemd-networkd does not make br0 and vx0 on $node"
        }
    done
    bed_root ctl ip addr add 192.0.2.1/24 dev br0
}
bed_stretched() { # NODE
    local links
    links=$(bed_root "$1" ip -br link show master br0 2>/dev/null) && [[ $links == *vx0*,UP,* ]]
}
bed_networkd() { # NODE static|evpn
    local node=$1 other files=$BED/$1.files
    mkdir -p "$files"
    cp "$bed_etc"/network/networkd/* "$files/"
    sed -i "s/^Local=.*/Local=${BED_ADDRESS[$node]}/" "$files/50-vx0.netdev"
    # A list of the others; or none, since these tell each other.
    sed -i '/^\[BridgeFDB\]/,$d' "$files/50-vx0.network"
    if [ "$2" = static ]; then
        for other in $BED_NODES; do
            [ "$other" = "$node" ] || printf '[BridgeFDB]\nMACAddress=00:00:00:00:00:00\nDestination=%s\n' \
                "${BED_ADDRESS[$other]}" >>"$files/50-vx0.network"
        done
    else
        sed -i 's/^MacLearning=.*/MacLearning=no/' "$files/50-vx0.netdev"
        printf '[Bridge]\nLearning=no\nNeighborSuppression=yes\n' >>"$files/50-vx0.network"
    fi
    # It waits for udev, unless its /sys is read-only, as in a container.
    # shellcheck disable=SC2016 # the inner shell's
    bed_root "$node" sh -c '[ ! -e /run/networkd.pid ] || kill "$(cat /run/networkd.pid)"
        echo $$ >/run/networkd.pid
        ip link del vx0; ip link del br0
        rm -rf /etc/systemd/network; mkdir -p /etc/systemd/network /run/systemd/netif/links /run/systemd/netif/leases \
            /run/systemd/netif/lldp
        cp "$1"/* /etc/systemd/network/
        chown -R systemd-network: /run/systemd/netif
        exec unshare --mount sh -c "mount -o remount,bind,ro /sys && exec /lib/systemd/systemd-networkd"' \
        sh "$files" >"$BED/$node.networkd" 2>&1 &
}

# From lists to FRR's EVPN: each node tells the others which MAC addresses are behind it.
bed_evpn() {
    local node
    bed_vxlan evpn
    for node in $BED_NODES; do
        sed -e "s/@NODE@/$node/; s/@ADDRESS@/${BED_ADDRESS[$node]}/; s/@REFLECTOR@/${BED_ADDRESS[ctl]}/" \
            -e 's,@NODES@,10.77.0.0/24,' \
            "$bed_etc/network/frr/$([ "$node" = ctl ] && echo reflector || echo node).conf" >"$BED/frr.$node"
        bed_root "$node" install -d -o frr -g frr /run/frr /etc/frr
        bed_root "$node" install -o frr -g frr -m 0640 "$BED/frr.$node" /etc/frr/frr.conf
        bed_root "$node" /usr/lib/frr/zebra -d -A 127.0.0.1 -f /etc/frr/frr.conf 2>>"$BED/$node.log"
        bed_root "$node" /usr/lib/frr/bgpd -d -A 127.0.0.1 -f /etc/frr/frr.conf 2>>"$BED/$node.log"
    done
}

bed_slurm() {
    local node
    for node in $BED_NODES; do
        bed_root "$node" setpriv --reuid=munge --regid=munge --clear-groups /usr/sbin/munged
    done
    bed_root ctl /usr/sbin/slurmctld
    for node in n1 n2; do
        bed_root "$node" /usr/sbin/slurmd -N "$node"
    done
}
bed_idle() {
    [ "$(bed_root ctl sinfo -h -o '%D %T' 2>/dev/null)" = '2 idle' ]
}

# bed_up HELPER LAUNCHER: the programs under test. The launcher has its helper's place built in.
bed_up() {
    local node controller
    mount -t tmpfs -o mode=0755,suid,dev bed $BED
    mkdir -p $BED/{home,bin,munge,guest}
    # The lab's /sys is another than the host's, and without them.
    for controller in ${BED_CGROUP:+$BED_CONTROLLERS}; do
        mkdir -p "$BED/cgroup/$controller"
        mount -t cgroup -o "$controller" cgroup "$BED/cgroup/$controller"
    done
    BED_UID=60201
    while getent passwd $BED_UID >/dev/null || getent group $BED_UID >/dev/null; do
        BED_UID=$((BED_UID + 1))
    done
    BED_OTHER_UID=$((BED_UID + 1))
    printf 'alice:x:%s:%s:alice:/home/alice:/bin/bash\n' $BED_UID $BED_UID >$BED/passwd
    printf 'mallory:x:%s:%s:mallory:/home/mallory:/bin/bash\n' $BED_OTHER_UID $BED_OTHER_UID >>$BED/passwd
    printf 'alice:x:%s:\nmallory:x:%s:\n' $BED_UID $BED_OTHER_UID >$BED/group
    install -d -m 0700 -o $BED_UID -g $BED_UID $BED/home/alice
    install -d -m 0700 -o $BED_OTHER_UID -g $BED_OTHER_UID $BED/home/mallory
    install -m 0755 "$1" "${1%/*}/tapgate-policy" $BED/bin/
    install -m 0755 "$2" $BED/bin/tapgate
    head -c 1024 /dev/urandom >$BED/munge/munge.key
    export BED BED_UID
    for node in $BED_NODES; do
        bed_node "$node"
    done
    # On the nodes, too: who logs in there has one, and takes it along when he logs out. No job may use it.
    for node in $BED_NODES; do
        bed_root "$node" install -d -m 0700 -o $BED_UID -g $BED_UID /run/user/$BED_UID
        bed_root "$node" chmod 0755 /run/user
    done
    bed_wires
    bed_vxlan static
    bed_slurm
    lab_poll 30 bed_idle || {
        show_files $BED/*.log
        bed_root ctl sinfo -R || true
        bed_root ctl tail -n 20 /var/log/slurm/slurmctld.log || true
        for node in n1 n2; do
            bed_root "$node" tail -n 20 /var/log/slurm/slurmd.log || true
        done
        die "Slurm's nodes are not idle"
    }
}
