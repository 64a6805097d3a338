#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The files that tapgate-cluster(7) names are those that the cluster's test uses, the commands and the
# packages of its half hour are those that the test runs and asks for.
#
# Usage: cluster_manual.sh SOURCE-DIRECTORY
set -euo pipefail
cd "$1"
chapter=launcher/tapgate-cluster.7
mapfile -t bed < <(find tests/system/cluster.sh tests/system/cluster -type f)

wrong=0
named=0
complain() {
    echo "tapgate-cluster(7): $*"
    wrong=$((wrong + 1))
}
in_bed() { # TEXT
    grep -Fq -- "$1" "${bed[@]}"
}
typed() { # TEXT: in the commands of the chapter that the bed runs, see below
    for step in 2 3 5; do
        [[ $(tests/system/cluster/manual "$step") != *"$1"* ]] || return 0
    done
    return 1
}

# shellcheck disable=SC2016 # as it stands in the bed
while read -r name; do
    named=$((named + 1))
    case $name in
    # Of what is installed as examples: from there the bed copies it, by folder or by name.
    network/* | slurm/* | 50-* | node.conf | prolog | epilog)
        file=$(find etc/network etc/slurm -type f -path "*/$name" | head -n 1)
        case $file in
        '') complain "$name is not below etc/network or etc/slurm" ;;
        etc/network/networkd/*) in_bed '/network/networkd/*' || complain "the test does not copy etc/network/networkd" ;;
        etc/network/frr/*)
            in_bed 'network/frr/$([ "$node" = ctl ] && echo reflector || echo node).conf' ||
                complain "$name is not used by the test"
            ;;
        *) in_bed "${file#etc/}" || typed "${file##*/}" || complain "$name is not used by the test" ;;
        esac
        ;;
    /usr/share/doc/tapgate/examples/ | /usr/share/doc/tapgate/examples/slurm) grep -rqs 'examples' etc/CMakeLists.txt || complain "nothing is installed in $name" ;;
    \~/*)
        place=${name#\~/}
        place=${place%%/HOST/*}
        in_bed "${place%%/NAME/*}" || complain "$name is not used by the test"
        [[ $name != *NAME* ]] || in_bed "/${name##*/}" || complain "${name##*/} is not used by the test"
        ;;
    *) in_bed "$name" || typed "$name" || complain "$name is not used by the test" ;;
    esac
done < <(grep -oE '(^\.|It |Pq | )?Pa [^ ]+' "$chapter" | sed 's/.*Pa //; s/,$//' | sort -u)

# The bed runs what is typed, from the chapter itself.
for step in 2 3 5; do
    in_bed "manual\" $step" || complain "the commands of step $step are not run by the test"
    bash -n <(tests/system/cluster/manual "$step") || complain "the commands of step $step are none"
done
in_bed 'manual" 4' || complain "the lines of step 4 are not used by the test"
in_bed "lab up rhce.conf" || complain "the lab of step 6 is not started by the test"

# Packages: a test that asks for others than the chapter would not see what it forgets.
while read -r package; do
    named=$((named + 1))
    [ "$package" = tapgate ] || in_bed " $package" || grep -q "\[cluster\]=.*\b$package\b" tests/run ||
        complain "the test does not ask for the package $package"
done < <(sed -n "/^\.Ss 4/,/^\.Ss 5/p" "$chapter" | grep '^\.Ql' | tr -d "'\`,\"" | tr ' ' '\n' | grep -vxE '\.Ql|apt-get|install|' | sort -u)

echo "$named names, $wrong of them wrong"
[ "$named" -ge 20 ] || { echo "so few: is the pattern still right?"; exit 1; }
[ "$wrong" -eq 0 ]
