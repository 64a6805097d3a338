# shellcheck shell=bash disable=SC2034,SC2086,SC2154,SC2317 # a part of cluster.sh
# The time limit of a job is the guest's power button, and then the plug. Slurm counts in minutes: these two
# VMs run on beside the next checks.

time_limit_begins() {
    button limited knows
    did 0 start limited --on=slurm,time=1
    limited_since=$SECONDS
    # And this one's guest does not care; beside the other, so that one node is free of both.
    button stubborn deaf
    did 0 start stubborn --on="slurm,time=1,nodelist=$(node_of limited)"
    stubborn_job=$(bed_root ctl squeue -h -n tapgate-stubborn -o %A)
}

time_limit_ends() {
    lab_poll $((limited_since + 130 - SECONDS)) console_said limited 'POWER BUTTON' ||
        wrong "no power button $((SECONDS - limited_since)) s after a start with a limit of 60 s"
    lab_poll 30 no_job limited || wrong "the job is still there"
    took "the time limit: the power button"

    no_stubborn() {
        no_job stubborn
    }
    lab_poll 40 no_stubborn || wrong "the job of a guest that ignores its power button goes on"
    stubborn_log=$BED/home/alice/.local/share/tapgate/stubborn/slurm.log
    stubborn_asked=$(sed -n 's/^slurmstepd.* CANCELLED AT \([^ ]*\) DUE TO TIME LIMIT.*/\1/p' "$stubborn_log")
    pulled stubborn "$stubborn_job" "$(date -d "${stubborn_asked:-now}" +%s)" TIMEOUT
    took "the time limit and a guest that ignores its power button: the plug is pulled before Slurm's"
}
