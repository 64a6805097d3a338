# shellcheck shell=bash disable=SC2034,SC2086,SC2154,SC2317 # a part of cluster.sh
# A VM that exists twice, by its MAC address, and one that moves to the other node. Leaves the VM twin.

# As a service: there is nobody to type, and it goes on all the same.
bed_user ctl timeout 120 tapgate run web </dev/null >$LAB/log/run 2>&1 &
running=$!
lab_poll 40 grep -qs '^PASS' $LAB/log/run || wrong "run shows nothing of the guest: $(tail -n 3 $LAB/log/run)"
other=$([ "$(node_of web)" = n1 ] && echo n2 || echo n1)
vm twin 192.0.2.22 --net="bridge:br0,mac=$(bed_user ctl tapgate status web --json | jq -r '.nets[0].mac')"
did 1 start twin --on="slurm,nodelist=$other"
says "$err" 'has the MAC address'
did 0 stop web --timeout=40
wait $running || wrong "run ends with $?: $(tail -n 3 $LAB/log/run)"
did 0 start web --on="slurm,nodelist=$other"
guest_says web '^PASS'
[ "$(node_of web)" = "$other" ] || wrong "it is on $(node_of web)"
# What is typed gets there: a line ends this guest.
echo | bed_user ctl timeout 20 tapgate console web >"$out" 2>"$err" || true
lab_poll 20 no_job web || wrong "the guest did not get what was typed at its console"
nothing_left
took "a MAC address that another node has is refused; a VM moves to another node at once"
