# shellcheck shell=bash disable=SC2034,SC2086,SC2154,SC2317 # a part of cluster.sh
# Each verb, from the login node, for a VM wherever it runs. Leaves the VM web, and the VM deaf, which is being
# ended (power_button.sh).

button deaf deaf --net=bridge:br0
did 0 start deaf
staying+='|deaf'
deaf_job=$(bed_root ctl squeue -h -n tapgate-deaf -o %A)

bed_user ctl qemu-img create -q -f qcow2 /home/alice/web.qcow2 64M
vm web 192.0.2.21 --initrd=/home/guest/ssh.cpio --memory=160M --display=vnc --disk=/home/alice/web.qcow2 \
    --append="$append tapgate.ip=192.0.2.21/24 tapgate.ping=192.0.2.1 tapgate.hold=3600"
did 0 start web
says "$out" '^web runs on n[12], job [0-9]+$'
guest_says deaf '^PASS'
guest_says web '^PASS'
did 0 status web
says "$out" '^state +running$'
says "$out" '^node +n[12]$'
says "$out" '^limit +[0-9:]+ of 1:00:00$'
did 0 status web --json
[ "$(jq -r .node "$out")" = "$(node_of web)" ] || wrong "status --json has no node"
did 0 log web
says "$out" 'PASS'
did 0 wait web --for=ssh --timeout=60
did 0 ip web
# The nodes have no address on br0; this host has.
says "$out" '^192\.0\.2\.21$'
did 0 ip web --json
says "$out" '"address": "192.0.2.21"'
did 0 ssh-config web
says "$out" '^    ProxyCommand /usr/local/bin/tapgate ssh-proxy web$'
did 0 ssh web --user=root -- cat /proc/cmdline
says "$out" 'tapgate.ip=192.0.2.21'
# shellcheck disable=SC2016 # the guest's shell's
did 0 exec web --user=root -- sh -c 'echo "$1"' sh 'one  word'
says "$out" '^one  word$'
# A file of this host's, there and back, and the node has it not.
bed_root ctl install -d -m 0700 -o $BED_UID /tmp/alice
head -c 300000 /dev/urandom >$BED/home/alice/random
bed_root ctl install -m 0600 -o $BED_UID /home/alice/random /tmp/alice/random
# shellcheck disable=SC2016 # the inner shell's
bed_user ctl sh -c 'timeout 60 ssh -o ProxyCommand="tapgate ssh-proxy %h" -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null root@tapgate-web cat </tmp/alice/random' >"$LAB/log/random" 2>"$LAB/log/proxy" ||
    wrong "ssh-proxy: $(tail -n 2 "$LAB/log/proxy")"
cmp -s "$LAB/log/random" $BED/home/alice/random || wrong "what came through ssh-proxy is not what went in"
# This guest has no scp for it: but it would go the same way.
install -d -m 0755 $BED/home/scp
printf '#!/bin/sh\nprintf "%%s\\n" "$@"\n' >$BED/home/scp/scp
chmod 0755 $BED/home/scp/scp
bed_user ctl env PATH=/home/scp:/usr/local/bin:/usr/bin:/bin tapgate cp /tmp/alice/random web:/tmp/there \
    >"$out" 2>"$err" || wrong "cp: $(tail -n 2 "$err")"
says "$out" '^ProxyCommand=/usr/local/bin/tapgate ssh-proxy web$'
says "$out" '^\[tapgate-web\]:/tmp/there$'
! grep -q '^s[lr][a-z]*[^ ]*: error' "$LAB/log/proxy" || wrong "Slurm's lines are shown: $(cat "$LAB/log/proxy")"
did 1 rename web web2
says "$err" 'web is running already'
tg usage
# But for those that are being ended, on a node where all are.
[ "$status" = 0 ] || says "$err" '(limited|stubborn) .*completing'
says "$out" '^USER +VM .* NODE$'
says "$out" "^alice +web +.* 160M .* $(node_of web)$"
tg top
says "$out" "^alice +web +.* [0-9]+ +[0-9]+M +160M .* $(node_of web)$"
did 0 set web memory=161M
says "$err" 'web is running \(job [0-9]+ on n[12]\); the change counts from its next start on'
did 0 doctor web
says "$out" '^ok +verdict '
bed_user ctl env DISPLAY=:7 tapgate view web </dev/null >"$out" 2>"$err" && wrong "view shows a node's socket"
says "$err" "ssh -N -L 5999:/home/alice/.*/vnc.sock $(node_of web) .*vncviewer .*tapgate screenshot web"
# In a directory that the node does not have.
bed_user ctl qemu-img create -q -f qcow2 /tmp/alice/here.qcow2 8M
in_tmp() { # WORD...
    # shellcheck disable=SC2016 # the inner shell's
    bed_user ctl sh -c 'cd /tmp/alice && exec timeout 60 tapgate "$@"' sh "$@" </dev/null >"$out" 2>"$err"
}
in_tmp attach web disk=here.qcow2 && wrong "a disk that the node does not have is attached"
says "$err" '^tapgate: /tmp/alice/here.qcow2: there is no such image'
says "$err" "here.qcow2 is looked for on $(node_of web), where web runs"

