#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Several hosts, from the launcher's command line to real guests: a cluster of namespaces with Slurm and
# VXLAN (cluster/bed.sh), and VMs with `on = slurm' that their user starts, looks at and ends from the login
# node, without knowing where they run. It comes up once; what is checked is in cluster/checks/, a file for
# each topic, and what they say it with is in cluster/words.sh.
#
# With TAPGATE_LONG, a node is killed, too, and a kernel with version 2 of cgroups booted.
# shellcheck disable=SC2317 # begin calls outside
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
# shellcheck source=tests/system/cluster/bed.sh
source "$here/cluster/bed.sh"
outside() {
    [ -n "${TAPGATE_NO_CGROUPS:-}" ] || bed_cgroups
}
begin helper ssh-guest -- as ld qemu-img bridge jq slurmctld slurmd srun munged script nft systemd-id128 \
    /usr/lib/frr/bgpd /lib/systemd/systemd-networkd
lab_find_launcher "$top" # alice's, and not the lab user's
export BED_CGROUP=${BED_CGROUP:-}

bed_up "$helper" "$launcher"
install -d -m 0755 $BED/home/guest
cp "$TAPGATE_GUEST/kernel" "$TAPGATE_GUEST/initramfs.cpio" "$TAPGATE_GUEST/ssh.cpio" $BED/home/guest/
chmod -R a+rX $BED/home/guest
install -d -m 0700 -o $BED_UID -g $BED_UID $BED/home/alice/.ssh
install -m 0600 -o $BED_UID -g $BED_UID "$TAPGATE_GUEST/ssh.key" $BED/home/alice/.ssh/id_ed25519

# shellcheck source=tests/system/cluster/words.sh
source "$here/cluster/words.sh"
# shellcheck source=tests/system/cluster/checks/time_limit.sh
source "$here/cluster/checks/time_limit.sh"

# In this order: VMs that one of them leaves, the next ones use.
within_the_limit=(lab_on_two_nodes verbs power_button by_hand taps moves disks isolated)
behind_it=(queue silent_controller node_down evpn)
long=(memory_cgroups2 node_dies)
[ "$(printf '%s.sh\n' time_limit "${within_the_limit[@]}" "${behind_it[@]}" "${long[@]}" | LC_ALL=C sort)" = \
    "$(cd "$here/cluster/checks" && LC_ALL=C ls)" ] || die "not each file of cluster/checks/ has its place"

time_limit_begins
for check in "${within_the_limit[@]}"; do
    # shellcheck source=/dev/null
    source "$here/cluster/checks/$check.sh"
done
time_limit_ends
[ -n "${TAPGATE_LONG:-}" ] || long=()
for check in "${behind_it[@]}" "${long[@]}"; do
    # shellcheck source=/dev/null
    source "$here/cluster/checks/$check.sh"
done
summary
