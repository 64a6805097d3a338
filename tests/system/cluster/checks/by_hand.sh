# shellcheck shell=bash disable=SC2034,SC2086,SC2154,SC2317 # a part of cluster.sh
# In a job that somebody has made by hand, with srun or sbatch: what is refused there, and the job's memory.

printf '#!/bin/sh\ntapgate run web --on=here\necho "rc $?"\n' >$BED/home/alice/plain.sh
bed_user ctl sbatch --wait --mem=400M -o /home/alice/plain.out /home/alice/plain.sh >/dev/null 2>&1 || true
says $BED/home/alice/plain.out 'exec tapgate run web'
says $BED/home/alice/plain.out 'rc 1'
bed_user ctl srun --mem=400M tapgate start web --on=here >"$out" 2>"$err" && wrong "start in a step ends with 0"
says "$err" 'here the way is: tapgate run web'
took "by hand: a script without exec and a start that would not last are refused"
if [ -n "$BED_CGROUP" ]; then
    bed_user ctl srun --mem=300M tapgate doctor --json >"$out" 2>"$err" || true
    says "$out" '(29[0-9]|2[0-8][0-9]) MiB available'
    # The guest alone has more.
    bed_user ctl srun --mem=100M tapgate run web --on=here --no-console >"$out" 2>"$err" && wrong "it ran"
    says "$err" 'the limit of this job or session is 100 MiB'
    took "in a job memory is the job's: doctor, and the error when the kernel kills QEMU"
else
    echo "# not seen: the job's memory as the limit (it needs hierarchies of cgroups, version 1)"
fi
