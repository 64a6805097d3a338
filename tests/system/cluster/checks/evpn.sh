# shellcheck shell=bash disable=SC2034,SC2086,SC2154,SC2317 # a part of cluster.sh
# FRR's EVPN in the place of the static lists of VXLAN.

bed_evpn
evpn_up() {
    [ "$(bed_root ctl bridge fdb show dev vx0 | grep -c '^00:00:00:00:00:00 ')" -ge 2 ]
}
lab_poll 30 evpn_up || wrong "the nodes do not find each other by EVPN"
did 0 start web --on=slurm,nodelist=n1
guest_says web '^PASS'
web_mac=$(bed_user ctl tapgate status web --json | jq -r '.nets[0].mac')
told() { # NODE
    bed_root "$1" bridge fdb show dev vx0 | matches "^$web_mac .*extern_learn.*master br0\|^$web_mac .*master br0.*extern_learn"
}
bed_root ctl busybox ping -c 1 -W 2 192.0.2.21 >/dev/null || wrong "the login node does not reach the guest"
lab_poll 10 told n2 || wrong "n2 is not told of it: $(bed_root n2 bridge fdb show dev vx0 | head -n 5)"
did 1 start twin --on=slurm,nodelist=n2
says "$err" 'has the MAC address'
did 0 stop web --timeout=40
did 0 start web --on=slurm,nodelist=n2
guest_says web '^PASS'
did 0 stop --all --timeout=40
nothing_left
took "EVPN: a duplicate is refused, a VM moves"
