# shellcheck shell=bash disable=SC2034,SC2086,SC2154,SC2317 # a part of cluster.sh
# A node that is gone from one moment to the next.

did 0 start web --on=slurm,nodelist=n1
guest_says web '^PASS'
kill -KILL "$(bed_pid n1)"
lab_poll 60 no_job web || wrong "its job stays"
did 0 start web
[ "$(node_of web)" = n2 ] || wrong "it is on $(node_of web)"
did 0 kill web
took "a node that dies: its VM starts on the other one"
