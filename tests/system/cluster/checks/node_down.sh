# shellcheck shell=bash disable=SC2034,SC2086,SC2154,SC2317 # a part of cluster.sh
# A node that Slurm takes to be down.

node=$(node_of web)
bed_root ctl scontrol update nodename="$node" state=down reason=test
lab_poll 20 no_job web || wrong "its job stays"
# It may have come back by itself.
bed_root ctl scontrol update nodename="$node" state=resume 2>>"$err" || true
lab_poll 30 bed_idle || wrong "the nodes do not come back"
lab_poll 10 no_taps || wrong "taps are left over"
did 0 start web
guest_says web '^PASS'
did 0 stop web --timeout=40
took "a node that is down: its VM is given up, and starts elsewhere"
