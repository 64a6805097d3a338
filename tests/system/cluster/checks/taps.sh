# shellcheck shell=bash disable=SC2034,SC2086,SC2154,SC2317 # a part of cluster.sh
# Who may have a tap on a node, and how many: who has a job there, for as long as it runs.

mac=52:54:00:77:00:0 # and a digit
tap="tapgate tap --bridge=br0 --mac=$mac"
# shellcheck disable=SC2086 # words
bed_as n1 mallory $BED_OTHER_UID ${tap}1 -- true >"$out" 2>&1 && wrong "a tap without a job"
says "$out" 'denied'
# And of two each job: here one of alice's, on a node without another.
elsewhere=$([ "$(node_of limited)" = n1 ] && echo n2 || echo n1)
# shellcheck disable=SC2086
bed_user ctl srun -w "$elsewhere" --mem=200M ${tap}2 --fd=3 -- ${tap}3 --fd=4 -- ${tap}4 --fd=5 -- true \
    >"$out" 2>"$err" && wrong "a job has three taps"
says "$err" 'max-taps=2'
# shellcheck disable=SC2086
bed_user ctl srun -w "$elsewhere" --mem=200M ${tap}5 --fd=3 -- ${tap}6 --fd=4 -- true >"$out" 2>"$err" ||
    wrong "a job has not two taps: $(tail -n 2 "$err")"
no_right() { # once Slurm's epilog is through
    # shellcheck disable=SC2086
    ! bed_user "$elsewhere" ${tap}7 -- true >"$out" 2>&1
}
lab_poll 5 no_right || wrong "a right outlives its job"
says "$out" 'denied'
took "who has no job on a node has no tap there, and who has one has two"
