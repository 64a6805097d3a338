# shellcheck shell=bash disable=SC2034,SC2086,SC2154,SC2317 # a part of cluster.sh
# A controller that does not answer: that is said, and nobody is taken to be off.

lab_poll 20 bed_idle || true
did 0 start web
bed_root ctl kill -STOP "$(bed_root ctl cat /run/slurmctld.pid)"
# All of them at once, since each waits 3 s.
verbs=("status web" "stop web" list "start twin" "list --all")
waiting=()
for i in "${!verbs[@]}"; do
    # shellcheck disable=SC2086
    bed_user ctl timeout -k 1 90 tapgate ${verbs[i]} </dev/null >"$LAB/log/silent$i.out" 2>"$LAB/log/silent$i.err" &
    waiting+=($!)
done
for i in "${!verbs[@]}"; do
    status=0
    wait "${waiting[i]}" || status=$?
    [ $status = 1 ] || wrong "tapgate ${verbs[i]} ends with $status, not 1"
    says "$LAB/log/silent$i.err" 'Slurm does not answer .*within 3 s'
done
says "$LAB/log/silent4.out" '^web +unknown '
bed_root ctl kill -CONT "$(bed_root ctl cat /run/slurmctld.pid)"
did 0 status web
says "$out" '^state +running'
# One that waits goes on waiting.
bed_user ctl timeout 60 tapgate start iso2 --on=slurm,hold </dev/null >$LAB/log/start 2>&1 &
starting=$!
lab_poll 10 grep -qs 'iso2: queued: ' $LAB/log/start || wrong "the start does not wait"
bed_root ctl kill -STOP "$(bed_root ctl cat /run/slurmctld.pid)"
lab_poll 10 grep -q 'Slurm does not answer just now' $LAB/log/start || wrong "the start does not say that Slurm is silent"
bed_root ctl kill -CONT "$(bed_root ctl cat /run/slurmctld.pid)"
bed_root ctl scontrol release "$(bed_root ctl squeue -h -n tapgate-iso2 -o %A)"
wait $starting || wrong "a start does not outlive a controller that is silent: $(tail -n 2 $LAB/log/start)"
did 0 kill iso2
took "a controller that does not answer: said within 3 s, exit code 1, never \"off\""
