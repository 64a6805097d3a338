# shellcheck shell=bash disable=SC2034,SC2086,SC2154,SC2317 # a part of cluster.sh
# What waits for a place in Slurm's queue, and what is never to have one; long lists.

did 1 start web --memory=6G
says "$err" 'Slurm: .*(Memory|node configuration)'

vm big 192.0.2.41 --memory=3500M
for node in n1 n2; do
    bed_root ctl scontrol update nodename=$node state=drain reason=test
done
began_waiting=$SECONDS
bed_user ctl timeout 60 tapgate start big </dev/null >$LAB/log/start 2>&1 &
starting=$!
queued() {
    bed_user ctl tapgate list 2>/dev/null | matches -E '^big +queued: '
}
lab_poll 20 queued || wrong "list does not have it as queued"
did 0 status big
says "$out" '^state +queued: '
did 1 ssh big
says "$err" 'big is queued: .*tapgate stop takes it out of the queue'
did 0 stop big
says "$err" 'is out of the queue'
wait $starting && wrong "start ends with 0"
says $LAB/log/start 'big: queued: '
says $LAB/log/start 'big did not start: job [0-9]+: CANCELLED'
nothing_left
[ $((SECONDS - began_waiting)) -lt 40 ] || wrong "it took $((SECONDS - began_waiting)) s"
# A room of twenty, for which there is no place in time: none of it stays.
cat >$BED/home/alice/room.conf <<END
on = slurm,partition=vms
accel = tcg
kernel = /home/guest/kernel
initrd = /home/guest/initramfs.cpio
memory = 96M
[seat]
count = 20
END
bed_user ctl timeout 90 tapgate lab up room.conf --timeout=5 </dev/null >$LAB/log/room 2>&1 &
starting=$!
twenty_queued() {
    bed_user ctl tapgate list >"$out" 2>"$err" && [ "$(grep -c '^room-seat-[0-9]* .*queued: ' "$out")" = 20 ]
}
lab_poll 20 twenty_queued || wrong "list does not have 20 that wait: $(wc -l <"$out")"
milliseconds() { # COMMAND...
    local start
    start=$(date +%s%N)
    "$@"
    listed=$((($(date +%s%N) - start) / 1000000))
}
milliseconds did 0 list
wait $starting && wrong "lab up ends with 0"
says $LAB/log/room 'the lab room does not start: .* was not started: not within 5 s'
says $LAB/log/room 'what was made and started for it is gone again'
nothing_left
[ -z "$(find $BED/home/alice/.config/tapgate -name 'room-*')" ] || wrong "VMs of the lab are left over"
for node in n1 n2; do
    bed_root ctl scontrol update nodename=$node state=resume
done
took "a queue: its reason, out of it again, and a lab of 20 that gives up waiting (list: $listed ms)"

# What Slurm says of a thousand, in the place of a Slurm with a thousand.
install -d -m 0755 $BED/home/many
seq 1000 | sed 's/.*/&|PENDING||0:00|8:00:00|Priority|tapgate-vm&/' >$BED/home/many/queue
printf '#!/bin/sh\nexec cat /home/many/queue\n' >$BED/home/many/squeue
chmod 0755 $BED/home/many/squeue
milliseconds bed_user ctl env PATH=/home/many:/usr/local/bin:/usr/bin:/bin tapgate list >"$out" 2>"$err"
[ "$(grep -c '^vm[0-9]* .*queued: Priority .* 8:00:00 ' "$out")" = 1000 ] || wrong "list has not 1000: $(wc -l <"$out")"
[ "$listed" -lt $((500 * LAB_PATIENCE)) ] || wrong "list takes $listed ms"
took "list of 1000 jobs: $listed ms"