bed_user ctl qemu-img create -q -f qcow2 /home/alice/extra.qcow2 8M
in_tmp attach web disk=/home/alice/extra.qcow2 || wrong "attach: $(tail -n 2 "$err")"
says "$out" '^web has disk1$'
! grep -q chdir "$err" || wrong "slurmstepd's line is shown: $(grep chdir "$err")"
did 1 export web /home/alice/web.tar
says "$err" 'web.qcow2 is in use'
did 0 detach web disk1
did 1 detach web disk1
says "$err" 'web has no .disk1.; it has disk0'
did 1 eject web
says "$err" 'web was started without a CD-ROM drive'
did 3 attach web net=bridge:br7
says "$err" 'br7 .*denied'
did 0 screenshot web shot.png
[ "$(head -c 4 $BED/home/alice/shot.png | tail -c 3)" = PNG ] || wrong "no picture"
did 0 vnc web
says "$out" '/web/vnc.sock$'
did 0 pause web deaf
did 0 status web
says "$out" '^state +paused$'
did 0 resume web deaf
did 0 status web
says "$out" '^state +running$'
# It has 15 s.
bed_user ctl scancel -n tapgate-deaf
deaf_asked=$(date +%s)
did 1 start web
says "$err" 'web is running already \(job [0-9]+ on n[12]\)'
did 1 delete web --yes
# A terminal, with the key that leaves it; the guest goes on.
(
    sleep 1
    printf 'typed there'
    sleep 1
    printf '\035'
) | bed_user ctl timeout 20 script -qec 'tapgate console web' /dev/null >"$out" 2>"$err" ||
    wrong "console at a terminal ends with $?: $(tail -n 2 "$out")"
says "$out" 'typed there'
# To the guest's serial line it is a cable that is plugged out and in.
did 0 status web
says "$out" '^state +running$'
did 0 snapshot save web one
did 0 snapshot list web
says "$out" '^one +'
did 0 snapshot list web --json
[ "$(jq -r '.[].tag' "$out")" = one ] || wrong "snapshot list --json has no tag"
did 0 exec web --user=root -- touch /tmp/later
did 0 snapshot restore web one --yes
did 1 exec web --user=root -- test -e /tmp/later
did 0 snapshot delete web one --yes
did 1 snapshot restore web one --yes
says "$err" 'web has no snapshot .one.'
# Its own words, and not what srun makes of its exit code.
! grep -q '^srun:' "$err" || wrong "srun's line is shown: $(grep '^srun:' "$err")"
did 3 exec web --user=root -- sh -c 'echo "of the guest" >&2; exit 3'
says "$err" '^of the guest'
! grep -q '^srun:' "$err" || wrong "srun's line is shown: $(grep '^srun:' "$err")"
# But srun's own.
install -d -m 0755 $BED/home/other
# shellcheck disable=SC2016 # the script's
printf '#!/bin/bash\nexec /usr/bin/srun "${@/#--jobid=*/--jobid=999999}"\n' >$BED/home/other/srun
chmod 0755 $BED/home/other/srun
bed_user ctl env PATH=/home/other:/usr/local/bin:/usr/bin:/bin tapgate log web >"$out" 2>"$err" &&
    wrong "a srun that fails ends with 0"
says "$err" '^srun: error: .*Invalid job id'
did 0 stop web --timeout=40
guest_says web 'POWER BUTTON'
nothing_left
did 0 log web
says "$out" 'POWER BUTTON'
did 0 stop web
says "$err" 'web does not run'
took "status, log, wait, ip, ssh, console, screenshot, vnc, snapshot, pause, stop: where it runs, whoever asks"
