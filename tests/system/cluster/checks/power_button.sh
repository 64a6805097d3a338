# shellcheck shell=bash disable=SC2034,SC2086,SC2154,SC2317 # a part of cluster.sh
# What is the guest's power button: scancel, and a terminal that is closed; and when the plug is pulled. Also
# restart, beside that.

# Of a later check, beside web. The terminal is of script(1), and closed when that is gone.
button closed knows
staying+='|closed'
# shellcheck disable=SC2016 # the inner shell's
(bed_user ctl script -qec 'echo $PPID >script.pid; exec tapgate run closed' /dev/null) </dev/null \
    >"$LAB/log/closed" 2>&1 &
terminal=$!
# Slurm begins nothing where a job is being ended.
free=$([ "$(node_of deaf)" = n1 ] && echo n2 || echo n1)
button pressed knows --net=bridge:br0
did 0 start pressed --on="slurm,nodelist=$free,time=7" --memory=144M
did 0 restart pressed --timeout=1 --force --cpus=2
says "$out" "^pressed runs on $free, job [0-9]+$"
did 0 status pressed
says "$out" '^limit +[0-9:]+ of 7:00$'
bed_root "$free" pgrep -af '[q]emu.*guest=pressed' >"$out" || wrong "there is no QEMU on $free"
says "$out" ' -m (size=)?144M?'
says "$out" ' -smp (cpus=)?2'
did 2 restart pressed --on=here
says "$err" 'tapgate stop pressed'
guest_says pressed '^PASS'
took "restart remembers what start was told, and takes what it is told itself"

bed_user ctl scancel -n tapgate-pressed
guest_says pressed 'POWER BUTTON'
lab_poll 25 no_job pressed || wrong "the job is still there"
nothing_left
took "scancel: the guest sees its power button"

lab_poll 40 console_said closed '^PASS' || wrong "the guest does not come up: $(tail -n 3 "$LAB/log/closed")"
bed_root ctl kill -KILL "$(cat $BED/home/alice/script.pid)"
guest_says closed 'POWER BUTTON'
wait $terminal || true
staying='limited|stubborn|deaf'
nothing_left
took "a closed terminal: the power button"

no_deaf() {
    no_job deaf
}
lab_poll 20 no_deaf || wrong "the job of a guest that ignores its power button goes on"
pulled deaf "$deaf_job" "$deaf_asked" CANCELLED
staying='limited|stubborn'
nothing_left
took "scancel and a guest that ignores its power button: the plug is pulled before Slurm's"
